"""Find once and keep: the samples of a posterior that many points and processes share."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from torch import nn

from holdfast.bayes.ensemble import train_ensemble
from holdfast.bayes.hmc import hmc
from holdfast.bayes.packing import pack_posterior, unpack_posterior
from holdfast.bayes.prior import Prior
from holdfast.bayes.variational import mfvi
from holdfast.core.checks import check_one_of
from holdfast.core.posteriors import HMC, DeepEnsemble
from holdfast.nets import mlp

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.bayes.posterior import Posterior
    from holdfast.core.experiment import Context
    from holdfast.core.posteriors import VI, SampledPerceptron
    from holdfast.data.examples import Examples

__all__ = ["kept_posterior", "perceptron_posterior"]

STREAMS = {"hmc": "hmc", "vi": "vi", "hmc_few": "few", "ensemble": "members", "deterministic": "members"}


def kept_posterior(
    context: Context,
    sampler: HMC | VI | DeepEnsemble,
    make_net: Callable[[int], nn.Module],
    data: Examples,
    *,
    seed: int,
    std: float = 1.0,
) -> Posterior:
    """The samples that `sampler` finds on `data`; only the first process that asks looks for them.

    They are found again by everything that they depend on: sampler, data, form of the network, prior and seed.

    Parameters
    ----------
    context : of the point; its memo keeps the samples, its deadline is checked while they are found
    sampler : settings of one
    make_net : from a seed to an untrained network, equal at each call with one seed
    data : training data, recognised by their values
    seed : of the sampler and of the networks that it starts with
    std : of the normal prior of every weight; an ensemble has none

    Returns
    -------
    Posterior over the network of seed 0, on the context's device

    Examples
    --------
    >>> from holdfast.core.experiment import Context
    >>> from holdfast.data import half_moons
    >>> chains = HMC(chains=2, samples=4, warmup=20, steps=3)
    >>> len(kept_posterior(Context(), chains, lambda seed: mlp(2, hidden=(3,), classes=2, seed=seed), half_moons(20), seed=1))
    8
    """

    def placed(start: int) -> nn.Module:
        return make_net(start).to(context.device)

    def find() -> Posterior:
        context.check_time()
        train, settings = data.to(context.device), asdict(sampler)
        if isinstance(sampler, DeepEnsemble):
            return train_ensemble(placed, train, seed=seed, **settings)
        draw: Callable[..., Posterior] = hmc if isinstance(sampler, HMC) else mfvi
        return draw(placed(seed), train, prior=Prior(std), seed=seed, progress=lambda _: context.check_time(), **settings)

    template = placed(0).eval()
    key: dict[str, Any] = {"sampler": type(sampler).__name__, **asdict(sampler), "data": data.digest, "seed": seed, "std": std}
    key["shapes"] = {name: list(tensor.shape) for name, tensor in template.state_dict().items()}
    return unpack_posterior(template, context.memo("posterior", key, lambda: pack_posterior(find())), device=context.device)


def perceptron_posterior(
    settings: SampledPerceptron, model: str, train: Callable[[int], Examples], context: Context, *, stream: str = ""
) -> Posterior:
    """The samples of one sampler of a perceptron, found once and kept.

    Parameters
    ----------
    settings : of perceptron and samplers
    model : one of ``settings.models``
    train : gives that many training examples, the same at each call
    context : of the point, see :func:`kept_posterior`
    stream : name of the random numbers; default: the sampler's own

    Examples
    --------
    >>> from holdfast.core.experiment import Context
    >>> from holdfast.core.posteriors import SampledPerceptron
    >>> from holdfast.data import half_moons
    >>> small = SampledPerceptron(examples=20, hidden=(3,), hmc=HMC(chains=2, samples=4, warmup=20, steps=3))
    >>> perceptron_posterior(small, "hmc", half_moons, Context()).method
    'HMC'
    """
    sampler = settings.samplers[check_one_of(model, "model", allowed=settings.models)]
    variational = model == "vi"
    data = train(settings.vi_examples if variational and settings.vi_examples else settings.examples)
    hidden = settings.vi_hidden if variational and settings.vi_hidden else settings.hidden

    def make_net(seed: int) -> nn.Module:
        return mlp(data.x[0].numel(), hidden=hidden, classes=data.classes, activation=nn.LeakyReLU, seed=seed)

    seed = context.seeds.integer(stream or STREAMS[model])
    found = kept_posterior(context, sampler, make_net, data, seed=seed, std=settings.std)
    return found.take([0]) if model == "deterministic" else found
