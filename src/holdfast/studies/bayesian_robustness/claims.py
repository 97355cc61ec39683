"""The claims: an exact invariant and its consequences, the paper's headlines under its own attack, and the same under others.

A claim about Hamiltonian chains is about the posterior, and undecided where the chains do not agree. Its twin ``.drawn`` is about
the samples as they were drawn, whatever they stand for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.core.claim import Claim
from holdfast.studies.bayesian_robustness.outcomes import WORDS, metric_name
from holdfast.studies.bayesian_robustness.recipes import tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from holdfast.studies.bayesian_robustness.recipes import Images, Moons, Plane

__all__ = ["claims_for"]

PAPER = "arXiv:2002.04359, abstract, names the effect; the number is ours"
THEORY = "arXiv:2002.04359, the argument from symmetry, in a case where it is exact; the number is ours"
COUNTER = "arXiv:2404.19640, abstract, names the effect; the number is ours"
OURS = "ours"
Reasons = "Mapping[str, str]"


def _claim(number: str, statement: str, check: str, *, source: str = OURS, note: str = "") -> Claim:
    return Claim(id=number, statement=statement, check=check, source=source, note=note)


def _hmc(number: str, statement: str, check: str, *, source: str = PAPER, reason: str = "") -> Iterator[Claim]:
    """A claim about the posterior and, with ``{}`` in front of each quantity of `check`, its twin about the samples as drawn."""
    note = f"undecided because unconverged: {reason}" if reason else ""
    yield _claim(number, f"Posterior by HMC: {statement}", check.replace("{}", ""), source=source, note=note)
    yield _claim(f"{number}.drawn", f"HMC samples as drawn: {statement}", check.replace("{}", "drawn."), source=source)


def _moons_claims(moons: Moons, reason: str) -> Iterator[Claim]:
    last = moons.at[-1]
    for number, statement, check in (
        ("1.accuracy", "at least 98 % of test points of the embedded half-moons are right", "{}moons.hmc.right >= 0.98"),
        (
            "1.orthogonal",
            f"gradients off the data cancel to 0.25 or less in the mean of {last} samples",
            f"{{}}moons.hmc.orthogonal.r{last} <= 0.25",
        ),
        ("1.tangential", "gradients along the data keep at least 0.8", f"{{}}moons.hmc.tangential.r{last} >= 0.8"),
        ("1.single", "a single sample's gradient off the data is longer than 0.5", "{}moons.hmc.orthogonal.single > 0.5"),
        (
            "2.falls",
            f"gradients off the data cancel more with {last} samples than with 25",
            f"{{}}moons.hmc.orthogonal.r25 - {{}}moons.hmc.orthogonal.r{last} > 0",
        ),
        (
            "2.slope_high",
            "their length falls with samples with an exponent of -0.3 or less",
            "{}moons.hmc.orthogonal.slope <= -0.3",
        ),
        ("2.slope_low", "it falls with an exponent of -0.6 or more", "{}moons.hmc.orthogonal.slope >= -0.6"),
    ):
        yield from _hmc(number, statement, check, source=THEORY if "orthogonal" in check else OURS, reason=reason)
    yield _claim(
        "1.ensemble",
        f"Gradients off the data do not vanish in the mean of {moons.members} deterministic networks: at least 0.5 is left",
        f"moons.ensemble.orthogonal.r{moons.members} >= 0.5",
    )
    yield _claim(
        "2.exact",
        "Under exact independent draws (linear regression) the exponent is within 0.07 of -1/2",
        "abs(regression.orthogonal.slope + 0.5) <= 0.07",
        source=THEORY,
    )
    yield _claim(
        "3.deterministic",
        "An attack off the data by 1.0 in L2 leaves the deterministic network 5 % or less",
        "moons.deterministic.off.e100 <= 0.05",
    )
    yield _claim("3.vi", "The same attack leaves VI at least 70 %", "moons.vi.off.e100 >= 0.7")
    yield from _hmc(
        "3.hmc",
        "the same attack leaves at least 10 points more than it leaves the deterministic network",
        "{}moons.hmc.gain.e100 >= 0.1",
        source=OURS,
        reason=reason,
    )


def _plane_claims(plane: Plane, reason: str) -> Iterator[Claim]:
    few, many = plane.examples[0], plane.examples[-1]
    note = (
        "their support has two dimensions, so nothing lies off it: what shrinks is the length, not by cancellation. Two hidden "
        "layers and one scale for both axes are those of the public code"
    )
    for number, statement, check in (
        (
            "4.shrinks",
            f"with {many} points the expected gradient of half-moons in their plane is less than half as long as with {few}",
            "{}plane.excess < 0",
        ),
        *(
            (
                f"4.agree.n{n}",
                f"with {n} points the samples' gradients agree: at least 0.9 is left in their mean",
                f"{{}}plane.n{n}.ratio >= 0.9",
            )
            for n in (few, many)
        ),
    ):
        for claim in _hmc(number, statement, check, source=OURS, reason=reason):
            yield claim if claim.note else Claim(**(vars(claim) | {"note": note}))


def _image_claims(recipe: Images, reason: str) -> Iterator[Claim]:
    data = metric_name(recipe.data)
    for number, statement, check in (*_gains(recipe, data), *_cancels(recipe, data)):
        yield from _hmc(f"{number}.{data}", statement, check, reason=reason)
    for number, statement, check in _overturns(recipe, data):
        yield from _hmc(f"{number}.{data}", statement, check, source=COUNTER, reason=reason)
    if recipe.few is not None:
        yield _claim(
            f"6.chains.{data}",
            f"50 samples of {recipe.few.chains} chains cancel less than 50 of {recipe.hmc.chains}, as drawn",
            f"drawn.{data}.hmc_few.r50 - drawn.{data}.hmc.r50 > 0",
        )
    yield from _other_claims(recipe, data)


def _gains(recipe: Images, data: str) -> Iterator[tuple[str, str, str]]:
    base, small = recipe.claimed[0], tag(recipe.claimed[0])
    fgsm = _under_fgsm(recipe)
    yield (
        "5.clean",
        f"on {recipe.data} at most 3 points less accurate than the deterministic network",
        f"{{}}{data}.hmc.gain.clean >= -0.03",
    )
    yield "5.fgsm", f"{fgsm} at least 35 points more accurate than it", f"{{}}{data}.hmc.{small}.expected.fgsm.gain >= 0.35"
    yield "5.softmax", f"{fgsm} softmax robustness at least 0.3 more", f"{{}}{data}.hmc.{small}.expected.fgsm.softmax_gain >= 0.3"
    yield (
        "5.adaptive",
        f"under the adaptive protocol, eps {base:g}, at least 35 points more accurate than it",
        f"{{}}{data}.hmc.{small}.adaptive.worst.gain >= 0.35",
    )


def _cancels(recipe: Images, data: str) -> Iterator[tuple[str, str, str]]:
    last = min(recipe.at[-1], recipe.hmc.chains * recipe.hmc.samples)
    yield (
        "6.hmc",
        f"the mean gradient of {last} samples of {recipe.hmc.chains} chains keeps 0.6 or less",
        f"{{}}{data}.hmc.r{last} <= 0.6",
    )
    yield (
        "6.falls",
        "the largest component of the mean gradient does not rise with samples by more than 10 % from one number to the next",
        f"{{}}{data}.hmc.largest_rise <= 1.1",
    )


def _overturns(recipe: Images, data: str) -> Iterator[tuple[str, str, str]]:
    base, small = recipe.claimed[0], tag(recipe.claimed[0])
    yield "7.hmc", f"the best PGD on the predictive, eps {base:g}, leaves 25 % or less", f"{{}}{data}.hmc.{small}.best_pgd <= 0.25"
    yield (
        "7.weaker",
        f"PGD on the expected loss, eps {base:g}, leaves at least 20 points more than the best on the predictive",
        f"{{}}{data}.hmc.{small}.excess_of_expected >= 0.2",
    )


def _under_fgsm(recipe: Images) -> str:
    return f"under FGSM along the expected gradient, eps {recipe.claimed[0]:g},"


def _other_claims(recipe: Images, data: str) -> Iterator[Claim]:
    (small, large), base = map(tag, recipe.claimed), recipe.claimed[0]
    fgsm, draws = _under_fgsm(recipe), max(n for n in recipe.at if n <= recipe.vi.samples)
    yield _claim(
        f"5.fgsm.vi.{data}",
        f"VI is, {fgsm} at least 20 points more accurate than the deterministic network",
        f"{data}.vi.{small}.expected.fgsm.gain >= 0.2",
        source=PAPER,
    )
    yield _claim(
        f"5.adaptive.vi.{data}",
        f"VI is, under the adaptive protocol, eps {base:g}, at least 20 points more accurate than it",
        f"{data}.vi.{small}.adaptive.worst.gain >= 0.2",
        source=PAPER,
    )
    yield _claim(
        f"5.fgsm.ensemble.{data}",
        f"An ensemble of {recipe.members} is, {fgsm} at most 10 points more accurate than it",
        f"{data}.ensemble.{small}.expected.fgsm.gain <= 0.1",
    )
    yield _claim(
        f"6.vi.{data}",
        f"The mean gradient of {draws} samples of VI keeps 0.55 or less",
        f"{data}.vi.r{draws} <= 0.55",
        source=PAPER,
    )
    yield _claim(
        f"6.ensemble.{data}",
        f"That of an ensemble of {recipe.members} keeps at least 0.9",
        f"{data}.ensemble.r{recipe.members} >= 0.9",
    )
    yield _claim(
        f"7.vi.{data}",
        f"The best PGD on the predictive, eps {base:g}, leaves VI 20 % or less",
        f"{data}.vi.{small}.best_pgd <= 0.2",
        source=COUNTER,
    )
    for model in recipe.models:
        drawn = "drawn." if model.startswith("hmc") else ""
        yield _claim(
            f"7.none.{model}.{data}",
            f"At eps {recipe.claimed[1]:g} the best attacks leave 2 % or less: {WORDS[model]}{', samples as drawn' * bool(drawn)}",
            f"{drawn}{data}.{model}.{large}.worst <= 0.02",
            source=COUNTER,
        )


def claims_for(moons: Moons, plane: Plane, images: Iterable[Images], reasons: Mapping[str, str] | None = None) -> tuple[Claim, ...]:
    """The claims; `reasons` say of ``"moons"``, ``"plane"`` or a data set why its chains are not to be trusted."""
    known = reasons or {}
    found = [*_moons_claims(moons, known.get("moons", "")), *_plane_claims(plane, known.get("plane", ""))]
    for recipe in images:
        found += _image_claims(recipe, known.get(recipe.data, ""))
    return tuple(found)
