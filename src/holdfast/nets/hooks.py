"""What happens inside a network: layer by layer sizes and multiplications, unit counts, features by layer name.

All of it by forward hooks on one pass in evaluation mode; the hooks are gone afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.core.checks import nearest, refuse
from holdfast.core.target import answer
from holdfast.nets.computed import SIMULATED, computed_weights
from holdfast.nets.functional import evaluating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Hook = Callable[..., Any]

__all__ = ["LayerRecord", "features", "layer_records", "recording", "unit_counts"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
COMPUTING = "parametrizations"  # torch's name for the modules that compute the weights of a layer
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

WHOLE = (nn.MultiheadAttention, nn.Linear, *CONVOLUTIONS, *TRANSPOSED)  # one layer each, whatever modules they hold


@dataclass(frozen=True, kw_only=True)
class LayerRecord:
    """One call of one layer, per example.

    A layer with weights is a matrix that is applied to a number of vectors: a linear layer to one, a convolution to one patch
    per output pixel.

    Parameters
    ----------
    name : module name; a module that is called twice has two records
    kind : its class
    input_shape, output_shape : without the batch axis
    parameters : number of its own parameters
    rows, columns : of the weight matrix (inputs and outputs); 0 for a layer without one
    vectors : how many vectors pass through it per example
    """

    name: str
    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    rows: int = 0
    columns: int = 0
    vectors: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations per example: rows x columns x vectors, biases not counted."""
        return self.rows * self.columns * self.vectors


def layer_records(model: nn.Module, x: torch.Tensor) -> tuple[LayerRecord, ...]:
    """The layers of `model` in the order in which they are called on the batch `x` (N, ...).

    Leaf modules, ``nn.MultiheadAttention`` as one layer with its four projections (self-attention), and linear and convolutional
    layers that have modules of their own (such as quantizers of their weights) as one layer each. Modules that no tensor flows
    through have no record.

    Examples
    --------
    >>> from holdfast.nets import mlp
    >>> [(r.name, r.macs) for r in layer_records(mlp(4, hidden=(3,), classes=2), torch.rand(1, 4))]
    [('flatten', 0), ('fc1', 12), ('act1', 0), ('head', 6)]
    """
    records: list[LayerRecord] = []

    def hook_for(name: str) -> Hook:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            first, last = first_tensor((*args, *kwargs.values())), first_tensor(output)
            if first is None or last is None or first.ndim == 0 or last.ndim == 0:
                return
            rows, columns, vectors = _matrix(module, first, last)
            records.append(
                LayerRecord(
                    name=name,
                    kind=type(module).__name__,
                    input_shape=tuple(first.shape[1:]),
                    output_shape=tuple(last.shape[1:]),
                    parameters=sum(p.numel() for p in module.parameters()),
                    rows=rows,
                    columns=columns,
                    vectors=vectors,
                )
            )

        return hook

    whole = {name for name, module in model.named_modules() if isinstance(module, WHOLE)}
    inner = whole | {f"{name}.{COMPUTING}".lstrip(".") for name in computed_weights(model)}
    with _hooked(
        (
            (module, hook_for(name))
            for name, module in model.named_modules()
            if name in whole or (_is_leaf(module) and not any(name.startswith(f"{above}.".lstrip(".")) for above in inner))
        ),
        named_arguments=True,
    ):
        _dry_run(model, x)
    return tuple(records)


def first_tensor(value: Any) -> torch.Tensor | None:
    """The first tensor in what a module takes or gives: a tensor, or a container of some."""
    if isinstance(value, torch.Tensor):
        return value
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ()
    return next((found for found in map(first_tensor, inside) if found is not None), None)


def _is_leaf(module: nn.Module) -> bool:
    """True for a module without modules, other than those that compute its weights."""
    return all(name in {COMPUTING, SIMULATED} for name, _ in module.named_children())


def _matrix(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[int, int, int]:
    """Rows, columns and vectors per example of a layer with weights."""
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features, y[0].numel() // module.out_features
    if isinstance(module, CONVOLUTIONS):
        patch = module.in_channels // module.groups * math.prod(module.kernel_size)
        return patch, module.out_channels, math.prod(y.shape[2:])
    if isinstance(module, TRANSPOSED):
        return module.in_channels, module.out_channels // module.groups * math.prod(module.kernel_size), math.prod(x.shape[2:])
    if isinstance(module, nn.MultiheadAttention):
        return module.embed_dim, 4 * module.embed_dim, x[0].numel() // module.embed_dim
    return 0, 0, 0


def unit_counts(model: nn.Module, x: torch.Tensor, kinds: type[nn.Module] | tuple[type[nn.Module], ...]) -> dict[str, int]:
    """Number of units (features, or channels of images) at each module of the given kinds, by module name.

    Parameters
    ----------
    model : network
    x : one batch (N, ...); a single row is enough
    kinds : module classes, e.g. ``(nn.ReLU, nn.Sigmoid)``

    Returns
    -------
    mapping from name to dimension 1 of an output (N, C, H, W) or (N, C, D, H, W), otherwise to the last dimension

    Raises
    ------
    InputError : a module is used at two widths; give each place its own module
    """
    counts: dict[str, int] = {}

    def hook_for(name: str) -> Hook:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            del module, args
            units = output.shape[1] if output.ndim >= 4 else output.shape[-1]
            if counts.setdefault(name, units) != units:
                refuse(
                    "model",
                    f"uses its module {name!r} with {counts[name]} and with {units} units",
                    allowed="one width per module",
                    remedy="Give each place its own module.",
                )

        return hook

    with _hooked((module, hook_for(name)) for name, module in model.named_modules() if isinstance(module, kinds)):
        _dry_run(model, x)
    return counts


@contextmanager
def recording(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
    """Inside the block every forward pass of `model` leaves the outputs of `layers` in the mapping that the block is given.

    Gradients flow through what is recorded, so a loss may be built on it. The network goes on with a copy: an activation
    behind the layer that computes in place does not change what was recorded.

    Parameters
    ----------
    model : network
    layers : module names

    Raises
    ------
    InputError : an unknown name; the message lists the names
    """
    known = dict(model.named_modules())
    found: dict[str, torch.Tensor] = {}
    for name in layers:
        if name not in known or not name:
            close = nearest(name, known)
            refuse(
                "layers",
                f"names {name!r}",
                allowed=", ".join(repr(entry) for entry in known if entry),
                remedy=f"Did you mean {close!r}?" if close else "",
            )

    def hook_for(name: str) -> Hook:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> torch.Tensor | None:
            del module, args
            found[name] = output
            return output.clone() if isinstance(output, torch.Tensor) else None

        return hook

    with _hooked((known[name], hook_for(name)) for name in layers):
        yield found


def features(model: nn.Module, x: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
    """Outputs of the named layers for the batch `x`, in evaluation mode; differentiable where grad mode is on.

    Examples
    --------
    >>> from holdfast.nets import tiny_cnn
    >>> features(tiny_cnn(), torch.rand(2, 1, 28, 28), ["act2"])["act2"].shape
    torch.Size([2, 16, 7, 7])
    """
    with evaluating(model), recording(model, layers) as found:
        answer(model, x)
    return {name: found[name] for name in layers}


@contextmanager
def _hooked(hooks: Iterator[tuple[nn.Module, Hook]] | Any, *, named_arguments: bool = False) -> Iterator[None]:
    handles = [module.register_forward_hook(hook, with_kwargs=named_arguments) for module, hook in hooks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _dry_run(model: nn.Module, x: torch.Tensor) -> None:
    with torch.no_grad(), evaluating(model):
        answer(model, x)
