"""Labelled rows: what a network is trained on and examined with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from holdfast.core.checks import check_labels, check_same_length, check_whole, check_within, refuse
from holdfast.core.digest import digest_arrays
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Examples"]


@dataclass(frozen=True)
class Examples:
    """Labelled rows.

    Parameters
    ----------
    x : tensor (n, ...), float32; images are (n, channels, height, width)
    y : tensor (n,), int64, in ``0..classes-1``
    classes : number of classes; default: the largest label + 1
    name : for tables
    class_names : one name per class; default: the numbers
    """

    x: torch.Tensor
    y: torch.Tensor
    classes: int = 0
    name: str = "data"
    class_names: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        check_same_length(self.x, self.y)
        if not self.classes:
            object.__setattr__(self, "classes", int(self.y.max()) + 1)
        check_labels(self.y, "y", classes=self.classes)
        if not self.class_names:
            object.__setattr__(self, "class_names", tuple(map(str, range(self.classes))))
        if len(self.class_names) != self.classes:
            refuse("class_names", f"has {len(self.class_names)} names", allowed=f"one for each of {self.classes} classes")

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> Examples:
        """The examples `rows` (an index tensor or array, a boolean mask or a slice)."""
        chosen = torch.as_tensor(rows) if isinstance(rows, np.ndarray | list) else rows
        return replace(self, x=self.x[chosen], y=self.y[chosen])

    def to(self, device: str | torch.device) -> Examples:
        """The same examples on `device`."""
        return replace(self, x=self.x.to(device), y=self.y.to(device))

    def batches(self, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Pairs ``(x, y)`` of at most `size` rows, in order."""
        check_whole(size, "size", low=1)
        yield from zip(self.x.split(size), self.y.split(size), strict=True)

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

    @cached_property
    def digest(self) -> str:
        """SHA-256 of inputs and labels."""
        return digest_arrays({"x": self.x, "y": self.y})
