"""What a pickle of tensors says about the numbers beside it, read without building anything.

Torch's reader of TorchScript believes the size that a pickle states, and would read memory behind a record that is shorter. So the
pickle is read first by an unpickler whose every class is inert, and each stated size is compared with its record.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Self

__all__ = ["stated_storages"]

ELEMENTS = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1, "ComplexFloatStorage": 8, "ComplexDoubleStorage": 16,
    "QInt8Storage": 1, "QUInt8Storage": 1, "QInt32Storage": 4, "UntypedStorage": 1,
}  # fmt: skip
"""Bytes of one element, by the name of the storage."""


class _Inert:
    """Stands for any object that a pickle describes: takes everything, does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Ignore the arguments."""

    def __setstate__(self, state: Any) -> None:
        """Ignore the state."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignore the entry."""

    def append(self, value: Any) -> None:
        """Ignore the entry."""


class _Reader(pickle._Unpickler):  # noqa: SLF001 (the one in C reserves memory for any index that a pickle names)
    """Collects what the persistent ids state; builds nothing but containers, numbers and texts."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self.stated: list[tuple[str, int]] = []

    def find_class(self, module: str, name: str) -> Any:
        """An inert class of this name, wherever it is said to be."""
        del module
        return type(name, (_Inert,), {})

    def persistent_load(self, pid: Any) -> Any:
        """Note the key and the size in bytes of a storage."""
        if not isinstance(pid, tuple) or len(pid) != 5 or not isinstance(pid[2], str) or type(pid[4]) is not int or pid[4] < 0:
            raise pickle.UnpicklingError("a storage in an unknown form")
        element = ELEMENTS.get(getattr(pid[1], "__name__", ""))
        if element is None:
            raise pickle.UnpicklingError(f"a storage of unknown elements, {getattr(pid[1], '__name__', pid[1])!r}")
        self.stated.append((pid[2], pid[4] * element))
        return _Inert()


def stated_storages(content: bytes) -> list[tuple[str, int]]:
    """Pairs of key and size in bytes of the storages that the pickle `content` names.

    Raises
    ------
    ValueError : it cannot be read, or names a storage in an unknown form
    """
    reader = _Reader(content)
    try:
        reader.load()
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return reader.stated
