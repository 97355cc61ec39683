"""Between a device and the next layer: noise from cycle to cycle, neurons that are stuck, converters of finite resolution."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.core.errors import InputError
from holdfast.devices import CharacteristicCurves, SigmoidNeuron, response_curves, vary
from holdfast.hardware import (
    Converter,
    CurveActivation,
    Faults,
    ParametricActivation,
    chip,
    device_layers,
    hardware_activations,
    other_chips,
    redraw_devices,
)
from holdfast.nets import mlp

GRID = np.linspace(-8, 8, 65)


def curves(n, stderr=None):
    y = response_curves(vary(SigmoidNeuron(), 0.1, samples=n), GRID).y
    return CharacteristicCurves(x=GRID, y=y, stderr=stderr, nominal=SigmoidNeuron().response(GRID))


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_a_converter_has_its_levels_from_end_to_end_and_clips(bits):
    found = Converter(bits=bits, full_scale=(-1.0, 3.0))(torch.linspace(-5, 5, 10_001)).unique()
    np.testing.assert_allclose(found.numpy(), np.linspace(-1, 3, 2**bits), atol=1e-6)


def test_gradients_pass_the_rounding_but_not_the_clipping():
    y = torch.tensor([-0.5, 0.3, 1.5], requires_grad=True)
    Converter(bits=2, full_scale=(0.0, 1.0))(y).sum().backward()
    assert y.grad.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    "make", [lambda **s: ParametricActivation("sigmoid", 5, spread=0.1, **s), lambda **s: CurveActivation(curves(5), **s)]
)
def test_a_layer_with_bits_is_the_layer_rounded(make):
    u = torch.linspace(-6, 6, 50)[:, None].expand(-1, 5)
    plain, coarse = make(), make(bits=4)
    assert torch.equal(coarse(u), coarse.converter(plain(u)))
    fine = (make(bits=16)(u) - plain(u).clamp(*coarse.full_scale)).abs().max()
    assert fine < 2e-5


def test_faulty_neurons_hold_the_ends_of_the_read_out_and_sound_ones_answer():
    layer = ParametricActivation("sigmoid", 1000, faults=Faults(dead=0.2, saturated=0.1), seed=3)
    y = layer(torch.zeros(2, 1000))
    # binomial, 1000 units: six standard errors of 20 % are 7.6 points
    assert (y[0] == 0).float().mean() == pytest.approx(0.2, abs=0.076)
    assert (y[0] == 1).float().mean() == pytest.approx(0.1, abs=0.057)
    assert set(y.unique().tolist()) == {0.0, 0.5, 1.0}


def test_who_fails_at_a_low_rate_fails_at_any_higher_one():
    few, many = (Faults(dead=rate, saturated=rate).draw(500, seed=1) for rate in (0.05, 0.4))
    assert (many[few != 0] == few[few != 0]).all()


def test_other_chips_have_other_faults_and_the_first_comes_back(digits_small):
    net = hardware_activations(mlp(64, hidden=(40,), activation=nn.Sigmoid), "sigmoid", faults=Faults(dead=0.3))
    before = net.act1.stuck.clone()
    with redraw_devices(net, seed=5):
        elsewhere = net.act1.stuck.clone()
    assert torch.equal(net.act1.stuck, before)
    assert not torch.equal(elsewhere, before)
    assert torch.equal(chip(net, 5)["act1.stuck"], elsewhere)
    assert other_chips(net, digits_small[1], count=3).correct.shape[0] == 3


def test_faults_are_saved_with_the_network():
    one, other = (ParametricActivation("sigmoid", 50, faults=Faults(dead=0.5), seed=seed) for seed in (1, 2))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(torch.ones(1, 50)), other(torch.ones(1, 50)))


def test_the_ideal_layer_has_no_faults():
    layer = ParametricActivation("sigmoid", 50, spread=0.1, faults=Faults(dead=0.5), noise_std=0.1)
    u = torch.randn(3, 50)
    assert torch.allclose(layer.ideal()(u), torch.sigmoid(u), atol=1e-6)
    assert (layer.stuck != 0).any()


def test_the_noise_of_a_cycle_is_the_standard_error_of_the_curve_at_its_drive():
    # two devices, one quiet; the other's error grows linearly from 0 to 0.16 along the grid
    errors = np.stack([np.zeros(65), np.linspace(0, 0.16, 65)])
    layer = CurveActivation(curves(2, errors), noise_std="stderr")
    exact = CurveActivation(curves(2))
    u = torch.tensor([[4.0, 4.0], [-4.0, -4.0]]).repeat(20_000, 1)
    noise = (layer(u) - exact(u)).reshape(20_000, 2, 2)
    assert (noise[:, :, 0] == 0).all()
    # 20000 draws: five standard errors of a standard deviation are 2.5 %
    assert noise[:, 0, 1].std() == pytest.approx(0.12, rel=0.025)
    assert noise[:, 1, 1].std() == pytest.approx(0.04, rel=0.025)


def test_cycle_noise_is_fresh_at_each_call_seeded_and_leaves_the_global_generator_alone():
    first, second = (CurveActivation(curves(4, np.full((4, 65), 0.1)), noise_std="stderr") for _ in range(2))
    state = torch.random.get_rng_state()
    one, again, twin = first(torch.zeros(3, 4)), first(torch.zeros(3, 4)), second(torch.zeros(3, 4))
    assert not torch.equal(one, again)
    assert torch.equal(one, twin)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.ideal()(torch.zeros(1, 4)), first.ideal()(torch.zeros(1, 4)))


def test_noise_on_a_frozen_copy_in_evaluation_mode_is_allowed_and_seeded():
    layer = CurveActivation(curves(4), noise_std=0.1).eval()
    frozen = copy.deepcopy(layer).requires_grad_(False)
    assert torch.equal(layer(torch.zeros(3, 4)), frozen(torch.zeros(3, 4)))


def test_any_network_takes_faults_and_bits_in_the_scale_of_its_own_activations():
    net = mlp(64, hidden=(20,))
    x = torch.rand(30, 64, generator=torch.Generator().manual_seed(0))
    coarse = hardware_activations(net, "own", x=x, bits=2)
    hidden = device_layers(coarse)["act1"]
    assert hidden.full_scale == (0.0, torch.relu(net.fc1(x)).max().item())
    assert hidden(net.fc1(x)).unique().numel() <= 4


def test_the_words_of_a_layer_name_what_it_adds():
    text = repr(ParametricActivation("sigmoid", 4, bits=4, faults=Faults(dead=0.1)))
    assert "bits=4" in text
    assert "dead=0.1" in text


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: Faults(dead=1.1), "dead"),
        (lambda: Faults(dead=0.6, saturated=0.5), "saturated"),
        (lambda: Faults(saturated=-0.1), "saturated"),
        (lambda: Converter(bits=0, full_scale=(0, 1)), "bits"),
        (lambda: Converter(bits=4, full_scale=(1, 1)), "low end below"),
        (lambda: ParametricActivation("relu", 4, bits=4), r"full_scale=\(0, 4\)"),
        (lambda: ParametricActivation("relu", 4, faults=Faults(dead=0.1)), "full_scale"),
        (lambda: ParametricActivation("sigmoid", 4, bits=4, full_scale=(2, 1)), "full_scale"),
        (lambda: CurveActivation(curves(3), noise_std="stderr"), "without standard errors"),
        (lambda: CurveActivation(curves(3), noise_std="sterr"), "stderr"),
        (lambda: CurveActivation(curves(3), noise_std=-0.1), "noise_std"),
    ],
)
def test_impossible_read_outs_are_refused(attempt, message):
    with pytest.raises(InputError, match=message):
        attempt()
