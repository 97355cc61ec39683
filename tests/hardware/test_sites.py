"""Neurons wherever they are: functions, modules of users' own classes, modules at several places, layers that are used again."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from holdfast.core.errors import InputError
from holdfast.data import Examples
from holdfast.devices import CharacteristicCurves, SigmoidNeuron, response_curves
from holdfast.hardware import (
    ParametricActivation,
    activation_variation,
    chip,
    chip_seed,
    device_layers,
    fused_neurons,
    hardware_activations,
    imitate,
    other_chips,
    recalibrate,
    redraw_devices,
)
from holdfast.nets import with_weights


def rows(n=12, width=6):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(0))


class Functions(nn.Module):
    """Activations as functions, methods and in place."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = nn.Linear(6, 8), nn.Linear(8, 7), nn.Linear(7, 5), nn.Linear(5, 3)

    def forward(self, x):
        x = functional.gelu(self.a(x), approximate="tanh")
        x = self.b(x)
        functional.relu(x, inplace=True)
        return self.d(torch.tanh_(self.c(x)).sigmoid())


class Swish(nn.Module):
    """A class of a user's own, around a function of torch."""

    def forward(self, x):
        return x * torch.sigmoid(1.5 * x)


class Clipped(nn.Module):
    def forward(self, x):
        return x.clamp(0, 1)


def streams(net):
    return [layer.stream for layer in device_layers(net).values()]


class TestFunctions:
    def test_each_call_has_its_devices_named_by_the_layer_before_it(self):
        net = hardware_activations(Functions(), "own", x=rows(), spread=0.1)
        assert streams(net) == ["gelu after a", "relu after b", "tanh_ after c", "sigmoid after c"]
        assert [layer.out_features for layer in device_layers(net).values()] == [8, 7, 5, 5]

    def test_without_spread_nothing_changes_bit_for_bit_and_with_it_something_does(self):
        net, x = Functions().eval(), rows()
        assert torch.equal(hardware_activations(net, "own", x=x)(x), net(x))
        assert not torch.equal(hardware_activations(net, "own", x=x, spread=0.1)(x), net(x))

    def test_functions_and_modules_get_the_same_devices_from_the_same_streams(self):
        class One(nn.Module):
            def __init__(self, act=None):
                super().__init__()
                self.a, self.b, self.act = nn.Linear(6, 8), nn.Linear(8, 3), act

            def forward(self, x):
                hidden = self.a(x)
                return self.b(functional.relu(hidden) if self.act is None else self.act(hidden))

        torch.manual_seed(0)
        with_function = One()
        with_module = One(nn.ReLU())
        with_module.load_state_dict(with_function.state_dict())
        equipped = [hardware_activations(net, "own", x=rows(), spread=0.2) for net in (with_function, with_module)]
        own = [next(iter(device_layers(net).values())) for net in equipped]
        own[1].redraw_(int(own[0].seed))
        assert torch.equal(equipped[0](rows()), equipped[1](rows()))

    def test_device_neurons_take_the_place_of_the_functions_that_do_the_same(self):
        net = hardware_activations(Functions(), "relu", x=rows(), spread=0.1)
        assert streams(net) == ["relu after b", "sigmoid after c"]

    def test_chips_are_drawn_redrawn_copied_saved_and_trimmed(self):
        data = Examples(rows(60), torch.arange(60) % 3)
        net = hardware_activations(Functions(), "own", x=data.x, spread=0.3)
        answer = net(data.x)
        for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            assert torch.equal(twin(data.x), answer)
        with redraw_devices(net, seed=5):
            inside = net(data.x)
        assert torch.equal(with_weights(net, chip(net, 5))(data.x), inside)
        assert torch.equal(net(data.x), answer)
        assert not torch.equal(inside, answer)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            together = other_chips(net, data, count=3)  # in one vectorised program
        for number, correct in enumerate(together.correct):
            alone = with_weights(net, chip(net, chip_seed(0, number)))
            assert ((alone(data.x).argmax(1) == data.y).numpy() == correct).all()
        trimmed = recalibrate(net, data, steps=2)
        assert trimmed(data.x).shape == answer.shape
        assert not torch.equal(trimmed(data.x), answer)

    def test_gradients_pass_through_devices(self):
        x = rows().requires_grad_()
        net = hardware_activations(Functions(), "own", x=x.detach(), spread=0.1)
        (gradient,) = torch.autograd.grad(net(x).sum(), x)
        assert gradient.any()

    def test_curves_imitate_functions(self):
        class Two(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.act = nn.Linear(6, 16), nn.Linear(16, 3), nn.Sigmoid()

            def forward(self, x):
                return self.b(torch.sigmoid(4 * self.a(x)))

        volts = response_curves(SigmoidNeuron(amplitude=0.2, steepness=50.0), np.linspace(-0.2, 0.2, 129))
        net, x = Two().eval(), rows(200)
        found = imitate(net, CharacteristicCurves(x=volts.x, y=volts.y, nominal=volts.nominal), x=x)
        assert list(found.misfit) == ["layers.sigmoid after a"]
        assert max(found.misfit.values()) < 0.01
        assert torch.allclose(found.model(x), net(x), atol=0.02)


class TestOwnClasses:
    @pytest.mark.parametrize("act", [Swish(), nn.PReLU(), nn.PReLU(8), nn.Softshrink(), nn.Threshold(0.1, 0.0)])
    def test_a_module_that_changes_each_number_by_itself_is_a_layer_of_neurons(self, act):
        net, x = nn.Sequential(nn.Linear(6, 8), act, nn.Linear(8, 3)).eval(), rows()
        twin = hardware_activations(net, "own", x=x)
        assert isinstance(twin[1], ParametricActivation)
        assert torch.equal(twin(x), net(x))
        assert not torch.equal(hardware_activations(net, "own", x=x, spread=0.2)(x), net(x))

    def test_a_class_around_another_is_one_layer(self):
        net = nn.Sequential(nn.Linear(6, 8), nn.Sequential(Swish(), nn.Dropout(0.5)), nn.Linear(8, 3))
        assert streams(hardware_activations(net, "own", x=rows(), spread=0.1)) == ["1"]

    @pytest.mark.parametrize("other", [nn.LayerNorm(8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Identity(), nn.Softmax(-1)])
    def test_maps_that_are_affine_or_mix_numbers_are_none(self, other):
        net = nn.Sequential(nn.Linear(6, 8), other, nn.ReLU(), nn.Linear(8, 3)).eval()
        assert streams(hardware_activations(net, "own", x=rows(), spread=0.1)) == ["2"]

    def test_what_clips_the_data_before_the_first_layer_is_none(self):
        net = nn.Sequential(Clipped(), nn.Linear(6, 8), Clipped(), nn.Linear(8, 3))
        assert streams(hardware_activations(net, "own", x=rows(), spread=0.1)) == ["2"]

    def test_what_rounds_is_none(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layers = pytest.importorskip("brevitas.nn")
        net = nn.Sequential(nn.Linear(6, 8), layers.QuantIdentity(bit_width=4), layers.QuantReLU(bit_width=4), nn.Linear(8, 3))
        net.train()(rows())
        assert [name.rpartition(".")[2] for name in streams(hardware_activations(net.eval(), "own", x=rows(), spread=0.1))] == [
            "activation_impl"
        ]

    def test_activations_of_transformers_are_found(self):
        activations = pytest.importorskip("transformers.activations")
        for name in ("gelu", "gelu_new", "quick_gelu", "mish"):
            net = nn.Sequential(nn.Linear(6, 8), activations.ACT2FN[name], nn.Linear(8, 3))
            assert streams(hardware_activations(net, "own", x=rows(), spread=0.1)) == ["1"]


class Stacked(nn.Module):
    """One block of weights, applied several times: a recurrent network unrolled."""

    def __init__(self, *, function):
        super().__init__()
        self.begin, self.step, self.end, self.act = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3), nn.Tanh()
        self.function = function

    def forward(self, x):
        x = self.begin(x)
        for _ in range(3):
            x = torch.tanh(self.step(x)) if self.function else self.act(self.step(x))
        return self.end(x)


class TestPlaces:
    @pytest.mark.parametrize("function", [True, False])
    def test_a_layer_that_is_used_again_is_the_same_hardware_at_another_time(self, function):
        net = hardware_activations(Stacked(function=function), "own", x=rows(), spread=0.1)
        assert streams(net) == ["tanh after step" if function else "act"]

    def test_the_blocks_of_a_residual_network_may_share_an_activation_of_several_widths(self):
        class Bottleneck(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.c = nn.Conv2d(4, 2, 1), nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 4, 1)
                self.relu = nn.ReLU(inplace=True)

            def forward(self, x):
                return self.relu(self.c(self.relu(self.b(self.relu(self.a(x))))) + x)

        net = nn.Sequential(nn.Conv2d(1, 4, 3), Bottleneck(), Bottleneck(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
        x = torch.rand(9, 1, 8, 8)
        twin = hardware_activations(net, "own", x=x, spread=0.1)
        assert streams(twin) == [f"{block}.relu after {block}.{layer}" for block in (1, 2) for layer in "abc"]
        assert [layer.out_features for layer in device_layers(twin).values()] == [2, 2, 4] * 2
        assert torch.equal(hardware_activations(net, "own", x=x)(x), net(x))
        found = activation_variation(net, Examples(x, torch.arange(9) % 3), spread=0.1, count=3)
        assert found.correct.shape == (3, 9)

    def test_two_widths_at_one_place_are_refused(self):
        class Growing(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.act, self.end = nn.Linear(6, 6), nn.Tanh(), nn.Linear(12, 3)

            def forward(self, x):
                hidden = self.act(self.a(x))
                return self.end(self.act(torch.cat([self.a(x), hidden], 1)))

        with pytest.raises(InputError, match="has 6 and 12 units at one place"):
            hardware_activations(Growing(), "own", x=rows())

    def test_a_branch_that_the_examples_never_took_is_refused_when_it_is_taken(self):
        class Branching(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.c, self.act = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3), nn.ReLU()

            def forward(self, x):
                hidden = self.act(self.b(self.act(self.a(x))))
                return self.act(self.c(hidden)) if x.sum() > 1e3 else self.c(hidden)

        net = hardware_activations(Branching(), "own", x=rows(), spread=0.1)
        with pytest.raises(InputError, match="leads to the place 'act after c'"):
            net(rows() + 1e3)

    def test_the_feed_forward_part_of_a_transformer_layer_is_reached(self):
        net = nn.Sequential(nn.Linear(4, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 3)).eval()
        x = torch.randn(5, 3, 4)
        assert streams(hardware_activations(net, "own", x=x, spread=0.1)) == ["relu after 1.linear1"]


def test_recurrent_layers_are_named():
    assert fused_neurons(nn.Sequential(nn.Linear(4, 3), nn.LSTM(3, 2), nn.GRUCell(2, 2))) == ("1", "2")
