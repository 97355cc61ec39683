"""Files of published data sets: IDX, plain and in gzip, and CIFAR-10's pickles, in a tar archive and in a folder."""

import functools
import gzip
import io
import pickle
import struct
import tarfile

from torture_case import MARK, SPOIL, Case

REPEATS = 8
PLAN = ("plan", "--model", "net.py:make", "--examples", "20", "--stress", "clean", "--allow-low-accuracy", "--data")
NETWORK = """
from torch import nn

def make():
    return nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.LazyLinear(10))
"""


def run(folder, name):
    """The data set `name` from the folder ``store``."""
    (folder / "net.py").write_text(NETWORK)
    return Case((*PLAN, name), store="store")


def idx(rng, n=60):
    images = struct.pack(">IIII", 0x803, n, 28, 28) + rng.randbytes(n * 784)
    labels = struct.pack(">II", 0x801, n) + bytes(rng.randrange(10) for _ in range(n))
    return images, labels


def mnist(folder, images, labels, *, packed):
    place = folder / "store" / "mnist"
    place.mkdir(parents=True)
    ending = ".gz" if packed else ""
    for name, content in (("t10k-images-idx3-ubyte", images), ("t10k-labels-idx1-ubyte", labels)):
        (place / f"{name}{ending}").write_bytes(content)
    for name, content in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        (place / f"{name}{ending}").write_bytes(content)
    return run(folder, "mnist")


def spoiled(how, *, packed):
    def make(rng, folder):
        images, labels = idx(rng)
        if packed and rng.random() < 0.5:
            return mnist(folder, SPOIL[how](rng, gzip.compress(images)), gzip.compress(labels), packed=True)
        if rng.random() < 0.3:
            labels = SPOIL[how](rng, labels)
        else:
            images = SPOIL[how](rng, images)
        return mnist(
            folder, gzip.compress(images) if packed else images, gzip.compress(labels) if packed else labels, packed=packed
        )

    return make


def lying(rng, folder):
    """A header with enormous dimensions, too many of them, or of another type."""
    images, labels = idx(rng)
    sides = rng.choice(
        [(2**32 - 1,) * 3, (2**32 - 1,) * 255, (0, 28, 28), (60, 2**31, 28), (60, 28), (10_000, 28, 28), (2**20, 2**10, 4)]
    )
    kind = rng.choice([0x08, 0x09, 0x0B, 0x0E, 0x0F, 0x00])
    images = bytes([0, 0, kind, len(sides)]) + struct.pack(f">{len(sides)}I", *sides) + images[16:]
    packed = rng.random() < 0.5
    return mnist(folder, gzip.compress(images) if packed else images, gzip.compress(labels) if packed else labels, packed=packed)


@functools.cache
def swollen():
    """3 GB of zeros behind an honest header, in 3 MB."""
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", compresslevel=1) as file:
        file.write(struct.pack(">IIII", 0x803, 4_000_000, 28, 28))
        for _ in range(3 * 2**8):
            file.write(bytes(2**22))
    return content.getvalue()


def bomb(rng, folder):
    _, labels = idx(rng)
    return mnist(folder, swollen(), gzip.compress(labels), packed=True)


class Payload:
    """What unpickling must never run."""

    def __reduce__(self):
        import os

        return os.system, (f"touch {MARK}",)


def batch(rng):
    import numpy as np

    kind = rng.randrange(8)
    data = np.zeros((10_000, 3072), np.uint8)
    labels = [0] * 10_000
    content = {
        0: {"data": data[:3], "labels": labels},
        1: {"data": data.astype("f4")[:10], "labels": labels},
        2: {"data": data[:10], "labels": Payload()},
        3: Payload(),
        4: {"data": None, "labels": None},
        5: [1, 2],
        6: {"data": np.array([Payload()], dtype=object), "labels": labels},
        7: {"data": data[:5], "labels": ["x"] * 10_000},
    }[kind]
    program = pickle.dumps(content, protocol=2)
    if rng.random() < 0.4:
        program = SPOIL[rng.choice(list(SPOIL))](rng, program)
    return rng.choice(
        [
            program,
            program,
            b"\x80\x02}r\xff\xff\xff\x7f.",
            b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"a.",
            b"(" * 300_000 + b".",
        ]
    )


def cifar_archive(rng, folder):
    place = folder / "store" / "cifar10"
    place.mkdir(parents=True)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=rng.choice(["w:gz", "w", "w:xz"])) as archive:
        for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
            program = batch(rng)
            entry = tarfile.TarInfo(rng.choice(["cifar-10-batches-py/", "../../", "/"]) + name)
            entry.size = len(program)
            entry.type = rng.choice([tarfile.REGTYPE] * 6 + [tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE])
            entry.linkname = "/etc/passwd"
            archive.addfile(entry, io.BytesIO(program))
    packed = content.getvalue()
    if rng.random() < 0.5:
        packed = SPOIL[rng.choice(list(SPOIL))](rng, packed)
    (place / "cifar-10-python.tar.gz").write_bytes(packed)
    return run(folder, "cifar10")


def cifar_folder(rng, folder):
    place = folder / "store" / "cifar10" / "cifar-10-batches-py"
    place.mkdir(parents=True)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        (place / name).write_bytes(batch(rng))
    return run(folder, "cifar10")


VARIANTS = {
    **{f"{how}, IDX": spoiled(how, packed=False) for how in SPOIL},
    **{f"{how}, gzip": spoiled(how, packed=True) for how in SPOIL},
    "a lying header": lying,
    "a bomb": bomb,
    "an archive of pickles": cifar_archive,
    "a folder of pickles": cifar_folder,
}
