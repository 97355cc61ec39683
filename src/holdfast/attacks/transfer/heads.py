r"""How well a layer separates the classes: one small network per layer that reads its features.

For layer l of a frozen network a head gives each class its own probability :math:`p(y = c \mid h_l(x))`: average over parts of the
image, standardise, one hidden layer, independent sigmoids, trained with binary cross entropy. Sources: N. Inkawhich et al.,
arXiv:2004.12519 (one layer) and arXiv:2004.14861 (several); sizes and training are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.attacks.precision import at_least_single
from holdfast.core.checks import check_finite, check_same_length, check_whole, refuse
from holdfast.core.seeds import Seeds
from holdfast.core.target import answer
from holdfast.data.examples import Examples
from holdfast.nets import evaluating, fit, kept, recording, seeded, weights_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.core.experiment import Context

__all__ = ["FeatureHeads", "pooled"]

POOLING = {3: nn.functional.adaptive_avg_pool1d, 4: nn.functional.adaptive_avg_pool2d, 5: nn.functional.adaptive_avg_pool3d}


def pooled(feature: torch.Tensor, pool: int) -> torch.Tensor:
    """Features (N, width) of a layer's output: averages over `pool` parts per axis of an image (N, C, ...) or sequence (N, L, D).

    Examples
    --------
    >>> pooled(torch.rand(2, 8, 14, 14), 4).shape, pooled(torch.rand(2, 8), 4).shape
    (torch.Size([2, 128]), torch.Size([2, 8]))
    """
    if feature.ndim == 2:
        return feature
    if feature.ndim not in POOLING:
        refuse("layers", f"names one whose output has shape {tuple(feature.shape)}", allowed="outputs with 2 to 5 axes")
    grid = feature.transpose(1, 2) if feature.ndim == 3 else feature
    averaged: torch.Tensor = POOLING[feature.ndim](grid, pool)
    return averaged.flatten(1)


class _Head(nn.Module):
    """Standardise, hidden layer, one logit per class."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, classes))

    def standardise(self, x: torch.Tensor) -> None:
        x = at_least_single(x)
        std = x.std(0, unbiased=False)
        self.mean.copy_(x.mean(0))
        self.scale.copy_(torch.where(std > 0, 1 / std.clamp_min(1e-12), 0.0))  # constant features carry no information

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers((x - self.mean) * self.scale)


class FeatureHeads(nn.Module):
    """Heads on the features of named layers. :meth:`fit` trains them; ``state_dict`` keeps them.

    Parameters
    ----------
    widths : number of pooled features of each layer, by its name
    classes : of the source
    pool : parts per side over which features are averaged
    hidden : units of each head
    seed : of the initial weights

    Examples
    --------
    >>> from holdfast.nets import conv_net
    >>> data = Examples(torch.rand(40, 1, 8, 8), torch.arange(40) % 2)
    >>> heads = FeatureHeads.fit(conv_net(classes=2), data, ["block2", "block4"], epochs=1)
    >>> heads.layers
    ('block2', 'block4')
    """

    def __init__(self, widths: Mapping[str, int], *, classes: int, pool: int = 4, hidden: int = 64, seed: int = 0) -> None:
        super().__init__()
        check_whole(classes, "classes", low=2)
        self.layers, self.classes, self.pool = tuple(widths), classes, check_whole(pool, "pool", low=1)
        with seeded(seed):
            self.heads = nn.ModuleList(_Head(width, check_whole(hidden, "hidden", low=1), classes) for width in widths.values())

    @classmethod
    def blank(
        cls,
        model: nn.Module,
        x: torch.Tensor,
        layers: Sequence[str],
        *,
        classes: int,
        pool: int = 4,
        hidden: int = 64,
        seed: int = 0,
    ) -> FeatureHeads:
        """Untrained heads of the right widths for `layers` of `model`, found with the inputs `x` (n, ...)."""
        widths = {name: feature.shape[1] for name, feature in _features(model, x[:2], layers, pool).items()}
        return cls(widths, classes=classes, pool=pool, hidden=hidden, seed=seed)

    @classmethod
    def fit(  # noqa: PLR0913 - each argument is a setting chosen by name
        cls,
        model: nn.Module,
        examples: Examples,
        layers: Sequence[str],
        *,
        pool: int = 4,
        hidden: int = 64,
        epochs: int = 3,
        lr: float = 2e-3,
        batch_size: int = 100,
        seed: int = 0,
    ) -> FeatureHeads:
        """Heads trained on the features that `model`, frozen, has of `examples`.

        Parameters
        ----------
        model : white box; left as it was
        examples : labelled images of its classes
        layers : module names, at least one
        pool, hidden : as in :class:`FeatureHeads`
        epochs, lr, batch_size : of the training with Adam
        seed : of weights and order

        Raises
        ------
        InputError : an unknown layer (the message lists the names), a layer that is not called or gives no tensor, NaN features
        """
        check_same_length(examples.x, examples.y)
        seeds = Seeds(seed)
        found = _features(model, examples.x, layers, pool)
        widths = {name: feature.shape[1] for name, feature in found.items()}
        heads = cls(widths, classes=examples.classes, pool=pool, hidden=hidden, seed=seeds.integer("weights")).to(examples.x.device)

        def loss(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return nn.functional.binary_cross_entropy_with_logits(logits, nn.functional.one_hot(y, examples.classes).to(logits))

        for place, (name, head) in enumerate(zip(heads.layers, heads.heads, strict=True)):
            check_finite(found[name], f"features of {name}")
            assert isinstance(head, _Head), "made above"
            head.standardise(found[name])
            lessons = Examples(found[name], examples.y, classes=examples.classes)
            shuffle = seeds.integer("training", place)
            fit(head, lessons, epochs=epochs, lr=lr, batch_size=batch_size, schedule="constant", loss=loss, seed=shuffle)
        return heads.requires_grad_(requires_grad=False)

    @classmethod
    def kept(
        cls, context: Context, model: nn.Module, examples: Examples, layers: Sequence[str], *, seed: int = 0, **settings: Any
    ) -> FeatureHeads:
        """The heads of :meth:`fit`, trained by the first process that asks and kept by the context's memo.

        Parameters
        ----------
        context : of the point
        model, examples, layers, seed, settings : as in :meth:`fit`; model and examples are known by their digests
        """
        sizes = {name: settings[name] for name in ("pool", "hidden") if name in settings}

        def make_net() -> FeatureHeads:
            return cls.blank(model, examples.x, layers, classes=examples.classes, **sizes)

        def train(blank: FeatureHeads, **known: Any) -> None:
            del known["model"], known["examples"]
            blank.load_state_dict(cls.fit(model, examples, **known).state_dict())

        key = {"model": weights_digest(model), "examples": examples.digest, "layers": list(layers), "seed": seed}
        return kept(context, make_net, train, **key, **settings).requires_grad_(requires_grad=False)

    def forward(self, found: Mapping[str, torch.Tensor], layers: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """Logits (N, classes) of each layer from the recorded outputs of the layers."""
        chosen = self.layers if layers is None else layers
        return {name: self.heads[self.layers.index(name)](pooled(found[name], self.pool)) for name in chosen}

    def check_layers(self, layers: Sequence[str] | None) -> tuple[str, ...]:
        """`layers` if each has a head, by default all; refused otherwise."""
        chosen = self.layers if layers is None else tuple(layers)
        unknown = [name for name in chosen if name not in self.layers]
        if unknown or not chosen or len(set(chosen)) != len(chosen):
            refuse("layers", f"is {list(chosen)}", allowed=f"distinct layers that have heads: {', '.join(self.layers)}")
        return chosen


@torch.no_grad()
def _features(model: nn.Module, x: torch.Tensor, layers: Sequence[str], pool: int) -> dict[str, torch.Tensor]:
    """Pooled features (n, width) of all inputs, by layer."""
    if not layers or len(set(layers)) != len(layers):
        refuse("layers", f"is {list(layers)}", allowed="distinct module names, at least one")
    parts: dict[str, list[torch.Tensor]] = {name: [] for name in layers}
    with evaluating(model), recording(model, layers) as found:
        for batch in x.split(500):
            answer(model, batch)
            for name in layers:
                if not isinstance(found.get(name), torch.Tensor):
                    refuse(
                        "layers", f"names {name!r}, which gives no tensor in a forward pass", allowed="layers that give one tensor"
                    )
                parts[name].append(pooled(found[name], pool))
    return {name: torch.cat(some) for name, some in parts.items()}
