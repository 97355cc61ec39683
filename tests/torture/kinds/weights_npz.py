"""Archives of NumPy arrays with weights."""

import functools
import io
import struct
import warnings
import zipfile

import numpy as np
from torture_case import MARK, SHAPES, SPOIL, flip, with_weights

REPEATS = 10


class Payload:
    """What unpickling must never run."""

    def __reduce__(self):
        import os

        return os.system, (f"touch {MARK}",)


def arrays(rng):
    draw = np.random.default_rng(rng.randrange(2**31))
    return {name: draw.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


def packed(entries, *, method=zipfile.ZIP_STORED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that occurs twice is meant
        for name, record in entries:
            archive.writestr(name, record)
    return content.getvalue()


def npy(array, *, allow_pickle=False):
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=allow_pickle)
    return content.getvalue()


def entries(rng):
    return [(f"{name}.npy", npy(array)) for name, array in arrays(rng).items()]


def forged(header, body=b""):
    """A record whose header is the text `header`."""
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def spoiled(how):
    return lambda rng, folder: with_weights(folder, "w.npz", SPOIL[how](rng, packed(entries(rng))), reference="npz")


def inside(how):
    """A record is spoiled before it is packed, so that its checksum is right."""

    def make(rng, folder):
        held = entries(rng)
        place = rng.randrange(len(held))
        name, record = held[place]
        held[place] = (name, flip(rng, record, first=128) if how == "values" else SPOIL[how](rng, record))
        return with_weights(folder, "w.npz", packed(held), reference="npz")

    return make


def objects(rng, folder):
    held = np.array([Payload(), {"a": 1}, None], dtype=object)
    return with_weights(folder, "w.npz", packed([*entries(rng)[1:], ("1.weight.npy", npy(held, allow_pickle=True))]))


def lying(rng, folder):
    shape = rng.choice(
        ["(16, 64)", "(10000000000,)", "(4294967296, 4294967296)", "(-1,)", "(1e3,)", "(16, 65)", "3", "()", "(True,)"]
    )
    kind = rng.choice(
        ["'<f4'", "'|O'", "'<f8'", "'<M8[s]'", "'|V8'", "[('a', '<f4'), ('b', '|O')]", "'<U3'", "'<c8'", "__import__('os')", "''"]
    )
    order = rng.choice(["True", "False", "3", "None"])
    header = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}"
    return with_weights(
        folder, "w.npz", packed([*entries(rng)[1:], ("1.weight.npy", forged(header, bytes(4096)))]), reference="npz"
    )


def code_in_the_header(rng, folder):
    text = rng.choice([f"__import__('os').system('touch {MARK}')", "{" * 5000, "(" * 60000, "'a' * 10**9", "\0", "é" * 100])
    return with_weights(folder, "w.npz", packed([*entries(rng)[1:], ("1.weight.npy", forged(text))]))


@functools.cache
def swollen():
    """1.25 GiB of zeros in 6 MB."""
    size = 5 * 2**28
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("1.weight.npy", "w", force_zip64=True) as record:
            record.write(forged(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({size // 4},), }}"))
            for _ in range(size // 2**22):
                record.write(bytes(2**22))
        archive.writestr("1.bias.npy", npy(np.zeros(16, np.float32)))
    return content.getvalue()


def bomb(rng, folder):
    return with_weights(folder, "w.npz", swollen())


def odd_names(rng, folder):
    names = ["../1.weight.npy", "1.weight", "1.weight.npy\0.npy", "é.npy", "1.weight.npy", "1.WEIGHT.npy", "a/" * 500 + "b.npy"]
    held = entries(rng)
    return with_weights(folder, "w.npz", packed([*held, (rng.choice(names), held[0][1])]))


def marked(rng, folder):
    """Flags, methods and sizes in the directory that are not true."""
    content = bytearray(packed(entries(rng), method=rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])))
    start = content.rindex(b"PK\1\2")
    offset, size = rng.choice([(8, 2), (10, 2), (20, 4), (24, 4), (28, 2), (42, 4), (6, 2)])
    content[start + offset : start + offset + size] = rng.randbytes(size)
    return with_weights(folder, "w.npz", bytes(content), reference="npz")


def odd_types(rng, folder):
    kind = rng.choice(["U3", "S3", "M8[s]", "m8[s]", "c8", "bool", "u2", "u8", "f2", "f8", ">f4", "V4"])
    held = np.zeros((16, 64), dtype=kind)
    return with_weights(folder, "w.npz", packed([*entries(rng)[1:], ("1.weight.npy", npy(held))]), reference="npz")


VARIANTS = {
    **{how: spoiled(how) for how in SPOIL},
    **{f"{how}, inside": inside(how) for how in (*SPOIL, "values")},
    "Python objects": objects,
    "a lying record": lying,
    "code in a header": code_in_the_header,
    "a bomb": bomb,
    "odd names": odd_names,
    "lies in the directory": marked,
    "odd types": odd_types,
}
