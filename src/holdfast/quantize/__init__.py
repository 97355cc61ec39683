"""Networks with fewer bits. The uniform quantizer of weights and activations; `bits` always includes the sign."""

from __future__ import annotations

from holdfast.quantize.activations import quantize_activations
from holdfast.quantize.operations import out_of_reach
from holdfast.quantize.quantizer import ActivationQuantizer
from holdfast.quantize.uniform import UniformQuantizer, quantize_tensor, quantize_weights

__all__ = ["ActivationQuantizer", "UniformQuantizer", "out_of_reach", "quantize_activations", "quantize_tensor", "quantize_weights"]
