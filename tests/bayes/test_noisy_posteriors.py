"""Chips as samples: the same chips as the hardware room's, fresh ones on demand, and ensembles."""

import pytest
import torch

from holdfast.bayes import cancellation_ratio, ensemble, split_gradient, train_ensemble
from holdfast.bayes.noisy import device_posterior, noisy_posterior
from holdfast.core.errors import InputError
from holdfast.data import Examples
from holdfast.hardware import hardware_activations, other_chips, weight_noise
from holdfast.nets import mlp, predict, weights_digest


@pytest.mark.parametrize("settings", [{"mode": "additive"}, {"mode": "multiplicative", "everything": True}])
def test_samples_are_the_chips_of_the_weight_noise(digits_cnn, digits_small, settings):
    test, before = digits_small[1][:100], weights_digest(digits_cnn)
    post = noisy_posterior(digits_cnn, sigma=0.1, samples=6, seed=3, **settings)
    chips = weight_noise(digits_cnn, test, sigma=0.1, count=6, seed=3, **settings)
    correct = post.logits(test.x).argmax(-1) == test.y
    assert torch.equal(correct, torch.as_tensor(chips.correct))
    assert weights_digest(digits_cnn) == before


def test_samples_are_the_chips_of_the_device_spread(digits_cnn, digits_small):
    test = digits_small[1][:100]
    equipped = hardware_activations(digits_cnn, "own", x=digits_small[0].x[:100], spread=0.3, seed=0)
    chips = other_chips(equipped, test, count=4, seed=7)
    post = device_posterior(equipped, samples=4, seed=7)
    assert torch.equal(post.logits(test.x).argmax(-1) == test.y, torch.as_tensor(chips.correct))


def test_no_noise_is_one_network_many_times(digits_cnn, digits_small):
    post, x = noisy_posterior(digits_cnn, sigma=0.0, samples=3), digits_small[1].x[:20]
    torch.testing.assert_close(post.log_predictive(x), predict(digits_cnn, x).log_softmax(1))


def test_fresh_chips_are_other_chips_of_the_same_spread():
    net = mlp(30, hidden=(30,), classes=3)
    post = noisy_posterior(net, sigma=0.2, samples=5)
    fresh = post.resample(40, torch.Generator().manual_seed(1))
    noise = fresh.params["fc1.weight"] - net.fc1.weight.detach()
    # 36 000 normal numbers: their deviation has a relative error of 0.4 %, tested at 6 standard errors
    assert float(noise.std() / net.fc1.weight.detach().abs().max()) == pytest.approx(0.2, rel=0.025)
    assert not any(torch.equal(one, other) for one in post.params["fc1.weight"] for other in fresh.params["fc1.weight"])


def test_members_of_an_ensemble_do_not_depend_on_how_many_there_are(digits_small):
    make, train = lambda seed: mlp(64, hidden=(8,), seed=seed), digits_small[0][:200]
    three, two = (train_ensemble(make, train, members, epochs=2, lr=0.02, seed=4) for members in (3, 2))
    assert torch.equal(three.params["fc1.weight"][:2], two.params["fc1.weight"])
    assert not torch.equal(three.params["fc1.weight"][0], three.params["fc1.weight"][1])
    assert (three.chains, three.method) == (3, "ensemble")
    mean = torch.stack([three.network(index)(train.x).softmax(1) for index in range(3)]).mean(0).log()
    torch.testing.assert_close(three.log_predictive(train.x), mean.detach())


def test_gradient_descent_keeps_members_apart_off_the_data_and_adam_does_not():
    # Data on a plane of 20 dimensions. Descent moves first weights along the plane alone, so off it members stay independent draws:
    # 18 components of 12 members have a mean of 1/sqrt(12) = 0.29 of their length. Adam's steps have a common part off the plane.
    plane = torch.linalg.qr(torch.randn(20, 20, generator=torch.Generator().manual_seed(1)))[0][:, :2]
    z = 2 * torch.rand(200, 2, generator=torch.Generator().manual_seed(2)) - 1
    data = Examples(z @ plane.T, (z.sin().sum(1) > 0).long())
    make = lambda seed: mlp(20, hidden=(16,), classes=2, seed=seed)  # noqa: E731
    ratio = {}
    for optimizer, lr in (("sgd", 0.1), ("adam", 0.02)):
        members = train_ensemble(make, data, 12, epochs=10, lr=lr, batch_size=50, optimizer=optimizer)
        off = lambda g: split_gradient(g, plane).orthogonal  # noqa: E731
        ratio[optimizer] = cancellation_ratio(members, data.x[:50], data.y[:50], samples=(1, 12), part=off).rows[-1].ratio.value
    assert ratio["sgd"] < 0.45
    assert ratio["adam"] > 0.6


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="`sigma` is -1"):
        noisy_posterior(mlp(4), sigma=-1)
    with pytest.raises(InputError, match="`samples` is 0"):
        noisy_posterior(mlp(4), sigma=0.1, samples=0)
    with pytest.raises(InputError, match="at least one network"):
        ensemble([])
    with pytest.raises(InputError, match="`members` is 0"):
        train_ensemble(lambda seed: mlp(4, seed=seed), None, 0)
