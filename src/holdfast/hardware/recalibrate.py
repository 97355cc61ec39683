r"""Re-calibration of a network on its own chip: a gain and a bias before and after each neuron are fitted again, or all weights.

.. math:: y_j = b_j\, f_j(a_j u_j + c_j) + d_j

with `f_j` the device of unit `j`. Four numbers per neuron instead of all weights: what a trimming circuit could hold. The recipe
(200 Adam steps of 128 images at rate 2e-2) is ours. Where each chip can have weights of its own, as many steps fine-tune those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from holdfast.core.checks import check_one_of, check_whole
from holdfast.core.seeds import Seeds
from holdfast.hardware.equip import device_layers, with_modules
from holdfast.nets import copied, fit

if TYPE_CHECKING:
    from holdfast.data.examples import Examples
    from holdfast.hardware.activations import DeviceActivation, Shape

__all__ = ["Calibrated", "recalibrate"]

TRIMS = {"bias": ("bias_in", "bias_out"), "bias+gain": ("gain_in", "bias_in", "gain_out", "bias_out"), "all": ()}
RATES = {"bias": 2e-2, "bias+gain": 2e-2, "all": 2e-3}  # of Adam


class Calibrated(nn.Module):
    """A layer of devices with an affine map before and after each neuron, at first the identity.

    Parameters
    ----------
    layer : the devices; their own numbers stay as they are
    """

    def __init__(self, layer: DeviceActivation) -> None:
        super().__init__()
        self.layer = layer
        self.training = layer.training
        like = next(tensor for tensor in (*layer.parameters(), *layer.buffers()) if tensor.is_floating_point())
        for name, start in (("gain_in", 1.0), ("bias_in", 0.0), ("gain_out", 1.0), ("bias_out", 0.0)):
            setattr(self, name, nn.Parameter(like.new_full((layer.out_features,), start)))

    def forward(self, u: torch.Tensor, *shape: Shape) -> torch.Tensor:
        """Calibrated outputs at the pre-activations `u`; `shape` as the layer takes it."""
        gain_in, bias_in, gain_out, bias_out = (
            self.layer.along_units(getattr(self, name), u.ndim) for name in ("gain_in", "bias_in", "gain_out", "bias_out")
        )
        return torch.addcmul(bias_out, self.layer(torch.addcmul(bias_in, u, gain_in), *shape), gain_out).to(u.dtype)


def recalibrate(
    model: nn.Module,
    examples: Examples,
    *,
    what: Literal["bias", "bias+gain", "all"] = "bias+gain",
    steps: int = 200,
    batch_size: int = 128,
    lr: float | None = None,
    seed: int = 0,
) -> nn.Module:
    """A copy of `model` whose neurons were trimmed on labelled examples; weights and devices are those of `model`.

    The network stays in evaluation mode, so normalisation statistics do not move either.

    Parameters
    ----------
    model : network with layers of devices, on the chip that it is to run on
    examples : labelled data; `steps` times `batch_size` rows are drawn, each row once before any comes again
    what : ``"bias"`` trims the two biases, ``"bias+gain"`` also the two gains; ``"all"`` adds no trims but fine-tunes whatever the
        network would train, its weights for one, through the devices
    steps, batch_size : of Adam
    lr : its rate; default: 2e-2 for trims and 2e-3 for all weights
    seed : of the draw

    Examples
    --------
    >>> from holdfast.data import Examples
    >>> from holdfast.hardware import hardware_activations
    >>> net = hardware_activations(nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 2)), "sigmoid", spread=0.1)
    >>> trimmed = recalibrate(net, Examples(torch.rand(50, 4), torch.arange(50) % 2), steps=2)
    >>> bool((trimmed[0].weight == net[0].weight).all())
    True
    """
    trims = TRIMS[check_one_of(what, "what", allowed=TRIMS)]
    check_whole(steps, "steps", low=1)
    check_whole(batch_size, "batch_size", low=1)
    device_layers(model, required=True)
    twin = copied(model) if what == "all" else _with_trims(copied(model))
    flags = [(parameter, parameter.requires_grad) for parameter in twin.parameters()]
    modes = [(module, module.training) for module in twin.modules()]
    fabricated = {id(parameter) for layer in device_layers(twin).values() for parameter in layer.parameters()}
    for parameter, flag in flags:
        parameter.requires_grad_(flag and what == "all" and id(parameter) not in fabricated)
    for module in twin.modules():
        if isinstance(module, Calibrated):
            for name in trims:
                getattr(module, name).requires_grad_(True)
    rows = _rows(len(examples), steps * batch_size, Seeds(seed).torch("calibration"))
    rate = RATES[what] if lr is None else lr
    fit(
        twin, examples[rows], epochs=1, lr=rate, batch_size=batch_size, schedule="constant", on_batch=_in_evaluation_mode, seed=seed
    )
    for parameter, flag in flags:
        parameter.requires_grad_(flag)
    for module, training in modes:
        module.training = training
    return twin


def _rows(available: int, wanted: int, generator: torch.Generator) -> torch.Tensor:
    """Indices of `wanted` rows, permutation after permutation."""
    rounds = -(-wanted // available)
    return torch.cat([torch.randperm(available, generator=generator) for _ in range(rounds)])[:wanted]


def _in_evaluation_mode(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    del generator
    model.eval()
    return x, y


def _with_trims(model: nn.Module) -> nn.Module:
    """`model` (a copy of our own) with trims at every layer of devices that has none yet."""
    done = {id(module.layer) for module in model.modules() if isinstance(module, Calibrated)}
    layers = device_layers(model, required=True)
    for name, layer in layers.items():
        layer.stream = name if layer.stream is None else layer.stream  # its place is about to change, its chips are not
    return with_modules(model, {id(layer): Calibrated(layer) for layer in layers.values() if id(layer) not in done})
