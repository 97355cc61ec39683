r"""How far the input gradients of posterior samples cancel, against the number of samples that are averaged.

.. math:: r(S) = \frac{\langle\, |\tfrac 1S \sum_s g_s(x)| \,\rangle_x}{\langle |g_s(x)| \rangle_{s,x}}

For independent samples with random directions r falls as :math:`1/\sqrt S`; where all samples agree it stays 1. Source of the
question: G. Carbone et al., arXiv:2002.04359. Many correlated samples of one chain cancel less than few of many chains, so the
number of chains is part of the table. Only one attack's direction cancels, which proves no security of the prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from holdfast.bayes.gradients import sample_gradients
from holdfast.core.checks import check_whole, refuse
from holdfast.core.estimate import Estimate, bootstrap, mean_t

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from holdfast.attacks.losses import Loss
    from holdfast.bayes.gradients import SampleGradients
    from holdfast.bayes.posterior import Posterior

__all__ = ["CancellationRow", "CancellationTable", "cancellation_ratio"]

MEMORY = 2**26  # bytes that the averages of one row may take
ROUNDING = 1e-6  # of the length of a single gradient, in single precision
Part = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class CancellationRow:
    """Averages of the gradients of a number of samples.

    Parameters
    ----------
    samples : S, gradients in each average
    groups : number of disjoint averages that the row is a mean over, each spread evenly over all chains
    ratio : r, with a bootstrap interval over examples
    mean_norm : length of the average, mean over examples with Student's t interval
    single_norm : length of the gradients of single samples, likewise
    largest : the largest component of the average, likewise
    """

    samples: int
    groups: int
    ratio: Estimate
    mean_norm: Estimate
    single_norm: Estimate
    largest: Estimate


@dataclass(frozen=True, kw_only=True)
class CancellationTable:
    """How r falls with the number of samples.

    Parameters
    ----------
    rows : one per number of samples, increasing
    rms : array (rows, N), root mean square over groups of the average's length, per example
    chains : of the posterior
    method : of the posterior

    All intervals are over examples; the posterior's draws are taken as they are.
    """

    rows: tuple[CancellationRow, ...]
    rms: NDArray[np.float64]
    chains: int
    method: str

    @property
    def single_norm(self) -> Estimate:
        """Length of the gradient of a single sample, as in the first row."""
        return self.rows[0].single_norm

    @property
    def slope(self) -> Estimate:
        r"""Slope of the logarithm of the root mean square length against :math:`\log S`, with a bootstrap interval over examples.

        -0.5 for independent samples of random directions, 0 where all samples agree.
        """
        if len(self.rows) < 2:
            refuse("samples", "holds one number", allowed="at least two for a slope")
        spent = [
            row.samples for row, rms in zip(self.rows, self.rms, strict=True) if not rms.mean() > ROUNDING * row.single_norm.value
        ]
        if spent:
            refuse("samples", f"holds {spent}, whose averages are zero to rounding", allowed="averages that have a logarithm")
        sizes = np.log([row.samples for row in self.rows])

        def fit(squares: NDArray[np.float64]) -> float:
            return float(np.polyfit(sizes, 0.5 * np.log(squares.mean(0)), 1)[0])

        return bootstrap(np.square(self.rms).T, fit)

    def estimates(self, prefix: str = "", *, slope: bool = False) -> dict[str, Estimate]:
        """All numbers by name, as a report holds them.

        Parameters
        ----------
        prefix : before every name
        slope : whether it is among them; needs two rows

        Returns
        -------
        ``single``; for 50 samples ``r50``, ``norm50`` and ``largest50``; ``slope``
        """
        found = {"single": self.single_norm}
        for row in self.rows:
            found |= {f"r{row.samples}": row.ratio, f"norm{row.samples}": row.mean_norm, f"largest{row.samples}": row.largest}
        found |= {"slope": self.slope} if slope else {}
        return {f"{prefix}{name}": estimate for name, estimate in found.items()}

    def __str__(self) -> str:
        """The table, one line per number of samples."""
        lines = [f"{self.method}, {self.chains} chains", f"{'samples':>7}  {'ratio':24}{'|mean gradient|':24}{'largest component'}"]
        lines += [f"{row.samples:7d}  {row.ratio!s:24}{row.mean_norm!s:24}{row.largest}" for row in self.rows]
        return "\n".join(lines)


def cancellation_ratio(
    posterior: Posterior,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    samples: Sequence[int] = (1, 10, 50, 100),
    loss: Literal["ce"] | Loss = "ce",
    part: Part | None = None,
    chunk: int | None = None,
) -> CancellationTable:
    r"""The ratio r for several numbers of samples, from one pass over the posterior.

    A row of S samples is a mean over as many disjoint groups of S as 64 MB hold, so that small S do not depend on which samples
    they are; mean lengths are over the same samples, so r never exceeds 1.

    Parameters
    ----------
    posterior : samples of a network's weights
    x, y : examples (N, ...) and labels (N,)
    samples : increasing numbers of samples, each at most ``len(posterior)``
    loss, chunk : as in :func:`~holdfast.bayes.expected_input_gradient`
    part : gradients (s, N, ...) -> the part of them to look at, of the same shape, e.g.
        ``lambda g: split_gradient(g, basis).orthogonal``

    Returns
    -------
    CancellationTable

    Examples
    --------
    >>> from holdfast.bayes import Posterior
    >>> from holdfast.nets import mlp
    >>> post = Posterior.of_models([mlp(4, classes=3, seed=0)] * 4)
    >>> [round(row.ratio.value, 6) for row in cancellation_ratio(post, torch.rand(6, 4), torch.arange(6) % 3, samples=(1, 4)).rows]
    [1.0, 1.0]
    """
    sizes = [check_whole(size, "samples", low=1, high=len(posterior)) for size in samples]
    if not sizes or sizes != sorted(set(sizes)):
        refuse("samples", f"is {sizes}", allowed="increasing numbers, at least one")
    sums = [_Groups(size, len(posterior), x) for size in sizes]
    for piece in sample_gradients(posterior, x, y, loss=loss, chunk=chunk):
        gradients = _scaled(piece, part)
        for group in sums:
            group.add(piece.first, gradients)
    if not any(bool(group.single.length.any()) for group in sums):
        refuse("x", "has no gradient other than zero under any sample", allowed="inputs on which the network depends")
    rows, rms = zip(*(group.finish() for group in sums), strict=True)
    return CancellationTable(rows=rows, rms=np.stack(rms), chains=posterior.chains, method=posterior.method)


def _scaled(piece: SampleGradients, part: Part | None) -> torch.Tensor:
    gradients = piece.scaled
    if part is None:
        return gradients
    chosen = part(gradients)
    if chosen.shape != gradients.shape:
        refuse("part", f"gives shape {tuple(chosen.shape)}", allowed=f"the shape of the gradients, {tuple(gradients.shape)}")
    return chosen


class _Groups:
    """Averages of disjoint groups of `size` of all `total` samples.

    The samples are cut into `size` sections of nearly one length, and group j holds the j-th of each. So the first group
    is that of :meth:`Posterior.spread <holdfast.bayes.Posterior.spread>`.
    """

    def __init__(self, size: int, total: int, x: torch.Tensor) -> None:
        self.size, self.starts = size, torch.arange(size) * total // size
        self.count = total // size if size == 1 else min(total // size, max(1, MEMORY // (8 * x.numel())))
        self.single, self.mean = _Lengths(x), _Lengths(x)
        self.means = torch.zeros(0 if size == 1 else self.count, *x.shape, dtype=torch.float64, device=x.device)

    def add(self, first: int, gradients: torch.Tensor) -> None:
        """Take in the samples from number `first` on; means of single ones need not be kept."""
        places = torch.arange(first, first + len(gradients))
        numbers = places - self.starts[torch.searchsorted(self.starts, places, right=True) - 1]
        used = numbers < self.count
        chosen = gradients[used.to(gradients.device)]
        self.single.add(chosen)
        if self.size == 1:
            self.mean.add(chosen)
        else:
            self.means.index_add_(0, numbers[used].to(gradients.device), chosen, alpha=1 / self.size)

    def finish(self) -> tuple[CancellationRow, NDArray[np.float64]]:
        """The row of the table, and the root mean square length (N,)."""
        self.mean.add(self.means)
        length, square, peak = (part.cpu().numpy() / self.count for part in (self.mean.length, self.mean.square, self.mean.peak))
        alone = self.single.length.cpu().numpy() / (self.count * self.size)
        row = CancellationRow(
            samples=self.size,
            groups=self.count,
            ratio=bootstrap(np.stack([length, alone], 1), lambda rows: float(rows[:, 0].mean() / rows[:, 1].mean())),
            mean_norm=mean_t(length),
            single_norm=mean_t(alone),
            largest=mean_t(peak),
        )
        return row, np.sqrt(square)


class _Lengths:
    """Sums over gradients (s, N, ...) of their lengths, squared lengths and largest components, each (N,)."""

    def __init__(self, x: torch.Tensor) -> None:
        self.length, self.square, self.peak = torch.zeros(3, len(x), dtype=torch.float64, device=x.device)

    def add(self, gradients: torch.Tensor) -> None:
        flat = gradients.flatten(2)
        if len(flat):
            lengths = torch.linalg.vector_norm(flat, dim=2)
            self.length += lengths.sum(0)
            self.square += lengths.square().sum(0)
            self.peak += flat.abs().amax(2).sum(0)
