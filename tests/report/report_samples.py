"""Synthetic documents that look like real ones, made from the world of :mod:`report_world`."""

from __future__ import annotations

from functools import cache

import numpy as np
from report_world import (
    BITS,
    EPS,
    SHA,
    SPREAD,
    N,
    World,
    adversarial_card,
    clean_card,
    device_card,
    entry,
    precision_card,
    shift_card,
)

from holdfast.core.curve import Curve
from holdfast.core.estimate import exact, mean_t, proportion
from holdfast.report import (
    Budget,
    CardEntry,
    ClaimEntry,
    CrossColumn,
    CurveEntry,
    DataEntry,
    Details,
    Document,
    EstimateEntry,
    FindingEntry,
    ImageEntry,
    InputEntry,
    PerExampleTable,
    PointEntry,
    RunEntry,
    SkippedEntry,
    StressEntry,
    TargetEntry,
    breaking_point,
    compare,
    cross_view,
    panels,
    row_name,
)


def gate(number: int, statement: str, status: str, value=None, lo=None, hi=None, expected: str = "", **more) -> ClaimEntry:
    return ClaimEntry(
        id=f"gate.{number}",
        statement=statement,
        status=status,
        value=value,
        lo=lo,
        hi=hi,
        expected=expected,
        source="user",
        check=statement,
        **more,
    )


def gates() -> list[ClaimEntry]:
    return [
        gate(1, "clean.accuracy >= 0.93", "pass", 0.953, 0.938, 0.964, ">= 0.93"),
        gate(2, "adversarial.pgd.accuracy[eps=0.1] >= 0.70", "fail", 0.628, 0.598, 0.657, ">= 0.70"),
        gate(3, "adversarial.masking.flags == 0", "pass", 0, 0, 0, "== 0"),
        gate(
            4,
            "precision.weight_bits.accuracy[bits=4] >= clean.accuracy - 0.01",
            "undecided",
            -0.004,
            -0.016,
            0.007,
            ">= 0 (left - right)",
            reason="-0.004 [-0.016, 0.007] contains the threshold of >= 0",
        ),
        gate(5, "device.weight_noise.p05[sigma=0.05] >= 0.95", "fail", 0.871, 0.852, 0.893, ">= 0.95"),
        gate(6, "shift.corruptions.mean_accuracy >= 0.60", "pass", 0.71, 0.70, 0.72, ">= 0.60"),
        gate(
            7,
            "privacy.membership.auc <= 0.55",
            "error",
            expected="<= 0.55",
            reason="privacy.membership was skipped: no --train-data",
        ),
    ]


def findings() -> list[FindingEntry]:
    return [
        FindingEntry(
            id="adversarial.worst_case.half",
            severity="high",
            card="adversarial",
            stress="pgd",
            at={"eps": 0.1},
            text="PGD with 10 steps leaves 62.8 % accuracy at eps 0.1 and almost none at 0.3.",
            estimate=entry(proportion(628, 1000)),
            threshold=">= 0.70",
            evidence="accuracy against eps:",
            remedy="adversarial training: holdfast.nets.fit(model, data, attack=holdfast.attacks.pgd)",
            command="holdfast audit --model mynet:make --weights w.safetensors --data mnist:test --stress pgd --seed 0",
        ),
        FindingEntry(
            id="device.weight_noise.p05",
            severity="medium",
            card="device",
            stress="weight_noise",
            text="One chip in twenty falls below 87 % accuracy when weights vary by 5 % of the largest one.",
            estimate=EstimateEntry(value=0.871, lo=0.852, hi=0.893, n=20),
            remedy="noise-aware training, or holdfast.hardware.recalibrate",
        ),
        FindingEntry(
            id="clean.temperature",
            severity="low",
            card="clean",
            stress="clean",
            text="The network is over-confident: temperature 1.31.",
        ),
        FindingEntry(
            id="clean.ece",
            severity="info",
            text="Half of the calibration error is an artefact of binning.",
            evidence="ECE and debiased ECE",
        ),
    ]


def cross_of(world: World):
    chosen = [
        ("clean", {}, "clean"),
        ("fgsm", {"eps": 0.1}, "FGSM eps 0.1"),
        ("pgd", {"eps": 0.1}, "PGD eps 0.1"),
        ("pgd", {"eps": 0.2}, "PGD eps 0.2"),
        ("weight_bits", {"bits": 3.0}, "3-bit weights"),
        ("act_bits", {"bits": 3.0}, "3-bit activations"),
        ("weight_noise", {"kind": "additive", "sigma": 0.1}, "weight noise 10 %"),
        ("activation_variation", {"spread": 0.2}, "spread 20 %"),
        ("corruptions", {"corruption": "fog", "severity": 3}, "fog (3)"),
        ("resolution", {"scale": 0.5, "kernel": "bilinear"}, "half resolution"),
    ]
    columns = [(CrossColumn(stress=name, label=label, at=at), world.rows[row_name(name, at)]) for name, at, label in chosen]
    breaking = [
        breaking_point("pgd", [(eps, world.rows[row_name("pgd", {"eps": eps})]) for eps in EPS], axis="eps", unit="Linf"),
        breaking_point("weight_bits", [(bits, world.rows[row_name("weight_bits", {"bits": bits})]) for bits in BITS], axis="bits"),
        breaking_point(
            "activation_variation",
            [(s, world.rows[row_name("activation_variation", {"spread": s})]) for s in SPREAD],
            axis="spread",
        ),
    ]
    return cross_view(columns, examples=np.arange(N) * 3, margins=world.margin, breaking=breaking)


def images(count: int = 12) -> list[ImageEntry]:
    generator = np.random.default_rng(5)
    yy, xx = np.mgrid[0:28, 0:28] / 27
    entries = []
    for place in range(count):
        a, b = generator.uniform(0.3, 0.7, 2)
        clean = np.exp(-(((np.hypot(xx - a, yy - b) - 0.22) / 0.06) ** 2))[None]
        stressed = np.clip(clean + 0.1 * np.sign(generator.normal(size=clean.shape)), 0, 1)
        entries.append(
            ImageEntry(
                example=3 * place,
                truth=str(place % 10),
                before=str(place % 10),
                after=str((place + 5) % 10),
                stress="pgd",
                card="adversarial",
                at={"eps": 0.1},
                panels=panels(clean, stressed),
            )
        )
    return entries


def run(kind: str = "audit", **changes) -> RunEntry:
    facts = {
        "id": "20260301-120005-a1b2c3",
        "kind": kind,
        "name": "mynet",
        "started": "2026-03-01T12:00:05+00:00",
        "finished": "2026-03-01T12:02:56+00:00",
        "seconds": 171.2,
        "queries": 48210,
        "seed": 0,
        "preset": "quick",
        "threads": 2,
        "command": "holdfast audit --model mynet:make --weights w.safetensors --data mnist:test --preset quick --seed 0",
        "budget": Budget(seconds=300),
        "commit": "4f1c2d9",
        "versions": {"holdfast": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "numpy": "2.3.1"},
        "hardware": {"processor": "x86-64, 2 cores", "memory": "7.6 GB", "accelerator": None},
        "config": {
            "preset": "quick",
            "stresses": "all",
            "adversarial": {"pgd": {"steps": 10}},
            "gates": [g.statement for g in gates()],
        },
    }
    return RunEntry(**{**facts, **changes})


@cache
def audit_document() -> Document:
    """A complete audit with all five cards."""
    world = World()
    cards = {
        "clean": clean_card(world),
        "adversarial": adversarial_card(world),
        "precision": precision_card(world),
        "device": device_card(world),
        "shift": shift_card(world),
    }
    return Document(
        run=run(),
        target=TargetEntry(
            name="mynet",
            digest=SHA,
            access="weights",
            classes=10,
            class_names=[str(k) for k in range(10)],
            parameters=52138,
            input=InputEntry(shape=[1, 28, 28], range=[0, 1]),
            preprocessing="(x - 0.1307) / 0.3081 inside the network",
            notes=["The prefix `module.` was stripped from 12 keys of the weights."],
        ),
        data=DataEntry(name="mnist test", digest=SHA.replace("9", "8"), n=N, total=10000, subset_seed=0),
        probe={
            "t_forward": 0.000081,
            "t_backward": 0.00021,
            "deterministic": True,
            "batch_invariance": 1.2e-7,
            "accuracy": 0.957,
            "batch_norm": False,
        },
        gates=gates(),
        findings=findings(),
        cards=cards,
        cross=cross_of(world),
        images=images(),
        skipped=[
            SkippedEntry(stress="membership", reason="no --train-data"),
            SkippedEntry(stress="square", reason="off in preset quick"),
        ],
        reduced=[SkippedEntry(stress="weight_noise", reason="20 instead of 100 chips, to stay within 5 min")],
    )


TRACEBACK = """Traceback (most recent call last):
  File "holdfast/core/runner.py", line 88, in _measure
    measurement = experiment.measure(point, context)
  File "mynet.py", line 31, in forward
    return self.head(self.pool(x).flatten(1))
RuntimeError: mat1 and mat2 shapes cannot be multiplied (64x196 and 784x64)"""


@cache
def partial_document() -> Document:
    """An audit with a crashed stress, a crashed point, an unsafe load and a masking flag."""
    whole = audit_document()
    shift = whole.cards["shift"]
    resolution = shift.stresses["resolution"]
    crashed = [
        point.model_copy(update={"status": "error", "error": TRACEBACK, "metrics": {}}) if point.at["scale"] != 1.0 else point
        for point in resolution.points
    ]
    broken = resolution.model_copy(update={"status": "error", "reason": "4 of 5 points crashed", "points": crashed, "curves": []})
    adversarial = whole.cards["adversarial"]
    masking = adversarial.stresses["masking"]
    checks = [check.model_copy(update={"flag": True}) if check.id == "vi" else check for check in masking.points[0].details.checks]
    flagged = masking.model_copy(update={"points": [masking.points[0].model_copy(update={"details": Details(checks=checks)})]})
    cards = {
        **whole.cards,
        "adversarial": adversarial.model_copy(update={"stresses": {**adversarial.stresses, "masking": flagged}}),
        "shift": shift.model_copy(update={"stresses": {**shift.stresses, "resolution": broken}}),
    }
    return whole.model_copy(
        update={
            "run": run(status="partial", resume="holdfast resume runs/a"),
            "target": whole.target.model_copy(update={"unsafe_load": True}),
            "cards": cards,
        }
    )


@cache
def study_document() -> Document:
    """A study with claims of all four statuses and physical curves."""
    drive = np.linspace(0.5e-3, 3e-3, 26)
    lines = []
    for damping in (0.01, 0.02, 0.05):
        mean = 2e-6 * np.tanh((drive - 1e-3) / (40 * damping * 1e-3)) + 2.2e-6
        estimates = tuple(mean_t(m * (1 + 0.03 * np.random.default_rng(3).normal(size=12))) for m in mean)
        lines.append(
            CurveEntry.of(
                Curve(
                    name=f"damping {damping}",
                    axis="current",
                    unit="A",
                    quantity="rectified voltage (V)",
                    at=tuple(drive),
                    estimates=estimates,
                )
            )
        )
    frequency = np.logspace(6, 10, 9)
    spectrum = CurveEntry.of(
        Curve(
            name="response",
            axis="frequency",
            unit="Hz",
            quantity="gain",
            at=tuple(frequency),
            estimates=tuple(exact(1 / (1 + (f / 3e8) ** 2)) for f in frequency),
        )
    )
    retrain = [entry(proportion(hits, 400)) for hits in (389, 384, 371, 322, 241)]
    plain = [entry(proportion(hits, 400)) for hits in (389, 380, 341, 229, 120)]
    accuracy = [
        CurveEntry(name=name, axis="spread", at=list(SPREAD), estimates=estimates)
        for name, estimates in (("retrained", retrain), ("as trained", plain))
    ]
    points = [
        PointEntry(at={"spread": spread, "network": name}, n=400, metrics={"accuracy": estimate}, seconds=2.0, key=SHA)
        for name, estimates in (("retrained", retrain), ("as trained", plain))
        for spread, estimate in zip(SPREAD, estimates, strict=True)
    ]
    claims = [
        ClaimEntry(
            id="threshold",
            statement="The threshold current grows with damping.",
            status="pass",
            value=1.42,
            lo=1.31,
            hi=1.55,
            expected="> 1",
            source="Fig. 2",
            check="threshold.ratio > 1",
        ),
        ClaimEntry(
            id="spread.10",
            statement="With 10 % spread a retrained network loses at most 5 points.",
            status="pass",
            value=0.045,
            lo=0.028,
            hi=0.049,
            expected="<= 0.05",
            source="Fig. 5b, text",
            note="400 instead of 10000 images.",
        ),
        ClaimEntry(
            id="spread.30",
            statement="With 30 % spread a retrained network keeps 70 % accuracy.",
            status="fail",
            value=0.6025,
            lo=0.554,
            hi=0.649,
            expected=">= 0.70",
            source="Fig. 5b",
        ),
        ClaimEntry(
            id="voltage",
            statement="The rectified voltage reaches microvolts.",
            status="undecided",
            value=4.1e-6,
            lo=3.7e-6,
            hi=4.6e-6,
            expected=">= 4e-6",
            source="Table 1",
            reason="4.1e-06 [3.7e-06, 4.6e-06] contains the threshold of >= 4e-06",
        ),
        ClaimEntry(
            id="power",
            statement="The chip needs less than 1 mW.",
            status="error",
            expected="< 1e-3",
            source="Sect. 4",
            reason="chip.power was not measured",
        ),
    ]
    cards = {
        "devices": CardEntry(
            title="Devices",
            stresses={
                "rectification": StressEntry(curves=lines, title="Rectification"),
                "bandwidth": StressEntry(curves=[spectrum]),
            },
        ),
        "networks": CardEntry(
            title="Networks of unequal neurons",
            stresses={"spread": StressEntry(curves=accuracy, points=points, config={"epochs": 8, "hidden": [200]})},
        ),
    }
    return Document(
        run=run(
            "study",
            name="spintronic-neuron",
            title="Networks of spintronic neurons",
            source="A study of a published experiment, arXiv:2106.16043",
            command="holdfast study run spintronic-neuron --preset quick --seed 0",
            config={},
            queries=0,
        ),
        claims=claims,
        cards=cards,
        findings=[
            FindingEntry(id="spread.retrain", severity="info", text="Retraining recovers two thirds of what a 20 % spread costs.")
        ],
    )


def per_example(world: World) -> PerExampleTable:
    return PerExampleTable(np.arange(N) * 3, world.label, world.rows)


@cache
def compared():
    """Two audits of the same data and their paired comparison."""
    documents, tables = [], []
    for seed, name, shift in ((1, "plain", 0.0), (2, "pgd-trained", 0.45)):
        world = World(seed=seed, shift=shift)
        cards = {"clean": clean_card(world), "adversarial": adversarial_card(world), "precision": precision_card(world)}
        target = TargetEntry(name=name, digest=SHA, classes=10)
        documents.append(Document(run=run(), target=target, data=audit_document().data, cards=cards, images=images(8)))
        tables.append(per_example(world))
    return documents[0], documents[1], compare(*tables, documents=(documents[0], documents[1]))


@cache
def baseline_document() -> Document:
    """An audit that was given a baseline."""
    _, after, comparison = compared()
    return after.model_copy(update={"baseline": comparison})
