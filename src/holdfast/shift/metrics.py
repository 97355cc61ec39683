r"""Corruption error: how much more a network errs under corruptions than a reference does.

Source: D. Hendrycks and T. Dietterich, arXiv:1903.12261, section 4.2; errors of AlexNet as in google-research/robustness_metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_finite, check_within, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

__all__ = ["ALEXNET_CLEAN_ERROR", "ALEXNET_ERRORS", "CorruptionError", "mean_corruption_error", "relative_mean_corruption_error"]

# mean top-1 error over the five severities of ImageNet-C at 224 px; google-research/robustness_metrics
ALEXNET_ERRORS: Mapping[str, float] = MappingProxyType(
    {
        "gaussian_noise": 0.886,
        "shot_noise": 0.894,
        "impulse_noise": 0.923,
        "defocus_blur": 0.820,
        "glass_blur": 0.826,
        "motion_blur": 0.786,
        "zoom_blur": 0.798,
        "snow": 0.867,
        "frost": 0.827,
        "fog": 0.819,
        "brightness": 0.565,
        "contrast": 0.853,
        "elastic_transform": 0.646,
        "pixelate": 0.718,
        "jpeg_compression": 0.607,
    }
)
ALEXNET_CLEAN_ERROR = 0.4348


@dataclass(frozen=True, kw_only=True)
class CorruptionError:
    """Error under corruptions, as one number and for each corruption.

    Parameters
    ----------
    value : mean of `by_corruption`
    by_corruption : error of each corruption; divided by the reference's if `relative_to_reference`
    relative_to_reference : False: mean error rates in [0, 1]; True: ratios, 1 means as bad as the reference
    """

    value: float
    by_corruption: Mapping[str, float]
    relative_to_reference: bool


def mean_corruption_error(errors: Mapping[str, ArrayLike], *, reference: Mapping[str, ArrayLike] | None = None) -> CorruptionError:
    r"""Mean corruption error (mCE) of a network.

    .. math:: \mathrm{mCE} = \frac{1}{|C|} \sum_{c \in C}
        \frac{\operatorname{mean}_s\, e(c, s)}{\operatorname{mean}_s\, e_\mathrm{ref}(c, s)}

    The published figure takes the 15 benchmark corruptions on ImageNet at 224 px and :data:`ALEXNET_ERRORS`. On other data the
    reference must be a network that was measured on the same data; without one the mean error itself is returned.

    Parameters
    ----------
    errors : name of each corruption to its top-1 errors over the severities, or to their mean, in [0, 1]
    reference : the same for the reference, with at least the same names

    Raises
    ------
    ValueError : an error outside [0, 1], a name that the reference lacks, or a reference that never errs.

    Examples
    --------
    >>> mean_corruption_error({"fog": [0.2, 0.4], "snow": 0.5}, reference={"fog": 0.6, "snow": 0.5}).value
    0.75
    """
    return _compared(_means(errors, "errors"), None if reference is None else _means(reference, "reference"))


def relative_mean_corruption_error(
    errors: Mapping[str, ArrayLike],
    *,
    clean_error: float,
    reference: Mapping[str, ArrayLike] | None = None,
    reference_clean_error: float | None = None,
) -> CorruptionError:
    r"""Relative mean corruption error: what corruptions add to the clean error, beside what they add to the reference's.

    .. math:: \frac{1}{|C|} \sum_{c \in C}
        \frac{\operatorname{mean}_s\, e(c, s) - e(\text{clean})}
        {\operatorname{mean}_s\, e_\mathrm{ref}(c, s) - e_\mathrm{ref}(\text{clean})}

    Parameters
    ----------
    errors, reference : as in :func:`mean_corruption_error`
    clean_error, reference_clean_error : errors on clean images, in [0, 1]; the second is needed with a reference

    Examples
    --------
    >>> relative_mean_corruption_error({"fog": 0.3}, clean_error=0.1, reference={"fog": 0.6}, reference_clean_error=0.2).value
    0.5
    """
    check_within(clean_error, "clean_error", low=0.0, high=1.0)
    added = {name: error - clean_error for name, error in _means(errors, "errors").items()}
    if reference is None:
        return _compared(added, None)
    if reference_clean_error is None:
        refuse("reference_clean_error", "is missing", allowed="the reference's error on clean images")
    check_within(reference_clean_error, "reference_clean_error", low=0.0, high=1.0)
    return _compared(added, {name: error - reference_clean_error for name, error in _means(reference, "reference").items()})


def _means(errors: Mapping[str, ArrayLike], name: str) -> dict[str, float]:
    if not errors:
        refuse(name, "is empty", allowed="the errors of at least one corruption")
    means = {}
    for corruption, values in errors.items():
        array = np.atleast_1d(np.asarray(values, dtype=float))
        check_finite(array, f"{name}[{corruption!r}]")
        if array.size == 0 or array.min() < 0 or array.max() > 1:
            refuse(
                f"{name}[{corruption!r}]",
                f"is {array.tolist()}",
                allowed="error rates in [0, 1]",
                remedy="Divide percentages by 100.",
            )
        means[corruption] = float(array.mean())
    return means


def _compared(own: dict[str, float], reference: dict[str, float] | None) -> CorruptionError:
    if reference is not None:
        missing = sorted(set(own) - set(reference))
        if missing:
            refuse("reference", f"lacks {', '.join(missing)}", allowed="an error for each corruption in `errors`")
        unmoved = sorted(name for name in own if reference[name] <= 0)
        if unmoved:
            refuse("reference", f"gains no error from {', '.join(unmoved)}", allowed="a reference that each corruption hurts")
        own = {name: error / reference[name] for name, error in own.items()}
    mean = float(np.mean(list(own.values())))
    return CorruptionError(value=mean, by_corruption=MappingProxyType(own), relative_to_reference=reference is not None)
