"""Push images of the victim's classes towards a class of the attacker's own network that stands for one of the victim's.

Source: N. Inkawhich et al., arXiv:2103.09916. The victim is not queried: the correspondence matrix holds its answers from before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.ascent import ascend, input_gradient
from holdfast.attacks.precision import at_least_single
from holdfast.attacks.projection import make_ball, perturbation_norm
from holdfast.attacks.transfer.adapter import Adapted
from holdfast.attacks.transfer.correspondence import CorrespondenceMatrix, Proxies
from holdfast.attacks.transfer.objective import ProxyObjective
from holdfast.core.checks import refuse
from holdfast.core.estimate import Estimate, proportion
from holdfast.core.target import predicted_classes
from holdfast.nets import frozen, predict

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from holdfast.attacks.query import Prior
    from holdfast.attacks.threat import ThreatModel
    from holdfast.attacks.transfer.heads import FeatureHeads

__all__ = ["ProxyAttack", "attack_prior", "proxy_attack", "spanning_priors"]


@dataclass(frozen=True, kw_only=True)
class ProxyAttack:
    """Images that were pushed towards proxies; :func:`~holdfast.attacks.transfer.evaluate_transfer` asks the victim about them.

    Parameters
    ----------
    x_adv : tensor (N, ...), inside ball and box
    target_class : tensor (N,), what the victim is to answer
    proxies : of each example
    reached : boolean tensor (N,), the white box answers with the (heaviest) proxy
    norm : tensor (N,), size of the perturbation in the norm of the threat model
    """

    x_adv: torch.Tensor
    target_class: torch.Tensor
    proxies: Proxies
    reached: torch.Tensor
    norm: torch.Tensor

    @property
    def white_box_rate(self) -> Estimate:
        """Share of examples on which the white box answers with the proxy, with its Wilson interval."""
        return proportion(int(self.reached.sum()), len(self.reached))


def proxy_attack(  # noqa: PLR0913 - each argument is a setting chosen by name
    model: nn.Module,
    x: torch.Tensor,
    target_class: int | torch.Tensor,
    correspondence: CorrespondenceMatrix | Proxies,
    threat: ThreatModel,
    *,
    top_k: int = 1,
    steps: int = 10,
    momentum: float = 1.0,
    batch_size: int = 500,
    seed: int = 0,
    ascent: dict[str, Any] | None = None,
    **objective: Any,
) -> ProxyAttack:
    """Images `x` pushed towards the proxies of their target classes; the victim is not queried.

    Parameters
    ----------
    model : white box, a module from inputs to logits over the source classes
    x : images (N, ...) of the victim's world, inside the box
    target_class : what the victim is to answer, one or (N,)
    correspondence : which source classes stand for the targets; or the proxies of each example themselves (controls)
    threat : norm, radius, box, mask
    top_k : proxies per target class, weighted by the correspondence
    steps : gradient steps of ``eps / steps``
    momentum : of the gradient
    batch_size : examples per pass
    seed : of a random start and of the input transforms
    ascent : further settings of :func:`~holdfast.attacks.ascend`: step size, input and gradient transforms, random start
    objective : settings of :class:`~holdfast.attacks.transfer.ProxyObjective`: method, heads, layers, eta, gamma, adapter

    Raises
    ------
    InputError : no proxy for a target; inputs outside the box or of a size that the white box does not take; see ProxyObjective

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> white_box = torch.nn.Linear(4, 2)
    >>> found = CorrespondenceMatrix(C=torch.eye(2))
    >>> attack = proxy_attack(white_box, torch.rand(8, 4), 1, found, ThreatModel("linf", 0.1), method="proxy-ce")
    >>> attack.proxies.classes.unique().tolist()
    [1]
    """
    _check_inside(x, threat)
    goals = torch.as_tensor(target_class, device=x.device).expand(len(x))
    proxies = correspondence if isinstance(correspondence, Proxies) else correspondence.proxy(goals, top_k)
    adapter = objective.pop("adapter", None)
    white_box = Adapted(model, adapter)
    with frozen(model):
        predict(white_box, x[:1])  # refuses inputs of another size before anything else fails on them
        push = ProxyObjective(model, x, proxies, adapter=adapter, **objective)
        settings = {"steps": steps, "momentum": momentum, "batch_size": batch_size, "seed": seed, **(ascent or {})}
        x_adv = ascend(push, x, threat, **settings)
        answers = predicted_classes(predict(white_box, x_adv, batch_size=batch_size))
    return ProxyAttack(
        x_adv=x_adv,
        target_class=goals,
        proxies=proxies,
        reached=answers == proxies.classes[:, 0],
        norm=perturbation_norm(at_least_single(x_adv) - at_least_single(x), threat.norm),
    )


def attack_prior(
    model: nn.Module,
    x: torch.Tensor,
    target_class: int | torch.Tensor,
    correspondence: CorrespondenceMatrix | Proxies,
    *,
    top_k: int = 1,
    smooth: Callable[[torch.Tensor], torch.Tensor] | None = None,
    threat: ThreatModel | None = None,
    **objective: Any,
) -> Prior:
    """A callable ``(x_adv, rows) -> direction`` (n, ...): the gradient of J, a guess for :func:`~holdfast.attacks.query.p_rgf`.

    Parameters
    ----------
    model, x, target_class, correspondence, top_k, objective : as in :func:`proxy_attack`
    smooth : of the gradient, e.g. :func:`~holdfast.attacks.smoothed`
    threat : of the attack (L-infinity): what would lead out of ball and box is left out, so that a guess that is used up steps back

    Returns
    -------
    callable that does not query the victim; :func:`~holdfast.attacks.query.averaged` joins those of several sources

    Examples
    --------
    >>> prior = attack_prior(torch.nn.Linear(4, 2), torch.rand(8, 4), 1, CorrespondenceMatrix(C=torch.eye(2)), method="proxy-ce")
    >>> prior(torch.rand(3, 4), torch.tensor([0, 1, 5])).shape
    torch.Size([3, 4])
    """
    goals = torch.as_tensor(target_class, device=x.device).expand(len(x))
    proxies = correspondence if isinstance(correspondence, Proxies) else correspondence.proxy(goals, top_k)
    push = ProxyObjective(model, x, proxies, **objective)
    if threat is not None and threat.norm != "linf":
        refuse("threat", f"has the norm {threat.norm!r}", allowed="linf, in which a guess can be used up; else None")

    def direction(x_adv: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        with frozen(model):
            gradient = input_gradient(push, x_adv, rows)
        guess = gradient if smooth is None else smooth(gradient)
        if threat is None:
            return guess
        ball = make_ball(at_least_single(x[rows]), threat.of_rows(rows))
        outward = ((x_adv <= ball.low) & (guess < 0)) | ((x_adv >= ball.high) & (guess > 0))
        return guess.masked_fill(outward, 0)

    return direction


def spanning_priors(model: nn.Module, x: torch.Tensor, heads: FeatureHeads, *, threat: ThreatModel | None = None) -> list[Prior]:
    """The gradient towards each source class in each layer: directions among which that of the victim may be found.

    Parameters
    ----------
    model : white box
    x : clean inputs (N, ...)
    heads : of its layers
    threat : as in :func:`attack_prior`

    Returns
    -------
    ``classes * layers`` callables, the layers of one class after another, for the orthogonal estimator of
    :func:`~holdfast.attacks.query.p_rgf`
    """
    aims = [Proxies.single(torch.full((len(x),), label, device=x.device)) for label in range(heads.classes)]

    def towards(aim: Proxies, layer: str) -> Prior:
        return attack_prior(model, x, 0, aim, threat=threat, heads=heads, method="fda", layers=[layer])

    return [towards(aim, layer) for aim in aims for layer in heads.layers]


def _check_inside(x: torch.Tensor, threat: ThreatModel) -> None:
    if len(x) == 0:
        refuse("x", "is empty", allowed="at least one input")
    if not x.is_floating_point():
        refuse("x", f"has dtype {x.dtype}", allowed="floating point", remedy="Convert images with x.float() / 255.")
    low, high = (float(end) for end in x.aminmax())
    if low < threat.bounds[0] or high > threat.bounds[1]:
        refuse("x", f"has values in [{low:.6g}, {high:.6g}]", allowed=f"the box {threat.bounds} of the threat model")
