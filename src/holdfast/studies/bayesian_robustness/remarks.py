"""What is said beside the claims: how it was measured, what is to be doubted, and what follows for security."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.core.experiment import Finding
from holdfast.studies.bayesian_robustness.outcomes import WORDS, metric_name
from holdfast.studies.bayesian_robustness.recipes import tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Measurement, Point
    from holdfast.studies.bayesian_robustness.recipes import Images, Sweep

    Measured = Sequence[tuple[Point, Measurement]]
    Metrics = Mapping[str, Estimate]

__all__ = ["findings", "notes"]

BLIND = 0.01  # share of examples without a gradient from which it is said
PROTOCOLS = {
    "expected": "the mean gradient",
    "code": "what the published code climbs, of one sample",
    "second_softmax": "what the published code climbs, of all samples",
    "predictive_nll": "the predictive",
    "mean_logits": "the mean logits",
    "adaptive": "all losses of the adaptive protocol",
}


def findings(metrics: Metrics, images: Iterable[Images], sweep: Sweep | None) -> Iterator[Finding]:
    """How much of a gain a sound attack leaves, what the mean gradient comes to, and how accuracy goes with robustness."""
    for recipe in images:
        for model in ("hmc", "vi"):
            yield from _security(metrics, recipe, model)
        yield from _gradient(metrics, recipe)
    if sweep is not None and (rank := metrics.get("sweep.rank_correlation")) is not None:
        sign = "rise together" if rank.lo > 0 else "are traded against each other" if rank.hi < 0 else "go no sure way together"
        yield Finding(
            id="bayesian.sweep",
            severity="info",
            text=f"HMC on {sweep.data} over {rank.n} widths, training sets and priors: accuracy and softmax robustness under FGSM "
            f"along the mean gradient, eps {sweep.eps:g}, {sign}. Spearman's rank correlation is {rank} (bootstrap of settings).",
            estimate=rank,
        )


def _security(metrics: Metrics, recipe: Images, model: str) -> Iterator[Finding]:
    data, eps, large = metric_name(recipe.data), *recipe.claimed
    at = f"{data}.{model}.{tag(eps)}"
    paper, sound = (metrics.get(f"drawn.{at}.{name}.gain") for name in ("expected.fgsm", "adaptive.worst"))
    worst = metrics.get(f"drawn.{data}.{model}.{tag(large)}.worst")
    if paper is None or sound is None or worst is None:
        return
    yield Finding(
        id=f"bayesian.security.{data}.{model}",
        severity="medium" if sound.lo <= 0 else "info",
        text=f"Eps {eps:g} on {recipe.data}, samples as drawn: {WORDS[model]} gains {paper} of accuracy over the deterministic "
        f"network under FGSM along the mean gradient of all samples, and {sound} under the adaptive protocol. At eps {large:g} the "
        f"best attacks leave it {worst}.",
        evidence=f"metrics drawn.{at}.expected.fgsm.gain, drawn.{at}.adaptive.worst.gain",
        remedy="Rest statements about security on holdfast.bayes.adaptive_protocol alone.",
        estimate=sound,
    )


def _gradient(metrics: Metrics, recipe: Images) -> Iterator[Finding]:
    data, samples = metric_name(recipe.data), min(recipe.at[-1], recipe.hmc.chains * recipe.hmc.samples)
    names = ("hmc.largest1", f"hmc.largest{samples}", "deterministic.largest1")
    one, mean, base = (metrics.get(f"drawn.{data}.{name}") for name in names)
    if one is None or mean is None or base is None:
        return
    yield Finding(
        id=f"bayesian.gradient.{data}",
        severity="info",
        text=f"On {recipe.data} the largest component of the input gradient is {one} for one sample of HMC and {mean} for the mean "
        f"of {samples}; for the deterministic network it is {base}. A mean that cancels in part need not be small.",
        evidence=f"metrics drawn.{data}.hmc.largest1 to largest{samples}",
        estimate=mean,
    )


def notes(measurements: Measured, images: Iterable[Images]) -> Iterator[str]:
    """Sources, settings, doubts about samples, and who attacked whom with how many."""
    yield "Of both papers the abstracts were read, of the first also the public code; no figure of theirs is quoted."
    yield (
        "Claims about Hamiltonian chains are undecided where the chains disagree; their twins (drawn) judge the samples as drawn, "
        "and repeat the claim where the chains agree."
    )
    yield "Intervals are over attacked points, in the sweep over its settings; the samples of weights are taken as they are."
    yield from (_settings(recipe) for recipe in images)
    yield from _doubts(measurements)
    yield from _sides(measurements)
    yield from _blind(measurements)


def _settings(recipe: Images) -> str:
    def layers(widths: Sequence[int]) -> str:
        return "-".join(map(str, widths))

    sizes = ", ".join(f"{eps:g}" for eps in recipe.adaptive)
    return (
        f"{recipe.data}: networks of {layers(recipe.hidden)} hidden units on {recipe.examples} images, VI of "
        f"{layers(recipe.vi_hidden)} on {recipe.vi.examples}; {recipe.points} attacked and {recipe.test} other test images. PGD of "
        f"{recipe.steps} steps. Adaptive at eps {sizes}: three losses, each climbed by APGD of {recipe.climbs} steps from "
        f"{recipe.restarts} start{'s' * (recipe.restarts > 1)}, and Square of {recipe.queries} queries."
    )


def _doubts(measurements: Measured) -> Iterator[str]:
    told: set[str] = set()
    doubtful = settings = 0
    for point, found in measurements:
        about, place = found.details, " ".join(str(point[key]) for key in ("part", "data", "model", "examples") if key in point)
        if "method" not in about:
            continue
        if point["part"] == "sweep":
            doubtful, settings = doubtful + bool(about.get("warnings")), settings + 1
        elif place not in told:
            told.add(place)
            who = "one network" if about["samples"] == 1 else f"{about['method']}, {about['samples']} samples in all"
            if "warnings" in about:
                who += f" of {about['chains']} chains; {'; '.join(about['warnings']) or 'no warning'}"
            yield f"{place}: {who}."
    if settings:
        yield f"sweep: the chains disagree in {doubtful} of {settings} settings."


def _sides(measurements: Measured) -> Iterator[str]:
    """Counts of samples on both sides, one line for all protocols with the same."""
    sides: dict[tuple[str, str], dict[str, str]] = {}
    for point, found in measurements:
        about = found.details
        if "attack_samples" in about:
            counts = f"{about['attack_samples']} against {about['defence_samples']} ({about['overlap']})"
            sides.setdefault((point["data"], point["protocol"]), {})[WORDS[point["model"]]] = counts
    alike: dict[tuple[str, str], list[str]] = {}
    for (data, protocol), models in sides.items():
        who = ", ".join(f"{model} {counts}" for model, counts in models.items())
        alike.setdefault((data, who), []).append(PROTOCOLS[protocol])
    for (data, who), names in alike.items():
        yield f"{data}, attacks along {'; '.join(names)}: samples that attack against samples that defend: {who}."


def _blind(measurements: Measured) -> Iterator[str]:
    told: set[tuple[str, ...]] = set()
    for point, found in measurements:
        share, key = found.estimates.get("zero_gradients"), tuple(str(point.get(part)) for part in ("data", "model", "protocol"))
        if share is None or share.value <= BLIND or key in told or point["protocol"] not in PROTOCOLS or key[2] == "adaptive":
            continue
        told.add(key)
        where = f"{key[0]}, {WORDS[key[1]]}, {PROTOCOLS[key[2]]}"
        yield f"{where}: the gradient at {share} of the inputs is exactly zero, so accuracy under this attack says little."
