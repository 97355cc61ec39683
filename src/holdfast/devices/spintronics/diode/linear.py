r"""The rectified voltage from the linearised motion, exact to second order in the drive, without stepping through time.

About equilibrium a drive of amplitude 1 moves the coordinates as :math:`X = (i\omega - J)^{-1} b`, and the voltage
:math:`V(x, s)`, with the drive's sine `s`, has the mean change

.. math:: V_{dc} = V_x \bar x + \tfrac14 X^\dagger V_{xx} X + \tfrac12 \mathrm{Re}\,(V_{xs} X) + \tfrac14 V_{ss}, \qquad
          \bar x = -J^{-1}\left[\tfrac14 X^\dagger F_{xx} X + \tfrac12 \mathrm{Re}\,(F_{xs} X) + \tfrac14 F_{ss}\right],

where :math:`\dot x = F(x, s)`. Without direct current only :math:`\tfrac12 \mathrm{Re}\, V_{xs} X` is left, which is the well-known
mixing of current and resistance (A. A. Tulapurkar et al., Nature 438 (2005) 339); with one, the mean shift of the state counts. All
derivatives are taken of the equations that the simulation integrates, so both methods answer for one device.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_quantity, refuse
from holdfast.devices.spintronics.diode.lorentzian import Lorentzian
from holdfast.devices.spintronics.diode.rectification import Rectification, supplied
from holdfast.devices.spintronics.macrospin.drive import LINE_IMPEDANCE
from holdfast.devices.spintronics.macrospin.equilibrium import Equilibrium, equilibrium
from holdfast.devices.spintronics.macrospin.motion import Jet, Motion

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.macrospin.drive import Drive
    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["LinearResponse", "linear_response"]

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class LinearResponse:
    """The linearised diode; arrays have the shape (B...) of diode, drive (without its frequency) and start.

    Parameters
    ----------
    diode, drive : what was linearised
    state : its equilibrium
    jet : derivatives there
    """

    diode: SpinDiode = field(repr=False)
    drive: Drive
    state: Equilibrium
    jet: Jet = field(repr=False)

    @cached_property
    def _modes(self) -> tuple[Array, Array, Array]:
        """Eigenvalues (B..., n), right eigenvectors in columns, and the drive's weight in each of them."""
        rates, right = np.linalg.eig(self.jet.jacobian.astype(complex))
        return rates, right, np.linalg.solve(right, self.jet.first[..., :-1, -1, None].astype(complex))[..., 0]

    @cached_property
    def _main(self) -> Array:
        """Place of the mode that the drive moves most; of the least damped one where it moves none."""
        rates, _, weights = self._modes
        moving = np.where(rates.imag > 0, 1.0, 1e-12)
        reach = moving * np.abs(weights) / np.abs(rates.real)
        idle = moving / np.abs(rates.real)
        return np.asarray(np.where(reach.max(-1) > 0, reach.argmax(-1), idle.argmax(-1)))

    def _of_main(self, values: Array) -> Array:
        return np.take_along_axis(values, self._main[..., None], axis=-1)[..., 0]

    @property
    def resonance(self) -> Array:
        """Frequency in Hz of the mode that the drive moves most; 0 if it does not oscillate."""
        return np.abs(self._of_main(self._modes[0]).imag) / (2 * np.pi)

    @property
    def half_width(self) -> Array:
        """Half width in Hz at half maximum of the line of that mode."""
        return -self._of_main(self._modes[0]).real / (2 * np.pi)

    @property
    def line(self) -> Lorentzian:
        """The part of that mode in the line, symmetric (damping-like torque) and antisymmetric (field-like torque), in V."""
        rates, right, weights = self._modes
        mode = np.take_along_axis(right, self._main[..., None, None], axis=-1)[..., 0] * self._of_main(weights)[..., None]
        damping = -self._of_main(rates).real
        single = 0.5 * (self._effective[..., :-1, -1] * mode).sum(-1)
        double = 0.25 * np.einsum("...i,...ij,...j->...", mode.conj(), self._effective[..., :-1, :-1], mode).real
        return Lorentzian(
            resonance=self.resonance,
            half_width=self.half_width,
            symmetric=single.real / damping + double / damping**2,
            antisymmetric=single.imag / damping,
            offset=np.zeros_like(damping),
        )

    @cached_property
    def _effective(self) -> Array:
        """Second derivatives of the voltage with respect to coordinates and sine, with those of the motion's mean shift."""
        hessian, first = self.jet.second, self.jet.first
        assert hessian is not None, "the response was built with second derivatives"
        shift = -np.linalg.solve(np.swapaxes(self.jet.jacobian, -1, -2), first[..., -1, :-1, None])[..., 0]
        return np.asarray(hessian[..., -1, :, :] + np.einsum("...k,...kij->...ij", shift, hessian[..., :-1, :, :]))

    def amplitude(self, frequency: ArrayLike) -> NDArray[Any]:
        """Complex amplitudes (..., n) of the coordinates at these frequencies in Hz, which broadcast with (B...)."""
        omega = 2 * np.pi * np.asarray(check_quantity(frequency, "frequency", unit="Hz", low=0))
        jacobian = self.jet.jacobian
        matrix = 1j * omega[..., None, None] * np.eye(jacobian.shape[-1]) - jacobian
        force = np.broadcast_to(self.jet.first[..., :-1, -1], matrix.shape[:-1])
        return np.asarray(np.linalg.solve(matrix, force[..., None])[..., 0])

    def v_dc(self, frequency: ArrayLike) -> NDArray[np.floating]:
        """Rectified voltage in V at these frequencies in Hz, which broadcast with (B...); at 0 Hz the limit of slow drives."""
        x = self.amplitude(frequency)
        double = np.einsum("...i,...ij,...j->...", x.conj(), self._effective[..., :-1, :-1], x).real
        single = (self._effective[..., :-1, -1] * x).sum(-1).real
        return np.asarray(0.25 * double + 0.5 * single + 0.25 * self._effective[..., -1, -1])

    def rectify(self, frequency: ArrayLike | None = None, *, impedance: float = LINE_IMPEDANCE) -> Rectification:
        """Voltage and powers at these frequencies in Hz, which broadcast with (B...); default: that of the drive."""
        at = np.asarray(self.drive.frequency if frequency is None else frequency, dtype=float)
        voltage = self.v_dc(at)
        seen = self.state.resistance
        if self.diode.series is not None:  # the slope of the whole stack's characteristic, less the source
            series = self.diode.series
            seen = seen + np.asarray(series.thermal_voltage) / (self.state.current + np.asarray(series.saturation_current))
        powers = supplied(self.diode, self.drive, seen, impedance=impedance)
        absorbed, incident = (np.broadcast_to(power, voltage.shape) for power in powers)
        return Rectification(
            frequency=np.broadcast_to(at, voltage.shape),
            v_dc=voltage,
            resistance=np.broadcast_to(self.state.resistance, voltage.shape),
            absorbed=absorbed,
            incident=incident,
        )


def linear_response(diode: SpinDiode, drive: Drive, *, start: ArrayLike | None = None) -> LinearResponse:
    """The diode linearised about its state under the direct part of the drive.

    Parameters
    ----------
    diode : one device or an ensemble, at 0 K
    drive : direct and alternating current, voltage or field; frequencies need not be known yet
    start : first magnetisation, which decides between several states

    Returns
    -------
    LinearResponse, from which line, resonance and rectified voltage follow

    Raises
    ------
    InputError : a device that is not at rest under the direct current, because it is past its threshold or keeps rotating

    Examples
    --------
    >>> from holdfast.devices.spintronics import Drive, MacrospinDevice, SpinDiode, SpinTorque, TunnelJunction
    >>> layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=7.854e-15, alpha=0.01, field=(4e4, 0, 0), demag=(0, 0, 6e5))
    >>> spins = (0.5, 0.866, 0)
    >>> diode = SpinDiode(layer=layer, torque=SpinTorque(polarization=spins), junction=TunnelJunction(reference=spins))
    >>> small = linear_response(diode, Drive(i_ac=1e-5))
    >>> f"{small.resonance / 1e9:.3f} GHz, {small.rectify(small.resonance).sensitivity_absorbed:.0f} V/W"
    '5.633 GHz, -315 V/W'
    """
    state = equilibrium(diode, drive, start=start)
    if not state.stable.all():
        bad = int((~state.stable).sum())
        refuse(
            "drive",
            f"leaves {bad} of {state.stable.size} devices without a stable state",
            allowed="direct currents below `threshold_current`",
            remedy="Past the threshold the device oscillates by itself: use rectified_voltage or injection_locking.",
        )
    motion = Motion(diode, drive)
    m = state.m if motion.sublattices == 2 else state.m[..., None, :]
    shape = np.broadcast_shapes(motion.shape, m.shape[:-2])
    jet = motion.jet(np.broadcast_to(m, (*shape, *m.shape[-2:])), second=True)
    return LinearResponse(diode=diode, drive=drive, state=state, jet=jet)
