"""The study of targeted transfer: its worlds, what a small run keeps, and what the summary makes of counts."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from holdfast.attacks.transfer import GUIDES
from holdfast.core.estimate import exact
from holdfast.core.experiment import Context, Drawing, Measurement
from holdfast.core.memo import Memo
from holdfast.core.seeds import Seeds
from holdfast.studies.transfer_attack import PRESETS, SHARED, SIMPLE
from holdfast.studies.transfer_attack.measure import DRAWN, OWN, images

TINY = PRESETS["tiny"]
EXPLORED = ("noise_source", "coarse_none", "coarse_better", "frame_none", "frame_start", "frame_span")


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return Context(seeds=Seeds(0), memo=Memo(tmp_path_factory.mktemp("artefacts")))


@pytest.fixture(scope="module")
def measured(context):
    """Every point of the small run on bundled digits."""
    return [(point, TINY.measure(point, context)) for point in TINY.points()]


def test_source_and_target_share_no_class_in_one_data_set():
    for preset in PRESETS.values():
        for env in preset.environments:
            assert env.source[0] != env.target[0] or not set(env.source[1]) & set(env.target[1])


def test_worlds_hold_their_classes_in_the_number_asked_for():
    for side in (TINY.environments[0].source, TINY.environments[0].target):
        train, test = images(side, 50)
        assert train.class_names == test.class_names == tuple(map(str, side[1]))
        assert len(train) == pytest.approx(50 * 5, rel=0.1)


def test_every_guide_of_a_preset_is_known_and_has_its_baseline():
    for preset in PRESETS.values():
        for env in preset.environments:
            guides = set(env.guides)
            assert {OWN.get(name, name) for name in guides} <= set(GUIDES)
            assert not guides or {"none", "prior"} <= guides
            kinds = {name.split("_")[0] for name in guides} & {"coarse", "frame", "shared"}
            assert {f"{kind}_none" for kind in kinds} <= guides
    assert {*SIMPLE, *SHARED} == set(PRESETS["quick"].environments[0].guides)


def test_networks_are_trained_once_and_are_the_same_everywhere(context, measured):
    del measured

    def refuse(name, settings, build):
        return context.memo(name, settings, lambda: pytest.fail(f"trains for {settings}"))

    point = next(point for point in TINY.points() if point["part"] == "transfer")
    again = TINY.measure(point, replace(context, memo=refuse))
    alone = TINY.measure(point, Context(seeds=Seeds(0)))
    assert again.arrays.keys() == alone.arrays.keys()
    for name, array in again.arrays.items():
        assert np.array_equal(array, alone.arrays[name]), name


def test_a_point_keeps_what_every_later_figure_needs(measured):
    found = {(point["part"], point["env"]): one for point, one in measured if "guide" not in point}
    matrix = found["correspondence", "E1"]
    assert matrix.arrays["C"].sum(1) == pytest.approx(np.ones(5))
    assert matrix.details["target_classes"] == list("56789")
    transfer = found["transfer", "E1"]
    n = len(transfer.arrays["y"])
    methods = {"proxy-ce", "fda-n", "fda-n+ce", "noise", "random_proxy", "worst_proxy"}
    assert {f"answer_{name}" for name in methods} <= set(transfer.arrays)
    assert all(len(transfer.arrays[f"clean_{signal}"]) == n for signal in ("confidence", "margin", "proxy", "entropy"))
    assert (transfer.arrays["y"] != transfer.arrays["target_class"]).all()
    assert found["layers", "E2"].details["chosen_layers"]
    assert found["sink", "E2"].arrays.keys() == transfer.arrays.keys()


def test_a_victim_without_noise_is_another_victim(measured):
    digits = {point["part"]: one.arrays for point, one in measured if point["env"] == "E2"}
    noisy, plain = digits["transfer"], digits["sink"]
    assert len(noisy["y"]) != len(plain["y"]) or (noisy["answer_noise"] != plain["answer_noise"]).any()


@pytest.mark.parametrize("guide", EXPLORED)
def test_explored_guides_keep_their_budget(context, guide):
    env = replace(TINY.environments[0], guides=(guide,))
    study = replace(TINY, environments=(env,))
    point = next(point for point in study.points() if point["part"] == "queries")
    one = study.measure(point, context)
    assert one.arrays["queries"].max() <= point["queries"]
    assert {"success", "mean", "estimate_cosine"} <= set(one.estimates)
    assert ("prior_cosine" in one.estimates) == (not guide.endswith("none"))


def test_pictures_show_each_environment(measured):
    rich = replace(TINY, environments=tuple(replace(env, words=f"world {env.name}") for env in TINY.environments))
    summary = rich.summarise(measured)
    assert all(isinstance(one, Drawing) for one in summary.drawings)
    assert [one.title for one in summary.drawings] == [f"Class correspondence: world E{n}" for n in (1, 2, 3)]
    charts = {}
    for curve in summary.curves:
        charts.setdefault(curve.chart, []).append(curve.name)
    assert set(charts) == {
        "Targeted success against eps: world E1",
        "Targeted success by the victim's margin",
        "Targeted success against queries: world E1",
    }
    assert len(charts["Targeted success against eps: world E1"]) == 6
    assert charts["Targeted success against queries: world E1"] == [
        "random directions",
        "led by the white box",
        "classes shared, random",
        "classes shared, led",
    ]
    assert [finding.id for finding in summary.findings] == ["transfer.guides.E1"]


def pooled(rate, other, n=100):
    """A measurement with equal numbers for two targets, of which the attack and the controls hit so many."""
    y, goals = np.zeros(2 * n, dtype=np.int64), np.repeat([1, 2], n)
    hits = dict.fromkeys(("proxy-ce", "fda-n", "fda-n+ce"), rate) | dict.fromkeys(("noise", "random_proxy", "worst_proxy"), other)
    answers = {f"answer_{name}": np.where(np.tile(np.arange(n) < count, 2), goals, 0) for name, count in hits.items()}
    clean = {f"clean_{name}": np.tile(np.arange(n, dtype=float), 2) for name in ("confidence", "margin", "proxy", "entropy")}
    return Measurement(estimates={}, arrays={"y": y, "target_class": goals, **answers, **clean, "ceiling": np.ones(4, dtype=bool)})


def metrics_of(*runs):
    points = [{"part": "transfer", "env": "E1", "seed": seed, "eps": 0.2} for seed in range(len(runs))]
    return PRESETS["quick"].summarise(list(zip(points, runs, strict=True))).metrics


def test_seeds_are_pooled_and_judged_by_their_counts():
    metrics = metrics_of(pooled(20, 5), pooled(20, 5))
    at = 'env=E1, eps=0.2, method="fda-n+ce"'
    assert metrics[f"transfer.success[{at}]"].value == pytest.approx(0.2)
    assert metrics[f"transfer.success[{at}]"].n == 400
    assert metrics[f"transfer.gain[{at}]"].value == pytest.approx(0.15)
    pool = (80 + 20) / 800
    z = metrics[f"transfer.z[{at}, control=noise]"].value
    assert z == pytest.approx(0.15 / (pool * (1 - pool) * 2 / 400) ** 0.5)
    assert metrics["transfer.ceiling[env=E1, eps=0.2]"].n == 8
    assert metrics["transfer.sensitivity[env=E1, signal=margin]"].hi < 0, "the first images, with small margins, are hit"


def test_guides_are_compared_with_their_baselines_on_the_same_images():
    spent = {"none": 100, "prior": 140, "frame_none": 60, "frame_better": 40, "shared_none": 100, "shared_prior": 50}
    cosines = {"prior_cosine_first": exact(0.05), "estimate_cosine_first": exact(0.11)}
    runs = []
    for guide, mean in spent.items():
        queries = mean + np.tile([-1, 1], 20)
        one = Measurement(estimates=cosines, arrays={"success": np.ones(40, dtype=bool), "queries": queries})
        runs.append(({"part": "queries", "env": "E1", "guide": guide, "queries": 200}, one))
    summary = PRESETS["quick"].summarise(runs)
    guides = ("prior", "frame_none", "frame_better", "shared_prior")
    saved = {guide: summary.metrics[f"queries.saved[env=E1, guide={guide}]"].value for guide in guides}
    assert saved == {"prior": -40, "frame_none": 40, "frame_better": 20, "shared_prior": 50}
    assert not any("guide=none" in name or "guide=shared_none" in name for name in summary.metrics), "a baseline has no baseline"
    assert summary.metrics["queries.saved_beyond_30[env=E1, guide=shared_prior]"].value == pytest.approx(20)
    [finding] = summary.findings
    assert finding.text.startswith("Clothes to other clothes: ")
    assert "frame better 20" in finding.text
    assert "0.05" in finding.text
    drawn = [curve.name for curve in summary.curves]
    assert drawn == [DRAWN[name] for name in ("none", "prior", "frame_none", "shared_none", "shared_prior")], (
        "at most six lines, without the explored guides"
    )


def test_the_paper_is_judged_by_few_claims_and_never_by_explored_guides():
    claims = PRESETS["standard"].planned()
    assert len(claims) <= 40
    for claim in claims:
        assert "2103.09916" not in claim.source or "abstract" in claim.source
        assert not any(guide in claim.check for guide in ("better", "coarse", "frame", "noise_source"))
    assert {claim.kind for claim in claims if claim.id.startswith(("3.worst", "4.", "6.E1.shared"))} == {"control"}
    assert {one.n for one in PRESETS["standard"].paper().sentences} == {3, 4, 5, 6, 7, 8}


def test_the_last_sentence_stays_open_in_small_worlds():
    [last] = [one for one in TINY.paper().sentences if one.n == 8]
    assert "regime" in last.regime
    assert {claim.kind for claim in PRESETS["quick"].planned() if last.means(claim)} == {"paper", "control"}


def test_bundled_digits_make_no_claim_about_clothes_by_name():
    missing = {claim.id for claim in PRESETS["quick"].planned()} - {claim.id for claim in TINY.planned()}
    assert missing == {"1.trouser"}


def test_describing_the_study_loads_no_networks():
    code = "import sys, holdfast.studies.transfer_attack as study; study.PRESETS['paper'].points(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
