r"""Whether a classifier's confidence can be believed: calibration errors, proper scores, selective prediction, temperature.

All functions take *logits* (n, classes) and labels (n,) as NumPy arrays. Log-probabilities are logits; probabilities are not, and a
second softmax would go unnoticed, so rows that look like probabilities are refused. Confidence is the largest softmax probability.

Sources: C. Guo et al., *On calibration of modern neural networks*, arXiv:1706.04599 (ECE, temperature); A. Kumar, P. Liang, T. Ma,
*Verified uncertainty calibration*, arXiv:1909.10155 (debiasing); Y. Geifman, G. Uziel, R. El-Yaniv, *Bias-reduced uncertainty
estimation for deep neural classifiers*, arXiv:1805.08206 (AURC).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from holdfast.core.checks import check_finite, check_labels, check_one_of, check_same_length, check_whole, refuse
from holdfast.core.estimate import proportion

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.core.estimate import Estimate

__all__ = [
    "Binning",
    "Reliability",
    "RiskCoverage",
    "TemperatureFit",
    "aurc",
    "brier_score",
    "brier_scores",
    "debiased_calibration_error",
    "expected_calibration_error",
    "fit_temperature",
    "log_probabilities",
    "negative_log_likelihood",
    "reliability",
    "reliability_of",
    "risk_coverage",
    "squared_calibration_error",
]

Binning = Literal["mass", "width"]
WIDEST_LOG_TEMPERATURE = math.log(1000.0)


def log_probabilities(logits: ArrayLike) -> NDArray[np.float64]:
    """Logarithm of the softmax of `logits` (n, classes), in double precision; never infinite for finite logits."""
    array = np.asarray(logits, dtype=float)
    shifted = array - array.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def negative_log_likelihood(logits: ArrayLike, labels: ArrayLike) -> float:
    """Mean of ``-ln p(label)``, in nats; the cross-entropy. Always finite.

    Examples
    --------
    >>> round(negative_log_likelihood([[0.0, 0.0], [3.0, 3.0]], [0, 1]), 4)
    0.6931
    """
    array, classes = _checked(logits, labels)
    return float(-log_probabilities(array)[np.arange(len(classes)), classes].mean())


def brier_score(logits: ArrayLike, labels: ArrayLike) -> float:
    """Mean over examples of ``sum_k (p_k - [k is the label])**2``, in [0, 2].

    Source: G. W. Brier, Monthly Weather Review 78 (1950) 1, whose definition sums over all classes.

    Examples
    --------
    >>> round(brier_score([[0.0, 0.0]], [0]), 4)
    0.5
    """
    return float(brier_scores(logits, labels).mean())


def brier_scores(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """The Brier score (n,) of each example, whose mean is :func:`brier_score`."""
    array, classes = _checked(logits, labels)
    errors = np.exp(log_probabilities(array))
    errors[np.arange(len(classes)), classes] -= 1
    return np.asarray((errors**2).sum(axis=1))


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Data of a reliability diagram; empty bins are left out.

    Parameters
    ----------
    confidence : array (b,), mean confidence in each bin, increasing
    hits, count : arrays (b,), right answers and examples in each bin
    residual_variance : array (b,), sample variance of (right - confidence) in each bin; NaN for a single example
    edges : array (b, 2), lower and upper limit of each bin
    """

    confidence: NDArray[np.float64]
    hits: NDArray[np.int64]
    count: NDArray[np.int64]
    residual_variance: NDArray[np.float64]
    edges: NDArray[np.float64]

    @property
    def gap(self) -> NDArray[np.float64]:
        """Array (b,): accuracy minus confidence; negative where the classifier is too sure."""
        return self.hits / self.count - self.confidence

    @property
    def share(self) -> NDArray[np.float64]:
        """Array (b,): the part of all examples that lies in each bin."""
        return self.count / self.count.sum()

    @property
    def expected_error(self) -> float:
        """The expected calibration error; see :func:`expected_calibration_error`."""
        return float(self.share @ np.abs(self.gap))

    @property
    def debiased_error(self) -> float:
        """Root of the debiased squared calibration error, or 0 where that is negative; see :func:`debiased_calibration_error`."""
        return math.sqrt(max(0.0, self.squared_error()))

    def squared_error(self, *, debiased: bool = True) -> float:
        """The squared calibration error; see :func:`squared_calibration_error`."""
        if not debiased:
            return float(self.share @ self.gap**2)
        known = self.count > 1
        if not known.any():
            refuse("bins", f"is {len(self.count)}, which leaves one example in each", allowed="fewer bins or more examples")
        squares = self.gap[known] ** 2 - self.residual_variance[known] / self.count[known]
        return float(np.average(squares, weights=self.count[known]))

    @property
    def accuracy(self) -> tuple[Estimate, ...]:
        """Accuracy of each bin with its Wilson interval."""
        return tuple(proportion(int(hits), int(count)) for hits, count in zip(self.hits, self.count, strict=True))


def reliability(logits: ArrayLike, labels: ArrayLike, *, bins: int = 15, binning: Binning = "mass") -> Reliability:
    """Examples sorted into bins of confidence.

    Parameters
    ----------
    logits : array (n, classes)
    labels : integer array (n,)
    bins : largest number of bins
    binning : ``"mass"``: equally many examples in each, as near as ties allow (equal confidences are never parted, so their order
        cannot matter); ``"width"``: equal intervals of [0, 1]
    """
    array, classes = _checked(logits, labels)
    confidence = np.exp(log_probabilities(array).max(axis=1))
    return reliability_of(confidence, array.argmax(axis=1) == classes, bins=bins, binning=binning)


def reliability_of(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], *, bins: int = 15, binning: Binning = "mass"
) -> Reliability:
    """:func:`reliability` of examples whose `confidence` (n,) and right answers (n,) are known already.

    A bootstrap resamples these two numbers of each example in place of its logits.
    """
    check_whole(bins, "bins", low=1)
    check_one_of(binning, "binning", allowed=("mass", "width"))
    steps = np.linspace(0, 1, bins + 1)
    limits = steps if binning == "width" else np.unique(np.quantile(confidence, steps, method="lower"))
    kept, codes, count = np.unique(np.searchsorted(limits[1:-1], confidence, side="right"), return_inverse=True, return_counts=True)
    mean = np.bincount(codes, confidence) / count
    residual = right - confidence
    squares = np.bincount(codes, (residual - (np.bincount(codes, residual) / count)[codes]) ** 2)
    return Reliability(
        confidence=mean,
        hits=np.bincount(codes, right).astype(np.int64),
        count=count,
        residual_variance=np.where(count > 1, squares / np.maximum(count - 1, 1), np.nan),
        edges=np.stack([limits[kept], limits[np.minimum(kept + 1, len(limits) - 1)]], axis=1),
    )


def expected_calibration_error(logits: ArrayLike, labels: ArrayLike, *, bins: int = 15, binning: Binning = "mass") -> float:
    r"""Expected calibration error (ECE).

    .. math:: \mathrm{ECE} = \sum_b \frac{n_b}{n}\, |\mathrm{acc}_b - \mathrm{conf}_b|

    Sampling noise makes it positive even for a perfectly calibrated classifier; see :func:`debiased_calibration_error`.

    Parameters
    ----------
    logits : array (n, classes)
    labels : integer array (n,)
    bins, binning : as in :func:`reliability`

    Examples
    --------
    >>> round(expected_calibration_error(np.log([[0.8, 0.2]] * 5), [0, 0, 0, 1, 1]), 4)
    0.2
    """
    return reliability(logits, labels, bins=bins, binning=binning).expected_error


def squared_calibration_error(
    logits: ArrayLike, labels: ArrayLike, *, bins: int = 15, binning: Binning = "mass", debiased: bool = True
) -> float:
    r"""Squared calibration error, by default without the part that sampling noise adds.

    .. math:: \sum_b \frac{n_b}{n} \left[(\mathrm{acc}_b - \mathrm{conf}_b)^2 - \frac{s_b^2}{n_b}\right]

    where :math:`s_b^2` is the sample variance of (right - confidence) in the bin. For given bins the estimate is unbiased, so it is
    negative about half of the time for a calibrated classifier. Kumar et al. subtract
    :math:`\mathrm{acc}(1 - \mathrm{acc})/(n_b - 1)`, which is the same when all examples in a bin share one confidence. Bins with
    one example carry no information on their noise and are left out.

    Parameters
    ----------
    logits : array (n, classes)
    labels : integer array (n,)
    bins, binning : as in :func:`reliability`
    debiased : subtract the noise
    """
    return reliability(logits, labels, bins=bins, binning=binning).squared_error(debiased=debiased)


def debiased_calibration_error(logits: ArrayLike, labels: ArrayLike, *, bins: int = 15, binning: Binning = "mass") -> float:
    """Root of the debiased :func:`squared_calibration_error`, or 0 where that is negative: no miscalibration beyond noise."""
    return reliability(logits, labels, bins=bins, binning=binning).debiased_error


@dataclass(frozen=True, kw_only=True)
class RiskCoverage:
    """Error rate among the most confident examples, for each number of them that is answered.

    Parameters
    ----------
    coverage : array (n,): 1/n, 2/n, ..., 1
    risk : array (n,), error rate among that share of the examples; examples of equal confidence enter at their mean
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]


def risk_coverage(logits: ArrayLike, labels: ArrayLike) -> RiskCoverage:
    """The risk-coverage curve of a classifier that may refuse to answer when its confidence is low.

    Confidences are compared by their odds, so that saturated probabilities keep their order.
    """
    array, classes = _checked(logits, labels)
    wrong = (array.argmax(axis=1) != classes).astype(float)
    _, codes = np.unique(-_log_odds(array), return_inverse=True)
    order = np.argsort(codes, kind="stable")
    mean_of_ties = np.bincount(codes, wrong) / np.bincount(codes)
    answered = np.arange(1, len(classes) + 1)
    return RiskCoverage(coverage=answered / len(classes), risk=np.cumsum(mean_of_ties[codes[order]]) / answered)


def aurc(logits: ArrayLike, labels: ArrayLike) -> float:
    """Area under the risk-coverage curve: the mean risk over all coverages. 0 is perfect; a random order gives the error rate.

    Examples
    --------
    >>> round(aurc([[3.0, 0.0], [1.0, 0.0]], [0, 1]), 4)
    0.25
    """
    return float(risk_coverage(logits, labels).risk.mean())


@dataclass(frozen=True, kw_only=True)
class TemperatureFit:
    """The result of temperature scaling.

    Parameters
    ----------
    temperature : what to divide logits by; above 1 the network was too sure
    nll_before, nll_after : negative log-likelihood in nats, on the examples that the temperature was fitted to
    at_limit : True if the best temperature lies outside [1/1000, 1000], e.g. because every answer is right
    """

    temperature: float
    nll_before: float
    nll_after: float
    at_limit: bool


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> TemperatureFit:
    """The temperature that minimises the negative log-likelihood of ``logits / temperature``. Use held-out examples.

    The likelihood is concave in 1/temperature, so there is one best value. It changes no answer, only its confidence.

    Parameters
    ----------
    logits : array (n, classes)
    labels : integer array (n,)
    """
    from scipy.optimize import minimize_scalar

    array, classes = _checked(logits, labels)

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(array * math.exp(-log_temperature), classes)

    ends = (-WIDEST_LOG_TEMPERATURE, WIDEST_LOG_TEMPERATURE)
    inner = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-6})
    best = min(*ends, float(inner.x), key=loss)  # an end wins a tie: where every answer is right, the loss is a flat zero near it
    return TemperatureFit(
        temperature=math.exp(best),
        nll_before=loss(0.0),
        nll_after=loss(best),
        at_limit=abs(best) > WIDEST_LOG_TEMPERATURE - 1e-3,
    )


def _log_odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """``ln p / (1 - p)`` of the largest probability: exact where the probability itself rounds to 1."""
    rows = np.arange(len(logits))
    top = logits.argmax(axis=1)
    others = logits - logits[rows, top][:, None]
    others[rows, top] = -np.inf
    peak = others.max(axis=1)
    return -(peak + np.log(np.exp(others - peak[:, None]).sum(axis=1)))


def _checked(logits: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    array, classes = np.asarray(logits, dtype=float), np.asarray(labels)
    if array.ndim != 2 or array.shape[1] < 2:
        refuse("logits", f"has shape {array.shape}", allowed="(n, classes) with at least 2 classes")
    check_same_length(array, classes, ("logits", "labels"))
    check_finite(array, "logits")
    check_labels(classes, "labels", classes=array.shape[1])
    if (array >= 0).all() and np.allclose(array.sum(axis=1), 1, atol=1e-4):
        refuse("logits", "has rows that sum to 1, so they are probabilities", allowed="logits", remedy="Pass their logarithm.")
    return array, classes.astype(np.int64)
