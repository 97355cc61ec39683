"""The study of spin diodes: its points, its claims, and what a small run says."""

from dataclasses import replace

import numpy as np
import pytest

from holdfast.core.claim import MetricTable, judge
from holdfast.core.errors import InputError
from holdfast.core.estimate import exact
from holdfast.core.experiment import Context, Experiment, Measurement
from holdfast.core.grammar import parse
from holdfast.core.seeds import Seeds
from holdfast.studies import list_studies, spin_diode
from holdfast.studies.spin_diode import CLAIMS, PARTS, PRESETS, prepare
from holdfast.studies.spin_diode.outcomes import Outcomes
from holdfast.studies.spin_diode.rectifiers import AMPLITUDES

TINY = replace(
    PRESETS["quick"],
    lines=(0.0, 0.3),
    frequencies=24,
    biases=(0.0, 0.9),
    starts=1,
    detunings=5,
    lock_time=30e-9,
    tail_frequencies=3,
    tail_seeds=3,
    tail_time=210e-9,
    runs=4,
    run_time=20e-9,
    shares=(0.0, 0.8),
    devices=5,
    device_time=10e-9,
    device_frequencies=(5.5e9, 5.6e9),
    peer=False,
)
CHEAP = ("ring", "onset", "power", "formulae", "line", "bias", "neel_tuning", "ensemble")


@pytest.fixture(scope="module")
def measured():
    context = Context(seeds=Seeds(0))
    return [(point, TINY.measure(point, context)) for point in TINY.points() if point["part"] in CHEAP]


def verdicts(measurements, experiment=TINY):
    summary = experiment.summarise(measurements)
    table = MetricTable()
    for name, estimate in summary.metrics.items():
        table.add(name, estimate)
    for point, measurement in measurements:
        for name, estimate in measurement.estimates.items():
            table.add(name, estimate, at=point)
    return {verdict.claim.id: verdict for verdict in judge(summary.claims, table)}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_an_experiment_whose_points_all_have_a_measure(preset):
    assert isinstance(PRESETS[preset], Experiment)
    assert {point["part"] for point in PRESETS[preset].points()} == set(PARTS)


def test_the_eleven_claims_are_there_in_every_preset():
    for claims in CLAIMS.values():
        assert {claim.id.split(".")[0] for claim in claims} == {str(number) for number in range(1, 12)}


def test_what_the_closed_forms_say_passes_in_a_small_run(measured):
    found = verdicts(measured)
    for claim in (
        "1.frequency",
        "1.width",
        "2.b0",
        "2.b03",
        "3.small",
        "4.threshold",
        "4.decays",
        "4.grows",
        "4.gain",
        "7.passive",
    ):
        assert found[claim].status == "pass", found[claim].reason
    for claim in ("9.tuning", "10.nep", "10.load", "10.voltage", "10.power"):
        assert found[claim].status == "pass", found[claim].reason


def test_what_was_not_measured_is_an_error_and_never_a_pass(measured):
    found = verdicts(measured)
    for claim in ("5.sensitive", "6.cone", "8.in_plane", "9.above"):
        assert found[claim].status == "error"


def test_a_bias_that_gains_nothing_fails_its_claim(measured):
    flat = [
        (point, replace(one, estimates={**one.estimates, "bias.sensitivity": exact(172.0)}) if point["part"] == "bias" else one)
        for point, one in measured
    ]
    assert verdicts(flat)["4.gain"].status == "fail"


def test_tongues_are_averaged_over_their_starts():
    def tongue(widths, sensitivity):
        ones = np.ones(len(AMPLITUDES))
        arrays = dict.fromkeys(("incident", "voltage"), ones)
        power = np.array(AMPLITUDES) ** 2
        return Measurement(estimates={}, arrays=arrays | {"power": power, "width": widths, "sensitivity": sensitivity * ones})

    widths = np.array([10.0, 20, 30, 40, 50]) * 1e6
    made = [
        ({"part": "locking", "share": 1.05, "start": start}, tongue(widths + shift, 1e5 + start))
        for start, shift in enumerate(([0, 0, 0, 0, 0], [0, 0, -15e6, 0, 0], [0, 0, 0, 0, 0]))
    ]
    metrics = Outcomes(made).metrics()
    assert metrics["locking.s105.width_5uA"].is_exact
    assert metrics["locking.s105.width_10uA"].value == pytest.approx(25e6)
    assert metrics["locking.s105.least_widening"].value == pytest.approx(5e6)
    assert metrics["locking.s105.sensitivity_5uA"].n == 3
    assert metrics["locking.s105.slope"].value == pytest.approx(0, abs=1e-12)  # a constant voltage


def test_a_point_measured_again_gives_the_same_numbers():
    point = {"part": "tail", "device": "deep_cone", "frequencies": 2, "seeds": 2, "duration": 205e-9}
    first, again, other = (TINY.measure(point, Context(seeds=Seeds(seed))).arrays["voltage"] for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).all()


def test_curves_carry_simulation_beside_linear_response(measured):
    curves = {curve.name: curve for curve in TINY.summarise(measured).curves}
    timed, linear = curves["line shape simulated, field-like 0"], curves["line shape linear, field-like 0"]
    beside = np.interp(timed.at, linear.at, linear.values)
    assert np.abs(timed.values - beside).max() < 0.01 * np.abs(linear.values).max()
    assert curves["device ensemble mean"].at == (5.5, 5.6)


def test_without_the_peer_its_claim_is_left_out_and_a_note_says_so(monkeypatch):
    monkeypatch.setattr(spin_diode, "peer_is_installed", lambda: False)
    experiment = prepare("quick")
    summary = experiment.summarise([])
    assert "11" not in {claim.id for claim in summary.claims}
    assert "speed" not in {point["part"] for point in experiment.points()}
    assert any("cmtj is not installed" in note for note in summary.notes)


def test_figures_of_the_literature_are_not_claimed_as_the_perspectives():
    for claim in CLAIMS["standard"]:
        parse(claim.check)
        assert "2103.13793" not in claim.source or "abstract" in claim.source


def test_the_study_is_listed_with_its_paper():
    row = next(row for row in list_studies() if row["study"] == "spin-diode")
    assert "2103.13793" in row["source"]


def test_unknown_presets_are_refused():
    with pytest.raises(InputError, match="quick"):
        prepare("quik")
