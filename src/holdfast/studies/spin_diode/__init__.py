"""What do magnetic tunnel junctions make of microwaves? Passive and biased, resonant and not, locked, and antiferromagnetic.

A single magnetic moment with the torques of a current stands for each device. The classes of the perspective are held against
closed forms, linear response and each other: lines, the gain of a direct current, locking, low-frequency tails, heat, and
antiferromagnets, also on a two-dimensional source of spins.

Source: G. Finocchio et al., arXiv:2103.13793, of which the abstract was read. Devices and numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from holdfast.core.errors import MacrospinWarning
from holdfast.devices.spintronics.macrospin.cmtj_peer import cmtj_is_installed
from holdfast.studies.spin_diode import measure
from holdfast.studies.study import Part, Study

if TYPE_CHECKING:
    from holdfast.core.experiment import Point

__all__ = ["PRESETS", "SpinDiodes"]

LINES = [{"field_like": ratio, "frequencies": 48} for ratio in (0.0, 0.3, -0.3)]
HOT = ({"share": 0.8, "i_ac": 2e-5}, {"share": 1.05, "i_ac": 4e-5})
SOFT, OXIDE = {"easy": 2e3, "exchange": 4e6}, {"easy": 5e4, "exchange": 3.9e8}  # A/m; the latter are of nickel oxide's order
TUNED = [{"easy": easy, "exchange": exchange} for easy, exchange in ((2e4, 4e6), (4e4, 2e8), (2e6, 2e8))]  # 14 GHz, 0.14 and 1 THz
SOURCES = [{"source": "low_symmetry"}, {"source": "in_plane"}]
ONSET = {"alpha": 0.005, "settle": 30e-9, "shares": [0.97, 1.03], "duration": 20e-9, **SOFT}


@dataclass(frozen=True, kw_only=True)
class SpinDiodes(Study):
    """The experiment.

    Parameters
    ----------
    biases, oscillating : direct currents below and beyond the threshold, as shares of it
    starts : random directions from which locking begins
    tongue : detunings over 300 MHz, and the time of a run in s
    currents : alternating currents in A under which low-frequency tails are measured
    tail : frequencies, runs with other noise, and the time of one in s
    warm : runs of the active diode at 300 K
    devices : of an ensemble that fabrication spreads
    peer : whether the speed is measured beside cmtj
    """

    biases: tuple[float, ...] = (0.0, 0.5, 0.8, 0.9)
    oscillating: tuple[float, ...] = (1.05,)
    starts: int = 5
    tongue: tuple[int, float] = (61, 300e-9)
    currents: tuple[float, ...] = (1e-4, 2e-4, 3e-4, 3.5e-4, 4e-4, 4.5e-4, 5e-4)
    tail: tuple[int, int, float] = (24, 16, 250e-9)
    warm: int = 256
    devices: int = 200
    peer: bool = True

    def prepared(self) -> Self:
        """Without the speed beside cmtj where that is not installed."""
        return replace(self, peer=self.peer and cmtj_is_installed())

    def tongues(self) -> list[Point]:
        """Direct currents beyond the threshold, each from several starts."""
        run = {"detunings": self.tongue[0], "duration": self.tongue[1]}
        return [{"share": share, "start": start, **run} for share in self.oscillating for start in range(self.starts)]

    def tails(self) -> list[Point]:
        """Easy cones and a perpendicular layer under alternating currents."""
        run = dict(zip(("frequencies", "seeds", "duration"), self.tail, strict=True))
        devices = {"cone": self.currents, "perpendicular": self.currents, "deep_cone": self.currents[:1]}
        return [{"device": device, "i_ac": i_ac, **run} for device, currents in devices.items() for i_ac in currents]

    def rotating(self) -> list[Point]:
        """Antiferromagnets of weak and of strong damping, and one like nickel oxide, beyond the threshold."""
        weak = {"alpha": 0.005, "settle": 30e-9, "shares": [1.1, 2.0, 4.0], "duration": 20e-9, **SOFT}
        strong = {"alpha": 0.05, "settle": 20e-9, "shares": [1.1, 1.5], "duration": 40e-9, **SOFT}
        return [weak, strong, {"alpha": 0.0035, "settle": 50e-12, "shares": [1.1, 2.0, 4.0, 8.0], "duration": 50e-12, **OXIDE}]

    name = "spin-diode"
    version = 2
    title = "Spintronic diodes: passive, biased, locked and antiferromagnetic"
    source = "G. Finocchio et al., Perspectives on spintronic diodes, arXiv:2103.13793"
    parts: ClassVar = {
        "speed": Part(measure=measure.speed, points=lambda study: [{}] * study.peer),
        "onset": Part(measure=measure.onset),
        "line": Part(measure=measure.line, points=lambda _: LINES, summary=measure.of_lines),
        "bias": Part(measure=measure.bias, points=lambda study: [{"share": s} for s in study.biases], summary=measure.of_biases),
        "warm": Part(measure=measure.warm, points=lambda study: [{**hot, "runs": study.warm} for hot in HOT]),
        "locking": Part(measure=measure.locking, points=tongues, summary=measure.of_locking),
        "tail": Part(measure=measure.tail, points=tails, summary=measure.of_tails),
        "neel_onset": Part(measure=measure.neel_rotating, points=lambda _: [ONSET]),
        "neel_tuning": Part(measure=measure.neel_tuning, points=lambda _: TUNED, summary=measure.of_tuning),
        "neel_rotating": Part(measure=measure.neel_rotating, points=rotating, summary=measure.of_rotation),
        "van_der_waals": Part(measure=measure.van_der_waals, points=lambda _: SOURCES, summary=measure.of_films),
        "ensemble": Part(measure=measure.ensemble, points=lambda study: [{"devices": study.devices}], summary=measure.of_ensembles),
    }
    noted = (MacrospinWarning,)
    notes = (
        "Of the perspective only the abstract was read: devices, currents and temperatures are ours, and no figure is quoted.",
        "A single moment stands for each device; a disc of 100 nm is 20 exchange lengths wide and can hold more than one.",
        "Runs at 0 K are exact; intervals are over runs with other noise, random starts, or the turns of a timing.",
        "Speed is compared with cmtj (claim 11) where that package is installed.",
        "No antiferromagnet on a two-dimensional source was tested: heat, interfaces, domains and antennas are left out here.",
    )


LARGE = SpinDiodes(
    biases=(0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95),
    oscillating=(1.05, 1.2, 1.5),
    tongue=(121, 600e-9),
    tail=(48, 32, 500e-9),
    warm=512,
    devices=1000,
)
FEW = SpinDiodes(biases=(0.0, 0.9), starts=1, tongue=(5, 20e-9), currents=(1e-4, 4e-4), tail=(1, 2, 200e-9), warm=2, peer=False)
MANY = replace(LARGE, oscillating=(1.05, 1.1, 1.2, 1.35, 1.5), tongue=(301, 2e-6), tail=(96, 128, 2e-6), warm=2048, devices=10_000)
PRESETS = {"tiny": FEW, "quick": SpinDiodes(), "standard": LARGE, "paper": MANY}
