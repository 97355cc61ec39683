"""Digest of the tensors of a network, whatever form they are kept in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from holdfast.core.digest import digest_arrays

if TYPE_CHECKING:
    from torch import nn

__all__ = ["weights_digest"]


def weights_digest(model: nn.Module) -> str:
    """SHA-256 (hexadecimal) of all parameters and buffers in the state dict, by name, dtype, shape and bytes.

    Packed and quantized weights count with their codes, scales and zero points.
    """
    parts: dict[str, torch.Tensor] = {}
    for name, item in model.state_dict().items():
        parts |= _plain_parts(name, item)
    return digest_arrays(parts)


def _plain_parts(name: str, item: Any) -> dict[str, torch.Tensor]:
    """The plain tensors that an entry of a state dict consists of."""
    if isinstance(item, tuple | list):
        return {key: part for place, entry in enumerate(item) for key, part in _plain_parts(f"{name}.{place}", entry).items()}
    if isinstance(item, torch.ScriptObject):  # packed parameters, which know how they are saved
        return _plain_parts(name, item.__getstate__())
    if not isinstance(item, torch.Tensor):
        return {}
    if inner := _inner_names(item):
        return {key: part for entry in inner for key, part in _plain_parts(f"{name}.{entry}", getattr(item, entry)).items()}
    if not item.is_quantized:
        return {name: item}
    each = item.qscheme() in {torch.per_channel_affine, torch.per_channel_symmetric, torch.per_channel_affine_float_qparams}
    scale, zero = (item.q_per_channel_scales(), item.q_per_channel_zero_points()) if each else (item.q_scale(), item.q_zero_point())
    return {name: item.int_repr(), f"{name}.scale": torch.as_tensor(scale), f"{name}.zero_point": torch.as_tensor(zero)}


def _inner_names(item: Any) -> list[str]:
    """Attributes that hold the tensors of a tensor that is made of others; empty for a plain one."""
    return list(item.__tensor_flatten__()[0]) if is_traceable_wrapper_subclass(item) else []
