"""Do oscillators that synchronise recognise sequences of events? Locking, maps, sequences with their controls, learning, noise.

Three spin-torque oscillators are coupled through a common current. Each event of a sequence sets the frequency of one of them, and
the sequence counts as recognised when all three synchronise. The study measures how the nonlinearity of the oscillators widens
locking, maps who locks with whom, recognises sequences with two negative controls (commensurate weights; no coupling), learns
biases from random ones, and says what noise and device spread do.

Sources: M. Romera et al., arXiv:2001.08044 (abstract and introduction were read; no accuracy figure was found, none is claimed);
A. Slavin and V. Tiberkevich, IEEE Trans. Magn. 45 (2009) 1875 for the model. Encoding, weights and rule are reconstructions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.studies.oscillator_binding import measure
from holdfast.studies.oscillator_binding.measure import BEST, TARGETS
from holdfast.studies.study import Part, Study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.core.experiment import Point

__all__ = ["PRESETS", "OscillatorBinding"]

EVERY_TARGET = tuple("".join(events) for events in product("012", repeat=3))
PAIRS = {  # name: coupling phase in rad, nonlinearity in Hz
    "zero": (0.0, 60e6),
    "best": (BEST, 60e6),
    "quadrature": (math.pi / 2, 60e6),
    "flipped": (-BEST, 60e6),
    "orthogonal": (BEST + math.pi / 2, 60e6),
    "phase_oscillators": (0.0, 0.0),
    "strong": (math.atan(10.0), 90e6),
}


@dataclass(frozen=True, kw_only=True)
class OscillatorBinding(Study):
    """The experiment.

    Parameters
    ----------
    side : points of the map along each current
    map_noises : noise of the maps
    starts : maps per noise, from other phases
    votes : runs behind every point of a map; the partition is that of most of them
    engines : ``"universal"``, and ``"vortex"`` for the Thiele equation, which is mapped without noise
    couplings : in Hz, from which the largest is chosen that recognises every target and nothing else without noise
    design_repeats : presentations of each sequence in that choice
    targets : sequences to be recognised, each by a group of its own
    noises : noise of the sequence task
    repeats : presentations of each target
    seeds : of the learning
    spreads : relative spread of the learning devices
    levels : noise levels at which recognition degrades
    runs : independent runs from which phase noise is estimated
    """

    side: int = 41
    map_noises: tuple[float, ...] = (0.0,)
    starts: int = 3
    votes: int = 3
    engines: tuple[str, ...] = ("universal",)
    couplings: tuple[float, ...] = (1e5, 0.9e5, 0.8e5, 0.7e5, 0.6e5)
    design_repeats: int = 10
    targets: tuple[str, ...] = TARGETS
    noises: tuple[float, ...] = (0.0, 1e-4)
    repeats: int = 200
    seeds: int = 10
    spreads: tuple[float, ...] = (0.0, 0.01, 0.05)
    levels: tuple[float, ...] = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    runs: int = 8000

    def pairs(self) -> Iterator[Point]:
        """Pairs of oscillators: the named ones, and the tongue along the coupling."""
        for name, (phase, nonlinearity) in PAIRS.items():
            yield {"name": name, "phase": phase, "nonlinearity": nonlinearity, "strength": 2e5}
        for strength in (0.5e5, 1e5, 2e5, 3e5, 4e5):
            yield {"phase": BEST, "nonlinearity": 60e6, "strength": strength}

    def maps(self) -> Iterator[Point]:
        """Maps of partitions over two currents."""
        for engine in self.engines:
            for noise in self.map_noises if engine == "universal" else (0.0,):
                for start in range(self.starts):
                    yield {"engine": engine, "noise": noise, "start": start, "side": self.side, "votes": self.votes}

    def tasks(self) -> Iterator[Point]:
        """Targets to be recognised, each with both controls; six of them are those that the weights were chosen with."""
        for target in self.targets:
            common = {"target": target, "suite": "six" if target in TARGETS else "others", "repeats": self.repeats}
            for noise in self.noises:
                yield {**common, "variant": "coupled", "noise": noise}
            yield {**common, "variant": "commensurate", "noise": 1e-4}
            yield {**common, "variant": "uncoupled", "noise": 1e-4}

    def degraded(self) -> Iterator[Point]:
        """Six targets at each noise level."""
        for level, target in product(self.levels, TARGETS):
            yield {"noise": level, "target": target, "repeats": self.repeats}

    def learners(self) -> Iterator[Point]:
        """Devices that differ, with their biases to be learnt."""
        for spread, seed in product(self.spreads, range(self.seeds)):
            yield {"spread": spread, "seed": seed, "target": TARGETS[seed % len(TARGETS)]}

    def diffusers(self) -> Iterator[Point]:
        """Groups whose phases diffuse."""
        yield {"oscillators": 1, "strength": 0.0, "runs": self.runs}
        for strength in (0.0, 0.01e6, 0.03e6, 0.1e6, 0.2e6):
            yield {"oscillators": 2, "strength": strength, "runs": self.runs}
        yield {"oscillators": 3, "strength": 2e5, "runs": self.runs}

    name = "oscillator-binding"
    version = 3
    title = "Events bound by oscillators that synchronise"
    source = "M. Romera et al., Binding events through the mutual synchronization of spintronic nano-neurons, arXiv:2001.08044"
    parts: ClassVar = {
        "model": Part(measure=measure.model),
        "locking": Part(measure=measure.locking, points=pairs, summary=measure.of_pairs),
        "map": Part(measure=measure.partitions, points=maps, summary=measure.of_maps),
        "sequence": Part(measure=measure.sequence, points=tasks, summary=measure.of_tasks),
        "noise": Part(measure=measure.noisy, points=degraded, summary=measure.of_noise),
        "learning": Part(measure=measure.learning, points=learners, summary=measure.of_learners),
        "diffusion": Part(measure=measure.diffusion, points=diffusers, summary=measure.of_diffusers),
    }
    notes = (
        "The paper's abstract and introduction were read: device, encoding, weights and learning rule are reconstructions.",
        "A sequence is recognised when all three oscillators synchronise after its last event; the worst target counts.",
        "All recognition runs carry fixed frequency mismatches of +0.4, -0.4 and 0 MHz.",
    )


WHOLE: dict[str, Any] = {"engines": ("universal", "vortex"), "map_noises": (0.0, 1e-4), "targets": EVERY_TARGET}
LARGE = OscillatorBinding(**WHOLE, spreads=(0.0, 0.01, 0.02, 0.05), side=161, repeats=1000, runs=16000)
QUICKEST: dict[str, Any] = {"side": 5, "starts": 1, "votes": 1, "couplings": (0.8e5,), "design_repeats": 1, "targets": ("012",)}
SMALLEST: dict[str, Any] = {"repeats": 4, "seeds": 1, "spreads": (0.0, 0.05), "levels": (1e-4, 3e-2), "runs": 200}
PRESETS = {
    "tiny": OscillatorBinding(**QUICKEST, **SMALLEST),
    "quick": OscillatorBinding(),
    "standard": LARGE,
    "paper": replace(LARGE, side=501, repeats=4000, seeds=50, runs=64000),
}
