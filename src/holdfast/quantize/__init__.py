"""Networks with fewer bits. The uniform quantizer of weights and activations; `bits` always includes the sign."""

from __future__ import annotations

from holdfast.quantize.uniform import ActivationQuantizer, UniformQuantizer, quantize_activations, quantize_tensor, quantize_weights

__all__ = ["ActivationQuantizer", "UniformQuantizer", "quantize_activations", "quantize_tensor", "quantize_weights"]
