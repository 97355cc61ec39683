"""What the points of each part say together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.drawn import curve
from holdfast.core.estimate import exact, proportion, spearman
from holdfast.core.experiment import Drawing, Finding, Quantity
from holdfast.report.wording import interval
from holdfast.studies.transfer_attack.measure import BEST, METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.core.runs import Runs
    from holdfast.studies.study import Row

__all__ = ["of_matrices", "of_queries", "of_transfers"]

STRONG = 0.35  # a target whose proxy is taken for it at least so often has a natural partner
DRAWN = ("none", "prior", "frame_none", "frame_start", "shared_none", "shared_prior")


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
            yield from curve(guide, dots, axis="queries", unit="per image", quantity="targeted success", chart=chart)
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
