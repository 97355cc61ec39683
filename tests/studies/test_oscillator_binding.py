"""The study of events bound by oscillators: what its parts say together, on small runs and on measurements made up here."""

from dataclasses import replace

import pytest

from holdfast.core.claim import judge
from holdfast.core.estimate import exact, proportion
from holdfast.core.experiment import Context, Measurement
from holdfast.core.metrics import MetricTable
from holdfast.studies.oscillator_binding import EVERY_TARGET, PRESETS
from holdfast.studies.oscillator_binding.measure import TARGETS

STUDY = replace(PRESETS["tiny"], noises=(1e-4,), repeats=10)


@pytest.fixture(scope="module")
def sequences():
    context = Context().for_experiment("oscillator-binding")
    return [(point, STUDY.measure(point, context)) for point in STUDY.points() if point["part"] == "sequence"]


def test_controls_bind_where_they_should(sequences):
    found = {(one.name, one.at["variant"]): one.estimate.value for one in STUDY.summarise(sequences).quantities}
    assert found["sequence.least_hits", "coupled"] == 1
    assert found["sequence.most_false_alarms", "coupled"] == 0
    assert found["sequence.all_hits", "uncoupled"] == 0
    assert found["sequence.least_fires_on", "commensurate"] > 0


def test_the_coupling_is_the_one_that_the_rule_chose(sequences):
    assert {found.details["coupling"] for point, found in sequences if point["variant"] == "coupled"} == {0.8e5}
    assert any("0.08 MHz" in note for note in STUDY.summarise(sequences).notes)


def presented(noise, hits, wrong, *, repeats=200):
    """What measuring six targets at a noise level gives."""
    for target in TARGETS:
        shares = {"hits": proportion(hits, repeats), "false_alarms": proportion(wrong, 2 * repeats)}
        accuracy = exact((shares["hits"].value + 1 - shares["false_alarms"].value) / 2)
        yield {"part": "noise", "noise": noise, "target": target}, Measurement(estimates={**shares, "accuracy": accuracy})


@pytest.mark.parametrize(("hits", "status"), [((200, 160, 100), "pass"), ((200, 200, 100), "undecided"), ((150, 200, 100), "fail")])
def test_a_rise_with_noise_is_judged_by_its_interval(hits, status):
    found = [one for noise, hit in zip((1e-4, 1e-3, 1e-2), hits, strict=True) for one in presented(noise, hit, 4)]
    summary = STUDY.summarise(found)
    table = MetricTable()
    for one in summary.quantities:
        table.add(one.name, one.estimate, at=one.at)
    rise = table.find("noise.largest_rise")
    assert rise.lo < rise.hi
    assert rise.value == pytest.approx(max(hits[1] - hits[0], hits[2] - hits[1]) / 400)
    [verdict] = judge([claim for claim in summary.claims if claim.id == "10.graceful"], table)
    assert verdict.status == status


def test_every_point_of_a_large_map_is_a_vote():
    scales = [study for preset, study in PRESETS.items() if preset != "tiny"]
    assert {point["votes"] for study in scales for point in study.points() if point["part"] == "map"} == {3}


def test_all_27_targets_are_judged_where_they_are_presented():
    assert set(PRESETS["standard"].targets) == set(EVERY_TARGET)
    ids = {preset: {claim.id for claim in study.planned()} for preset, study in PRESETS.items()}
    assert "5.n0.every.false" in ids["standard"]
    assert "5.n0.every.false" not in ids["quick"]
