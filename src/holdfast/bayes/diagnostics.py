r"""Did the chains find the posterior? Split R-hat and effective sample size, of functions rather than of weights.

The weights of a network have symmetries (hidden units may be permuted), so that two chains may hold the same function in different
places: only its energy and its answers can be compared. Both statistics are computed on ranks, which no tail can spoil.
Source: A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Bürkner, arXiv:1903.08008, equations (1) to (14).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import refuse
from holdfast.core.estimate import exact, mean_t

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.core.estimate import Estimate

__all__ = ["Diagnostics", "bulk_ess", "centred_logits", "split_rhat"]

FEWEST = 4  # draws per chain: half a chain needs a variance
LOW_ACCEPT, HIGH_ACCEPT, LARGEST_RHAT = 0.4, 0.99, 1.1
HIGH_QUANTILE = 0.9  # over logits


@dataclass(frozen=True, kw_only=True)
class Diagnostics:
    """How a sampler's run went.

    Parameters
    ----------
    accept : mean acceptance rate of each chain after the warm-up; empty where nothing is rejected
    step_size : of each chain after the warm-up
    rhat_potential, ess_potential : of the potential energy
    rhat_logits, ess_logits : medians over inputs and classes of those of the logits, each less its mean over classes (or of the
        values of a regression)
    worst_rhat_logits : the largest of them, which over hundreds of logits and few draws exceeds 1.1 at random
    high_rhat_logits : their 90 % quantile: where it is large, the answers to some inputs did not converge, whatever the median is
    divergences : trajectories after the warm-up whose energy error exceeded 1000 or was not a number
    chains, samples : how many chains, and draws of each

    Examples
    --------
    >>> say = {"rhat_potential": 1.0, "ess_potential": 90.0, "rhat_logits": 1.3, "ess_logits": 20.0, "worst_rhat_logits": 2.0}
    >>> found = Diagnostics(accept=(0.8,), step_size=(0.01,), divergences=0, chains=1, samples=100, **say)
    >>> found.converged, found.warnings
    (False, ('R-hat of the logits is 1.30 > 1.1',))
    """

    accept: tuple[float, ...]
    step_size: tuple[float, ...]
    rhat_potential: float
    ess_potential: float
    rhat_logits: float
    ess_logits: float
    worst_rhat_logits: float
    divergences: int
    chains: int
    samples: int
    high_rhat_logits: float = math.nan

    @property
    def warnings(self) -> tuple[str, ...]:
        """The reasons against relying on the run, in words."""
        found = []
        if self.accept and min(self.accept) < LOW_ACCEPT:
            found.append(f"the acceptance rate of a chain is {min(self.accept):.2f} < {LOW_ACCEPT}")
        if self.accept and max(self.accept) > HIGH_ACCEPT:
            found.append(f"the acceptance rate of a chain is {max(self.accept):.3f} > {HIGH_ACCEPT}")
        if self.divergences:
            found.append(f"{self.divergences} trajectories diverged")
        if math.isnan(self.rhat_logits):
            found.append(f"R-hat is not defined for {self.samples} draws per chain")
        elif self.rhat_logits > LARGEST_RHAT:
            found.append(f"R-hat of the logits is {self.rhat_logits:.2f} > {LARGEST_RHAT}")
        elif self.high_rhat_logits > LARGEST_RHAT:
            found.append(f"R-hat of a tenth of the logits is above {self.high_rhat_logits:.2f} > {LARGEST_RHAT}")
        if self.rhat_potential > LARGEST_RHAT:
            found.append(f"R-hat of the potential is {self.rhat_potential:.2f} > {LARGEST_RHAT}")
        return tuple(found)

    @property
    def estimates(self) -> dict[str, Estimate]:
        """R-hat, effective sample size, divergences and acceptance (mean over chains) by name, as a report holds them."""
        names = ("rhat_logits", "worst_rhat_logits", "ess_logits", "rhat_potential", "divergences")
        found = {name: exact(getattr(self, name)) for name in names}
        if self.accept:
            found["accept"] = mean_t(self.accept) if len(self.accept) > 1 else exact(self.accept[0])
        return found

    @property
    def converged(self) -> bool:
        """True if there are no warnings."""
        return not self.warnings


def centred_logits(logits: NDArray) -> NDArray:
    """`logits` (..., K) less their mean over classes, which no prediction depends on."""
    return logits - logits.mean(-1, keepdims=True)


def split_rhat(draws: ArrayLike) -> NDArray:
    r"""Potential scale reduction of chains that are cut in halves: the larger of those of ranks and of folded ranks.

    .. math:: \hat R = \sqrt{\frac{(n - 1) W / n + B / n}{W}}

    with the variances W within and B / n between half chains of n draws each. Source: arXiv:1903.08008, section 4.

    Parameters
    ----------
    draws : array (chains, draws, ...), at least 4 draws

    Returns
    -------
    array (...), 1 at convergence; 1 for draws that are all equal, infinite for half chains that stand still at different places

    Examples
    --------
    >>> bool(split_rhat(np.random.default_rng(0).normal(size=(4, 1000))) < 1.01)
    True
    """
    halves = _halves(draws)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.maximum(_rhat(_normal_scores(halves)), _rhat(_normal_scores(folded)))


def bulk_ess(draws: ArrayLike) -> NDArray:
    r"""Effective number of independent draws, for the bulk of the distribution.

    .. math:: S_\mathrm{eff} = \frac{MN}{-1 + 2 \sum_t \hat P_t}

    with Geyer's initial monotone sequence of pairs of autocorrelations. Source: arXiv:1903.08008, equations (10) to (13).

    Parameters
    ----------
    draws : array (chains, draws, ...), at least 4 draws

    Returns
    -------
    array (...), at most ``S log10 S`` for S draws in all; S for draws that are all equal

    Examples
    --------
    >>> found = bulk_ess(np.random.default_rng(0).normal(size=(4, 1000)))
    >>> bool(3500 < found < 4500)
    True
    """
    scores = _normal_scores(_halves(draws))
    chains, length = scores.shape[:2]
    total = chains * length
    within, whole = _variances(scores)
    moving = whole > 0
    covariance = _autocovariance(scores).mean(0) * (length / (length - 1))
    correlation = 1 - (within - covariance) / np.where(moving, whole, 1.0)
    correlation[0] = 1.0
    pairs = correlation[: length - length % 2].reshape(length // 2, 2, *correlation.shape[1:]).sum(1)
    positive = np.logical_and.accumulate(pairs > 0, axis=0)
    monotone = np.minimum.accumulate(np.where(positive, pairs, 0.0), axis=0)
    tau = np.maximum(-1 + 2 * monotone.sum(0), 1 / math.log10(total))
    return np.where(moving, total / tau, float(total))


def _halves(draws: ArrayLike) -> NDArray:
    """Each chain as two, the middle draw of an odd number left out."""
    whole = np.asarray(draws, dtype=float)
    if whole.ndim < 2 or whole.shape[1] < FEWEST:
        refuse("draws", f"has shape {whole.shape}", allowed=f"(chains, draws, ...) with at least {FEWEST} draws")
    half = whole.shape[1] // 2
    return np.concatenate([whole[:, :half], whole[:, -half:]])


def _normal_scores(values: NDArray) -> NDArray:
    """Normal quantiles of the ranks over all chains; equal values share their mean rank."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    flat = values.reshape(-1, *values.shape[2:])
    ranks = rankdata(flat, axis=0)
    return ndtri((ranks - 3 / 8) / (len(flat) + 1 / 4)).reshape(values.shape)


def _variances(scores: NDArray) -> tuple[NDArray, NDArray]:
    """Variance within chains, and the estimate of that of the whole distribution."""
    length = scores.shape[1]
    within = scores.var(1, ddof=1).mean(0)
    return within, within * (length - 1) / length + scores.mean(1).var(0, ddof=1)


def _rhat(scores: NDArray) -> NDArray:
    within, whole = _variances(scores)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.sqrt(whole / within)
    return np.where(whole > 0, ratio, 1.0)


def _autocovariance(scores: NDArray) -> NDArray:
    """Autocovariance (chains, lags, ...) of each chain, by the fast Fourier transform, divided by its length at every lag."""
    from scipy.fft import irfft, next_fast_len, rfft

    length = scores.shape[1]
    padded = next_fast_len(2 * length)
    spectrum = rfft(scores - scores.mean(1, keepdims=True), padded, axis=1)
    return irfft(np.abs(spectrum) ** 2, padded, axis=1)[:, :length] / length
