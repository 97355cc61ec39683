r"""Activations that follow tabulated curves, one per neuron: simulated devices or measured ones.

Between the knots of a uniform grid each curve is a monotone cubic (F. N. Fritsch and R. E. Carlson, SIAM J. Numer. Anal. 17 (1980)
238, with the harmonic-mean slopes that SciPy's ``PchipInterpolator`` uses), so monotone data give a monotone neuron, and the
derivative of the interpolant is exact. Value and slope come from one compiled pass on the CPU and from gathers elsewhere; the
backward pass is one product.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numba
import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch import nn

from holdfast.core.checks import check_one_of, refuse
from holdfast.core.seeds import Seeds
from holdfast.hardware.activations import DeviceActivation
from holdfast.hardware.hermite import hermite_cubics

if TYPE_CHECKING:
    from holdfast.devices.neuron import CharacteristicCurves

__all__ = ["CurveActivation"]

Extrapolation = Literal["clamp", "linear"]
Grid = tuple[float, float, bool, bool]  # first drive, step, whether to go on linearly, whether to look for inputs outside
SHARE_OUTSIDE = 0.05  # of all pre-activations: above it a warning says that the grid is too narrow
SHARE_TURNING = 0.10  # of all curves: above it a warning says that they are not monotone


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"nsz", "contract", "arcp", "reassoc"})
def _look_up(u: Any, cubics: Any, devices: Any, grid: Any) -> Any:  # pragma: no cover - compiled
    """Value and slope (outer, n, inner) at `u`, and the number of inputs outside the grid.

    For each run of `inner` numbers the places in the table are found first: that loop has no branches and no look-ups, so it
    is vectorised. Everything is in the number format of `u`; each unit's curve stays in the cache while the rows pass.
    """
    number = u.dtype.type
    outer, units, inner = u.shape
    start, step, linear = number(grid[0]), number(grid[1]), grid[2]
    first, last = np.int32(0), np.int32(cubics.shape[1] - 1)
    zero, one, end, per_drive = number(0), number(1), number(cubics.shape[1] * grid[1]), number(1 / grid[1])
    value, slope, outside = np.empty_like(u), np.empty_like(u), zero
    interval = np.empty(inner, np.int32)
    t, beyond, within = np.empty(inner, u.dtype), np.empty(inner, u.dtype), np.empty(inner, u.dtype)
    for unit in range(units):
        curve = cubics[devices[unit]]
        for row in range(outer):
            for i in range(inner):
                way = u[row, unit, i] - start
                inside = zero if way < zero else (end if way > end else way)  # noqa: FURB136 - min() would lose NaN
                j = min(max(np.int32(inside * per_drive), first), last)
                interval[i], t[i] = j, inside - number(j) * step
                beyond[i], within[i] = way - inside, one if inside == way else zero
            for i in range(inner):
                a, b, c, d = curve[interval[i], 0], curve[interval[i], 1], curve[interval[i], 2], curve[interval[i], 3]
                rise = ((a + a + a) * t[i] + b + b) * t[i] + c
                value[row, unit, i] = ((a * t[i] + b) * t[i] + c) * t[i] + d + (rise * beyond[i] if linear else zero)
                slope[row, unit, i] = rise if linear else rise * within[i]
            for i in range(inner):
                outside += one - within[i]
    return value, slope, outside


def _gather(u: torch.Tensor, cubics: torch.Tensor, devices: torch.Tensor, grid: Grid) -> Any:
    """The same as :func:`_look_up` in torch operations, for other places and number formats."""
    start, step, linear, _ = grid
    intervals = cubics.shape[1]
    way = u - start
    inside = way.clamp(0, intervals * step)
    interval = (inside / step).nan_to_num(0).long().clamp(0, intervals - 1)
    t = inside - interval * step
    a, b, c, d = cubics.to(u.dtype)[devices[:, None], interval].unbind(-1)
    value, slope = ((a * t + b) * t + c) * t + d, (3 * a * t + 2 * b) * t + c
    beyond = inside != way
    if linear:
        return torch.where(beyond, value + slope * (way - inside), value), slope
    return value, slope.masked_fill(beyond, 0)


def _cubics(x: np.ndarray, y: np.ndarray) -> torch.Tensor:
    """Coefficients (n, K - 1, 4), highest power first, of the monotone cubics through the curves `y` (n, K)."""
    with np.errstate(over="ignore", divide="ignore"):  # a rise of 1e-308 has an infinite inverse, and rightly a slope of 0
        coefficients = PchipInterpolator(x, y, axis=1).c
    return torch.from_numpy(np.ascontiguousarray(coefficients.transpose(2, 1, 0)))


def _outside(u: torch.Tensor, cubics: torch.Tensor, grid: Grid) -> torch.Tensor:
    """How many of `u` lie outside the grid."""
    return ((u < grid[0]) | (u > grid[0] + grid[1] * cubics.shape[1])).sum()


def _announce_outside(outside: float, inputs: int) -> None:
    """Warn where more than a few of the inputs have left the grid."""
    if outside > SHARE_OUTSIDE * inputs:
        warnings.warn(
            f"more than {SHARE_OUTSIDE:.0%} of the pre-activations lie outside the curves' grid, where a clamped neuron has no "
            "gradient. Scale the layer's initial weights down, map the curves to a wider drive, or extrapolate='linear'.",
            stacklevel=2,
        )


class _Table(torch.autograd.Function):
    """Curves at (outer, n, inner) pre-activations; gives the value and, for the backward pass, the slope."""

    @staticmethod
    def forward(u: torch.Tensor, cubics: torch.Tensor, devices: torch.Tensor, grid: Grid) -> Any:
        """Value and slope."""
        if u.device.type != "cpu" or u.dtype not in {torch.float32, torch.float64}:
            if grid[3]:
                _announce_outside(float(_outside(u, cubics, grid)), u.numel())
            return _gather(u, cubics, devices, grid)
        dense = u.shape[2] == 1  # the rows of a dense layer become one run per unit
        runs = u.transpose(0, 2) if dense else u
        rows, tables, units = (tensor.detach().contiguous().numpy() for tensor in (runs, cubics.to(u.dtype), devices))
        *found, outside = _look_up(rows, tables, units, grid[:3])
        _announce_outside(outside, u.numel())
        value, slope = map(torch.from_numpy, found)
        return (value.transpose(0, 2), slope.transpose(0, 2)) if dense else (value, slope)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep the slope, and what it is made from."""
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*inputs[:3], output[1])
        ctx.grid = inputs[3]

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor, _: Any) -> Any:
        """Chain rule; where a second derivative may be asked for, the slope is computed again as a function of the input."""
        u, cubics, devices, slope = ctx.saved_tensors
        if torch.is_grad_enabled():
            slope = _gather(u, cubics, devices, ctx.grid)[1]
        return grad * slope, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, u: torch.Tensor, cubics: torch.Tensor, devices: torch.Tensor, grid: Any) -> Any:
        """Many chips or many inputs at once: the batch joins the units, because each chip has its own devices."""
        at_u, at_cubics, at_devices, _ = in_dims
        if at_cubics is not None:
            refuse("cubics", "is batched", allowed="one library of curves; draw `devices` for each chip")
        u = u.movedim(at_u, 1) if at_u is not None else u.unsqueeze(1).expand(-1, info.batch_size, -1, -1)
        devices = devices.movedim(at_devices, 0) if at_devices is not None else devices.expand(info.batch_size, -1)
        outer, batch, units, inner = u.shape
        value, slope = _evaluate(u.reshape(outer, batch * units, inner), cubics, devices.reshape(-1), grid)
        return tuple(part.reshape(outer, batch, units, inner) for part in (value, slope)), (1, 1)


def _evaluate(u: torch.Tensor, cubics: torch.Tensor, devices: torch.Tensor, grid: Grid) -> Any:
    return _Table.apply(u, cubics, devices, grid)  # type: ignore[no-untyped-call]  # torch's own signature


class CurveActivation(DeviceActivation):
    """A layer of neurons that follow tabulated curves.

    Parameters
    ----------
    curves : the ensemble that the layer's devices are taken from, in the units of the network
    out_features : number of units; default: one per curve. With as many curves as units each unit gets its own, one curve is
        shared by all, and with any other number `seed` draws a device for each unit
    seed : of the draw; None takes the curves in their order
    extrapolate : ``"clamp"`` holds the end values outside the grid (gradient 0), ``"linear"`` goes on with the end slopes
    trainable : make the heights of the knots parameters; slopes follow them, so a curve stays smooth and, where its knots are,
        monotone. A slower path of plain torch
    noise_std : standard deviation of the noise of each call, or ``"stderr"`` for that of the curves, from cycle to cycle: it
        belongs to averages as long as those that were simulated or measured
    dim, faults, bits, full_scale : as in :class:`DeviceActivation`; the natural scale is that of all curves together

    Shapes
    ------
    input (..., n) or (N, n, ...) with ``dim=1``; output the same, in the number format of the input.

    Raises
    ------
    InputError : no `seed` and a number of curves that is neither 1 nor the number of units; ``"stderr"`` for curves without

    Warns
    -----
    UserWarning : many curves are not monotone, or many pre-activations lie outside the grid (away from the CPU this is looked for
        at calls 1, 2, 4, 8 ... only, because looking waits for the device)

    Examples
    --------
    >>> from holdfast.devices.neuron import SigmoidNeuron, response_curves
    >>> layer = CurveActivation(response_curves(SigmoidNeuron(), np.linspace(-8, 8, 129)), out_features=4)
    >>> layer(torch.zeros(2, 4))[0]
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """

    cubics: torch.Tensor
    heights: torch.Tensor
    nominal: torch.Tensor
    devices: torch.Tensor
    errors: torch.Tensor

    def __init__(
        self,
        curves: CharacteristicCurves,
        out_features: int | None = None,
        *,
        seed: int | None = None,
        extrapolate: Extrapolation = "clamp",
        trainable: bool = False,
        noise_std: float | Literal["stderr"] = 0.0,
        **read_out: Any,
    ) -> None:
        from_errors = isinstance(noise_std, str)
        if isinstance(noise_std, str):
            check_one_of(noise_std, "noise_std", allowed=("stderr",))
        if from_errors and curves.stderr is None:
            refuse("noise_std", "is 'stderr' for curves without standard errors", allowed="numbers, or simulated curves")
        if read_out.get("full_scale") is None and np.ptp(curves.y) > 0:
            read_out["full_scale"] = (float(curves.y.min()), float(curves.y.max()))
        noise = 0.0 if isinstance(noise_std, str) else noise_std
        super().__init__(out_features or len(curves), seed=seed or 0, noise_std=noise, **read_out)
        check_one_of(extrapolate, "extrapolate", allowed=("clamp", "linear"))
        if seed is None and len(curves) not in {1, self.out_features}:
            refuse(
                "curves",
                f"has {len(curves)} devices for {self.out_features} units",
                allowed=f"1 or {self.out_features} devices",
                remedy="Or give a `seed`, and each unit gets a device drawn from the ensemble.",
            )
        if (turning := 1 - curves.monotone.mean()) > SHARE_TURNING:
            warnings.warn(
                f"{turning:.0%} of the curves are not monotone. If that is noise, average longer or take curves.made_monotone().",
                stacklevel=2,
            )
        self.linear, self.trainable, self.members = extrapolate == "linear", trainable, len(curves)
        self.looked = {"calls": 0}  # in a box, so that networks of one form that were called more or less often stay of one form
        self.start, self.step = float(curves.x[0]), float((curves.x[-1] - curves.x[0]) / (len(curves.x) - 1))
        number = torch.get_default_dtype()
        if trainable:
            self.heights = nn.Parameter(torch.tensor(curves.y, dtype=number))
        else:
            self.register_buffer("cubics", _cubics(curves.x, curves.y).to(number))
        self.register_buffer("nominal", _cubics(curves.x, np.asarray(curves.nominal)[None]).to(number))
        if from_errors:
            self.register_buffer("errors", torch.tensor(curves.stderr, dtype=number))
        in_order = torch.arange(self.out_features) % len(curves)
        self.register_buffer("devices", in_order if seed is None else self._assign(seed))

    def get_extra_state(self) -> torch.Tensor:
        """The grid, first drive and step, and what every layer of devices keeps, so that a saved network is complete."""
        return torch.cat([torch.tensor([self.start, self.step], dtype=torch.float64), super().get_extra_state()])

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Take over what :meth:`get_extra_state` gave."""
        self.start, self.step = state[:2].tolist()
        super().set_extra_state(state[2:].to(torch.uint8))

    def _assign(self, seed: int) -> torch.Tensor:
        """A device for each unit: different ones while the ensemble lasts."""
        generator = Seeds(seed).numpy("devices")
        return torch.from_numpy(generator.choice(self.members, self.out_features, replace=self.members < self.out_features))

    def devices_of(self, seed: int) -> dict[str, torch.Tensor]:
        """The numbers ``devices`` (n,) of the ensemble's members that the chip `seed` carries."""
        return {"devices": self._assign(seed).to(self.devices.device)}

    def ideal(self) -> CurveActivation:
        """The same layer made of nominal devices, all sound, without noise."""
        twin = self._without_variation()
        for name in ("errors", "cubics", "heights"):
            if hasattr(twin, name):
                delattr(twin, name)
        twin.trainable, twin.members = False, 1
        twin.register_buffer("cubics", self.nominal.clone())
        twin.devices = torch.zeros_like(self.devices)
        return twin

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        """Outputs of all neurons at the pre-activations `u`."""
        self.check_width(u)
        axis = self.dim % u.ndim
        units = u.shape[axis]
        wide = u.to(torch.promote_types(u.dtype, torch.float32))  # half precision cannot find its place on a fine grid
        flat = wide.reshape(math.prod(u.shape[:axis]), units, math.prod(u.shape[axis + 1 :]))
        self.looked["calls"] += 1
        calls = self.looked["calls"]
        grid = (self.start, self.step, self.linear, calls & (calls - 1) == 0)
        devices = self.devices.expand(units)
        if self.trainable:
            value, _ = _gather(flat, hermite_cubics(self.heights, self.step), devices, grid)
        else:
            value, _ = _evaluate(flat, self.cubics, devices, grid)
        noise = self._noise_at(flat, devices, u) if "errors" in self._buffers else None
        return self.read_out(value.reshape(u.shape).to(u.dtype), noise)

    def _noise_at(self, flat: torch.Tensor, devices: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Standard deviation of the curves' noise at the pre-activations, linear between the knots."""
        last = self.errors.shape[1] - 1
        place = ((flat.detach() - self.start) / self.step).clamp(0, last).nan_to_num(0)
        left = place.long().clamp(0, last - 1)
        before, after = (self.errors[devices[:, None], left + shift] for shift in (0, 1))
        return torch.lerp(before, after, (place - left).to(before.dtype)).reshape(like.shape).to(like.dtype)
