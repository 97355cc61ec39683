r"""Four numbers for every device: curves of an ensemble fitted by least squares, and an ensemble of any size drawn from the fits.

Each curve is described by ``y = y0 + A g(k (u - u0))`` (:mod:`holdfast.devices.neuron`). The shape `g` is the logistic function,
or the soft corner with saturation of :class:`~holdfast.devices.neuron.ReluNeuron`, whose sharpness and saturation are fitted to
the nominal device and shared by all. Where a curve does not determine its steepness (a straight rise gives only the product of
amplitude and steepness), a weak pull towards the nominal steepness decides.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.optimize import least_squares
from scipy.special import expit, ndtr, ndtri

from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.core.seeds import Seeds
from holdfast.devices.neuron import CharacteristicCurves, LinearNeuron, ReluNeuron, SigmoidNeuron

__all__ = ["NeuronFit", "VariationSummary", "fit_neurons", "in_network_units"]

Array = np.ndarray
Family = Literal["sigmoid", "relu"]
NUMBERS = ("amplitude", "steepness", "threshold", "offset")
PULL = {"sigmoid": 1e-3, "relu": 1e-2}  # weight of the nominal steepness beside one point of the curve
POOR = 0.1  # residual in units of the nominal curve's span from which the shape is announced to be another one
REACH = 6.0  # of a ReLU-like device in network units: from its threshold to the end of its grid
SHARP = (10 / REACH, 1e3)  # corners that are taken for one: rounded over a tenth of the reach at most


@dataclass(frozen=True, kw_only=True)
class VariationSummary:
    """Mean and covariance of the four numbers over an ensemble: enough to draw chips of any size without simulation.

    Parameters
    ----------
    nominal : gives the kind of neuron, its corner and saturation, and the nominal device
    mean : array (4,), of amplitude, steepness, threshold and offset
    covariance : array (4, 4)

    Examples
    --------
    >>> summary = VariationSummary(nominal=SigmoidNeuron(), mean=np.array([1.0, 1, 0, 0]), covariance=np.diag([0.01, 0.01, 0.1, 0]))
    >>> summary.draw(5).threshold.shape
    (5,)
    """

    nominal: LinearNeuron
    mean: Array
    covariance: Array

    def __post_init__(self) -> None:
        for name, shape in (("mean", (4,)), ("covariance", (4, 4))):
            value = np.asarray(getattr(self, name), dtype=float)
            if value.shape != shape or not np.isfinite(value).all():
                refuse(name, f"has shape {value.shape} or is not finite", allowed=f"finite numbers of shape {shape}")
            object.__setattr__(self, name, value)
        if (self.mean[:2] == 0).any():
            refuse("mean", "has an amplitude or a steepness of 0", allowed="neurons that answer their drive")

    def draw(self, samples: int, *, seed: int = 0) -> LinearNeuron:
        """An ensemble of `samples` neurons: normal, cut at 4 standard deviations along each principal axis of the covariance.

        A draw that would turn the sign of an amplitude or of a steepness is replaced by the mean's own smallest share, 1 %.
        """
        check_whole(samples, "samples", low=1)
        scales, axes = np.linalg.eigh(self.covariance)
        uniform = Seeds(seed).numpy("summary").uniform(ndtr(-4.0), ndtr(4.0), size=(samples, 4))
        drawn = self.mean + (ndtri(uniform) * np.sqrt(np.maximum(scales, 0))) @ axes.T
        kept = np.sign(self.mean[:2]) * np.maximum(drawn[:, :2] * np.sign(self.mean[:2]), 0.01 * np.abs(self.mean[:2]))
        columns = (*kept.T, *drawn[:, 2:].T)
        return replace(self.nominal, **dict(zip(NUMBERS, columns, strict=True)))


@dataclass(frozen=True, kw_only=True)
class NeuronFit:
    """What :func:`fit_neurons` found.

    Parameters
    ----------
    nominal : the nominal device
    neurons : the ensemble, arrays (n,) as its four numbers
    residual : array (n,), root mean square of what the fit leaves, in units of the nominal curve's span
    """

    nominal: LinearNeuron
    neurons: LinearNeuron
    residual: Array

    @property
    def summary(self) -> VariationSummary:
        """Mean and covariance over the ensemble; the covariance of a single device is 0."""
        numbers = np.stack([np.asarray(getattr(self.neurons, name)) for name in NUMBERS])
        covariance = np.cov(numbers) if numbers.shape[1] > 1 else np.zeros((4, 4))
        return VariationSummary(nominal=self.nominal, mean=numbers.mean(axis=1), covariance=covariance)


def fit_neurons(curves: CharacteristicCurves, family: Family = "sigmoid") -> NeuronFit:
    """The four numbers of every device, in the units of the curves.

    Parameters
    ----------
    curves : simulated, measured or tabulated; standard errors weigh the points where they are known
    family : ``"sigmoid"`` or ``"relu"``

    Raises
    ------
    InputError : a nominal curve without any rise, or a device whose fit does not converge (it is named)

    Warns
    -----
    UserWarning : the nominal curve has another shape than `family`

    Examples
    --------
    >>> from holdfast.devices import response_curves, vary
    >>> curves = response_curves(vary(SigmoidNeuron(), 0.1, samples=3), np.linspace(-8, 8, 65))
    >>> bool(fit_neurons(curves).residual.max() < 1e-3)
    True
    """
    check_one_of(family, "family", allowed=("sigmoid", "relu"))
    assert curves.nominal is not None
    span = float(np.ptp(curves.nominal))
    if span == 0:
        refuse("curves", "have a nominal device that does not answer its drive", allowed="curves that rise or fall")
    centre, half = (curves.x[0] + curves.x[-1]) / 2, (curves.x[-1] - curves.x[0]) / 2
    x, low = (curves.x - centre) / half, float(curves.nominal.min())
    shape, nominal, left = _fit_nominal(x, (curves.nominal - low) / span, family)
    if left > POOR:
        warnings.warn(f"the nominal curve is far from a {family} (residual {left:.0%} of its span)", stacklevel=2)
    errors = np.full(curves.y.shape, np.nan) if curves.stderr is None else curves.stderr / span
    found = [_fit(x, (y - low) / span, _weights(error), shape, nominal) for y, error in zip(curves.y, errors, strict=True)]
    lost = [number for number, (values, _) in enumerate(found) if not np.isfinite(values).all()]
    if lost:
        refuse("curves", f"cannot be fitted for device {lost[0]}", allowed=f"curves like a {family}", remedy="Look at this device.")
    four, residual = np.stack([values for values, _ in found], axis=1), np.array([rest for _, rest in found])

    def back(v: Array) -> dict[str, Any]:
        """The numbers in the units of the curves."""
        return dict(zip(NUMBERS, (span * v[0], v[1] / half, centre + half * v[2], low + span * v[3]), strict=True))

    return NeuronFit(nominal=replace(shape, **back(nominal)), neurons=replace(shape, **back(four)), residual=residual)


def _weights(errors: Array) -> Array:
    """Weight of each point, 1 in the median; a floor of a thousandth of the span keeps single points from deciding alone."""
    if np.isnan(errors).any():
        return np.ones(len(errors))
    weights = 1 / np.hypot(errors, 1e-3)
    return np.asarray(weights / np.median(weights))


def _slope(shape: LinearNeuron, argument: Array) -> Array:
    """Derivative of the shape at its argument."""
    if isinstance(shape, ReluNeuron):
        rise = np.logaddexp(0, shape.corner * argument) / shape.corner
        return np.asarray(expit(shape.corner * argument) / (1 + shape.saturation * rise) ** 2)
    return np.asarray(expit(argument) * expit(-argument))


def _fit(x: Array, y: Array, weights: Array, shape: LinearNeuron, nominal: Array) -> tuple[Array, float]:
    """The four numbers of one curve, and the root mean square that they leave."""
    best: tuple[Array, float] = (np.full(4, np.nan), np.inf)
    log_k, pull = np.log(nominal[1]), np.sqrt(len(x)) * PULL["relu" if isinstance(shape, ReluNeuron) else "sigmoid"]

    def misfit(p: Array) -> Array:
        model = p[3] + p[0] * shape.shape(np.exp(p[1]) * (x - p[2]))
        return np.append(weights * (model - y), pull * (p[1] - log_k))

    def jacobian(p: Array) -> Array:
        k = np.exp(p[1])
        z = k * (x - p[2])
        rise = p[0] * _slope(shape, z)
        columns = np.stack([shape.shape(z), rise * z, -rise * k, np.ones_like(x)], axis=1)
        return np.vstack([weights[:, None] * columns, [0, pull, 0, 0]])

    for start in _starts(x, y, nominal):
        result = least_squares(misfit, start, jac=jacobian, method="lm", max_nfev=200)
        left = float(np.sqrt(np.mean((result.fun[:-1] / weights) ** 2)))
        if np.isfinite(result.x).all() and left < best[1]:
            best = (np.array([result.x[0], np.exp(result.x[1]), result.x[2], result.x[3]]), left)
        if best[1] < 0.01:
            break
    return best


def _starts(x: Array, y: Array, nominal: Array) -> list[Array]:
    """The nominal device moved to where this curve passes its own half height, and the nominal device where it is."""
    there = np.array([nominal[0], np.log(nominal[1]), nominal[2], nominal[3]])
    share = np.ptp(y) if np.ptp(y) > 0 else 1.0
    moved = there.copy()
    moved[2] += x[np.argmin(np.abs(y - (y.min() + y.max()) / 2))] - nominal[2]
    moved[0], moved[3] = nominal[0] * share, y[0] if nominal[0] > 0 else y.max() - nominal[3]
    return [there, moved]


def _fit_nominal(x: Array, y: Array, family: Family) -> tuple[LinearNeuron, Array, float]:
    """The shape, the four numbers in the scaled units, and what they leave."""
    rising = float(y[-len(y) // 4 :].mean() - y[: len(y) // 4].mean())
    if family == "sigmoid":
        middle = float(x[np.argmin(np.abs(y - 0.5))])
        candidates = [
            _fit(x, y, np.ones(len(x)), SigmoidNeuron(), np.array([np.sign(rising) or 1.0, k, middle, float(rising < 0)]))
            for k in (2.0, 8.0, 30.0)
        ]
        numbers, left = min(candidates, key=lambda found: found[1])
        return SigmoidNeuron(), numbers, left
    return _fit_corner(x, y)


def _fit_corner(x: Array, y: Array) -> tuple[LinearNeuron, Array, float]:
    """Amplitude, threshold, offset, corner and saturation; the steepness is what puts the end of the grid at `REACH`."""
    sign = -1.0 if y[-1] < y[0] else 1.0

    def model(p: Array) -> Array:
        amplitude, threshold, offset, corner, q = p
        shape = ReluNeuron(corner=float(corner), saturation=float(q))
        return np.asarray(offset + amplitude * shape.shape(REACH * (x - threshold) / (1 - threshold)))

    bounds = ([0.0, -3.0, -np.inf, SHARP[0], 0.0], [np.inf, 0.9, np.inf, SHARP[1], 10.0])
    starts = [(0.3, threshold, 0.0, corner, 0.1) for threshold in (-0.5, 0.0, 0.5) for corner in (4.0, 20.0)]
    results = [least_squares(lambda p: model(p) - sign * y, start, bounds=bounds, x_scale="jac") for start in starts]
    result = min(results, key=lambda found: found.cost)
    amplitude, threshold, offset, corner, q = map(float, result.x)
    shape = ReluNeuron(corner=corner, saturation=q)
    return (
        shape,
        np.array([sign * amplitude, REACH / (1 - threshold), threshold, sign * offset]),
        float(np.sqrt(np.mean(result.fun**2))),
    )


def in_network_units(curves: CharacteristicCurves, family: Family = "sigmoid") -> CharacteristicCurves:
    """The curves in the units of a network: one affine map for all devices, found from the nominal one.

    A nominal sigmoid becomes ``sigmoid(u)``. A nominal ReLU-like device gets its threshold at 0, an initial slope of 1, and the end
    of its grid at ``u = 6``. All other devices keep their distance from it: that is the spread that a network has to live with.

    Parameters
    ----------
    curves : in the units of the device
    family : ``"sigmoid"`` or ``"relu"``

    Examples
    --------
    >>> from holdfast.devices.spintronics import ThermalSigmoidNeuron, neuron_curves
    >>> curves = in_network_units(neuron_curves(ThermalSigmoidNeuron(), spread={"alpha": 0.1}, samples=3))
    >>> round(float(np.interp(0.0, curves.x, curves.nominal)), 1)
    0.5
    """
    single = CharacteristicCurves(x=curves.x, y=np.asarray(curves.nominal)[None])
    neuron = fit_neurons(single, family).nominal
    return curves.mapped(
        drive_gain=float(neuron.steepness),
        drive_offset=-float(neuron.steepness) * float(neuron.threshold),
        output_gain=1 / float(neuron.amplitude),
        output_offset=-float(neuron.offset) / float(neuron.amplitude),
    )
