"""What do magnetic tunnel junctions make of microwaves? Passive and biased, resonant and not, locked, and antiferromagnetic.

A single magnetic moment with the torques of a current stands for each device. The classes of the perspective are held against
closed forms, against linear response, and against each other: line shapes, the gain of a direct current below its threshold,
injection locking above it, the low-frequency tail of an easy cone, thermal equilibrium, antiferromagnetic resonance and rotation,
noise-equivalent power, arrays that harvest, and the speed of the simulation.

Source: G. Finocchio et al., arXiv:2103.13793, of which the abstract was read. Devices and numbers are ours.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from holdfast.core.checks import check_one_of
from holdfast.core.errors import MacrospinWarning
from holdfast.core.experiment import Measurement, Quantity, Summary
from holdfast.studies.spin_diode import motions, rectifiers
from holdfast.studies.spin_diode.claims import claims_for
from holdfast.studies.spin_diode.designs import TAILS
from holdfast.studies.spin_diode.outcomes import Outcomes
from holdfast.studies.spin_diode.speed import peer_is_installed, speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.core.claim import Claim
    from holdfast.core.experiment import Context, Point

__all__ = ["CLAIMS", "PRESETS", "SOURCE", "TITLE", "SpinDiodes", "prepare"]

TITLE = "Spintronic diodes: passive, biased, locked and antiferromagnetic"
SOURCE = "G. Finocchio et al., Perspectives on spintronic diodes, arXiv:2103.13793"
PARTS: dict[str, Callable[[Point, int], Measurement]] = {
    "ring": motions.ring,
    "line": rectifiers.line,
    "onset": motions.onset,
    "bias": rectifiers.bias,
    "locking": rectifiers.locking,
    "tail": rectifiers.tail,
    "power": rectifiers.power,
    "thermal": motions.thermal,
    "langevin": motions.langevin,
    "neel_resonance": motions.neel_resonance,
    "neel_rotating": motions.neel_rotating,
    "neel_tuning": motions.neel_tuning,
    "formulae": rectifiers.formulae,
    "ensemble": rectifiers.ensemble,
    "speed": speed,
}


@dataclass(frozen=True, kw_only=True)
class SpinDiodes:
    """The experiment.

    Parameters
    ----------
    lines : field-like torques, in units of the damping-like one, of the passive lines
    frequencies : of a line
    biases : direct currents below the threshold, as shares of it
    oscillating : direct currents beyond it
    starts : random directions from which locking begins
    detunings : of a tongue, over 300 MHz
    lock_time : of a tongue in s
    tail_frequencies, tail_seeds, tail_time : of the low-frequency tails; the time in s
    runs, run_time : of the thermal averages; the time in s
    shares : of the threshold torque at which an antiferromagnet is tuned
    devices, temperature, device_time : of the ensemble; in K and s
    device_frequencies : at which it is driven, in Hz
    peer : whether the speed is measured beside cmtj
    """

    name: ClassVar[str] = "spin-diode"
    version: ClassVar[int] = 1

    lines: tuple[float, ...] = (0.0, 0.3, -0.3)
    frequencies: int = 48
    biases: tuple[float, ...] = (0.0, 0.5, 0.8, 0.9)
    oscillating: tuple[float, ...] = (1.05,)
    starts: int = 3
    detunings: int = 61
    lock_time: float = 300e-9
    tail_frequencies: int = 24
    tail_seeds: int = 16
    tail_time: float = 250e-9
    runs: int = 64
    run_time: float = 300e-9
    shares: tuple[float, ...] = (0.0, 0.4, 0.6, 0.8, 0.9)
    devices: int = 200
    temperature: float = 0.0
    device_time: float = 60e-9
    device_frequencies: tuple[float, ...] = (5.2e9, 5.4e9, 5.5e9, 5.6e9, 5.7e9, 5.8e9, 6.0e9)
    peer: bool = True

    def points(self) -> list[Point]:
        """One point per line, current, start, device and field; none needs another."""
        alone: list[Point] = [{"part": name} for name in ("ring", "onset", "power", "formulae")]
        return [*self._speed(), *alone, *self._rectifiers(), *self._motions(), *self._ensemble()]

    def _speed(self) -> Iterator[Point]:
        if self.peer:  # first, while no other point competes for the machine's caches
            yield {"part": "speed"}

    def _rectifiers(self) -> Iterator[Point]:
        for field_like in self.lines:
            yield {"part": "line", "field_like": field_like, "frequencies": self.frequencies}
        for share in self.biases:
            yield {"part": "bias", "share": share, "frequencies": 33}
        for share in self.oscillating:
            for start in range(self.starts):
                yield {"part": "locking", "share": share, "start": start, "detunings": self.detunings, "duration": self.lock_time}
        for device in TAILS:
            many = {"frequencies": self.tail_frequencies, "seeds": self.tail_seeds, "duration": self.tail_time}
            yield {"part": "tail", "device": device, **many}

    def _motions(self) -> Iterator[Point]:
        yield {"part": "thermal", "runs": self.runs, "duration": self.run_time}
        for xi in (1.0, 3.0):
            yield {"part": "langevin", "xi": xi, "runs": self.runs, "duration": 50e-9}
        yield {"part": "neel_resonance", "easy": 2e4, "exchange": 4e6}
        yield {"part": "neel_resonance", "easy": 4e4, "exchange": 2e8}
        yield {"part": "neel_tuning", "shares": list(self.shares)}
        light, heavy = {"alpha": 0.005, "settle": 30e-9}, {"alpha": 0.05, "settle": 20e-9}
        yield {"part": "neel_rotating", "kind": "onset", **light, "shares": [0.97, 1.03], "duration": 20e-9}
        yield {"part": "neel_rotating", "kind": "limit", **light, "shares": [1.1, 2.0, 4.0], "duration": 20e-9}
        yield {"part": "neel_rotating", "kind": "limit", **heavy, "shares": [1.1, 1.5], "duration": 40e-9}

    def _ensemble(self) -> Iterator[Point]:
        for frequency in self.device_frequencies:
            drawn = {"devices": self.devices, "draw": 1, "temperature": self.temperature, "duration": self.device_time}
            yield {"part": "ensemble", "frequency": frequency, **drawn}

    def measure(self, point: Point, context: Context) -> Measurement:
        """Measure one point with its own seed."""
        context.check_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MacrospinWarning)  # the page says that one moment stands for each device
            return PARTS[point["part"]](point, context.seeds.integer(*map(str, point.items())))

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Curves, the quantities that the claims name, and the claims."""
        outcomes = Outcomes(measurements)
        notes = [
            "Of the perspective only the abstract was read: devices, currents and temperatures are ours, and no figure is quoted.",
            "A single moment stands for each device; a disc of 100 nm is 20 exchange lengths wide and can hold more than one.",
            "Runs at 0 K are exact; intervals are over noise seeds, random starts, devices, or the turns of a timing.",
        ]
        if self.temperature > 0:
            notes.append("Above 0 K the deviation within the ensemble holds the noise of one run besides the devices' own.")
        if not self.peer:
            notes.append("cmtj is not installed: claim 11, on speed, was not measured.")
        quantities = tuple(Quantity(name, estimate) for name, estimate in outcomes.metrics().items())
        return Summary(
            curves=tuple(outcomes.curves()), quantities=quantities, claims=claims_for(peer=self.peer), notes=tuple(notes)
        )


PRESETS: dict[str, SpinDiodes] = {
    "quick": SpinDiodes(),
    "standard": SpinDiodes(
        biases=(0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95),
        oscillating=(1.05, 1.2, 1.5),
        detunings=121,
        lock_time=600e-9,
        tail_frequencies=48,
        tail_seeds=32,
        tail_time=500e-9,
        runs=128,
        run_time=1e-6,
        shares=(0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95),
        devices=1000,
        temperature=300.0,
        device_time=200e-9,
    ),
    "paper": SpinDiodes(
        biases=(0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95),
        oscillating=(1.05, 1.1, 1.2, 1.35, 1.5),
        detunings=301,
        lock_time=2e-6,
        tail_frequencies=96,
        tail_seeds=128,
        tail_time=2e-6,
        runs=512,
        run_time=2e-6,
        shares=(0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95),
        devices=10_000,
        temperature=300.0,
        device_time=2e-6,
        device_frequencies=tuple(5.4e9 + 1e6 * step for step in range(501)),
    ),
}
CLAIMS: dict[str, tuple[Claim, ...]] = {preset: claims_for(peer=True) for preset in PRESETS}


def prepare(preset: str = "quick") -> SpinDiodes:
    """The experiment of a preset; without its speed beside cmtj where that is not installed."""
    return replace(PRESETS[check_one_of(preset, "preset", allowed=PRESETS)], peer=peer_is_installed())
