"""In which precision an attack computes: in single precision at least, whatever the network takes.

In half precision a step of a hundredth is rounded away, squares vanish below 2e-4, and constants such as 1e-12 are zero. Inputs in
half precision are therefore attacked in single precision, and rounded each time the network is asked.
"""

from __future__ import annotations

import torch

__all__ = ["at_least_single", "finite_rows", "rounded_toward"]


def at_least_single(values: torch.Tensor) -> torch.Tensor:
    """`values` in single precision if they are in less; integers and anything wider as they are.

    Examples
    --------
    >>> at_least_single(torch.ones(1, dtype=torch.float16)).dtype, at_least_single(torch.ones(1, dtype=torch.float64)).dtype
    (torch.float32, torch.float64)
    """
    return values.float() if values.is_floating_point() and values.dtype.itemsize < 4 else values


def rounded_toward(points: torch.Tensor, centre: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """`points` (...) in `dtype`, each number that rounding would carry away from `centre` rounded the other way.

    No distance from `centre` grows, in any norm, so that the rounded points lie in the same balls. Gradients pass unchanged.

    Parameters
    ----------
    points : tensor (...), in single precision at least
    centre : tensor (...), whose values `dtype` can hold

    Examples
    --------
    >>> rounded_toward(torch.tensor([0.3, 0.3]), torch.tensor([0.0, 1.0]), torch.float16).tolist()
    [0.2998046875, 0.300048828125]
    """
    if points.dtype == dtype:
        return points
    with torch.no_grad():
        beyond = (points.to(dtype).to(points) - centre).abs() > (points - centre).abs()
        kind = torch.finfo(dtype)
        half_a_step = torch.ldexp(torch.full_like(points, kind.eps / 4), torch.frexp(points).exponent)
        half_a_step = half_a_step.clamp_min(kind.smallest_normal * kind.eps / 2)
        shift = torch.where(beyond, half_a_step.copysign(centre - points), 0)
    return (points + shift).to(dtype)


def finite_rows(values: torch.Tensor) -> torch.Tensor:
    """Boolean (N,): the row of `values` (N, ...) holds neither NaN nor infinity.

    Examples
    --------
    >>> finite_rows(torch.tensor([[0.0, 1.0], [torch.nan, 1.0]])).tolist()
    [True, False]
    """
    return values.isfinite().flatten(1).all(1)
