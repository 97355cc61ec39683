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
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from holdfast.core.checks import check_one_of
from holdfast.core.experiment import Measurement, Quantity, Summary
from holdfast.studies.oscillator_binding.claims import claims_for
from holdfast.studies.oscillator_binding.outcomes import Outcomes
from holdfast.studies.oscillator_binding.parts import PARTS
from holdfast.studies.oscillator_binding.recipe import BEST, EVERY_TARGET, TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.core.claim import Claim
    from holdfast.core.experiment import Context, Point

__all__ = ["CLAIMS", "PRESETS", "SOURCE", "TITLE", "OscillatorBinding", "prepare"]

TITLE = "Events bound by oscillators that synchronise"
SOURCE = "M. Romera et al., Binding events through the mutual synchronization of spintronic nano-neurons, arXiv:2001.08044"
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
class OscillatorBinding:
    """The experiment.

    Parameters
    ----------
    side : points of the map along each current
    map_noises : noise of the maps
    starts : maps per noise, from other phases
    votes : runs behind every point of a map; the partition is that of most of them
    engines : ``"universal"``, and ``"vortex"`` for the Thiele equation, which is mapped without noise
    targets : sequences to be recognised, each by a group of its own
    noises : noise of the sequence task
    repeats : presentations of each target
    seeds : of the learning
    spreads : relative spread of the learning devices
    levels : noise levels at which recognition degrades
    runs : independent runs from which phase noise is estimated
    """

    name: ClassVar[str] = "oscillator-binding"
    version: ClassVar[int] = 2

    side: int = 41
    map_noises: tuple[float, ...] = (0.0,)
    starts: int = 3
    votes: int = 3
    engines: tuple[str, ...] = ("universal",)
    targets: tuple[str, ...] = TARGETS
    noises: tuple[float, ...] = (0.0, 1e-4)
    repeats: int = 200
    seeds: int = 10
    spreads: tuple[float, ...] = (0.0, 0.01, 0.05)
    levels: tuple[float, ...] = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    runs: int = 8000

    def points(self) -> list[Point]:
        """One point per pair, map, target, seed, level and network; none needs another."""
        return [{"part": "model"}, *self._locking(), *self._maps(), *self._tasks(), *self._learning(), *self._diffusion()]

    def _locking(self) -> Iterator[Point]:
        for name, (phase, nonlinearity) in PAIRS.items():
            yield {"part": "locking", "name": name, "phase": phase, "nonlinearity": nonlinearity, "strength": 2e5}
        for strength in (0.5e5, 1e5, 2e5, 3e5, 4e5):
            yield {"part": "locking", "phase": BEST, "nonlinearity": 60e6, "strength": strength}

    def _maps(self) -> Iterator[Point]:
        for engine in self.engines:
            for noise in self.map_noises if engine == "universal" else (0.0,):
                for start in range(self.starts):
                    yield {"part": "map", "engine": engine, "noise": noise, "start": start, "side": self.side, "votes": self.votes}

    def _tasks(self) -> Iterator[Point]:
        for target in self.targets:
            common = {"part": "sequence", "target": target, "repeats": self.repeats}
            for noise in self.noises:
                yield {**common, "variant": "coupled", "noise": noise, "strength": 1e5, "weights": "incommensurate"}
            yield {**common, "variant": "commensurate", "noise": 1e-4, "strength": 2e5, "weights": "commensurate"}
            yield {**common, "variant": "uncoupled", "noise": 1e-4, "strength": 0.0, "weights": "incommensurate"}
        for level in self.levels:
            for target in TARGETS:
                yield {"part": "noise", "noise": level, "target": target, "repeats": self.repeats}

    def _learning(self) -> Iterator[Point]:
        for spread in self.spreads:
            for seed in range(self.seeds):
                yield {"part": "learning", "spread": spread, "seed": seed, "target": TARGETS[seed % len(TARGETS)]}

    def _diffusion(self) -> Iterator[Point]:
        yield {"part": "diffusion", "oscillators": 1, "strength": 0.0, "runs": self.runs}
        for strength in (0.0, 0.01e6, 0.03e6, 0.1e6, 0.2e6):
            yield {"part": "diffusion", "oscillators": 2, "strength": strength, "runs": self.runs}
        yield {"part": "diffusion", "oscillators": 3, "strength": 2e5, "runs": self.runs}

    def measure(self, point: Point, context: Context) -> Measurement:
        """Measure one point with its own seed."""
        context.check_time()
        return PARTS[point["part"]](point, context.seeds.integer(*map(str, point.items())))

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Curves, the quantities that the claims name, and the claims."""
        outcomes = Outcomes(measurements)
        notes = (
            "The paper's abstract and introduction were read: device, encoding, weights and learning rule are reconstructions.",
            "A sequence is recognised when all three oscillators synchronise after its last event; the worst target counts.",
            "All recognition runs carry fixed frequency mismatches of +0.4, -0.4 and 0 MHz.",
        )
        quantities = tuple(Quantity(name, estimate) for name, estimate in outcomes.metrics().items())
        return Summary(curves=tuple(outcomes.curves()), quantities=quantities, claims=_claims_of(self), notes=notes)


def _claims_of(experiment: OscillatorBinding) -> tuple[Claim, ...]:
    return claims_for(
        every=len(experiment.targets) > len(TARGETS),
        engines=experiment.engines,
        map_noises=experiment.map_noises,
        noises=experiment.noises,
        spreads=experiment.spreads,
    )


PRESETS: dict[str, OscillatorBinding] = {
    "quick": OscillatorBinding(),
    "standard": OscillatorBinding(
        engines=("universal", "vortex"),
        side=161,
        map_noises=(0.0, 1e-4),
        targets=EVERY_TARGET,
        spreads=(0.0, 0.01, 0.02, 0.05),
        runs=16000,
    ),
    "paper": OscillatorBinding(
        engines=("universal", "vortex"),
        side=501,
        map_noises=(0.0, 1e-4),
        targets=EVERY_TARGET,
        repeats=1000,
        seeds=50,
        spreads=(0.0, 0.01, 0.02, 0.05),
        runs=64000,
    ),
}
CLAIMS: dict[str, tuple[Claim, ...]] = {preset: _claims_of(experiment) for preset, experiment in PRESETS.items()}


def prepare(preset: str = "quick") -> OscillatorBinding:
    """The experiment of a preset; it needs no data."""
    return PRESETS[check_one_of(preset, "preset", allowed=PRESETS)]
