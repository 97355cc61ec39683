"""Networks that quantize themselves: their widths, their identity, and plain layers in the place of simulated ones."""

import copy
import warnings

import pytest
import torch
from torch import nn

from holdfast.nets import bake_weights, closed_weights, layer_records, own_widths, weights_digest

pytestmark = pytest.mark.filterwarnings(
    "ignore:torch.ao.quantization is deprecated:DeprecationWarning",
    "ignore:torch.quantize_per_tensor:UserWarning",
    "ignore:Please use quant_min and quant_max:UserWarning",
)


def brevitas():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("brevitas.nn")


def few_bits(**more):
    layers = brevitas()
    conv, act = layers.QuantConv2d(1, 4, 3, weight_bit_width=4, **more), layers.QuantReLU(bit_width=3)
    net = nn.Sequential(conv, act, nn.Flatten(), layers.QuantLinear(4 * 36, 3, bias=True, weight_bit_width=2))
    net.train()(images(20))  # the activations find their scale
    return net.eval()


def images(n=5):
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def dynamic(net):
    from torch.ao import quantization

    return quantization.quantize_dynamic(net, {nn.Linear, nn.LSTM})


def static(net):
    from torch.ao import quantization

    whole = nn.Sequential(quantization.QuantStub(), net, quantization.DeQuantStub()).eval()
    whole.qconfig = quantization.get_default_qconfig(torch.backends.quantized.engine)
    prepared = quantization.prepare(whole)
    prepared(images())
    return quantization.convert(prepared)


def torchao(net):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = pytest.importorskip("torchao.quantization")
    library.quantize_(net, library.Int8WeightOnlyConfig())
    return net


def plain(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()


class TestLayersOfBrevitas:
    def test_each_layer_has_one_record_and_modules_without_tensors_have_none(self):
        records = {record.name: record for record in layer_records(few_bits(), images(1))}
        assert records["0"].macs == 9 * 4 * 36
        assert records["3"].macs == 4 * 36 * 3
        assert not any(name.startswith(("0.", "3.")) for name in records)

    def test_rounded_weights_become_plain_ones_that_answer_alike(self):
        net = few_bits()
        baked = bake_weights(net)
        assert type(baked[0]) is nn.Conv2d
        assert baked[0].weight.unique().numel() <= 2**4
        assert torch.equal(baked(images()), net(images()))
        assert closed_weights(baked) == ()
        assert own_widths(baked).notes == own_widths(net).notes
        assert (own_widths(net).in_each_pass, own_widths(baked).in_each_pass) == (("0", "3"), ())

    def test_a_layer_whose_bias_hangs_on_the_scale_of_its_weights_stays_as_it_is(self):
        from brevitas.quant import Int8ActPerTensorFloat, Int32Bias

        net = few_bits(bias_quant=Int32Bias, input_quant=Int8ActPerTensorFloat)
        assert type(bake_weights(net)[0]) is type(net[0])
        assert own_widths(bake_weights(net)).in_each_pass == ("0",)
        assert own_widths(net).weights == {"0": 4, "3": 2}
        assert own_widths(net).activations == {"0": 8, "1": 3}

    def test_widths_are_named_in_words(self):
        assert own_widths(few_bits()).notes == (
            "weights are quantized by the network itself: 4 bits in 0; 2 bits in 3",
            "activations are quantized by the network itself: 3 bits in 1",
        )


@pytest.mark.parametrize("quantized", [dynamic, static, torchao])
class TestConvertedNetworks:
    def test_equal_weights_have_one_digest_and_others_another(self, quantized):
        digests = [weights_digest(quantized(plain(seed))) for seed in (0, 0, 1)]
        assert digests[0] == digests[1] != digests[2]

    def test_a_code_that_differs_is_another_network(self, quantized):
        net, other = plain(), plain()
        with torch.no_grad():
            other[3].weight[0, 0] *= -1
        assert weights_digest(quantized(net)) != weights_digest(quantized(other))

    def test_their_weights_have_8_bits_and_cannot_be_replaced(self, quantized):
        net = quantized(plain())
        widths = own_widths(net)
        assert set(widths.weights.values()) == {8}
        assert closed_weights(net) == tuple(widths.weights)


def test_a_recurrent_network_with_packed_weights_is_closed_and_has_its_digest():
    class Rows(nn.Module):
        def __init__(self, seed):
            super().__init__()
            torch.manual_seed(seed)
            self.rnn = nn.LSTM(8, 4, batch_first=True)

        def forward(self, x):
            return self.rnn(x.flatten(1, 2))[0][:, -1]

    nets = [dynamic(Rows(seed)) for seed in (0, 0, 1)]
    digests = [weights_digest(net) for net in nets]
    assert digests[0] == digests[1] != digests[2]
    assert closed_weights(nets[0]) == ("rnn",)
    assert own_widths(nets[0]).weights == {"rnn": 8}


def test_simulated_quantization_of_torch_is_named_before_and_after_baking():
    from torch.ao import quantization

    net = plain().train()
    net.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    quantization.prepare_qat(net, inplace=True)
    net(images())
    net.eval().apply(quantization.disable_observer)
    assert own_widths(net).weights == own_widths(bake_weights(net)).weights == {"0": 8, "3": 8}
    assert set(own_widths(net).activations.values()) <= {7, 8}


def test_the_digest_of_a_plain_network_is_that_of_its_tensors():
    from holdfast.core.digest import digest_arrays

    net = plain()
    assert weights_digest(net) == digest_arrays(dict(net.state_dict()))
    assert own_widths(copy.deepcopy(net)).notes == ()


def test_a_layer_that_is_called_with_its_input_by_name_has_a_record():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, x):
            return self.fc(input=x)

    assert [record.macs for record in layer_records(Named(), torch.rand(1, 3))] == [6]
