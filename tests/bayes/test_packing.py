"""A posterior that is packed into tensors and unpacked again answers, draws and warns as before."""

import pytest
import torch
from safetensors.torch import load, save

from holdfast.bayes import MeanField, Posterior, Prior, hmc, mfvi, pack_posterior, unpack_posterior
from holdfast.core.errors import InputError
from holdfast.nets import mlp


def make_net():
    return mlp(2, hidden=(4,), classes=2, seed=0).eval()


def points():
    x = torch.rand(40, 2, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > 0.5).long()


def kept(posterior):
    """Through the bytes of a file, into a network of other weights."""
    return unpack_posterior(mlp(2, hidden=(4,), classes=2, seed=9).eval(), load(save(pack_posterior(posterior))))


def test_chains_keep_their_samples_and_what_they_say_of_themselves():
    post = hmc(make_net(), points(), prior=Prior(), chains=2, samples=6, warmup=4, steps=3, seed=1)
    found = kept(post)
    assert torch.equal(found.logits(points()[0]), post.logits(points()[0]))
    assert (found.chains, found.method) == (2, post.method)
    assert found.diagnostics == post.diagnostics
    assert found.diagnostics.warnings == post.diagnostics.warnings


def test_fresh_draws_of_a_mean_field_do_not_depend_on_how_a_file_orders_its_tensors():
    post = mfvi(make_net(), points(), prior=Prior(), epochs=2, lr=0.01, samples=3)
    packed = pack_posterior(post)
    drawn = [
        unpack_posterior(make_net(), {name: packed[name] for name in order}).resample(5, torch.Generator().manual_seed(3))
        for order in (packed, reversed(packed), load(save(packed)))
    ]
    assert all(torch.equal(drawn[0].logits(points()[0]), other.logits(points()[0])) for other in drawn[1:])
    # the mean of 4000 draws lies within 6 standard errors of the distribution's mean: P < 2e-9 for each of 22 weights
    many = unpack_posterior(make_net(), packed).resample(4000, torch.Generator().manual_seed(4))
    for name, mean in post.mean.items():
        assert bool(((many.params[name].mean(0) - mean).abs() <= 6 * post.std[name] / 4000**0.5).all()), name


def test_a_mean_field_keeps_its_distribution_in_a_file():
    post = mfvi(make_net(), points(), prior=Prior(), epochs=2, lr=0.01, samples=3)
    found = kept(post)
    assert isinstance(found, MeanField)
    assert (found.elbo, found.divergence, found.method) == (post.elbo, post.divergence, "VI")
    assert all(
        torch.equal(found.mean[name], post.mean[name]) and torch.equal(found.std[name], post.std[name]) for name in post.mean
    )
    assert len(found.resample(5, torch.Generator())) == 5


def test_networks_are_kept_without_diagnostics_and_without_a_sampler():
    post = Posterior.of_models([mlp(2, hidden=(4,), classes=2, seed=seed) for seed in range(3)], method="trained, without decay")
    found = kept(post)
    assert (len(found), found.method, found.diagnostics, found.sampler) == (3, "trained, without decay", None, None)
    assert not isinstance(found, MeanField)


@pytest.mark.parametrize(
    ("change", "words"), [(lambda packed: packed.pop("method"), "method"), (lambda packed: packed.clear(), "chains")]
)
def test_another_mapping_is_refused(change, words):
    packed = pack_posterior(Posterior.of_models([make_net()]))
    change(packed)
    with pytest.raises(InputError, match=words):
        unpack_posterior(make_net(), packed)


def test_samples_of_another_form_are_refused():
    packed = pack_posterior(Posterior.of_models([make_net()]))
    with pytest.raises(InputError, match="of shape"):
        unpack_posterior(mlp(2, hidden=(5,), classes=2), packed)
