"""What one point measures: the correspondence, transfer beside its controls, a victim with a sink, and the choice of layers."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from holdfast.core.estimate import exact, proportion
from holdfast.core.experiment import Measurement
from holdfast.studies.transfer_attack.bench import Bench

if TYPE_CHECKING:
    import numpy as np
    import torch

    from holdfast.attacks import ThreatModel
    from holdfast.attacks.transfer import CorrespondenceMatrix, TransferEvaluation
    from holdfast.core.experiment import Context, Point
    from holdfast.data.examples import Examples
    from holdfast.studies.transfer_attack.environments import Environment

__all__ = ["BEST", "METHODS", "measure_correspondence", "measure_layers", "measure_sink", "measure_transfer", "word"]

METHODS = ("proxy-ce", "fda-n", "fda-n+ce")
BEST = "fda-n+ce"  # the controls are attacks of this kind towards other proxies
STRONG = 0.35  # a target whose proxy is taken for it at least so often has a natural partner


def word(method: str) -> str:
    """A method's name as part of a metric's: ``fda-n+ce`` is fda_n_ce."""
    return method.replace("-", "_").replace("+", "_")


def measure_correspondence(environment: Environment, point: Point, context: Context) -> Measurement:
    """The matrix, its answers, and how strongly each target has a partner."""
    bench = Bench(environment, point["seed"], context)
    found = bench.correspondence(bench.victim())
    strongest = found.C.amax(0)
    estimates = {
        "correspondence.row_error": exact(float((found.C.double().sum(1) - 1).abs().max()), len(found.C)),
        "correspondence.strong": exact(int((strongest >= STRONG).sum()), len(strongest), "count"),
    }
    if "trouser" in found.source_classes and "dress" in found.target_classes:
        row, column = found.source_classes.index("trouser"), found.target_classes.index("dress")
        assert found.counts is not None, "it was measured"
        estimates["correspondence.trouser_dress"] = proportion(int(found.counts[row, column]), int(found.counts[row].sum()))
    proxies = [found.source_classes[int(found.C[:, goal].argmax())] for goal in range(len(strongest))]
    details = {"proxies": dict(zip(found.target_classes, proxies, strict=True)), "entropy": found.entropy.tolist()}
    return Measurement(estimates=estimates, arrays={"C": found.C.cpu().numpy()}, details=details)


def _threat(eps: float) -> ThreatModel:
    from holdfast.attacks import ThreatModel

    return ThreatModel("linf", eps)


def _tried(
    bench: Bench, images: Examples, goals: torch.Tensor, found: CorrespondenceMatrix, eps: float, **attack: Any
) -> dict[str, torch.Tensor]:
    """Attacked images of every method and control."""
    from holdfast.attacks.transfer import control_attacks, proxy_attack

    net = bench.white_box()
    settings = {"heads": bench.heads(net), **attack}
    x_adv = {}
    for method in METHODS:
        bench.context.check_time()
        x_adv[word(method)] = proxy_attack(net, images.x, goals, found, _threat(eps), method=method, **settings).x_adv
    seed = bench.context.seeds.integer("controls", bench.seed)
    settings = {key: item for key, item in settings.items() if key != "top_k"}  # each control has one proxy
    controls = control_attacks(net, images.x, goals, found, _threat(eps), seed=seed, method=BEST, **settings)
    return x_adv | controls


def _asked(victim: Any, x_adv: dict[str, torch.Tensor], images: Examples, goals: torch.Tensor) -> TransferEvaluation:
    from holdfast.attacks.transfer import evaluate_transfer

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Noise alone reaches")  # the controls stand beside it in every table
        return evaluate_transfer(victim, x_adv, images.y, goals)


def _arrays(found: TransferEvaluation) -> dict[str, np.ndarray]:
    answers = {f"answer_{name}": said.cpu().numpy() for name, said in found.answers.items()}
    return {"y": found.y.cpu().numpy(), "target_class": found.target_class.cpu().numpy(), **answers}


def _rates(found: TransferEvaluation) -> dict[str, Any]:
    rates = {}
    for name in found.answers:
        rates[f"{name}.success"], rates[f"{name}.error"] = found.macro(name), found.error(name)
    return rates


def measure_transfer(environment: Environment, point: Point, context: Context) -> Measurement:
    """Targeted success of each method and control, what both networks said of the clean images, and the ceiling of the threat."""
    from holdfast.attacks import pgd
    from holdfast.attacks.transfer import clean_signals

    bench = Bench(environment, point["seed"], context)
    victim, net = bench.victim(), bench.white_box()
    correspondence = bench.correspondence(victim)
    images, goals = bench.attacked(victim, point["images"])
    x_adv = _tried(bench, images, goals, correspondence, point["eps"], steps=point["steps"], top_k=point["top_k"])
    found = _asked(victim, x_adv, images, goals)
    rows = slice(None, None, max(1, len(images) // 200))
    owned = bench.victim_net()
    direct = pgd(
        owned, images.x[rows], images.y[rows], _threat(point["eps"]), target_class=goals[rows], steps=20, random_start=False
    )
    signals = clean_signals(owned, net, images.x, correspondence.proxy(goals))
    arrays = _arrays(found) | {f"clean_{name}": signal for name, signal in signals.items()}
    arrays["ceiling"] = direct.success.cpu().numpy()
    details = {"cells": {word(BEST): found.cells(word(BEST)).nan_to_num(nan=-1).tolist()}}
    return Measurement(estimates={**_rates(found), "ceiling": direct.success_rate}, arrays=arrays, details=details)


def measure_sink(environment: Environment, point: Point, context: Context) -> Measurement:
    """The same attack on a victim that never saw noise: how often noise alone reaches the target, and which class takes it in."""
    bench = Bench(environment, point["seed"], context)
    victim = bench.victim(training="plain")
    images, goals = bench.attacked(victim, point["images"])
    x_adv = _tried(bench, images, goals, bench.correspondence(victim), point["eps"], steps=point["steps"])
    found = _asked(victim, x_adv, images, goals)
    sink = found.sink(word(BEST))
    noisy = found.answers["noise"].bincount(minlength=found.classes)
    estimates = {f"sink.{name}": rate for name, rate in _rates(found).items()}
    estimates["sink.flagged"] = exact(float(sink is not None))
    estimates["sink.largest_share"] = proportion(int(noisy.max()), len(images))
    names = images.class_names
    return Measurement(estimates=estimates, arrays=_arrays(found), details={"sink": None if sink is None else names[sink]})


def measure_layers(environment: Environment, point: Point, context: Context) -> Measurement:
    """Layers chosen between two networks of the attacker, and what the victim makes of an attack on these layers."""
    from holdfast.attacks.transfer import proxy_attack, select_layers
    from holdfast.nets import predict

    bench = Bench(environment, point["seed"], context)
    net, second, victim = bench.white_box(), bench.white_box(which="second"), bench.victim()
    heads, eps = bench.heads(net), point["eps"]
    judged = bench.source.test.stratified(point["images"], seed=point["seed"]).to(context.device)
    chosen = select_layers(net, second, judged, _threat(eps), heads=heads, steps=point["steps"])
    images, goals = bench.attacked(victim, point["images"])
    settings = {"heads": heads, "layers": chosen.layers, "steps": point["steps"], "method": BEST}
    attack = proxy_attack(net, images.x, goals, bench.correspondence(victim), _threat(eps), **settings)
    hits = int((predict(victim, attack.x_adv).argmax(1) == goals).sum())
    estimates = {f"layers.{name}": rate for name, rate in chosen.alone.items()}
    estimates |= {"layers.chosen": chosen.path[-1], "layers.victim": proportion(hits, len(images))}
    return Measurement(estimates=estimates, details={"chosen_layers": list(chosen.layers)})
