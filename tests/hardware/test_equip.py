"""Any network equipped with devices: everything else stays as it was, and chips come and go without a trace."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from holdfast.core.errors import InputError
from holdfast.core.seeds import Seeds
from holdfast.devices import SigmoidNeuron, response_curves, vary
from holdfast.hardware import (
    CurveActivation,
    ParametricActivation,
    chip,
    device_layers,
    fresh_devices,
    hardware_activations,
    recalibrate,
    redraw_devices,
    weight_noise,
)
from holdfast.nets import Normalized, mlp, resnet8, tiny_cnn, weights_digest, with_weights


def images(n=6, size=8):
    return torch.rand(n, 1, size, size, generator=torch.Generator().manual_seed(0))


class Shared(nn.Module):
    """One activation module at two places of equal width."""

    def __init__(self, second=8):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 8), nn.Linear(8, second), nn.Linear(second, 2)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.c(self.act(self.b(self.act(self.a(x)))))


class Functional(nn.Module):
    def __init__(self, *, mixed):
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2)
        self.act = nn.Tanh() if mixed else None

    def forward(self, x):
        hidden = functional.relu(self.a(x))
        return self.b(self.act(hidden) if self.act else hidden)


@pytest.mark.parametrize("make", [lambda: mlp(64), lambda: tiny_cnn(size=8), lambda: resnet8(channels=1)])
def test_devices_without_spread_change_nothing_bit_for_bit(make):
    net = make().eval()
    twin = hardware_activations(net, "own", x=images(), spread=0.0)
    assert device_layers(twin)
    assert torch.equal(twin(images()), net(images()))


def test_the_network_itself_stays_as_it_was():
    net = mlp(64, activation=nn.Sigmoid).train()
    digest, text = weights_digest(net), repr(net)
    hardware_activations(net, "sigmoid", spread=0.3)
    assert weights_digest(net) == digest
    assert repr(net) == text
    assert all(module.training for module in net.modules())


def test_units_are_channels_after_convolutions_and_features_after_linear_layers():
    layers = device_layers(hardware_activations(tiny_cnn(size=8), "relu", x=images()))
    assert {name: (layer.out_features, layer.dim) for name, layer in layers.items()} == {
        "act1": (8, 1),
        "act2": (16, 1),
        "act3": (64, -1),
    }


def test_layers_have_their_own_devices_found_by_name():
    net = hardware_activations(mlp(64, hidden=(20, 20)), "relu", spread=0.1, seed=1)
    one, two = device_layers(net).values()
    assert not torch.equal(one.params, two.params)
    again = hardware_activations(mlp(64, hidden=(20, 20), seed=5), "relu", spread=0.1, seed=1)
    assert torch.equal(device_layers(again)["act2"].params, two.params)


def test_a_module_used_behind_two_layers_is_other_devices_at_each():
    net = hardware_activations(Shared(), "relu", spread=0.2)
    first, second = device_layers(net).values()
    assert [layer.stream for layer in (first, second)] == ["act after a", "act after b"]
    assert not torch.equal(first.params, second.params)
    rows = torch.rand(3, 4)
    assert torch.equal(net(rows), net.c(second(net.b(first(net.a(rows))))))


def test_an_instance_that_stands_at_two_places_has_devices_for_both():
    act = nn.Sigmoid()
    net = hardware_activations(nn.Sequential(nn.Linear(4, 8), act, nn.Linear(8, 5), act), "sigmoid", spread=0.1)
    first, second = device_layers(net).values()
    assert (first.out_features, second.out_features) == (8, 5)
    x = torch.rand(3, 4)
    assert torch.equal(net(x), second(net[2](first(net[0](x)))))


def test_thresholds_follow_the_size_of_the_pre_activations():
    net = mlp(64)
    loud = with_weights(net, {name: 100 * tensor for name, tensor in net.state_dict().items() if name.startswith("fc1")})
    quiet, strong = (device_layers(hardware_activations(n, "own", x=images(), spread=0.1))["act1"].params for n in (net, loud))
    assert torch.allclose(strong[:, 2:], 100 * quiet[:, 2:], rtol=1e-4)
    assert torch.equal(strong[:, :2], quiet[:, :2])


def test_curves_take_the_place_of_activations_too():
    curves = response_curves(vary(SigmoidNeuron(), 0.1, samples=30), torch.linspace(-8, 8, 65).numpy())
    net = hardware_activations(mlp(64, hidden=(20,), activation=nn.Sigmoid), curves, seed=3)
    assert isinstance(net.act1, CurveActivation)
    assert net.act1.devices.unique().numel() == 20


def test_measured_curves_may_come_from_their_file(tmp_path):
    curves = response_curves(vary(SigmoidNeuron(), 0.1, samples=30), np.linspace(-8, 8, 17))
    path = tmp_path / "bench.csv"
    np.savetxt(path, np.column_stack([curves.x, curves.y.T]), delimiter=",", fmt="%.17g")
    net = mlp(64, hidden=(20,), activation=nn.Sigmoid)
    answers = [hardware_activations(net, kind, seed=3)(images()) for kind in (curves, path, str(path))]
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])


@pytest.mark.parametrize("kind", ["sigmoid", "curves"])
def test_a_whole_state_dict_with_extra_state_can_be_put_into_a_copy(kind):
    curves = response_curves(vary(SigmoidNeuron(), 0.1, samples=30), np.linspace(-8, 8, 65))
    one, other = (
        hardware_activations(
            mlp(64, hidden=(20,), activation=nn.Sigmoid, seed=seed), curves if kind == "curves" else kind, seed=seed
        )
        for seed in (0, 1)
    )
    assert torch.equal(with_weights(other, one.state_dict())(images()), one(images()))


def test_noisy_weights_and_device_neurons_go_together(digits_small):
    net = hardware_activations(mlp(64, hidden=(20,), activation=nn.Sigmoid), "sigmoid", spread=0.1)
    on_chips = weight_noise(net, digits_small[1], sigma=0.1, count=3)
    assert on_chips.correct.shape[0] == 3
    assert on_chips.accuracies.std() > 0


def test_a_chip_is_the_redrawn_network():
    net = hardware_activations(tiny_cnn(size=8), "relu", x=images(), spread=0.3)
    with redraw_devices(net, seed=5):
        inside = net(images())
    assert torch.equal(with_weights(net, chip(net, 5))(images()), inside)


def test_the_same_chip_is_drawn_for_a_network_its_trimmed_copy_and_its_copy_in_a_wrapper(digits_small):
    bare = hardware_activations(mlp(64, hidden=(20, 20)), "relu", spread=0.3)
    trimmed = recalibrate(bare, digits_small[0], steps=1)
    wrapped = Normalized(bare, (0.5,), (0.5,))
    reloaded = Normalized(hardware_activations(nn.Sequential(mlp(64, hidden=(20, 20))), "relu", spread=0.3), (0.5,), (0.5,))
    reloaded.model[0].load_state_dict(bare.state_dict())
    for net in (bare, trimmed, wrapped, reloaded):
        layers = device_layers(net).values()
        with redraw_devices(net, seed=5):
            drawn = [layer.params.clone() for layer in layers]
        told = chip(net, 5).values()
        for name, inside, outside in zip(("act1", "act2"), drawn, told, strict=True):
            # what a bare network has always drawn: the stream of the layer's name
            expected = ParametricActivation("relu", 20, spread=0.3, seed=Seeds(5).integer("devices", name)).params
            assert torch.equal(inside, expected)
            assert torch.equal(outside, expected)


def test_two_copies_side_by_side_are_on_different_devices():
    one = hardware_activations(mlp(64), "relu", spread=0.3)
    pair = nn.ModuleList([one, copy.deepcopy(one)])
    first, second = chip(pair, 5).values()
    assert not torch.equal(first, second)


def test_noise_does_not_repeat_after_a_visit_to_another_chip():
    net = hardware_activations(mlp(64), "relu", spread=0.3, noise_std=0.1)
    undisturbed = copy.deepcopy(net)
    before, then = (undisturbed(images()) for _ in range(2))
    assert torch.equal(net(images()), before)
    with redraw_devices(net, seed=5):
        net(images())
    assert torch.equal(net(images()), then)
    assert not torch.equal(before, then)


@pytest.mark.parametrize("number", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["relu", "sigmoid", "own", "curves"])
def test_networks_in_half_precision_take_devices_and_stay_in_it(kind, number):
    curves = response_curves(SigmoidNeuron(), np.linspace(-8, 8, 65))
    net = mlp(64, activation=nn.Sigmoid).eval()
    halved = copy.deepcopy(net).to(number)
    settings = {"noise_std": 0.01} if kind == "curves" else {"spread": 0.1}
    fine, coarse = (
        hardware_activations(each, curves if kind == "curves" else kind, x=x, **settings)(x)
        for each, x in ((net, images()), (halved, images().to(number)))
    )
    assert coarse.dtype == number
    # bfloat16 has 8 bits: 0.4 % of each number, and the outputs are of order 1
    assert (coarse - fine).abs().max() < 0.05


def test_redrawn_devices_are_back_bit_for_bit_even_after_an_error():
    net = hardware_activations(mlp(64), "relu", spread=0.3)
    digest = weights_digest(net)
    seen = []

    def crash():
        with redraw_devices(net, seed=5):
            seen.append(weights_digest(net))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    assert seen != [digest]
    assert weights_digest(net) == digest


def test_fresh_devices_redraw_every_layer_and_pass_the_batch_on():
    net = hardware_activations(mlp(64, hidden=(20, 20)), "relu", spread=0.3)
    before = {name: layer.params.clone() for name, layer in device_layers(net).items()}
    x, y = torch.rand(2, 64), torch.zeros(2).long()
    assert fresh_devices(net, x, y, torch.Generator().manual_seed(0)) == (x, y)
    assert all(not torch.equal(before[name], layer.params) for name, layer in device_layers(net).items())


def test_devices_are_not_put_inside_devices():
    net = hardware_activations(mlp(64), "own", x=images(), spread=0.1)
    with pytest.raises(InputError, match="no activation module"):
        hardware_activations(net, "own", x=images(), spread=0.1)


def test_gates_that_cannot_be_reached_are_announced():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.GRUCell(8, 3))
    with pytest.warns(UserWarning, match="gates inside 2 run in one operation"):
        hardware_activations(net, "own", x=torch.rand(5, 4))


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda: hardware_activations(nn.Sequential(nn.Linear(4, 8), nn.Softmax(-1)), "own", x=torch.rand(5, 4)),
            "but Linear, Softmax",
        ),
        (lambda: hardware_activations(tiny_cnn(size=8), "relu"), "`x` is missing"),
        (lambda: hardware_activations(mlp(64), "own"), "`x` is missing"),
        (lambda: hardware_activations(mlp(4), "own", x=torch.zeros(3, 4)[:1].expand(3, 4) * 0, modules=(nn.Tanh,)), "nn.Tanh"),
        (lambda: chip(mlp(4), 0), "no layer of devices"),
        (lambda: hardware_activations(mlp(64), "nowhere.csv"), "no such file"),
        (lambda: hardware_activations(mlp(64), response_curves(SigmoidNeuron(), np.arange(4)), spread=0.1), "differ already"),
    ],
)
def test_networks_without_a_place_for_devices_are_refused(attempt, message):
    with pytest.raises(InputError, match=message):
        attempt()


def test_a_batch_that_says_nothing_about_the_scale_is_refused():
    net = nn.Sequential(nn.Linear(4, 8, bias=False), nn.ReLU())
    with pytest.raises(InputError, match="all equal"):
        hardware_activations(net, "own", x=torch.zeros(3, 4), spread=0.1)
