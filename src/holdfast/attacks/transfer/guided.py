"""Attacks by queries that networks of one's own lead: the attack on a white box as a guess at the victim's gradient.

Sources: N. Inkawhich et al., arXiv:2103.09916 (a transfer attack as the prior); S. Cheng et al., arXiv:1906.06919 (P-RGF);
F. Meier et al., arXiv:1910.05268 (the last estimate as a direction). Averages of guesses, directions that span and starts are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from holdfast.attacks.query import averaged, p_rgf, rgf
from holdfast.attacks.transfer.proxy import attack_prior, proxy_attack, spanning_priors
from holdfast.attacks.transforms import smoothed
from holdfast.core.checks import check_one_of, check_whole, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from torch import nn

    from holdfast.attacks.query import EstimatedResult, Prior
    from holdfast.attacks.threat import ThreatModel
    from holdfast.attacks.transfer.correspondence import CorrespondenceMatrix, Proxies
    from holdfast.attacks.transfer.heads import FeatureHeads
    from holdfast.data.examples import Examples

__all__ = ["GUIDES", "Guide", "guided_attack"]


@dataclass(frozen=True, kw_only=True)
class Guide:
    """What leads an attack along estimated gradients.

    Parameters
    ----------
    white_boxes : how many networks lead, >= 0
    prior : ``"none"``; ``"proxy"``, the gradient of each white box towards the proxies; ``"span"``, that towards each class in each
        layer
    top_k : proxies of each target
    smooth : side in pixels of the kernel that smooths the guess, odd; 0: none
    inside : whether what leads out of ball and box is left out of the guess
    orthogonal : orthonormal directions, the last estimate and the guesses among them, instead of directions that lean to the guess
    coarse : random directions on a grid of half the image's side
    start : whether the attack begins at the images that the attack on the first white box gives
    """

    white_boxes: int = 0
    prior: Literal["none", "proxy", "span"] = "none"
    top_k: int = 1
    smooth: int = 0
    inside: bool = False
    orthogonal: bool = False
    coarse: bool = False
    start: bool = False

    def __post_init__(self) -> None:
        check_one_of(self.prior, "prior", allowed=("none", "proxy", "span"))
        check_whole(self.top_k, "top_k", low=1)
        needed = self.prior != "none" or self.start
        check_whole(self.white_boxes, "white_boxes", low=int(needed), high=None if needed else 0)


_LED = Guide(white_boxes=1, prior="proxy")
_BETTER = Guide(white_boxes=2, prior="proxy", top_k=2, smooth=5, inside=True)
GUIDES: Mapping[str, Guide] = {
    "none": Guide(),
    "prior": _LED,
    "inside": replace(_LED, inside=True),
    "better": _BETTER,
    "coarse_none": Guide(coarse=True),
    "coarse_better": replace(_BETTER, coarse=True),
    "frame_none": Guide(orthogonal=True),
    "frame_better": replace(_BETTER, orthogonal=True),
    "frame_start": replace(_LED, orthogonal=True, start=True),
    "frame_span": Guide(white_boxes=1, prior="span", orthogonal=True, inside=True),
}
"""Guides by name: ``none`` goes without a prior, ``prior`` and ``inside`` are led by one gradient, ``better`` by two smoothed ones;
``coarse`` draws directions on a coarse grid, ``frame`` orthonormal ones."""


def guided_attack(
    victim: Any,
    white_boxes: Sequence[tuple[nn.Module, FeatureHeads]],
    examples: Examples,
    target_class: torch.Tensor,
    correspondence: CorrespondenceMatrix | Proxies,
    threat: ThreatModel,
    *,
    guide: Guide,
    **search: Any,
) -> EstimatedResult:
    """Climb towards the target classes along estimates of the victim's gradient, led as `guide` says.

    Parameters
    ----------
    victim : with scores
    white_boxes : networks of one's own with the heads of their layers, as many as the guide has
    examples : images of the victim's classes, labelled
    target_class : tensor (N,)
    correspondence : which source classes stand for the targets, or the proxies of each example
    threat : L-infinity
    guide : what leads
    search : further settings of :func:`~holdfast.attacks.query.p_rgf`: queries, samples, sigma, step_size, truth, seed

    Raises
    ------
    InputError : another number of white boxes; see :func:`~holdfast.attacks.query.p_rgf`

    Examples
    --------
    >>> import torch
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.attacks.transfer import CorrespondenceMatrix
    >>> from holdfast.data import Examples
    >>> from holdfast.nets import mlp
    >>> images, goals = Examples(torch.rand(10, 8), torch.zeros(10, dtype=torch.long), classes=3), torch.ones(10, dtype=torch.long)
    >>> at = (images, goals, CorrespondenceMatrix(C=torch.eye(3)), ThreatModel("linf", 0.2))
    >>> search = {"queries": 40, "samples": 4, "sigma": 1e-3}
    >>> found = guided_attack(mlp(8, classes=3), [], *at, guide=GUIDES["frame_none"], **search)
    >>> bool(found.queries.max() <= 40)
    True
    """
    if len(white_boxes) != guide.white_boxes:
        refuse("white_boxes", f"has {len(white_boxes)} networks", allowed=f"{guide.white_boxes}, as the guide says")
    x, aim = examples.x, (target_class, correspondence)
    settings: dict[str, Any] = {"target_class": target_class, "subspace": x.shape[-1] // 2 if guide.coarse else None, **search}
    if guide.orthogonal:
        settings |= {"estimator": "orthogonal", "memory": True}
    if guide.start:
        model, heads = white_boxes[0]
        settings["starts"] = proxy_attack(model, x, *aim, threat, top_k=guide.top_k, heads=heads).x_adv
    priors = [prior for box in white_boxes for prior in _priors(*box, x, *aim, guide, threat)]
    if not priors:
        return rgf(victim, x, examples.y, threat, **settings)
    return p_rgf(victim, x, examples.y, threat, prior=priors if guide.orthogonal else averaged(priors), **settings)


def _priors(
    model: nn.Module,
    heads: FeatureHeads,
    x: torch.Tensor,
    target_class: torch.Tensor,
    correspondence: CorrespondenceMatrix | Proxies,
    guide: Guide,
    threat: ThreatModel,
) -> list[Prior]:
    """The guesses of one white box."""
    limit = threat if guide.inside else None
    if guide.prior == "none":
        return []
    if guide.prior == "span":
        return spanning_priors(model, x, heads, threat=limit)
    smooth = smoothed(guide.smooth) if guide.smooth else None
    return [attack_prior(model, x, target_class, correspondence, top_k=guide.top_k, smooth=smooth, threat=limit, heads=heads)]
