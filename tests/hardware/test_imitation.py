"""Devices that imitate the activations of a network: exact where the shape allows it, one interface per layer, spread kept."""

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.core.errors import InputError
from holdfast.devices import CharacteristicCurves, ReluNeuron, SigmoidNeuron, response_curves, vary
from holdfast.hardware import curve_variation, device_layers, hardware_activations, imitate

SHARP = ReluNeuron(corner=float("inf"), saturation=0.0, amplitude=3e-3, threshold=2e-4, steepness=1e4)
RECTIFIER = response_curves(SHARP, np.linspace(-1e-3, 3e-3, 401))  # a knot lies on the corner
SIGMOID = response_curves(SigmoidNeuron(amplitude=-0.02, steepness=2e6, offset=0.03), np.linspace(-8e-6, 8e-6, 129))


def network(activation, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), activation, nn.Linear(16, 16), activation, nn.Linear(16, 3))


@pytest.mark.parametrize(
    ("activation", "curves", "tolerance"),
    [(nn.Sigmoid(), SIGMOID, 0.01), (nn.Tanh(), SIGMOID, 0.01), (nn.ReLU(), RECTIFIER, 0.01)],
)
def test_a_device_of_the_right_shape_imitates_in_any_units(activation, curves, tolerance):
    net, x = network(activation), torch.randn(200, 6)
    found = imitate(net, curves, x=x)
    first, second = found.misfit.values()
    assert first < tolerance
    assert second < 0.025  # its pre-activations span little, and no interface lives where a read error of 0.5 % would matter
    with torch.no_grad():
        np.testing.assert_allclose(found.model(x), net(x), atol=0.03)


def test_a_device_of_another_shape_says_how_far_off_it_is():
    net, x = network(nn.ReLU()), torch.randn(200, 6)
    found = imitate(net, SIGMOID, x=x)
    assert all(0.02 < misfit < 0.3 for misfit in found.misfit.values())


def test_the_network_is_left_as_it_is():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(8, 2))
    net.train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    imitate(net, RECTIFIER, x=torch.randn(50, 4))
    assert net.training
    assert net[1].inplace
    assert not net[1]._forward_hooks
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_every_unit_gets_a_device_and_the_same_chips_as_without_imitation():
    curves = response_curves(vary(SigmoidNeuron(), 0.1, samples=40), np.linspace(-8, 8, 65))
    net, x = network(nn.Sigmoid()), torch.randn(100, 6)
    equipped = imitate(net, curves, x=x, seed=3).model
    plain = hardware_activations(net, curves, x=x, seed=3)
    for name, layer in device_layers(equipped).items():
        assert torch.equal(layer.devices, device_layers(plain)[name].devices)
        assert len(layer.devices.unique()) == 16


def test_an_ensemble_keeps_its_spread_behind_the_common_interface():
    curves = response_curves(vary(SigmoidNeuron(amplitude=2.0), 0.05, samples=200), np.linspace(-8, 8, 65))
    nominal = response_curves(SigmoidNeuron(amplitude=2.0), np.linspace(-8, 8, 65)).y[0]
    curves = CharacteristicCurves(x=curves.x, y=curves.y, nominal=nominal)
    torch.manual_seed(0)
    layer = imitate(nn.Sequential(nn.Linear(3, 200), nn.Sigmoid()), curves, x=15 * torch.randn(200, 3)).model[1]
    high = layer(torch.full((1, 200), 30.0)).detach().numpy()[0]
    # at the top: relative amplitude 5 %, offset 2.5 % of the amplitude; a chi-square of 199 leaves 25 % with 5 standard errors
    assert high.std() == pytest.approx(np.hypot(0.05, 0.025), rel=0.25)


def test_no_part_of_the_curve_is_used_that_drowns_in_deviations():
    noisy = response_curves(vary(SigmoidNeuron(), 0.05, samples=50), np.linspace(-8, 8, 65))
    layer, _ = device_layers(imitate(network(nn.ReLU()), noisy, x=torch.randn(200, 6)).model).values()
    knots = layer.cubics[..., 3]
    deviation = float((knots - knots.mean(dim=0)).pow(2).mean().sqrt())
    assert deviation < 0.5, "an interface at the very foot of a sigmoid would amplify deviations a hundredfold"


def test_chips_without_deviation_are_all_alike(digits_cnn, digits_small):
    test = digits_small[1]
    curves = response_curves(vary(SHARP, 0.1, samples=30), np.linspace(-1e-3, 3e-3, 401))
    curves = CharacteristicCurves(x=curves.x, y=curves.y, nominal=RECTIFIER.y[0])
    still = curve_variation(digits_cnn, test, curves, times=0.0, count=3)
    moved = curve_variation(digits_cnn, test, curves, times=1.0, count=3)
    assert np.ptp(still.accuracies) == 0
    with torch.no_grad():
        clean = float((digits_cnn(test.x).argmax(1) == test.y).float().mean())
    assert still.accuracies[0] == pytest.approx(clean, abs=0.02)
    assert moved.accuracies.mean() < still.accuracies.mean()


@pytest.mark.parametrize(
    ("model", "curves", "x", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2)), SIGMOID, torch.randn(9, 2), "no activation module"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), SIGMOID, torch.zeros(9, 2), "all equal"),
        (network(nn.ReLU()), CharacteristicCurves(x=np.arange(4.0), y=np.ones((1, 4))), torch.randn(9, 6), "does not answer"),
    ],
)
def test_what_cannot_be_imitated_is_refused(model, curves, x, message):
    if message == "all equal":
        model[0].bias.data.zero_()
    with pytest.raises(InputError, match=message):
        imitate(model, curves, x=x)
