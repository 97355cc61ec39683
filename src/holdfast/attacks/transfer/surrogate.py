"""A network of one's own that imitates a victim: an attacker can train it who may send queries and has no labels.

The victim is queried once about each of a number of unlabelled inputs, within its limit, and a small network learns its answers.
Inputs that fool it are then tried on the victim: ``pgd(twin, x, y, threat, early_stop=False)``, since an attack that ends where the
imitation is fooled ends too early for the original.

Source of the idea: N. Papernot et al., arXiv:1602.02697; of its growing data set nothing is done here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.core.checks import check_finite, check_whole, refuse
from holdfast.core.seeds import Seeds
from holdfast.core.target import Target, as_target
from holdfast.data.examples import Examples
from holdfast.nets import Normalized, conv_net, fit, mlp, predict

if TYPE_CHECKING:
    from holdfast.nets.augment import Augment

__all__ = ["MakeNet", "distil", "small_net"]

MakeNet = Callable[[tuple[int, ...], int, int], nn.Module]
LARGEST_SIDE = 64  # px; larger images are averaged down first, which keeps the gradient smooth


def distil(  # noqa: PLR0913 - each argument is a setting chosen by name
    victim: Target | Callable[[Any], Any],
    x: torch.Tensor,
    *,
    queries: int,
    make_net: MakeNet | None = None,
    epochs: int = 20,
    lr: float = 5e-3,
    batch_size: int = 64,
    augment: Augment | None = None,
    seed: int = 0,
) -> nn.Module:
    """A network with gradients that answers as `victim` does, as far as `queries` answers to unlabelled inputs can teach it.

    A victim with access ``"labels"`` teaches its classes, one with ``"scores"`` or more its probabilities.

    Parameters
    ----------
    victim : the network that is queried; its own limit of queries holds too
    x : unlabelled inputs (n, ...), floating point, inside the victim's bounds; a random part of them if there are more than
        queries. Those that are answered with NaN or infinity teach nothing
    queries : inputs that may be asked about at most, >= 1; each is asked about once
    make_net : from the shape of one input, the number of classes and a seed to a network; default :func:`small_net`
    epochs, lr, batch_size, augment : of the training, as in :func:`holdfast.nets.fit`
    seed : of the choice of inputs, of the initial weights and of the training

    Returns
    -------
    nn.Module from a batch (N, ...) to logits (N, classes), in evaluation mode, normalising its own input

    Raises
    ------
    InputError : no inputs, integers or NaN in them, no query allowed, answers that are not (n, classes), or all of them NaN

    Examples
    --------
    >>> judge = Target(model=lambda x: torch.stack([x[:, 0], x[:, 1]], 1), access="labels")
    >>> x = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    >>> twin = distil(judge, x, queries=100)
    >>> judge.queries.count, bool((twin(x).argmax(1) == judge.labels(x)).float().mean() > 0.9)
    (100, True)
    """
    target = as_target(victim)
    asked = _chosen(target, x, check_whole(queries, "queries", low=1), seed)
    answers = predict(target, asked, batch_size=1000)
    if answers.ndim == 1 and not answers.is_floating_point():  # labels
        answers = nn.functional.one_hot(answers.long()).float()
    if answers.ndim != 2 or len(answers) != len(asked):
        n = len(asked)
        refuse("victim", f"answers with shape {tuple(answers.shape)}", allowed=f"scores ({n}, classes) or whole labels ({n},)")
    finite = answers.isfinite().all(1)
    if not bool(finite.any()):
        refuse("victim", f"answers all {len(asked)} inputs with NaN or infinity", allowed="finite scores")
    asked, answers = asked[finite], answers[finite]
    lessons = answers.softmax(1) if target.allows("scores") else nn.functional.one_hot(answers.argmax(1), answers.shape[1]).float()
    if len(answers.argmax(1).unique()) == 1:
        warnings.warn(
            f"The victim gave one and the same class to all {len(asked)} inputs, so there is nothing to imitate. "
            "Send inputs that it distinguishes.",
            UserWarning,
            stacklevel=2,
        )
    seeds = Seeds(seed)
    net = (make_net or small_net)(tuple(asked.shape[1:]), answers.shape[1], seeds.integer("weights"))
    twin = Normalized(net, *_moments(asked)).to(asked.device)
    _teach(twin, asked, lessons, epochs=epochs, lr=lr, batch_size=batch_size, augment=augment, seed=seeds.integer("training"))
    return twin


def small_net(shape: tuple[int, ...], classes: int, seed: int) -> nn.Module:
    """A small network for inputs of `shape`: four convolutional blocks for images (C, H, W), a perceptron for anything else.

    Examples
    --------
    >>> small_net((20,), 3, 0)(torch.rand(2, 20)).shape, small_net((3, 224, 224), 5, 0)(torch.rand(1, 3, 224, 224)).shape
    (torch.Size([2, 3]), torch.Size([1, 5]))
    """
    if len(shape) != 3 or min(shape[1:]) < 4:
        return mlp(int(torch.Size(shape).numel()), hidden=(128, 64), classes=classes, seed=seed)
    net = conv_net(channels=shape[0], classes=classes, seed=seed)
    return net if max(shape[1:]) <= LARGEST_SIDE else nn.Sequential(nn.AdaptiveAvgPool2d(LARGEST_SIDE), net)


def _chosen(target: Target, x: torch.Tensor, queries: int, seed: int) -> torch.Tensor:
    """The inputs of the queries: all, or a random part as large as the limit."""
    if len(x) == 0:
        refuse("x", "is empty", allowed="at least one input")
    if not x.is_floating_point():
        refuse("x", f"has dtype {x.dtype}", allowed="floating point", remedy="Convert images with x.float() / 255.")
    check_finite(x, "x")
    left = target.answers_left
    allowed = queries if left is None else min(queries, left)
    if allowed < 1:
        refuse("victim", "has no queries left", allowed="at least one", remedy="Raise its limit.")
    if allowed >= len(x):
        return x
    rows = Seeds(seed).numpy("asked").permutation(len(x))[:allowed]
    return x[torch.from_numpy(rows).to(x.device)]


def _moments(x: torch.Tensor) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel (dimension 1), the latter 1 where nothing varies."""
    columns = x.transpose(0, 1).flatten(1).double()
    std = columns.std(1, unbiased=False)
    return columns.mean(1).tolist(), torch.where(std > 0, std, 1.0).tolist()


def _teach(twin: nn.Module, x: torch.Tensor, lessons: torch.Tensor, **settings: Any) -> None:
    """Train `twin` on rows of `lessons` (n, classes), probabilities; the training loop carries row numbers as labels."""

    def look_up(
        model: nn.Module, inputs: torch.Tensor, rows: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        del model, generator
        return inputs, lessons.to(inputs)[rows]

    fit(twin, Examples(x, torch.arange(len(x), device=x.device), classes=len(x)), on_batch=look_up, **settings)
