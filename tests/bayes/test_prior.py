"""What is believed before the data: densities, draws, and scales by name."""

import math

import pytest
import torch
from torch import nn

from holdfast.bayes import Prior
from holdfast.core.errors import InputError
from holdfast.core.seeds import Seeds
from holdfast.nets import mlp


def test_the_density_is_that_of_independent_normals():
    net = mlp(3, hidden=(4,), classes=2)
    prior = Prior({"": 2.0, "head": 0.5})
    params = prior.draw(net, 5, Seeds(0).torch("draw"))
    for values in params.values():
        assert len(values) == 5
    scales = {name: 0.5 if name.startswith("head") else 2.0 for name in params}
    expected = sum(torch.distributions.Normal(0.0, scales[n]).log_prob(v).flatten(1).sum(1) for n, v in params.items())
    torch.testing.assert_close(prior.log_density(params), expected)


def test_draws_have_the_scale_of_the_prior():
    # 100 000 normals: the standard error of a deviation is 0.0022 of it, so 2 % is 9 of them
    net = nn.Linear(1000, 100, bias=False)
    drawn = Prior("kaiming").draw(net, 1, Seeds(0).torch("draw"))["weight"]
    assert drawn.std().item() == pytest.approx(math.sqrt(2 / 1000), rel=0.02)


def test_a_longer_name_wins_over_a_shorter_one():
    prior = Prior({"": 1.0, "fc1": 0.5, "fc1.bias": 0.1})
    assert [prior.scale(name, (2,)) for name in ("fc1.bias", "fc1.weight", "fc10.weight")] == [0.1, 0.5, 1.0]


def test_frozen_parameters_are_not_drawn():
    net = mlp(3, hidden=(4,), classes=2)
    net.fc1.requires_grad_(False)
    assert list(Prior().draw(net, 1, Seeds(0).torch("draw"))) == ["head.weight", "head.bias"]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: Prior(0.0), "`std` is 0.0"),
        (lambda: Prior(math.nan), "`std` is nan"),
        (lambda: Prior({"fc1": -1.0}), "`std` is -1.0"),
        (lambda: Prior("kaimin"), "Did you mean 'kaiming'"),
        (lambda: Prior({"fc1": 1.0}).scale("head.weight", (2, 3)), "has no entry for 'head.weight'"),
        (lambda: Prior().draw(nn.ReLU(), 1, torch.Generator()), "no parameter that takes gradients"),
        (lambda: Prior().draw(nn.Linear(2, 2), 0, torch.Generator()), "`samples` is 0"),
    ],
)
def test_what_is_no_prior_is_refused(action, message):
    with pytest.raises(InputError, match=message):
        action()
