"""The small networks: sizes from their papers, seeds, shapes, normalisation inside."""

from functools import partial

import pytest
import torch
from torch import nn

from holdfast.core.errors import InputError
from holdfast.nets import Normalized, ResidualNet, conv_net, lenet, mlp, resnet8, resnet20, tiny_cnn, weights_digest


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def test_resnet20_has_the_size_of_the_paper():
    # He et al., CVPR 2016, Table 6: ResNet-20 has 0.27 M parameters with option A
    assert round(parameters(resnet20()) / 1e6, 2) == 0.27


@pytest.mark.parametrize(("net", "layers"), [(resnet8(), 8), (resnet20(), 20)])
def test_a_residual_network_is_named_after_its_weighted_layers(net, layers):
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in net.modules()) == layers


def test_option_a_adds_no_weights_and_option_b_two_projections():
    # two 1x1 projections, 16 -> 32 and 32 -> 64, with batch normalisation (2 numbers per channel)
    extra = parameters(resnet20(shortcut="projection")) - parameters(resnet20())
    assert extra == 16 * 32 + 32 * 64 + 2 * (32 + 64)


def test_option_a_passes_the_input_through_where_the_convolutions_are_silent():
    block = resnet8(width=4).layer2[0]
    x = torch.rand(1, 4, 8, 8)
    with torch.no_grad():
        block.bn2.weight.zero_()
        out = block.eval()(x)
    assert torch.equal(out[:, :4], x[:, :, ::2, ::2])
    assert torch.equal(out[:, 4:], torch.zeros(1, 4, 4, 4))


def test_lenet_has_the_size_of_lenet5():
    # LeCun et al. 1998 with full connections between its feature maps: 61 706 trainable numbers
    assert parameters(lenet()) == 61_706


def test_the_fixture_network_has_52_thousand_weights():
    # conv 5x5x8, conv 3x3x8x16, linear 784x64, linear 64x10, and biases
    assert parameters(tiny_cnn()) == 25 * 8 + 8 + 9 * 8 * 16 + 16 + 784 * 64 + 64 + 640 + 10


@pytest.mark.parametrize("build", [partial(mlp, 784), tiny_cnn, conv_net, lenet, resnet8])
def test_the_seed_alone_decides_the_weights_and_the_global_generator_does_not_notice(build):
    torch.manual_seed(123)
    before = torch.get_rng_state()
    first = build(seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(456)
    assert weights_digest(first) == weights_digest(build(seed=3)) != weights_digest(build(seed=4))


@pytest.mark.parametrize("size", [8, 28, 32, 33])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_and_number_of_channels_gives_logits(size, channels):
    x = torch.rand(2, channels, size, size)
    assert tiny_cnn(channels=channels, size=size, classes=7)(x).shape == (2, 7)
    assert resnet8(channels=channels, classes=7, width=4)(x).shape == (2, 7)
    if size >= 12:
        assert lenet(channels=channels, size=size, classes=7)(x).shape == (2, 7)


def test_normalisation_inside_equals_normalisation_outside():
    net, x = tiny_cnn(channels=3, size=8), torch.rand(4, 3, 8, 8)
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    outside = net((x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1))
    assert torch.equal(Normalized(net, mean, std)(x), outside)


def test_an_empty_list_of_hidden_layers_is_a_linear_classifier():
    net, x = mlp(6, hidden=(), classes=3), torch.rand(5, 6)
    assert torch.equal(net(x), x @ net.head.weight.T + net.head.bias)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: mlp(0), "inputs"),
        (lambda: mlp(4, hidden=(0,)), "hidden"),
        (lambda: tiny_cnn(size=3), "size"),
        (lambda: ResidualNet(0), "blocks"),
        (lambda: resnet8(shortcut="b"), "shortcut"),
        (lambda: Normalized(mlp(4), 0.5, 0.0), "std"),
    ],
)
def test_bad_sizes_are_refused_by_name(build, message):
    with pytest.raises(InputError, match=message):
        build()
