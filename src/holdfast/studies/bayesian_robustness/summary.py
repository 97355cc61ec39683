"""What the points of each part say together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast import bayes
from holdfast.core.drawn import curve
from holdfast.core.estimate import mean_t, paired_difference, share_of, spearman
from holdfast.core.experiment import Drawing, Finding, Quantity
from holdfast.core.pictures import arrow_figure, scatter_figure
from holdfast.studies.bayesian_robustness.measure import DISTANCES, DRAWS, SIZES, SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.core.estimate import Estimate
    from holdfast.core.runs import Runs
    from holdfast.studies.study import Row

__all__ = ["of_attacks", "of_moons", "of_plane", "of_posteriors", "of_regression", "of_settings"]

LARGE = 0.3  # eps, in L-infinity, at which the best attacks are expected to fool every network
WORDS = {"hmc": "HMC", "vi": "VI", "hmc_few": "HMC of few chains", "ensemble": "ensemble", "deterministic": "one network"}
JUDGED = ("orthogonal.r25", "orthogonal.r400", "orthogonal.single", "orthogonal.slope", "tangential.r400")


def of_posteriors(study: Any, runs: Runs) -> Iterator[Row]:
    """Accuracy beside that of the deterministic network, and how far gradients cancel against samples."""
    yield from bayes.sample_notes(runs)
    for data, group in ((at["data"], group) for at, group in runs.by("data")):
        base, lines = group.where(model="deterministic").first, {WORDS[point["model"]]: found for point, found in group}
        yield from bayes.cancellation_curves(lines, "r", study.at, chart=f"Gradients on {data} cancel")
        for point, found in group:
            at, samples = {"data": data, "model": point["model"]}, found.details["samples"]
            yield from bayes.posterior_quantities("gain", paired_difference(base.arrays["right"], found.arrays["right"]), at, found)
            yield from bayes.posterior_quantities("kept", found.estimates[f"r{samples}"], at, found)
            dots = {float(n): found.estimates.get(f"largest{n if samples > 1 else 1}") for n in study.at}
            words: dict[str, Any] = {"axis": "samples", "quantity": "largest component of the mean gradient", "log": "x"}
            yield from curve(WORDS[point["model"]], dots, chart=f"Largest component of the mean gradient on {data}", **words)


def of_moons(study: Any, runs: Runs) -> Iterator[Row]:
    """Cancellation against samples, accuracy against the distance of the attack, and the gradients themselves."""
    yield from bayes.sample_notes(runs)
    lines = {WORDS[point["model"]]: found for point, found in runs}
    for direction, words in (("orthogonal", "off the data"), ("tangential", "along the data")):
        yield from bayes.cancellation_curves(lines, f"{direction}.r", SIZES, chart=f"Half-moons: gradients {words} cancel")
    base, hmc = (runs.where(model=model).first for model in ("deterministic", "hmc"))
    for key in JUDGED:
        yield from bayes.posterior_quantities(f"hmc.{key}", hmc.estimates[key], {}, hmc)
    for point, found in runs:
        right = dict(zip(DISTANCES, found.arrays["right"].T, strict=True))
        shares = {distance: share_of(hits) for distance, hits in right.items()}
        yield from curve(WORDS[point["model"]], shares, axis="L2 distance", chart="Half-moons: accuracy under attacks off the data")
        for before, (distance, after) in zip(base.arrays["right"].T, right.items(), strict=True):
            at = {"model": point["model"], "distance": distance}
            yield from bayes.posterior_quantities("accuracy", shares[distance], at, found)
            yield from bayes.posterior_quantities("gain", paired_difference(before, after), at, found)
    z, y, gradients = (hmc.arrays[key] for key in ("z", "y", "gradients"))
    parts = {"Along the data": gradients[..., :2], "Off the data, 2 of 18 directions": gradients[..., 2:]}
    panels = {title: {"one sample": part[:, 0], "mean of all": part[:, 1]} for title, part in parts.items()}
    figure = arrow_figure(z, y, panels, x="first axis of the data's plane", y="second axis of the data's plane")
    note = (
        "The test points with the longest gradients. Each arrow is a gradient over the mean length of all samples' gradients there."
    )
    yield Drawing(title="Gradients of half-moons under HMC", figure=figure, note=note)


def of_plane(study: Any, runs: Runs) -> Iterator[Row]:
    """How the gradients of samples agree, and how the length of their mean falls with training points."""
    yield from bayes.sample_notes(runs)
    for point, found in runs:
        yield from bayes.posterior_quantities("kept", found.estimates["ratio"], {"examples": point["examples"]}, found)
    few, many = (runs.where(examples=n).first for n in (min(study.fills), max(study.fills)))
    yield from bayes.posterior_quantities("excess", mean_t(many.arrays["norm"] - few.arrays["norm"] / 2), {}, few, many)


def of_regression(study: Any, runs: Runs) -> Iterator[Row]:
    """Cancellation against the number of exact draws."""
    chart = "Linear regression: gradients off the data cancel"
    yield from bayes.cancellation_curves({"exact draws": runs.first}, "orthogonal.r", DRAWS, chart=chart)


def of_attacks(study: Any, runs: Runs) -> Iterator[Row]:
    """Gains over the deterministic network, what the best attacks leave, and accuracy and robustness against eps."""
    yield from bayes.protocol_notes(runs.where(protocol=("code", "second_softmax", "adaptive"), eps=SMALL))
    for data, group in ((at["data"], group) for at, group in runs.by("data")):
        base = group.where(model="deterministic")
        drawn: dict[tuple[str, float], Mapping[str, Estimate]] = {}
        for at, mine in group.by("data", "model", "eps"):
            pair = ({point["protocol"]: found.arrays for point, found in some} for some in (mine, base.where(eps=at["eps"])))
            found = drawn[at["model"], at["eps"]] = bayes.compared_protocols(*pair)
            yield from (
                row for name, estimate in found.items() for row in bayes.posterior_quantities(name, estimate, at, mine.first)
            )
        left = [numbers["left"] for (_, eps), numbers in drawn.items() if eps == LARGE]
        yield Quantity("most_left", max(left, key=lambda share: share.value), {"data": data, "eps": LARGE})
        yield from (_security(data, model, drawn[model, SMALL], drawn[model, LARGE]) for model in ("hmc", "vi"))
        for model in dict.fromkeys(model for model, _ in drawn if model != "deterministic"):
            yield from bayes.protocol_curves(group.where(model=model), base, name=f"{WORDS[model]} on {data}")


def _security(data: str, model: str, small: Mapping[str, Estimate], large: Mapping[str, Estimate]) -> Finding:
    """How much of the gain under the paper's attack is left under the adaptive protocol."""
    gain = small["adaptive_gain"]
    text = (
        f"{WORDS[model]} on {data}, samples as drawn, eps {SMALL:g}: accuracy exceeds that of the deterministic network by "
        f"{small['fgsm_gain']} under FGSM along the mean gradient, and by {gain} under the adaptive protocol. The best PGD on the "
        f"prediction leaves an accuracy of {small['best_pgd']}. At eps {LARGE:g} the best attacks leave {large['left']}."
    )
    remedy, id_ = "Rest statements about security on holdfast.bayes.adaptive_protocol alone.", f"bayesian.security.{data}.{model}"
    about: dict[str, Any] = {"severity": "medium" if gain.lo <= 0 else "info", "evidence": "attack.adaptive_gain", "remedy": remedy}
    return Finding(id=id_, text=text, estimate=gain, **about)


def of_settings(study: Any, runs: Runs) -> Iterator[Row]:
    """Whether accuracy and robustness rise together over settings of HMC."""
    if not study.sweep:
        return
    rank = spearman(runs.values("clean"), runs.values("softmax"), interval="bootstrap")
    yield Quantity("rank_correlation", rank)
    words = "rise together" if rank.lo > 0 else "are traded against each other" if rank.hi < 0 else "show no clear correlation"
    doubtful = sum(bool(found.details["warnings"]) for _, found in runs)
    text = (
        f"Accuracy of HMC and its softmax robustness under FGSM along the mean gradient, eps {SMALL:g}, {words} over {len(runs)} "
        f"settings: Spearman's rank correlation is {rank}. In {doubtful} of them the chains disagree."
    )
    yield Finding(id="bayesian.sweep", severity="info", text=text, evidence="sweep.rank_correlation", estimate=rank)
    groups: dict[str, list[tuple[str, Estimate, Estimate]]] = {}
    for point, found in runs:
        dot = str(point["width"]), found.estimates["clean"], found.estimates["softmax"]
        groups.setdefault(f"{point['examples']} images, prior {point['std']:g}", []).append(dot)
    figure = scatter_figure(groups, x="accuracy without attack", y=f"softmax robustness under FGSM, eps {SMALL:g}")
    yield Drawing(title="Accuracy against robustness of HMC", figure=figure, note="Names are widths of the hidden layer.")
