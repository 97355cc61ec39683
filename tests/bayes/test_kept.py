"""Samples are those that the samplers find, and are looked for once."""

import json
import time
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from holdfast.bayes import Prior, hmc, kept_posterior, perceptron_posterior
from holdfast.core.errors import InputError, TimeBudgetError
from holdfast.core.experiment import Context
from holdfast.core.memo import Memo
from holdfast.core.posteriors import HMC, VI, DeepEnsemble, SampledPerceptron
from holdfast.core.seeds import Seeds
from holdfast.data import half_moons
from holdfast.nets import mlp

CHAINS = HMC(chains=2, samples=4, warmup=3, steps=3)
SAMPLED = SampledPerceptron(
    examples=40,
    hidden=(4,),
    hmc=CHAINS,
    vi=VI(epochs=2, lr=0.01, batch_size=20, samples=5),
    few=replace(CHAINS, chains=1, samples=8),
    ensemble=DeepEnsemble(members=3, epochs=2, lr=0.01, batch_size=20),
    vi_examples=30,
    vi_hidden=(5,),
)


def make_net(seed):
    return mlp(2, hidden=(4,), classes=2, activation=nn.LeakyReLU, seed=seed)


def same(one, other):
    return all(torch.equal(one.params[name], other.params[name]) for name in one.params)


@pytest.fixture
def context(tmp_path):
    return Context(seeds=Seeds(0), memo=Memo(tmp_path))


def test_a_recipe_finds_what_its_function_finds(context):
    data = half_moons(40)
    found = kept_posterior(context, CHAINS, make_net, data, seed=7, std=0.5)
    direct = hmc(make_net(7), data, prior=Prior(0.5), seed=7, **asdict(CHAINS))
    assert same(found, direct)
    assert found.diagnostics == direct.diagnostics
    assert (found.method, found.chains, len(found)) == ("HMC", 2, 8)


def test_samples_are_found_once_for_everything_that_they_depend_on(context):
    def searches():
        return len(list(context.memo.folder.glob("*.safetensors")))

    given = {"sampler": CHAINS, "make_net": make_net, "data": half_moons(40), "seed": 1}
    first, second = (kept_posterior(context, **given) for _ in range(2))
    assert same(first, second)
    assert first.diagnostics == second.diagnostics
    assert searches() == 1
    changes = (
        {"seed": 2},
        {"std": 0.5},
        {"data": half_moons(40, seed=1)},
        {"sampler": replace(CHAINS, steps=4)},
        {"sampler": VI(epochs=2, lr=0.01, batch_size=20, samples=5)},
        {"make_net": lambda seed: mlp(2, hidden=(5,), classes=2, seed=seed)},
    )
    for change in changes:
        kept_posterior(context, **(given | change))
    assert searches() == 1 + len(changes)


def test_what_lies_in_the_memo_is_not_looked_for_again(context):
    given = {"sampler": CHAINS, "make_net": make_net, "data": half_moons(40), "seed": 1}
    kept_posterior(context, **given)
    late = replace(context, deadline=time.time() - 1)  # a search would end here
    assert len(kept_posterior(late, **given)) == 8


def test_the_deadline_of_a_point_ends_the_search(context):
    late = replace(context, deadline=time.time() - 1)
    with pytest.raises(TimeBudgetError):
        kept_posterior(late, CHAINS, make_net, half_moons(40), seed=1)


def test_every_sampler_of_a_line_up_gives_its_samples(context):
    found = {model: perceptron_posterior(SAMPLED, model, half_moons, context) for model in SAMPLED.models}
    assert {model: (post.method, len(post)) for model, post in found.items()} == {
        "hmc": ("HMC", 8),
        "vi": ("VI", 5),
        "hmc_few": ("HMC", 8),
        "ensemble": ("ensemble", 3),
        "deterministic": ("ensemble", 1),
    }
    assert same(found["deterministic"], found["ensemble"].take([0]))
    assert found["vi"].params["fc1.weight"].shape == (5, 5, 2)  # of its own width
    assert found["hmc"].params["fc1.weight"].shape == (8, 4, 2)


def test_fit_and_chains_see_as_many_examples_as_they_should(context):
    asked = []

    def train(n):
        asked.append(n)
        return half_moons(n)

    for model in ("hmc", "vi", "ensemble"):
        perceptron_posterior(SAMPLED, model, train, context)
    assert asked == [40, 30, 40]


def test_samplers_that_are_left_out_are_not_offered(context):
    alone = SampledPerceptron(examples=40, hidden=(4,), hmc=CHAINS)
    assert alone.models == ("hmc",)
    with pytest.raises(InputError, match="'vi'"):
        perceptron_posterior(alone, "vi", half_moons, context)


def test_streams_of_random_numbers_are_apart(context):
    one, other = (perceptron_posterior(SAMPLED, "hmc", half_moons, context, stream=stream) for stream in ("", "sweep"))
    assert not same(one, other)


def test_settings_are_plain():
    assert json.loads(json.dumps(asdict(SAMPLED)))["ensemble"] == asdict(SAMPLED.ensemble)
