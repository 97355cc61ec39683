"""Weights that layers compute become plain ones of the same values, in a copy alone."""

import copy

import pytest
import torch
from torch import nn
from torch.ao import quantization
from torch.nn.utils import parametrizations, parametrize, prune

from holdfast.core.errors import InputError
from holdfast.data import Examples
from holdfast.hardware import weight_noise
from holdfast.nets import bake_weights, closed_weights, computed_weights, copied, layer_records, named_weights, with_weights
from holdfast.quantize import quantize_activations, quantize_tensor, quantize_weights


class Doubled(nn.Module):
    """Gives twice what the layer holds."""

    def forward(self, weight):
        return 2 * weight


class Redrawn(nn.Module):
    """Read noise: another weight in each pass."""

    def forward(self, weight):
        return weight + 0.1 * torch.randn_like(weight)


def doubled(layer):
    return parametrize.register_parametrization(layer, "weight", Doubled())


def masked(layer):
    return prune.l1_unstructured(layer, "weight", 0.5)


def doubled_twice_with_its_bias(layer):
    parametrize.register_parametrization(doubled(layer), "weight", Doubled())
    return parametrize.register_parametrization(layer, "bias", Doubled())


MAKERS = [
    doubled,
    doubled_twice_with_its_bias,
    masked,
    parametrizations.weight_norm,
    parametrizations.spectral_norm,
    parametrizations.orthogonal,
    nn.utils.weight_norm,
    nn.utils.spectral_norm,
]


def network(make):
    torch.manual_seed(0)
    return nn.Sequential(make(nn.Linear(6, 8)), nn.ReLU(), make(nn.Linear(8, 3)))


def plain_twin(net):
    """The same effective weights in layers that hold them, put together by hand."""
    twin = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    net.eval()(torch.zeros(1, 6))  # the older kinds compute their weight in a pass
    with torch.no_grad():
        for mine, theirs in ((twin[0], net[0]), (twin[2], net[2])):
            mine.weight.copy_(theirs.weight)
            mine.bias.copy_(theirs.bias)
    return twin.eval()


old = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")


@old
@pytest.mark.parametrize("make", MAKERS)
def test_stresses_on_weights_see_those_that_multiply_the_input(make):
    net, x = network(make), torch.rand(40, 6)
    data = Examples(x, torch.arange(40) % 3)
    twin = plain_twin(net)
    plain = bake_weights(net)
    assert computed_weights(net) == ("0", "2")
    assert computed_weights(plain) == closed_weights(plain) == ()
    assert [type(layer) for layer in plain] == [nn.Linear, nn.ReLU, nn.Linear]
    assert torch.equal(plain(x), twin(x))
    assert torch.equal(quantize_weights(net, 3)(x), quantize_weights(twin, 3)(x))
    noisy, wanted = (weight_noise(some, data, sigma=0.3, count=4, seed=1).correct for some in (net, twin))
    assert (noisy == wanted).all()
    assert torch.equal(quantize_activations(net, 3, x)(x), quantize_activations(twin, 3, x)(x))
    records = [[(r.name, r.rows, r.columns, r.output_shape) for r in layer_records(some, x)] for some in (net, twin)]
    assert records[0] == records[1]


@old
@pytest.mark.parametrize("make", MAKERS)
def test_the_network_itself_stays_as_it_was(make):
    net, x = network(make).eval(), torch.rand(5, 6)
    other = copied(net)  # copies share the class that a parametrization makes
    before, state = net(x), {name: value.clone() for name, value in net.state_dict().items()}
    kinds = [type(layer) for layer in net]
    bake_weights(net)
    bake_weights(other)
    assert [type(layer) for layer in net] == kinds
    assert torch.equal(net(x), before)
    assert torch.equal(other(x), before)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    net.train()(x).sum().backward()  # it can still be trained


def test_plain_weights_are_not_copied():
    net = nn.Sequential(nn.Linear(4, 3))
    assert bake_weights(net) is net


def test_a_weight_is_baked_as_it_is_in_evaluation_mode_and_keeps_its_flags():
    net = network(nn.utils.spectral_norm).train()
    net[0].weight_orig.requires_grad_(False)
    vectors = net[0].weight_u.clone()
    plain = bake_weights(net)
    assert torch.equal(net[0].weight_u, vectors)  # a pass in training mode would iterate
    assert plain.training
    assert plain[2].weight.requires_grad
    parametrized = network(doubled)
    parametrized[0].parametrizations.weight.original.requires_grad_(False)
    assert [layer.weight.requires_grad for layer in bake_weights(parametrized)[::2]] == [False, True]


def test_a_weight_that_is_drawn_in_each_pass_is_refused_by_name():
    net = nn.Sequential(nn.Linear(4, 3), parametrize.register_parametrization(nn.Linear(3, 2), "weight", Redrawn()))
    assert closed_weights(bake_weights(net)) == ("1",)
    with pytest.raises(InputError, match=r"`model` holds no plain weights in '1'.*bake_weights\(model\) first"):
        named_weights(net)
    with pytest.raises(InputError, match="'1'"):
        quantize_weights(net, 4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:torch.quantize_per_tensor:UserWarning")
def test_packed_weights_are_refused_by_name():
    net = quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3), nn.Flatten()), {nn.Linear})
    assert closed_weights(net) == ("0",)
    with pytest.raises(InputError, match="`model` holds no plain weights in '0'"):
        weight_noise(net, Examples(torch.rand(4, 4), torch.arange(4) % 3), sigma=0.1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Please use quant_min and quant_max")
def test_simulated_quantization_is_baked_and_fused_layers_are_refused():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 3)).train()
    x = torch.rand(8, 1, 8, 8)
    for fuse in (False, True):
        qat = quantization.fuse_modules_qat(copy.deepcopy(net), [["0", "1"]]) if fuse else copy.deepcopy(net)
        qat.qconfig = quantization.get_default_qat_qconfig("fbgemm")
        quantization.prepare_qat(qat, inplace=True)
        qat(x)
        qat.eval().apply(quantization.disable_observer)
        plain = bake_weights(qat)
        assert torch.equal(plain(x), qat(x))
        assert type(plain[3]) is nn.Linear
        assert plain[3].weight.unique().numel() <= 256 * 3
        assert closed_weights(plain) == (("0",) if fuse else ())


@old
def test_a_network_is_copied_right_after_training():
    net = network(nn.utils.weight_norm).train()
    net.kept = {"last": [net(torch.rand(4, 6))]}
    net.kept["last"][0].sum().backward()
    twin = copied(net)
    assert torch.equal(twin.kept["last"][0], net.kept["last"][0])
    assert not twin.kept["last"][0].requires_grad
    assert torch.equal(twin(torch.ones(1, 6)), net(torch.ones(1, 6)))
    assert torch.equal(with_weights(net, {})(torch.ones(1, 6)), net(torch.ones(1, 6)))
    rounded = quantize_weights(net, 2)
    assert torch.equal(rounded[2].weight, quantize_tensor(net[2].weight.detach(), 2))
