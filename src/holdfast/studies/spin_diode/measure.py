"""What one point measures, part by part, and what the points of a part say together."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.combination import Combination
from holdfast.core.drawn import curve, estimates_over, traces
from holdfast.core.estimate import bootstrap, computed, exact, extreme, mean_t
from holdfast.core.experiment import Drawing, Measurement, Quantity
from holdfast.core.pictures import map_figure
from holdfast.core.seeds import Seeds
from holdfast.devices import fabricate
from holdfast.devices import spintronics as sp
from holdfast.devices.spintronics.macrospin.cmtj_peer import speed_over_cmtj
from holdfast.studies.study import joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.core.experiment import Context, Point
    from holdfast.core.runs import Runs
    from holdfast.studies.study import Row, Study

AMPLITUDES = np.array([2e-6, 3e-6, 5e-6, 7e-6, 10e-6, 14e-6, 20e-6, 28e-6, 40e-6])  # A, of the injected current
WEAK, STRONG = 2, 8  # places of the drives of 5 and 40 uA
SPREAD, MISALIGNED = {"alpha": 0.05, "thickness": 0.02, "tmr": 0.1}, {"misalignment": 0.02}  # relative; in rad
FIELD, EASY_PLANE, ALPHA = 4e4, 6e5, 0.01  # A/m, A/m and damping of the disc in its plane
RESONANCE = float(sp.macrospin.easy_plane_resonance(FIELD, EASY_PLANE))
Words = dict[str, Any]
GHZ: Words = {"axis": "frequency", "unit": "GHz"}
GAIN: Words = {"quantity": "sensitivity (V per absorbed W)"}
BIAS: Words = {"axis": "direct current over threshold", "log": "y"}
TORQUE: Words = {"axis": "torque over threshold", "log": "y"}
BIASED = {"chart": "Sensitivity against direct current, 0 K", **BIAS, **GAIN}
NOISE = {"chart": "Noise-equivalent power against direct current", "quantity": "power at 300 K (W per root Hz)", **BIAS}
POWER = {"chart": "Sensitivity against power, 0 K", "axis": "absorbed power", "unit": "nW", "log": "xy", **GAIN}
RANGE = {"chart": "Locking range against injected current", "axis": "injected current", "unit": "uA", "quantity": "range (MHz)"}
LINE = {"chart": "Line of the passive diode by field-like torque", "quantity": "rectified voltage (uV)", **GHZ}
TAIL = {"chart": "Low-frequency tails, 300 K", "quantity": "voltage over its largest", "log": "x", **GHZ}
KEPT = {"chart": "Voltage kept at 50 MHz, 300 K", "axis": "alternating current", "unit": "mA", "quantity": "share of the largest"}
TUNING = {"chart": "Antiferromagnetic resonance by easy axis (A/m)", "quantity": "resonance (GHz)", **TORQUE}
TURNING = {"chart": "Rotation of the Neel vector by damping", "quantity": "rotation (GHz)", **TORQUE}
MANY = {"chart": "Many passive diodes as fabrication spreads them", **GHZ, **GAIN}
FILM = {"chart": "Antiferromagnet on two sources of spins", "axis": "direct current", "unit": "mA", "quantity": "resonance (THz)"}
RECORD = (
    "The locked diode is no record: a macrospin at 0 K gives {:.0f} kV/W per absorbed and {:.0f} kV/W per incident watt (5 uA). "
    "Devices at room temperature gave 75.4 (arXiv:1410.4958) and above 200 kV/W (Zhang et al., APL 2018) per incident watt."
)


def speed(study: Study, point: Point, context: Context) -> Measurement:
    """Runge-Kutta steps per second of CPU time, ours over cmtj's."""
    wave = sp.Drive(frequency=5e9, field_ac=(0.0, 100.0, 0.0))
    return Measurement(estimates={"ratio": speed_over_cmtj(sp.diode.in_plane_diode().layer, wave)})


@cache
def _threshold() -> float:
    return float(sp.threshold_current(sp.diode.in_plane_diode(150.0)))


def _active(share: float, **layer: Any) -> tuple[sp.SpinDiode, float]:
    """The diode with spins at 150 degrees, and the direct current that is `share` of its threshold."""
    return sp.diode.in_plane_diode(150.0, **layer), share * _threshold()


def onset(study: Study, point: Point, context: Context) -> Measurement:
    """How a small tilt rings, the current at which oscillation sets in, and how a deviation grows 3 % on either side of it."""
    rung = sp.macrospin.ring_down(sp.diode.in_plane_diode(), sp.Drive(), duration=5e-9, dt=1e-12)
    diode, found = _active(1.0)
    pull = sp.macrospin.easy_plane_threshold(FIELD, EASY_PLANE, alpha=ALPHA, cosine=np.cos(np.deg2rad(150)))
    drive = sp.Drive(i_dc=found * np.array([0.97, 1.03]))
    start = sp.equilibrium(diode, drive).m + np.array([0, 1e-4, 0])
    early, late = (sp.simulate(diode, drive, duration=10e-9, settle=wait, start=start).amplitude for wait in (0.0, 80e-9))
    current, (below, above) = found / float(sp.macrospin.current_for_pull(diode, pull)), late / early
    return Measurement(estimates=computed(ringing=rung.frequency / RESONANCE, current=current, below=below, above=above))


def line(study: Study, point: Point, context: Context) -> Measurement:
    """The passive line at 10 uA, stepped through time and by linear response, and its height from 1 to 20 uA."""
    diode, drive = sp.diode.in_plane_diode(field_like=point["field_like"]), sp.Drive(i_ac=1e-5)
    f, small = np.linspace(0.5, 1.6, point["frequencies"]) * RESONANCE, sp.linear_response(diode, drive)
    timed = sp.rectified_voltage(diode, drive.replace(frequency=f), duration=100e-9, settle=60e-9)
    fine, fitted = small.rectify(np.linspace(0.5, 1.6, 4001) * RESONANCE), sp.diode.fit_lorentzian(f, timed.v_dc)
    stronger = sp.Drive(i_ac=np.geomspace(1e-6, 20e-6, 9), frequency=RESONANCE)
    grown = sp.rectified_voltage(diode, stronger, duration=100e-9, settle=60e-9)
    values = computed(
        deviation=np.abs(timed.v_dc - small.v_dc(f)).max() / np.abs(fine.v_dc).max(),
        antisymmetric=fitted.antisymmetric_fraction,
        width=fitted.half_width / sp.macrospin.easy_plane_half_width(FIELD, EASY_PLANE, alpha=ALPHA),
        slope=np.polyfit(np.log(grown.absorbed), np.log(np.abs(grown.v_dc)), 1)[0],
    )
    arrays = {"frequency": f, "timed": timed.v_dc, "fine": fine.frequency[::10], "linear": fine.v_dc[::10]}
    return Measurement(estimates=values, arrays={**arrays, "absorbed": grown.absorbed, "gain": np.abs(grown.sensitivity_absorbed)})


def bias(study: Study, point: Point, context: Context) -> Measurement:
    """Sensitivity at 0 K and noise-equivalent power of the active diode below its threshold, at 1 uA."""
    diode, i_dc = _active(point["share"])
    drive = sp.Drive(i_dc=i_dc, i_ac=1e-6)
    small = sp.linear_response(diode, drive)
    f = small.resonance + np.linspace(-3, 3, 33) * small.half_width
    timed = sp.rectified_voltage(diode, drive.replace(frequency=f), duration=150e-9, settle=200e-9, start=(1, 1e-3, 0))
    sensitivity, resistance = np.abs(timed.sensitivity_absorbed).max(), small.state.resistance
    magnetic = sp.diode.magnetic_noise(diode.replace(temperature=300.0), drive, 1e6)
    values = computed(
        sensitivity=sensitivity,
        linear=np.abs(small.rectify(f).sensitivity_absorbed).max(),
        nep=sp.noise_equivalent_power(sensitivity, resistance, magnetic=magnetic),
        nep_johnson=sp.noise_equivalent_power(sensitivity, resistance),
    )
    return Measurement(estimates=values)


def warm(study: Study, point: Point, context: Context) -> Measurement:
    """The largest sensitivity of the active diode at 300 K, over runs with other noise and frequencies around its own."""
    diode, i_dc = _active(point["share"], alpha=np.full((point["runs"], 1), ALPHA), temperature=300.0)
    drive = sp.Drive(i_dc=i_dc, i_ac=point["i_ac"], frequency=np.linspace(5.2e9, 5.8e9, 13))
    found = sp.rectified_voltage(diode, drive, duration=150e-9, settle=50e-9, seed=context.own_seed(point))
    sizes = [Combination.of(mean_t(column, level=1 - 0.05 / 13)).size().estimate() for column in found.sensitivity_absorbed.T]
    return Measurement(estimates={"sensitivity": extreme(sizes)})


def locking(study: Study, point: Point, context: Context) -> Measurement:
    """The oscillating diode under injected currents, from one random direction: where it locks and what it then rectifies."""
    diode, i_dc = _active(point["share"])
    detuning = np.linspace(-150e6, 150e6, point["detunings"])
    run: dict[str, Any] = {"settle": 200e-9, "start": Seeds(context.own_seed(point)).numpy("start").normal(size=3)}
    found = sp.injection_locking(diode, i_dc=i_dc, i_ac=AMPLITUDES, detuning=detuning, duration=point["duration"], **run)
    seen = found.rectified
    gain, incident, volts = map(found.largest, (seen.sensitivity_absorbed, seen.sensitivity_incident, seen.v_dc))
    absorbed, locked = seen.absorbed[0], np.where(found.locked, seen.v_dc, np.nan)
    between = slice(WEAK, STRONG - 1)  # 5 to 20 uA
    values = computed(
        sensitivity=gain[WEAK],
        incident=incident[WEAK],
        absorbed=absorbed[WEAK],
        strong=gain[STRONG],
        widening=np.polyfit(AMPLITUDES, found.width, 1)[0],
        slope=np.polyfit(np.log(absorbed[between]), np.log(np.maximum(volts[between], 1e-30)), 1)[0],
    )
    arrays = {"detuning": detuning, "voltage": locked.T, "width": found.width, "gain": gain, "absorbed": absorbed}
    return Measurement(estimates=values, arrays=arrays)


def tail(study: Study, point: Point, context: Context) -> Measurement:
    """Voltages from 50 MHz to 6 GHz at 300 K over runs with other noise, and how much of the largest is left at 50 MHz."""
    diode = sp.diode.cone_diode(point["device"], alpha=np.full((point["seeds"], 1), 0.02), temperature=300.0)
    f = np.geomspace(50e6, 6e9, point["frequencies"])
    run: dict[str, Any] = {"settle": 50e-9, "start": (0.3, 0.1, 0.95), "seed": context.own_seed(point)}
    volts = sp.rectified_voltage(diode, sp.Drive(i_ac=point["i_ac"], frequency=f), duration=point["duration"], **run).v_dc
    share = bootstrap(volts, sp.diode.low_frequency_share)
    return Measurement(estimates={"share": share}, arrays={"frequency": f, "voltage": volts})


def _beside(found: sp.macrospin.NeelMotion, **values: Any) -> Measurement:
    arrays = {"share": found.share, "frequency": found.frequency, "expected": found.expected}
    return Measurement(estimates=computed(error=found.error, **values), arrays=arrays)


def neel_tuning(study: Study, point: Point, context: Context) -> Measurement:
    """Ringing of an antiferromagnet at shares of the torque that makes it rotate, beside its closed form."""
    shares = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95)
    found = sp.macrospin.neel_ringing(sp.diode.antiferromagnetic_diode(point["easy"], point["exchange"], alpha=1e-3), shares)
    softening = found.frequency / found.frequency[0]
    rest, tuned = found.frequency[0] / found.expected[0], found.frequency[-1]
    return _beside(found, rest=rest, tuned=tuned, at_0p8=np.interp(0.8, found.share, softening))


def neel_rotating(study: Study, point: Point, context: Context) -> Measurement:
    """Rotation under the torque of a current, beside its limits of weak and strong damping."""
    diode = sp.diode.antiferromagnetic_diode(point["easy"], point["exchange"], alpha=point["alpha"])
    found = sp.macrospin.neel_spinning(diode, point["shares"], duration=point["duration"], settle=point["settle"])
    moving = found.share > 1
    return _beside(found, below=found.cycles[~moving].max(initial=0), above=found.cycles[moving].min())


def van_der_waals(study: Study, point: Point, context: Context) -> Measurement:
    """An antiferromagnet on a source of spins: resonance and line under direct currents, and one line stepped through time."""
    diode, i_dc = sp.diode.van_der_waals_diode(point["source"]), np.linspace(0, 2.9e-3, 39)
    small = sp.linear_response(diode, sp.Drive(i_dc=i_dc, i_ac=1e-5), start=(1, 0, 0))
    slowest = np.abs(small.state.rates.imag).min(axis=-1) / (2 * np.pi)
    f = np.linspace(0.2, 1.3, 221) * slowest[0]
    linear, drive = small.rectify(f[:, None]), sp.Drive(i_dc=i_dc[30], i_ac=1e-5, frequency=f[60::20])
    run: dict[str, Any] = {"settle": 100e-12, "dt": sp.macrospin.longest_step(diode, drive), "start": small.state.m[30]}
    timed = sp.rectified_voltage(diode, drive, duration=300e-12, **run).v_dc
    values = computed(
        rest=slowest[0],
        tuned=slowest[-1],
        softening=slowest[-1] / slowest[0],
        sensitivity=np.abs(linear.sensitivity_absorbed).max(),
        deviation=np.abs(timed - linear.v_dc[60::20, 30]).max() / np.abs(linear.v_dc[:, 30]).max(),
    )
    return Measurement(estimates=values, arrays={"i_dc": i_dc, "resonance": slowest, "frequency": f, "voltage": linear.v_dc.T})


def ensemble(study: Study, point: Point, context: Context) -> Measurement:
    """Sensitivity of many passive diodes against frequency, as fabrication spreads them, by linear response."""
    many = fabricate(sp.diode.in_plane_diode(), SPREAD, absolute=MISALIGNED, samples=point["devices"], seed=1)
    f = np.linspace(5.2e9, 6.1e9, 46)
    found = np.abs(sp.linear_response(many, sp.Drive(i_ac=1e-5)).rectify(f[:, None]).sensitivity_absorbed)
    mean, sd = found.mean(axis=1), found.std(axis=1, ddof=1)
    return Measurement(estimates=computed(spread=(sd / mean).max()), arrays={"frequency": f, "mean": mean, "sd": sd})


of_lines = joined(
    traces(
        {"linear, {field_like:g}": ("fine", "linear"), "simulated, {field_like:g}": ("frequency", "timed")},
        scale=(1e-9, 1e6),
        **LINE,
    ),
    lambda study, runs: traces({"passive": ("absorbed", "gain")}, scale=(1e9, 1.0), **POWER)(study, runs.where(field_like=0.0)),
)
of_biases = joined(
    estimates_over("share", {"simulated": "sensitivity", "linear response": "linear"}, **BIASED),
    estimates_over("share", {"Johnson and magnetic": "nep", "Johnson alone": "nep_johnson"}, **NOISE),
)
GIGA = (1.0, 1e-9)
of_tuning = traces(
    {"closed form, {easy:g}": ("share", "expected"), "simulated, {easy:g}": ("share", "frequency")}, scale=GIGA, **TUNING
)
of_rotation = traces(
    {"closed form, {alpha:g}": ("share", "expected"), "simulated, {alpha:g}": ("share", "frequency")}, scale=GIGA, **TURNING
)
of_ensembles = traces({"mean": ("frequency", "mean"), "standard deviation": ("frequency", "sd")}, scale=(1e-9, 1.0), **MANY)


def of_locking(study: Study, runs: Runs) -> Iterator[Row]:
    """Means over starts, and where the first of them locks."""
    best = {}
    for at, group in runs.by("share"):
        means = {name: mean_t(group.values(name)) for name in group.names}
        yield from (Quantity(name, mean, at) for name, mean in means.items())
        yield from (Quantity(f"{name}_kv", exact(round(means[name].value / 1e3)), at) for name in ("sensitivity", "incident"))
        label, best[at["share"]] = f"locked, {at['share']:g} of the threshold", means["sensitivity"]
        widths, gains = (np.array(group.arrays(name)).T for name in ("width", "gain"))
        yield from curve(label, {1e6 * amps: mean_t(row / 1e6) for amps, row in zip(AMPLITUDES, widths, strict=True)}, **RANGE)
        watts = 1e9 * group.first.arrays["absorbed"]
        yield from curve(label, {power: mean_t(row) for power, row in zip(watts, gains, strict=True) if row.min() > 0}, **POWER)
    yield from curve("locked to 5 uA", best, **BIASED)
    yield RECORD.format(*(runs.where(share=1.05).values(name).mean() / 1e3 for name in ("sensitivity", "incident")))
    labels, first = ("detuning (MHz)", "injected current (uA)", "rectified voltage where locked (mV)"), runs.first.arrays
    figure = map_figure(first["detuning"] / 1e6, 1e6 * AMPLITUDES, 1e3 * first["voltage"], labels=labels, log="y")
    yield Drawing(
        title="Where the diode locks, at 1.05 of its threshold", figure=figure, note="One start at 0 K; white: not locked."
    )


def of_tails(study: Study, runs: Runs) -> Iterator[Row]:
    """Voltage against frequency at two drives, the share kept at 50 MHz, and the drive from which on half of it is."""
    for point, found in runs.where(i_ac=(1e-4, 4e-4)):
        volts = found.arrays["voltage"] / np.abs(found.arrays["voltage"].mean(axis=0)).max()
        dots = {f / 1e9: mean_t(column) for f, column in zip(found.arrays["frequency"], volts.T, strict=True)}
        yield from curve(f"{point['device']}, {1e3 * point['i_ac']:g} mA", dots, **TAIL)
    yield from estimates_over("i_ac", {"{device}": "share"}, scale=1e3, **KEPT)(study, runs)
    for at, group in runs.where(device=("cone", "perpendicular")).by("device"):
        keeping = partial(sp.diode.keeping_drive, drive=[point["i_ac"] for point in group.points])
        yield Quantity("threshold", bootstrap(np.stack(group.arrays("voltage"), axis=1), keeping), at)


def of_films(study: Study, runs: Runs) -> Iterator[Row]:
    """The resonance against the current on both sources, and the line on that of low symmetry."""
    yield from traces({"{source}": ("i_dc", "resonance")}, scale=(1e3, 1e-12), **FILM)(study, runs)
    labels, found = ("frequency (THz)", "direct current (mA)", "rectified voltage at 10 uA (nV)"), runs.first.arrays
    figure = map_figure(found["frequency"] / 1e12, 1e3 * found["i_dc"], 1e9 * found["voltage"], labels=labels)
    yield Drawing(title="An antiferromagnet on a two-dimensional source of spins", figure=figure, note="Linear response at 0 K.")
