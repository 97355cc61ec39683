r"""Along the data and off them: tangent spaces, the two parts of a gradient, and attacks that leave the data's surface.

.. math:: g_{\parallel} = T T^\top g, \qquad g_\perp = g - g_{\parallel}

with T an orthonormal basis of the directions in which data vary near x. Where data fill only a part of the input space, a
likelihood says nothing of weights that act on :math:`g_\perp`: their posterior is their prior, and under a symmetric prior the
posterior mean of :math:`g_\perp` is zero. Source of the argument: G. Carbone et al., arXiv:2002.04359, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks import ascend
from holdfast.core.checks import check_finite, check_whole, refuse

if TYPE_CHECKING:
    from holdfast.attacks import ThreatModel
    from holdfast.attacks.ascent import InputObjective
    from holdfast.attacks.transforms import GradTransform

__all__ = ["GradientSplit", "ascend_off", "orthogonal_to", "split_gradient", "tangent_basis"]


def tangent_basis(x_ref: torch.Tensor, x: torch.Tensor, *, k: int, dim: int) -> torch.Tensor:
    """Orthonormal bases of the directions in which the data vary most near each input: local principal components.

    Parameters
    ----------
    x_ref : data (M, ...)
    x : inputs (N, ...) of the same shape each
    k : nearest data to look at around each input, ``dim < k <= M``
    dim : dimension of the tangent space, >= 1

    Returns
    -------
    tensor (N, d, dim), d numbers per input

    Raises
    ------
    InputError : neighbours that span fewer than `dim` directions

    Examples
    --------
    >>> plane = torch.rand(50, 2) @ torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> basis = tangent_basis(plane, plane[:4], k=10, dim=2)
    >>> basis.shape, bool(basis[:, 2].abs().max() < 1e-6)
    (torch.Size([4, 3, 2]), True)
    """
    if x.shape[1:] != x_ref.shape[1:]:
        refuse("x", f"has rows of shape {tuple(x.shape[1:])}", allowed=f"that of `x_ref`, {tuple(x_ref.shape[1:])}")
    for name, values in (("x_ref", x_ref), ("x", x)):
        check_finite(values, name)
    data, points = x_ref.flatten(1), x.flatten(1)
    check_whole(dim, "dim", low=1, high=data.shape[1])
    check_whole(k, "k", low=dim + 1, high=len(data))
    near = torch.cdist(points, data).topk(k, dim=1, largest=False).indices
    patches = data[near]
    patches = patches - patches.mean(1, keepdim=True)
    _, sizes, directions = torch.linalg.svd(patches.double(), full_matrices=False)
    flat = sizes[:, dim - 1] <= 1e-6 * sizes[:, 0]
    if bool(flat.any()):
        refuse(
            "dim",
            f"is {dim}, but around {int(flat.sum())} of {len(x)} inputs the nearest data vary in fewer directions",
            allowed="the dimension of the data's surface or less",
            remedy="Lower `dim`, raise `k`, or leave repeated data out.",
        )
    return directions[:, :dim].transpose(1, 2).to(x.dtype)


@dataclass(frozen=True)
class GradientSplit:
    """The two parts of gradients (..., N, ...): `tangential` to the data and `orthogonal` to them; they add up."""

    tangential: torch.Tensor
    orthogonal: torch.Tensor


def split_gradient(gradient: torch.Tensor, basis: torch.Tensor) -> GradientSplit:
    r"""The parts of gradients along and off the tangent space.

    .. math:: g_{\parallel} = T T^\top g, \qquad g_\perp = g - g_{\parallel}

    Parameters
    ----------
    gradient : tensor (..., N, \*input), any number of leading axes, e.g. of posterior samples
    basis : orthonormal columns: (d, dim) for all inputs, or (N, d, dim) with one basis each

    Examples
    --------
    >>> split = split_gradient(torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0], [0.0]]))
    >>> split.tangential.tolist(), split.orthogonal.tolist()
    ([[3.0, 0.0]], [[0.0, 4.0]])
    """
    _check_basis(basis)
    rows, d = (len(basis) if basis.ndim == 3 else 1), basis.shape[-2]
    if not _ends_with(gradient, rows, d, shared=basis.ndim == 2):
        wanted = f"(..., {'N' if basis.ndim == 2 else rows}, *input) with {d} numbers per input"
        refuse("gradient", f"has shape {tuple(gradient.shape)}", allowed=f"{wanted}, as in `basis` {tuple(basis.shape)}")
    own = basis.to(gradient).view(rows, d, -1)
    weights = torch.einsum("snd,nde->sne", gradient.reshape(-1, rows, d), own)
    tangential = torch.einsum("sne,nde->snd", weights, own).reshape(gradient.shape)
    return GradientSplit(tangential, gradient - tangential)


def _check_basis(basis: torch.Tensor) -> None:
    if basis.ndim not in {2, 3}:
        refuse("basis", f"has shape {tuple(basis.shape)}", allowed="(d, dim) or (N, d, dim)")
    gram = basis.transpose(-1, -2) @ basis
    if not bool((gram - torch.eye(basis.shape[-1]).to(gram)).abs().max() < 1e-3):
        refuse(
            "basis", "has columns that are not orthonormal", allowed="orthonormal columns", remedy="Take torch.linalg.qr(basis)[0]."
        )


def _ends_with(gradient: torch.Tensor, rows: int, d: int, *, shared: bool) -> bool:
    """True if trailing axes hold `d` numbers, preceded by an axis of `rows` (any length for a shared basis)."""
    size = 1
    for axis in range(gradient.ndim - 1, 0, -1):
        size *= gradient.shape[axis]
        if size == d and (shared or gradient.shape[axis - 1] == rows):
            return True
    return False


def orthogonal_to(basis: torch.Tensor) -> GradTransform:
    """A gradient transform for :func:`~holdfast.attacks.pgd` that leaves only what is off a subspace, the same for all inputs.

    Use it in L2, without a random start and away from the walls of the box: other projections lead back into the subspace.

    Parameters
    ----------
    basis : orthonormal columns (d, dim)

    Examples
    --------
    >>> orthogonal_to(torch.tensor([[1.0], [0.0]]))(torch.tensor([[3.0, 4.0]])).tolist()
    [[0.0, 4.0]]
    """
    if basis.ndim != 2:
        refuse("basis", f"has shape {tuple(basis.shape)}", allowed="(d, dim)", remedy="With a basis per input use ascend_off().")
    return lambda gradient: split_gradient(gradient, basis).orthogonal


def ascend_off(
    objective: InputObjective, x: torch.Tensor, threat: ThreatModel, *, basis: torch.Tensor, **settings: Any
) -> torch.Tensor:
    """:func:`~holdfast.attacks.ascend` among the perturbations that are orthogonal to the data.

    Parameters
    ----------
    objective, x : as in :func:`~holdfast.attacks.ascend`
    threat : an L2 ball, in which projections onto subspaces stay; perturbations that leave the box are shortened, to nothing
        where an input lies on a wall that they cross
    basis : of the tangent space, (d, dim) or (N, d, dim)
    settings : further arguments of :func:`~holdfast.attacks.ascend`

    Returns
    -------
    tensor (N, ...) with ``x_adv - x`` orthogonal to the columns of `basis`

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> x, first = torch.full((1, 2), 0.5), torch.tensor([[1.0], [0.0]])
    >>> (ascend_off(lambda x, rows: x.sum(1), x, ThreatModel("l2", 0.25), basis=first, steps=5) - x).tolist()
    [[0.0, 0.25]]
    """
    if threat.norm != "l2":
        refuse("norm", f"is {threat.norm!r}", allowed="l2: a projection onto a subspace may leave other balls")

    def off(delta: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return split_gradient(delta, basis if basis.ndim == 2 else basis[rows]).orthogonal

    everyone = torch.arange(len(x), device=x.device)
    adv = ascend(lambda inputs, rows: objective(x[rows] + off(inputs - x[rows], rows), rows), x, threat, **settings)
    delta = off(adv - x, everyone)
    low, high = threat.bounds
    room = torch.where(delta > 0, high - x, x - low) / delta.abs().clamp_min(torch.finfo(x.dtype).tiny)
    return x + delta * room.flatten(1).amin(1).clamp(0, 1).view(-1, *(1,) * (x.ndim - 1))
