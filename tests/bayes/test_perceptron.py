"""Perceptrons that are differentiated by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from holdfast.bayes import Prior
from holdfast.bayes.perceptron import read_perceptron
from holdfast.bayes.potential import network_potential
from holdfast.nets import lenet, mlp

IMAGES = torch.rand(30, 1, 3, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(30) % 3


RELU = nn.ReLU()


def linear(inputs, outputs, *, bias=True):
    return nn.Linear(inputs, outputs, bias=bias)


@pytest.mark.parametrize(
    "net",
    [
        mlp(12, hidden=(), classes=3),
        mlp(12, hidden=(5,), classes=3),
        mlp(12, hidden=(5, 4), classes=3, activation=nn.Tanh),
        mlp(12, hidden=(5, 4, 6), classes=3, activation=nn.Sigmoid),
        mlp(12, hidden=(5, 4), classes=3, activation=lambda: nn.LeakyReLU(0.2)),
        mlp(12, hidden=(5, 4), classes=3, activation=lambda: nn.LeakyReLU(0.0)),
        mlp(12, hidden=(5, 4), classes=3, activation=lambda: nn.ReLU(inplace=True)),
        nn.Sequential(nn.Flatten(), linear(12, 5, bias=False), nn.Identity(), nn.ReLU(), nn.Dropout(), linear(5, 3)).eval(),
    ],
)
@pytest.mark.parametrize("chains", [1, 3])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_gradients_by_hand_are_those_of_autograd(net, chains, batch_size):
    ours = network_potential(net.double(), (IMAGES.double(), LABELS), prior=Prior(0.7), batch_size=batch_size)
    assert ours.perceptron is not None
    q = torch.randn(chains, len(ours.precision), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    theirs = replace(ours, perceptron=None)
    for one, other in zip(ours.value_and_gradient(q), theirs.value_and_gradient(q), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours.gradient(q), theirs.value_and_gradient(q)[1], rtol=1e-10, atol=1e-10)


def hooked(kind):
    net = mlp(12, hidden=(5,), classes=3)
    getattr(net.fc1, f"register_{kind}_hook")(lambda *_: None)
    return net


def patched():
    net = mlp(12, hidden=(5,), classes=3)
    real = net.act1.forward
    net.act1.forward = lambda x: 2 * real(x)
    return net


def twice(module):
    return nn.Sequential(nn.Flatten(), linear(12, 5), module, module, linear(5, 3))


def shared():
    layer = linear(12, 12)
    return nn.Sequential(nn.Flatten(), layer, nn.ReLU(), layer, nn.ReLU(), linear(12, 3))


def partly_fixed():
    net = mlp(12, hidden=(5,), classes=3)
    net.fc1.bias.requires_grad_(requires_grad=False)
    return net


class Doubled(nn.Linear):
    """Not what a linear layer computes."""

    def forward(self, x):
        """Twice the layer's answer."""
        return 2 * super().forward(x)


@pytest.mark.parametrize(
    "net",
    [
        *map(hooked, ("forward", "forward_pre", "full_backward", "full_backward_pre")),
        patched(),
        shared(),
        twice(nn.Sigmoid()),
        twice(linear(5, 5)),
        nn.Sequential(nn.Flatten(), linear(12, 5), RELU, linear(5, 3), RELU),
        partly_fixed(),
        nn.utils.parametrizations.weight_norm(linear(12, 3)),
        nn.Sequential(nn.Flatten(), nn.utils.parametrizations.weight_norm(linear(12, 3))),
        nn.Sequential(nn.Flatten(), Doubled(12, 3)),
        nn.Sequential(nn.Flatten(), linear(12, 5), linear(5, 3)),
        nn.Sequential(nn.Flatten(), linear(12, 5), nn.ReLU(), nn.Tanh(), linear(5, 3)),
        nn.Sequential(nn.Flatten(), linear(12, 5), nn.GELU(), linear(5, 3)),
        nn.Sequential(nn.Flatten(), linear(12, 5), nn.LeakyReLU(-0.1), linear(5, 3)),
        nn.Sequential(nn.Flatten(), nn.ReLU(), linear(12, 3)),
        nn.Sequential(nn.Flatten(), linear(12, 3), nn.ReLU()),
        nn.Sequential(linear(4, 3)),
        nn.Sequential(nn.Flatten()),
    ],
)
def test_everything_else_is_left_to_autograd(net):
    assert read_perceptron(net, IMAGES) is None


def test_under_a_hook_for_all_modules_nothing_is_done_by_hand():
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        assert read_perceptron(mlp(12, classes=3), IMAGES) is None
    finally:
        handle.remove()
    assert read_perceptron(mlp(12, classes=3), IMAGES) is not None


def test_a_potential_whose_likelihood_is_replaced_uses_the_new_one():
    potential = network_potential(mlp(12, hidden=(4,), classes=3), (IMAGES, LABELS), prior=Prior())
    flat = replace(potential, likelihood=lambda outputs, _: 0 * outputs.sum((1, 2)))
    q = torch.randn(2, len(potential.precision), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(flat.gradient(q), q)


def test_convolutional_networks_are_left_to_autograd():
    assert read_perceptron(lenet(), torch.rand(2, 1, 28, 28)) is None


def test_inputs_that_are_flat_need_no_flattening():
    net = nn.Sequential(linear(12, 4), nn.ReLU(), linear(4, 3))
    assert read_perceptron(net, IMAGES.flatten(1)) is not None
    assert read_perceptron(net, IMAGES) is None


def test_another_likelihood_is_left_to_autograd():
    net = mlp(12, hidden=(4,), classes=1)
    assert network_potential(net, (IMAGES, torch.rand(30, 1)), prior=Prior(), likelihood="gaussian").perceptron is None
