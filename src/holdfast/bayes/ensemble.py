"""Deep ensembles: networks trained from different starts, taken as samples of a posterior.

Source: B. Lakshminarayanan, A. Pritzel and C. Blundell, arXiv:1612.01474. They are samples of no posterior in particular. Weights
that act where no data are keep the values that they began with under gradient descent, which moves weights along the data alone;
Adam scales each coordinate by itself, leaves the data's subspace, and moves all members to the same side.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.bayes.posterior import Posterior
from holdfast.core.checks import check_whole
from holdfast.core.seeds import Seeds
from holdfast.nets import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from holdfast.data.examples import Examples

__all__ = ["ensemble", "train_ensemble"]


def ensemble(models: Sequence[nn.Module]) -> Posterior:
    """Trained networks of one form as samples of equal weight; running statistics of each are taken along.

    Raises
    ------
    InputError : no networks, networks of different forms, or modules in training mode

    Examples
    --------
    >>> from holdfast.nets import mlp
    >>> post = ensemble([mlp(4, classes=3, seed=seed).eval() for seed in range(5)])
    >>> len(post), post.chains, post.method
    (5, 5, 'ensemble')
    """
    members = Posterior.of_models(models, method="ensemble")
    return replace(members, chains=len(members))


def train_ensemble(
    make_net: Callable[[int], nn.Module], data: Examples, members: int = 10, *, seed: int = 0, **settings: Any
) -> Posterior:
    """Networks trained on the same data from different starts and in different orders, as samples of equal weight.

    Parameters
    ----------
    make_net : from a seed to an untrained network, e.g. ``lambda seed: mlp(784, seed=seed)``
    data : training data
    members : number of networks, >= 1
    seed : of the starts and the orders; member k does not depend on how many there are
    settings : of each training, as in :func:`~holdfast.nets.fit`

    Examples
    --------
    >>> import torch
    >>> from holdfast.data import Examples
    >>> from holdfast.nets import mlp
    >>> x = torch.rand(100, 2)
    >>> data = Examples(x, (x[:, 0] > 0.5).long())
    >>> len(train_ensemble(lambda seed: mlp(2, classes=2, seed=seed), data, 3, epochs=2, lr=0.01))
    3
    """
    seeds, models = Seeds(seed).child("ensemble"), []
    for member in range(check_whole(members, "members", low=1)):
        net = make_net(seeds.integer("start", member))
        fit(net, data, seed=seeds.integer("order", member), **settings)
        models.append(net)
    return ensemble(models)
