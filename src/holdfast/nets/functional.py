"""Networks as functions of their weights: frozen for a while, copied with other weights, many of them in one program.

Nothing here changes a network for good: copies are copies, and :func:`frozen` restores what it touched bit for bit.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from holdfast.core.checks import check_whole, nearest, refuse
from holdfast.core.digest import digest_arrays
from holdfast.core.target import Target, answer
from holdfast.nets.computed import closed_weights, copied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "StackedModels",
    "evaluating",
    "frozen",
    "named_weights",
    "per_example_gradients",
    "round_ste",
    "stack",
    "stacked_logits",
    "stacked_predict",
    "with_weights",
]

EXTRA = "_extra_state"  # torch's name for what a module saves beside its tensors
NORM_LAYERS = (
    nn.modules.batchnorm._NormBase,  # noqa: SLF001 - the common ancestor of batch and instance normalisation
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)


def _modules_of(model: Any) -> list[nn.Module]:
    """The networks inside `model`: itself, or those of a target."""
    parts = (model.model, model.preprocess) if isinstance(model, Target) else (model,)
    return [part for part in parts if isinstance(part, nn.Module)]


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Inside the block every submodule of `model` is in evaluation mode; afterwards each has its own flag back.

    `model` may be a module, a :class:`~holdfast.core.target.Target` or any callable (which has no flags).
    """
    flags = [(module, module.training) for network in _modules_of(model) for module in network.modules()]
    for module, _ in flags:
        module.training = False
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag


@contextmanager
def frozen(model: Any) -> Iterator[None]:
    """Inside the block `model` is in evaluation mode and its parameters take no gradients; afterwards it is bit for bit as before.

    Buffers are kept aside and put back too, because some layers change them even in evaluation mode.

    Parameters
    ----------
    model : module, :class:`~holdfast.core.target.Target` or any callable

    Examples
    --------
    >>> net = nn.Linear(2, 2).train()
    >>> with frozen(net):
    ...     net.training, net.weight.requires_grad
    (False, False)
    >>> net.training, net.weight.requires_grad
    (True, True)
    """
    networks = _modules_of(model)
    parameters = [(p, p.requires_grad) for network in networks for p in network.parameters()]
    buffers = [(b, b._version, b.clone()) for network in networks for b in network.buffers()]  # noqa: SLF001 - torch's count of in-place changes
    with evaluating(model):
        for parameter, _ in parameters:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter, flag in parameters:
                parameter.requires_grad_(flag)
            for buffer, version, kept in buffers:
                if buffer._version != version:  # noqa: SLF001 - as above
                    with torch.no_grad():
                        buffer.copy_(kept)


def named_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weight matrices and kernels of a network by parameter name, each storage once.

    Parameters with at least two dimensions, without biases and normalisation layers. Tied weights appear under their first name.

    Raises
    ------
    InputError : a layer whose weights are packed, or computed in each pass from other tensors

    Examples
    --------
    >>> list(named_weights(nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2))))
    ['0.weight', '2.weight']
    """
    if closed := closed_weights(model):
        refuse(
            "model",
            f"holds no plain weights in {', '.join(repr(path) for path in closed[:4])}",
            allowed="layers whose weights are parameters of floating point",
            remedy="If they are computed in each pass (a parametrization, say), call holdfast.nets.bake_weights(model) first.",
        )
    found: dict[str, nn.Parameter] = {}
    seen: set[int] = set()
    for path, module in model.named_modules():
        if isinstance(module, NORM_LAYERS):
            continue
        for name, parameter in module.named_parameters(recurse=False):
            place = parameter.data_ptr()
            if parameter.ndim < 2 or "bias" in name or place in seen:
                continue
            seen.add(place)
            found[f"{path}.{name}" if path else name] = parameter
    return found


def with_weights(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> nn.Module:
    """A copy of `model` whose parameters or buffers named in `weights` have other values; ties stay tied.

    Parameters
    ----------
    model : network, unchanged
    weights : tensors by state-dict name, each with the shape of what it replaces; a whole state dict with the modules' extra state
        too

    Raises
    ------
    InputError : an unknown name or a wrong shape
    """
    twin = copied(model)
    known = dict(twin.named_parameters(remove_duplicate=False)) | dict(twin.named_buffers(remove_duplicate=False))
    extra = {f"{path}.{EXTRA}" if path else EXTRA: module for path, module in twin.named_modules(remove_duplicate=False)}
    with torch.no_grad():
        for name, values in weights.items():
            if name in extra and type(extra[name]).set_extra_state is not nn.Module.set_extra_state:
                extra[name].set_extra_state(values)
                continue
            _check_entry(name, tuple(values.shape), known)
            known[name].copy_(values)
    return twin


def _check_entry(name: str, shape: tuple[int, ...], known: Mapping[str, torch.Tensor]) -> None:
    if name not in known:
        close = nearest(name, known)
        refuse("weights", f"names {name!r}", allowed="names of the state dict", remedy=f"Did you mean {close!r}?" if close else "")
    if shape != tuple(known[name].shape):
        refuse("weights", f"has shape {shape} for {name!r}", allowed=f"the shape of the layer, {tuple(known[name].shape)}")


@dataclass(frozen=True)
class StackedModels:
    """Several networks of one form, held as one set of tensors with a leading axis.

    Parameters
    ----------
    template : one of them; its own values are not used for names in `tensors`
    tensors : parameters and buffers by name, each (models, ...)

    Examples
    --------
    >>> three = stack([nn.Linear(4, 2) for _ in range(3)])
    >>> len(three), three(torch.rand(5, 4)).shape
    (3, torch.Size([3, 5, 2]))
    """

    template: nn.Module
    tensors: Mapping[str, torch.Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __call__(self, x: torch.Tensor, *, chunk: int | None = None) -> torch.Tensor:
        """Logits (models, N, classes) of one batch; differentiable."""
        return stacked_logits(self.template, self.tensors, x, chunk=chunk)


def stack(models: Sequence[nn.Module]) -> StackedModels:
    """Networks of one form as one :class:`StackedModels`.

    Raises
    ------
    InputError : no networks, or networks that differ in anything but parameters and buffers: their submodules, printed settings,
        plain attributes (numbers, text, sequences of these, tensors) or extra state
    """
    if not models:
        refuse("models", "is empty", allowed="at least one network")
    forms = [_form(model) for model in models]
    for number, form in enumerate(forms):
        for name in sorted(form.keys() | forms[0].keys()):
            if form.get(name) != forms[0].get(name):
                refuse(
                    "models",
                    f"differs in {name!r}: {_short(form.get(name))} in number {number}, {_short(forms[0].get(name))} in number 0",
                    allowed="networks that differ in parameters and buffers only",
                    remedy="Make it a buffer, or ask the networks one after another.",
                )
    parameters, buffers = stack_module_state(list(models))
    return StackedModels(models[0], {**parameters, **buffers})


PLAIN = (bool, int, float, complex, str, bytes, tuple, list, torch.Tensor, torch.dtype, type(None))
OF_EVERY_MODULE = frozenset(vars(nn.Module()))


def _form(model: nn.Module) -> dict[str, str]:
    """What a network computes with beside parameters and buffers, by name, in comparable words."""
    form = {}
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        form[f"{prefix}type"] = type(module).__qualname__
        form[f"{prefix}extra_repr"] = module.extra_repr()
        own = {name: value for name, value in vars(module).items() if name not in OF_EVERY_MODULE and isinstance(value, PLAIN)}
        if type(module).get_extra_state is not nn.Module.get_extra_state:
            own["extra_state"] = module.get_extra_state()
        form |= {f"{prefix}{name}": _words(value) for name, value in own.items()}
    return form


def _words(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"tensor {tuple(value.shape)} {digest_arrays({'': value})[:12]}"
    return repr(value)


def _short(words: str | None) -> str:
    return "nothing" if words is None else words if len(words) <= 60 else f"{words[:57]}..."


def stacked_logits(
    model: nn.Module, stacked: Mapping[str, torch.Tensor], x: torch.Tensor, *, chunk: int | None = None
) -> torch.Tensor:
    """Logits of one batch under many sets of weights; differentiable in `x` and in the weights.

    One vectorised program, except for a single model and for stacked convolution kernels on the CPU: there a grouped convolution is
    up to 2.4 times slower than one model after another (LeNet, 20 models, 500 images), while perceptrons gain up to 1.7 times, so
    the faster way is taken.

    Parameters
    ----------
    model : gives the form, and the values of everything that `stacked` does not name; used in evaluation mode
    stacked : parameters or buffers by name, each (models, ...)
    x : one batch (N, ...) for all models
    chunk : largest number of models at once, to bound memory; None: all

    Returns
    -------
    tensor (models, N, classes)

    Warns
    -----
    RuntimeWarning : the network cannot be vectorised (data-dependent Python control flow); its copies ran one after another
    """
    known = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
    counts = {len(values) for values in stacked.values()}
    if len(counts) != 1:
        refuse("stacked", f"has leading lengths {sorted(counts)}", allowed="one length, the number of models, in every tensor")
    for name, values in stacked.items():
        _check_entry(name, tuple(values.shape[1:]), known)
    if chunk is not None:
        check_whole(chunk, "chunk", low=1)

    def one(weights: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return answer(lambda x: functional_call(model, dict(weights), (x,)), x)

    def one_by_one() -> torch.Tensor:
        each = zip(*(values.unbind() for values in stacked.values()), strict=True)  # one view per model: cheaper to go back through
        return torch.stack([one(dict(zip(stacked, weights, strict=True))) for weights in each])

    kernels = any(values.ndim >= 4 for values in stacked.values())
    with evaluating(model), warnings.catch_warnings():
        if min(counts) == 1 or (kernels and x.device.type == "cpu"):
            return one_by_one()
        warnings.filterwarnings("ignore", message="There is a performance drop")  # torch's, about vmap alone
        try:
            return vmap(one, chunk_size=chunk, randomness="different")(dict(stacked))
        except RuntimeError as error:
            logits = one_by_one()  # raises the same error again unless vectorising was its cause
            reason = str(error).splitlines()[0]
    warnings.warn(
        f"{type(model).__name__} cannot be vectorised over models ({reason}); they ran one after another. "
        "Avoid Python branches on tensor values and in-place changes in its forward pass.",
        RuntimeWarning,
        stacklevel=2,
    )
    return logits


@torch.no_grad()
def stacked_predict(
    model: nn.Module,
    stacked: Mapping[str, torch.Tensor],
    x: torch.Tensor,
    *,
    chunk: int | None = None,
    batch_size: int = 1000,
) -> torch.Tensor:
    """Logits (models, N, classes) as by :func:`stacked_logits`, without gradients and in batches of at most `batch_size` rows."""
    check_whole(batch_size, "batch_size", low=1)
    return torch.cat([stacked_logits(model, stacked, part, chunk=chunk) for part in x.split(batch_size)], dim=1)


def per_example_gradients(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = nn.functional.cross_entropy,
    chunk: int | None = None,
) -> dict[str, torch.Tensor]:
    """Gradient of each example's own loss in every trainable parameter, in evaluation mode.

    Parameters
    ----------
    model : network without coupling between examples
    x, y : batch (N, ...) and labels (N,)
    loss : from logits (1, classes) and labels (1,) to a scalar
    chunk : largest number of examples at once

    Returns
    -------
    tensors (N, *parameter.shape) by parameter name; their mean over N is the gradient of the mean loss

    Examples
    --------
    >>> rows = per_example_gradients(nn.Linear(4, 3), torch.rand(5, 4), torch.arange(5) % 3)
    >>> rows["weight"].shape
    torch.Size([5, 3, 4])
    """
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}

    def one(weights: dict[str, torch.Tensor], row: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return loss(functional_call(model, weights, (row[None].clone(),)), label[None])

    with evaluating(model):
        return vmap(grad(one), in_dims=(None, 0, 0), chunk_size=chunk)(trained, x, y)


def round_ste(x: torch.Tensor) -> torch.Tensor:
    """`x` rounded to whole numbers (half to even), with the gradient of the identity (straight-through estimator).

    Source: Y. Bengio, N. Léonard and A. Courville, arXiv:1308.3432.

    Examples
    --------
    >>> x = torch.tensor([0.4, 1.6], requires_grad=True)
    >>> round_ste(x).sum().backward()
    >>> round_ste(x).tolist(), x.grad.tolist()
    ([0.0, 2.0], [1.0, 1.0])
    """
    return x.detach().round() + (x - x.detach())
