"""Synthetic documents that look like real ones: a latent margin for each example decides what each stress does to it."""

from __future__ import annotations

from functools import cache

import numpy as np

from holdfast.core.curve import Curve
from holdfast.core.estimate import exact, mean_t, proportion
from holdfast.report import (
    Budget,
    CardEntry,
    Check,
    ClaimEntry,
    CrossColumn,
    CurveEntry,
    DataEntry,
    Details,
    Document,
    EstimateEntry,
    FindingEntry,
    Grade,
    HalfPoint,
    ImageEntry,
    InputEntry,
    Layer,
    PerExample,
    PointEntry,
    Reliability,
    Run,
    SkippedEntry,
    StressEntry,
    StressSummary,
    TargetEntry,
    breaking_point,
    compare,
    cross_view,
    panels,
    row_name,
)

N = 1000
EPS = (0.0, 0.05, 0.1, 0.2, 0.3)
BITS = (8.0, 6.0, 5.0, 4.0, 3.0, 2.0)
SIGMA = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
SPREAD = (0.0, 0.05, 0.1, 0.2, 0.3)
CORRUPTIONS = (
    "gaussian_noise shot_noise impulse_noise defocus_blur glass_blur motion_blur zoom_blur snow frost fog brightness contrast "
    "elastic_transform pixelate jpeg_compression"
).split()
SHA = "sha256:9f2c1b7e5d3a4c6e8f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60"


class World:
    """A network whose every example has a margin; a stress takes a part of it."""

    def __init__(self, seed: int = 0, shift: float = 0.0) -> None:
        self.generator = np.random.default_rng(seed)
        base = np.random.default_rng(7)
        self.label = base.integers(0, 10, N)
        self.margin = base.normal(3.3, 2.0, N) + shift
        self.rows: dict[str, np.ndarray] = {}

    def right(self, loss: float, noise: float = 0.6) -> np.ndarray:
        return self.margin - loss * (1 + 0.25 * self.generator.normal(size=N)) + noise * 0.3 * self.generator.normal(size=N) > 0

    def keep(self, stress: str, at: dict, right: np.ndarray) -> PointEntry:
        self.rows[row_name(stress, at)] = right
        return PointEntry(
            at=at,
            n=N,
            metrics={"accuracy": entry(proportion(int(right.sum()), N))},
            seconds=1.3,
            queries=N * 11,
            key=SHA.replace("9", "3"),
        )


def entry(estimate) -> EstimateEntry:
    return EstimateEntry.of(estimate)


def curve(name: str, axis: str, points: list[PointEntry], *, metric: str = "accuracy", unit: str = "", quantity: str = "accuracy"):
    at = tuple(float(point.at[axis]) for point in points)
    estimates = tuple(point.metrics[metric].estimate() for point in points)
    return CurveEntry.of(Curve(name=name, axis=axis, unit=unit, quantity=quantity, at=at, estimates=estimates))


def summary(curve_entry: CurveEntry, words: str) -> StressSummary:
    known = curve_entry.curve()
    half = known.half_point(0.1)
    text = words.format(f"{half:.3g}") if half is not None else "keeps more than half its margin"
    return StressSummary(
        curve=curve_entry.name,
        auc=known.area(),
        retention=known.retention(),
        half_point=HalfPoint(value=half, unit=curve_entry.unit, text=text),
    )


def clean_card(world: World) -> CardEntry:
    right = world.right(0.0)
    logit = np.clip(world.margin * 1.1, -6, 9)
    confidence = 1 / (1 + np.exp(-np.abs(logit)))
    order = np.argsort(confidence)
    bins = [rows for rows in np.array_split(order, 15)]
    guess = np.where(right, world.label, (world.label + world.generator.choice([1, 3, 5], N)) % 10)
    matrix = np.zeros((10, 10), dtype=int)
    np.add.at(matrix, (world.label, guess), 1)
    point = world.keep("clean", {}, right)
    per_class = [entry(proportion(int(right[world.label == k].sum()), int((world.label == k).sum()))) for k in range(10)]
    point = point.model_copy(
        update={
            "metrics": {
                **point.metrics,
                "nll": entry(mean_t(world.generator.exponential(0.16, N))),
                "brier": entry(mean_t(world.generator.exponential(0.07, N))),
                "ece": EstimateEntry(value=0.0182, lo=0.0121, hi=0.0263, n=N, method="bootstrap"),
                "ece_debiased": EstimateEntry(value=0.0114, lo=0.0049, hi=0.0201, n=N, method="bootstrap"),
                "aurc": EstimateEntry(value=0.0071, lo=0.0048, hi=0.0102, n=N, method="bootstrap"),
                "temperature": entry(exact(1.31)),
            },
            "details": Details(
                confusion=matrix.tolist(),
                reliability=Reliability(
                    confidence=[float(confidence[rows].mean()) for rows in bins],
                    accuracy=[float(right[rows].mean()) for rows in bins],
                    count=[len(rows) for rows in bins],
                ),
                per_class=per_class,
            ),
        }
    )
    stress = StressEntry(version=1, config={"bins": 15, "examples": N}, examples=N, points=[point])
    return CardEntry(
        title="Clean",
        stresses={"clean": stress},
        grade=Grade(letter="B", score=0.953, metric="accuracy", thresholds={"A": 0.97, "B": 0.93, "C": 0.85, "D": 0.7}),
    )


def attack(world: World, name: str, strength: float) -> StressEntry:
    points = []
    for eps in EPS:
        point = world.keep(name, {"eps": eps}, world.right(strength * eps) if eps else world.right(0))
        if name == "pgd" and eps:
            loss = [0.2 + (8 * eps + 2) * (1 - np.exp(-(step + 1) / 3)) for step in range(10)]
            point = point.model_copy(update={"details": Details(loss=[float(value) for value in loss])})
        points.append(point)
    line = curve(name, "eps", points, unit="Linf")
    return StressEntry(
        version=1,
        config={"norm": "linf", "steps": 10 if name == "pgd" else 1, "restarts": 1, "eps": list(EPS)},
        examples=N,
        points=points,
        curves=[line],
        summary=summary(line, "loses half its margin at eps {}"),
    )


def adversarial_card(world: World) -> CardEntry:
    titles = [
        ("i", "iterative attack is stronger than single-step", False, "PGD 0.628 < FGSM 0.716 at eps 0.1"),
        ("ii", "accuracy falls to chance without a bound", False, "accuracy 0.000 at eps 1"),
        ("iii", "no black-box attack beats the white-box one", None, "needs a query attack, which was not run"),
        ("iv", "PGD beats random noise of its size", False, "noise fools 0.3 %, PGD 37 %"),
        ("v", "input gradients exist", False, "0.0 % of the examples have a zero gradient"),
        ("vi", "robust accuracy falls with eps and has converged", False, "20 more steps change it by 0.4 points"),
        ("vii", "answers do not change between two passes", False, "largest difference 0"),
    ]
    checks = [Check(id=key, title=title, flag=flag, text=text) for key, title, flag, text in titles]
    masking = StressEntry(
        config={"eps": 0.1},
        examples=256,
        points=[PointEntry(at={}, n=256, details=Details(checks=checks), seconds=4.1, metrics={"flags": entry(exact(0))})],
    )
    return CardEntry(
        title="Adversarial",
        stresses={"fgsm": attack(world, "fgsm", 20), "pgd": attack(world, "pgd", 30), "masking": masking},
        grade=Grade(letter="D", score=0.44, metric="retention under PGD", thresholds={"A": 0.8, "B": 0.65, "C": 0.5, "D": 0.3}),
    )


def precision_card(world: World) -> CardEntry:
    stresses = {}
    for name, weight in (("weight_bits", 1.0), ("act_bits", 0.7)):
        points = [world.keep(name, {"bits": bits}, world.right(weight * 7.0 * 2 ** (2 - bits))) for bits in BITS]
        if name == "weight_bits":
            layers = [
                Layer(name=layer, value=value, lo=value - 0.012, hi=value + 0.01)
                for layer, value in (("conv1", 0.947), ("conv2", 0.93), ("fc1", 0.89), ("fc2", 0.951))
            ]
            points[0] = points[0].model_copy(update={"details": Details(layers=layers)})
        line = curve(name, "bits", points)
        stresses[name] = StressEntry(
            config={"per_channel": True, "bits": [int(bit) for bit in BITS]},
            points=points,
            curves=[line],
            examples=N,
            summary=summary(line, "loses half its margin at {} bits"),
        )
    return CardEntry(
        title="Precision",
        stresses=stresses,
        grade=Grade(letter="A", score=0.93, metric="retention over bits", thresholds={"A": 0.9, "B": 0.8, "C": 0.65, "D": 0.5}),
    )


def chip_point(world: World, stress: str, at: dict, loss: float, chips: int) -> PointEntry:
    rights = [world.right(loss * (1 + 0.35 * world.generator.normal()) if loss else 0.0) for _ in range(chips)]
    accuracies = [float(right.mean()) for right in rights]
    point = world.keep(stress, at, rights[0])
    fifth = float(np.quantile(accuracies, 0.05))
    metrics = {
        "accuracy": entry(mean_t(accuracies)),
        "p05": EstimateEntry(value=fifth, lo=min(accuracies), hi=float(np.median(accuracies)), n=chips, method="order statistics"),
        "worst": entry(exact(min(accuracies))),
    }
    return point.model_copy(update={"metrics": metrics, "details": Details(chips=accuracies)})


def device_card(world: World, chips: int = 20) -> CardEntry:
    noise = [
        chip_point(world, "weight_noise", {"kind": kind, "sigma": sigma}, scale * sigma, chips)
        for kind, scale in (("additive", 14), ("multiplicative", 6))
        for sigma in SIGMA
    ]
    lines = [curve(kind, "sigma", [p for p in noise if p.at["kind"] == kind]) for kind in ("additive", "multiplicative")]
    spread = [chip_point(world, "activation_variation", {"spread": value}, 8 * value, chips) for value in SPREAD]
    spread_line = curve("activation_variation", "spread", spread)
    return CardEntry(
        title="Device",
        stresses={
            "weight_noise": StressEntry(
                config={"chips": chips, "sigma": list(SIGMA)},
                points=noise,
                curves=lines,
                examples=N,
                summary=summary(lines[0], "loses half its margin at {} of the largest weight"),
            ),
            "activation_variation": StressEntry(
                config={"chips": chips},
                points=spread,
                curves=[spread_line],
                examples=N,
                summary=summary(spread_line, "loses half its margin at a spread of {}"),
            ),
        },
        grade=Grade(
            letter="B", score=0.86, metric="retention over weight noise", thresholds={"A": 0.9, "B": 0.8, "C": 0.65, "D": 0.5}
        ),
    )


def shift_card(world: World) -> CardEntry:
    hardness = dict(zip(CORRUPTIONS, np.random.default_rng(3).permutation(np.linspace(0.15, 1.05, len(CORRUPTIONS))), strict=True))
    points = [
        world.keep("corruptions", {"corruption": name, "severity": severity}, world.right(hardness[name] * severity))
        for name in CORRUPTIONS
        for severity in (1, 2, 3, 4, 5)
    ]
    lines = [curve(name, "severity", [p for p in points if p.at["corruption"] == name]) for name in CORRUPTIONS]
    scales = (0.5, 0.75, 1.0, 1.5, 2.0)
    resolution = [
        world.keep(
            "resolution", {"scale": scale, "kernel": "bilinear"}, world.right(2.2 * abs(np.log2(scale)) + (1.6 if scale < 1 else 0))
        )
        for scale in scales
    ]
    mean = np.mean([p.metrics["accuracy"].value for p in points])
    return CardEntry(
        title="Shift",
        stresses={
            "corruptions": StressEntry(
                points=points,
                curves=lines,
                examples=N,
                config={"severities": [1, 2, 3, 4, 5]},
                metrics={"mean_accuracy": EstimateEntry(value=float(mean), lo=float(mean) - 0.01, hi=float(mean) + 0.01, n=N)},
            ),
            "resolution": StressEntry(points=resolution, curves=[curve("bilinear", "scale", resolution)], examples=N),
        },
        grade=Grade(
            letter="C", score=0.71, metric="mean accuracy under corruptions", thresholds={"A": 0.9, "B": 0.8, "C": 0.65, "D": 0.5}
        ),
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
        gate(4, "precision.weight_bits.accuracy[bits=4] >= clean.accuracy - 0.01", "undecided", -0.004, -0.016, 0.007, ">= 0 (left - right)",
             reason="-0.004 [-0.016, 0.007] contains the threshold of >= 0"),
        gate(5, "device.weight_noise.p05[sigma=0.05] >= 0.95", "fail", 0.871, 0.852, 0.893, ">= 0.95"),
        gate(6, "shift.corruptions.mean_accuracy >= 0.60", "pass", 0.71, 0.70, 0.72, ">= 0.60"),
        gate(7, "privacy.membership.auc <= 0.55", "error", expected="<= 0.55", reason="privacy.membership was skipped: no --train-data"),
    ]  # fmt: skip


def findings() -> list[FindingEntry]:
    return [
        FindingEntry(
            id="adversarial.pgd.half", severity="high", card="adversarial", stress="pgd", at={"eps": 0.1},
            text="PGD with 10 steps leaves 62.8 % accuracy at eps 0.1 and almost none at 0.3.",
            estimate=entry(proportion(628, 1000)), threshold=">= 0.70", evidence="accuracy against eps:",
            remedy="adversarial training: holdfast.nets.fit(model, data, attack=holdfast.attacks.pgd)",
            command="holdfast audit --model mynet:make --weights w.safetensors --data mnist:test --stress pgd --seed 0",
        ),
        FindingEntry(
            id="device.weight_noise.p05", severity="medium", card="device", stress="weight_noise",
            text="One chip in twenty falls below 87 % accuracy when weights vary by 5 % of the largest one.",
            estimate=EstimateEntry(value=0.871, lo=0.852, hi=0.893, n=20), remedy="noise-aware training, or holdfast.hardware.recalibrate",
        ),
        FindingEntry(id="clean.temperature", severity="low", card="clean", stress="clean", text="The network is over-confident: temperature 1.31."),
        FindingEntry(id="clean.ece", severity="info", text="Half of the calibration error is an artefact of binning.", evidence="ECE and debiased ECE"),
    ]  # fmt: skip


def cross_of(world: World):
    chosen = [
        ("clean", {}, "clean"), ("fgsm", {"eps": 0.1}, "FGSM eps 0.1"), ("pgd", {"eps": 0.1}, "PGD eps 0.1"), ("pgd", {"eps": 0.2}, "PGD eps 0.2"),
        ("weight_bits", {"bits": 3.0}, "3-bit weights"), ("act_bits", {"bits": 3.0}, "3-bit activations"),
        ("weight_noise", {"kind": "additive", "sigma": 0.1}, "weight noise 10 %"), ("activation_variation", {"spread": 0.2}, "spread 20 %"),
        ("corruptions", {"corruption": "fog", "severity": 3}, "fog (3)"), ("resolution", {"scale": 0.5, "kernel": "bilinear"}, "half resolution"),
    ]  # fmt: skip
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
                example=3 * place, truth=str(place % 10), before=str(place % 10), after=str((place + 5) % 10), stress="pgd", card="adversarial",
                at={"eps": 0.1}, panels=panels(clean, stressed),
            )
        )  # fmt: skip
    return entries


def run(kind: str = "audit", **changes) -> Run:
    facts = {
        "id": "20260301-120005-a1b2c3", "kind": kind, "name": "mynet", "started": "2026-03-01T12:00:05+00:00", "finished": "2026-03-01T12:02:56+00:00",
        "seconds": 171.2, "queries": 48210, "seed": 0, "preset": "quick", "threads": 2,
        "command": "holdfast audit --model mynet:make --weights w.safetensors --data mnist:test --preset quick --seed 0",
        "budget": Budget(seconds=300), "commit": "4f1c2d9",
        "versions": {"holdfast": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "numpy": "2.3.1"},
        "hardware": {"processor": "x86-64, 2 cores", "memory": "7.6 GB", "accelerator": None},
        "config": {"preset": "quick", "stresses": "all", "adversarial": {"pgd": {"steps": 10}}, "gates": [g.statement for g in gates()]},
    }  # fmt: skip
    return Run(**{**facts, **changes})


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
            name="mynet", digest=SHA, access="weights", classes=10, class_names=[str(k) for k in range(10)], parameters=52138,
            input=InputEntry(shape=[1, 28, 28], range=[0, 1]), preprocessing="(x - 0.1307) / 0.3081 inside the network",
            notes=["The prefix `module.` was stripped from 12 keys of the weights."],
        ),
        data=DataEntry(name="mnist test", digest=SHA.replace("9", "8"), n=N, total=10000, subset_seed=0),
        probe={"t_forward": 0.000081, "t_backward": 0.00021, "deterministic": True, "batch_invariance": 1.2e-7, "accuracy": 0.957, "batch_norm": False},
        gates=gates(),
        findings=findings(),
        cards=cards,
        cross=cross_of(world),
        images=images(),
        skipped=[SkippedEntry(stress="membership", reason="no --train-data"), SkippedEntry(stress="square", reason="off in preset quick")],
        reduced=[SkippedEntry(stress="weight_noise", reason="20 instead of 100 chips, to stay within 5 min")],
    )  # fmt: skip


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
        ClaimEntry(id="threshold", statement="The threshold current grows with damping.", status="pass", value=1.42, lo=1.31, hi=1.55, expected="> 1", source="Fig. 2",
                   check="threshold.ratio > 1"),
        ClaimEntry(id="spread.10", statement="With 10 % spread a retrained network loses at most 5 points.", status="pass", value=0.045, lo=0.028, hi=0.049,
                   expected="<= 0.05", source="Fig. 5b, text", note="400 instead of 10000 images."),
        ClaimEntry(id="spread.30", statement="With 30 % spread a retrained network keeps 70 % accuracy.", status="fail", value=0.6025, lo=0.554, hi=0.649,
                   expected=">= 0.70", source="Fig. 5b"),
        ClaimEntry(id="voltage", statement="The rectified voltage reaches microvolts.", status="undecided", value=4.1e-6, lo=3.7e-6, hi=4.6e-6, expected=">= 4e-6",
                   source="Table 1", reason="4.1e-06 [3.7e-06, 4.6e-06] contains the threshold of >= 4e-06"),
        ClaimEntry(id="power", statement="The chip needs less than 1 mW.", status="error", expected="< 1e-3", source="Sect. 4", reason="chip.power was not measured"),
    ]  # fmt: skip
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


def per_example(world: World) -> PerExample:
    return PerExample(np.arange(N) * 3, world.label, world.rows)


@cache
def compared():
    """Two audits of the same data and their paired comparison."""
    documents, tables = [], []
    for name, shift in (("plain", 0.0), ("pgd-trained", 0.45)):
        world = World(seed=1, shift=shift)
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
