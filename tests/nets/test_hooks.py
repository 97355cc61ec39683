"""Layer records, unit counts and features."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from holdfast.core.errors import InputError
from holdfast.nets import features, layer_records, lenet, mlp, recording, resnet8, resnet20, tiny_cnn, unit_counts


def hooks_of(net):
    return sum(len(module._forward_hooks) for module in net.modules())


def grouped():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=4, stride=2), nn.ConvTranspose2d(8, 4, 3, stride=2, groups=2)
    )


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (mlp(48), (3, 4, 4)),
        (tiny_cnn(channels=3, size=16), (3, 16, 16)),
        (lenet(channels=3, size=16), (3, 16, 16)),
        (resnet20(), (3, 32, 32)),
        (resnet8(shortcut="projection"), (3, 9, 9)),
        (grouped(), (3, 16, 16)),
        (nn.Sequential(nn.Conv1d(3, 5, 3, dilation=2), nn.Conv1d(5, 2, 1)), (3, 20)),
        (nn.Linear(6, 5), (7, 6)),
    ],
)
def test_multiplications_are_half_of_torch_s_count_of_operations(net, shape):
    x = torch.rand(1, *shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(x)
    assert sum(record.macs for record in layer_records(net, x)) == counter.get_total_flops() // 2


def test_resnet20_has_the_multiplications_of_its_formula():
    # 9 h w c_in c_out per convolution: the stem, six at 32 px and 16 channels, then per stage one that halves and five that keep
    stem, head = 9 * 32 * 32 * 3 * 16, 64 * 10
    first = 6 * 9 * 32 * 32 * 16 * 16
    later = sum(9 * side * side * (width // 2 * width + 5 * width * width) for side, width in ((16, 32), (8, 64)))
    assert sum(record.macs for record in layer_records(resnet20(), torch.rand(1, 3, 32, 32))) == stem + first + later + head


def test_attention_is_one_layer_with_four_projections():
    layer = nn.TransformerEncoderLayer(16, 2, dim_feedforward=32, batch_first=True)
    records = {record.name: record for record in layer_records(layer, torch.rand(2, 5, 16))}
    assert records["self_attn"].macs == 4 * 16 * 16 * 5
    assert not any(name.startswith("self_attn.") for name in records)


def test_records_come_in_the_order_of_calls_and_per_example():
    records = layer_records(tiny_cnn(), torch.rand(7, 1, 28, 28))
    assert [record.name for record in records] == ["conv1", "act1", "conv2", "act2", "flatten", "fc1", "act3", "head"]
    assert records[0].input_shape == (1, 28, 28)
    assert records[2].output_shape == (16, 7, 7)
    assert (records[2].rows, records[2].columns, records[2].vectors) == (8 * 9, 16, 49)


def test_units_are_channels_of_images_and_features_otherwise():
    assert unit_counts(tiny_cnn(), torch.rand(1, 1, 28, 28), nn.ReLU) == {"act1": 8, "act2": 16, "act3": 64}


def test_a_module_at_two_widths_is_refused():
    relu = nn.ReLU()
    net = nn.Sequential(nn.Linear(4, 3), relu, nn.Linear(3, 2), relu)
    with pytest.raises(InputError, match="with 3 and with 2 units"):
        unit_counts(net, torch.rand(1, 4), nn.ReLU)
    assert hooks_of(net) == 0


def test_features_are_the_layer_s_outputs_and_carry_gradients():
    net, x = tiny_cnn().train(), torch.rand(2, 1, 28, 28, requires_grad=True)
    found = features(net, x, ["act1", "fc1"])
    assert torch.equal(found["act1"], net.act1(net.conv1(x)))
    (gradient,) = torch.autograd.grad(found["fc1"].sum(), x)
    assert gradient.any()
    assert net.training
    assert hooks_of(net) == 0


def test_an_unknown_layer_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"Did you mean 'fc1'"), recording(tiny_cnn(), ["fc2"]):
        pass


def test_hooks_are_gone_after_an_error():
    net = tiny_cnn()
    with pytest.raises(RuntimeError):
        features(net, torch.rand(2, 5, 28, 28), ["act1"])
    assert hooks_of(net) == 0
