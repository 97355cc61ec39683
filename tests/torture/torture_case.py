"""One broken or hostile input, and the ways to spoil the bytes of an honest one.

A kind is a module in ``kinds/`` with a table ``VARIANTS``, ``{name: make}``, and a number ``REPEATS``. ``make(rng, folder)`` writes
files into the empty `folder`, in which holdfast is then run, and returns a :class:`Case`. All chance comes from `rng`.
"""

from __future__ import annotations

import functools
import importlib.util
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    Make = Callable[[random.Random, Path], "Case"]

MARK = "executed"
"""The file that a payload creates: it must never be there afterwards."""
PAYLOAD = f"__import__('pathlib').Path('{MARK}').touch()"
NETWORK = """
from torch import nn

def make():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
"""
SHAPES = {"1.weight": (16, 64), "1.bias": (16,), "3.weight": (10, 16), "3.bias": (10,)}
QUICK = ("--examples", "20", "--stress", "clean", "--allow-low-accuracy")


@dataclass(frozen=True)
class Case:
    """What to run in the case's folder.

    Parameters
    ----------
    arguments : of ``holdfast``
    reference : the format of the file `path`, whose arrays must be those that the format's own reader gives if it is accepted
    path : a file in the folder
    store : the folder in which published data sets are looked for
    """

    arguments: tuple[str, ...]
    reference: str = ""
    path: str = ""
    store: str = ""


def with_weights(folder: Path, name: str, content: bytes | None = None, *, reference: str = "") -> Case:
    """An audit's plan for a small network whose weights lie in the file `name`."""
    (folder / "net.py").write_text(NETWORK)
    if content is not None:
        (folder / name).write_bytes(content)
    return Case(("plan", "--model", "net.py:make", "--weights", name, "--data", "digits", *QUICK), reference, name)


def with_model(folder: Path, name: str, content: bytes) -> Case:
    """An audit's plan for the network in the file `name`."""
    (folder / name).write_bytes(content)
    return Case(("plan", "--model", name, "--data", "digits", *QUICK))


def with_data(folder: Path, name: str, content: bytes | None = None, *, reference: str = "") -> Case:
    """An audit's plan for a small network and the data in the file or folder `name`."""
    (folder / "net.py").write_text(NETWORK)
    if content is not None:
        (folder / name).write_bytes(content)
    return Case(("plan", "--model", "net.py:make", "--data", name, *QUICK), reference, name)


def cut(rng: random.Random, content: bytes) -> bytes:
    """The beginning of `content`."""
    return content[: rng.randrange(len(content))]


def flip(rng: random.Random, content: bytes, *, first: int = 0, last: int | None = None) -> bytes:
    """`content` with 1 to 8 bits flipped between `first` and `last`."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(first, last or len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def shuffle(rng: random.Random, content: bytes) -> bytes:
    """`content` with two blocks exchanged."""
    size = rng.randint(1, max(1, len(content) // 4))
    a = rng.randrange(len(content) - size)
    b = rng.randrange(len(content) - size)
    changed = bytearray(content)
    changed[a : a + size], changed[b : b + size] = content[b : b + size], content[a : a + size]
    return bytes(changed)


def overwrite(rng: random.Random, content: bytes) -> bytes:
    """`content` with a block of noise, of zeros or of ones."""
    size = rng.randint(1, max(2, len(content) // 3))
    start = rng.randrange(len(content))
    noise = rng.choice([rng.randbytes(size), bytes(size), b"\xff" * size])
    return content[:start] + noise + content[start + size :]


def prolong(rng: random.Random, content: bytes) -> bytes:
    """`content` with noise before or after it."""
    noise = rng.randbytes(rng.randint(1, 200))
    return rng.choice([noise + content, content + noise])


SPOIL: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "cut": cut,
    "bits flipped": flip,
    "blocks exchanged": shuffle,
    "block overwritten": overwrite,
    "noise around it": prolong,
}


@functools.cache
def kinds() -> dict[str, ModuleType]:
    """The modules in ``kinds/``, by name."""
    found = {}
    for path in sorted((Path(__file__).parent / "kinds").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"torture_kinds_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[path.stem] = module
    return found


def planned() -> Iterator[tuple[str, str, int, Make]]:
    """Every input that will be made: kind, variant, number, and its maker."""
    for kind, module in kinds().items():
        for variant, make in module.VARIANTS.items():
            for number in range(module.REPEATS):
                yield kind, variant, number, make


def seeded(kind: str, variant: str, number: int) -> random.Random:
    """The source of chance of one input, the same in every run."""
    return random.Random(f"{kind}/{variant}/{number}")
