"""Re-calibration: it starts from the identity, changes trims alone, and wins back what another chip lost."""

import pytest
import torch
from torch import nn

from holdfast.core.errors import InputError
from holdfast.hardware import Calibrated, ParametricActivation, device_layers, hardware_activations, recalibrate
from holdfast.nets import evaluate, fit, mlp, weights_digest


@pytest.fixture(scope="module")
def carried(digits_small):
    """A perceptron trained through ideal sigmoids, on a chip with 50 % spread."""
    net = hardware_activations(mlp(64, hidden=(60,), activation=nn.Sigmoid), "sigmoid")
    fit(net, digits_small[0], epochs=20, lr=2e-2)
    away = hardware_activations(mlp(64, hidden=(60,), activation=nn.Sigmoid), "sigmoid", spread=0.5, seed=1)
    weights = {name: value for name, value in net.state_dict().items() if not name.startswith("act")}
    away.load_state_dict(weights, strict=False)
    return net, away


def test_trims_start_as_the_identity():
    layer = ParametricActivation("relu", 5, spread=0.3)
    u = torch.randn(7, 5)
    assert torch.equal(Calibrated(layer)(u), layer(u))


def test_trims_of_channels_broadcast_over_images():
    layer = ParametricActivation("relu", 3, spread=0.3, dim=1)
    images = torch.randn(2, 3, 4, 4)
    trimmed = Calibrated(layer)
    with torch.no_grad():
        trimmed.gain_out.copy_(torch.tensor([1.0, 2.0, 3.0]))
    assert torch.allclose(trimmed(images), layer(images) * torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1))


def test_it_wins_back_most_of_what_another_chip_lost(carried, digits_small):
    home, away = carried
    best, lost, repaired = (
        evaluate(net, digits_small[1]).accuracy.value for net in (home, away, recalibrate(away, digits_small[0], steps=100))
    )
    assert lost < best - 0.05
    assert repaired > best - 0.4 * (best - lost)


@pytest.mark.parametrize(("what", "moved"), [("bias", {"bias_in", "bias_out"}), ("bias+gain", None)])
def test_only_the_trims_move(carried, digits_small, what, moved):
    _, away = carried
    digest = weights_digest(away)
    repaired = recalibrate(away, digits_small[0], what=what, steps=3)
    assert weights_digest(away) == digest
    assert torch.equal(repaired.fc1.weight, away.fc1.weight)
    assert torch.equal(device_layers(repaired)["act1.layer"].params, away.act1.params)
    start = {"gain_in": 1, "bias_in": 0, "gain_out": 1, "bias_out": 0}
    changed = {name for name, value in start.items() if (getattr(repaired.act1, name) != value).any()}
    assert changed == (moved or set(start))
    assert all(parameter.requires_grad for parameter in repaired.parameters())


def test_a_few_steps_of_all_weights_move_the_weights_and_no_device(carried, digits_small):
    home, away = carried
    tuned = recalibrate(away, digits_small[0], what="all", steps=100)
    assert not torch.equal(tuned.fc1.weight, away.fc1.weight)
    assert torch.equal(tuned.act1.params, away.act1.params)
    assert not any(isinstance(module, Calibrated) for module in tuned.modules())
    best, lost, repaired = (evaluate(net, digits_small[1]).accuracy.value for net in (home, away, tuned))
    assert repaired > best - 0.4 * (best - lost)


def test_trainable_devices_are_not_tuned(digits_small):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), ParametricActivation("sigmoid", 8, trainable=True), nn.Linear(8, 10))
    tuned = recalibrate(net, digits_small[0], what="all", steps=2)
    assert torch.equal(tuned[2].params, net[2].params)
    assert tuned[2].params.requires_grad


def test_normalisation_statistics_do_not_move(digits_small):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))
    net = hardware_activations(net, "relu", x=digits_small[0].x[:2], spread=0.3).train()
    repaired = recalibrate(net, digits_small[0], steps=3)
    assert torch.equal(repaired[2].running_mean, net[2].running_mean)
    assert repaired.training


def test_every_module_keeps_its_own_mode(digits_small):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))
    net = hardware_activations(net, "relu", x=digits_small[0].x[:2], spread=0.3).train()
    net[2].eval()
    net[3].eval()
    repaired = recalibrate(net, digits_small[0], steps=1)
    assert [module.training for module in repaired] == [True, True, False, False, True]
    assert repaired.training
    assert not repaired[3].layer.training


def test_the_same_seed_gives_the_same_trims(carried, digits_small):
    _, away = carried
    one, two, other = (recalibrate(away, digits_small[0], steps=3, seed=seed) for seed in (0, 0, 1))
    assert weights_digest(one) == weights_digest(two) != weights_digest(other)


def test_a_second_repair_goes_on_from_the_first(carried, digits_small):
    _, away = carried
    again = recalibrate(recalibrate(away, digits_small[0], steps=2), digits_small[0], steps=2)
    assert isinstance(again.act1, Calibrated)
    assert isinstance(again.act1.layer, ParametricActivation)


@pytest.mark.parametrize(
    ("settings", "message"), [({"what": "gain"}, "bias"), ({"steps": 0}, "steps"), ({"batch_size": 0}, "batch_size")]
)
def test_impossible_repairs_are_refused(carried, digits_small, settings, message):
    with pytest.raises(InputError, match=message):
        recalibrate(carried[1], digits_small[0], **settings)


def test_a_network_without_devices_is_refused(digits_small):
    with pytest.raises(InputError, match="no layer of devices"):
        recalibrate(mlp(64), digits_small[0])
