"""A pickle gives arrays, or it gives nothing: no name outside the list is looked up, nothing is run."""

import collections
import contextlib
import os
import pickle
import struct

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from holdfast.core.errors import InputError, UnsafePickleError
from holdfast.data.pickles import ALLOWED_GLOBALS, load_arrays, loads_arrays


def text(word):
    return pickle.BINUNICODE + struct.pack("<I", len(word.encode())) + word.encode()


def call(module, name, *arguments):
    """A protocol-4 pickle that calls ``module.name(*arguments)`` with text arguments."""
    pushed = b"".join(map(text, arguments))
    return b"\x80\x04" + text(module) + text(name) + b"\x93(" + pushed + b"tR."


class Runs:
    def __init__(self, function, *arguments):
        self.what = (function, arguments)

    def __reduce__(self):
        return self.what


HOSTILE_NAMES = [
    ("os", "system"),
    ("posix", "system"),
    ("subprocess", "Popen"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "getattr"),
    ("builtins", "__import__"),
    ("__builtin__", "eval"),
    ("importlib", "import_module"),
    ("pickle", "loads"),
    ("copyreg", "_reconstructor"),
    ("copyreg", "add_extension"),
    ("copy_reg", "_reconstructor"),
    ("numpy", "load"),
    ("numpy", "fromfile"),
    ("numpy", "f2py"),
    ("numpy.f2py.crackfortran", "myeval"),
    ("numpy.testing._private.utils", "runstring"),
    ("numpy.core", "multiarray"),
    ("numpy.core.multiarray", "fromfile"),
    ("numpy.core.multiarray", "_reconstruct.__globals__"),
    ("numpy", "core.multiarray._reconstruct"),
    ("numpy", "ndarray.__class__"),
    ("numpy", "dtype.__class__.__subclasses__"),
    ("numpy._core.numeric", "sys.modules"),
    ("collections", "_sys.modules"),
    ("collections", "defaultdict.__class__"),
    ("scipy.sparse._csr", "csr_matrix.__init__.__globals__"),
    ("torch", "load"),
    ("holdfast.data.pickles", "_Array"),
]


@pytest.mark.parametrize(("module", "name"), HOSTILE_NAMES)
@pytest.mark.parametrize("protocol", ["text", "stack"])
def test_a_name_outside_the_list_is_refused_by_name(module, name, protocol):
    content = call(module, name, "x") if protocol == "stack" else f"c{module}\n{name}\n(V1\ntR.".encode()
    with pytest.raises(UnsafePickleError) as refusal:
        loads_arrays(content)
    assert f"`{module}.{name}`" in str(refusal.value)


@pytest.mark.parametrize("where", ["top", "in a list", "as a key", "in an object array", "as array bytes", "as default factory"])
def test_nothing_is_executed_wherever_the_call_hides(tmp_path, where):
    witness = tmp_path / "witness"
    bomb = Runs(os.system, f"touch {witness}")
    array = np.empty(1, dtype=object)
    array[0] = bomb
    hidden = {
        "top": bomb,
        "in a list": [np.arange(3), bomb],
        "as a key": {Runs(os.mkdir, str(witness)): 1},
        "in an object array": array,
        "as array bytes": Runs(np.array([0]).__reduce__()[0], np.ndarray, (0,), bomb),
        "as default factory": Runs(collections.defaultdict, bomb),
    }[where]
    content = pickle.dumps(hidden)
    with pytest.raises(UnsafePickleError):
        loads_arrays(content)
    assert not witness.exists()
    with contextlib.suppress(TypeError):
        pickle.loads(content)
    assert witness.exists(), "the same bytes do run in an ordinary unpickler"


def array_pickle(dtype, shape, raw):
    """A pickle of an array with a state of our choice."""
    array = Runs(None)
    array.what = (*np.array([0]).__reduce__()[:1], (np.ndarray, (0,), b"b"), (1, shape, dtype, False, raw))
    return pickle.dumps(array)


def test_bytes_cannot_pass_for_object_pointers():
    forged = Runs(None)
    forged.what = (np.dtype, ("O8", False, True), (3, "|", None, None, None, -1, -1, 0))  # the flags deny that objects are inside
    with pytest.raises(UnsafePickleError, match="elements 'O8'"):
        loads_arrays(array_pickle(forged, (1,), b"\x41" * 8))


MALFORMED = {
    "structured elements": pickle.dumps(np.zeros(2, dtype=[("a", "i4"), ("b", "f8")])),
    "dates": pickle.dumps(np.zeros(2, dtype="M8[s]")),
    "objects": pickle.dumps(np.array([1, "a", None], dtype=object)),
    "a bare type": pickle.dumps(np.ndarray),
    "a bare element type": pickle.dumps(np.dtype("f4")),
    "an empty array without state": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR.",
    "fewer bytes than the shape": array_pickle(np.dtype("f4"), (1000, 1000), b"1234"),
    "more bytes than the shape": array_pickle(np.dtype("f4"), (1,), b"12345678"),
    "a negative side": array_pickle(np.dtype("f4"), (-1,), b""),
    "a shape without end": array_pickle(np.dtype("f4"), (0, 10**30), b""),
    "an element type that does not exist": array_pickle(Runs(np.dtype, "f1"), (1,), b"1"),
    "bytes in a codec that unpacks": call("_codecs", "encode", "abc", "zlib"),
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_array_of_numbers_is_refused(content):
    with pytest.raises(InputError):
        loads_arrays(content)


def test_a_sparse_matrix_with_indices_outside_its_shape_is_refused():
    matrix = csr_matrix(np.eye(3))
    matrix.indices[0] = 77
    with pytest.raises(UnsafePickleError, match="inconsistent sparse matrix"):
        loads_arrays(pickle.dumps(matrix, protocol=2))


@pytest.mark.parametrize("name", sorted({name for _, name in ALLOWED_GLOBALS}))
def test_a_pickle_cannot_change_the_reader_itself(name):
    module = next(room for room, word in ALLOWED_GLOBALS if word == name)
    kind = ALLOWED_GLOBALS[module, name]
    before = dict(vars(kind))
    for state in (b"}" + text("built") + text("mine") + b"s", b"N}" + text("__setstate__") + text("mine") + b"s\x86"):
        with pytest.raises(InputError):
            loads_arrays(b"\x80\x04" + text(module) + text(name) + b"\x93" + state + b"b.")
    assert dict(vars(kind)) == before


@pytest.mark.parametrize("content", [b"", b"\x80", b"no pickle", b"\x82\x01.", b"Pname\n.", pickle.dumps(np.arange(9))[:-12]])
def test_what_is_no_complete_pickle_is_refused(content):
    with pytest.raises(InputError, match=r"not a readable pickle|asks for"):
        loads_arrays(content)


def test_an_index_reserves_no_memory():
    """The unpickler in C makes room for 2**31 entries first, and ends in a MemoryError or takes gigabytes."""
    assert loads_arrays(b"\x80\x02}r\xff\xff\xff\x7f.") == {}


def test_a_list_that_holds_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(UnsafePickleError, match="holds itself"):
        loads_arrays(pickle.dumps(loop))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["u1", "<i4", ">i4", "i8", "f2", "f4", ">f8", "c16", "?", "S5", "U3"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back_as_numpy_itself_reads_them(protocol, dtype, order):
    array = np.asarray(np.arange(6).reshape(2, 3).astype(dtype), order=order)
    back = loads_arrays(pickle.dumps(array, protocol=protocol))
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.flags.writeable


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_sparse_matrices_scalars_and_containers_come_back(protocol):
    matrix = csr_matrix(random_array((7, 5), density=0.4, rng=np.random.default_rng(0)))
    neighbours = collections.defaultdict(list, {0: [1, 2], 1: [0]})
    content = {"m": matrix, "s": np.float32(0.5), "g": neighbours, "t": (1, "a", None, {3})}
    back = loads_arrays(pickle.dumps(content, protocol=protocol))
    assert (back["m"] != matrix).nnz == 0
    assert back["s"] == np.float32(0.5)
    assert type(back["g"]) is dict
    assert back["g"] == dict(neighbours)
    assert back["t"] == content["t"]


def test_what_is_shared_is_built_once_and_stays_shared():
    inner = [1, 2]
    for _ in range(60):  # written out in full it would hold 2**60 numbers
        inner = [inner, inner]
    back = loads_arrays(pickle.dumps(inner))
    for _ in range(60):
        assert back[0] is back[1]
        back = back[0]
    assert back == [1, 2]


def test_python_2_bytes_are_read():
    # Assembled by hand from the opcodes of Planetoid's label files, whose bytes are Python 2's text.
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01K\x01K\x02\x86cnumpy\ndtype\nq\x04U\x02i4K\x00K\x01\x87Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x08\x01\x00\x00\x00\x02\x00\x00\x00tb."
    )
    np.testing.assert_array_equal(loads_arrays(content), [[1, 2]])


def test_real_planetoid_files_read_as_an_ordinary_unpickler_reads_them(real_data):
    path = real_data / "planetoid" / "ind.citeseer.ty"
    if not path.exists():
        pytest.skip("Planetoid's files are not on this machine")
    with path.open("rb") as file:
        trusted = pickle.load(file, encoding="latin1")
    np.testing.assert_array_equal(load_arrays(path), trusted)
