"""One seed, many named independent streams.

A stream is found by its *name*, never by the order in which streams are asked for, so results do not depend on the number of
workers, on the order of points or on a restart. Names are hashed into the spawn key of :class:`numpy.random.SeedSequence`.
"""

from __future__ import annotations

import hashlib
import random
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

__all__ = ["Seeds", "seeded", "torch_generator"]


@dataclass(frozen=True)
class Seeds:
    """A family of independent random streams under one seed.

    Parameters
    ----------
    seed : whole number >= 0
    path : names that lead to this family; extended by :meth:`child`

    Examples
    --------
    >>> seeds = Seeds(0)
    >>> a, b = seeds.numpy("noise", 3), seeds.numpy("noise", 3)
    >>> bool((a.random(4) == b.random(4)).all())
    True
    >>> seeds.child("chip").integer(0) == seeds.child("chip").integer(1)
    False
    """

    seed: int
    path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_whole(self.seed, "seed")

    def child(self, *names: object) -> Seeds:
        """The family below `names` (strings or numbers)."""
        return Seeds(self.seed, (*self.path, *map(str, names)))

    def sequence(self, *names: object) -> np.random.SeedSequence:
        """The NumPy seed sequence of the stream `names`."""
        text = "\x1f".join((*self.path, *map(str, names)))
        words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u4")
        return np.random.SeedSequence(entropy=self.seed, spawn_key=tuple(int(word) for word in words))

    def numpy(self, *names: object) -> np.random.Generator:
        """A NumPy generator (Philox, counter-based) for the stream `names`."""
        return np.random.Generator(np.random.Philox(self.sequence(*names)))

    def integer(self, *names: object) -> int:
        """A whole number in ``[0, 2**63)`` for the stream `names`, for libraries that take a plain seed."""
        high, low = self.sequence(*names).generate_state(2, np.uint32)
        return (int(high) << 32 | int(low)) & (2**63 - 1)

    def torch(self, *names: object, device: str = "cpu") -> torch.Generator:
        """A torch generator on `device` for the stream `names`."""
        return torch_generator(self.integer(*names), device=device)


def torch_generator(seed: int, *, device: str | torch.device = "cpu") -> torch.Generator:
    """A torch generator on `device` that begins at `seed` itself, a whole number in ``[0, 2**63)``.

    Examples
    --------
    >>> torch_generator(3).initial_seed()
    3
    """
    import torch

    return torch.Generator(device=device).manual_seed(check_whole(seed, "seed", high=2**63 - 1))


@contextmanager
def seeded(seed: int, device: str | torch.device = "cpu") -> Iterator[None]:
    """Inside the block the global generators start from `seed`; afterwards they are as before.

    They are those of torch, on the CPU and on `device`, of NumPy and of Python. Initial weights, dropout and other people's
    networks draw from them; everything else in holdfast has its own.

    Examples
    --------
    >>> import torch
    >>> with seeded(0):
    ...     a = torch.rand(())
    >>> with seeded(0):
    ...     b = torch.rand(())
    >>> bool(a == b)
    True
    """
    import torch

    place = torch.device(device)
    cuda = [torch.cuda.current_device() if place.index is None else place.index] if place.type == "cuda" else []
    before, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - the generator that is borrowed
    try:
        with torch.random.fork_rng(devices=cuda):
            torch.default_generator.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002 - as above
            if cuda:
                with torch.cuda.device(cuda[0]):
                    torch.cuda.manual_seed(seed)
            yield
    finally:
        random.setstate(before)
        np.random.set_state(numbers)  # noqa: NPY002 - as above
