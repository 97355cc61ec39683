"""The misfit of many perceptrons at once, differentiated by hand: what automatic differentiation gives, in half the time.

Small layers are bound by memory and by calls, not by arithmetic. Here each activation is computed in place, and each gradient is
written where it belongs in the flat vector of weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.modules.module import _has_any_global_hook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Perceptron", "read_perceptron"]

aten = torch.ops.aten


@dataclass(frozen=True)
class Activation:
    """A function of one number whose derivative follows from its result.

    Parameters
    ----------
    apply : overwrites a tensor
    pull_back : from the gradient in the result, and the result, to the gradient in the argument
    """

    apply: Callable[[torch.Tensor], torch.Tensor]
    pull_back: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _activation(module: nn.Module) -> Activation | None:
    if type(module) is nn.ReLU:
        return Activation(torch.relu_, lambda gradient, result: aten.threshold_backward(gradient, result, 0))
    if type(module) is nn.Tanh:
        return Activation(torch.tanh_, aten.tanh_backward)
    if type(module) is nn.Sigmoid:
        return Activation(torch.sigmoid_, aten.sigmoid_backward)
    if type(module) is nn.LeakyReLU and (slope := module.negative_slope) >= 0:  # below, the result has two arguments
        return Activation(
            lambda values: nn.functional.leaky_relu_(values, slope),
            lambda gradient, result: aten.leaky_relu_backward(gradient, result, slope, True),
        )
    return None


@dataclass(frozen=True)
class Perceptron:
    """Linear layers with an activation between two of them; made by :func:`read_perceptron`.

    Parameters
    ----------
    weights, biases : names of the parameters of each layer; a layer without bias has None
    activations : one fewer
    """

    weights: tuple[str, ...]
    biases: tuple[str | None, ...]
    activations: tuple[Activation, ...]

    def logits(self, params: Mapping[str, torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
        """The inputs of each layer and, last, the logits (C, N, K), for the weights `params`, each (C, *shape), and `x` (N, D)."""
        found = [x.expand(len(params[self.weights[0]]), *x.shape)]
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            across = params[weight].transpose(1, 2)
            values = torch.bmm(found[-1], across) if bias is None else torch.baddbmm(params[bias].unsqueeze(1), found[-1], across)
            found.append(self.activations[place].apply(values) if place < len(self.activations) else values)
        return found

    def pull_back(
        self,
        slope: torch.Tensor,
        params: Mapping[str, torch.Tensor],
        values: Sequence[torch.Tensor],
        *,
        into: Mapping[str, torch.Tensor],
    ) -> None:
        """Write the gradients in the weights `into` tensors like `params`, for the gradient `slope` (C, N, K) in the logits.

        `values` are those that :meth:`logits` gave.
        """
        for place in reversed(range(len(self.weights))):
            weight, bias = self.weights[place], self.biases[place]
            torch.bmm(slope.transpose(1, 2), values[place], out=into[weight])
            if bias is not None:
                torch.sum(slope, 1, out=into[bias])
            if place:
                slope = self.activations[place - 1].pull_back(torch.bmm(slope, params[weight]), values[place])


def read_perceptron(model: nn.Module, x: torch.Tensor) -> Perceptron | None:
    """The perceptron that `model` is on inputs `x` (N, ...); None where it is anything else.

    It is one if it is an ``nn.Sequential`` of linear layers that all take gradients, with one of ReLU, leaky ReLU, tanh and sigmoid
    between two of them, and without hooks. Flattening at the start, identities and dropout (in evaluation mode) may stand anywhere.

    Examples
    --------
    >>> from holdfast.nets import lenet, mlp
    >>> read_perceptron(mlp(4, hidden=(3, 3)), torch.rand(2, 4)).weights
    ('fc1.weight', 'fc2.weight', 'head.weight')
    >>> read_perceptron(lenet(), torch.rand(2, 1, 28, 28)) is None
    True
    """
    if type(model) is not nn.Sequential or _hooked(model):
        return None
    weights: list[str] = []
    biases: list[str | None] = []
    activations: list[Activation] = []
    flat = x.ndim == 2
    for name, module in model._modules.items():  # noqa: SLF001 - `named_children` leaves out what stands there twice
        assert module is not None, "a sequence has no gaps"
        if _hooked(module):
            return None
        if type(module) in {nn.Identity, nn.Dropout}:
            continue
        if type(module) is nn.Flatten and not weights and (module.start_dim, module.end_dim) == (1, -1):
            flat = True
        elif type(module) is nn.Linear and flat and len(activations) == len(weights):
            weights.append(f"{name}.weight")
            biases.append(None if module.bias is None else f"{name}.bias")
        elif (activation := _activation(module)) is not None and len(activations) == len(weights) - 1:
            activations.append(activation)
        else:
            return None
    # a layer that stands there twice has one name among the parameters, and two in `weights`
    random = {name for name, values in model.named_parameters() if values.requires_grad}
    if len(weights) != len(activations) + 1 or {name for name in (*weights, *biases) if name is not None} != random:
        return None
    return Perceptron(tuple(weights), tuple(biases), tuple(activations))


def _hooked(module: nn.Module) -> bool:
    """Whether anything but the module's class decides what it computes."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return _has_any_global_hook() or "forward" in vars(module) or any(getattr(module, name) for name in hooks)
