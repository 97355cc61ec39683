"""How close a tabulated characteristic comes to its formula, in value and slope, and whether monotone data stay monotone."""

from __future__ import annotations

import numpy as np
import torch

from holdfast.core.checks import check_whole
from holdfast.core.seeds import Seeds
from holdfast.devices import CharacteristicCurves, SigmoidNeuron, response_curves
from holdfast.hardware.curves import CurveActivation

__all__ = ["interpolation_errors"]

REACH = 8.0  # the sigmoid is tabulated from -8 to 8
RANDOM = 100  # random monotone curves


def interpolation_errors(knots: int) -> dict[str, float]:
    """Errors of a sigmoid tabulated on ``[-8, 8]``, and the least slope between the knots of random monotone data.

    Parameters
    ----------
    knots : of the table, >= 4

    Returns
    -------
    ``value_error`` and ``slope_error``, the largest over 100,001 inputs, and ``least_slope`` of 100 curves with long flats and
    sudden steps; below 0 the interpolant would not be monotone.

    Examples
    --------
    >>> errors = interpolation_errors(129)
    >>> errors["value_error"] < 1e-4, errors["slope_error"] < 2e-3
    (True, True)
    """
    check_whole(knots, "knots", low=4)
    grid = np.linspace(-REACH, REACH, knots)
    drive = torch.linspace(-REACH, REACH, 100_001, dtype=torch.float64)[:, None].requires_grad_()
    value = CurveActivation(response_curves(SigmoidNeuron(), grid)).double()(drive)
    slope = torch.autograd.grad(value.sum(), drive)[0]
    ideal = torch.sigmoid(drive.detach())
    rises = Seeds(0).numpy("steps").exponential(size=(RANDOM, knots)) ** 3
    steep = CurveActivation(CharacteristicCurves(x=grid, y=np.cumsum(rises, axis=1) / rises.sum(axis=1, keepdims=True))).double()
    wide = drive.detach().expand(-1, RANDOM).clone().requires_grad_()
    return {
        "value_error": float((value.detach() - ideal).abs().max()),
        "slope_error": float((slope - ideal * (1 - ideal)).abs().max()),
        "least_slope": float(torch.autograd.grad(steep(wide).sum(), wide)[0].min()),
    }
