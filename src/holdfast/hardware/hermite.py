"""Monotone cubics whose coefficients can be differentiated by the heights of their knots.

The slopes are those of :class:`scipy.interpolate.PchipInterpolator` on a uniform grid: inside the harmonic mean of the two
neighbouring rises where they have one sign and 0 elsewhere, at the ends three points with the limits of C. Moler, Numerical
Computing with MATLAB (SIAM 2004), section 3.4.
"""

from __future__ import annotations

import torch

__all__ = ["hermite_cubics"]


def hermite_cubics(heights: torch.Tensor, step: float) -> torch.Tensor:
    """Coefficients (n, K - 1, 4), highest power first, of the cubics through the knots `heights` (n, K), `step` apart.

    Examples
    --------
    >>> hermite_cubics(torch.tensor([[0.0, 1.0, 2.0, 3.0]]), 1.0)[0, 1].tolist()  # a straight line
    [0.0, 0.0, 1.0, 1.0]
    """
    rise = heights.diff(dim=1) / step
    before, after = rise[:, :-1], rise[:, 1:]
    agree = before * after > 0
    safe = torch.where(agree, before + after, torch.ones_like(before))
    inside = torch.where(agree, 2 * before * after / safe, torch.zeros_like(before))
    slopes = torch.cat([_end(rise[:, 0], rise[:, 1]), inside, _end(rise[:, -1], rise[:, -2])], dim=1)
    left, right = slopes[:, :-1], slopes[:, 1:]
    cubic, square = (left + right - 2 * rise) / step**2, (3 * rise - 2 * left - right) / step
    return torch.stack([cubic, square, left, heights[:, :-1]], dim=-1)


def _end(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Slope (n, 1) at an end from the two rises next to it."""
    slope = (3 * first - second) / 2
    slope = torch.where(slope * first <= 0, torch.zeros_like(slope), slope)
    steep = (first * second < 0) & (slope.abs() > 3 * first.abs())
    return torch.where(steep, 3 * first, slope)[:, None]
