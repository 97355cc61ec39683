r"""Along the data and off them: tangent spaces, the two parts of a gradient, and attacks that leave the data's surface.

.. math:: g_{\parallel} = T T^\top g, \qquad g_\perp = g - g_{\parallel}

with T an orthonormal basis of the directions in which data vary near x. Where data fill only a part of the input space, a
likelihood does not depend on weights that act on :math:`g_\perp`: their posterior is their prior, and under a symmetric prior the
posterior mean of :math:`g_\perp` is zero. Source of the argument: G. Carbone et al., arXiv:2002.04359, section 3.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from holdfast.attacks import input_gradient
from holdfast.attacks.projection import lengthened
from holdfast.attacks.threat import per_example
from holdfast.core.checks import check_finite, check_whole, refuse

if TYPE_CHECKING:
    from holdfast.attacks import ThreatModel
    from holdfast.attacks.ascent import InputObjective
    from holdfast.attacks.transforms import GradTransform

__all__ = ["GradientSplit", "ascend_off", "orthogonal_to", "split_gradient", "tangent_basis"]

TIGHT = 1e-12  # in units of the inputs: what is left along the data, near rounding in double precision
LOOSE = 1e-7  # more than this is not orthogonal
ROUNDS = 60


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
    near = torch.cdist(points, data, compute_mode="donot_use_mm_for_euclid_dist").topk(k, dim=1, largest=False).indices
    patches = data[near]
    patches = patches - patches.mean(1, keepdim=True)
    _, sizes, directions = torch.linalg.svd(patches.double(), full_matrices=False)
    rounding = torch.finfo(x_ref.dtype).eps * float(data.abs().max()) * (k**0.5 + data.shape[1] ** 0.5)
    flat = sizes[:, dim - 1] <= (1e-6 * sizes[:, 0]).clamp_min(rounding)
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
    objective: InputObjective,
    x: torch.Tensor,
    threat: ThreatModel,
    *,
    basis: torch.Tensor,
    steps: int = 10,
    step_size: float | torch.Tensor | None = None,
    batch_size: int = 500,
) -> torch.Tensor:
    """Inputs after `steps` steps up `objective` among the perturbations that are orthogonal to the data.

    Every step along the normalised gradient ends at the nearest perturbation that is orthogonal to the data and in the box (where a
    coordinate stops at a wall, the others make up for it), shortened to the ball.

    Parameters
    ----------
    objective, x, steps, step_size, batch_size : as in :func:`~holdfast.attacks.ascend`
    threat : an L2 ball, in which projections onto subspaces stay
    basis : of the tangent space, (d, dim) or (N, d, dim)

    Returns
    -------
    tensor (N, ...) with ``x_adv - x`` orthogonal to the columns of `basis`

    Warns
    -----
    UserWarning : some perturbations are exactly zero, though the ball is not

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> x, first = torch.full((1, 2), 0.5), torch.tensor([[1.0], [0.0]])
    >>> (ascend_off(lambda x, rows: x.sum(1), x, ThreatModel("l2", 0.25), basis=first, steps=5) - x).tolist()
    [[0.0, 0.25]]
    """
    if threat.norm != "l2":
        refuse("norm", f"is {threat.norm!r}", allowed="l2: a projection onto a subspace may leave other balls")
    _check_basis(basis)
    if basis.shape[-2] != x[0].numel() or (basis.ndim == 3 and len(basis) != len(x)):
        refuse("basis", f"has shape {tuple(basis.shape)}", allowed=f"(d, dim) or (N, d, dim) as in `x`, {tuple(x.shape)}")
    check_finite(x, "x")
    check_whole(batch_size, "batch_size", low=1)
    eps, own = threat.eps_per_example(x), basis.expand(len(x), *basis.shape[-2:])
    sizes = eps / check_whole(steps, "steps", low=1) if step_size is None else per_example(step_size, "step_size", x)
    parts = []
    for rows in torch.arange(len(x), device=x.device).split(batch_size):
        allowed, adv = _Allowed(x[rows], own[rows], threat=threat.of_rows(rows)), x[rows]
        for _ in range(steps):
            adv = allowed.step(adv, input_gradient(objective, adv, rows), sizes[rows])
        parts.append(adv)
    found = torch.cat(parts)
    _warn_of_rest(int(((found == x).flatten(1).all(1) & (eps > 0)).sum()), len(x))
    return found


def _warn_of_rest(still: int, examples: int) -> None:
    """Warn on behalf of the caller's caller."""
    if still:
        warnings.warn(
            f"The perturbation of {still} of {examples} inputs is exactly zero, which proves no robustness: the objective "
            "has no gradient off the data there, or the walls of the box leave no way. Widen `bounds` or lower `dim` of the basis.",
            UserWarning,
            stacklevel=3,
        )


class _Allowed:
    """Perturbations of inputs (n, ...) that are orthogonal to bases (n, d, dim) and stay in ball and box."""

    def __init__(self, x: torch.Tensor, basis: torch.Tensor, *, threat: ThreatModel) -> None:
        mask = torch.ones_like(x[0]) if threat.mask is None else threat.mask.to(x).expand_as(x[0])
        self.x, self.bounds, free = x, threat.bounds, mask.flatten().bool()
        flat = x.flatten(1).double()
        self.low, self.high = ((wall - flat) * free for wall in threat.bounds)
        self.basis, self.eps = basis.double(), threat.eps_per_example(x).double()[:, None]

    def step(self, adv: torch.Tensor, gradient: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        """Inputs after a step of these lengths along gradients, projected."""
        off = split_gradient(gradient.nan_to_num(0.0, 0.0, 0.0), self.basis.to(gradient)).orthogonal.flatten(1)
        delta = adv - self.x + lengthened(off, sizes, "l2").view_as(adv)
        near, found = self.nearest(delta)
        return torch.where(found.view(-1, *(1,) * (adv.ndim - 1)), (self.x + near).clamp(*self.bounds), adv)

    def nearest(self, delta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        r"""The nearest point (n, ...) to `delta` off the subspaces and in the box, and whether it was found (n,).

        Where it leaves the ball it is shortened. It is :math:`\mathrm{clamp}(\delta - T\lambda)` with multipliers at which
        :math:`T^\top \mathrm{clamp}(\delta - T\lambda)` is zero: a concave problem in few variables, by Newton steps, or by
        gradient steps of length one where these get no nearer.
        """
        flat = delta.flatten(1).double()
        multipliers = torch.einsum("nd,nde->ne", flat, self.basis)
        found, slope = self._at(flat, multipliers)
        for _ in range(ROUNDS):
            if bool((slope.abs() <= TIGHT).all()):
                break
            free = self.basis * ((found > self.low) & (found < self.high))[..., None]
            newton = (torch.linalg.pinv(free.mT @ free, rtol=TIGHT, hermitian=True) @ slope[..., None])[..., 0]
            best, step = slope.norm(dim=1, keepdim=True), slope
            for share in (1.0, 0.5, 0.2):
                left = self._at(flat, multipliers + share * newton)[1].norm(dim=1, keepdim=True)
                best, step = torch.minimum(left, best), torch.where(left < best, share * newton, step)
            multipliers = multipliers + step
            found, slope = self._at(flat, multipliers)
        length = torch.linalg.vector_norm(found, dim=1, keepdim=True)
        found = found * (self.eps / length.clamp_min(TIGHT)).clamp_max(1.0)
        return found.to(delta.dtype).view_as(delta), (slope.abs() <= LOOSE).all(1)

    def _at(self, flat: torch.Tensor, multipliers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = (flat - torch.einsum("nde,ne->nd", self.basis, multipliers)).clamp(self.low, self.high)
        return found, torch.einsum("nd,nde->ne", found, self.basis)
