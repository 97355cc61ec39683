"""The widths to which a network rounds its own weights and activations, if it quantizes itself.

Known are Brevitas, torchao, and the modules of torch.ao: simulated, dynamic and static quantization. They are recognised by the
names of their parts, so none of them needs to be installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from holdfast.nets.computed import HELD_BITS, SIMULATED, steps_to_bits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

__all__ = ["OwnWidths", "own_widths", "whole_numbers"]

NAMED = 4  # layers of one width that a sentence names
TENSOR_WIDTH = re.compile(r"u?int(\d+)|(\d+)bit", re.IGNORECASE)  # in the names of classes of quantized tensors
ACTIVATION_PROXIES = ("act_quant", "input_quant", "output_quant")  # Brevitas' names


@dataclass(frozen=True, kw_only=True)
class OwnWidths:
    """Widths in bits, by the name of the module.

    Parameters
    ----------
    weights : of the weights of layers
    activations : of what flows into or out of modules
    in_each_pass : layers among `weights` that round them in each pass, and will round changed ones again
    """

    weights: Mapping[str, int]
    activations: Mapping[str, int]
    in_each_pass: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for weights and one for activations, as far as there are any."""
        return tuple(
            f"{what} are quantized by the network itself: {words}"
            for what, words in (("weights", self.of_weights), ("activations", self.of_activations))
            if words
        )

    @property
    def of_weights(self) -> str:
        """In words, e.g. ``"8 bits in head; 4 bits in conv1, conv2"``; empty if there are none."""
        return _listed(self.weights)

    @property
    def of_activations(self) -> str:
        """The same for activations."""
        return _listed(self.activations)


def _listed(widths: Mapping[str, int]) -> str:
    groups: dict[int, list[str]] = {}
    for name, bits in widths.items():
        groups.setdefault(bits, []).append(name or "the network")
    return "; ".join(
        f"{bits} {'bit' if bits == 1 else 'bits'} in {', '.join(names[:NAMED])}"
        + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        for bits, names in groups.items()
    )


def own_widths(model: nn.Module) -> OwnWidths:
    """The widths to which `model` rounds its own weights and activations; empty for a network that does not quantize itself.

    Examples
    --------
    >>> from torch import nn
    >>> own_widths(nn.Linear(2, 2)).notes
    ()
    """
    weights: dict[str, int] = {}
    activations: dict[str, int] = {}
    for name, module in model.named_modules():
        if (bits := _weight_bits(module)) is not None:
            weights[name] = bits
        if not name.endswith(SIMULATED) and (bits := _activation_bits(module)) is not None:
            activations[name.removesuffix(".activation_post_process")] = bits
    again = tuple(name for name in weights if _proxy_bits(getattr(model.get_submodule(name), "weight_quant", None)) is not None)
    return OwnWidths(weights=weights, activations=activations, in_each_pass=again)


def _weight_bits(module: nn.Module) -> int | None:
    if hasattr(module, HELD_BITS):
        return int(getattr(module, HELD_BITS))
    if (bits := _proxy_bits(getattr(module, "weight_quant", None))) is not None:
        return bits
    if hasattr(module, SIMULATED):
        return steps_to_bits(getattr(module, SIMULATED))
    if _is_quantized_kind(module) and (callable(getattr(module, "weight", None)) or hasattr(module, "_all_weight_values")):
        return 16 if getattr(module, "dtype", torch.qint8) == torch.float16 else 8
    parameters: list[Any] = [*module.parameters(recurse=False)]
    names = [type(parameter).__name__ for parameter in parameters if is_traceable_wrapper_subclass(parameter)]
    found = next(filter(None, map(TENSOR_WIDTH.search, names)), None)
    return int(found[1] or found[2]) if found else None


def _activation_bits(module: nn.Module) -> int | None:
    for name in ACTIVATION_PROXIES:
        if (bits := _proxy_bits(getattr(module, name, None))) is not None:
            return bits
    if _simulates(module):
        return steps_to_bits(module)
    if _is_quantized_kind(module) and callable(getattr(module, "weight", None)):
        return None if getattr(module, "dtype", torch.qint8) == torch.float16 else 8
    if any(_rounds_inputs(parameter) for parameter in module.parameters(recurse=False)):
        return 8
    own = getattr(module, "input_quantizer", None)
    return getattr(own, "bits", None)


def _proxy_bits(proxy: Any) -> int | None:
    """Width of a quantizer of Brevitas; None for anything else, and for one that is switched off."""
    if not getattr(proxy, "is_quant_enabled", False) or not callable(getattr(proxy, "bit_width", None)):
        return None
    bits = proxy.bit_width()
    return None if bits is None else round(float(bits))


def _simulates(module: Any) -> bool:
    """True for a module of torch.ao that rounds what flows through it, other than weights."""
    return type(module).__module__.startswith("torch.ao.quantization") and hasattr(module, "fake_quant_enabled")


def _is_quantized_kind(module: nn.Module) -> bool:
    return type(module).__module__.startswith(("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized"))


def whole_numbers(model: nn.Module) -> tuple[str, ...]:
    """Names of the modules of `model` that hand on whole numbers with a scale, a kind of tensor that other modules cannot take."""
    static = (
        name
        for name, module in model.named_modules()
        if _is_quantized_kind(module) and ".dynamic." not in type(module).__module__ and hasattr(module, "scale")
    )
    return tuple(static)


def _rounds_inputs(parameter: torch.Tensor) -> bool:
    """True for a quantized tensor of torchao whose layer also rounds what flows into it."""
    return getattr(parameter, "act_quant_kwargs", None) is not None
