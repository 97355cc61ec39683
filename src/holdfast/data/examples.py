"""Labelled rows: what a network is trained on and examined with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from holdfast.core.checks import check_labels, check_same_length, check_whole, check_within, refuse
from holdfast.core.digest import digest_arrays
from holdfast.core.seeds import Seeds
from holdfast.data.pixels import Pixels

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MOST_CLASSES", "Examples", "Numbering", "chance_level", "classes_in"]

MOST_CLASSES = 100_000  # beyond it, labels are taken for identifiers; the largest published sets have a fifth of it
Numbering = Literal["own", "sorted", "named"]


def classes_in(y: torch.Tensor, name: str = "y", *, verb: str = "holds") -> int:
    """The number of classes that the labels `y` (n,) imply: the largest + 1; `name` and `verb` begin the message.

    Raises
    ------
    InputError : the largest is beyond 100,000, as in identifiers; a table of so many names would be built

    Examples
    --------
    >>> classes_in(torch.tensor([0, 4, 2]))
    5
    """
    if y.ndim != 1 or y.is_floating_point():
        check_labels(y, name, classes=1)
    most = int(y.max()) if len(y) else 0
    if most >= MOST_CLASSES:
        refuse(
            name,
            f"{verb} labels up to {most}, which look like identifiers",
            allowed=f"numbers of classes, from 0 to {MOST_CLASSES - 1}",
            remedy="Number them in the order of the network's outputs, e.g. with numpy.searchsorted(identifiers, y).",
        )
    return max(1, most + 1)


def chance_level(y: torch.Tensor, classes: int) -> float:
    """The best accuracy without a look at the inputs: the share of the largest class among the labels `y` (n,), at least 1/classes.

    Examples
    --------
    >>> chance_level(torch.tensor([0, 0, 0, 1]), 2), chance_level(torch.tensor([0, 1]), 10)
    (0.75, 0.5)
    """
    return max(1 / classes, int(y.bincount().max()) / len(y))


class _Inputs:
    """The field `x` of examples: pixels become floating point when they are read, anything else stays as it was given."""

    def __get__(self, examples: Examples | None, kind: type) -> torch.Tensor:
        if examples is None:
            raise AttributeError("x")  # so that the field has no default
        return examples.held.floats() if isinstance(examples.held, Pixels) else examples.held

    def __set__(self, examples: Examples, x: torch.Tensor | Pixels) -> None:
        examples.__dict__["_held"] = x


@dataclass(frozen=True)
class Examples:
    """Labelled rows.

    Parameters
    ----------
    x : tensor (n, ...), float32; images are (n, channels, height, width). May be given as :class:`~holdfast.data.pixels.Pixels`,
        which take a quarter of the memory: each reading of `x` then makes a new tensor, so take rows first, ``examples[:100].x``,
        or go through :meth:`batches`
    y : tensor (n,), int64, in ``0..classes-1``
    classes : number of classes; default: the largest label + 1
    name : for tables
    class_names : one name per class; default: the numbers
    numbering : what the labels are: ``"own"``, the numbers of the source; ``"sorted"``, places in the sorted names of folders,
        which no network has to share; ``"named"``, places in a list of names, one for each output of the network
    """

    x: _Inputs = _Inputs()
    y: torch.Tensor  # type: ignore[misc]  # what gives `x` is no default of it
    classes: int = 0
    name: str = "data"
    class_names: tuple[str, ...] = field(default=())
    numbering: Numbering = "own"

    def __post_init__(self) -> None:
        check_same_length(self.held, self.y)
        if not self.classes:
            object.__setattr__(self, "classes", classes_in(self.y))
        check_labels(self.y, "y", classes=self.classes)
        if not self.class_names:
            object.__setattr__(self, "class_names", tuple(map(str, range(self.classes))))
        if len(self.class_names) != self.classes:
            refuse("class_names", f"has {len(self.class_names)} names", allowed=f"one for each of {self.classes} classes")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def held(self) -> torch.Tensor | Pixels:
        """The inputs as they are kept in memory; `x` is read from them."""
        kept: torch.Tensor | Pixels = self.__dict__["_held"]
        return kept

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input, e.g. (channels, height, width)."""
        return tuple(self.held.shape[1:])

    def __getitem__(self, rows: Any) -> Examples:
        """The examples `rows` (an index tensor or array, a boolean mask or a slice)."""
        chosen = torch.as_tensor(rows) if isinstance(rows, np.ndarray | list) else rows
        return replace(self, x=self.held[chosen], y=self.y[chosen])

    def to(self, device: str | torch.device) -> Examples:
        """The same examples on `device`."""
        return replace(self, x=self.held.to(device), y=self.y.to(device))

    def labelled(self, y: torch.Tensor, *, class_names: tuple[str, ...], numbering: Numbering) -> Examples:
        """The same inputs with other labels (n,) and one class for each of `class_names`."""
        return replace(self, x=self.held, y=y, classes=len(class_names), class_names=class_names, numbering=numbering)

    def batches(self, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Pairs ``(x, y)`` of at most `size` rows, in order."""
        check_whole(size, "size", low=1)
        for begin in range(0, len(self), size):
            part = self[begin : begin + size]
            yield part.x, part.y

    def stratified(self, n: int | None, *, seed: int = 0) -> Examples:
        """A subset of `n` rows whose class shares follow the whole's, each to within one row; all rows if `n` is None or larger.

        Rows come in an order such that any prefix of the subset is itself nearly stratified.
        """
        if n is None or n >= len(self):
            return self
        check_whole(n, "n", low=1)
        return self[self.stratified_order(seed=seed)[:n]]

    def stratified_order(self, *, seed: int = 0) -> np.ndarray:
        """A seeded permutation (n,) of the rows whose every prefix holds the classes in nearly their own shares."""
        labels = self.y.cpu().numpy()
        generator = Seeds(seed).numpy("stratified")
        place = np.empty(len(labels))
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            place[generator.permutation(rows)] = (np.arange(len(rows)) + generator.random()) / len(rows)
        return np.argsort(place, kind="stable")

    def split(self, fraction: float, *, seed: int = 0) -> tuple[Examples, Examples]:
        """Two disjoint stratified parts, the first with `fraction` of the rows."""
        check_within(fraction, "fraction", low=0.0, high=1.0, low_open=True)
        order = self.stratified_order(seed=seed)
        cut = round(fraction * len(self))
        return self[order[:cut]], self[order[cut:]]

    @property
    def chance(self) -> float:
        """The accuracy of guessing, see :func:`chance_level`."""
        return chance_level(self.y, self.classes)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of inputs and labels."""
        return digest_arrays({"x": self.held, "y": self.y})
