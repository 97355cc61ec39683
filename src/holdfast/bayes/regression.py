r"""Linear regression, whose posterior is known: independent exact draws, against which approximate samples can be held.

.. math:: w \,|\, X, y \sim N\bigl(\Lambda^{-1} X^\top y / \sigma^2,\; \Lambda^{-1}\bigr), \qquad
   \Lambda = X^\top X / \sigma^2 + 1 / s^2

Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning (2006), equation (2.8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from holdfast.bayes.posterior import Posterior
from holdfast.core.checks import check_finite, check_whole, check_within, refuse
from holdfast.nets import seeded

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["linear_regression"]


def linear_regression(
    x: torch.Tensor, y: torch.Tensor, *, samples: int, generator: torch.Generator, noise: float = 1.0, prior_std: float = 1.0
) -> Posterior:
    """Exact draws of the weights of ``y = x w + noise`` under a normal prior, as a posterior over a linear layer without bias.

    Parameters
    ----------
    x : inputs (n, d)
    y : targets (n,), real numbers
    samples : S, independent draws, >= 1
    generator : of the draws
    noise : standard deviation of the targets around the line, > 0
    prior_std : of each weight around zero, > 0

    Returns
    -------
    Posterior of an ``nn.Linear(d, 1, bias=False)``; ``resample`` draws fresh ones

    Examples
    --------
    >>> x = torch.tensor([[1.0], [2.0]])
    >>> post = linear_regression(x, 3 * x[:, 0], samples=4000, generator=torch.Generator().manual_seed(0))
    >>> abs(float(post.params["weight"].mean()) - 15 / 6) < 0.04  # mean X'y / (X'X + 1)
    True
    """
    if x.ndim != 2 or y.shape != x.shape[:1]:
        refuse("y", f"has shape {tuple(y.shape)} for x {tuple(x.shape)}", allowed="(n,) for inputs (n, d)")
    check_finite(x, "x")
    check_finite(y, "y")
    for name, value in (("noise", noise), ("prior_std", prior_std)):
        check_within(value, name, low=0.0, low_open=True)
    width = x.shape[1]
    precision = (x.T @ x / noise**2 + torch.eye(width).to(x) / prior_std**2).double()
    mean = torch.linalg.solve(precision, (x.T @ y / noise**2).double())
    factor = torch.linalg.cholesky(precision)

    def sampler(count: int, draws: torch.Generator) -> Mapping[str, torch.Tensor]:
        normal = torch.randn(width, count, generator=draws, dtype=torch.float64, device=draws.device).to(mean.device)
        drawn = mean[:, None] + torch.linalg.solve_triangular(factor.T, normal, upper=True)
        return {"weight": drawn.T[:, None].to(x.dtype)}

    with seeded(0):
        network = nn.Linear(width, 1, bias=False).to(x)
    count = check_whole(samples, "samples", low=1)
    return Posterior.from_sampler(network, sampler, samples=count, method="exact", generator=generator)
