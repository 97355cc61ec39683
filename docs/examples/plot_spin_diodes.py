r"""
Spin diodes: from a quiet line to a locked oscillation
======================================================

A magnetic tunnel junction turns a microwave into a direct voltage.
The alternating current pulls the magnetisation, the resistance follows, and current times resistance has a mean:
:math:`V_{dc} = \langle I R \rangle`.
How much comes out depends on the class of the device: passive or biased by a direct current, resonant or not.

The classes are those of G. Finocchio et al., arXiv:2103.13793, of which the abstract was read; the devices are ours.
Two methods answer for one object: stepping through time, and the exact response to a small drive.
The study :mod:`holdfast.studies.spin_diode` holds all of this against claims.
"""

import warnings
from math import cos, pi, radians, sin

import numpy as np

from holdfast.core.errors import MacrospinWarning
from holdfast.core.figures import INK, PALETTE, new_figure
from holdfast.core.pictures import map_figure
from holdfast.devices import fabricate
from holdfast.devices.spintronics import (
    AntiferromagnetDevice,
    Drive,
    MacrospinDevice,
    SpinDiode,
    SpinTorque,
    TunnelJunction,
    equilibrium,
    injection_locking,
    linear_response,
    noise_equivalent_power,
    rectified_voltage,
    sensitivity_spectrum,
    simulate,
    threshold_current,
)
from holdfast.devices.spintronics.diode import magnetic_noise, van_der_waals_diode
from holdfast.devices.spintronics.macrospin import (
    current_for_pull,
    neel_start,
    neel_tilt,
    rotation_field,
    tilted_resonance,
)

# %%
# The line of a passive diode
# ---------------------------
#
# A disc of 100 nm lies magnetised in its plane; the spins of the current point 60 degrees away.
# One moment stands for it, although it is 20 exchange lengths wide: holdfast warns of that, and the warning is filtered here.
# The damping-like torque gives a symmetric line, the field-like one an antisymmetric line.
# Dots are simulated, curves are linear response: no parameter connects them.

warnings.simplefilter("ignore", MacrospinWarning)
layer = MacrospinDevice(
    ms=1e6,
    thickness=2e-9,
    area=pi * 50e-9**2,
    alpha=0.01,
    field=(4e4, 0, 0),
    demag=(0, 0, 6e5),
)


def in_plane(degrees, **torque):
    """The disc with spins and reference at an angle to its magnetisation."""
    spins = (cos(radians(degrees)), sin(radians(degrees)), 0)
    return SpinDiode(
        layer=layer,
        junction=TunnelJunction(r_p=500, tmr=1.0, reference=spins),
        torque=SpinTorque(polarization=spins, efficiency=0.6, **torque),
    )


drive = Drive(i_ac=1e-5)
fine, coarse = np.linspace(5e9, 6.3e9, 400), np.linspace(5e9, 6.3e9, 40)
line_figure, (axes,) = new_figure(size=(5.2, 3.2))
for colour, ratio in zip(PALETTE, (0.0, 0.3, -0.3), strict=False):
    diode = in_plane(60, field_like=ratio)
    small = linear_response(diode, drive)
    timed = rectified_voltage(
        diode, drive.replace(frequency=coarse), duration=60e-9, settle=40e-9
    )
    axes.plot(
        fine / 1e9,
        1e6 * small.v_dc(fine),
        color=colour,
        label=f"field-like torque {ratio:g}",
    )
    axes.plot(coarse / 1e9, 1e6 * timed.v_dc, "o", color=colour, markersize=3.5)
    error = np.abs(timed.v_dc - small.v_dc(coarse)).max() / np.abs(small.v_dc(fine)).max()
    print(
        f"field-like torque {ratio:4g}: resonance {small.resonance / 1e9:.3f} GHz, half width "
        f"{small.half_width / 1e9:.4f} GHz, antisymmetric share "
        f"{small.line.antisymmetric_fraction:+.3f}, largest difference {error:.2%} of the peak"
    )
axes.set(xlabel="frequency (GHz)", ylabel="rectified voltage (µV)")
axes.set_title("10 µA: time stepping (dots), linear response (curves)", loc="left")
axes.legend(frameon=False)

# %%
# Where the moment goes
# ---------------------
#
# Passive, the moment hardly leaves its rest; beyond the threshold it runs on an orbit of its own.

active = in_plane(150)
threshold = float(threshold_current(active))
print(f"oscillation sets in at {1e3 * threshold:.4f} mA")

paths = {
    "passive, 40 µA at resonance": (in_plane(60), Drive(i_ac=4e-5, frequency=5.63e9)),
    "1.05 of the threshold": (active, Drive(i_dc=1.05 * threshold)),
    "1.5 of the threshold": (active, Drive(i_dc=1.5 * threshold)),
}
sphere_figure, (globe, plane) = new_figure(columns=2, size=(3.8, 3.6))
turn = np.linspace(0, 2 * pi, 200)
globe.plot(np.cos(turn), np.sin(turn), color=INK, linewidth=0.8)
for latitude in (-0.6, -0.3, 0, 0.3, 0.6):
    reach = np.sqrt(1 - latitude**2)
    globe.plot(
        reach * np.cos(turn),
        0.3 * reach * np.sin(turn) + 0.954 * latitude,
        color=INK,
        linewidth=0.3,
        alpha=0.5,
    )
for colour, (name, (diode, current)) in zip(PALETTE, paths.items(), strict=False):
    run = simulate(diode, current, duration=1.9e-9, settle=150e-9, every=2, trace=True)
    x, y, z = run.trace.T
    # seen from in front of the x axis, 17 degrees above the layer
    globe.plot(y, 0.954 * z - 0.3 * x, color=colour, linewidth=1.2)
    plane.plot(x, y, color=colour, label=name)
globe.set(xlabel="$m_y$", ylabel="$m_z$, seen from above", aspect="equal")
globe.set_title("The unit sphere", loc="left")
plane.set(xlabel="$m_x$", ylabel="$m_y$", xlim=(-1.1, 1.1), ylim=(-1.1, 1.6))
plane.set_title("From above", loc="left")
plane.legend(frameon=False, loc="upper left", fontsize=8)

# %%
# Bias below the threshold, locking beyond it
# -------------------------------------------
#
# A direct current lowers the damping and raises the sensitivity, until the moment oscillates by itself.
# A weak drive then locks the oscillation, and its phase makes a voltage that hardly depends on the drive's power.

shares = np.concatenate([np.linspace(0, 0.9, 10), [0.93, 0.96, 0.98]])
biased = linear_response(active, Drive(i_dc=shares * threshold, i_ac=1e-6))
around = biased.resonance + np.linspace(-2, 2, 81)[:, None] * biased.half_width
below = np.abs(biased.rectify(around).sensitivity_absorbed).max(axis=0)

beyond = np.array([1.05, 1.2, 1.35, 1.5])
tongues = injection_locking(
    active,
    i_dc=beyond * threshold,
    i_ac=5e-6,
    detuning=np.linspace(-30e6, 30e6, 25),
    duration=200e-9,
    settle=200e-9,
)
locked = np.where(tongues.locked, np.abs(tongues.rectified.sensitivity_absorbed), 0).max(0)

bias_figure, (axes,) = new_figure(size=(5.2, 3.2))
axes.semilogy(shares, below, color=PALETTE[0], marker="o", label="linear response")
axes.semilogy(beyond, locked, color=PALETTE[1], marker="s", label="locked to 5 µA")
axes.axvline(1, color=INK, linestyle=":", linewidth=1)
axes.annotate(
    f"threshold\n{1e3 * threshold:.3f} mA",
    (1, 300),
    xytext=(6, 0),
    textcoords="offset points",
    fontsize=8.5,
)
axes.set(xlabel="direct current over threshold", ylabel="sensitivity (V/W absorbed)")
axes.set_title("Most sensitive just beyond the threshold", loc="left")
axes.legend(frameon=False, loc="upper left")
print(
    f"passive {below[0]:.0f} V/W, 0.9 of the threshold {below[9]:.0f}, locked {locked[0]:.0f}"
)

# %%
# The locking tongue
# ------------------
#
# The stronger the drive, the farther from its own frequency the oscillation follows.
# Beyond the right edge a locked and a free motion exist side by side, and the phase at the start decides: hence the islands.

detuning, amplitudes = np.linspace(-120e6, 120e6, 49), np.linspace(1e-6, 40e-6, 14)
tongue = injection_locking(
    active,
    i_dc=1.05 * threshold,
    i_ac=amplitudes,
    detuning=detuning,
    duration=150e-9,
    settle=150e-9,
)
tongue_figure, (axes,) = new_figure(size=(5.4, 3.3))
shown = np.where(tongue.locked, tongue.rectified.v_dc, np.nan).T
limit = np.nanmax(np.abs(shown))
image = axes.pcolormesh(
    detuning / 1e6,
    1e6 * amplitudes,
    1e3 * shown,
    cmap="PuOr",
    vmin=-1e3 * limit,
    vmax=1e3 * limit,
    shading="nearest",
)
tongue_figure.colorbar(image, ax=axes, label="rectified voltage where locked (mV)")
axes.set(xlabel="detuning from the free oscillation (MHz)", ylabel="injected current (µA)")
axes.set_title("Locked detunings at 1.05 of the threshold", loc="left")
widths = ", ".join(f"{width / 1e6:.0f}" for width in tongue.width[::4])
print(f"locking ranges in MHz: {widths}")

# %%
# Four classes on one axis
# ------------------------
#
# A layer whose moment rests on an easy cone answers slow currents too, because its direction around the cone is free.
# It is averaged over 16 runs at 300 K: a single run is erratic.

frequency = np.sort(np.append(np.geomspace(0.05e9, 8e9, 40), np.linspace(5.1e9, 6.2e9, 24)))
resonant = rectified_voltage(
    in_plane(60), Drive(i_ac=1e-5, frequency=frequency), duration=250e-9, settle=20e-9
)
subthreshold = linear_response(active, Drive(i_dc=0.8 * threshold, i_ac=1e-5)).rectify(
    frequency
)
near = injection_locking(
    active,
    i_dc=1.05 * threshold,
    i_ac=1e-5,
    detuning=np.linspace(-40e6, 40e6, 33),
    duration=150e-9,
    settle=150e-9,
)
cone = SpinDiode(
    layer=MacrospinDevice(
        ms=1e6,
        thickness=1.6e-9,
        area=pi * 30e-9**2,
        alpha=np.full((16, 1), 0.02),
        hk1=-4e4,
        hk2=6e4,
        demag=(-1e3, 0, 0),
        temperature=300.0,
    ),
    torque=SpinTorque(efficiency=0.6),
)
slow = np.geomspace(0.05e9, 6e9, 20)
hot = rectified_voltage(
    cone,
    Drive(i_ac=1e-4, frequency=slow),
    duration=210e-9,
    settle=30e-9,
    start=(0.3, 0.1, 0.95),
)
classes_figure, (axes,) = new_figure(size=(6.2, 3.8))
on = near.locked
middle, error = np.abs(hot.v_dc.mean(axis=0)), hot.v_dc.std(axis=0, ddof=1) / 4
sure = middle > 3 * error  # elsewhere 16 runs do not tell it from 0
curves = {
    "passive, resonant (10 µA)": (frequency, np.abs(resonant.v_dc)),
    "biased, 0.8 of the threshold (10 µA)": (frequency, np.abs(subthreshold.v_dc)),
    "locked, 1.05 of the threshold (10 µA)": (
        near.rectified.frequency[on],
        np.abs(near.rectified.v_dc[on]),
    ),
    "easy cone, not resonant (100 µA, 300 K)": (slow[sure], middle[sure]),
}
for place, (name, (at, volts)) in enumerate(curves.items()):
    axes.loglog(
        at / 1e9,
        volts,
        color=PALETTE[place],
        marker="o" if place == 3 else "",
        label=name,
    )
axes.errorbar(
    slow[sure] / 1e9, middle[sure], yerr=2 * error[sure], fmt="none", ecolor=PALETTE[3]
)
axes.set(
    xlabel="frequency (GHz)", ylabel="size of the rectified voltage (V)", ylim=(1e-11, 0.1)
)
axes.set_title("The classes", loc="left")
classes_figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)

# %%
# Sensitivity against power
# -------------------------
#
# Per watt that arrives on a 50-ohm line, mismatch included; our diodes are at 0 K.
# The locked diode loses sensitivity with power, the passive one does not.
# Per *absorbed* watt its 0.9 kohm would give 5 times as much, 113 kV/W in the study at 0 K.
# Do not hold that number against the published ones below, which were measured per incident watt.
# The star is the detector of arXiv:1410.4958, 75.4 kV/W down to 10 nW, without field.
# Dotted lines are figures whose power was not read: 3.8 kV/W for a Schottky diode and 12 kV/W for an earlier spin diode (both quoted in
# arXiv:1410.4958), more than 200 kV/W for a locked one (Zhang et al., APL 2018).

amplitudes = np.geomspace(2e-6, 40e-6, 8)
locked = injection_locking(
    active,
    i_dc=1.05 * threshold,
    i_ac=amplitudes,
    detuning=np.linspace(-60e6, 60e6, 33),
    duration=150e-9,
    settle=150e-9,
)
held = np.where(locked.locked, np.abs(locked.rectified.sensitivity_incident), np.nan)
best = np.nanmax(held, axis=0)
passive = rectified_voltage(
    in_plane(60), Drive(i_ac=amplitudes, frequency=5.633e9), duration=60e-9, settle=40e-9
)
power_figure, (axes,) = new_figure(size=(5.6, 3.4))
axes.loglog(
    1e9 * locked.rectified.incident[0],
    best,
    color=PALETTE[1],
    marker="s",
    label="locked, 1.05 of the threshold, 0 K",
)
axes.loglog(
    1e9 * passive.incident,
    np.abs(passive.sensitivity_incident),
    color=PALETTE[0],
    marker="o",
    label="passive, 0 K",
)
axes.plot(
    10,
    75.4e3,
    "*",
    color=PALETTE[4],
    markersize=13,
    label="arXiv:1410.4958",
    linestyle="none",
)
for value, name in ((3.8e3, "Schottky"), (12e3, "earlier spin diode"), (200e3, "APL 2018")):
    axes.axhline(value, color=INK, linestyle=":", linewidth=0.8)
    axes.annotate(
        name,
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        fontsize=8,
        ha="right",
    )
axes.set(xlabel="incident power (nW)", ylabel="sensitivity (V/W incident)", ylim=(4, 6e5))
axes.set_title("0 K, one macrospin, beside measured detectors", loc="left")
axes.legend(frameon=False, loc="lower left", fontsize=8)

# %%
# The weakest signal that is heard
# --------------------------------
#
# Johnson noise is all there is without direct current.
# With one, the thermal motion of the moment makes noise too, and at first more than the bias wins.

levels = np.linspace(0, 0.98, 50)
at_bias = linear_response(active, Drive(i_dc=levels * threshold, i_ac=1e-6))
peak = np.abs(at_bias.rectify(at_bias.resonance).sensitivity_absorbed)
magnetic = magnetic_noise(
    active.replace(temperature=300.0), Drive(i_dc=levels * threshold), 1e6
)
resistance = at_bias.state.resistance
noise_figure, (axes,) = new_figure(size=(5.2, 3.2))
axes.semilogy(
    levels,
    1e12 * noise_equivalent_power(peak, resistance, magnetic=magnetic),
    color=PALETTE[1],
    label="with magnetic noise at 1 MHz",
)
axes.semilogy(
    levels,
    1e12 * noise_equivalent_power(peak, resistance),
    color=PALETTE[0],
    linestyle="--",
    label="Johnson noise alone",
)
axes.set(
    xlabel="direct current over threshold",
    ylabel="noise-equivalent power (pW/$\\sqrt{Hz}$)",
)
axes.set_title("300 K, absorbed power", loc="left")
axes.legend(frameon=False)

# %%
# An antiferromagnet under torque
# -------------------------------
#
# Two sublattices that hold each other antiparallel ring twenty times as fast as one alone would in the same anisotropy field.
# A direct torque tilts them and softens the resonance, until at half the easy-axis field they rotate.

afm = SpinDiode(
    layer=AntiferromagnetDevice(
        ms=1e6, thickness=2e-9, area=1e-14, alpha=1e-3, demag=(-2e4, 0, 0), exchange=4e6
    ),
    junction=TunnelJunction(readout="anisotropic", tmr=0.01),
    torque=SpinTorque(polarization=(0, 0, 1), efficiency=0.6),
)
share = np.array([0, 0.2, 0.4, 0.6, 0.75, 0.85, 0.92, 0.96, 0.98])
pull = share * rotation_field(afm.layer)
tilt = neel_tilt(afm.layer, pull)
ringing = simulate(
    afm,
    Drive(i_dc=current_for_pull(afm, pull)),
    duration=3e-9,
    dt=2e-13,
    start=neel_start(tilt + 0.003),
    watch=np.stack([-np.sin(tilt), np.cos(tilt), 0 * tilt], axis=-1),
)
rest = equilibrium(afm, Drive(i_dc=current_for_pull(afm, pull)), start=(1, 0, 0))
neel_figure, (axes,) = new_figure(size=(5.2, 3.2))
smooth = np.linspace(0, 1, 300)
axes.plot(
    smooth,
    tilted_resonance(afm.layer, smooth * rotation_field(afm.layer)) / 1e9,
    color=PALETTE[0],
    label=r"$f_0 [1 - (a / a_{th})^2]^{1/4}$",
)
axes.plot(
    share,
    ringing.frequency / 1e9,
    "o",
    color=PALETTE[1],
    label="ringing in time",
)
axes.plot(
    share,
    np.sort(np.abs(rest.rates.imag), axis=-1)[:, 0] / (2e9 * pi),
    "x",
    color=INK,
    label="eigenvalue of the linearised equations",
)
axes.set(xlabel="torque over threshold", ylabel="resonance (GHz)", ylim=(0, 15.5))
axes.set_title("A direct current tunes the resonance", loc="left")
axes.legend(frameon=False, loc="lower left")

# %%
# An antiferromagnet on a two-dimensional material
# ------------------------------------------------
#
# A current in a heavy metal gives spins that lie in the plane; a torque on the Neel vector of a film needs spins along its hard axis,
# which often is the normal.
# Two-dimensional materials of low symmetry, such as WTe2, give some of these (D. MacNeill et al., Nature Phys. 13 (2017) 300).
# The design below puts a film with fields of the order of nickel oxide's on such a strip; its numbers are ours.
# With one and the same efficiency, the source of low symmetry lowers the resonance from 0.22 to 0.13 THz, the other by 4 %.
#
# All this is a consequence of the model: no such diode was tested, and heat, interfaces, domains and the antenna are left out.
# The film needs 3 mA in a strip of 100 nm x 5 nm, 6e12 A/m^2, which would heat it.

currents = np.linspace(0, 2.9e-3, 60)
film_figure, (axes,) = new_figure(size=(5.2, 3.2))
for colour, (source, label) in zip(
    PALETTE,
    {
        "low_symmetry": "low symmetry, spins also along the normal",
        "in_plane": "spins in the plane",
    }.items(),
    strict=False,
):
    film = van_der_waals_diode(source)
    rest = equilibrium(film, Drive(i_dc=currents), start=(1, 0, 0))
    slowest = np.abs(rest.rates.imag).min(axis=-1) / (2 * pi)
    axes.plot(1e3 * currents, slowest / 1e12, color=colour, label=label)
    onset = threshold_current(film, start=(1, 0, 0))
    print(f"{source}: the Neel vector rotates from {1e3 * onset:.1f} mA on")
axes.set(xlabel="direct current (mA)", ylabel="lower resonance (THz)", ylim=(0, 0.25))
axes.set_title("Only the source of low symmetry tunes the film", loc="left")
axes.legend(frameon=False, loc="lower left")

# %%
# A planar magnetoresistance reads the film, so it rectifies: a detector that a direct current tunes through 0.1 to 0.2 THz.
# It gives 7 V per absorbed watt, a fiftieth of the passive tunnel junction above.

film = van_der_waals_diode()
terahertz = np.linspace(0.05e12, 0.28e12, 200)
lines = linear_response(film, Drive(i_dc=currents, i_ac=1e-5), start=(1, 0, 0)).rectify(
    terahertz[:, None]
)
map_of_lines = map_figure(
    terahertz / 1e12,
    1e3 * currents,
    1e9 * lines.v_dc.T,
    labels=("frequency (THz)", "direct current (mA)", "rectified voltage at 10 µA (nV)"),
)
map_of_lines.axes[0].set_title("A tuned line in the terahertz range", loc="left")
print(f"largest sensitivity {np.abs(lines.sensitivity_absorbed).max():.1f} V/W")

# %%
# A thousand devices
# ------------------
#
# Fabrication makes no two diodes alike.
# An ensemble is one diode with arrays in its fields, and goes through every function above.

ensemble = fabricate(
    in_plane(60),
    {"alpha": 0.05, "thickness": 0.02, "tmr": 0.1},
    absolute={"misalignment": 0.02},  # rad
    samples=1000,
    seed=1,
)
grid = np.linspace(5.2e9, 6.1e9, 91)
spectra = sensitivity_spectrum(ensemble, grid, power=1e-8)
sensitivity = np.abs(spectra.sensitivity_incident)
histogram_figure, (axes,) = new_figure(size=(5.2, 3.2))
bins = np.linspace(50, 150, 51)
for colour, (name, values) in zip(
    PALETTE,
    {
        "each at its own resonance": sensitivity.max(axis=0),
        "all at 5.7 GHz": sensitivity[50],
    }.items(),
    strict=False,
):
    axes.hist(values, bins=bins, color=colour, alpha=0.6, label=name)
    print(f"{name}: {values.mean():.1f} ± {values.std(ddof=1):.1f} V/W")
axes.set(xlabel="sensitivity (V/W incident)", ylabel="devices")
axes.set_title("1000 passive diodes", loc="left")
axes.legend(frameon=False)
