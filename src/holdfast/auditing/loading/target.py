"""The user's network as a target, whatever form it comes in.

The user's own object is copied and never changed; the copy is in evaluation mode; normalisation is part of it, so that attack sizes
are in units of the input. Notes say what was found on the way, for the report.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from holdfast.auditing.loading.adapt import AdaptedNetwork, CallableNetwork
from holdfast.auditing.loading.naming import names_in_network, names_in_weights
from holdfast.auditing.loading.normalisation import normalised
from holdfast.auditing.loading.source import Obtained, obtain
from holdfast.auditing.loading.weights import install, read_weights
from holdfast.auditing.settings import OutputForm
from holdfast.core.checks import as_written, check_one_of, refuse
from holdfast.core.target import ACCESS_LEVELS, Access, Target
from holdfast.nets import bake_weights, closed_weights, computed_weights, copied

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from holdfast.auditing.loading.two_classes import Binary

__all__ = ["LoadedTarget", "load_target"]

BINARY: dict[str, Binary] = {"binary": "either", "binary-logits": "logits", "binary-probabilities": "probabilities"}

MOST: dict[str, Access] = {"module": "weights", "exported": "gradients", "torchscript": "gradients", "callable": "scores"}
BATCH_DEPENDENT = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 (the common ancestor of batch normalisation in 1, 2 and 3 dimensions)
WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
RANDOM = (nn.modules.dropout._DropoutNd, nn.RReLU)  # noqa: SLF001 (the common ancestor of all dropouts)


@dataclass(frozen=True, kw_only=True)
class LoadedTarget:
    """A network that is ready to be examined.

    Parameters
    ----------
    target : the network with its bounds and access level
    notes : what was found while loading it, one sentence each
    unsafe : a pickle was executed to read it; the report carries a red notice
    source : where it came from
    class_names : of its outputs, in their order, where the network or its weights hold them
    """

    target: Target
    notes: tuple[str, ...]
    unsafe: bool
    source: str
    class_names: tuple[str, ...] = ()


def load_target(  # noqa: PLR0913 (each is a flag of the command line)
    model: Any,
    *,
    weights: str | Path | None = None,
    arguments: Iterable[str] | Mapping[str, Any] = (),
    access: Access = "weights",
    normalize: Any = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    outputs: OutputForm | None = None,
    output_key: str | None = None,
    unsafe_pickle: bool = False,
    device: str | torch.device = "cpu",
    name: str | None = None,
) -> LoadedTarget:
    """The network that `model` stands for, as a target.

    Parameters
    ----------
    model : ``nn.Module``; callable from a batch to scores or labels; ``"package.module:factory"`` or ``"file.py:factory"``;
        ``"network.pt2"`` (exported program); ``"network.ts"`` (TorchScript)
    weights : file of tensors (``.safetensors``, ``.npz``, or a state dict of ``torch.save``), loaded strictly
    arguments : for the factory, ``key=value`` texts or a mapping, typed by its signature
    access : what the simulated adversary has, at most. A module gives ``"weights"``, an archive ``"gradients"``, a callable
        ``"scores"`` (``"gradients"`` if you ask for them: the callable is then handed tensors that take gradients)
    normalize : ``"mean,std"`` or a pair, per channel; becomes part of the network
    bounds : smallest and largest value that an input may have, before normalisation
    outputs : ``"logits"`` or ``"probabilities"``, one for each class; ``"binary"``, one number per example, the logit or the
        probability of class 1 (the probe tells which, ``"binary-logits"`` and ``"binary-probabilities"`` say it); None lets the
        probe tell logits from probabilities
    output_key : where the logits stand, if the network returns a tuple, a mapping or an object
    unsafe_pickle : execute a pickled module to read it, if the user also agrees (terminal, or ``HOLDFAST_UNSAFE_PICKLE=1``)
    device : where the network is put
    name : for tables; default: from the source

    Returns
    -------
    LoadedTarget. Its network is a copy; the user's object stays as it was.

    Raises
    ------
    UnsafePickleError : a file would execute code
    InputError : anything else that cannot be used, with its remedy

    Examples
    --------
    >>> loaded = load_target(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), normalize="0.3,0.4")
    >>> loaded.target(torch.rand(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    check_one_of(access, "access", allowed=ACCESS_LEVELS)
    if outputs is not None:
        check_one_of(outputs, "outputs", allowed=get_args(OutputForm))
    obtained = obtain(model, arguments=arguments, predictor=access in ("labels", "scores"), unsafe_pickle=unsafe_pickle)
    notes = list(obtained.notes)
    network = _network(obtained, output_key=output_key, differentiable=access == "gradients", notes=notes)
    if weights is not None:
        notes += _load_weights(network, obtained, Path(weights))
    names = names_in_network(network) or (names_in_weights(Path(weights)) if weights is not None else ())
    notes += _to_evaluation(network, fresh=isinstance(model, str | Path))
    network = _with_plain_weights(network, notes)
    key = output_key if obtained.form != "callable" else None
    network = _adapted(network, output_key=key, binary=BINARY.get(outputs or ""), notes=notes)
    if normalize is not None:
        network = normalised(network, normalize).eval()
    granted = _granted(obtained, access, notes)
    target = Target(
        model=_on(network, device),
        bounds=(float(bounds[0]), float(bounds[1])),
        access=granted,
        outputs="probabilities" if outputs == "probabilities" else "logits",
        name=name or _short(obtained),
    )
    source = obtained.source if weights is None else f"{obtained.source}, weights {Path(weights).name}"
    return LoadedTarget(target=target, notes=tuple(notes), unsafe=obtained.unsafe, source=source, class_names=names)


def _network(obtained: Obtained, *, output_key: str | None, differentiable: bool, notes: list[str]) -> nn.Module:
    """The network as a module that is ours: a copy of the user's, without wrappers that only matter in training."""
    if not isinstance(obtained.network, nn.Module):
        return CallableNetwork(obtained.network, output_key=output_key, differentiable=differentiable)
    if obtained.form != "module":
        return obtained.network
    network = obtained.network
    while isinstance(network, WRAPPERS) or hasattr(network, "_orig_mod"):
        notes.append(f"the network was taken out of {type(network).__name__}")
        inner: Any = getattr(network, "_orig_mod", None) or network.module
        network = inner
    try:
        return copied(network)
    except Exception as error:  # noqa: BLE001 (a user's module may fail to be copied in any way)
        if obtained.made:
            notes.append(f"the network cannot be copied ({type(error).__name__}: {error}): stresses that need a copy are left out")
            return network
        refuse(
            "model",
            f"is a {type(network).__name__} that cannot be copied ({type(error).__name__}: {error})",
            allowed="a module that copy.deepcopy accepts, since yours is not changed",
            remedy=f"Pass a factory that makes it: {as_written('model', 'package.module:factory')}.",
        )


def _load_weights(network: nn.Module, obtained: Obtained, path: Path) -> tuple[str, ...]:
    if obtained.form != "module":
        what = "a callable" if obtained.form == "callable" else f"{obtained.source}, which has its own"
        refuse("weights", f"are given for {what}", allowed="weights for a module or a factory of one")
    tensors, notes = read_weights(path)
    return (*notes, *install(network, tensors, path=path))


def _to_evaluation(network: nn.Module, *, fresh: bool) -> list[str]:
    """Switch to evaluation mode; notes on the mode it came in, and on layers that depend on chance or on the batch.

    Every `fresh` network is in training mode: that is a note only where the user's own object came in it, and has layers that care.
    """
    notes = []
    training = sum(module.training for module in network.modules())
    network.eval()
    kinds = Counter(type(module).__name__ for module in network.modules() if isinstance(module, (BATCH_DEPENDENT, *RANDOM)))
    if training and kinds and not fresh:
        notes.append(f"{training} of its modules were in training mode; they are examined in evaluation mode")
    if kinds:
        counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        notes.append(f"layers that behave differently in training: {counted}")
    still = [path or "the network" for path, module in network.named_modules() if module.training]
    if still:
        notes.append(f"{', '.join(still[:4])} stayed in training mode after eval()")
    norms = [(path, module) for path, module in network.named_modules() if isinstance(module, BATCH_DEPENDENT)]
    unkept = [path for path, module in norms if module.running_mean is None]
    if unkept:
        notes.append(f"batch normalisation without running statistics ({', '.join(unkept[:4])}): answers depend on the batch")
    return notes


def _with_plain_weights(network: nn.Module, notes: list[str]) -> nn.Module:
    """The network with the weights that its layers compute as plain ones, which stresses can reach."""
    if isinstance(network, torch.jit.ScriptModule):
        return network
    computed = computed_weights(network)
    network = bake_weights(network)
    closed = closed_weights(network)
    baked = [path or "the network" for path in computed if path not in closed]
    if baked:
        notes.append(f"weights are computed in each pass ({_few(baked)}): they are examined as plain weights of these values")
    if closed:
        named = _few([path or "the network" for path in closed])
        notes.append(f"weights are packed or drawn in each pass ({named}): stresses on weights are left out")
    return network


def _few(paths: list[str]) -> str:
    return ", ".join(paths[:4]) + (f" and {len(paths) - 4} more" if len(paths) > 4 else "")


def _adapted(network: nn.Module, *, output_key: str | None, binary: Binary | None, notes: list[str]) -> nn.Module:
    """The network behind a float32 door, if it has another dtype, hides its logits in a container or has one output."""
    dtypes = Counter(parameter.dtype for parameter in network.parameters() if parameter.is_floating_point())
    dtype = dtypes.most_common(1)[0][0] if dtypes else torch.float32
    if dtype != torch.float32:
        word = str(dtype).removeprefix("torch.")
        small = "" if dtype == torch.float64 else "; small input gradients may underflow to zero, which the probe counts"
        notes.append(f"the network computes in {word}: inputs are cast to it and logits back to float32{small}")
    if dtype == torch.float32 and output_key is None and binary is None:
        return network
    return AdaptedNetwork(network, dtype=dtype, output_key=output_key, binary=binary).eval()


def _granted(obtained: Obtained, access: Access, notes: list[str]) -> Access:
    """The access that was asked for, or the most that this form of network can give."""
    most = MOST[obtained.form]
    if obtained.form == "callable" and access == "gradients":
        return "gradients"
    if ACCESS_LEVELS.index(access) <= ACCESS_LEVELS.index(most):
        return access
    what = {"exported": "an exported program", "torchscript": "TorchScript", "callable": "a plain callable"}[obtained.form]
    notes.append(f"{what} gives {most} at most: stresses that need {access} are left out")
    return most


def _short(obtained: Obtained) -> str:
    if obtained.form == "callable":
        return str(getattr(obtained.network, "__name__", type(obtained.network).__name__))
    return obtained.source.partition(" with ")[0].rpartition(".")[2] if ":" not in obtained.source else obtained.source


def _on(network: nn.Module, device: str | torch.device) -> nn.Module:
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        refuse("device", f"is {str(device)!r}, which is not available here ({reason})", allowed="cpu, or a device that torch finds")
    return network.to(device)
