"""The claims: of the papers' texts, and of our own reconstruction, with its controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.core.claim import Claim
from holdfast.studies.oscillator_binding.recipe import tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["claims_for"]

THEORY = "A. Slavin and V. Tiberkevich, IEEE Trans. Magn. 45 (2009) 1875"
PAPER = "M. Romera et al., arXiv:2001.08044, introduction"
OURS = "ours, measured on this reconstruction; no figure of the paper was read"
ALIAS = (
    "beyond the six targets that the weights were chosen with: steps of -2, -1 and -1 events move the frequencies by -6, -5 and "
    "-7.5 MHz, which is nearly common; for 211, 212, 221 and 222 one of 26 wrong sequences ends at low powers and binds"
)
SHARES = {"none": 0.324, "p12": 0.160, "p13": 0.133, "p23": 0.159, "p123": 0.224}


def _claim(number: str, statement: str, check: str, *, source: str = OURS, note: str = "") -> Claim:
    return Claim(id=number, statement=statement, check=check, source=source, note=note)


def _model_claims() -> Iterator[Claim]:
    yield _claim(
        "1.closed_forms",
        "Nonlinearity, free power and relaxation of the default device are 6.667, 1/3 and 3 MHz to 1e-12",
        "model.closed_form_error <= 1e-12",
        source=THEORY,
    )
    yield _claim(
        "1.relaxation",
        "A small kick of the power decays at twice the relaxation rate within 2 %",
        "abs(model.kick_decay - 1) <= 0.02",
        source=THEORY,
    )


def _locking_claims() -> Iterator[Claim]:
    for name, phase, half, share in (
        ("zero", "0", 0.400, 0.15),
        ("best", "atan nu", 2.696, 0.04),
        ("quadrature", "pi/2", 2.667, 0.04),
        ("flipped", "-atan nu", 2.578, 0.04),
    ):
        yield _claim(
            f"2.{name}",
            f"A pair with coupling phase {phase} locks over a half-range of {half:.3f} MHz within {share:.0%}",
            f"abs(locking.{name} - {half}) <= {share * half:.4g}",
            source=THEORY,
        )
    yield _claim(
        "2.orthogonal",
        "At a right angle to the best phase a pair hardly locks: less than 0.1 MHz",
        "locking.orthogonal <= 0.1",
        source=THEORY,
        note="the adiabatic half-range is 0; what is left is the resolution of the window",
    )
    yield _claim(
        "3.enhancement",
        "The nonlinearity widens locking 6.74-fold over phase oscillators, within 5 %",
        "abs(locking.best - 6.74 * locking.phase_oscillators) <= 0.337 * locking.phase_oscillators",
        source=THEORY,
    )
    yield _claim(
        "3.ten",
        "With a nonlinearity of 90 MHz the factor is 10.05 within 5 %",
        "abs(locking.strong - 10.05 * locking.phase_oscillators) <= 0.5025 * locking.phase_oscillators",
        source=f"{PAPER}: 'enhanced by factors of typically ten'",
    )


def _map_claims(noises: Iterable[float], engines: Iterable[str]) -> Iterator[Claim]:
    if "vortex" in engines:
        yield _claim("4.vortex", "The Thiele equation of three vortices has all five partitions too", "map.vortex.n0.least > 0")
    for noise in noises:
        name = f"map.universal.{tag(noise)}"
        place = f"4.{tag(noise)}"
        yield _claim(f"{place}.all", f"All five partitions are present (noise {noise:g})", f"{name}.least > 0")
        for label, share in SHARES.items():
            yield _claim(
                f"{place}.{label}",
                f"Partition {label.removeprefix('p')} covers {share:.1%} of the map within 4 points (noise {noise:g})",
                f"abs({name}.{label} - {share}) <= 0.04",
                note="" if noise == 0 else "the expected shares were measured without noise",
            )
        yield _claim(
            f"{place}.symmetric",
            f"The map is symmetric under exchange of oscillators 1 and 3 (noise {noise:g})",
            f"abs({name}.asymmetry) <= 0.03",
        )


def _sequence_claims(noises: Iterable[float], *, every: bool) -> Iterator[Claim]:
    for noise in noises:
        name, place = f"sequence.coupled.{tag(noise)}", tag(noise)
        yield _claim(
            f"5.{place}.hits",
            f"Every one of six targets binds in at least 98 % of its presentations (noise {noise:g})",
            f"{name}.least_hits >= 0.98",
        )
        yield _claim(
            f"5.{place}.false", f"Other sequences bind in at most 1 % (noise {noise:g})", f"{name}.most_false_alarms <= 0.01"
        )
        yield _claim(
            f"7.{place}",
            f"Permutations of a target with three different events are rejected in at least 98 % (noise {noise:g})",
            f"{name}.least_order_kept >= 0.98",
        )
        if every:
            yield _claim(
                f"5.{place}.every.hits",
                f"All 27 targets bind in at least 98 % of their presentations (noise {noise:g})",
                f"every.coupled.{place}.least_hits >= 0.98",
            )
            yield _claim(
                f"5.{place}.every.false",
                f"For all 27 targets other sequences bind in at most 1 % (noise {noise:g})",
                f"every.coupled.{place}.most_false_alarms <= 0.01",
                note=ALIAS,
            )
    yield _claim(
        "6.commensurate.hits", "Commensurate weights recognise every target too", "sequence.commensurate.n1e4.least_hits >= 0.98"
    )
    yield _claim(
        "6.commensurate.false",
        "Commensurate weights fire on at least 11 % of the wrong sequences for every target",
        "sequence.commensurate.n1e4.least_fires_on >= 0.11",
        note="a negative control: weights must be incommensurate",
    )
    yield _claim(
        "6.commensurate.most",
        "Commensurate weights fire on at most 38.5 % (10 of 26) of the wrong sequences for the worst target",
        "sequence.commensurate.n1e4.most_fires_on <= 0.385",
    )
    yield _claim(
        "6.uncoupled.hits",
        "Without coupling nothing binds: it is synchronisation, not equality of frequencies, that recognises",
        "sequence.uncoupled.n1e4.hits <= 0.01",
    )
    yield _claim(
        "6.uncoupled.false", "Without coupling no wrong sequence fires", "sequence.uncoupled.n1e4.most_false_alarms <= 0.01"
    )


def _learning_claims(spreads: Iterable[float]) -> Iterator[Claim]:
    name = f"learning.{tag(0)}"
    yield _claim(
        "8.solved",
        "Learning from random offsets reaches no error within 40 passes for at least 7 of 10 seeds",
        f"{name}.solved >= 0.7",
    )
    yield _claim("8.passes", "The median number of passes is at most 10", f"{name}.passes <= 10")
    for spread in spreads:
        if spread > 0:
            yield _claim(
                f"10.spread.{tag(spread)}",
                f"Learning repairs a device spread of {spread:.0%} for at least 7 of 10 seeds",
                f"learning.{tag(spread)}.solved >= 0.7",
            )


def _noise_claims() -> Iterator[Claim]:
    yield _claim(
        "9.one",
        "The phase noise of one oscillator is that of theory within 10 %",
        "abs(diffusion.against_theory - 1) <= 0.1",
        source=THEORY,
    )
    yield _claim("9.two", "The common phase of two has 0.50 +- 0.06 of it", "abs(diffusion.common_of_2 - 0.5) <= 0.06")
    yield _claim("9.three", "The common phase of three has 0.33 +- 0.05 of it", "abs(diffusion.common_of_3 - 0.333) <= 0.05")
    yield _claim(
        "9.each",
        "Synchronised, each of two oscillators has half the line width of one alone, within 0.06",
        "abs(diffusion.each_of_2 - 0.5) <= 0.06",
        note="the common phase of uncoupled oscillators diffuses as slowly: it is the line of each one that locking narrows",
    )
    yield _claim(
        "9.control",
        "Uncoupled, each of two has the line width of one alone within 0.1",
        "abs(diffusion.uncoupled_each_of_2 - 1) <= 0.1",
    )
    yield _claim(
        "10.graceful",
        "Mean accuracy does not rise from any noise level to the next",
        "noise.largest_rise <= 0",
        note="between levels at which everything is recognised an interval around 0 decides nothing",
    )
    yield _claim("10.degrades", "Accuracy falls from n = 1e-4 to 3e-2", "noise.lost > 0")


def claims_for(
    *, every: bool, engines: Iterable[str], map_noises: Iterable[float], noises: Iterable[float], spreads: Iterable[float]
) -> tuple[Claim, ...]:
    """The claims of a preset."""
    tasks = (_sequence_claims(noises, every=every), _learning_claims(spreads), _noise_claims())
    parts = (_model_claims(), _locking_claims(), _map_claims(map_noises, engines), *tasks)
    return tuple(claim for part in parts for claim in part)
