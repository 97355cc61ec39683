r"""Mean-field variational inference: the independent normal distribution of weights that is closest to the posterior.

.. math:: q(w) = \prod_j N(w_j; m_j, \sigma_j^2), \qquad \mathrm{ELBO} = E_q[\log p(D|w)] - \mathrm{KL}(q\,\|\,p)

with :math:`\sigma = \log(1 + e^\rho)`. The divergence is in closed form; the likelihood of a mini-batch of B of N examples is
scaled by N/B, the divergence is not. Source: C. Blundell, J. Cornebise, K. Kavukcuoglu and D. Wierstra, arXiv:1505.05424. Trained
by :func:`~holdfast.nets.fit`, so the objective is divided by N throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import nn
from torch.func import functional_call

from holdfast.bayes.estimators import Estimator, check_estimator, noisy_forward
from holdfast.bayes.posterior import Posterior
from holdfast.bayes.potential import network_potential
from holdfast.core.checks import check_one_of, check_whole, check_within
from holdfast.core.seeds import Seeds
from holdfast.nets import copied, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.bayes.posterior import Sampler
    from holdfast.bayes.potential import Likelihood, LikelihoodName, NetworkPotential
    from holdfast.bayes.prior import Prior
    from holdfast.data.examples import Examples
    from holdfast.nets import Epoch

__all__ = ["MeanField", "mfvi", "normal_divergence", "normal_sampler"]


def normal_divergence(mean: torch.Tensor, std: torch.Tensor, prior_std: torch.Tensor | float = 1.0) -> torch.Tensor:
    r"""Kullback-Leibler divergence of independent normal distributions from a normal prior around zero, summed, in nat.

    .. math:: \sum_j \log\frac{s_j}{\sigma_j} + \frac{\sigma_j^2 + m_j^2}{2 s_j^2} - \frac12

    Parameters
    ----------
    mean, std : m and sigma > 0, of one shape
    prior_std : s > 0, broadcasts with them

    Examples
    --------
    >>> normal_divergence(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0])).item()
    0.5
    """
    share = std / prior_std
    return (0.5 * (share.square() + (mean / prior_std).square() - 1) - share.log()).sum()


@dataclass(frozen=True, kw_only=True)
class MeanField(Posterior):
    """Draws of an independent normal distribution of weights, with the distribution itself and how it was found.

    Parameters
    ----------
    mean, std : by parameter name
    elbo : evidence lower bound in nat, one estimate per epoch (the mean over its steps, with `kl_weight` on the divergence)
    divergence : from the prior, in nat, at the end
    """

    mean: Mapping[str, torch.Tensor] = field(default_factory=dict)
    std: Mapping[str, torch.Tensor] = field(default_factory=dict)
    elbo: tuple[float, ...] = ()
    divergence: float = math.nan


def normal_sampler(mean: Mapping[str, torch.Tensor], std: Mapping[str, torch.Tensor]) -> Sampler:
    """Draws weights of independent normal distributions: ``(samples, generator) -> tensors (samples, *shape)`` by name.

    Parameters
    ----------
    mean, std : by parameter name, of one shape each

    Examples
    --------
    >>> draw = normal_sampler({"weight": torch.zeros(2, 3)}, {"weight": torch.ones(2, 3)})
    >>> draw(5, torch.Generator())["weight"].shape
    torch.Size([5, 2, 3])
    """
    centre, spread = (torch.cat([values.flatten() for values in part.values()]) for part in (mean, std))
    sizes = [values.numel() for values in mean.values()]

    def sampler(samples: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        noise = torch.randn(samples, len(centre), generator=generator, dtype=centre.dtype, device=generator.device)
        parts = (centre + spread * noise.to(centre.device)).split(sizes, dim=1)
        return {name: part.reshape(samples, *mean[name].shape) for name, part in zip(mean, parts, strict=True)}

    return sampler


@torch.inference_mode(mode=False)
@torch.enable_grad()
def mfvi(  # noqa: PLR0913 - one training; each argument is a setting chosen by name
    model: nn.Module,
    data: Examples | tuple[torch.Tensor, torch.Tensor],
    *,
    prior: Prior,
    likelihood: LikelihoodName | Likelihood = "categorical",
    epochs: int,
    lr: float,
    batch_size: int = 128,
    init: Literal["net", "paper"] = "net",
    init_scale: float = 0.0067,
    kl_weight: float = 1.0,
    estimator: Estimator = "reparameterised",
    schedule: str | Callable[[float], float] = "constant",
    samples: int = 50,
    seed: int = 0,
    progress: bool | Callable[[Epoch], None] = False,
) -> MeanField:
    """Draws of the mean-field posterior of a network's weights, fitted by Adam on the evidence lower bound.

    Parameters
    ----------
    model : network from a batch to logits (N, K), unchanged; dropout and batch normalisation in evaluation mode
    data : examples, or inputs (N, ...) and labels (N,)
    prior : of the weights
    likelihood : ``"categorical"``, ``"gaussian"`` or a callable; see :func:`~holdfast.bayes.potential.network_potential`
    epochs, lr, batch_size, schedule, progress : of the training, as in :func:`~holdfast.nets.fit`
    init : ``"net"``: means are the network's own weights, all sigma `init_scale`; ``"paper"``: means and rho are standard normal,
        as in the code of arXiv:2002.04359
    init_scale : sigma at the start, > 0; the default is rho = -5
    kl_weight : factor of the divergence; 1 is the evidence lower bound, less makes a colder posterior
    estimator : how noise enters a pass; ``"local"`` and ``"flipout"`` have less noisy gradients (:mod:`~holdfast.bayes.estimators`)
    samples : S, draws of the result, >= 1; ``resample`` draws fresh ones
    seed : of everything

    Returns
    -------
    MeanField, a :class:`Posterior` with the distribution and the history of the bound

    Raises
    ------
    InputError : see :func:`~holdfast.bayes.potential.check_data` and :func:`~holdfast.bayes.posterior.check_mode`; tied weights or
        layers that run twice, with another estimator than the first
    FloatingPointError : the objective became NaN or infinite

    Examples
    --------
    >>> from holdfast.bayes import Prior
    >>> from holdfast.nets import mlp
    >>> x = torch.rand(200, 2)
    >>> post = mfvi(mlp(2, classes=2), (x, (x[:, 0] > 0.5).long()), prior=Prior(), epochs=5, lr=0.01, samples=7)
    >>> len(post), len(post.elbo), post.elbo[-1] > post.elbo[0]
    (7, 5, True)
    """
    check_one_of(init, "init", allowed=("net", "paper"))
    check_within(init_scale, "init_scale", low=0.0, low_open=True)
    check_within(kl_weight, "kl_weight", low=0.0)
    check_whole(samples, "samples", low=1)
    potential = network_potential(model, data, prior=prior, likelihood=likelihood)
    seeds = Seeds(seed).child("mfvi")
    random = _RandomWeights(potential, check_estimator(model, estimator))
    random.place(init, init_scale, seeds.torch("init", device=str(potential.precision.device)))
    count = len(potential.x)
    report = fit(
        random,
        cast("Examples", _Rows(potential.x, potential.y)),
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        schedule=schedule,
        loss=lambda outputs, y: potential.likelihood(outputs[None], y)[0] / len(y),
        extra_loss=lambda network, x, y, outputs: kl_weight * random.divergence() / count,  # noqa: ARG005 - the form of extra losses
        seed=seeds.integer("fit"),
        progress=progress,
    )
    return random.posterior(samples, seeds.torch("draws"), elbo=tuple(-count * epoch.loss for epoch in report.history))


@dataclass(frozen=True)
class _Rows:
    """Inputs and labels in the form that the training loop reads; labels may be values of a regression."""

    x: torch.Tensor
    y: torch.Tensor

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: Any) -> _Rows:
        return replace(self, x=self.x.to(device), y=self.y.to(device))


class _RandomWeights(nn.Module):
    """A network whose weights are normal; its parameters are their means and rho, one flat vector each."""

    prior_std: torch.Tensor
    spread: torch.Tensor

    def __init__(self, potential: NetworkPotential, estimator: Estimator) -> None:
        super().__init__()
        self.form = copied(potential.model).requires_grad_(False)
        self.model, self.layout, self.estimator = [potential.model], potential.layout, estimator  # a list hides the module
        own = dict(potential.model.named_parameters())
        self.mean = nn.Parameter(self.layout.flatten({name: own[name].detach()[None] for name in self.layout.shapes})[0])
        self.rho = nn.Parameter(torch.zeros_like(self.mean))
        self.register_buffer("prior_std", potential.precision.rsqrt())

    @torch.no_grad()
    def place(self, init: str, scale: float, generator: torch.Generator) -> None:
        """Set the start."""
        if init == "net":
            self.rho.fill_(math.log(math.expm1(scale)))
            return
        for values in (self.mean, self.rho):
            values.copy_(torch.randn(values.shape, generator=generator, dtype=values.dtype, device=generator.device))

    def train(self, mode: bool = True) -> _RandomWeights:  # noqa: FBT001, FBT002 - torch's signature
        """The form stays in evaluation mode: an example's likelihood must not depend on its batch."""
        super().train(mode)
        self.form.eval()
        return self

    @property
    def std(self) -> torch.Tensor:
        """Sigma (P,)."""
        return nn.functional.softplus(self.rho)

    def divergence(self) -> torch.Tensor:
        """From the prior, with the sigma of the last pass."""
        return normal_divergence(self.mean, self.spread, self.prior_std)

    def named(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """A flat vector (P,) by parameter name."""
        return {name: values[0] for name, values in self.layout.unflatten(flat[None]).items()}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs under random weights."""
        self.spread = self.std
        if self.estimator == "reparameterised":  # one draw for all weights is quicker than one for each
            drawn = torch.addcmul(self.mean, self.spread, torch.randn_like(self.mean))
            return functional_call(self.form, self.named(drawn), (x.clone(),))
        return noisy_forward(self.form, self.named(self.mean), self.named(self.spread), x, estimator=self.estimator)

    def posterior(self, samples: int, generator: torch.Generator, *, elbo: tuple[float, ...]) -> MeanField:
        self.spread = self.std
        mean, std = self.named(self.mean.detach()), self.named(self.spread.detach())
        sampler = normal_sampler(mean, std)
        return MeanField(
            model=self.model[0],
            params=sampler(samples, generator),
            method="VI",
            sampler=sampler,
            mean=mean,
            std=std,
            elbo=elbo,
            divergence=float(self.divergence().detach()),
        )
