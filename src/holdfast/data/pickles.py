r"""Pickles that hold arrays, read without running them.

A pickle is a program. This reader gives it inert stand-ins: of the names that a pickle may ask for, the exact list below is
allowed, none of them is the real NumPy or SciPy object, and everything else is refused. A stand-in only records the file's content;
arrays are then rebuilt from the recorded bytes after their element type, shape and length have been checked. (Handing out the real
``numpy.dtype`` would not do: a forged state makes NumPy take raw bytes for object pointers.) Read are NumPy arrays and scalars of
numbers, booleans and text, SciPy CSR matrices, and Python's own containers, as Python 2 or 3 wrote them.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import re
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from holdfast.core.checks import refuse
from holdfast.core.errors import UnsafePickleError
from holdfast.data.room import check_regular

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

__all__ = ["ALLOWED_GLOBALS", "load_arrays", "loads_arrays"]

UNFINISHED = object()
ELEMENT = re.compile(r"[|<>=]?([biufc])(1|2|4|8|16)|[|<>=]?([SU])(\d+)")


def _malformed(what: str) -> NoReturn:
    raise UnsafePickleError(f"This pickle describes {what}; nothing was built from it. Fetch the file again from its publisher.")


class _StandIn:
    """What a pickle gets instead of the object it names: it records, and refuses to be changed as a class."""

    def __setstate__(self, state: Any) -> None:
        _malformed(f"a state for {type(self).__name__.strip('_').lower()} that no array has")


class _Dtype(_StandIn):
    """``numpy.dtype``: an element type of numbers, booleans or text."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        self.code = code if isinstance(code, str) else ""
        self.order: Literal["<", ">", "="] = "="

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in {"<", ">", "|", "="} or any(state[2:5]):
            _malformed("a structured or forged element type")
        self.order = "=" if state[1] == "|" else state[1]

    def build(self) -> np.dtype:
        """The real element type, if it is one of numbers, booleans or text."""
        if not ELEMENT.fullmatch(self.code):
            _malformed(f"an array of elements {self.code!r}")
        return np.dtype(self.code).newbyteorder(self.order)


class _Array(_StandIn):
    """``numpy.ndarray`` on its way: empty until its state arrives."""

    built: np.ndarray | None = None

    def __init__(self, *_: Any) -> None:
        """Ignore the type and the empty shape that the pickle gives first."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            _malformed("an array without shape, element type and bytes")
        _, shape, dtype, fortran, raw = state
        self.built = _build(raw, dtype, shape, order="F" if fortran else "C")


class _Buffer(_Array):
    """``numpy._frombuffer``: how protocol 5 writes a contiguous array."""

    def __init__(self, raw: Any, dtype: Any, shape: Any, order: Any) -> None:
        self.built = _build(raw, dtype, shape, order=order)


class _Scalar(_Array):
    """``numpy.core.multiarray.scalar``: one number."""

    def __init__(self, dtype: Any, raw: Any) -> None:
        self.built = _build(raw, dtype, (), order="C")


class _Csr(_StandIn):
    """``scipy.sparse.csr_matrix``: three arrays and a shape."""

    state: Mapping[str, Any] | None = None

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            _malformed("a sparse matrix without its arrays")
        self.state = state

    def build(self) -> Any:
        """The real sparse matrix, its index arrays checked."""
        from scipy.sparse import csr_matrix

        state = self.state or {}
        parts = [state.get(key) for key in ("data", "indices", "indptr")]
        shape = state.get("_shape", state.get("shape"))
        if not all(isinstance(part, _Array) and part.built is not None for part in parts) or not _is_shape(shape):
            _malformed("a sparse matrix without its arrays")
        try:
            matrix = csr_matrix(tuple(part.built for part in parts), shape=shape)  # type: ignore[union-attr]
            matrix.check_format(full_check=True)
        except (ValueError, TypeError, IndexError) as error:
            _malformed(f"an inconsistent sparse matrix ({error})")
        return matrix


class _Bytes(_StandIn):
    """``_codecs.encode``: how Python 3 writes bytes in old protocols."""

    def __new__(cls, text: Any, encoding: Any = "latin1") -> Any:
        if not isinstance(text, str) or encoding not in {"latin1", "latin-1", "iso-8859-1"}:
            _malformed(f"bytes in the encoding {encoding!r}")
        return text.encode("latin1")


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)


def _build(raw: Any, dtype: Any, shape: Any, *, order: Any) -> np.ndarray:
    """A new array from recorded bytes, after their number has been compared with shape and element type."""
    if not isinstance(dtype, _Dtype) or not _is_shape(shape) or order not in {"C", "F"}:
        _malformed("an array with a forged shape or element type")
    if isinstance(raw, str):  # Python 2 wrote bytes as text
        raw = raw.encode("latin1")
    kind = dtype.build()
    if not isinstance(raw, bytes | bytearray) or len(raw) != math.prod(shape) * kind.itemsize:
        _malformed(f"an array of shape {shape} whose bytes do not fill it")
    return np.frombuffer(bytearray(raw), dtype=kind).reshape(shape, order=order)


ALLOWED_GLOBALS: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Buffer for core in ("core", "_core")},
    **{(f"scipy.sparse.{room}", "csr_matrix"): _Csr for room in ("csr", "_csr")},
    ("_codecs", "encode"): _Bytes,
    ("collections", "defaultdict"): collections.defaultdict,
    ("collections", "OrderedDict"): collections.OrderedDict,
    **{(room, kind.__name__): kind for room in ("__builtin__", "builtins") for kind in (list, dict, set, frozenset, tuple)},
}
"""Every (module, name) that a pickle may ask for, and what it gets."""


class _ArrayUnpickler(pickle._Unpickler):  # noqa: SLF001 (the one in C reserves memory for any index that a pickle names)
    """An unpickler of :data:`ALLOWED_GLOBALS` and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for ``module.name``, or a refusal that names it."""
        try:
            return ALLOWED_GLOBALS[module, name]
        except KeyError:
            pass
        raise UnsafePickleError(
            f"This pickle asks for `{module}.{name}`; allowed: NumPy arrays of numbers, CSR matrices and containers. "
            "Nothing of it was executed. If you trust its origin, open it where it was made and save the arrays with numpy.savez."
        )


def _finish(item: Any, done: dict[int, Any], depth: int = 0) -> Any:
    """`item` with every stand-in replaced by what it stands for; what is shared is built once and stays shared."""
    if isinstance(item, _Array):
        if item.built is None:
            _malformed("an array without bytes")
        return item.built[()] if isinstance(item, _Scalar) else item.built
    if not isinstance(item, _StandIn | type | dict | list | tuple | set | frozenset):
        return item
    if done.get(id(item)) is UNFINISHED or depth > 100:
        _malformed("a container that holds itself or is nested too deeply")
    if id(item) not in done:
        done[id(item)] = UNFINISHED
        done[id(item)] = _rebuild(item, done, depth + 1)
    return done[id(item)]


def _rebuild(item: Any, done: dict[int, Any], depth: int) -> Any:
    if isinstance(item, _Csr):
        return item.build()
    if isinstance(item, _StandIn | type):
        _malformed("a bare type where data belong")
    if isinstance(item, dict):
        return {_finish(key, done, depth): _finish(value, done, depth) for key, value in dict.items(item)}
    kind = next(base for base in (list, tuple, set, frozenset) if isinstance(item, base))
    return kind(_finish(entry, done, depth) for entry in item)


def loads_arrays(content: bytes | bytearray, *, name: str = "pickle") -> Any:
    """What a pickle of arrays holds, from its bytes.

    Parameters
    ----------
    content : the bytes of the pickle, any protocol
    name : how messages call it

    Returns
    -------
    arrays, CSR matrices, numbers, text and containers of these (any mapping comes back as a plain ``dict``)

    Raises
    ------
    UnsafePickleError : it asks for a name outside :data:`ALLOWED_GLOBALS`, or describes an impossible array
    InputError : the bytes are not a pickle, or end too early

    Examples
    --------
    >>> import pickle, numpy
    >>> loads_arrays(pickle.dumps({"x": numpy.arange(3)}))
    {'x': array([0, 1, 2])}
    >>> loads_arrays(pickle.dumps(print))
    Traceback (most recent call last):
    holdfast.core.errors.UnsafePickleError: This pickle asks for `builtins.print`; ...
    """
    return _read(io.BytesIO(content), name)


def load_arrays(path: str | PathLike[str]) -> Any:
    """What the pickle file at `path` holds; see :func:`loads_arrays`."""
    check_regular(path, parameter="path")
    with open(path, "rb") as file:  # noqa: PTH123 -- `path` may be any path-like object
        return _read(file, str(path))


def _read(file: IO[bytes], name: str) -> Any:
    try:
        return _finish(_ArrayUnpickler(file, encoding="latin1").load(), {})
    except UnsafePickleError:
        raise
    except Exception as error:  # noqa: BLE001 -- a forged pickle may fail in any way; all of them mean the same
        refuse(name, f"is not a readable pickle ({type(error).__name__}: {error})", allowed="a complete pickle of arrays")
