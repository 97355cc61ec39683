"""Fewer bits where functions multiply activations: attention, products, layers as functions, recurrent layers."""

import copy
import math
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from holdfast.core.errors import InputError
from holdfast.nets import weights_digest
from holdfast.quantize import ActivationQuantizer, out_of_reach, quantize_activations


def rounded(bits, seen, value=None):
    """`value` in the range that `seen` spans."""
    quantizer = ActivationQuantizer(bits)
    quantizer.observe(seen)
    return quantizer(seen if value is None else value)


class Functions(nn.Module):
    """Layers and a product of activations as functions; the same arithmetic as modules where `rough` is given."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 5), nn.Linear(5, 5)
        self.mix = nn.Parameter(torch.randn(5, 3))

    def forward(self, x):
        hidden = functional.relu(functional.linear(x, self.a.weight, self.a.bias))
        hidden = functional.linear(hidden, self.b.weight, bias=self.b.bias).tanh()
        gram = hidden @ hidden.T
        return torch.einsum("ij,jk->ik", gram, hidden) @ (2 * self.mix)


class Attending(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        self.embed, self.head = nn.Linear(4, 8), nn.Linear(8, 3)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **settings)

    def forward(self, x):
        hidden = self.embed(x)
        return self.head(self.attention(hidden, hidden, hidden, need_weights=False)[0].mean(1))


class Explicit(nn.Module):
    """The same with its products written out."""

    def __init__(self, other):
        super().__init__()
        self.embed, self.head = copy.deepcopy(other.embed), copy.deepcopy(other.head)
        matrices, biases = other.attention.in_proj_weight.chunk(3), other.attention.in_proj_bias.chunk(3)
        self.projections = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        for layer, matrix, bias in zip(self.projections, matrices, biases, strict=True):
            layer.weight, layer.bias = nn.Parameter(matrix.detach().clone()), nn.Parameter(bias.detach().clone())
        self.out = copy.deepcopy(other.attention.out_proj)

    def forward(self, x):
        hidden = self.embed(x)
        queries, keys, values = (layer(hidden).unflatten(-1, (2, 4)).transpose(1, 2) for layer in self.projections)
        probabilities = (queries @ keys.transpose(-1, -2) / math.sqrt(4)).softmax(-1)
        return self.head(self.out((probabilities @ values).transpose(1, 2).flatten(2)).mean(1))


def sequences(n=20):
    return torch.randn(n, 5, 4, generator=torch.Generator().manual_seed(0))


def test_functions_are_rounded_as_written_out_by_hand():
    net, x = Functions().eval(), torch.randn(9, 6)
    rough = quantize_activations(net, 3, x)
    with torch.no_grad():
        exact = functional.relu(net.a(x))  # what the data flow into first keeps its input
        hidden = net.b(rounded(3, exact)).tanh()
        plain = net.b(exact).tanh()  # ranges are those of the network in full precision
        seen = plain @ plain.T
        gram = rounded(3, plain, hidden) @ rounded(3, plain.T, hidden.T)
        product = rounded(3, seen, gram) @ rounded(3, plain, hidden)
        wanted = rounded(3, seen @ plain, product) @ (2 * net.mix)
    assert torch.allclose(rough(x), wanted, atol=1e-6)
    assert not torch.allclose(net(x), wanted, atol=1e-2)


def test_what_is_made_of_weights_alone_is_not_an_activation():
    rough = quantize_activations(Functions().eval(), 3, torch.randn(9, 6))
    keys = ["linear (2), input", "matmul, input", "matmul, other", "einsum, operand 1", "einsum, operand 2", "matmul (2), input"]
    assert list(rough.quantizers) == keys


@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"kdim": 8, "vdim": 8}, {"add_bias_kv": True}, {"add_zero_attn": True}])
def test_attention_of_torch_with_16_bits_answers_as_without(settings):
    net, x = Attending(**settings).eval(), sequences()
    assert torch.allclose(quantize_activations(net, 16, x)(x), net(x), atol=2e-3)
    assert not torch.allclose(quantize_activations(net, 2, x)(x), net(x), atol=2e-3)


def test_attention_is_rounded_as_if_its_projections_were_layers():
    net, x = Attending().eval(), sequences()
    with torch.no_grad():
        net.attention.in_proj_bias.normal_()
        whole = quantize_activations(net, 4, x)
        parts = quantize_activations(Explicit(net).eval(), 4, x)
        parts.fixed |= {"matmul after projections/2 (2), input"}  # probabilities: one operation of torch makes and uses them
        assert torch.allclose(whole(x), parts(x), atol=1e-5)
    assert out_of_reach(whole) == (
        "the probabilities of attention keep their precision at 1 place, where one operation makes and uses them",
    )
    assert out_of_reach(parts) == ()


def test_masks_and_transformer_layers_go_through():
    net = nn.Sequential(nn.Linear(4, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 3)).eval()
    x = sequences()
    assert torch.allclose(quantize_activations(net, 16, x)(x), net(x), atol=2e-3)


def test_fused_products_round_queries_keys_and_values():
    class Fused(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.head = (nn.Linear(4, 4) for _ in range(4))

        def forward(self, x):
            return self.head(functional.scaled_dot_product_attention(self.q(x), self.k(x), value=self.v(x)).mean(1))

    net, x = Fused().eval(), sequences()
    rough = quantize_activations(net, 3, x)
    assert list(rough.quantizers) == [f"scaled_dot_product_attention after v, {name}" for name in ("query", "key", "value")]
    assert [name for name, _ in rough.model.named_children() if hasattr(getattr(rough.model, name), "input_quantizer")] == [
        "k",
        "v",
        "head",
    ]


class Recurrent(nn.Module):
    def __init__(self, kind=nn.LSTM):
        super().__init__()
        self.rnn, self.head = kind(4, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_behind_a_recurrent_layer_activations_are_rounded_and_inside_they_are_not(kind):
    net, x = Recurrent(kind).eval(), sequences()
    rough = quantize_activations(net, 3, x)
    states = net.rnn(x)[0][:, -1]
    assert torch.equal(rough(x), net.head(rounded(3, states)))
    assert out_of_reach(rough) == (f"states and gates inside rnn ({kind.__name__}) keep their precision",)


def test_sequences_of_several_lengths_are_rounded():
    class Packed(Recurrent):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 4)

        def forward(self, x):
            packed = nn.utils.rnn.pack_padded_sequence(self.first(x), [x.shape[1]] * len(x), batch_first=True)
            return self.head(self.rnn(packed)[1][0][-1])

    net, x = Packed().eval(), sequences()
    assert torch.allclose(quantize_activations(net, 16, x)(x), net(x), atol=1e-3)
    assert not torch.equal(quantize_activations(net, 2, x)(x), net(x))


def test_looked_up_vectors_are_activations():
    net = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(8, 3))
    x = torch.arange(10).reshape(5, 2)
    rough = quantize_activations(net, 2, x)
    assert torch.equal(rough(x), net[2](rounded(2, net[1](net[0](x)))))


def test_rounded_operations_are_copied_saved_differentiated_and_rounded_anew():
    net, x = Attending().eval(), sequences().requires_grad_()
    before = weights_digest(net)
    rough = quantize_activations(net, 4, x.detach())
    assert weights_digest(net) == before
    assert not any(module._forward_pre_hooks for module in net.modules())
    answer = rough(x)
    for twin in (copy.deepcopy(rough), pickle.loads(pickle.dumps(rough))):
        assert torch.equal(twin(x), answer)
    other = quantize_activations(net, 4, 3 * x.detach())
    assert not torch.equal(other(x), answer)
    other.load_state_dict(rough.state_dict())
    assert torch.equal(other(x), answer)
    (gradient,) = torch.autograd.grad(answer.sum(), x)
    assert gradient.any()
    again = quantize_activations(rough, 8, x.detach())
    assert type(again.model) is Attending
    assert {quantizer.bits for quantizer in again.modules() if isinstance(quantizer, ActivationQuantizer)} == {8}


def test_a_way_that_the_calibration_never_took_is_refused():
    class Branching(Attending):
        def forward(self, x):
            hidden = self.embed(x)
            if x.sum() > 1e3:
                hidden = hidden @ hidden.transpose(1, 2) @ hidden
            return self.head((hidden @ hidden.transpose(1, 2)).sum(-1, keepdim=True).expand(-1, -1, 8).mean(1))

    rough = quantize_activations(Branching().eval(), 4, sequences())
    with pytest.raises(InputError, match="where the calibration data never came"):
        rough(sequences() + 100)


def test_activations_that_know_their_scale_flow_into_a_plain_layer():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = pytest.importorskip("brevitas.nn")
    net = nn.Sequential(nn.Linear(4, 8), layers.QuantReLU(bit_width=4, return_quant_tensor=True), nn.Linear(8, 3))
    x = torch.randn(50, 4)
    net.train()(x)
    net.eval()
    assert torch.allclose(quantize_activations(net, 16, x)(x), net(x), atol=1e-3)
    assert not torch.equal(quantize_activations(net, 2, x)(x), net(x))
