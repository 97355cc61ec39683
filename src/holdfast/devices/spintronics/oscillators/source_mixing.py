r"""The input stage of an oscillator classifier: features become the frequencies of two microwave sources.

Each source runs at a linear combination of the features,

.. math:: f_s = \sum_d M_{sd} x_d + o_s,

and oscillators whose free frequencies :math:`f_k` form a ladder answer by locking to a source that comes near. If each source
locked just the oscillator that is nearest, the plane :math:`(f_A, f_B)` would be a lattice of cells, one pattern in each; the
combinations are chosen so that few cells hold examples of more than one class. That choice, by random search with this ideal
lattice, is ours; what real oscillators with coupling, pulling and deviations make of it is what their currents must learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_finite, check_labels, check_same_length, check_whole, refuse
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["SourceMixing", "design_mixing"]

STARTS, STEPS, DRAWN = 24, 300, 60  # parallel searches, steps of each, examples drawn per class


@dataclass(frozen=True, kw_only=True)
class SourceMixing:
    """Linear combinations of features that set the frequencies of two sources, and the patterns that each class should cause.

    Parameters
    ----------
    matrix : array (2, D), Hz per unit of each feature
    offset : array (2,) in Hz
    ladder : array (K,), frequencies in Hz at which the oscillators should stand
    owner : array (K + 1, K + 1) of whole numbers, the class that owns the pattern "source A locks the row's oscillator, source B
        the column's", -1 where none does; in the last row source A locks none, in the last column source B
    margin : the sources' range in Hz beyond both ends of the ladder; frequencies outside are clipped
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]
    ladder: NDArray[np.float64]
    owner: NDArray[np.intp]
    margin: float

    def frequencies(self, x: ArrayLike) -> NDArray[np.float64]:
        """Array (n, 2), frequencies in Hz of both sources for features (n, D)."""
        features = np.asarray(x, dtype=float)
        if features.ndim != 2 or features.shape[1] != self.matrix.shape[1] or not len(features):
            refuse("x", f"has shape {features.shape}", allowed=f"(n, {self.matrix.shape[1]}), n >= 1")
        check_finite(features, "x")
        mixed = features @ self.matrix.T + self.offset
        return np.asarray(np.clip(mixed, *self.ends))

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest frequency in Hz that a source can have."""
        return float(self.ladder.min() - self.margin), float(self.ladder.max() + self.margin)

    def wanted(self, frequencies: NDArray[np.float64], y: NDArray[np.intp]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """The pattern of each example's class that lies nearest to its sources.

        Parameters
        ----------
        frequencies : array (n, 2) in Hz
        y : array (n,), classes as whole numbers

        Returns
        -------
        Patterns (n, K, 2), True where an oscillator should lock to a source, and (n,), False where the class owns no pattern.
        """
        size = len(self.ladder)
        apart = np.abs(frequencies[:, :, None] - self.ladder)
        alone = np.maximum(self.margin / 2 - apart.min(axis=-1, keepdims=True), 0)  # how far a source is from locking none
        apart = np.concatenate([apart, alone], axis=-1)
        cost = apart[:, 0, :, None] + apart[:, 1, None, :]
        cost = np.where(self.owner[None] == y[:, None, None], cost, np.inf).reshape(len(y), -1)
        best = cost.argmin(axis=1)
        pattern = np.stack(np.divmod(best, size + 1), axis=1)[:, None, :] == np.arange(size)[:, None]
        return np.asarray(pattern), np.asarray(np.isfinite(cost.min(axis=1)))


def design_mixing(x: ArrayLike, y: ArrayLike, ladder: ArrayLike, *, seed: int = 0) -> SourceMixing:
    """Linear combinations of features whose ideal lattice separates the classes best.

    Classes are described by their means and covariances; examples drawn from these are classified by the most frequent class of
    each cell. The best of several random searches is taken. A cell in which one oscillator should follow both sources counts as
    unusable.

    Parameters
    ----------
    x : array (n, D), features in any unit
    y : array (n,), classes 0, 1, ... as whole numbers, each with at least two examples
    ladder : array (K,), frequencies in Hz at which the oscillators should stand, K >= 2
    seed : of the search

    Raises
    ------
    InputError : fewer than two classes or rungs, a class with one example, a feature that never changes

    Examples
    --------
    >>> x = np.array([[0.0, 0.0], [0.1, 0.2], [1.0, 0.1], [1.2, 0.0]])
    >>> mixing = design_mixing(x, np.array([0, 0, 1, 1]), [18e6, 22e6])
    >>> sorted(set(mixing.owner.ravel().tolist()))
    [-1, 0, 1]
    """
    features, labels, rungs = np.asarray(x, dtype=float), np.asarray(y), np.asarray(ladder, dtype=float)
    _check(features, labels, rungs)
    centre, scale = features.mean(axis=0), features.std(axis=0)
    generator = Seeds(seed).numpy("mixing")
    drawn, classes = _drawn((features - centre) / scale, labels, generator)
    search = _Search(drawn, classes, rungs)
    found = search.run(generator)
    matrix = found[:, :-1] * search.half / scale
    offset = search.middle + search.half * found[:, -1] - matrix @ centre
    margin = float(np.diff(np.sort(rungs)).mean())
    counts = search.counts(search.cells((features @ matrix.T + offset)[None]), labels)[0]
    owner = np.where(counts.sum(axis=-1) > 0, counts.argmax(axis=-1), -1)
    return SourceMixing(matrix=matrix, offset=offset, ladder=rungs, owner=owner, margin=margin)


def _check(features: NDArray[np.float64], labels: NDArray[np.intp], rungs: NDArray[np.float64]) -> None:
    if features.ndim != 2:
        refuse("x", f"has shape {features.shape}", allowed="(n, D), one row per example")
    check_finite(features, "x")
    check_same_length(features, labels)
    check_labels(labels, "y", classes=int(labels.max()) + 1)
    check_whole(len(rungs), "rungs of `ladder`", low=2)
    counts = np.bincount(labels)
    if len(counts) < 2 or counts.min() < 2:
        refuse("y", f"has class counts {counts.tolist()}", allowed="at least two classes with two examples each")
    still = np.flatnonzero(features.std(axis=0) == 0)
    if len(still):
        refuse("x", f"has a feature that never changes (column {still[0]})", allowed="features that differ between examples")


def _drawn(x: NDArray[np.float64], y: NDArray[np.intp], generator: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Examples with a column of ones, drawn from the classes' normal distributions, and their classes."""
    rows = []
    for label in range(int(y.max()) + 1):
        own = x[y == label]
        spread = np.atleast_2d(np.cov(own.T)) + 1e-6 * np.eye(x.shape[1])
        rows.append(own.mean(axis=0) + generator.standard_normal((DRAWN, x.shape[1])) @ np.linalg.cholesky(spread).T)
    drawn = np.concatenate(rows)
    return np.c_[drawn, np.ones(len(drawn))], np.repeat(np.arange(len(rows)), DRAWN)


class _Search:
    """Random search over affine maps from features to the ladder, in units of half its length."""

    def __init__(self, drawn: NDArray[np.float64], classes: NDArray[np.intp], rungs: NDArray[np.float64]) -> None:
        self.drawn, self.classes, self.rungs = drawn, classes, rungs
        self.size, self.labels = len(rungs), int(classes.max()) + 1
        self.middle, self.half = (rungs.max() + rungs.min()) / 2, (rungs.max() - rungs.min()) / 2
        self.reach = float(np.diff(np.sort(rungs)).mean()) / 2

    def cells(self, frequencies: NDArray[np.float64]) -> NDArray[np.intp]:
        """Array (searches, n): the oscillators, K for none, that both sources lock, as one number."""
        apart = np.abs(frequencies[..., None] - self.rungs)
        rung = np.where(apart.min(axis=-1) <= self.reach, apart.argmin(axis=-1), self.size)
        return np.asarray(rung[..., 0] * (self.size + 1) + rung[..., 1])

    def counts(self, cells: NDArray[np.intp], classes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Array (searches, K + 1, K + 1, classes): examples of each class in each usable cell."""
        searches, side = len(cells), self.size + 1
        places = (np.arange(searches)[:, None] * side**2 + cells) * self.labels + classes
        found = np.bincount(places.ravel(), minlength=searches * side**2 * self.labels)
        found = found.reshape(searches, side, side, self.labels)
        both = np.arange(self.size)
        found[:, both, both] = 0
        return found

    def score(self, maps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Array (searches,), share of examples that the most frequent class of their cell gets right."""
        frequencies = self.middle + self.half * (self.drawn @ maps.swapaxes(1, 2))
        counts = self.counts(self.cells(frequencies), self.classes)
        return np.asarray(counts.max(axis=-1).sum(axis=(1, 2)) / len(self.classes))

    def run(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """The best map (2, D + 1)."""
        maps = generator.standard_normal((STARTS, 2, self.drawn.shape[1]))
        best, width = self.score(maps), np.full(STARTS, 0.5)
        for _ in range(STEPS):
            tried = maps + generator.standard_normal(maps.shape) * width[:, None, None]
            score = self.score(tried)
            better = score >= best
            maps = np.where(better[:, None, None], tried, maps)
            best, width = np.where(better, score, best), np.where(better, width, np.maximum(0.985 * width, 0.01))
        return np.asarray(maps[best.argmax()])
