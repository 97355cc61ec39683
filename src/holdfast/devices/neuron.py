r"""Neurons made of devices: closed-form characteristics, their spread from device to device, and measured curves.

Every neuron here answers a dimensionless drive `u` (the pre-activation) with

.. math:: y = y_0 + A\, g(k\,(u - u_0)),

where the shape `g` belongs to the kind of device and the four numbers belong to the single device: amplitude `A`, steepness
`k`, threshold `u_0` and offset `y_0`. The four numbers are what fabrication spreads. A spread `s` stands for

===========  ======================================================
amplitude    relative standard deviation `s`
steepness    relative standard deviation `s`
threshold    standard deviation `4 s` (sigmoid) or `s` (ReLU-like, linear) in units of the shape's argument
offset       standard deviation `s / 2` in units of the nominal amplitude
===========  ======================================================

Curves that were simulated or measured are a :class:`CharacteristicCurves`. One map for the whole ensemble turns their physical
units into those of a network: a map per device would erase the variation under study.
The use of such devices as neurons: arXiv:2106.16043; the reduced four-number description is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np

from holdfast.core.checks import check_finite, check_quantity, check_within, refuse
from holdfast.core.device import fabricate

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

    from holdfast.core.device import Device

__all__ = ["CharacteristicCurves", "LinearNeuron", "ReluNeuron", "SigmoidNeuron", "response_curves", "vary"]

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class LinearNeuron:
    r"""An amplifier, ``y = y0 + A k (u - u0)``: what is left of a neuron when the network brings its own nonlinearity.

    Parameters
    ----------
    amplitude : output per unit of the shape `g`, scalar or array (n,)
    steepness : argument of the shape per unit of drive, broadcasts with `amplitude`
    threshold : drive at which the shape's argument is 0
    offset : output where the shape is 0

    Examples
    --------
    >>> float(LinearNeuron(amplitude=2.0, threshold=1.0).response(3.0))
    4.0
    """

    threshold_reach: ClassVar[float] = 1.0

    amplitude: float | Array = 1.0
    steepness: float | Array = 1.0
    threshold: float | Array = 0.0
    offset: float | Array = 0.0

    def shape(self, argument: Array) -> Array:
        """The shape `g` at its dimensionless argument."""
        return argument

    def response(self, drive: ArrayLike) -> NDArray[np.floating]:
        """Output at `drive`; an ensemble of n neurons broadcasts along the last axis, ``(..., n)``."""
        argument = self.steepness * (np.asarray(drive, dtype=float) - self.threshold)
        return np.asarray(self.offset + self.amplitude * self.shape(argument))


@dataclass(frozen=True, kw_only=True)
class SigmoidNeuron(LinearNeuron):
    r"""A neuron whose output rises once from one level to another, ``g(z) = 1 / (1 + exp(-z))``.

    Parameters
    ----------
    amplitude, steepness, threshold, offset : as in :class:`LinearNeuron`

    Examples
    --------
    >>> float(SigmoidNeuron(amplitude=2.0, offset=-1.0).response(0.0))
    0.0
    """

    threshold_reach: ClassVar[float] = 4.0

    def shape(self, argument: Array) -> Array:
        """The logistic function."""
        from scipy.special import expit

        return np.asarray(expit(argument))


@dataclass(frozen=True, kw_only=True)
class ReluNeuron(LinearNeuron):
    r"""A neuron that is silent below a threshold, then rises and slowly saturates.

    .. math:: g(z) = \frac{v}{1 + q v}, \qquad v = \tfrac1b \ln(1 + e^{b z})

    The power of an auto-oscillator has this form: noise rounds its corner (`b`) and the nonlinear damping saturates it (`q`).

    Parameters
    ----------
    amplitude, steepness, threshold, offset : as in :class:`LinearNeuron`
    corner : sharpness `b` of the rounded corner, > 0; infinite is a perfect corner
    saturation : `q` >= 0; the output cannot pass ``amplitude / saturation``

    Examples
    --------
    >>> float(ReluNeuron(corner=float("inf"), saturation=0.5).response(2.0))
    1.0
    """

    corner: float | Array = 10.0
    saturation: float | Array = 0.05

    def __post_init__(self) -> None:
        if not np.all(np.asarray(self.corner) > 0):
            refuse("corner", f"is {self.corner!r}", allowed="positive numbers; infinity for a perfect corner")
        check_quantity(self.saturation, "saturation", low=0)

    def shape(self, argument: Array) -> Array:
        """Soft corner and saturation."""
        sharp = np.isinf(self.corner)
        corner = np.where(sharp, 1.0, self.corner)
        rise = np.where(sharp, np.maximum(argument, 0), np.logaddexp(0, corner * argument) / corner)
        return np.asarray(rise / (1 + self.saturation * rise))


AnyNeuron = TypeVar("AnyNeuron", bound=LinearNeuron)


def vary(
    neuron: AnyNeuron, spread: float, *, samples: int, seed: int = 0, drive_scale: float = 1.0, output_scale: float = 1.0
) -> AnyNeuron:
    """An ensemble of neurons with the relative spread `spread`, distributed as in the module's table.

    Parameters
    ----------
    neuron : the nominal neuron
    spread : relative standard deviation, >= 0
    samples : number of neurons n
    seed : of the draw
    drive_scale, output_scale : factors on the standard deviations of threshold and offset, for a network whose pre-activations
        and activations are not of the order of 1

    Returns
    -------
    The same class with arrays (n,) as its four numbers.

    Examples
    --------
    >>> ensemble = vary(SigmoidNeuron(), 0.1, samples=5)
    >>> ensemble.response(np.zeros((3, 1))).shape
    (3, 5)
    """
    check_within(spread, "spread", low=0)
    return fabricate(
        neuron,
        {"amplitude": spread, "steepness": spread},
        samples=samples,
        seed=seed,
        absolute={
            "threshold": neuron.threshold_reach * spread * drive_scale / float(neuron.steepness),
            "offset": 0.5 * spread * output_scale * abs(float(neuron.amplitude)),
        },
    )


@dataclass(frozen=True, kw_only=True)
class CharacteristicCurves:
    """Output against drive of an ensemble of devices.

    Parameters
    ----------
    x : array (K,), uniform increasing grid of the drive, K >= 4
    y : array (n, K), output of each device
    stderr : array (n, K), standard error of each value, or None if the curves are exact
    nominal : array (K,), the curve of the nominal device; default: the mean over the ensemble

    Raises
    ------
    InputError : a grid that is not uniform or not increasing, fewer than 4 points, NaN (the device is named), negative
        standard errors, wrong shapes
    """

    x: Array
    y: Array
    stderr: Array | None = None
    nominal: Array | None = None

    def __post_init__(self) -> None:
        for name in ("x", "y", "stderr", "nominal"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=float))
        self._check_grid()
        if self.y.ndim != 2 or self.y.shape[1] != len(self.x) or not len(self.y):
            refuse("y", f"has shape {self.y.shape}", allowed=f"(devices, {len(self.x)}), one row per device")
        check_finite(self.y, "y")
        if self.nominal is None:
            object.__setattr__(self, "nominal", self.y.mean(axis=0))
        for name, shape in (("stderr", self.y.shape), ("nominal", self.x.shape)):
            given = getattr(self, name)
            if given is not None and given.shape != shape:
                refuse(name, f"has shape {given.shape}", allowed=f"{shape}")
            if given is not None:
                check_finite(given, name)
        if self.stderr is not None and (self.stderr < 0).any():
            refuse("stderr", f"goes down to {self.stderr.min():g}", allowed="standard errors of 0 or more")

    def _check_grid(self) -> None:
        if self.x.ndim != 1 or len(self.x) < 4:
            refuse("x", f"has shape {self.x.shape}", allowed="a vector of at least 4 drives")
        check_finite(self.x, "x")
        steps = np.diff(self.x)
        if steps.min() <= 0 or steps.max() - steps.min() > 1e-6 * steps.mean():
            refuse(
                "x",
                f"has steps from {steps.min():.4g} to {steps.max():.4g}",
                allowed="a uniform increasing grid",
                remedy="Resample the curves first: from_csv(..., resample=65), or scipy.interpolate.PchipInterpolator.",
            )

    def __len__(self) -> int:
        return len(self.y)

    @property
    def monotone(self) -> NDArray[np.bool_]:
        """Array (n,), True where the device's output never turns back."""
        steps = np.diff(self.y, axis=1)
        return np.asarray((steps >= 0).all(axis=1) | (steps <= 0).all(axis=1))

    def mapped(
        self, *, drive_gain: float = 1.0, drive_offset: float = 0.0, output_gain: float = 1.0, output_offset: float = 0.0
    ) -> CharacteristicCurves:
        """The curves in the units of a network: ``x -> gain x + offset`` and ``y -> gain y + offset``, the same for all devices."""
        check_within(drive_gain, "drive_gain", low=0, low_open=True)
        assert self.nominal is not None
        return CharacteristicCurves(
            x=drive_gain * self.x + drive_offset,
            y=output_gain * self.y + output_offset,
            stderr=None if self.stderr is None else abs(output_gain) * self.stderr,
            nominal=output_gain * self.nominal + output_offset,
        )

    def made_monotone(self) -> CharacteristicCurves:
        """The nearest curves that never turn back, by isotonic regression weighted with the standard errors.

        For curves with noise from a device that is known to rise or to fall: each goes the way of the nominal one.
        """
        from scipy.optimize import isotonic_regression

        assert self.nominal is not None
        quarter = max(1, len(self.x) // 4)
        rising = bool(self.nominal[-quarter:].mean() >= self.nominal[:quarter].mean())
        errors = np.ones_like(self.y) if self.stderr is None else np.maximum(self.stderr, 1e-3 * np.ptp(self.nominal) + 1e-300)
        rows = [isotonic_regression(y, weights=error**-2.0, increasing=rising).x for y, error in zip(self.y, errors, strict=True)]
        nominal = isotonic_regression(self.nominal, increasing=rising).x
        return replace(self, y=np.stack(rows), nominal=nominal)

    @classmethod
    def from_csv(cls, path: str | PathLike[str], *, resample: int | None = None) -> CharacteristicCurves:
        """Measured curves from a text file: one line per drive; the drive in the first column, one further column per device.

        Columns are separated by commas; lines that begin with ``#`` are comments, and a first line may name the columns. Beside
        others a column with the name ``nominal`` is the nominal device and not one of the ensemble.

        Parameters
        ----------
        path : the file
        resample : number of drives of the uniform grid that the curves are brought to; None takes the measured drives, which must
            then be uniform and increasing

        Raises
        ------
        InputError : no such file; missing or unreadable values, named by line and column; a grid that is not uniform
        """
        from holdfast.devices.measured import read_columns, resampled

        x, y, names = read_columns(path)
        if resample is not None:
            x, y = resampled(x, y, resample)
        if "nominal" not in names or len(y) == 1:
            return cls(x=x, y=y)
        place = names.index("nominal")
        return cls(x=x, y=np.delete(y, place, axis=0), nominal=y[place])

    def deviating(self, times: float) -> CharacteristicCurves:
        """The curves with their deviations from the nominal device multiplied by `times`: 0 makes all devices nominal.

        Examples
        --------
        >>> curves = response_curves(vary(SigmoidNeuron(), 0.1, samples=7), np.linspace(-8, 8, 65))
        >>> bool((curves.deviating(0.0).y == curves.nominal).all())
        True
        """
        check_within(times, "times", low=0)
        return replace(self, y=self.nominal + times * (self.y - self.nominal))


def response_curves(device: Device, drive: ArrayLike) -> CharacteristicCurves:
    """The closed-form characteristics of an ensemble, tabulated.

    Parameters
    ----------
    device : an ensemble whose parameters are scalars or arrays (n,)
    drive : array (K,), uniform increasing grid

    Examples
    --------
    >>> response_curves(vary(SigmoidNeuron(), 0.1, samples=7), np.linspace(-8, 8, 129)).y.shape
    (7, 129)
    """
    grid = np.asarray(drive, dtype=float)
    output = device.response(grid[:, None])
    return CharacteristicCurves(x=grid, y=output.reshape(len(grid), -1).T)
