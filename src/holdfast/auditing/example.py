"""What is audited when the user names nothing: a small network on scikit-learn's digits, trained here in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.data import load_images
from holdfast.nets import fit, tiny_cnn

if TYPE_CHECKING:
    from torch import nn

    from holdfast.data import Examples

__all__ = ["example_network"]


def example_network(*, seed: int = 0) -> tuple[nn.Module, Examples]:
    """A trained :func:`holdfast.nets.tiny_cnn` and the test half of the digits, 8 x 8 pixels, nothing to download."""
    train, test = load_images("digits", split="train"), load_images("digits", split="test")
    network = tiny_cnn(channels=1, size=8, classes=10, seed=seed)
    fit(network, train, epochs=30, lr=5e-3, batch_size=64, seed=seed)
    return network, test
