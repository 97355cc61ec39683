"""Digests by content: of JSON-able settings, of arrays, of networks."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["canonical_json", "digest", "digest_arrays", "jsonable"]


def jsonable(value: Any) -> Any:
    """`value` as plain JSON types: dataclasses become mappings, tuples lists, NumPy scalars numbers, non-finite floats None."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {entry.name: jsonable(getattr(value, entry.name)) for entry in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def canonical_json(value: Any) -> str:
    """The one JSON text of `value`: sorted keys, no spaces, shortest round-trip floats.

    Examples
    --------
    >>> canonical_json({"b": (1, 2.0), "a": None})
    '{"a":null,"b":[1,2.0]}'
    """
    return json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(*parts: Any) -> str:
    """SHA-256 (hexadecimal) of the canonical JSON of `parts`."""
    return hashlib.sha256(canonical_json(list(parts)).encode()).hexdigest()


def digest_arrays(arrays: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) of named arrays or tensors: names, dtypes, shapes and bytes, in the order of the names.

    What has `parts` (see :class:`holdfast.data.pixels.Pixels`) has the digest of the array that its parts make together.
    """
    running = hashlib.sha256()
    for name in sorted(arrays):
        item = arrays[name]
        if hasattr(item, "parts"):
            running.update(f"{name}|{item.dtype.str}|{tuple(item.shape)}|".encode())
            for part in item.parts():
                running.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
            continue
        if hasattr(item, "detach"):
            item = item.detach().cpu().contiguous()
            if str(item.dtype) == "torch.bfloat16":
                item = item.float()
            item = item.numpy()
        array = np.ascontiguousarray(item)
        running.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        running.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return running.hexdigest()
