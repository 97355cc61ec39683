"""Layers of tabulated curves: the interpolant, its exact derivative, and the compiled pass beside plain torch."""

import copy
import warnings

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from holdfast.core.errors import InputError
from holdfast.devices import CharacteristicCurves, SigmoidNeuron, response_curves, vary
from holdfast.hardware import CurveActivation, ParametricActivation
from holdfast.hardware.curves import _gather, _Table
from holdfast.hardware.hermite import hermite_cubics
from holdfast.hardware.interpolation import interpolation_errors
from holdfast.nets import per_example_gradients, stack, stacked_predict

GRID = np.linspace(-8, 8, 129)


def ensemble(n, knots=129):
    return response_curves(vary(SigmoidNeuron(), 0.2, samples=n), np.linspace(-8, 8, knots))


def inside(*shape, dtype=torch.float64):
    return 8 * (2 * torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype) - 1)


def test_a_table_of_129_knots_is_its_sigmoid_to_1e_4_and_its_slope_to_2e_3():
    layer = CurveActivation(response_curves(SigmoidNeuron(), GRID)).double()
    u = torch.linspace(-8, 8, 20001, dtype=torch.float64)[:, None].requires_grad_()
    value = layer(u)
    (slope,) = torch.autograd.grad(value.sum(), u)
    ideal = torch.sigmoid(u.detach())
    assert (value - ideal).abs().max() < 1e-4
    assert (slope - ideal * (1 - ideal)).abs().max() < 2e-3


def test_a_layer_of_curves_is_the_layer_in_closed_form():
    closed = ParametricActivation("sigmoid", 20, spread=0.2, seed=3)
    curves = response_curves(vary(SigmoidNeuron(), 0.2, samples=20, seed=3), GRID)
    u = inside(50, 20, dtype=torch.float32)
    assert torch.allclose(CurveActivation(curves)(u), closed(u), atol=1e-4)


def test_between_knots_it_is_scipys_monotone_cubic():
    curves = ensemble(3, knots=17)
    u = inside(40, 3)
    expected = np.stack([PchipInterpolator(curves.x, row)(u[:, j].numpy()) for j, row in enumerate(curves.y)], axis=1)
    np.testing.assert_allclose(CurveActivation(curves).double()(u).numpy(), expected, atol=1e-6)


@example(rises=[1.0, 5e-324, 5e-324], falling=False)  # rises whose inverse overflows
@settings(deadline=None, max_examples=50)
@given(rises=st.lists(st.floats(0, 1e3), min_size=3, max_size=30), falling=st.booleans())
def test_monotone_data_give_a_monotone_neuron(rises, falling):
    heights = np.cumsum([0.0, *rises]) * (-1 if falling else 1)
    layer = CurveActivation(CharacteristicCurves(x=np.arange(len(heights)), y=heights[None])).double()
    u = torch.linspace(0, len(heights) - 1, 500, dtype=torch.float64)[:, None].requires_grad_()
    (slope,) = torch.autograd.grad(layer(u).sum(), u)
    signed = -slope if falling else slope
    assert signed.min() >= -1e-6 * max(1.0, float(np.abs(heights).max()))  # float32 coefficients


@pytest.mark.parametrize("extrapolate", ["clamp", "linear"])
def test_the_gradient_is_the_derivative_inside_and_outside_the_grid(extrapolate):
    layer = CurveActivation(ensemble(3, knots=9), extrapolate=extrapolate).double()
    u = torch.tensor([[-9.0, -3.1, 0.2], [5.3, 8.4, 1.1]], dtype=torch.float64, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert torch.autograd.gradcheck(layer, u)


def test_outside_the_grid_a_clamped_neuron_holds_and_a_linear_one_goes_on():
    curves = CharacteristicCurves(x=[0, 1, 2, 3], y=[[0, 1, 2, 3]])
    u = torch.tensor([[-2.0], [5.0], [float("inf")]])
    with pytest.warns(UserWarning, match="outside"):
        assert CurveActivation(curves)(u)[:, 0].tolist() == [0, 3, 3]
    with pytest.warns(UserWarning, match="outside"):
        assert CurveActivation(curves, extrapolate="linear")(u)[:2, 0].tolist() == [-2, 5]


@pytest.mark.parametrize("linear", [False, True])
def test_the_compiled_pass_is_the_gather(linear):
    layer = CurveActivation(ensemble(6), extrapolate="linear" if linear else "clamp").double()
    u = 1.02 * inside(30, 6)[..., None]  # some outside
    value, slope = _gather(u, layer.cubics, layer.devices, (layer.start, layer.step, linear, False))
    leaf = u[..., 0].clone().requires_grad_()
    mine = layer(leaf)
    (gradient,) = torch.autograd.grad(mine.sum(), leaf)
    assert torch.allclose(mine, value[..., 0], atol=1e-12)
    assert torch.allclose(gradient, slope[..., 0], atol=1e-12)


def test_nan_stays_nan():
    assert CurveActivation(ensemble(1))(torch.tensor([[float("nan")], *[[0.0]] * 30]))[0].isnan()


def test_channels_of_images_are_units_of_curves():
    curves = ensemble(3)
    images = inside(2, 3, 4, 5, dtype=torch.float32)
    flat = CurveActivation(curves)(images.movedim(1, -1)).movedim(-1, 1)
    assert torch.equal(CurveActivation(curves, dim=1)(images), flat)


def test_half_precision_goes_through_too():
    layer = CurveActivation(ensemble(4))
    u = inside(5, 4, dtype=torch.float32)
    assert torch.allclose(layer(u.bfloat16()).float(), layer(u), atol=0.05)


def test_one_curve_is_shared_and_a_seed_draws_from_any_ensemble():
    assert CurveActivation(ensemble(1), 5)(torch.zeros(1, 5)).unique().numel() == 1
    drawn = CurveActivation(ensemble(8), 6, seed=0)
    assert drawn.devices.unique().numel() == 6  # no device twice while they last
    assert CurveActivation(ensemble(3), 10, seed=0).devices.max() < 3


def test_many_chips_at_once_are_the_chips_one_by_one():
    layer = CurveActivation(ensemble(9), 5, seed=0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 5), layer, torch.nn.Linear(5, 3))
    x = inside(7, 4, dtype=torch.float32)
    stacked = stacked_predict(net, {"1.devices": torch.stack([layer.draw(seed)["devices"] for seed in range(4)])}, x)
    for seed in range(4):
        layer.redraw_(seed)
        assert torch.allclose(net(x), stacked[seed], atol=1e-6)


def test_the_ideal_layer_has_the_nominal_curve_everywhere():
    nominal = response_curves(SigmoidNeuron(), GRID).y[0]
    spread = CharacteristicCurves(x=GRID, y=ensemble(5).y, nominal=nominal)
    u = inside(6, 5, dtype=torch.float32)
    assert torch.allclose(CurveActivation(spread).ideal()(u), torch.sigmoid(u), atol=1e-4)


def test_a_saved_layer_brings_its_curves_devices_and_grid():
    source = CurveActivation(ensemble(4), 6, seed=1)
    other = CurveActivation(CharacteristicCurves(x=np.linspace(0, 1, 129), y=np.zeros((4, 129))), 6, seed=2)
    other.load_state_dict(copy.deepcopy(source.state_dict()))
    u = inside(5, 6, dtype=torch.float32)
    assert torch.equal(other(u), source(u))


@pytest.mark.parametrize("extrapolate", ["clamp", "linear"])
def test_the_second_derivative_is_the_derivative_of_the_first(extrapolate):
    layer = CurveActivation(ensemble(3, knots=9), extrapolate=extrapolate).double()
    u = torch.tensor([[-9.0, -3.1, 0.2], [5.3, 8.4, 1.1]], dtype=torch.float64, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert torch.autograd.gradgradcheck(layer, u)


def test_gradients_of_single_examples_are_those_of_a_loop():
    net = torch.nn.Sequential(torch.nn.Linear(4, 5), CurveActivation(ensemble(5)), torch.nn.Linear(5, 3)).double()
    x, y = inside(6, 4) / 8, torch.arange(6) % 3
    rows = per_example_gradients(net, x, y)["0.weight"]
    for number in range(6):
        loss = torch.nn.functional.cross_entropy(net(x[number : number + 1]), y[number : number + 1])
        assert torch.allclose(rows[number], torch.autograd.grad(loss, net[0].weight)[0])


@pytest.mark.parametrize("knots", [4, 17])
def test_the_differentiable_cubics_are_scipys(knots):
    generator = np.random.default_rng(0)
    heights = np.concatenate([generator.normal(size=(40, knots)), np.cumsum(generator.exponential(size=(10, knots)), axis=1)])
    heights[0, :3] = 0  # a flat beginning
    cubics = hermite_cubics(torch.from_numpy(heights), 0.5)
    expected = PchipInterpolator(0.5 * np.arange(knots), heights, axis=1).c.transpose(2, 1, 0)
    np.testing.assert_allclose(cubics.numpy(), expected, atol=1e-12)


def test_trainable_curves_answer_as_fixed_ones_and_learn_their_knots():
    curves = ensemble(4, knots=17)
    fixed, trainable = CurveActivation(curves), CurveActivation(curves, trainable=True)
    u = inside(30, 4, dtype=torch.float32)
    assert torch.allclose(fixed(u), trainable(u), atol=1e-6)
    assert [name for name, _ in trainable.named_parameters()] == ["heights"]
    assert not list(fixed.parameters())
    optimizer = torch.optim.Adam(trainable.parameters(), lr=0.05)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = (trainable(u) - torch.tanh(u)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 * losses[0]


def test_the_gradient_by_the_knots_is_the_derivative():
    layer = CurveActivation(ensemble(2, knots=6), trainable=True).double()
    u = inside(5, 2)
    heights = layer.heights.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda h: torch.func.functional_call(layer, {"heights": h}, (u,)), heights)


def test_a_trainable_layer_has_an_ideal_and_other_chips_too():
    layer = CurveActivation(ensemble(8), 4, seed=0, trainable=True)
    assert layer.ideal()(torch.zeros(1, 4)).unique().numel() == 1
    before = layer.heights.detach().clone()
    layer.redraw_(5)
    assert torch.equal(layer.heights, before)


def test_away_from_the_compiled_pass_inputs_outside_the_grid_are_announced_now_and_then():
    layer = CurveActivation(ensemble(3)).to(torch.float16)
    for call in range(1, 9):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _evaluate_on_torch(layer, call)
        assert bool(caught) == (call in {1, 2, 4, 8})


def _evaluate_on_torch(layer, call):
    u = torch.full((5, 3, 1), 20.0)
    grid = (layer.start, layer.step, layer.linear, call & (call - 1) == 0)
    _Table.forward(u.to(torch.bfloat16), layer.cubics, layer.devices, grid)


def test_networks_of_one_form_can_be_stacked_however_often_they_were_called():
    nets = [torch.nn.Sequential(torch.nn.Linear(4, 5), CurveActivation(ensemble(5))) for _ in range(2)]
    nets[0](inside(2, 4, dtype=torch.float32) / 8)
    assert len(stack(nets)) == 2


def test_curves_that_turn_back_are_announced():
    with pytest.warns(UserWarning, match="not monotone"):
        CurveActivation(CharacteristicCurves(x=GRID, y=np.sin(GRID)[None]))


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: CurveActivation(ensemble(3), 5), "5 units"),
        (lambda: CurveActivation(ensemble(3))(torch.zeros(1, 4)), "3, the number of devices"),
        (lambda: CurveActivation(ensemble(3), extrapolate="spline"), "extrapolate"),
    ],
)
def test_curves_that_do_not_fit_are_refused(attempt, message):
    with pytest.raises(InputError, match=message):
        attempt()


@pytest.mark.gpu
def test_curves_on_the_gpu_answer_as_on_the_cpu():
    layer = CurveActivation(ensemble(6))
    u = inside(9, 6, dtype=torch.float32)
    assert torch.allclose(copy.deepcopy(layer).cuda()(u.cuda()).cpu(), layer(u), atol=1e-5)


def test_more_knots_bring_a_table_closer_to_its_formula():
    coarse, fine = (interpolation_errors(knots) for knots in (33, 129))
    # piecewise cubics: the error of the value falls with the third to fourth power of the spacing
    assert fine["value_error"] < coarse["value_error"] / 4**2.5
    assert fine["slope_error"] < coarse["slope_error"]
    assert fine["least_slope"] >= -1e-6  # rounding of float32 coefficients
