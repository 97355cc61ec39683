"""Oscillators that name vowels, coupled and uncoupled, beside logistic regression and quadratic discriminant analysis.

Usage: ``python benchmarks/vowels.py [--draws 12] [--first 200] [--devices equal ...] [--tune]``

Accuracies, not times: each draw has its own vowels to learn (40 of each word), its own vowels to be tested on (150 of each), input
stage, phases and deviations of devices, and every contender gets the same ones. Means and differences over the draws stand with
Student's t interval of 95 %. ``--tune`` prints, on draws 100 to 107, the search by which force, strength and phase of the coupling
were chosen, for oscillators with and without coupling alike; no choice was made on the draws from 200 on. A fit takes about 3 s of
CPU time, so the default takes 5 minutes and the search 10.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from holdfast.core.estimate import mean_t
from holdfast.core.seeds import Seeds
from holdfast.data import Formants, formants
from holdfast.devices.spintronics import AutoOscillatorNetwork, SynchronizationClassifier, all_to_all
from holdfast.devices.spintronics.oscillators import Source, SourceMixing, design_mixing, injection_half_range, linear_baselines

if TYPE_CHECKING:
    from holdfast.core.estimate import Estimate

FREQUENCIES = {"equal": np.zeros(4), "4 MHz apart": 4e6 * (np.arange(4) - 1.5)}
DEVIATION = 1.5e6  # Hz, standard deviation of the frequencies of devices that deviate
EQUAL = AutoOscillatorNetwork(coupling=all_to_all(4, 0.0))
RATIO = float(np.arctan(EQUAL.phase_amplitude_ratio[0]))
# the force that locks an oscillator over 0.62 of the 4 MHz between two, to both sides
FORCE = 0.62 * 4e6 / float(injection_half_range(EQUAL, Source(0.0, np.ones(4)))[0])


@dataclass(frozen=True)
class Circuit:
    """Coupling strength in Hz, its phase beyond atan(nu) in units of pi, and the force over that of the default."""

    strength: float = 0.0
    phase: float = 0.0
    force: float = 1.0

    def __str__(self) -> str:
        coupling = f"{self.strength / 1e6:.2f} MHz at atan(nu) + {self.phase:5.3f} pi" if self.strength else "uncoupled"
        return f"{coupling:32} force x{self.force:<6g}"


UNCOUPLED, COUPLED = Circuit(force=1.125), Circuit(2e5, 1.0, 1.125)
CONTENDERS = (
    ("equal", UNCOUPLED),
    ("equal", COUPLED),
    ("equal", Circuit()),
    ("equal", Circuit(2e5, 1.0)),
    ("equal", Circuit(1e5, 0.0)),
    ("4 MHz apart", UNCOUPLED),
    ("4 MHz apart", COUPLED),
    ("deviating", UNCOUPLED),
    ("deviating", COUPLED),
)
DEVICES = list(dict.fromkeys(devices for devices, _ in CONTENDERS))
TUNED = (
    *(Circuit(2e5, phase / 4) for phase in range(8)),
    *(Circuit(2e5, phase) for phase in (0.875, 1.125)),
    *(Circuit(strength, 1.0) for strength in (1e5, 3e5, 4e5)),
    *(Circuit(2e5, 1.0, force) for force in (0.75, 1.125, 1.25, 1.5)),
    *(Circuit(0.0, 0.0, force) for force in (0.75, 1.0, 1.125, 1.25, 1.375, 1.5)),
)


@cache
def drawn(draw: int) -> tuple[Formants, Formants, SourceMixing]:
    """Vowels to learn, vowels to be tested on, and the input stage."""
    train = formants(per_class=40, seed=draw)
    ladder = float(EQUAL.free_frequency[0]) + FREQUENCIES["4 MHz apart"]
    return train, formants(per_class=150, seed=draw, name="test"), design_mixing(train.x, train.y, ladder, seed=draw)


def accuracy(draw: int, devices: str, circuit: Circuit) -> float:
    """Share of unheard vowels that are named rightly."""
    train, test, mixing = drawn(draw)
    coupling = all_to_all(4, circuit.strength, RATIO + circuit.phase * np.pi)
    nominal = replace(EQUAL, frequency=FREQUENCIES.get(devices, np.zeros(4)), coupling=coupling)
    deviation = DEVIATION * Seeds(draw).numpy("devices").standard_normal(4) if devices == "deviating" else 0.0
    net = replace(nominal, frequency=nominal.frequency + deviation)
    classifier = SynchronizationClassifier(net, nominal=nominal, mixing=mixing, force=circuit.force * FORCE, seed=draw)
    return classifier.fit(train.x, train.y).score(test.x, test.y)


def peers(draw: int) -> dict[str, float]:
    """Accuracies on the same vowels of what needs no oscillators."""
    train, test, _ = drawn(draw)
    found = {name: estimate.value for name, estimate in linear_baselines(train.x, train.y, x_test=test.x, y_test=test.y).items()}
    return found | {"QDA": float(QuadraticDiscriminantAnalysis().fit(train.x, train.y).score(test.x, test.y))}


def written(estimate: Estimate, sign: str = "") -> str:
    value, low, high = (format(number, f"{sign}.3f") for number in (estimate.value, estimate.lo, estimate.hi))
    return f"{value} [{low}, {high}]"


def compare(draws: range, kinds: list[str]) -> None:
    """Print means of all contenders, and differences of coupled and uncoupled oscillators in pairs."""
    print(f"draws {draws.start} to {draws.stop - 1}, accuracy on unheard vowels")
    rivals = [peers(draw) for draw in draws]
    for name in rivals[0]:
        print(f"{name:59} {written(mean_t([rival[name] for rival in rivals]))}")
    chosen = [(devices, circuit) for devices, circuit in CONTENDERS if devices in kinds]
    found = {}
    for devices, circuit in chosen:
        found[devices, circuit] = np.array([accuracy(draw, devices, circuit) for draw in draws])
        print(f"{devices:12} {circuit} {written(mean_t(found[devices, circuit]))}", flush=True)
    print("coupled minus uncoupled at the same force, in pairs")
    for devices, circuit in chosen:
        if circuit.strength:
            difference = found[devices, circuit] - found[devices, Circuit(force=circuit.force)]
            print(f"{devices:12} {circuit} {written(mean_t(difference), '+')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--first", type=int, default=200)
    parser.add_argument("--devices", nargs="+", choices=DEVICES, default=DEVICES)
    parser.add_argument("--tune", action="store_true")
    given = parser.parse_args()
    if not given.tune:
        compare(range(given.first, given.first + given.draws), given.devices)
        return
    for circuit in TUNED:
        print(f"{circuit} {np.mean([accuracy(draw, 'equal', circuit) for draw in range(100, 108)]):.3f}", flush=True)


if __name__ == "__main__":
    main()
