"""A network whose every example has a margin, and the cards of a report that measures it; nothing is a real measurement."""

from __future__ import annotations

import numpy as np

from holdfast.core.curve import Curve
from holdfast.core.estimate import exact, mean_t, proportion
from holdfast.report import (
    CardEntry,
    Check,
    CurveEntry,
    Details,
    EstimateEntry,
    Grade,
    HalfPoint,
    Layer,
    PointEntry,
    ReliabilityEntry,
    StressEntry,
    StressSummary,
    row_name,
)

N = 1000
EPS = (0.0, 0.05, 0.1, 0.2, 0.3)
BITS = (8.0, 6.0, 5.0, 4.0, 3.0, 2.0)
SIGMA = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
SPREAD = (0.0, 0.05, 0.1, 0.2, 0.3)
CORRUPTIONS = [
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
]
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
    bins = np.array_split(order, 15)
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
                reliability=ReliabilityEntry(
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
        short=name.upper(),
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
    for name, short, weight in (("weight_bits", "Weight bits", 1.0), ("act_bits", "Activation bits", 0.7)):
        points = [world.keep(name, {"bits": bits}, world.right(weight * 7.0 * 2 ** (2 - bits))) for bits in BITS]
        if name == "weight_bits":
            layers = [
                Layer(name=layer, value=value, lo=value - 0.012, hi=value + 0.01)
                for layer, value in (("conv1", 0.947), ("conv2", 0.93), ("fc1", 0.89), ("fc2", 0.951))
            ]
            points[0] = points[0].model_copy(update={"details": Details(layers=layers)})
        line = curve(name, "bits", points)
        stresses[name] = StressEntry(
            short=short,
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
