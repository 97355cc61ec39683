r"""How random weights enter a forward pass: three estimators of the same mean, with more or less noise in their gradients.

=================  ==========================================================================================================
reparameterised    one draw :math:`w = m + \sigma\xi` for the whole batch; any network
local              each activation of a linear layer or convolution is drawn from its own normal distribution
flipout            one draw for the batch whose sign each example flips at random, per input and output unit
=================  ==========================================================================================================

Sources: D. P. Kingma, T. Salimans and M. Welling, arXiv:1506.02557 (local); Y. Wen et al., arXiv:1803.04386 (flipout). Local draws
of a convolution are independent from place to place, as in common use: each has the right distribution, their correlation is lost.
Layers other than linear ones and convolutions take one draw for the batch in all three, and so do weights that a network uses
without calling their layer (that of the output of ``nn.MultiheadAttention``, for one), at the price of a second pass.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn
from torch.func import functional_call

from holdfast.core.checks import check_one_of, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Noise = Callable[[nn.Module, torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]

__all__ = ["ESTIMATORS", "Estimator", "check_estimator", "noisy_forward"]

Estimator = Literal["reparameterised", "local", "flipout"]
ESTIMATORS: tuple[Estimator, ...] = ("reparameterised", "local", "flipout")
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def check_estimator(model: nn.Module, estimator: Estimator) -> Estimator:
    """`estimator`, if it fits `model`: all but the first draw noise layer by layer, so that no layers may share weights."""
    check_one_of(estimator, "estimator", allowed=ESTIMATORS)
    shared = len(list(model.named_parameters(remove_duplicate=False))) - len(list(model.named_parameters()))
    if shared and estimator != "reparameterised":
        refuse("estimator", f"is {estimator!r} and the model ties {shared} weights", allowed='"reparameterised" for tied weights')
    return estimator


def noisy_forward(
    model: nn.Module, mean: Mapping[str, torch.Tensor], std: Mapping[str, torch.Tensor], x: torch.Tensor, *, estimator: Estimator
) -> torch.Tensor:
    """Outputs (N, K) of `model` on the batch `x` with normal weights; noise from torch's global generator.

    Parameters
    ----------
    model : network; weights that `mean` does not name are as they are
    mean, std : of independent normal weights by parameter name
    estimator : one of the three of this module

    Examples
    --------
    >>> net, x = nn.Linear(4, 2), torch.rand(3, 4)
    >>> mean = {name: values.detach() for name, values in net.named_parameters()}
    >>> none = {name: torch.zeros_like(values) for name, values in mean.items()}
    >>> [bool((noisy_forward(net, mean, none, x, estimator=how) - net(x)).abs().max() < 1e-6) for how in ESTIMATORS]
    [True, True, True]
    """
    layers = {} if estimator == "reparameterised" else _random_layers(model, mean)
    add = _local if estimator == "local" else _flipped
    while True:
        apart = {name for names in layers.values() for name in names if name}
        weights = {name: m if name in apart else m + std[name] * torch.randn_like(m) for name, m in mean.items()}
        hooks = {layer: _Noisy(add, std[weight], std[bias] if bias else None) for layer, (weight, bias) in layers.items()}
        with ExitStack() as stack:
            for layer, hook in hooks.items():
                stack.callback(layer.register_forward_hook(hook).remove)
            outputs = functional_call(model, weights, (x.clone(),))
        if all(hook.used for hook in hooks.values()):
            return outputs
        # a weight whose layer was not called may have been used by another way, without noise: once more, with one draw for it
        layers = {layer: names for layer, names in layers.items() if hooks[layer].used}


def _random_layers(model: nn.Module, mean: Mapping[str, torch.Tensor]) -> dict[nn.Module, tuple[str, str]]:
    """Linear layers and convolutions with the names of their random weight and bias ("" for none)."""
    found: dict[nn.Module, tuple[str, str]] = {}
    for path, module in model.named_modules():
        weight, bias = (f"{path}.{kind}" if path else kind for kind in ("weight", "bias"))
        if isinstance(module, LAYERS) and weight in mean:
            found[module] = (weight, bias if bias in mean else "")
    return found


class _Noisy:
    """A forward hook that adds the noise of one layer to its mean output."""

    def __init__(self, add: Noise, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self.add, self.weight, self.bias, self.used = add, weight, bias, False

    def __call__(self, layer: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        if self.used:
            refuse(
                "model",
                f"runs its {type(layer).__name__} layer twice in one pass",
                allowed='layers that run once, or estimator="reparameterised"',
                remedy="Both runs need the same weights, and noise is drawn per run here.",
            )
        self.used = True
        return output + self.add(layer, args[0], self.weight, self.bias)


def _apply(layer: nn.Module, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """The layer's operation with other weights."""
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(x, weight, bias)
    return layer._conv_forward(x, weight, bias)  # type: ignore[operator]  # noqa: SLF001 - it applies the padding


def _local(layer: nn.Module, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    r"""Normal noise of variance :math:`\sum_j x_j^2 \sigma_{kj}^2 + \sigma_{b,k}^2`."""
    variance = _apply(layer, x.square(), weight.square(), None if bias is None else bias.square())
    std = variance.clamp_min(torch.finfo(variance.dtype).tiny).sqrt()  # the slope of the root is infinite at zero
    return std * torch.randn_like(std)


def _flipped(layer: nn.Module, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    r""":math:`((x \circ s)\,\Delta W^T + \Delta b) \circ r` with random signs s and r of each example."""
    shift = None if bias is None else bias * torch.randn_like(bias)
    noise = _apply(layer, x * _signs(layer, x), weight * torch.randn_like(weight), shift)
    return noise * _signs(layer, noise)


def _signs(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A random sign for each example and unit (or channel), of a shape that broadcasts with `x`."""
    if isinstance(layer, nn.Linear):
        shape = (len(x), *(1,) * (x.ndim - 2), x.shape[-1])
    else:
        shape = (len(x), x.shape[1], *(1,) * (x.ndim - 2))
    return torch.randint(0, 2, shape, device=x.device).to(x.dtype).mul_(2).sub_(1)
