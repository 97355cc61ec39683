"""The study of targeted transfer: its points, what a small run measures, and what its claims make of it."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from holdfast.core.claim import MetricTable, judge
from holdfast.core.errors import InputError
from holdfast.core.estimate import proportion
from holdfast.core.experiment import Context, Measurement
from holdfast.core.grammar import parse
from holdfast.core.memo import Memo
from holdfast.core.seeds import Seeds
from holdfast.report.measured import Details
from holdfast.studies import list_studies
from holdfast.studies.transfer_attack import CLAIMS, PRESETS, TransferAttack, prepare
from holdfast.studies.transfer_attack.bench import Bench
from holdfast.studies.transfer_attack.environments import DIGITS, FASHION, worlds
from holdfast.studies.transfer_attack.outcomes import Outcomes, tag
from holdfast.studies.transfer_attack.queries import BASELINES, query_metrics, savings

SMALL = {"per_class": 60, "source_widths": (8, 8, 8, 8), "target_widths": (8, 8, 8)}
TINY = TransferAttack(
    environments=(
        replace(
            FASHION,
            **SMALL,
            eps=(0.2,),
            guides=("frame_none", "frame_better", "frame_start", "frame_span", "shared_none", "shared_prior"),
        ),
        replace(DIGITS, **SMALL, eps=(0.3,)),
    ),
    images=8,
    steps=2,
    layers=True,
    asked=(10, 60, 22),
)


@pytest.fixture(scope="module")
def memo(tmp_path_factory):
    return Memo(tmp_path_factory.mktemp("artefacts"))


@pytest.fixture(scope="module")
def context(real_data, memo):
    del real_data
    return Context(seeds=Seeds(0), memo=memo)


@pytest.fixture(scope="module")
def measured(context):
    """Every point of a run with tiny networks and few images: about manners, not about figures."""
    return [(point, TINY.measure(point, context)) for point in TINY.points()]


def verdicts(points, experiment=TINY):
    summary = experiment.summarise(points)
    table = MetricTable()
    for metric, estimate in summary.metrics.items():
        table.add(metric, estimate)
    for point, one in points:
        for metric, estimate in one.estimates.items():
            table.add(metric, estimate, at=point)
    return {verdict.claim.id: verdict for verdict in judge(summary.claims, table)}


def test_every_claim_of_a_whole_run_finds_its_quantities(measured):
    for verdict in verdicts(measured).values():
        assert verdict.status != "error", f"{verdict.claim.id}: {verdict.reason}"


def test_findings_say_what_was_saved_without_a_guess_and_with_which():
    asked = [("none", 100), ("prior", 140), ("frame_none", 60), ("frame_better", 40)]
    points = []
    for guide, mean in asked:
        queries = mean + np.tile([-1, 1], 20)
        success = np.ones(40, dtype=bool)
        estimates = {"query.success": proportion(40, 40)}
        found = Measurement(estimates=estimates, arrays={"success": success, "queries": queries})
        points.append(({"part": "queries", "env": "E1", "guide": guide}, found))
    words = {"E1": "clothes to other clothes"}
    (finding,) = savings(points, words)
    assert finding.text.startswith("Clothes to other clothes: ")
    assert finding.estimate.value == 40
    assert "beyond doubt: frame better; that cost some: prior." in finding.text
    assert not list(savings(points[:2], words))


def test_source_and_target_share_no_class_and_no_image(real_data):
    del real_data
    for environment in TINY.environments:
        source, target = worlds(environment)
        assert not set(source.train.class_names) & set(target.train.class_names)
        assert source.train.classes == len(environment.source_classes)
        assert len(source.train) == pytest.approx(60 * source.train.classes, rel=0.1)


def test_what_is_trained_is_trained_once_and_the_same_everywhere(context, measured):
    del measured
    bench = Bench(TINY.environments[0], 0, replace(context, memo=lambda name, settings, build: pytest.fail(f"builds {name}")))
    with pytest.raises(pytest.fail.Exception):
        bench.white_box()
    kept, alone = (Bench(TINY.environments[0], 0, one).victim_net().state_dict() for one in (context, Context(seeds=Seeds(0))))
    assert all(torch.equal(kept[name], alone[name]) for name in kept)


def test_attacked_images_are_right_distinct_and_spread_evenly(context, measured):
    del measured
    bench = Bench(TINY.environments[0], 0, context)
    victim = bench.victim()
    images, goals = bench.attacked(victim, 8)
    assert (victim.labels(images.x) == images.y).all()
    assert (goals != images.y).all()
    cells = torch.bincount(images.y * 5 + goals, minlength=25).view(5, 5)
    assert cells.diagonal().sum() == 0
    assert cells.sum(1).max() <= 8
    assert len({row.numpy().tobytes() for row in images.x}) == len(images)


def test_correspondence_and_rates_are_recorded(measured):
    found = {(point["part"], point["env"]): one for point, one in measured if "guide" not in point}
    matrix = found["correspondence", "E1"].arrays["C"]
    assert matrix.shape == (5, 5)
    assert matrix.sum(1) == pytest.approx(np.ones(5))
    assert set(found["correspondence", "E1"].details["proxies"]) == {"shirt", "dress", "pullover", "sneaker", "ankle boot"}
    transfer = found["transfer", "E1"]
    assert {"noise.success", "random_proxy.success", "worst_proxy.success", "fda_n_ce.success", "ceiling"} <= set(
        transfer.estimates
    )
    assert len(transfer.arrays["clean_margin"]) == len(transfer.arrays["y"])
    assert found["layers", "E2"].details["chosen_layers"]
    for _, one in measured:
        assert set(Details(**one.details).model_dump()) == set(one.details)  # as a report takes them


def pooled(rate, other, n=100):
    """A measurement of one environment with equal numbers for two targets, of which the attack and the controls hit so many."""
    y, goals = np.zeros(2 * n, dtype=np.int64), np.repeat([1, 2], n)
    hit = {name: np.tile(np.arange(n) < count, 2) for name, count in (("fda_n_ce", rate), ("noise", other))}
    answers = {f"answer_{name}": np.where(hit["fda_n_ce"], goals, 0) for name in ("proxy_ce", "fda_n", "fda_n_ce")}
    answers |= {f"answer_{name}": np.where(hit["noise"], goals, 0) for name in ("noise", "random_proxy", "worst_proxy")}
    clean = {f"clean_{name}": np.tile(np.arange(n, dtype=float), 2) for name in ("confidence", "margin", "proxy", "entropy")}
    arrays = {"y": y, "target_class": goals, **answers, **clean, "ceiling": np.ones(4, dtype=bool)}
    return Measurement(estimates={}, arrays=arrays)


def point(**rest):
    return {"part": "transfer", "env": "E1", "seed": 0, "eps": 0.2, **rest}


def test_seeds_are_pooled_and_judged_by_their_counts():
    runs = [(point(seed=seed), pooled(20, 5)) for seed in range(2)]
    metrics = Outcomes(runs).metrics()
    assert metrics["E1.e200.fda_n_ce.success"].value == pytest.approx(0.2)
    assert metrics["E1.e200.fda_n_ce.success"].n == 400
    assert metrics["E1.e200.fda_n_ce.gain"].value == pytest.approx(0.15)
    pool = (80 + 20) / 800
    assert metrics["E1.e200.fda_n_ce.z_noise"].value == pytest.approx(0.15 / (pool * (1 - pool) * 2 / 400) ** 0.5)
    assert metrics["E1.sensitivity.margin"].hi < 0, "the first images, with small margins, are hit"


def test_an_attack_no_better_than_noise_fails_its_claim():
    experiment = replace(TINY, environments=(replace(FASHION, eps=(0.2,)),))
    found = verdicts([(point(), pooled(10, 10))], experiment)
    assert found["2.noise.e200"].status == "fail"
    assert found["1.trouser"].status == "error", "what was not measured is no pass"
    assert verdicts([(point(), pooled(30, 10))], experiment)["2.noise.e200"].status == "pass"


def asked(success, queries):
    return Measurement(estimates={}, arrays={"success": np.array(success), "queries": np.array(queries)})


def test_guides_are_compared_on_the_same_images():
    runs = {"none": asked([True, True, False, True], [100, 50, 200, 80]), "prior": asked([True] * 4, [60, 30, 120, 40])}
    metrics = query_metrics([({"env": "E1", "guide": guide}, one) for guide, one in runs.items()])
    assert metrics["E1.queries.prior.saved"].value == pytest.approx((40 + 20 + 80 + 40) / 4)
    assert metrics["E1.queries.prior.success_gain"].value == 0.25
    assert metrics["E1.queries.prior.ratio"].value == pytest.approx(250 / 430)
    assert not query_metrics([({"env": "E1", "guide": "prior"}, runs["prior"])]), "nothing without its baseline"


def test_budgets_of_queries_are_kept(measured):
    for where, one in measured:
        if where["part"] == "queries":
            assert one.arrays["queries"].max() <= where["queries"]
            assert {"query.success", "query.mean", "query.estimate_cosine"} <= set(one.estimates)


def test_every_guide_that_a_preset_runs_has_its_baseline():
    for experiment in PRESETS.values():
        for environment in experiment.environments:
            guides = set(environment.guides)
            assert {BASELINES[guide] for guide in guides if guide in BASELINES} <= guides
            assert guides <= {*BASELINES, *BASELINES.values()}


def test_claims_name_what_the_preset_measures_and_not_the_papers_numbers():
    assert len(CLAIMS["standard"]) > len(CLAIMS["quick"])
    for claims in CLAIMS.values():
        for claim in claims:
            parse(claim.check)
            assert "2103.09916" not in claim.source or "abstract" in claim.source
    for environment in PRESETS["quick"].environments:
        for eps in environment.eps:
            assert any(tag(eps) in claim.check for claim in CLAIMS["quick"])


def test_the_study_is_listed_and_its_description_needs_no_networks():
    assert "transfer-attack" in {row["study"] for row in list_studies()}
    assert prepare("quick").points()[0]["part"] == "correspondence"
    assert "holdfast.studies.transfer_attack" in sys.modules


def test_unknown_presets_are_refused():
    with pytest.raises(InputError, match="quick"):
        prepare("quik")
