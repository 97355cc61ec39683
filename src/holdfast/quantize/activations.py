"""Networks with fewer bits in what flows through them: inputs of layers and of operations, each in the range that data reach."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.core.checks import check_whole, refuse
from holdfast.core.target import answer
from holdfast.nets import copied, evaluating, has_weights, predict
from holdfast.quantize.operations import RoundedOperations, Survey
from holdfast.quantize.quantizer import ActivationQuantizer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["quantize_activations"]

ROWS = 256  # per pass over the calibration data
LOOKUPS = (nn.Embedding, nn.EmbeddingBag)  # whose inputs are no activations


def quantize_activations(model: nn.Module, bits: int, x: torch.Tensor, *, percentile: float = 100.0) -> nn.Module:
    """A copy of `model` in which everything that is multiplied by weights or by each other is rounded, but not the data.

    That is what flows into linear, convolutional and recurrent layers, and into functions such as ``F.linear``, ``torch.matmul``,
    ``F.scaled_dot_product_attention`` and those of ``nn.MultiheadAttention``. What the data themselves flow into first keeps its
    input. :func:`holdfast.quantize.out_of_reach` says what stays unrounded: the inside of recurrent layers, and the probabilities
    of attention where one operation makes and uses them.

    Parameters
    ----------
    model : network, unchanged
    bits : width of a code, 1 to 16; with its sign for activations that can be negative
    x : calibration data (N, ...) on any device; each layer's range is what they reach there
    percentile : as in :class:`ActivationQuantizer`

    Returns
    -------
    module; of the class of `model` unless functions multiply activations, then a module around it. A layer that `x` never reached
    refuses what reaches it later

    Raises
    ------
    InputError : nothing behind the first layer could be rounded

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> rough = quantize_activations(net, 4, torch.rand(16, 4))
    >>> rough[2].input_quantizer.signed
    False
    """
    check_whole(bits, "bits", low=1, high=16)
    make = partial(ActivationQuantizer, bits, percentile=percentile)
    twin = copied(model)
    twin = twin.release() if isinstance(twin, RoundedOperations) else twin
    x = x.to(next((tensor.device for tensor in (*twin.parameters(), *twin.buffers())), x.device))
    layers = {name: module for name, module in twin.named_modules() if has_weights(module)}
    survey = _surveyed(twin, layers, x[:2])
    first = survey.met[0] if survey.met else ""
    chosen = {name: layer for name, layer in layers.items() if name != first and _is_rounded(layer, name, survey)}
    behind = [place for place in survey.places if place != first]
    if not any(name in chosen for name in survey.met) and not behind:
        refuse(
            "model", "has no layer behind the first", allowed="networks with at least two linear, convolutional or recurrent layers"
        )
    net: nn.Module = twin
    if survey.places:
        net = RoundedOperations(twin, make, fixed=survey.weights | survey.operands_of(first))
    quantizers = {name: make().to(x.device) for name in chosen}
    _observe(net, chosen, quantizers, x)
    for name, layer in chosen.items():
        if not hasattr(layer, "input_quantizer"):
            layer.register_forward_pre_hook(_round_input, with_kwargs=True)
        layer.input_quantizer = quantizers[name]
    return net


def _surveyed(model: nn.Module, layers: Mapping[str, nn.Module], x: torch.Tensor) -> Survey:
    survey = Survey(model, layers)
    try:
        with torch.no_grad(), evaluating(model):
            answer(survey, x)
    finally:
        survey.release()
    return survey


def _is_rounded(layer: nn.Module, name: str, survey: Survey) -> bool:
    """False for a layer whose inputs are no activations, and for one that is never called because a function reads its weight."""
    if isinstance(layer, LOOKUPS):
        return False
    return name in survey.met or id(getattr(layer, "weight", None)) not in survey.read


def _round_input(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    quantizer: Any = layer.get_submodule("input_quantizer")
    if args:
        return (_changed(args[0], quantizer), *args[1:]), kwargs
    return args, {**kwargs, "input": _changed(kwargs["input"], quantizer)}


def _changed(value: Any, quantizer: Any) -> Any:
    """What flows into a layer, rounded: a tensor, or one in a named tuple, of sequences of several lengths or with a scale."""
    field = _field(value)
    return value._replace(**{field: quantizer(getattr(value, field))}) if field else quantizer(value)


def _field(value: Any) -> str:
    """Where a named tuple has its numbers: in ``data`` of packed sequences, in ``value`` of tensors that know their scale."""
    if isinstance(value, nn.utils.rnn.PackedSequence):
        return "data"
    return "value" if not isinstance(value, torch.Tensor) and hasattr(value, "_replace") else ""


def _plain(value: Any) -> Any:
    field = _field(value)
    return getattr(value, field) if field else value


def _observe(
    net: nn.Module, layers: Mapping[str, nn.Module], quantizers: Mapping[str, ActivationQuantizer], x: torch.Tensor
) -> None:
    """One pass over `x` in which each quantizer measures what flows in."""

    def look(name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        del module
        quantizers[name].observe(_plain(args[0] if args else kwargs["input"]))

    handles = [
        layer.register_forward_pre_hook(partial(look, name), prepend=True, with_kwargs=True) for name, layer in layers.items()
    ]
    try:
        predict(net, x, batch_size=ROWS)
    finally:
        for handle in handles:
            handle.remove()
    if isinstance(net, RoundedOperations):
        net.settle()
    for quantizer in quantizers.values():
        quantizer.forget()
