"""Attacks by queries with and without a guess at the victim's gradient, and how good each guess is.

``none``            random gradient-free (RGF), no guess
``prior``           P-RGF led by the white box's gradient towards the proxy, features and answer
``noise_source``    the same, from a white box that was trained with noise instead of adversarial examples
``better``          the gradients of two white boxes towards two proxies each, smoothed and averaged, as far as they
                    lead somewhere inside ball and box
``coarse_none``     RGF on a grid of half the image's side
``coarse_better``   the better guess among such directions
``frame_none``      orthonormal directions, the last estimate one of them, no guess
``frame_better``    the same with the two gradients of the better guess among them
``frame_start``     one gradient among them, and a start at the image that the attack on the white box alone gives
``frame_span``      the same with one gradient for each source class and layer among them, whatever the proxy
``shared_none``     RGF on a victim that knows the classes of the white box: the ordinary setting of transfer
``shared_prior``    P-RGF there, with the white box's gradient towards the class itself, as far as it leads somewhere
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.curve import Curve
from holdfast.core.estimate import bootstrap, mean_t, paired_difference, proportion
from holdfast.core.experiment import Finding, Measurement
from holdfast.studies.transfer_attack.bench import LAYERS, Bench
from holdfast.studies.transfer_attack.trials import BEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from holdfast.attacks import ThreatModel
    from holdfast.attacks.query import EstimatedResult, Prior
    from holdfast.attacks.transfer import CorrespondenceMatrix, Proxies
    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Context, Point
    from holdfast.studies.transfer_attack.environments import Environment

__all__ = ["BASELINES", "measure_queries", "query_curves", "query_metrics", "regimes", "savings"]

BASELINES = {
    "prior": "none",
    "noise_source": "none",
    "better": "none",
    "coarse_better": "coarse_none",
    "frame_none": "none",
    "frame_better": "frame_none",
    "frame_start": "frame_none",
    "frame_span": "frame_none",
    "shared_prior": "shared_none",
}
SIGMA = 1e-2  # shift of the finite differences, in units of the input
STEPS_TO_EPS = 5  # step size over eps
SMOOTHING = 5  # px, side of the kernel


class _Guesses:
    """The priors of one environment."""

    def __init__(self, bench: Bench, x: torch.Tensor, goals: torch.Tensor, threat: ThreatModel) -> None:
        self.bench, self.x, self.goals, self.threat = bench, x, goals, threat

    def of(self, found: CorrespondenceMatrix | Proxies, *, inside: bool = False, better: bool = False, **variant: Any) -> Prior:
        """The gradient of one white box; `inside` leaves out what leads out of ball and box, a better one is smoothed too."""
        from holdfast.attacks import smoothed
        from holdfast.attacks.transfer import attack_prior

        net = self.bench.white_box(**variant)
        heads = self.bench.heads(net, **variant)
        smooth, threat = smoothed(SMOOTHING) if better else None, self.threat if inside or better else None
        top_k = 2 if better else 1
        return attack_prior(net, self.x, self.goals, found, top_k=top_k, heads=heads, method=BEST, smooth=smooth, threat=threat)

    def spanning(self) -> list[Prior]:
        """The gradient towards each source class in each layer: directions among which the victim's may be found."""
        import torch

        from holdfast.attacks.transfer import Proxies, attack_prior

        net = self.bench.white_box()
        heads, n = self.bench.heads(net), len(self.x)
        aims = [Proxies.single(torch.full((n,), label, device=self.x.device)) for label in range(heads.classes)]

        def towards(aim: Proxies, layer: str) -> Prior:
            push = {"heads": heads, "method": "fda", "layers": [layer]}
            return attack_prior(net, self.x, self.goals, aim, threat=self.threat, **push)  # type: ignore[arg-type]  # of the objective

        return [towards(aim, layer) for aim in aims for layer in LAYERS]

    def start(self, found: CorrespondenceMatrix | Proxies) -> torch.Tensor:
        """The images that the attack on the white box alone gives."""
        from holdfast.attacks.transfer import proxy_attack

        net = self.bench.white_box()
        return proxy_attack(net, self.x, self.goals, found, self.threat, method=BEST, heads=self.bench.heads(net)).x_adv

    def named(self, guide: str, found: CorrespondenceMatrix | Proxies) -> list[Prior]:
        """The priors of a guide; none where it goes without."""
        kind = guide.removeprefix("coarse_").removeprefix("frame_").removeprefix("shared_")
        if kind == "none":
            return []
        if kind == "better":
            return [self.of(found, better=True), self.of(found, better=True, which="second")]
        if kind == "span":
            return self.spanning()
        if kind == "start":
            return [self.of(found)]
        return [self.of(found, training="noise") if kind == "noise_source" else self.of(found, inside=guide == "shared_prior")]


def measure_queries(environment: Environment, point: Point, context: Context) -> Measurement:
    """Success and queries of one guide, and cosines of guess and estimate with the victim's true gradient."""
    from holdfast.attacks import ThreatModel
    from holdfast.attacks.query import averaged, loss_gradient, p_rgf, rgf
    from holdfast.attacks.transfer import Proxies

    bench, guide = Bench(environment, point["seed"], context), point["guide"]
    shared = guide.startswith("shared")
    victim, owned = bench.victim("scores", shared=shared), bench.victim_net(shared=shared)
    images, goals = bench.attacked(victim, -(-point["images"] // bench.classes(shared=shared)), shared=shared)
    found = Proxies.single(goals) if shared else bench.correspondence(victim)
    threat = ThreatModel("linf", point["eps"])
    guesses = _Guesses(bench, images.x, goals, threat)
    priors = guesses.named(guide, found)
    settings = {
        "target_class": goals,
        "queries": point["queries"],
        "samples": point["samples"],
        "sigma": SIGMA,
        "step_size": point["eps"] / STEPS_TO_EPS,
        "subspace": images.x.shape[-1] // 2 if guide.startswith("coarse") else None,
        "truth": loss_gradient(owned, images.y, target_class=goals),
        "seed": context.seeds.integer("directions", point["seed"]),
    }
    if guide.startswith("frame"):
        settings |= {"estimator": "orthogonal", "memory": True}
    if guide.endswith("start"):
        settings["starts"] = guesses.start(found)
    if priors:
        led = priors if guide.startswith("frame") else averaged(priors)
        result = p_rgf(victim, images.x, images.y, threat, prior=led, **settings)
    else:
        result = rgf(victim, images.x, images.y, threat, **settings)
    return _record(result, point["queries"])


def _record(result: EstimatedResult, budget: int) -> Measurement:
    """Per image: success, queries (the budget where it failed), and means over its steps of the cosines and of lambda."""
    success = result.success.cpu().numpy()
    spent = np.where(success, result.queries.cpu().numpy(), budget)
    traces = {name: getattr(result, name).cpu().numpy() for name in ("alpha", "lam", "prior_cosine", "estimate_cosine")}
    means = {name: _mean_known(trace, axis=0) for name, trace in traces.items()}
    first = {f"{name}_first": trace[0] if len(trace) else np.full(len(success), np.nan) for name, trace in traces.items()}
    estimates = {
        "query.success": proportion(int(success.sum()), len(success)),
        "query.mean": mean_t(spent),
        "query.median": bootstrap(spent, lambda rows: float(np.median(rows))),
    }
    for name, values in {**means, **first}.items():
        known = values[np.isfinite(values)]
        if len(known) > 1:
            estimates[f"query.{name}"] = mean_t(known)
    known = first["prior_cosine_first"][np.isfinite(first["prior_cosine_first"])]
    if len(known):
        estimates["query.prior_positive"] = proportion(int((known > 0).sum()), len(known))
    steps = {f"{name}_by_step": _mean_known(trace, axis=1) for name, trace in traces.items()}
    return Measurement(estimates=estimates, arrays={"success": success, "queries": spent, **means, **steps})


def _mean_known(values: NDArray[np.floating], *, axis: int) -> NDArray[np.float64]:
    """Mean over what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis) / np.maximum(count, 1), np.nan)


def _runs(points: Sequence[tuple[Point, Measurement]]) -> dict[tuple[str, str], Measurement]:
    return {(point["env"], point["guide"]): measurement for point, measurement in points}


def query_metrics(points: Sequence[tuple[Point, Measurement]]) -> dict[str, Estimate]:
    """Each guide beside its baseline on the same images: more success, fewer queries, and fewer than 0.7 of them."""
    found: dict[str, Estimate] = {}
    runs = _runs(points)
    for (env, guide), measurement in runs.items():
        beside = runs.get((env, BASELINES.get(guide, "")))
        if beside is None:
            continue
        led, alone = measurement.arrays, beside.arrays
        name = f"{env}.queries.{guide}"
        found[f"{name}.success_gain"] = paired_difference(alone["success"], led["success"])
        found[f"{name}.saved"] = mean_t(alone["queries"].astype(float) - led["queries"])
        found[f"{name}.saved_of_70"] = mean_t(0.7 * alone["queries"] - led["queries"])
        pairs = np.stack([led["queries"], alone["queries"]], axis=1)
        found[f"{name}.ratio"] = bootstrap(pairs, lambda rows: float(rows[:, 0].mean() / rows[:, 1].mean()))
    return found


def regimes(points: Sequence[tuple[Point, Measurement]], words: Mapping[str, str]) -> Iterator[Finding]:
    """For each environment and guess, its cosine with the victim's gradient beside that of the random directions of one step."""
    runs = _runs(points)
    for (env, guide), measurement in runs.items():
        beside = runs.get((env, BASELINES.get(guide, "")))
        known = measurement.estimates
        if beside is None or guide.startswith("frame") or "query.prior_cosine_first" not in known:
            continue
        guess, lam, alone = (
            known["query.prior_cosine_first"],
            known["query.lam_first"],
            beside.estimates["query.estimate_cosine_first"],
        )
        worth = "more" if guess.value > alone.value else "less"
        yield Finding(
            id=f"transfer.guess.{env}.{guide}",
            severity="info",
            text=f"{words[env].capitalize()}, {guide.replace('_', ' ')}: at the first step the guess has a mean cosine of {guess} "
            f"with the victim's gradient, the random directions of one step have {alone}: the guess is worth {worth} than a step's "
            f"questions. Its weight lambda is {lam} there; estimates with it have {known['query.estimate_cosine_first']}.",
            evidence=f"points of {guide} and {BASELINES[guide]}",
            estimate=guess,
        )


def savings(points: Sequence[tuple[Point, Measurement]], words: Mapping[str, str]) -> Iterator[Finding]:
    """For each environment, what orthonormal directions save without any guess, and which guesses save anything or cost."""
    metrics, runs = query_metrics(points), _runs(points)
    for env in dict.fromkeys(env for env, _ in runs):
        names = {guide: f"{env}.queries.{guide}.saved" for at, guide in runs if at == env}
        found = {guide: metrics[name] for guide, name in names.items() if name in metrics}
        frame = found.pop("frame_none", None)
        if frame is None or not found:
            continue
        rates = [runs[env, guide].estimates["query.success"] for guide in ("frame_none", "none")]
        fewer = [guide.replace("_", " ") for guide, saved in found.items() if saved.lo > 0]
        more = [guide.replace("_", " ") for guide, saved in found.items() if saved.hi < 0]
        yield Finding(
            id=f"transfer.saved.{env}",
            severity="info",
            text=f"{words[env].capitalize()}: orthonormal directions that keep the last estimate, without a guess, save {frame} "
            f"queries of RGF per image and succeed on {rates[0]} against {rates[1]}. Guesses that save queries "
            f"beyond doubt: {', '.join(fewer) or 'none'}; that cost some: {', '.join(more) or 'none'}.",
            evidence=f"metrics {env}.queries.*.saved",
            estimate=frame,
        )


def query_curves(points: Sequence[tuple[Point, Measurement]]) -> Iterator[Curve]:
    """Success against queries, and cosine and lambda against the step."""
    for point, measurement in points:
        arrays, name = measurement.arrays, f"queries {point['env']} {point['guide']}"
        at = np.unique(np.linspace(point["queries"] / 20, point["queries"], 20).astype(int))
        hits = [int((arrays["success"] & (arrays["queries"] <= count)).sum()) for count in at]
        values = tuple(proportion(count, len(arrays["success"])) for count in hits)
        yield Curve(name=name, axis="queries", at=tuple(map(float, at)), estimates=values, quantity="targeted success by queries")
        for trace, quantity in (("prior_cosine", "cosine of guess and gradient"), ("lam", "weight of the guess (lambda)")):
            yield from _trace(name, arrays[f"{trace}_by_step"], quantity)


def _trace(name: str, values: NDArray[np.float64], quantity: str) -> Iterator[Curve]:
    from holdfast.core.estimate import exact

    known = np.flatnonzero(np.isfinite(values))[:40]
    if len(known) > 1:
        at = tuple(float(step + 1) for step in known)
        yield Curve(name=name, axis="step", at=at, estimates=tuple(exact(values[step]) for step in known), quantity=quantity)
