"""What all models of coupled oscillators share: shapes, checks, and the frame that rotates."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from holdfast.core.checks import check_finite, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["OscillatorNetwork", "Source", "plain"]

TURN = 2 * math.pi


def plain(value: Any) -> NDArray[Any]:
    """An array of numbers or of a tensor, without its history."""
    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)


@dataclass(frozen=True, eq=False)
class Source:
    """A microwave source that forces all or some oscillators.

    Parameters
    ----------
    frequency : array (...,) in Hz
    amplitude : complex array (..., K) in Hz: the force `F` on each oscillator, divided by 2 pi
    """

    frequency: Any
    amplitude: Any


class OscillatorNetwork:
    """What all models of coupled oscillators share: shapes, checks and the rotating frame.

    A model is a frozen dataclass with the fields `coupling`, `delay`, `noise`, `sources`, `supercriticality` and those that it
    names in `rows` (with the least values in `least`), and defines how its free oscillators run.
    """

    rows: ClassVar[tuple[str, ...]]
    least: ClassVar[dict[str, tuple[float, str]]]
    damping: Any
    frequency: Any
    coupling: Any
    delay: Any
    noise: Any
    supercriticality: Any
    sources: tuple[Source, ...]

    @cached_property
    def free_power(self) -> NDArray[np.float64]:
        """Array (..., K), power of each oscillator alone."""
        raise NotImplementedError

    @cached_property
    def free_frequency(self) -> NDArray[np.float64]:
        """Array (..., K), frequency of each oscillator alone in Hz."""
        raise NotImplementedError

    @cached_property
    def phase_amplitude_ratio(self) -> NDArray[np.float64]:
        """Array (..., K), dimensionless nonlinearity nu: how strongly the phase follows the amplitude."""
        raise NotImplementedError

    @cached_property
    def relaxation(self) -> NDArray[np.float64]:
        """Array (..., K), amplitude relaxation rate over 2 pi in Hz."""
        raise NotImplementedError

    def lane_quantities(self, frame: NDArray[np.float64]) -> tuple[Any, ...]:
        """The arrays (..., K) that the compiled steps take, for a frame that rotates at `frame` (...,) in rad/s."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        for entry in fields(self):  # type: ignore[arg-type]  # every model is a dataclass
            value = getattr(self, entry.name)
            object.__setattr__(self, entry.name, tuple(value) if entry.name == "sources" else self._taken(value))
        for name in (*self.rows, "coupling", "delay"):
            check_finite(plain(getattr(self, name)), name)
        self._check_shapes()
        for name, (least, words) in self.least.items():
            found = plain(getattr(self, name)).min()
            if not (found > least if words.startswith(">") and "=" not in words else found >= least):
                refuse(name, f"falls to {found:.4g}", allowed=f"numbers {words}")
        self._check_oscillation()

    @staticmethod
    def _taken(value: Any) -> Any:
        return value if hasattr(value, "detach") else np.asarray(value)

    def _check_shapes(self) -> None:
        shape = tuple(self.coupling.shape)
        if shape and (len(shape) < 2 or shape[-1] != shape[-2]):
            refuse("coupling", f"has shape {shape}", allowed="(..., K, K), one row and one column per oscillator")
        if self.delay.ndim and self.delay.shape != (self.oscillators, self.oscillators):
            refuse("delay", f"has shape {self.delay.shape}", allowed=f"one number or {(self.oscillators,) * 2}")
        try:
            self.batch  # noqa: B018 - broadcasts everything
        except ValueError:
            shapes = ", ".join(f"{name} {tuple(getattr(self, name).shape)}" for name in (*self.rows, "coupling"))
            refuse(type(self).__name__, f"has shapes {shapes}", allowed="shapes (..., K) that broadcast and (..., K, K)")

    def _check_oscillation(self) -> None:
        zeta = np.broadcast_to(plain(self.supercriticality), (*self.batch, self.oscillators))
        if zeta.min() > 1:
            return
        place = tuple(int(index) for index in np.unravel_index(zeta.argmin(), zeta.shape))
        refuse(
            "supercriticality",
            f"is {zeta[place]:.4g} for oscillator {place[-1]}" + (f" of network {place[:-1]}" if len(place) > 1 else ""),
            allowed="numbers > 1",
            remedy="Below its threshold current an oscillator does not oscillate: raise the current.",
        )

    @cached_property
    def oscillators(self) -> int:
        """Their number K."""
        if self.coupling.ndim:
            return int(self.coupling.shape[-1])
        shapes = [tuple(getattr(self, name).shape[-1:]) for name in self.rows]
        return int(np.broadcast_shapes(*shapes)[0]) if any(shapes) else 1

    @cached_property
    def batch(self) -> tuple[int, ...]:
        """Shape of the batch, () for one network."""
        shapes = [tuple(getattr(self, name).shape) for name in self.rows] + [(self.oscillators,)]
        leading = [np.broadcast_shapes(*shapes)[:-1], tuple(self.coupling.shape[:-2])]
        for source in self.sources:
            leading += [plain(source.frequency).shape, plain(source.amplitude).shape[:-1]]
        return np.broadcast_shapes(*leading)

    @cached_property
    def reference(self) -> NDArray[np.float64]:
        """Array (...,), frequency of the rotating frame in Hz: the mean of the free frequencies of each network."""
        return np.asarray(np.broadcast_to(self.free_frequency.mean(axis=-1), self.batch))

    @cached_property
    def fastest_rate(self) -> float:
        """The fastest rate in rad/s that steps must resolve: detunings, relaxation of the power, coupling and forces."""
        detunings = np.abs(self.free_frequency - self.reference[..., None]).max()
        rates = [detunings, 2 * self.relaxation.max(), np.abs(plain(self.coupling)).max()]
        if self.coupling.ndim:
            rates.append(np.abs(plain(self.coupling)).sum(axis=-1).max())
        for source in self.sources:
            rates.append(np.abs(plain(source.frequency) - self.reference).max())
            rates.append((np.abs(plain(source.amplitude)) / np.sqrt(self.free_power)).max())
        return TURN * float(max(rates))
