"""The claims: what the paper's abstract says, as far as it can be held against small networks, and our own measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.core.claim import Claim
from holdfast.studies.transfer_attack.outcomes import tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.studies.transfer_attack.environments import Environment

__all__ = ["claims_for"]

PAPER = "arXiv:2103.09916, abstract"
OURS = "ours; of the paper the abstract was read"


def _claim(number: str, statement: str, check: str, *, source: str = OURS, note: str = "") -> Claim:
    return Claim(id=number, statement=statement, check=check, source=source, note=note)


def _correspondence() -> Iterator[Claim]:
    at = "[env=E1, seed=0]"
    yield _claim("1.rows", "Each row of the correspondence matrix sums to 1", f"correspondence.row_error{at} <= 1e-6")
    yield _claim(
        "1.partners",
        "For at least 3 of 5 clothes some source class is taken for it at least 35 times in 100",
        f"correspondence.strong{at} >= 3",
    )
    yield _claim(
        "1.trouser", "Trousers are taken for dresses at least 85 times in 100", f"correspondence.trouser_dress{at} >= 0.85"
    )


def _transfer(environment: Environment) -> Iterator[Claim]:
    """Claims 2 and 3: more than noise, and the proxy matters."""
    name = environment.name
    if name == "E1":
        for eps in environment.eps:
            for control, words in (("noise", "noise of the same size"), ("random_proxy", "the same attack towards random proxies")):
                yield _claim(
                    f"2.{control}.{tag(eps)}",
                    f"Clothes, eps {eps:g}: the victim answers with the target more often than after {words}, by 2 standard errors",
                    f"{name}.{tag(eps)}.fda_n_ce.z_{control} >= 2",
                    source=PAPER,
                    note="the abstract says that targeted transfer is possible; the test is ours: z of pooled counts",
                )
    if name == "E2":
        at = f"{name}.{tag(max(environment.eps))}"
        note = "the abstract says that proxies chosen by correspondence are the key; the comparison is ours"
        yield _claim(
            "3.best",
            f"Digits, eps {max(environment.eps):g}: the best proxy does better than a random one",
            f"{at}.fda_n_ce.over_random > 0",
            source=PAPER,
            note=note,
        )
        yield _claim(
            "3.worst",
            f"Digits, eps {max(environment.eps):g}: a random proxy does better than the worst",
            f"{at}.random_proxy.over_worst > 0",
            note=note,
        )


def _ceiling(environment: Environment) -> Claim:
    eps = max(environment.eps)
    return _claim(
        f"4.{environment.name}",
        f"{environment.words.capitalize()}, eps {eps:g}: with the victim's own gradient at least 85 of 100 images reach the target",
        f"{environment.name}.{tag(eps)}.ceiling >= 0.85",
        note="otherwise the size of the perturbation, not transfer, would be the limit",
    )


def _order(environments: Sequence[Environment]) -> Iterator[Claim]:
    known = {environment.name: environment for environment in environments}
    if {"E1", "E3"} <= set(known):
        eps = tag(max(known["E1"].eps))
        yield _claim(
            "5",
            "Clothes attacked from clothes gain at least as much over the controls as clothes attacked from digits",
            f"E1.{eps}.fda_n_ce.gain - E3.{eps}.fda_n_ce.gain >= 0",
            source=PAPER,
            note="the abstract speaks of environments with more and less overlap of concepts; the order is our expectation",
        )


GUIDES = {
    "prior": "the white box's gradient as a guess (P-RGF)",
    "better": "the smoothed gradients of two white boxes towards two proxies (P-RGF)",
    "coarse_better": "these gradients, on a coarse grid (P-RGF)",
    "frame_better": "these gradients among orthonormal directions",
    "frame_start": "the white box's gradient among orthonormal directions and a start at its own example",
    "frame_span": "gradients towards each source class in each layer among orthonormal directions",
}


def _guess(environment: Environment) -> Iterator[Claim]:
    """How good the guess is at the start, and where it knows the victim's classes."""
    name, guides = environment.name, environment.guides
    at = f"[env={name}, guide=prior]"
    if "prior" in guides:
        words = environment.words.capitalize()
        yield _claim(
            f"6.{name}.cosine",
            f"{words}: at the start the guess and the victim's gradient have a mean cosine above 0.03",
            f"query.prior_cosine_first{at} > 0.03",
        )
        yield _claim(
            f"6.{name}.positive", f"{words}: it is positive for at least 75 of 100 images", f"query.prior_positive{at} >= 0.75"
        )
    if "shared_prior" in guides:
        yield _claim(
            f"6.{name}.shared",
            "Where white box and victim share their classes, the guess saves at least 30 of 100 queries",
            f"{name}.queries.shared_prior.saved_of_70 >= 0",
            note="the ordinary setting of transfer; it shows that the attack uses a guess that is good",
        )


def _queries(environment: Environment) -> Iterator[Claim]:
    """The abstract's last sentence, guess by guess: fewer queries, more success."""
    for guide, words in GUIDES.items():
        if guide not in environment.guides:
            continue
        at = f"{environment.name}.queries.{guide}"
        start = f"{environment.words.capitalize()}, with {words}: an attack by queries"
        note = (
            "beside the same attack without a guess, on the same images; failures count as the whole budget. Estimates with a "
            "guess may have the better cosine at each step and still end later, presumably since a guess errs alike at every step, "
            "while the errors of random directions average out"
        )
        source = PAPER if guide == "prior" else f"{PAPER}; the guess is ours"
        yield _claim(
            f"6.{environment.name}.{guide}.queries", f"{start} needs fewer of them", f"{at}.saved > 0", source=source, note=note
        )
        yield _claim(
            f"6.{environment.name}.{guide}.success",
            f"{start} succeeds more often",
            f"{at}.success_gain > 0",
            source=source,
            note=note,
        )


def _rest(environments: Sequence[Environment]) -> Iterator[Claim]:
    names = {environment.name for environment in environments}
    for environment in environments:
        yield _claim(
            f"7.{environment.name}",
            f"{environment.words.capitalize()}: images on which the victim's margin is small are hit more often (rank correlation, "
            "methods and sizes pooled)",
            f"{environment.name}.sensitivity.margin < 0",
            source=PAPER,
            note="the abstract announces a sensitivity analysis; the quantity is ours",
        )
    if "E2" in names:
        yield _claim(
            "8",
            "A digit victim that never saw noise takes what is strange for one class: noise alone reaches at least half of the "
            "attack's success",
            "sink.noise.success[env=E2] - 0.5 * sink.fda_n_ce.success[env=E2] >= 0",
            note="the reason why victims here are trained with noise, and why every rate stands beside its controls",
        )


def claims_for(environments: Sequence[Environment]) -> tuple[Claim, ...]:
    """The claims that these environments can show."""
    found = [*_correspondence()] if any(environment.name == "E1" for environment in environments) else []
    for environment in environments:
        found += _transfer(environment)
    found += [_ceiling(environment) for environment in environments]
    found += _order(environments)
    for environment in environments:
        found += [*_guess(environment), *_queries(environment)]
    return (*found, *_rest(environments))
