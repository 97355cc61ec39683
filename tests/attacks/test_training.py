"""Adversarial examples in place of training batches."""

import copy

import pytest
import torch

from holdfast.attacks import ThreatModel, adversarial_batches, pgd
from holdfast.core.errors import InputError
from holdfast.data import Examples
from holdfast.nets import fit, mlp


def batch(n=200):
    x = torch.rand(n, 6, generator=torch.Generator().manual_seed(1))
    return x, (x[:, 0] > x[:, 1]).long()


def test_each_example_moves_uphill_by_its_own_size_inside_the_box():
    (x, y), net = batch(), mlp(6, classes=2)
    x_adv, labels = adversarial_batches(0.2)(net, x, y, torch.Generator().manual_seed(0))
    sizes = (x_adv - x).abs().amax(1)
    assert labels is y
    assert sizes.max() <= 0.2 + 1e-6
    assert 0.08 < sizes.mean() < 0.12, "uniform from 0 to the reach: 0.1 +- 0.004 for 200 examples"
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    losses = [torch.nn.functional.cross_entropy(net(z), y, reduction="none") for z in (x, x_adv)]
    assert (losses[1] >= losses[0] - 1e-6).float().mean() > 0.95


def test_the_network_is_left_as_it_was_and_nothing_moves_without_reach():
    (x, y), net = batch(8), mlp(6, classes=2).train()
    before = copy.deepcopy(net.state_dict())
    x_adv, _ = adversarial_batches(0.0)(net, x, y, torch.Generator())
    assert torch.equal(x_adv, x)
    assert net.training
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert all(torch.equal(before[name], item) for name, item in net.state_dict().items())


def test_a_network_trained_so_withstands_more():
    data, threat = Examples(*batch(400)), ThreatModel("linf", 0.05)
    robust = []
    for on_batch in (None, adversarial_batches(0.1, steps=3)):
        net = mlp(6, hidden=(32,), classes=2, seed=3)
        fit(net, data, epochs=60, lr=0.02, batch_size=100, on_batch=on_batch)
        robust.append(pgd(net, data.x, data.y, threat, steps=10).accuracy.value)
    assert robust[1] > robust[0]


@pytest.mark.parametrize(("settings", "message"), [({"reach": -0.1}, "reach"), ({"reach": 0.1, "steps": 0}, "steps")])
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        adversarial_batches(**settings)
