"""A gate whose metric or point nothing will measure is refused before the first point, with a gate that works."""

import re

import pytest

import holdfast
from holdfast.auditing.gates import check_gates, planned_metrics, stored_metrics
from holdfast.auditing.plan import Prices, make_plan
from holdfast.auditing.stored import judge_run
from holdfast.auditing.stresses import FGSM, PGD, Clean, Corruptions, Masking, Square, Transfer, WeightBits, WeightNoise
from holdfast.core.errors import InputError
from holdfast.core.stress import Facts

SIZES = (0.0, 0.1, 0.2)
COLOUR = (0.0, 4 / 255, 8 / 255)
STRESSES = [
    Clean(),
    FGSM(eps=COLOUR),
    PGD(eps=SIZES),
    Square(eps=0.3, queries=300, examples=50),
    Transfer(eps=0.1, surrogates=2),
    Masking(eps=0.1),
    WeightBits(bits=(8, 6, 5, 3)),
    WeightNoise(sigma=(0.0, 0.05)),
    Corruptions(kinds=("gaussian_noise", "fog"), severities=(1, 3)),
]
FACTS = Facts(shape=(1, 8, 8), classes=10, examples=500)


@pytest.fixture(scope="module")
def planned():
    return planned_metrics(make_plan(STRESSES, FACTS, Prices(forward=1e-4, backward=1e-4)).lines)


@pytest.mark.parametrize(
    "gate",
    [
        "clean.accuracy >= clean.chance + 0.02",
        "clean.ece_debiased < 0.05",
        "adversarial.fgsm.accuracy[eps=8/255] >= 0.4",
        "adversarial.fgsm.accuracy[eps=0.03137] >= 0.4",
        "adversarial.pgd.not_finite[eps=0] == 0",
        "adversarial.square.accuracy[queries=300] > 0",
        "adversarial.square.accuracy > 0",
        "adversarial.transfer.accuracy > 0",
        "adversarial.transfer.agreement[surrogate=2] > 0",
        "adversarial.masking.flags == 0",
        "adversarial.worst_case.accuracy[eps=0.2] > 0",
        "adversarial.worst_case.accuracy[eps=0.2, examples=50] > 0",
        "precision.weight_bits.accuracy[bits=5] >= clean.accuracy - 0.01",
        "device.weight_noise.p05[sigma=0.05] >= 0.9",
        "device.weight_noise.p05[sigma=0.05, kind=multiplicative] >= 0.9",
        "shift.corruptions.mean_accuracy >= baseline - 1/50",
        "shift.corruptions.accuracy[corruption=fog, severity=3] >= 0.5",
    ],
)
def test_what_the_plan_measures_may_be_named(planned, gate):
    check_gates([gate], planned)


@pytest.mark.parametrize(
    ("gate", "part", "works"),
    [
        ("clean.acuracy > 0", "'clean.acuracy', which clean does not measure; allowed: clean.accuracy, ", "clean.accuracy > 0"),
        ("adversarial.pgd.acc[eps=0.1] > 0", "does not measure", "adversarial.pgd.accuracy[eps=0.1] > 0"),
        ("adversarial.pdg.accuracy[eps=0.15] > 0", "which the plan does not measure", "adversarial.pgd.accuracy[eps=0.2] > 0"),
        ("adversarial.apgd.accuracy[eps=0.1] > 0", "which the plan does not measure", "adversarial.pgd.accuracy[eps=0.1] > 0"),
        ("device.weight_noise.p50[sigma=0.05] > 0", "p05, ", "device.weight_noise.p05[sigma=0.05] > 0"),
        ("adversarial.pgd.accuracy[eps=0.11] > 0", "[eps=0], [eps=0.1], [eps=0.2].", "adversarial.pgd.accuracy[eps=0.1] > 0"),
        ("adversarial.pgd.accuracy[epsilon=0.1] > 0", "a point that is not measured", None),
        ("adversarial.pgd.accuracy > 0", "fits 3 points; allowed: [eps=0], ", None),
        ("adversarial.fgsm.accuracy[eps=9/255] > 0", "[eps=4/255], [eps=8/255]", "adversarial.fgsm.accuracy[eps=8/255] > 0"),
        ("precision.weight_bits.accuracy[bits=4] > 0", "weight_bits.bits sets", "precision.weight_bits.accuracy[bits=5] > 0"),
        ("adversarial.worst_case.accuracy[eps=0.3] > 0", "[eps=0.2]", "adversarial.worst_case.accuracy[eps=0.2] > 0"),
        (
            "shift.corruptions.accuracy[corruption=fogg, severity=3] > 0",
            "[corruption=fog, severity=3]",
            "shift.corruptions.accuracy[corruption=fog, severity=3] > 0",
        ),
        ("clean.accuracy[eps=0.1] > 0", "without brackets", "clean.accuracy > 0"),
        ("0.5 < clean.acuracy", "clean.acuracy", "0.5 < clean.accuracy"),
        ("clean.accuracy >= precision.weight_bits.acuracy[bits=8]", "does not measure", None),
    ],
)  # fmt: skip
def test_a_slip_is_refused_and_the_named_metric_works(planned, gate, part, works):
    with pytest.raises(InputError) as refusal:
        check_gates([gate], planned)
    told = str(refusal.value)
    assert part in told
    named = re.search(r"(?:Did you mean|Nearest:|e\.g\.) ([\w.]+(?:\[[^\]]*\])?)[?.]", told)
    assert named, told
    mended = works or re.sub(r"[\w.]*(ac|p\d)\w*(\[[^\]]*\])?(?= >|$)", lambda _: named[1], gate)
    if works is not None:
        assert named[1] in works
    check_gates([mended], planned)


def test_a_gate_that_ends_too_early_is_refused_under_the_name_of_its_setting(planned):
    with pytest.raises(InputError, match=r"^`gates` ends too early at position 17"):
        check_gates(["clean.accuracy >"], planned)


def test_a_stress_that_names_no_metrics_is_checked_by_its_points(planned):
    class Silent(PGD):
        metrics = ()

    unknown = planned_metrics(make_plan([Silent(eps=SIZES)], FACTS, Prices(forward=1e-4, backward=1e-4)).lines)
    check_gates(["adversarial.pgd.anything[eps=0.1] > 0", "adversarial.pgd.of_all > 0"], unknown)
    with pytest.raises(InputError, match=r"Nearest: adversarial.pgd.anything\[eps=0.1\]"):
        check_gates(["adversarial.pgd.anything[eps=0.12] > 0"], unknown)


def test_a_gate_on_a_stress_that_the_plan_skips_is_known(planned):
    skipped = make_plan(STRESSES, FACTS, Prices(forward=1e-4, backward=1e-4), seconds=0.1).lines
    assert {line.decision for line in skipped} == {"skipped"}
    check_gates(["clean.accuracy > 0", "adversarial.worst_case.accuracy[eps=0.1] > 0"], planned_metrics(skipped))
    with pytest.raises(InputError, match=r"Did you mean clean\.accuracy"):
        check_gates(["clean.acuracy > 0"], planned_metrics(skipped))


def test_an_audit_measures_nothing_before_its_gates_are_known(digits_cnn, digits_small, tmp_path):
    folder = tmp_path / "run"
    options = {"stresses": [Clean(), PGD(eps=SIZES, steps=2)], "examples": 40, "out": str(folder)}
    with pytest.raises(InputError, match=r"Nearest: adversarial.pgd.accuracy\[eps=0.1\]"):
        holdfast.audit(
            digits_cnn, digits_small[1], gates=["adversarial.pgd.accuracy[eps=0.12] > 0", "clean.accuracy > 0"], **options
        )
    assert not (folder / "report.json").exists()
    report = holdfast.audit(digits_cnn, digits_small[1], gates=["adversarial.pgd.accuracy[eps=0.1] >= 0"], **options)
    assert report.exit_code == 0
    with pytest.raises(InputError, match=r"Did you mean clean\.accuracy"):
        judge_run(folder, ("clean.acuracy > 0",))
    with pytest.raises(InputError, match=r"Nearest: adversarial.pgd.accuracy\[eps=0.2\]"):
        judge_run(folder, ("adversarial.pgd.accuracy[eps=0.25] > 0",))
    assert stored_metrics(report.document)[0].metrics[:1] == ("accuracy",)


def test_a_gate_on_a_baseline_is_refused_before_a_run_where_that_cannot_serve(digits_cnn, digits_small, tmp_path):
    options = {"stresses": [Clean(), PGD(eps=SIZES, steps=2)], "examples": 40}
    gates = ["adversarial.pgd.accuracy[eps=0.1] >= baseline"]
    with pytest.raises(InputError, match=r"^`gates` compare with `baseline`, and none is given.*--baseline FOLDER"):
        holdfast.audit(digits_cnn, digits_small[1], gates=gates, out=str(tmp_path / "after"), **options)
    before = {**options, "stresses": [Clean()]}
    holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path / "before"), **before)
    with pytest.raises(InputError, match=r"^In the run that `baseline` names: `gates` name 'adversarial\.pgd\.accuracy'"):
        holdfast.audit(
            digits_cnn, digits_small[1], gates=gates, baseline=str(tmp_path / "before"), out=str(tmp_path / "after"), **options
        )
    assert not (tmp_path / "after").exists()
    served = {"gates": ["clean.accuracy >= baseline - 0.1 * clean.chance"], "baseline": str(tmp_path / "before")}
    assert holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path / "after"), **served, **options).exit_code == 0
