"""A measured quantity is found by name and point, or the reason is told; nothing is chosen silently."""

import pytest

from holdfast.core.errors import InputError
from holdfast.core.estimate import exact
from holdfast.core.grammar import parse
from holdfast.core.metrics import MetricTable

EPS = 8 / 255


@pytest.fixture
def table():
    table = MetricTable()
    table.add("clean.accuracy", exact(0.9))
    table.add("pgd.accuracy", exact(0.8), at={"eps": 0.0, "steps": 40})
    table.add("pgd.accuracy", exact(0.5), at={"eps": EPS, "steps": 40})
    table.add("pgd.accuracy", exact(0.4), at={"eps": EPS, "steps": 100})
    table.add("pgd.auc", exact(0.6))
    table.add("pgd.auc", exact(0.7), at={"steps": 40})
    table.add("variation.accuracy", exact(0.3), at={"kind": "gain", "paired": True, "layer": None, "sigma": 1e-12})
    return table


@pytest.mark.parametrize(
    ("path", "selector", "value"),
    [
        ("clean.accuracy", {}, 0.9),
        ("pgd.accuracy", {"eps": 0}, 0.8),
        ("pgd.accuracy", {"eps": EPS * (1 + 1e-10), "steps": 40}, 0.5),
        ("pgd.accuracy", {"eps": 0.03137, "steps": 40}, 0.5),
        ("pgd.accuracy", (("steps", 100.0),), 0.4),
        ("pgd.auc", {}, 0.6),
        ("pgd.auc", {"steps": 40}, 0.7),
        ("variation.accuracy", {}, 0.3),
        ("variation.accuracy", {"kind": "gain", "paired": "true", "layer": "None", "sigma": 1e-12}, 0.3),
    ],
)
def test_a_quantity_is_found_by_path_and_point(table, path, selector, value):
    assert table.find(path, selector).value == value


@pytest.mark.parametrize(
    ("path", "selector", "part"),
    [
        ("clean.acuracy", {}, "unknown metric clean.acuracy; allowed: the 4 metrics of this run. Did you mean clean.accuracy?"),
        ("pgd.accuracy", {"eps": EPS}, "fits 2 points; allowed: one of pgd.accuracy[eps=8/255, steps=40]"),
        ("pgd.accuracy", {}, "fits 3 points"),
        ("pgd.accuracy", {"eps": 0.2}, "a point that was not measured; allowed: one of pgd.accuracy[eps=0, steps=40]"),
        ("pgd.accuracy", {"epsilon": EPS}, "a point that was not measured"),
        ("pgd.accuracy", {"eps": EPS * 1.001, "steps": 40}, "a point that was not measured"),
        ("variation.accuracy", {"sigma": 0.0}, "a point that was not measured"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(table, path, selector, part):
    with pytest.raises(InputError) as refusal:
        table.find(path, selector)
    assert part in str(refusal.value)


def test_a_quotient_finds_the_point_that_was_set_by_its_decimals(table):
    table.add("fgsm.accuracy", exact(0.2), at={"eps": 0.03137})
    assert table.find("fgsm.accuracy", {"eps": EPS}).value == 0.2


def test_digits_that_a_terminal_shows_choose_no_point_among_several_and_no_whole_number(table):
    for eps in (0.0313711, 0.0313712):
        table.add("fgsm.accuracy", exact(eps), at={"eps": eps})
    table.add("square.accuracy", exact(0.3), at={"queries": 20000})
    with pytest.raises(InputError, match="fits 2 points"):
        table.find("fgsm.accuracy", {"eps": 0.03137})
    with pytest.raises(InputError, match="a point that was not measured"):
        table.find("square.accuracy", {"queries": 20001})
    assert table.find("fgsm.accuracy", {"eps": 0.0313712}).value == 0.0313712


def test_a_listed_point_can_be_pasted_back(table):
    with pytest.raises(InputError) as refusal:
        table.find("pgd.accuracy")
    listed = str(refusal.value).split("one of ")[1].rstrip(".").split("], ")
    metrics = [parse(f"{text.rstrip(']')}] > 0").metrics[0] for text in listed]
    assert [table.find(metric.path, metric.selector).value for metric in metrics] == [0.8, 0.5, 0.4]


def test_what_was_skipped_or_crashed_says_why(table):
    table.mark_missing("membership", "no training data")
    table.mark_missing("pgd", "ran out of memory", at={"eps": 0.2, "steps": 40})
    for path, selector, reason in [
        ("membership.advantage", {}, "no training data"),
        ("pgd.accuracy", {"eps": 0.2}, "ran out of memory"),
    ]:
        with pytest.raises(InputError, match=f"was not measured: {reason}"):
            table.find(path, selector)
    with pytest.raises(InputError, match="unknown metric memberships"):
        table.find("memberships.advantage")
    assert table.find("pgd.accuracy", {"eps": 0}).value == 0.8


def test_a_crashed_point_still_counts_as_a_candidate(table):
    table.mark_missing("pgd", "ran out of memory", at={"eps": 0.0, "steps": 100})
    with pytest.raises(InputError, match="fits 2 points"):
        table.find("pgd.accuracy", {"eps": 0})


def test_the_same_point_is_entered_once(table):
    with pytest.raises(InputError, match="in the table already"):
        table.add("clean.accuracy", exact(0.1))


@pytest.mark.parametrize("path", ["baseline", "spin-diode.power", "clean.accuracy ", ""])
def test_a_name_that_no_check_can_write_is_refused(path):
    with pytest.raises(InputError, match="`path` is"):
        MetricTable().add(path, exact(1))


def test_only_quantities_that_need_a_missing_point_get_its_reason(table):
    table.mark_missing("learning", "spread 0.05, seed 3: out of memory", needs={"spread": 0.05, "seed": 3})
    table.mark_missing("learning", "spread 0.05, seed 4: killed", needs={"spread": 0.05, "seed": 4})
    table.add("learning.solved", exact(0.9), at={"spread": 0.1})
    with pytest.raises(InputError, match=r"not measured: spread 0.05, seed 3: out of memory; spread 0.05, seed 4: killed"):
        table.find("learning.solved", {"spread": 0.05})
    with pytest.raises(InputError, match="a point that was not measured"):
        table.find("learning.solved", {"spread": 0.2})
    with pytest.raises(InputError, match="unknown metric locking"):
        table.find("locking.width")
    assert table.find("learning.solved", {"spread": 0.1}).value == 0.9


def test_many_reasons_are_counted(table):
    for seed in range(9):
        table.mark_missing("", f"seed {seed}: killed", needs={"seed": seed})
    with pytest.raises(InputError, match=r"seed 0: killed; seed 1: killed; seed 2: killed \(and 6 more\)"):
        table.find("learning.solved")
