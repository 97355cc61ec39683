from dataclasses import replace

import pytest
from holdfast.studies.oscillator_binding.recipe import EVERY_TARGET, TARGETS, tag

from holdfast.core.claim import judge
from holdfast.core.errors import InputError
from holdfast.core.estimate import exact, proportion
from holdfast.core.experiment import Context, Measurement
from holdfast.core.metrics import MetricTable
from holdfast.studies.oscillator_binding import PRESETS, OscillatorBinding, prepare

TINY = OscillatorBinding(
    side=7, starts=2, votes=3, targets=("012",), noises=(1e-4,), repeats=10, seeds=1, spreads=(0.0,), levels=(1e-4, 3e-2), runs=300
)


@pytest.fixture(scope="module")
def measured():
    context = Context().for_experiment("oscillator-binding")
    wanted = [point for point in TINY.points() if point["part"] != "noise" or point["target"] == "012"]
    kept = [point for point in wanted if point["part"] != "locking" or point.get("name") in {"best", "phase_oscillators"}]
    return [(point, TINY.measure(point, context)) for point in kept]


def test_every_point_says_what_its_claims_need(measured):
    summary = TINY.summarise(measured)
    table = MetricTable()
    for name, estimate in summary.metrics.items():
        table.add(name, estimate)
    verdicts = {verdict.claim.id: verdict for verdict in judge(summary.claims, table)}
    for certain in ("1.closed_forms", "1.relaxation", "2.best", "3.enhancement", "10.degrades"):
        assert verdicts[certain].status in {"pass", "undecided"}, verdicts[certain]
    assert verdicts["2.best"].status == "pass"
    assert verdicts["2.zero"].status == "error"  # not measured here, so never a pass
    missing = {name for name, verdict in verdicts.items() if verdict.status == "error"}
    assert missing == {"2.zero", "2.quadrature", "2.flipped", "2.orthogonal", "3.ten"}
    assert {curve.quantity for curve in summary.curves} >= {"line width over that of one alone", "balanced accuracy"}


def test_controls_bind_where_they_should(measured):
    metrics = TINY.summarise(measured).metrics
    assert metrics["sequence.coupled.n1e4.least_hits"].value == 1
    assert metrics["sequence.uncoupled.n1e4.hits"].value == 0
    assert metrics["sequence.coupled.n1e4.most_false_alarms"].value == 0


def presented(noise, hits, wrong, *, repeats=200):
    """What measuring six targets at a noise level gives."""
    for target in TARGETS:
        shares = {"hits": proportion(hits, repeats), "false_alarms": proportion(wrong, 2 * repeats)}
        accuracy = exact((shares["hits"].value + 1 - shares["false_alarms"].value) / 2)
        yield {"part": "noise", "noise": noise, "target": target}, Measurement(estimates={**shares, "accuracy": accuracy})


@pytest.mark.parametrize(("hits", "status"), [((200, 160, 100), "pass"), ((200, 200, 100), "undecided"), ((150, 200, 100), "fail")])
def test_a_rise_with_noise_is_judged_by_its_interval(hits, status):
    found = [one for noise, hit in zip((1e-4, 1e-3, 1e-2), hits, strict=True) for one in presented(noise, hit, 4)]
    summary = TINY.summarise(found)
    rise = summary.metrics["noise.largest_rise"]
    assert rise.lo < rise.hi
    assert rise.value == pytest.approx(max(hits[1] - hits[0], hits[2] - hits[1]) / 400)
    table = MetricTable()
    for name, estimate in summary.metrics.items():
        table.add(name, estimate)
    verdicts = {verdict.claim.id: verdict.status for verdict in judge(summary.claims, table)}
    assert verdicts["10.graceful"] == status


def test_every_point_of_a_map_is_a_vote():
    assert {point["votes"] for preset in PRESETS.values() for point in preset.points() if point["part"] == "map"} == {3}


def test_a_measurement_repeats(measured):
    point, before = next((point, found) for point, found in measured if point["part"] == "map")
    again = TINY.measure(point, Context().for_experiment("oscillator-binding"))
    assert (again.arrays["partition"] == before.arrays["partition"]).all()


def test_presets_grow(measured):
    del measured
    assert len(PRESETS["quick"].points()) < len(PRESETS["standard"].points())
    assert len(EVERY_TARGET) == len(set(PRESETS["standard"].targets)) == 27
    assert prepare("quick") == PRESETS["quick"]
    assert replace(TINY, targets=EVERY_TARGET).summarise([]).metrics == {}
    with pytest.raises(InputError, match="quick"):
        prepare("quik")


def test_tags_are_words():
    assert [tag(number) for number in (0, 1e-4, 3e-2, 0.05)] == ["n0", "n1e4", "n3e2", "n5e2"]
