"""The same macrospins on torch tensors: gradients with respect to any parameter, and graphics processors.

The equations are those of :mod:`~holdfast.devices.spintronics.macrospin.equations`, called with tensors. Parameters of the
diode, the drive or the start may be tensors that require gradients; the result then carries them. Time is cut into segments that
are computed again in the backward pass (``torch.utils.checkpoint``), so memory grows with the segments and not with the steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import refuse
from holdfast.devices.spintronics.constants import GAMMA0, thermal_field
from holdfast.devices.spintronics.macrospin import equations as eq
from holdfast.devices.spintronics.macrospin.layer import unit_vector
from holdfast.devices.spintronics.macrospin.schedule import check_thermal_step, is_warm, schedule
from holdfast.devices.spintronics.macrospin.size import warn_of_width
from holdfast.devices.spintronics.macrospin.stack import coefficients, terms_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from holdfast.devices.spintronics.macrospin.drive import Drive
    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["Averages", "derivative", "integrate"]

TORQUE: Any = eq.torque  # called with numbers by the tuple, which a type checker cannot count
CIRCUIT: Any = eq.current_and_resistance
SEGMENT = 250  # steps that are computed again in the backward pass


@dataclass(frozen=True, kw_only=True)
class Averages:
    """What :func:`integrate` gives, tensors (B...) that carry gradients.

    Parameters
    ----------
    v_dc : mean voltage in V
    r_mean : mean resistance in ohm
    i_mean : mean current in A
    end : last magnetisation, (B..., 3) or (B..., 2, 3)
    """

    v_dc: Tensor
    r_mean: Tensor
    i_mean: Tensor
    end: Tensor


def _converter(dtype: Any, device: Any) -> Callable[[Any], Tensor]:
    import torch

    def convert(values: Any) -> Tensor:
        return torch.as_tensor(values, dtype=dtype, device=device)

    return convert


def derivative(diode: SpinDiode, drive: Drive, *, dtype: Any = None, device: Any = "cpu") -> Callable[[Tensor, Any], Tensor]:
    """The right-hand side of the equation of motion as a function of tensors.

    Parameters
    ----------
    diode, drive : whose numbers may be tensors
    dtype, device : of the computation; default ``torch.float64`` on the CPU

    Returns
    -------
    ``f(m, wave)`` with m (..., 3), or (..., 2, 3) for the two sublattices of an antiferromagnet, and the drive's sine; it gives
    dm/dt in 1/s. Works under ``torch.func``.
    """
    import torch

    convert = _converter(dtype or torch.float64, device)
    return _slope(eq.Rows(coefficients(diode, drive, convert=convert)), terms_of(diode, drive))


def _slope(rows: eq.Rows, terms: eq.Terms) -> Callable[..., Tensor]:
    """The equations with these coefficients."""
    import torch

    def torque(m: Tensor, n: Any, wave: Any, field: Any) -> Tensor:
        m_parts, n_parts = m.unbind(-1), n.unbind(-1) if terms.coupled else (0.0, 0.0, 0.0)
        return torch.stack(TORQUE(m_parts, n_parts, wave, field, rows, 0, terms, torch.exp, torch.log), dim=-1)

    def slope(m: Tensor, wave: Any, field: Any = None) -> Tensor:
        none = (0.0, 0.0, 0.0)
        if not terms.coupled:
            return torque(m, None, wave, none if field is None else field.unbind(-1))
        first, second = m.unbind(-2)
        fields = (none, none) if field is None else [part.unbind(-1) for part in field.unbind(-2)]
        return torch.stack([torque(first, second, wave, fields[0]), torque(second, first, wave, fields[1])], dim=-2)

    return slope


def integrate(  # noqa: PLR0913
    diode: SpinDiode,
    drive: Drive,
    *,
    start: Any,
    steps: int,
    settle: int = 0,
    dt: float = 1e-12,
    hann: bool = True,
    generator: Any = None,
    averages: bool = True,
    dtype: Any = None,
    device: Any = "cpu",
) -> Averages:
    """Averages over `steps` steps after `settle` ones, differentiable with respect to every number.

    Runge-Kutta of fourth order at 0 K, stochastic Heun with Gaussian noise above.

    Parameters
    ----------
    diode, drive : numbers, arrays or tensors that broadcast to the shape of the batch (B...)
    start : first magnetisation (..., 3), or (..., 2, 3)
    steps, settle : whole numbers of steps
    dt : in s
    hann : Hann's window instead of equal weights
    generator : ``torch.Generator`` of the noise on `device`
    averages : False for a short piece of motion, of which only the end is wanted
    dtype, device : default ``torch.float64`` on the CPU

    Returns
    -------
    Averages

    Raises
    ------
    InputError : as :func:`~holdfast.devices.spintronics.simulate`; no generator above 0 K
    FloatingPointError : a result that is not a number

    Warns
    -----
    MacrospinWarning : as :func:`~holdfast.devices.spintronics.simulate`
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    warn_of_width(diode.layer)
    _check(diode, drive, generator, averages=averages, times=(steps * dt, settle * dt, dt))
    motion = _Motion(diode, drive, generator, dt=dt, convert=_converter(dtype or torch.float64, device))
    m = motion.begin(start)
    sums = torch.zeros(4, *motion.shape_with(m), dtype=m.dtype, device=m.device)

    def segment(m: Tensor, sums: Tensor, begin: int, length: int) -> tuple[Tensor, Tensor]:
        for count in range(begin, begin + length):
            if count >= settle:
                sums = sums + _weight(count - settle, steps, hann=hann) * motion.seen(m, count)
            m = motion.advanced(m, count)
        return m, sums

    again = torch.is_grad_enabled() and motion.strength is None and motion.learns(m)
    for begin in range(0, settle + steps, SEGMENT):
        length = min(SEGMENT, settle + steps - begin)
        if again:
            m, sums = checkpoint(segment, m, sums, begin, length, use_reentrant=False, preserve_rng_state=False)
        else:
            m, sums = segment(m, sums, begin, length)
    if not bool(torch.isfinite(m.detach()).all() and torch.isfinite(sums.detach()).all()):
        raise FloatingPointError(f"a device became NaN; take a smaller `dt` than {dt:g} s, or look at its parameters")
    weight, current, resistance, voltage = sums
    i_mean, r_mean = current / weight, resistance / weight
    true_current = i_mean if motion.terms.series else motion.convert(drive.i_dc).expand(i_mean.shape)
    return Averages(v_dc=voltage / weight - i_mean * r_mean + true_current * r_mean, r_mean=r_mean, i_mean=i_mean, end=m)


class _Motion:
    """The motion of a batch in steps of `dt`."""

    def __init__(self, diode: SpinDiode, drive: Drive, generator: Any, *, dt: float, convert: Callable[[Any], Tensor]) -> None:
        self.convert, self.dt, self.generator = convert, dt, generator
        self.terms = terms_of(diode, drive)
        self.rows = coefficients(diode, drive, convert=convert, dt=dt)
        self.slope = _slope(eq.Rows(self.rows), self.terms)
        self.frequency, self.phase = convert(drive.frequency), convert(drive.phase)
        self.strength = _thermal_strength(diode.layer, convert, dt) if is_warm(diode) else None

    def shape_with(self, m: Tensor) -> tuple[int, ...]:
        """The shape of the batch."""
        import torch

        shapes = [values.shape for values in (*self.rows.values(), self.frequency, self.phase)]
        return tuple(torch.broadcast_shapes(*shapes, m.shape[: -2 if self.terms.coupled else -1]))

    def begin(self, start: Any) -> Tensor:
        """The first magnetisation of every device."""
        import torch

        m = self.convert(unit_vector(start, "start"))
        if self.terms.coupled and (m.ndim < 2 or m.shape[-2] != 2):
            m = torch.stack([m, -m], dim=-2)
        return m.expand(*self.shape_with(m), *m.shape[-2 if self.terms.coupled else -1 :])

    def learns(self, m: Tensor) -> bool:
        """Whether a gradient is required."""
        return any(values.requires_grad for values in (*self.rows.values(), self.frequency, self.phase, m))

    def wave(self, count: float) -> Tensor:
        """The drive's sine after `count` steps."""
        import torch

        return torch.sin(2 * math.pi * torch.remainder(self.frequency * (count * self.dt), 1) + self.phase)

    def advanced(self, m: Tensor, count: int) -> Tensor:
        """The magnetisation a step later: Runge-Kutta at 0 K, Heun with Gaussian noise above."""
        import torch

        begin, end = self.wave(count), self.wave(count + 1)
        if self.strength is None:
            middle = self.wave(count + 0.5)
            k1 = self.slope(m, begin)
            k2 = self.slope(m + 0.5 * k1, middle)
            k3 = self.slope(m + 0.5 * k2, middle)
            moved = m + (k1 + 2 * (k2 + k3) + self.slope(m + k3, end)) / 6
        else:
            strength = self.strength[..., None, None] if self.terms.coupled else self.strength[..., None]
            field = strength * torch.randn(m.shape, generator=self.generator, dtype=m.dtype, device=m.device)
            k1 = self.slope(m, begin, field)
            moved = m + 0.5 * (k1 + self.slope(m + k1, end, field))
        return moved * (1.5 - 0.5 * (moved * moved).sum(-1, keepdim=True))

    def seen(self, m: Tensor, count: int) -> Tensor:
        """One, current, resistance and voltage, (4, B...)."""
        import torch

        order = 0.5 * (m[..., 0, :] - m[..., 1, :]) if self.terms.coupled else m
        rows = eq.Rows(self.rows)
        current, resistance = CIRCUIT(*order.unbind(-1), self.wave(count), rows, 0, self.terms, torch.exp, torch.log)
        ones = torch.ones_like(resistance)
        return torch.stack(torch.broadcast_tensors(ones, current * ones, resistance, current * resistance))


def _check(diode: SpinDiode, drive: Drive, generator: Any, *, averages: bool, times: tuple[float, float, float]) -> None:
    """Refuse what the compiled simulation would refuse."""
    duration, settle, dt = times
    schedule(diode, drive, duration=duration, settle=settle, dt=dt, every=1, averages=averages)
    if not is_warm(diode):
        return
    check_thermal_step(diode, drive, dt)
    if generator is None:
        refuse("generator", "is None for a temperature above 0 K", allowed="a torch.Generator, seeded, on `device`")


def _weight(sample: int, samples: int, *, hann: bool) -> float:
    """Weight of a sample in the averaging window."""
    return 1 - math.cos(2 * math.pi * (sample + 0.5) / samples) if hann else 1.0


def _thermal_strength(layer: Any, convert: Any, dt: float) -> Any:
    """Standard deviation of the scaled thermal field, (B...)."""
    alpha, volume = convert(layer.alpha), convert(layer.thickness) * convert(layer.area)
    sigma = thermal_field(alpha, convert(layer.temperature), ms=convert(layer.ms), volume=volume, dt=dt)
    return sigma * GAMMA0 / (1 + alpha**2) * dt
