"""The claims: closed forms of standard physics, orders of magnitude of the literature's classes, and our own measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.core.claim import Claim

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["claims_for"]

PHYSICS = "standard physics, closed form"
CLASSES = "arXiv:2103.13793, abstract, names the classes; the number is ours"
OURS = "ours; of the perspective only the abstract was read"


def _claim(number: str, statement: str, check: str, *, source: str = OURS, note: str = "") -> Claim:
    return Claim(id=number, statement=statement, check=check, source=source, note=note)


def _passive() -> Iterator[Claim]:
    yield _claim(
        "1.frequency", "The layer rings within 0.5 % of Kittel's 5.635 GHz", "abs(ring.ratio - 1) <= 0.005", source=PHYSICS
    )
    yield _claim(
        "1.width",
        "The line's half width is within 3 % of 0.1197 GHz",
        "abs(line.width_ratio[field_like=0] - 1) <= 0.03",
        source=PHYSICS,
    )
    for xi in ("0", "0.3"):
        yield _claim(
            f"2.b{xi.replace('.', '')}",
            f"Time stepping and linear response agree within 1 % of the peak, field-like torque {xi} of the damping-like one",
            f"line.deviation[field_like={xi}] <= 0.01",
        )
    yield _claim(
        "3.small",
        "Without field-like torque the antisymmetric part is less than 2 % of the line's height",
        "abs(line.antisymmetric[field_like=0]) <= 0.02",
        note="the antisymmetric part A reaches A/2; counted by amplitudes, A / (|S| + |A|), its share is 2.1 %",
    )
    yield _claim(
        "3.sign",
        "The antisymmetric part changes its sign with the field-like torque",
        "line.antisymmetric[field_like=0.3] * line.antisymmetric[field_like=-0.3] < 0",
    )


def _active() -> Iterator[Claim]:
    yield _claim(
        "4.threshold",
        "Oscillation sets in within 1 % of the closed form (0.392 mA)",
        "abs(onset.ratio - 1) <= 0.01",
        source=PHYSICS,
    )
    yield _claim("4.decays", "3 % below it a deviation dies away", "onset.below < 1")
    yield _claim("4.grows", "3 % above it a deviation grows", "onset.above > 1")
    yield _claim(
        "4.gain",
        "At 0.9 of the threshold the diode is at least 10 times as sensitive as without direct current",
        "bias.sensitivity[share=0.9] - 10 * bias.sensitivity[share=0] >= 0",
        source=CLASSES,
    )
    yield _claim(
        "5.power",
        "The weak drive of the locked diode leaves 12 nW or less",
        "locking.power_5uA[share=1.05, start=0] <= 12e-9",
    )
    yield _claim(
        "5.sensitive",
        "Locked to that drive, at 1.05 of the threshold and 0 K, it gives at least 20 kV/W of absorbed power",
        "locking.s105.sensitivity_5uA >= 20000",
        source=CLASSES,
        note="arXiv:1410.4958 measured 75.4 kV/W of a detector without field, down to 10 nW",
    )
    yield _claim(
        "5.ratio",
        "That is at least 100 times the passive sensitivity of the same device",
        "locking.s105.sensitivity_5uA - 100 * bias.sensitivity[share=0] >= 0",
        source=CLASSES,
    )
    for less, more in (("5", "10"), ("10", "20")):
        yield _claim(
            f"5.falls_{more}uA",
            f"The locked sensitivity falls from {less} to {more} uA of drive",
            f"locking.s105.sensitivity_{less}uA - locking.s105.sensitivity_{more}uA > 0",
        )
    yield _claim(
        "5.range",
        "The locking range grows with the injected current, in the mean over three starts",
        "locking.s105.least_widening > 0",
        note="widths are counted in steps of the detuning; starts are random directions at 0 K",
    )


def _tails() -> Iterator[Claim]:
    hot = "300 K, 100 uA, averaged over noise seeds"
    yield _claim(
        "6.cone",
        "An easy cone of 30 degrees keeps at least 5 % of its largest voltage at 50 MHz",
        "tail.share[device=cone] >= 0.05",
        note=f"{hot}; with a coarse grid of frequencies its narrow peak near 0.6 GHz is missed and the share looks larger",
    )
    yield _claim(
        "6.deep_cone",
        "An easy cone of 55 degrees keeps at least 5 % of its largest voltage at 50 MHz",
        "tail.share[device=deep_cone] >= 0.05",
        note=hot,
    )
    yield _claim(
        "6.perpendicular",
        "A perpendicular layer without cone keeps at most 3 % at 50 MHz",
        "tail.share[device=perpendicular] <= 0.03",
        note=hot,
    )


def _laws() -> Iterator[Claim]:
    yield _claim(
        "7.passive",
        "The passive voltage is proportional to power: slope 1.00 within 0.03",
        "abs(power.passive_slope - 1) <= 0.03",
        source=PHYSICS,
    )
    yield _claim("7.locked", "The voltage of the locked diode grows less than its power", "locking.s105.slope < 1")
    for axis, words in (("in_plane", "in the plane"), ("out_of_plane", "normal to it")):
        yield _claim(
            f"8.{axis}",
            f"At 300 K the mean square of the magnetisation {words} is that of equipartition within 3 %",
            f"abs(thermal.{axis} - 1) <= 0.03",
            source=PHYSICS,
        )
    for xi in ("1", "3"):
        yield _claim(
            f"8.langevin_{xi}",
            f"A free moment in a field of {xi} thermal energies follows Langevin within 4 standard errors",
            f"abs(langevin.errors[xi={xi}]) <= 4",
            source=PHYSICS,
        )
    yield _claim("10.nep", "Noise-equivalent power is that of the formula to 1e-6", "formulae.nep_error <= 1e-6", source=PHYSICS)
    yield _claim("10.load", "Load power is that of the formula to 1e-6", "formulae.load_error <= 1e-6", source=PHYSICS)
    yield _claim(
        "10.voltage",
        "Eight diodes in series give eight times the voltage",
        "abs(formulae.voltage_gain - 8) <= 8e-6",
        source=PHYSICS,
    )
    yield _claim(
        "10.power",
        "Eight diodes in series give eight times the power to a matched load",
        "abs(formulae.power_gain - 8) <= 8e-6",
        source=PHYSICS,
    )


def _antiferromagnets() -> Iterator[Claim]:
    for easy, frequency in (("20000", "14.10"), ("40000", "140.9")):
        yield _claim(
            f"9.resonance_{frequency.replace('.', '')}",
            f"A uniaxial antiferromagnet rings within 1 % of {frequency} GHz",
            f"abs(resonance.ratio[easy={easy}] - 1) <= 0.01",
            source=PHYSICS,
            note="damping 0.001",
        )
    yield _claim(
        "9.below",
        "At 0.97 of its threshold the tilted Neel vector stays",
        "rotation.cycles_below[kind=onset] <= 0",
        source=PHYSICS,
    )
    yield _claim("9.above", "At 1.03 of it the Neel vector rotates", "rotation.cycles_above[kind=onset] >= 5", source=PHYSICS)
    for alpha, words, within in (("0.005", "weak", 0.01), ("0.05", "strong", 0.02)):
        yield _claim(
            f"9.{words}",
            f"With {words} damping ({alpha}) it rotates within {100 * within:g} % of the closed form",
            f"rotation.error[alpha={alpha}, kind=limit] <= {within}",
            source=PHYSICS,
        )
    yield _claim(
        "9.tuning",
        "At 0.8 of the threshold the resonance is at 0.775 of its frequency, within 0.015",
        "abs(tuning.at_0p8 - 0.775) <= 0.015",
        source=PHYSICS,
    )


def claims_for(*, peer: bool) -> tuple[Claim, ...]:
    """The claims, with that on speed where the peer can be measured."""
    fast = _claim(
        "11",
        "Runge-Kutta steps at least 10 times as fast as cmtj on one thread",
        "speed.ratio >= 10",
        note="CPU time by turns, median and range; it depends on the machine and on what else runs there",
    )
    return (*_passive(), *_active(), *_tails(), *_laws(), *_antiferromagnets(), *((fast,) if peer else ()))
