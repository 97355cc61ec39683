"""Small networks for images, built under a seed: perceptron, three CNNs, residual networks; and normalisation as part of a network.

All take raw inputs in [0, 1] and give logits. Residual networks have the form for small images of K. He, X. Zhang, S. Ren and
J. Sun, *Deep residual learning for image recognition*, CVPR 2016, section 4.2 (arXiv:1512.03385).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.core.seeds import seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Normalized", "ResidualBlock", "ResidualNet", "conv_net", "lenet", "mlp", "resnet8", "resnet20", "tiny_cnn"]

Shortcut = Literal["pad", "projection"]


class Normalized(nn.Module):
    r"""A network that normalises its own input, so that attack sizes stay in units of the raw input.

    .. math:: f\left(\frac{x - m}{s}\right)

    Parameters
    ----------
    model : network that expects normalised inputs
    mean, std : one number, or one per channel (dimension 1 of the batch); std > 0

    Examples
    --------
    >>> net = Normalized(mlp(784), mean=0.1307, std=0.3081)
    >>> net(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: nn.Module, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        super().__init__()
        self.model = model
        for name, numbers in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.as_tensor(numbers, dtype=torch.get_default_dtype()).reshape(-1))
        if not bool((self.std > 0).all()):
            refuse("std", f"is {std}", allowed="positive numbers")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the raw batch `x` (N, C, ...)."""
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return self.model((x - self.mean.view(shape)) / self.std.view(shape))


def mlp(
    inputs: int,
    *,
    hidden: Sequence[int] = (200,),
    classes: int = 10,
    activation: Callable[[], nn.Module] = nn.ReLU,
    seed: int = 0,
) -> nn.Sequential:
    """Perceptron: flatten, then a linear layer and an activation per hidden width, then a linear layer.

    Parameters
    ----------
    inputs : numbers per example, e.g. 784
    hidden : widths of the hidden layers; empty gives a linear classifier
    classes : number of logits
    activation : makes one activation module
    seed : of the initial weights

    Examples
    --------
    >>> mlp(64, hidden=(32, 16))(torch.rand(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    """
    check_whole(inputs, "inputs", low=1)
    check_whole(classes, "classes", low=1)
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    width = inputs
    with seeded(seed):
        for place, units in enumerate(hidden, start=1):
            layers[f"fc{place}"] = nn.Linear(width, check_whole(units, "hidden", low=1))
            layers[f"act{place}"] = activation()
            width = units
        layers["head"] = nn.Linear(width, classes)
    return nn.Sequential(layers)


def tiny_cnn(*, channels: int = 1, size: int = 28, classes: int = 10, seed: int = 0) -> nn.Sequential:
    """Convolutional network with 52 k weights at 28 px: conv 8 (5x5, stride 2), conv 16 (3x3, stride 2), linear 64, linear.

    Trained on 4000 MNIST digits for 5 epochs it reaches about 95 % on test digits in a few seconds of one core.

    Parameters
    ----------
    channels, size : of the square images
    classes : number of logits
    seed : of the initial weights

    Examples
    --------
    >>> tiny_cnn(size=8)(torch.rand(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    """
    side = -(-check_whole(size, "size", low=4) // 4)
    with seeded(seed):
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, 8, 5, stride=2, padding=2),
                act1=nn.ReLU(),
                conv2=nn.Conv2d(8, 16, 3, stride=2, padding=1),
                act2=nn.ReLU(),
                flatten=nn.Flatten(),
                fc1=nn.Linear(16 * side * side, 64),
                act3=nn.ReLU(),
                head=nn.Linear(64, classes),
            )
        )


def lenet(*, channels: int = 1, size: int = 28, classes: int = 10, seed: int = 0) -> nn.Sequential:
    """LeNet-5 with ReLU and max pooling: conv 6, pool, conv 16, pool, linear 120, linear 84, linear.

    Source of the layout: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Proc. IEEE 86 (1998) 2278.

    Parameters
    ----------
    channels, size : of the square images, size >= 12
    classes : number of logits
    seed : of the initial weights

    Examples
    --------
    >>> sum(p.numel() for p in lenet().parameters())
    61706
    """
    side = (check_whole(size, "size", low=12) // 2 - 4) // 2
    with seeded(seed):
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, 6, 5, padding=2),
                act1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(6, 16, 5),
                act2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                fc1=nn.Linear(16 * side * side, 120),
                act3=nn.ReLU(),
                fc2=nn.Linear(120, 84),
                act4=nn.ReLU(),
                head=nn.Linear(84, classes),
            )
        )


def conv_net(
    widths: Sequence[int] = (16, 32, 32, 64),
    strides: Sequence[int] = (2, 1, 2, 1),
    *,
    channels: int = 1,
    classes: int = 10,
    pool: int = 4,
    seed: int = 0,
) -> nn.Sequential:
    """Convolutional network with batch normalisation: ``block1``, ``block2``, ... of 3x3 convolution, norm and ReLU, then a linear
    layer on averages over ``pool`` x ``pool`` parts of the image.

    Parameters
    ----------
    widths, strides : channels and stride of each block
    channels : of the images (any size, square or not)
    classes : number of logits
    pool : parts per side
    seed : of the initial weights

    Examples
    --------
    >>> conv_net((8, 16), (2, 2), channels=3, classes=5)(torch.rand(2, 3, 32, 24)).shape
    torch.Size([2, 5])
    """
    if len(widths) != len(strides) or not widths:
        refuse("strides", f"has {len(strides)} entries for {len(widths)} widths", allowed="one per block, at least one block")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = channels
    with seeded(seed):
        for place, (width, stride) in enumerate(zip(widths, strides, strict=True), start=1):
            conv = nn.Conv2d(inputs, check_whole(width, "widths", low=1), 3, stride=stride, padding=1, bias=False)
            layers[f"block{place}"] = nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(width), act=nn.ReLU()))
            inputs = width
        layers |= {"pool": nn.AdaptiveAvgPool2d(pool), "flatten": nn.Flatten()}
        layers["head"] = nn.Linear(inputs * pool * pool, classes)
    return nn.Sequential(layers)


class _PadShortcut(nn.Module):
    """Every second pixel, and zeros for the channels that are new (option A of the source)."""

    def __init__(self, extra: int, stride: int) -> None:
        super().__init__()
        self.extra, self.stride = extra, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation, added to the input: ``act2(bn2(conv2(act1(bn1(conv1 x)))) + shortcut x)``.

    Parameters
    ----------
    channels, width : of the input and of the output
    stride : of the first convolution and of the shortcut
    shortcut : where the shape changes, ``"pad"`` (option A: subsampling and zeros, no weights) or ``"projection"`` (option B:
        1x1 convolution with batch normalisation)
    """

    def __init__(self, channels: int, width: int, *, stride: int = 1, shortcut: Shortcut = "pad") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.act2 = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != width:
            self.shortcut = (
                _PadShortcut(width - channels, stride)
                if shortcut == "pad"
                else nn.Sequential(nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (N, width, H/stride, W/stride) of `x` (N, channels, H, W)."""
        y = self.act1(self.bn1(self.conv1(x)))
        return self.act2(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResidualNet(nn.Module):
    """Residual network for small images with ``6 * blocks + 2`` weighted layers: three stages of widths w, 2w, 4w, strides 1, 2, 2.

    Parameters
    ----------
    blocks : residual blocks per stage
    channels : of the images (any size from 4 px on)
    classes : number of logits
    width : w, channels of the first stage
    shortcut : ``"pad"`` (option A) or ``"projection"`` (option B), as in :class:`ResidualBlock`
    seed : of the initial weights (He normal over the fan out for convolutions)
    """

    def __init__(
        self,
        blocks: int,
        *,
        channels: int = 3,
        classes: int = 10,
        width: int = 16,
        shortcut: Shortcut = "pad",
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_whole(blocks, "blocks", low=1)
        check_one_of(shortcut, "shortcut", allowed=("pad", "projection"))
        with seeded(seed):
            self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.act1 = nn.ReLU()
            self.layer1 = _stage(blocks, width, width, stride=1, shortcut=shortcut)
            self.layer2 = _stage(blocks, width, 2 * width, stride=2, shortcut=shortcut)
            self.layer3 = _stage(blocks, 2 * width, 4 * width, stride=2, shortcut=shortcut)
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.head = nn.Linear(4 * width, classes)
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of the images `x` (N, channels, H, W)."""
        x = self.act1(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.head(self.pool(x).flatten(1))


def _stage(blocks: int, channels: int, width: int, *, stride: int, shortcut: Shortcut) -> nn.Sequential:
    first = ResidualBlock(channels, width, stride=stride, shortcut=shortcut)
    return nn.Sequential(first, *(ResidualBlock(width, width, shortcut=shortcut) for _ in range(blocks - 1)))


def resnet8(*, channels: int = 3, classes: int = 10, width: int = 16, shortcut: Shortcut = "pad", seed: int = 0) -> ResidualNet:
    """:class:`ResidualNet` with one block per stage."""
    return ResidualNet(1, channels=channels, classes=classes, width=width, shortcut=shortcut, seed=seed)


def resnet20(*, channels: int = 3, classes: int = 10, width: int = 16, shortcut: Shortcut = "pad", seed: int = 0) -> ResidualNet:
    """:class:`ResidualNet` with three blocks per stage; 0.27 M parameters with the defaults, as in the source's Table 6."""
    return ResidualNet(3, channels=channels, classes=classes, width=width, shortcut=shortcut, seed=seed)
