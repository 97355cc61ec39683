"""What one point measures, part by part, and what the points of a part say together."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.drawn import curve
from holdfast.core.estimate import exact, proportion, spearman
from holdfast.core.experiment import Drawing, Finding, Measurement, Quantity
from holdfast.core.target import predicted_classes
from holdfast.report.wording import interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from holdfast.attacks.transfer import FeatureHeads
    from holdfast.core.experiment import Context, Point
    from holdfast.core.runs import Runs
    from holdfast.data.examples import Examples
    from holdfast.studies.study import Row

METHODS = ("proxy-ce", "fda-n", "fda-n+ce")
BEST = METHODS[-1]  # the controls are attacks of this kind towards other proxies
SHOWN = 300  # images of each source class about which the victim is asked, once
FITTING = {"epochs": 6, "lr": 2e-3, "batch_size": 100, "schedule": "constant"}
STRONG = 0.35  # a target whose proxy is taken for it at least so often has a natural partner
DRAWN = {"none": "random directions", "prior": "led by the white box", "frame_none": "orthonormal directions"}
DRAWN |= {"frame_start": "these, from a transfer", "shared_none": "classes shared, random", "shared_prior": "classes shared, led"}
OWN = {"noise_source": "prior", "shared_none": "none", "shared_prior": "inside"}  # what leads; other guides are the library's


@lru_cache(maxsize=4)
def images(side: tuple[str, tuple[int, ...]], per_class: int) -> tuple[Examples, Examples]:
    """Training and test images of one side of an environment, read once per process."""
    from holdfast.data import load_images
    from holdfast.data.splits import select_classes

    train, test = load_images(side[0], n=10 * per_class), load_images(side[0], "test")  # ten classes of about equal size
    return select_classes(train, side[1]), select_classes(test, side[1])


def _network(study: Any, point: Point, context: Context, *, role: str, training: str | None = None) -> nn.Module:
    """A trained network: "source first" or "source second", "victim", or "victim of shared labels", which has the former's."""
    from holdfast.attacks import adversarial_batches
    from holdfast.nets import conv_net, fit, kept, sign_noise

    env, seeds, attacker = study.environment(point), context.seeds.child(role, point["seed"]), role.startswith("source")
    train, _ = images(env.target if role == "victim" else env.source, env.per_class)
    widths, strides = (env.source_widths, (2, 1, 2, 1)) if attacker else (env.target_widths, (2, 2, 1))
    shape = {"channels": train.x.shape[1], "classes": train.classes, "seed": seeds.integer("weights")}
    plan = {"training": training or (env.training if attacker else "noise"), "reach": env.reach if attacker else env.victim_noise}

    def learn(net: nn.Module, *, data: str, training: str, reach: float, **settings: Any) -> None:
        noise = sign_noise(reach) if training == "noise" else None
        fit(net, train, augment=noise, on_batch=adversarial_batches(reach) if training == "adversarial" else None, **settings)

    plan |= {"data": train.digest, "seed": seeds.integer("training"), **FITTING}
    return kept(context, lambda: conv_net(widths, strides, **shape), learn, **plan)


def _white_box(
    study: Any, point: Point, context: Context, *, role: str = "source first", training: str | None = None
) -> tuple[nn.Module, FeatureHeads]:
    """A network of the attacker, and heads on all its blocks."""
    from holdfast.attacks.transfer import FeatureHeads

    env, net = study.environment(point), _network(study, point, context, role=role, training=training)
    seed = context.seeds.child("heads", point["seed"]).integer("training")
    blocks = [f"block{number + 1}" for number in range(len(env.source_widths))]
    return net, FeatureHeads.kept(context, net, images(env.source, env.per_class)[0].to(context.device), blocks, seed=seed)


def _attacked(
    study: Any, point: Point, context: Context, *, per_target: int, role: str = "victim", training: str | None = None
) -> tuple[Any, ...]:
    """A victim, the proxies of its classes, test images that it gets right, and their targets."""
    from holdfast.attacks.transfer import Proxies, aimed, class_correspondence
    from holdfast.core.target import Target

    env, victim, shared = study.environment(point), _network(study, point, context, role=role, training=training), role != "victim"
    source, target = (images(side, env.per_class)[1].to(context.device) for side in (env.source, env.target))
    asked, drawn = (context.seeds.integer(name, point["seed"]) for name in ("asked", "attacked"))
    shown, goals = aimed(victim, source if shared else target, per_target, seed=drawn)
    if shared:
        return victim, Proxies.single(goals), shown, goals  # each class is its own proxy
    ask = partial(class_correspondence, answers="either", target_classes=target.class_names, seed=asked)
    return victim, ask(Target(model=victim), source, SHOWN), shown, goals


def matrix(study: Any, point: Point, context: Context) -> Measurement:
    """The class correspondence."""
    return _attacked(study, point, context, per_target=1)[1].record()


def transfer(study: Any, point: Point, context: Context, *, plain: bool = False) -> Measurement:
    """Targeted success of methods and controls, what both networks say of the clean images, and the ceiling of the threat."""
    from holdfast.attacks import ThreatModel, pgd
    from holdfast.attacks.transfer import clean_signals, evaluate_methods

    at, threat = (study, point, context), ThreatModel("linf", point["eps"])
    victim, found, shown, goals = _attacked(*at, per_target=study.images, training="plain" if plain else None)
    net, heads = _white_box(*at)
    settings: dict[str, Any] = {"heads": heads, "steps": study.steps, "top_k": 1 if plain else study.top_k}
    seed = context.seeds.integer("controls", point["seed"])
    answers = evaluate_methods(victim, net, shown, goals, found, threat, methods=METHODS, seed=seed, **settings)
    part, aims = shown[:: max(1, len(shown) // 200)], goals[:: max(1, len(shown) // 200)]
    direct = pgd(victim, part.x, part.y, threat, target_class=aims, steps=20, random_start=False)
    clean = {f"clean_{name}": signal for name, signal in clean_signals(victim, net, shown.x, found.proxy(goals)).items()}
    return Measurement(
        estimates={"success": answers.macro(BEST), "noise": answers.macro("noise"), "ceiling": direct.success_rate},
        arrays={**answers.arrays, **clean, "ceiling": direct.success.cpu().numpy()},
        details={"cells": answers.cells(BEST).nan_to_num(nan=-1).tolist(), "sink": answers.sink(BEST)},
    )


sink = partial(transfer, plain=True)
"""The same on a victim that never saw noise: how often noise alone reaches the target, and which class takes it in."""


def layers(study: Any, point: Point, context: Context) -> Measurement:
    """Layers chosen between two networks of the attacker, and what the victim makes of an attack on these layers."""
    from holdfast.attacks import ThreatModel
    from holdfast.attacks.transfer import proxy_attack, select_layers
    from holdfast.nets import predict

    at, env, threat = (study, point, context), study.environment(point), ThreatModel("linf", point["eps"])
    victim, found, shown, goals = _attacked(*at, per_target=study.images)
    (net, heads), second = _white_box(*at), _network(*at, role="source second")
    judged = images(env.source, env.per_class)[1].stratified(study.images, seed=point["seed"]).to(context.device)
    chosen = select_layers(net, second, judged, threat, heads=heads, steps=study.steps)
    settings: dict[str, Any] = {"heads": heads, "steps": study.steps, "layers": chosen.layers, "method": BEST}
    answers = predicted_classes(predict(victim, proxy_attack(net, shown.x, goals, found, threat, **settings).x_adv))
    estimates = {**chosen.alone, "chosen": chosen.path[-1], "victim": proportion(int((answers == goals).sum()), len(goals))}
    return Measurement(estimates=estimates, details={"chosen_layers": list(chosen.layers)})


def queries(study: Any, point: Point, context: Context) -> Measurement:
    """Success and queries of one guide, and cosines of guess and estimate with the victim's true gradient."""
    from holdfast.attacks import ThreatModel
    from holdfast.attacks.query import loss_gradient, query_record
    from holdfast.attacks.transfer import GUIDES, guided_attack

    at, name, env = (study, point, context), str(point["guide"]), study.environment(point)
    role, (_, known) = ("victim of shared labels", env.source) if name.startswith("shared") else ("victim", env.target)
    victim, found, shown, goals = _attacked(*at, per_target=-(-point["images"] // len(known)), role=role)
    guide, training = GUIDES[OWN.get(name, name)], "noise" if name == "noise_source" else None
    boxes = [_white_box(*at, role=box, training=training) for box in ("source first", "source second")[: guide.white_boxes]]
    search = {"queries": point["queries"], "samples": point["samples"], "sigma": 1e-2, "step_size": point["eps"] / 5}
    search["seed"] = context.seeds.integer("directions", point["seed"])
    aim, truth = (shown, goals, found, ThreatModel("linf", point["eps"])), loss_gradient(victim, shown.y, target_class=goals)
    return query_record(guided_attack(victim, boxes, *aim, guide=guide, truth=truth, **search), point["queries"])


def of_matrices(study: Any, runs: Runs) -> Iterator[Row]:
    """How many targets have a partner, how often each one's proxy is taken for it, and the matrix of the first seed."""
    from holdfast.attacks.transfer import CorrespondenceMatrix

    yield f"Environments: {'; '.join(f'{env.name} {env.words}' for env in study.environments)}."
    for at, group in runs.by("env", "data", "seed"):
        matrix = CorrespondenceMatrix.recorded(group.first)
        strongest = matrix.C.amax(0)
        yield Quantity("partners", exact(int((strongest >= STRONG).sum()), len(strongest), "count"), at)
        for target, share in matrix.proxy_shares().items():
            yield Quantity("proxy_share", share, {**at, "target": target})
        if at["seed"] == 0:
            note = "Shares of the victim's answers to images of each source class; the proxy of each target is framed."
            yield Drawing(title=f"Class correspondence: {study.environment(at).words}", figure=matrix.figure(), note=note)


def of_transfers(study: Any, runs: Runs) -> Iterator[Row]:
    """Rates over the images of all seeds beside their controls, and how they depend on the clean images."""
    from holdfast.attacks.transfer import TransferEvaluation, sensitivity, transfer_curves

    for place, sizes in runs.by("env"):
        words = study.environment(place).words
        answers = {at["eps"]: TransferEvaluation.pooled(found.arrays for _, found in group) for at, group in sizes.by("eps")}
        for eps, one in answers.items():
            ceiling = sizes.where(eps=eps).pooled("ceiling")
            yield Quantity("ceiling", proportion(int(ceiling.sum()), len(ceiling)), {**place, "eps": eps})
            yield from one.quantities(METHODS, {**place, "eps": eps})
        if len(answers) > 1:
            yield from transfer_curves(answers, chart=f"Targeted success against eps: {words}")
        clean = sizes.where(eps=min(answers))
        share = np.mean([one.success(name).numpy() for one in answers.values() for name in METHODS], axis=0)
        for signal in ("confidence", "margin", "proxy", "entropy"):
            yield Quantity("sensitivity", spearman(clean.pooled(f"clean_{signal}"), share), {**place, "signal": signal})
        groups = sensitivity(answers[max(answers)].success(BEST).numpy(), clean.pooled("clean_margin")).bins
        axes = {"axis": "fifth of the images by the victim's margin", "quantity": "targeted success at the largest eps"}
        yield from curve(words, dict(enumerate(groups, 1)), chart="Targeted success by the victim's margin", **axes)


def of_queries(study: Any, runs: Runs) -> Iterator[Row]:
    """Success against queries; each guide beside the same attack without a guess, on the same images."""
    from holdfast.attacks.query import compare_queries, success_by_queries

    for at, group in runs.by("env"):
        env, saved = study.environment(at), {}
        guides = {point["guide"]: found for point, found in group}
        chart = f"Targeted success against queries: {env.words}"
        for guide in (name for name in DRAWN if name in guides):
            dots = success_by_queries(guides[guide].arrays, group.points[0]["queries"])
            yield from curve(DRAWN[guide], dots, axis="queries", unit="per image", quantity="targeted success", chart=chart)
        for guide, found in guides.items():
            kind = guide.split("_")[0]
            alone = guides.get("none" if guide == "frame_none" or kind not in {"coarse", "frame", "shared"} else f"{kind}_none")
            if alone is not None and alone is not found:
                compared = compare_queries(alone.arrays, found.arrays)
                yield from (Quantity(name, value, {**at, "guide": guide}) for name, value in compared.items())
                saved[guide] = compared["saved"]
        if "prior" in saved:
            first = [guides["prior"].estimates["prior_cosine_first"], guides["none"].estimates["estimate_cosine_first"]]
            *each, own, chance = (interval(one.value, one.lo, one.hi) for one in [*saved.values(), *first])
            told = ", ".join(f"{guide.replace('_', ' ')} {text}" for guide, text in zip(saved, each, strict=True))
            text = f"{env.words.capitalize()}: mean queries saved per image against the same attack without a guess: {told}."
            text += f" At the first step the cosine with the victim's gradient is {own} for the white box's gradient on average,"
            text += f" {chance} for the random directions of one step."
            yield Finding(id=f"transfer.guides.{env.name}", severity="info", text=text, evidence=f"queries.saved[env={env.name}]")
