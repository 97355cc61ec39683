"""Which layers an attack should push, found between two networks of the attacker; the victim is not used.

Source of the greedy search: N. Inkawhich et al., arXiv:2004.14861. Both networks have the source classes, but were trained apart:
the attack is made on the first, towards random wrong classes, and judged by the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.transfer.correspondence import Proxies
from holdfast.attacks.transfer.proxy import proxy_attack
from holdfast.core.checks import check_same_length, refuse
from holdfast.core.estimate import Estimate, proportion
from holdfast.core.seeds import Seeds
from holdfast.core.target import predicted_classes
from holdfast.nets import predict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from holdfast.attacks.threat import ThreatModel
    from holdfast.attacks.transfer.heads import FeatureHeads
    from holdfast.data.examples import Examples

__all__ = ["LayerSelection", "select_layers"]


@dataclass(frozen=True, kw_only=True)
class LayerSelection:
    """The layers that were chosen, and how each set that was tried did on the second network.

    Parameters
    ----------
    layers : chosen, in the order of the choice
    alone : targeted success of each layer by itself
    path : targeted success of the chosen layers as the set grew, one per layer
    """

    layers: tuple[str, ...]
    alone: Mapping[str, Estimate]
    path: tuple[Estimate, ...]


def select_layers(
    model: nn.Module,
    second: nn.Module,
    examples: Examples,
    threat: ThreatModel,
    *,
    heads: FeatureHeads,
    layers: Sequence[str] | None = None,
    most: int | None = None,
    seed: int = 0,
    **attack: Any,
) -> LayerSelection:
    """Layers added one at a time, each time the one that carries the attack over best, until none adds anything.

    Parameters
    ----------
    model : white box on which the attack is made
    second : another network of the same classes on which it is judged
    examples : labelled images of these classes that neither was trained on
    threat : norm, radius, box
    heads : of the layers of `model`
    layers : candidates, default all with heads
    most : layers at most, default all
    seed : of the wrong classes that are aimed at
    attack : further settings of :func:`proxy_attack` (steps, momentum); the method is ``"fda-n"``

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.attacks.transfer import FeatureHeads
    >>> from holdfast.data import Examples
    >>> from holdfast.nets import conv_net
    >>> data = Examples(torch.rand(40, 1, 8, 8), torch.arange(40) % 2)
    >>> one, two = conv_net(classes=2, seed=1).eval(), conv_net(classes=2, seed=2).eval()
    >>> heads = FeatureHeads.fit(one, data, ["block2", "block4"], epochs=1)
    >>> found = select_layers(one, two, data, ThreatModel("linf", 0.1), heads=heads, steps=2)
    >>> sorted(found.alone), len(found.layers) == len(found.path)
    (['block2', 'block4'], True)
    """
    check_same_length(examples.x, examples.y)
    candidates = heads.check_layers(layers)
    if heads.classes < 2:
        refuse("heads", "have one class", allowed="at least two")
    hop = torch.from_numpy(Seeds(seed).numpy("aims").integers(1, heads.classes, size=len(examples)))
    goals = (examples.y + hop.to(examples.y.device)) % heads.classes

    def carries(chosen: tuple[str, ...]) -> Estimate:
        settings = {"method": "fda-n", "heads": heads, "layers": chosen, **attack}
        x_adv = proxy_attack(model, examples.x, goals, Proxies.single(goals), threat, **settings).x_adv
        return proportion(int((predicted_classes(predict(second, x_adv)) == goals).sum()), len(goals))

    alone = {name: carries((name,)) for name in candidates}
    first = max(alone, key=lambda name: alone[name].value)
    chosen: tuple[str, ...] = (first,)
    path = [alone[first]]
    while len(chosen) < min(len(candidates), most or len(candidates)):
        tried = {name: carries((*chosen, name)) for name in candidates if name not in chosen}
        best = max(tried, key=lambda name: tried[name].value)
        if tried[best].value <= path[-1].value:
            break
        chosen, path = (*chosen, best), [*path, tried[best]]
    return LayerSelection(layers=chosen, alone=alone, path=tuple(path))
