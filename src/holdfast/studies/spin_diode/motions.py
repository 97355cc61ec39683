"""Parts of the study that watch the magnetisation: ringing, the onset of oscillation, thermal equilibrium, antiferromagnets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.estimate import exact, mean_t
from holdfast.core.experiment import Measurement
from holdfast.devices.spintronics import Drive, MacrospinDevice, SpinDiode, equilibrium, simulate, threshold_current
from holdfast.devices.spintronics.constants import BOLTZMANN, GAMMA0, MU0
from holdfast.devices.spintronics.macrospin import (
    antiferromagnetic_modes,
    current_for_pull,
    easy_plane_resonance,
    easy_plane_threshold,
    neel_rotation,
    neel_start,
    neel_tilt,
    rotation_field,
    tilted_resonance,
)
from holdfast.studies.spin_diode.designs import EASY_PLANE, FIELD, antiferromagnet, in_plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from holdfast.core.experiment import Point

__all__ = ["langevin", "neel_resonance", "neel_rotating", "neel_tuning", "onset", "ring", "thermal"]

TURN = 0.18  # rad per step about the largest field


def ring(point: Point, seed: int) -> Measurement:
    """The frequency at which a small tilt rings, beside Kittel's."""
    del point, seed
    rung = simulate(in_plane(), duration=5e-9, start=(1, 1e-3, 0))
    expected = float(easy_plane_resonance(FIELD, EASY_PLANE))
    return Measurement(
        estimates={"ring.frequency": exact(float(rung.frequency)), "ring.ratio": exact(float(rung.frequency) / expected)}
    )


def onset(point: Point, seed: int) -> Measurement:
    """The current at which oscillation sets in, beside its closed form, and what happens 3 % on either side of it."""
    del point, seed
    diode = in_plane(150.0)
    found = float(threshold_current(diode))
    expected = float(current_for_pull(diode, easy_plane_threshold(FIELD, EASY_PLANE, alpha=0.01, cosine=np.cos(np.deg2rad(150)))))
    drive = Drive(i_dc=found * np.array([0.97, 1.03]))
    start = equilibrium(diode, drive).m + np.array([0, 1e-4, 0])
    early, late = (simulate(diode, drive, duration=10e-9, settle=wait, start=start).amplitude for wait in (0.0, 80e-9))
    below, above = late / early
    values = {"current": found, "ratio": found / expected, "below": below, "above": above}
    return Measurement(estimates={f"onset.{name}": exact(value) for name, value in values.items()})


def thermal(point: Point, seed: int) -> Measurement:
    """Mean squares of the magnetisation at 300 K over those of equipartition, with Student's interval over runs."""
    alpha = np.full(point["runs"], 0.05)
    diode = in_plane(alpha=alpha, temperature=300.0)
    found = simulate(diode, duration=point["duration"], settle=20e-9, seed=seed)
    energy = MU0 * 1e6 * float(np.asarray(diode.layer.volume))
    for_y, for_z = (BOLTZMANN * 300.0 / (energy * field) for field in (FIELD, FIELD + EASY_PLANE))
    ratios = found.m_square[:, 1] / for_y, found.m_square[:, 2] / for_z
    return Measurement(
        estimates={"thermal.in_plane": mean_t(ratios[0]), "thermal.out_of_plane": mean_t(ratios[1])},
        arrays={"in_plane": ratios[0], "out_of_plane": ratios[1]},
    )


def langevin(point: Point, seed: int) -> Measurement:
    """A free moment in a field: its mean, the Langevin function, and their difference in standard errors."""
    xi, volume = point["xi"], 1e-25
    field = xi * BOLTZMANN * 300.0 / (MU0 * 1e6 * volume)
    layer = MacrospinDevice(
        ms=1e6,
        thickness=1e-9,
        area=volume / 1e-9,
        alpha=np.full(point["runs"], 0.1),
        field=(field, 0.0, 0.0),
        temperature=300.0,
    )
    found = simulate(SpinDiode(layer=layer), duration=point["duration"], settle=20e-9, dt=2e-13, every=50, seed=seed)
    mean = found.m_mean[:, 0]
    expected = 1 / np.tanh(xi) - 1 / xi
    error = mean.std(ddof=1) / np.sqrt(mean.size)
    return Measurement(
        estimates={"langevin.mean": mean_t(mean), "langevin.errors": exact((mean.mean() - expected) / error)},
        arrays={"mean": mean},
    )


def _step(diode: SpinDiode) -> float:
    """A time step in s that turns the moments by a little less than is allowed."""
    layer = diode.layer
    strongest = float(np.asarray(layer.demag).max(initial=0.0) + 4 * np.abs(np.asarray(layer.demag)).max())
    return TURN / (GAMMA0 * (float(getattr(layer, "exchange", 0.0)) + strongest))


def neel_resonance(point: Point, seed: int) -> Measurement:
    """Ringing of an antiferromagnet about its easy axis, beside Keffer's and Kittel's formula."""
    del seed
    diode = antiferromagnet(easy=point["easy"], exchange=point["exchange"], alpha=1e-3)
    expected = float(antiferromagnetic_modes(diode.layer)[0])
    rung = simulate(diode, duration=20 / expected, dt=_step(diode), every=4, start=(1, 0.01, 0))
    return Measurement(
        estimates={"resonance.frequency": exact(float(rung.frequency)), "resonance.ratio": exact(float(rung.frequency) / expected)}
    )


def _under(diode: SpinDiode, shares: NDArray[np.floating]) -> Drive:
    """Currents whose torque is this share of the one that makes the Neel vector rotate."""
    return Drive(i_dc=current_for_pull(diode, shares * rotation_field(diode.layer)))


def neel_rotating(point: Point, seed: int) -> Measurement:
    """Rotation under the torque of a current, beside its limits of weak and of strong damping."""
    del seed
    diode = antiferromagnet(easy=2e3, alpha=point["alpha"])
    shares = np.array(point["shares"])
    pull = shares * rotation_field(diode.layer)
    start = neel_start(neel_tilt(diode.layer, np.minimum(shares, 1.0) * rotation_field(diode.layer)))
    found = simulate(diode, _under(diode, shares), duration=point["duration"], settle=point["settle"], dt=_step(diode), start=start)
    expected = np.asarray(neel_rotation(diode.layer, pull))
    moving = shares > 1
    return Measurement(
        estimates={
            "rotation.error": exact(np.abs(found.frequency[moving] / expected[moving] - 1).max()),
            "rotation.cycles_below": exact(found.cycles[~moving].max(initial=0.0)),
            "rotation.cycles_above": exact(found.cycles[moving].min()),
        },
        arrays={"share": shares, "frequency": found.frequency, "expected": expected},
    )


def neel_tuning(point: Point, seed: int) -> Measurement:
    """The resonance against the torque of a direct current: ringing about the tilted state, and the closed form."""
    del seed
    diode = antiferromagnet(easy=2e4, alpha=1e-3)
    shares = np.array(point["shares"])
    pull = shares * rotation_field(diode.layer)
    tilt = neel_tilt(diode.layer, pull)
    found = simulate(
        diode,
        _under(diode, shares),
        duration=3e-9,
        dt=_step(diode),
        start=neel_start(tilt + 0.01),
        watch=np.stack([np.sin(-tilt), np.cos(tilt), 0 * tilt], axis=-1),
    )
    expected = tilted_resonance(diode.layer, pull)
    return Measurement(
        estimates={"tuning.at_0p8": exact(np.interp(0.8, shares, found.frequency / found.frequency[0]))},
        arrays={"share": shares, "frequency": found.frequency, "expected": expected},
    )
