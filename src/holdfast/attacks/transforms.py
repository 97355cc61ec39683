r"""What lets a gradient carry over to another network: views of the input, smoothing, momentum.

Compose them: ``pgd(..., momentum=1.0, random_start=False, input_transforms=[resized(), scaled()], grad_transform=[smoothed()])``.

Sources: Y. Dong et al., arXiv:1710.06081 (momentum, "MI"); C. Xie et al., arXiv:1803.06978 (diverse inputs, "DI");
Y. Dong et al., arXiv:1904.02884 (translation invariance, "TI"); J. Lin et al., arXiv:1908.06281 (scale invariance, "SI").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from holdfast.attacks.active import ActiveSet
from holdfast.attacks.projection import perturbation_norm
from holdfast.core.checks import check_whole, check_within, refuse

__all__ = ["Direction", "GradTransform", "InputTransform", "cleaned", "resized", "scaled", "smoothed"]

InputTransform = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
GradTransform = Callable[[torch.Tensor], torch.Tensor]


def scaled(copies: int = 5) -> InputTransform:
    r"""An input transform that shows :math:`x / 2^i` for i = 0 ... `copies` - 1 (SI; five in the source).

    Examples
    --------
    >>> scaled(2)(torch.ones(1, 1), torch.Generator()).flatten().tolist()
    [1.0, 0.5]
    """
    check_whole(copies, "copies", low=1)

    def transform(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        del generator
        return torch.cat([x / 2**power for power in range(copies)])

    return transform


def resized(largest: float = 1.1, *, probability: float = 0.5) -> InputTransform:
    """An input transform that enlarges images by a random factor, pads them at a random place, and resizes the result back (DI).

    The whole batch is drawn alike at each call, as in the source.

    Parameters
    ----------
    largest : largest factor by which the canvas exceeds the image, > 1
    probability : with which a batch is changed at all, in [0, 1]
    """
    check_within(largest, "largest", low=1.0, low_open=True)
    check_within(probability, "probability", low=0.0, high=1.0)

    def transform(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        if x.ndim != 4:
            refuse("x", f"has shape {tuple(x.shape)}", allowed="images (N, channels, height, width) for resized()")
        if float(torch.rand((), generator=generator, device=generator.device)) >= probability:
            return x
        height, width = x.shape[2:]
        canvas = (max(height + 1, round(largest * height)), max(width + 1, round(largest * width)))
        side = _between(height, canvas[0], generator)
        size = (side, min(canvas[1], round(width * side / height)))  # both sides by one factor, as in the source
        top, left = (_between(0, room - taken, generator) for room, taken in zip(canvas, size, strict=True))
        image = nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)
        image = nn.functional.pad(image, (left, canvas[1] - size[1] - left, top, canvas[0] - size[0] - top))
        return nn.functional.interpolate(image, size=(height, width), mode="bilinear", align_corners=False)

    return transform


def _between(low: int, high: int, generator: torch.Generator) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator, device=generator.device))


def smoothed(size: int = 5, *, sigma: float = 1.0) -> GradTransform:
    """A gradient transform that convolves each channel with a Gaussian, as an average over shifts would (TI).

    Parameters
    ----------
    size : side of the kernel in pixels, odd; 15 in the source's 299-pixel images, 5 to 7 suit images of 28 to 32 pixels
    sigma : standard deviation in pixels, > 0; ``(size - 1) / 6`` is the source's ratio for its 15 pixels
    """
    if check_whole(size, "size", low=1) % 2 == 0:
        refuse("size", f"is {size}", allowed="odd whole numbers")
    check_within(sigma, "sigma", low=0.0, low_open=True)

    def transform(gradient: torch.Tensor) -> torch.Tensor:
        if gradient.ndim != 4:
            refuse("x", f"has shape {tuple(gradient.shape)}", allowed="images (N, channels, height, width) for smoothed()")
        place = torch.arange(size, dtype=gradient.dtype, device=gradient.device) - size // 2
        bell = (-0.5 * (place / sigma) ** 2).exp()
        bell = bell / bell.sum()
        channels = gradient.shape[1]
        for axis in (2, 3):  # a Gaussian is separable
            shape, padding = [1, 1, 1, 1], [0, 0]
            shape[axis], padding[axis - 2] = size, size // 2
            kernel = bell.view(shape).expand(channels, 1, *shape[2:])
            gradient = nn.functional.conv2d(gradient, kernel, padding=padding, groups=channels)
        return gradient

    return transform


def cleaned(gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The gradient (n, ...), zero where it is not finite, and which rows (n,) are blind (all zero or not finite) or None."""
    length = perturbation_norm(gradient, "l2")
    if bool(((length > 0) & length.isfinite()).all()):  # a cheap look: its squares may underflow or overflow
        return gradient, None
    peak = perturbation_norm(gradient, "linf")
    return gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0), ~((peak > 0) & peak.isfinite())


class Direction(ActiveSet):
    """Turns gradients (n, ...) into directions: transforms one after another, then momentum ``g <- mu g + grad / mean|grad|``.

    Parameters
    ----------
    momentum : mu, >= 0; 0 takes the gradient itself
    transforms : ``gradient -> gradient``
    """

    def __init__(self, momentum: float, transforms: Sequence[GradTransform] = ()) -> None:
        self.momentum, self.transforms = momentum, transforms
        self.velocity: torch.Tensor | None = None

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        """The direction for this step's gradient."""
        for transform in self.transforms:
            gradient = transform(gradient)
        if not self.momentum:
            return gradient
        mean = gradient.abs().flatten(1).mean(1).clamp_min(torch.finfo(gradient.dtype).tiny)
        step = gradient / mean.view(-1, *(1,) * (gradient.ndim - 1))
        self.velocity = step if self.velocity is None else self.velocity.mul_(self.momentum).add_(step)
        return self.velocity
