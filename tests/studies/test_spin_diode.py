"""The study of spin diodes: what its parts say together, on a small run and on measurements made up here."""

from dataclasses import replace

import numpy as np
import pytest

from holdfast.core.claim import judge
from holdfast.core.estimate import exact
from holdfast.core.experiment import Context, Measurement
from holdfast.core.metrics import MetricTable
from holdfast.core.seeds import Seeds
from holdfast.studies import spin_diode
from holdfast.studies.spin_diode import PRESETS
from holdfast.studies.spin_diode.measure import AMPLITUDES

TINY = PRESETS["tiny"]
CHEAP = ("onset", "line", "bias", "neel_onset", "neel_tuning", "neel_rotating", "van_der_waals", "ensemble")


@pytest.fixture(scope="module")
def measured():
    return [(point, TINY.measure(point, Context())) for point in TINY.points() if point["part"] in CHEAP]


def verdicts(measurements, study=TINY):
    summary = study.summarise(measurements)
    table = MetricTable()
    for one in summary.quantities:
        table.add(one.name, one.estimate, at=one.at)
    for point, found in measurements:
        for name, estimate in found.estimates.items():
            table.add(f"{point['part']}.{name}", estimate, at={key: value for key, value in point.items() if key != "part"})
    return {verdict.claim.id: verdict for verdict in judge(summary.claims, table)}


def test_what_closed_forms_and_linear_response_say_passes_in_a_small_run(measured):
    found = verdicts(measured)
    closed = [
        "1.frequency",
        "1.width",
        "2.b0",
        "2.b03",
        "3.small",
        "3.sign",
        "4.threshold",
        "4.decays",
        "4.grows",
        "4.gain",
        "7.passive",
    ]
    antiferromagnets = [id_ for id_ in found if id_.startswith(("9.", "12."))]
    assert len(antiferromagnets) == 13
    assert {id_: found[id_].reason for id_ in closed + antiferromagnets if found[id_].status != "pass"} == {}


def test_what_was_not_measured_is_an_error_and_never_a_pass(measured):
    found = verdicts(measured)
    for claim in ("4.warm", "5.sensitive", "5.warm", "6.cone", "6.threshold"):
        assert found[claim].status == "error"


@pytest.mark.parametrize(
    ("part", "estimate", "value", "claim"),
    [
        ("bias", "sensitivity", 172.0, "4.gain"),  # a bias that gains nothing
        ("van_der_waals", "softening", 0.58, "12.symmetry"),  # spins in the plane that tune as well as those along the normal
        ("van_der_waals", "softening", 0.97, "12.tuned"),  # a source that does not tune
    ],
)
def test_a_device_that_behaves_otherwise_fails_its_claim(measured, part, estimate, value, claim):
    other = [
        (point, replace(one, estimates={**one.estimates, estimate: exact(value)}) if point["part"] == part else one)
        for point, one in measured
    ]
    assert verdicts(other)[claim].status == "fail"


def locked(start, *, widening=2e12, sensitivity=1e5):
    """What one start of the locked diode gives."""
    numbers = {"sensitivity": sensitivity, "incident": sensitivity / 5, "absorbed": 1.1e-8, "strong": 1e4, "slope": 0.5}
    estimates = {name: exact(value) for name, value in (numbers | {"widening": widening}).items()}
    arrays = {"width": widening * AMPLITUDES, "gain": np.geomspace(4e5, 1e4, 9), "absorbed": np.geomspace(1e-9, 1e-6, 9)}
    arrays |= {"detuning": np.linspace(-1.5e8, 1.5e8, 5), "voltage": np.where(np.arange(5) == 2, 1e-3, np.nan) * np.ones((9, 1))}
    return {"part": "locking", "share": 1.05, "start": start, "detunings": 5, "duration": 3e-8}, Measurement(
        estimates=estimates, arrays=arrays
    )


@pytest.mark.parametrize(
    ("slopes", "status"),
    [((2e12, 3e12, 2e12, 3e12, 2e12), "pass"), ((2e12, -1e12, 1e12, -2e12, 1e12), "undecided"), ((-2e12, -3e12, -2e12), "fail")],
)
def test_the_widening_of_the_locking_range_is_judged_over_all_starts(slopes, status):
    assert verdicts([locked(start, widening=slope) for start, slope in enumerate(slopes)])["5.range"].status == status


def test_the_sensitivity_of_the_locked_diode_stands_beside_its_conditions_and_what_devices_reached():
    summary = TINY.summarise([locked(start) for start in range(2)])
    [note] = [note for note in summary.notes if "no record" in note]
    for words in ("0 K", "100 kV/W per absorbed", "20 kV/W per incident", "75.4", "200 kV/W", "room temperature"):
        assert words in note
    [sentence] = [one for one in TINY.paper().sentences if one.n == 2]
    assert "0 K" in sentence.shows
    assert "75.4" in sentence.shows
    assert "300 K" in sentence.regime


def kept(device, i_ac, low, *, seeds=6):
    """Voltages of a device at three frequencies, of which the lowest has the share `low` of the largest."""
    volts = np.tile([low, 1.0, 0.5], (seeds, 1)) * (1 + 0.01 * np.arange(seeds)[:, None])
    point = {"part": "tail", "device": device, "i_ac": i_ac, "frequencies": 3, "seeds": seeds, "duration": 2e-7}
    return point, Measurement(estimates={"share": exact(low)}, arrays={"frequency": np.array([5e7, 5e8, 5e9]), "voltage": volts})


@pytest.mark.parametrize(("cone", "perpendicular", "status"), [((0.1, 0.9), (0.0, 0.6), "pass"), ((0.0, 0.6), (0.1, 0.9), "fail")])
def test_the_drive_that_keeps_half_of_the_voltage_decides_which_device_answers_first(cone, perpendicular, status):
    devices = {"cone": cone, "perpendicular": perpendicular}
    found = [kept(device, i_ac, low) for device, lows in devices.items() for i_ac, low in zip((1e-4, 4e-4), lows, strict=True)]
    assert verdicts(found)["6.threshold"].status == status


def test_a_hot_point_measured_again_gives_the_same_bits():
    point = {"part": "tail", "device": "deep_cone", "i_ac": 1e-4, "frequencies": 2, "seeds": 2, "duration": 205e-9}
    first, again, other = (TINY.measure(point, Context(seeds=Seeds(seed))).arrays["voltage"] for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).all()


def test_charts_carry_simulation_beside_linear_response_and_closed_form(measured):
    summary = TINY.summarise(measured)
    curves = {(curve.chart, curve.name): curve for curve in summary.curves}
    timed, linear = (curves["Line of the passive diode by field-like torque", f"{name}, 0"] for name in ("simulated", "linear"))
    beside = np.interp(timed.at, linear.at, linear.values)
    assert np.abs(timed.values - beside).max() < 0.01 * np.abs(linear.values).max()
    charts = {curve.chart: {one.name for one in summary.curves if one.chart == curve.chart} for curve in summary.curves}
    assert all(len(names) <= 6 for names in charts.values())
    resonance = curves["Antiferromagnetic resonance by easy axis (A/m)", "simulated, 20000"]
    assert resonance.quantity == "resonance (GHz)"
    assert resonance.values[0] == pytest.approx(14.1, rel=0.01)
    assert [drawing.title for drawing in summary.drawings] == ["An antiferromagnet on a two-dimensional source of spins"]


def test_speed_is_measured_where_cmtj_is_installed_and_a_note_says_so(monkeypatch):
    for installed in (True, False):
        monkeypatch.setattr(spin_diode, "cmtj_is_installed", lambda installed=installed: installed)
        study = PRESETS["quick"].prepared()
        assert ("speed" in {point["part"] for point in study.points()}) == installed
        assert ("11" in {claim.id for claim in study.planned()}) == installed
        assert any("cmtj" in note for note in study.notes)


def test_the_paper_is_the_source_of_no_figure():
    for claim in PRESETS["standard"].paper().claims:
        assert "2103.13793" not in claim.source or "ours" in claim.source
