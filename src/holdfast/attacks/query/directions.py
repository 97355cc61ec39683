"""Random directions along which a query attack asks, in the whole input or among slow variations of an image only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from holdfast.attacks.projection import levelled
from holdfast.core.checks import check_whole, refuse

if TYPE_CHECKING:
    from holdfast.attacks.threat import ThreatModel

__all__ = ["Directions", "unit"]


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """`vectors` (..., D) at length 1; zero stays zero."""
    level = levelled(vectors.reshape(-1, vectors.shape[-1])).view_as(vectors)
    length = torch.linalg.vector_norm(level, dim=-1, keepdim=True)
    return level / length.clamp_min(torch.finfo(vectors.dtype).tiny)


class Directions:
    """Draws flattened unit vectors (n, k, D) for inputs like `x` that change nothing where the mask forbids it.

    Parameters
    ----------
    x : examples (N, ...)
    threat : whose mask is kept
    subspace : None, or the side of a coarse grid: directions are drawn on it and repeated over the blocks of the image (nearest
        neighbour), arXiv:1906.06919, section 3.3
    generator : of the draws
    """

    def __init__(self, x: torch.Tensor, threat: ThreatModel, *, subspace: int | None, generator: torch.Generator) -> None:
        self.shape, self.like, self.subspace, self.generator = tuple(x.shape[1:]), x, subspace, generator
        self.movable = torch.ones_like(x[:1]).flatten(1)
        if threat.mask is not None:
            self.movable = threat.mask.to(device=x.device, dtype=torch.bool).expand_as(x[:1]).to(x.dtype).flatten(1)
        if subspace is None:
            self.dimension = int(self.movable.sum())
            return
        if x.ndim != 4:
            refuse("subspace", f"is {subspace} for inputs of shape {self.shape}", allowed="images (N, channels, height, width)")
        check_whole(subspace, "subspace", low=1, high=min(self.shape[1:]))
        self.dimension = max(1, round(self.shape[0] * subspace**2 * float(self.movable.mean())))

    def draw(self, examples: int, count: int, *, cube: bool = False) -> torch.Tensor:
        """Unit vectors (examples, count, D), uniform on the sphere of the subspace; those of points uniform in a cube if `cube`."""
        whole = self.shape if self.subspace is None else (self.shape[0], self.subspace, self.subspace)
        sampler = torch.rand if cube else torch.randn
        noise = sampler(examples * count, *whole, generator=self.generator, dtype=self.like.dtype, device=self.like.device)
        noise = 2 * noise - 1 if cube else noise
        if self.subspace is not None:
            noise = nn.functional.interpolate(noise, size=self.shape[1:], mode="nearest")
        return unit(noise.flatten(1) * self.movable).view(examples, count, -1)

    def share(self, vectors: torch.Tensor) -> torch.Tensor:
        """How much of the square of each of the unit `vectors` (n, D) lies in the subspace, (n,) from 0 to 1."""
        if self.subspace is None:
            return torch.ones(len(vectors), dtype=vectors.dtype, device=vectors.device)
        size = (self.subspace, self.subspace)
        image = vectors.view(-1, *self.shape)
        coarse = nn.functional.interpolate(nn.functional.adaptive_avg_pool2d(image, size), size=self.shape[1:], mode="nearest")
        return coarse.flatten(1).square().sum(1).clamp_max(1)

    def frame(self, known: torch.Tensor, count: int) -> torch.Tensor:
        """Orthonormal vectors (n, count, D): first the `known` ones (n, m, D) made orthogonal one after another, then random ones.

        A known vector that is zero gives its place to a random one.
        """
        if count > self.dimension:
            refuse("samples", f"is {count}", allowed=f"1 to {self.dimension}, the dimensions in which orthogonal directions fit")
        examples, given = known.shape[:2]
        drawn = self.draw(examples, count)
        drawn[:, :given] = torch.where(known.abs().amax(2, keepdim=True) > 0, known, drawn[:, :given])
        frame, triangle = torch.linalg.qr(drawn.mT)
        turned = torch.where(triangle.diagonal(dim1=1, dim2=2) < 0, -1.0, 1.0).to(frame.dtype)  # a known vector keeps its sense
        return (frame * turned[:, None]).mT
