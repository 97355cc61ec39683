"""Layers of neurons in closed form: the formula, the gradient, the chip that can be drawn again."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.core.errors import InputError
from holdfast.devices import ReluNeuron, SigmoidNeuron, VariationSummary, fit_neurons, in_network_units, vary
from holdfast.devices.spintronics import ThermalSigmoidNeuron, neuron_curves
from holdfast.hardware import ParametricActivation

NEURONS = [SigmoidNeuron(steepness=1.5, offset=-0.2), ReluNeuron(), ReluNeuron(corner=float("inf"), saturation=0.0, threshold=0.3)]


def drive(*shape, dtype=torch.float64):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize("neuron", NEURONS)
def test_a_layer_answers_as_the_device_formula_says(neuron):
    layer = ParametricActivation(neuron, 6, spread=0.2, seed=4).double()
    u = drive(9, 6)
    ensemble = vary(neuron, 0.2, samples=6, seed=4)
    np.testing.assert_allclose(layer(u).numpy(), ensemble.response(u.numpy()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nonlinearity", [nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.GELU(), nn.SiLU(), torch.sin])
def test_without_spread_any_nonlinearity_is_itself_bit_for_bit(nonlinearity):
    u = drive(5, 7, dtype=torch.float32)
    assert torch.equal(ParametricActivation(nonlinearity, 7)(u), nonlinearity(u))


@pytest.mark.parametrize("kind", ["sigmoid", "relu", nn.Tanh()])
def test_the_gradient_is_the_derivative(kind):
    layer = ParametricActivation(kind, 3, spread=0.3).double()
    assert torch.autograd.gradcheck(layer, drive(4, 3).requires_grad_())
    assert torch.autograd.gradgradcheck(layer, drive(4, 3).requires_grad_())


def test_channels_of_images_are_units():
    layer = ParametricActivation("sigmoid", 3, spread=0.3, dim=1)
    images = drive(2, 3, 4, 5, dtype=torch.float32)
    flat = ParametricActivation("sigmoid", 3, spread=0.3)(images.movedim(1, -1)).movedim(-1, 1)
    assert torch.equal(layer(images), flat)


def test_one_shared_device_serves_any_width():
    layer = ParametricActivation("sigmoid", 1, spread=0.3)
    out = layer(torch.zeros(2, 8))
    assert out.unique().numel() == 1


def test_a_redrawn_chip_is_the_one_built_with_that_seed():
    layer = ParametricActivation("sigmoid", 5, spread=0.1, seed=0)
    layer.redraw_(7)
    assert torch.equal(layer.params, ParametricActivation("sigmoid", 5, spread=0.1, seed=7).params)
    assert int(layer.seed) == 7


def test_redrawing_leaves_the_global_generator_alone():
    state = torch.random.get_rng_state()
    layer = ParametricActivation("sigmoid", 5, spread=0.1, noise_std=0.1)
    layer.redraw_(torch.Generator().manual_seed(3))
    layer(torch.zeros(1, 5))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_generator_gives_another_chip_each_time_and_the_same_series_again():
    layer = ParametricActivation("sigmoid", 5, spread=0.1)
    series = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(3)
        series.append([layer.redraw_(generator).params.clone() for _ in range(2)])
    assert not torch.equal(series[0][0], series[0][1])
    assert torch.equal(series[0][1], series[1][1])


def test_the_state_dict_carries_devices_and_seed():
    source, copied = (ParametricActivation("relu", 4, spread=0.2, seed=seed) for seed in (11, 0))
    copied.load_state_dict(source.state_dict())
    u = drive(3, 4, dtype=torch.float32)
    assert torch.equal(copied(u), source(u))
    assert int(copied.seed) == 11


def test_devices_are_not_trained_unless_asked():
    assert not list(ParametricActivation("sigmoid", 4).parameters())
    trainable = ParametricActivation("sigmoid", 4, trainable=True)
    trainable(torch.ones(1, 4)).sum().backward()
    assert trainable.params.grad.abs().sum() > 0


def test_the_ideal_layer_has_no_spread_and_leaves_the_chip_as_it_was():
    layer = ParametricActivation("sigmoid", 4, spread=0.3, noise_std=0.1)
    before = copy.deepcopy(layer.state_dict())
    u = drive(3, 4, dtype=torch.float32)
    assert torch.allclose(layer.ideal()(u), torch.sigmoid(u))
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def test_noise_is_fresh_at_each_call_and_repeats_with_the_seed():
    runs = []
    for _ in range(2):
        layer = ParametricActivation("sigmoid", 1000, noise_std=0.1, seed=5)
        runs.append([layer(torch.zeros(20, 1000)) for _ in range(2)])
    assert torch.equal(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])
    # 20000 draws: the relative error of a standard deviation is 0.5 %, five of them miss once in a million
    assert (runs[0][0] - runs[0][1]).std() == pytest.approx(0.1 * 2**0.5, rel=0.025)


def test_thresholds_and_offsets_spread_in_the_given_scales():
    narrow, wide = (ParametricActivation(nn.Identity(), 50, spread=0.1, scales=scales).params for scales in ((1, 1), (10, 3)))
    assert torch.allclose(wide, narrow * torch.tensor([1.0, 1.0, 10.0, 3.0]))


def test_a_summary_of_fitted_devices_makes_chips_of_any_size():
    summary = VariationSummary(nominal=SigmoidNeuron(), mean=[1, 1, 0.5, 0], covariance=np.diag([0.01, 0.01, 0.04, 0]))
    layer = ParametricActivation(summary, 5000, seed=2)
    # 5000 draws: six standard errors of the mean are 0.017, of a standard deviation 6 %
    assert layer.params[:, 2].mean() == pytest.approx(0.5, abs=0.017)
    assert layer.params[:, 2].std() == pytest.approx(0.2, rel=0.06)
    assert (layer.params[:, 3] == 0).all()
    assert not torch.equal(layer.draw(3)["params"], layer.params)
    u = drive(3, 5000, dtype=torch.float32)
    assert torch.allclose(layer.ideal()(u), torch.sigmoid(u), atol=1e-6)


def test_drawn_from_its_summary_a_layer_varies_as_the_devices_that_were_fitted():
    device, spread = ThermalSigmoidNeuron(), {"alpha": 0.1, "thickness": 0.1, "area": 0.1}
    curves = in_network_units(neuron_curves(device, spread=spread, samples=600, points=33))
    drawn = ParametricActivation(fit_neurons(curves).summary, 600)
    u = np.linspace(-4, 4, 9)
    table = np.stack([np.interp(u, curves.x, row) for row in curves.y])
    mine = drawn(torch.tensor(u, dtype=torch.float32)[:, None].expand(-1, 600)).T.numpy()
    # a logistic function misses the shoulders by up to 5 % of the swing; 600 devices know a standard deviation to 3 %
    np.testing.assert_allclose(mine.mean(axis=0), table.mean(axis=0), atol=0.06)
    np.testing.assert_allclose(mine.std(axis=0), table.std(axis=0), rtol=0.15, atol=0.01)


def test_each_chip_draws_its_devices_from_a_measured_ensemble():
    ensemble = vary(SigmoidNeuron(), 0.3, samples=20)
    layer = ParametricActivation(ensemble, 12, seed=0)
    known = {round(value, 6) for value in ensemble.threshold.tolist()}
    assert {round(value, 6) for value in layer.params[:, 2].double().tolist()} <= {round(float(np.float32(v)), 6) for v in known}
    assert layer.params[:, 2].unique().numel() == 12  # no device twice while they last
    assert ParametricActivation(ensemble, 50).params[:, 2].unique().numel() <= 20


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: ParametricActivation(vary(SigmoidNeuron(), 0.1, samples=4), 4, spread=0.1), "differ already"),
        (lambda: ParametricActivation("sigmoid", 4)(torch.zeros(2, 5)), "5 units"),
        (lambda: ParametricActivation("sigmoid", 4)(torch.zeros(2, 4, 3, 3)), "dim=1"),
        (lambda: ParametricActivation("sigmiod", 4), "sigmoid"),
        (lambda: ParametricActivation("sigmoid", 0), "out_features"),
        (lambda: ParametricActivation("sigmoid", 4, spread=-0.1), "spread"),
        (lambda: ParametricActivation("sigmoid", 4, noise_std=-1.0), "noise_std"),
    ],
)
def test_impossible_layers_are_refused(attempt, message):
    with pytest.raises(InputError, match=message):
        attempt()


@pytest.mark.gpu
def test_a_layer_on_the_gpu_answers_as_on_the_cpu():
    layer = ParametricActivation("relu", 6, spread=0.2)
    u = drive(9, 6, dtype=torch.float32)
    there = copy.deepcopy(layer).cuda()
    assert torch.allclose(there(u.cuda()).cpu(), layer(u), atol=1e-6)
