"""The same macrospins on torch tensors: gradients with respect to any parameter, and graphics processors.

The equations are those of :mod:`holdfast.devices.spintronics.equations`, called with tensors. Parameters of the diode, the drive or
the start may be tensors that require gradients; the result then carries them. Time is cut into segments that are computed again
in the backward pass (``torch.utils.checkpoint``), so memory grows with the segments and not with the steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import refuse
from holdfast.devices.spintronics import equations as eq
from holdfast.devices.spintronics.constants import GAMMA0, thermal_field
from holdfast.devices.spintronics.macrospin import unit_vector
from holdfast.devices.spintronics.schedule import check_thermal_step, is_warm, schedule
from holdfast.devices.spintronics.stack import coefficients, terms_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from holdfast.devices.spintronics.drive import Drive
    from holdfast.devices.spintronics.stack import SpinDiode

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
        return torch.stack(TORQUE(*m_parts, *n_parts, wave, *field, rows, 0, terms, torch.exp, torch.log), dim=-1)

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
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    _check(diode, drive, generator, averages=averages, times=(steps * dt, settle * dt, dt))
    convert = _converter(dtype or torch.float64, device)
    terms, layer = terms_of(diode, drive), diode.layer
    rows = {
        number: values if values.is_floating_point() else values.to(convert(0.0).dtype)
        for number, values in coefficients(diode, drive, convert=convert, dt=dt).items()
    }
    up = convert(unit_vector(start, "start"))
    if terms.coupled and (up.ndim < 2 or up.shape[-2] != 2):
        up = torch.stack([up, -up], dim=-2)
    strength = _thermal_strength(layer, convert, dt) if is_warm(diode) else None
    frequency, phase = convert(drive.frequency), convert(drive.phase)
    numbers = [*rows.values(), frequency, phase]
    shape = torch.broadcast_shapes(*(values.shape for values in numbers), up.shape[: -2 if terms.coupled else -1])
    m = up.expand(*shape, *up.shape[-2 if terms.coupled else -1 :])
    slope = _slope(eq.Rows(rows), terms)

    def wave(count: float) -> Tensor:
        return torch.sin(2 * math.pi * torch.remainder(frequency * (count * dt), 1) + phase)

    def advance(m: Tensor, count: int) -> Tensor:
        if strength is None:
            middle = wave(count + 0.5)
            k1 = slope(m, wave(count))
            k2 = slope(m + 0.5 * k1, middle)
            k3 = slope(m + 0.5 * k2, middle)
            k4 = slope(m + k3, wave(count + 1))
            moved = m + (k1 + 2 * (k2 + k3) + k4) / 6
        else:
            drawn = torch.randn(m.shape, generator=generator, dtype=m.dtype, device=m.device)
            field = strength[..., None, None] * drawn if terms.coupled else strength[..., None] * drawn
            k1 = slope(m, wave(count), field)
            moved = m + 0.5 * (k1 + slope(m + k1, wave(count + 1), field))
        return moved * (1.5 - 0.5 * (moved * moved).sum(-1, keepdim=True))

    def segment(m: Tensor, sums: Tensor, begin: int, length: int) -> tuple[Tensor, Tensor]:
        for count in range(begin, begin + length):
            if count >= settle:
                sums = sums + _sample(m, wave(count), rows, terms, _weight(count - settle, steps, hann=hann))
            m = advance(m, count)
        return m, sums

    sums = torch.zeros(4, *shape, dtype=m.dtype, device=m.device)
    learning = torch.is_grad_enabled() and (m.requires_grad or any(values.requires_grad for values in rows.values()))
    for begin in range(0, settle + steps, SEGMENT):
        length = min(SEGMENT, settle + steps - begin)
        m, sums = (
            checkpoint(segment, m, sums, begin, length, use_reentrant=False, preserve_rng_state=False)
            if learning and strength is None
            else segment(m, sums, begin, length)
        )
    if not bool(torch.isfinite(m.detach()).all() and torch.isfinite(sums.detach()).all()):
        raise FloatingPointError(f"a device became NaN; take a smaller `dt` than {dt:g} s, or look at its parameters")
    weight, current, resistance, voltage = sums
    i_mean, r_mean = current / weight, resistance / weight
    true_current = i_mean if terms.series else convert(drive.i_dc).expand(shape)
    v_dc = voltage / weight - i_mean * r_mean + true_current * r_mean
    return Averages(v_dc=v_dc, r_mean=r_mean, i_mean=i_mean, end=m)


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


def _sample(m: Any, wave: Any, rows: dict[int, Any], terms: eq.Terms, weight: float) -> Any:
    """Weight, and weighted current, resistance and voltage, (4, B...)."""
    import torch

    order = 0.5 * (m[..., 0, :] - m[..., 1, :]) if terms.coupled else m
    current, resistance = CIRCUIT(*order.unbind(-1), wave, eq.Rows(rows), 0, terms, torch.exp, torch.log)
    ones = torch.ones_like(resistance)
    return weight * torch.stack(torch.broadcast_tensors(ones, current * ones, resistance, current * resistance))


def _thermal_strength(layer: Any, convert: Any, dt: float) -> Any:
    """Standard deviation of the scaled thermal field, (B...)."""
    numbers = {
        name: np.asarray(getattr(layer, name).detach().cpu() if hasattr(getattr(layer, name), "detach") else getattr(layer, name))
        for name in ("alpha", "temperature", "ms", "thickness", "area")
    }
    volume = numbers["thickness"] * numbers["area"]
    sigma = thermal_field(numbers["alpha"], numbers["temperature"], ms=numbers["ms"], volume=volume, dt=dt)
    return convert(sigma * GAMMA0 / (1 + numbers["alpha"] ** 2) * dt)
