"""The uniform quantizer: levels that the convention with sign demands, bounds on the error, gradients, networks."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holdfast.core.errors import InputError
from holdfast.nets import evaluate, layer_records, mlp, tiny_cnn, weights_digest
from holdfast.quantize import (
    ActivationQuantizer,
    UniformQuantizer,
    quantize_activations,
    quantize_tensor,
    quantize_weights,
)

BITS = range(1, 17)


def weights(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize("bits", BITS)
def test_bits_include_the_sign(bits):
    # b bits signed and symmetric: 2^b - 1 levels, -(2^(b-1) - 1) .. 2^(b-1) - 1; one bit: 2 levels
    codes = UniformQuantizer(bits, per_channel=False).codes(torch.linspace(-1, 1, 200_001, dtype=torch.float64))
    assert codes.unique().numel() == max(2, 2**bits - 1)
    assert codes.max() == -codes.min() == max(1, 2 ** (bits - 1) - 1)
    assert codes.abs().max() < 2 ** max(1, bits - 1)  # fits in a signed integer of that width


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("bits", BITS[1:])
def test_no_weight_moves_by_more_than_half_a_step(bits, per_channel):
    quantizer, weight = UniformQuantizer(bits, per_channel=per_channel), weights(6, 50)
    assert ((quantizer(weight) - weight).abs() <= quantizer.step(weight) / 2 * (1 + 1e-12)).all()


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("bits", BITS)
def test_rounding_twice_is_rounding_once(bits, per_channel):
    quantizer = UniformQuantizer(bits, per_channel=per_channel)
    once = quantizer(weights(6, 50))
    torch.testing.assert_close(quantizer(once), once, rtol=1e-13, atol=0)
    assert torch.equal(quantizer.codes(once), quantizer.codes(weights(6, 50)))


@pytest.mark.parametrize("bits", BITS)
def test_codes_times_step_is_the_rounded_tensor(bits):
    quantizer, weight = UniformQuantizer(bits), weights(4, 5, 3, 3)
    assert torch.equal(quantizer.codes(weight) * quantizer.step(weight), quantizer(weight))


@pytest.mark.parametrize("bits", BITS)
def test_mirrored_weights_have_mirrored_levels(bits):
    assert torch.equal(quantize_tensor(-weights(6, 50), bits), -quantize_tensor(weights(6, 50), bits))


@given(scale=st.floats(1e-6, 1e6), bits=st.integers(1, 16))
@settings(deadline=None, max_examples=60)
def test_the_unit_of_the_weights_does_not_matter(scale, bits):
    quantizer, weight = UniformQuantizer(bits), weights(3, 20)
    same = quantizer.codes(weight) == quantizer.codes(scale * weight)
    assert same.double().mean() > 0.98  # a rounding tie may turn


def test_the_largest_weight_of_each_channel_is_a_level():
    weight = weights(6, 50)
    assert torch.allclose(quantize_tensor(weight, 3).abs().amax(1), weight.abs().amax(1), rtol=1e-14)


def test_one_bit_is_the_mean_size_times_the_sign():
    weight = weights(6, 50)
    expected = weight.abs().mean(1, keepdim=True) * weight.sign()
    assert torch.allclose(quantize_tensor(weight, 1), expected, rtol=1e-14)
    # of all scales a, mean|W| minimises the squared error of a sign(W)
    for factor in (0.9, 1.1):
        assert ((weight - factor * expected) ** 2).sum() > ((weight - expected) ** 2).sum()


def test_more_bits_never_err_more():
    weight = weights(20, 200)
    errors = [float((quantize_tensor(weight, bits) - weight).abs().max()) for bits in BITS[1:]]
    assert all(later < earlier for earlier, later in itertools.pairwise(errors))


def test_channels_with_their_own_step_err_less_than_with_a_common_one():
    weight = weights(8, 50) * torch.logspace(-2, 0, 8, dtype=torch.float64)[:, None]
    own, common = ((quantize_tensor(weight, 4, per_channel=p) - weight).pow(2).sum() for p in (True, False))
    assert own < common


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_weights_that_are_all_zero_stay_zero(bits):
    weight = torch.zeros(2, 3)
    weight[0] = 1.0
    rounded = quantize_tensor(weight, bits)
    assert torch.equal(rounded, weight)


@pytest.mark.parametrize("bits", BITS)
def test_gradients_pass_straight_through(bits):
    weight = weights(3, 4).requires_grad_()
    upstream = weights(3, 4) + 1
    (quantize_tensor(weight, bits) * upstream).sum().backward()
    assert torch.equal(weight.grad, upstream)


def test_a_network_learns_through_two_bits(digits_small):
    # the straight-through estimator must be of use: three levels, trained through, beat three levels after training
    train, test = digits_small
    net = mlp(64, hidden=(40,))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(60):
        hidden = torch.relu(train.x.flatten(1) @ quantize_tensor(net.fc1.weight, 2).T + net.fc1.bias)
        logits = hidden @ quantize_tensor(net.head.weight, 2).T + net.head.bias
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, train.y).backward()
        optimizer.step()
    assert evaluate(quantize_weights(net, 2), test).accuracy.value > 0.8


class TestWeightsOfNetworks:
    def test_the_network_itself_stays_as_it_was(self, digits_cnn):
        digest = weights_digest(digits_cnn)
        quantize_weights(digits_cnn, 3)
        assert weights_digest(digits_cnn) == digest

    def test_sixteen_bits_change_no_answer_and_two_bits_do(self, digits_cnn, digits_small):
        answers = [
            evaluate(net, digits_small[1]).correct for net in (digits_cnn, *(quantize_weights(digits_cnn, b) for b in (16, 2)))
        ]
        assert torch.equal(answers[0], answers[1])
        assert not torch.equal(answers[0], answers[2])

    def test_biases_and_normalisation_stay_as_they_are(self):
        net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU())
        net(weights(8, 1, 5, 5, dtype=torch.float32))
        rough = quantize_weights(net, 2)
        changed = {name for name, value in net.state_dict().items() if not torch.equal(value, rough.state_dict()[name])}
        assert changed == {"0.weight"}

    def test_tied_weights_stay_tied(self):
        net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        net[1].weight = net[0].weight
        rough = quantize_weights(net, 3)
        assert rough[1].weight is rough[0].weight
        assert torch.equal(rough[0].weight, quantize_tensor(net[0].weight, 3))

    def test_transposed_convolutions_have_their_output_channels_second(self):
        net = nn.ConvTranspose2d(2, 3, 3)
        with torch.no_grad():
            net.weight *= torch.tensor([1.0, 10.0, 100.0]).view(1, 3, 1, 1)
        largest = quantize_weights(net, 2).weight.abs().amax((0, 2, 3))
        assert torch.allclose(largest, net.weight.abs().amax((0, 2, 3)))


class TestActivations:
    def test_every_layer_behind_the_first_has_a_range_from_the_data(self):
        net, x = mlp(64, hidden=(20, 20)), torch.rand(50, 64)
        rough = quantize_activations(net, 8, x)
        hidden = net.act1(net.fc1(x)).detach()
        assert not hasattr(rough.fc1, "input_quantizer")
        assert float(rough.fc2.input_quantizer.limit) == pytest.approx(float(hidden.max()))
        assert not rough.fc2.input_quantizer.signed

    def test_what_is_never_negative_spends_no_bit_on_the_sign(self):
        unsigned, signed = ActivationQuantizer(3), ActivationQuantizer(3)
        x = torch.linspace(0, 1, 1001)
        unsigned.observe(x)
        signed.observe(torch.cat([-x, x]))
        assert unsigned(x).unique().numel() == 2**3
        assert signed(torch.cat([-x, x])).unique().numel() == 2**3 - 1

    @pytest.mark.parametrize("bits", BITS[:10])
    @pytest.mark.parametrize("lowest", [0.0, -2.0])
    def test_no_activation_in_range_moves_by_more_than_half_a_step(self, bits, lowest):
        x = torch.linspace(lowest, 2, 4001, dtype=torch.float64)
        quantizer = ActivationQuantizer(bits).double()
        quantizer.observe(x)
        steps = 2**bits - 1 if lowest == 0 else max(1, 2**bits - 2)
        assert (quantizer(x) - x).abs().max() <= (2 - lowest) / steps / 2 + 1e-12
        assert quantizer(x).unique().numel() == steps + 1

    def test_zero_is_a_level(self):
        quantizer = ActivationQuantizer(4)
        quantizer.observe(torch.tensor([-1.0, 3.0]))
        assert quantizer(torch.zeros(1)).item() == 0

    def test_a_percentile_clips_outliers(self):
        quantizer = ActivationQuantizer(4, percentile=99.0)
        quantizer.observe(torch.cat([torch.linspace(0, 1, 10_000), torch.full((10,), 100.0)]))
        assert float(quantizer.limit) == pytest.approx(0.99, abs=0.005)

    def test_a_percentile_sees_all_columns_of_an_image(self):
        # 2**20 numbers, of which every second is dimmed: 98 % of all are below 0.96, but 98 % of the dimmed ones below 0.01
        x = torch.rand(256, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        x[..., ::2] *= 0.01
        quantizer = ActivationQuantizer(4, percentile=98.0)
        quantizer.observe(x)
        # 2**18 draws put the percentile within 0.0003 (one standard deviation) of its place, of slope 2
        assert float(quantizer.limit) == pytest.approx(0.96, abs=0.004)

    @pytest.mark.parametrize("rows", [1, 7, 100])
    def test_a_percentile_does_not_depend_on_how_data_come_in_batches(self, rows):
        # rows that differ in size by a factor of 100, more numbers than are kept
        x = torch.rand(100, 4000, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.01, 1, 100)[:, None]
        whole, parts = ActivationQuantizer(4, percentile=95.0), ActivationQuantizer(4, percentile=95.0)
        whole.observe(x)
        for part in x.split(rows):
            parts.observe(part)
        assert float(parts.limit) == float(whole.limit)
        assert float(whole.limit) == pytest.approx(float(np.quantile(x.numpy(), 0.95)), rel=0.01)

    def test_gradients_pass_inside_the_range_and_end_outside(self):
        quantizer = ActivationQuantizer(4)
        quantizer.observe(torch.tensor([0.0, 1.0]))
        x = torch.tensor([-0.5, 0.3, 0.8, 1.5], requires_grad=True)
        quantizer(x).sum().backward()
        assert x.grad.tolist() == [0, 1, 1, 0]

    def test_dead_activations_stay_zero(self):
        quantizer = ActivationQuantizer(4)
        quantizer.observe(torch.zeros(5))
        assert torch.equal(quantizer(torch.zeros(5)), torch.zeros(5))

    def test_many_bits_change_no_answer_and_few_do(self, digits_cnn, digits_small):
        train, test = digits_small
        nominal, fine, coarse = (
            evaluate(net, test).correct
            for net in (digits_cnn, *(quantize_activations(digits_cnn, bits, train.x[:256]) for bits in (16, 1)))
        )
        assert (nominal != fine).float().mean() <= 0.002
        assert coarse.float().mean() < nominal.float().mean()

    def test_the_network_and_its_hooks_stay_as_they_were(self, digits_cnn, digits_small):
        digest = weights_digest(digits_cnn)
        rough = quantize_activations(digits_cnn, 4, digits_small[0].x[:50])
        assert weights_digest(digits_cnn) == digest
        assert all(not module._forward_pre_hooks for module in digits_cnn.modules())
        again = quantize_activations(rough, 2, digits_small[0].x[:50])
        assert again.fc1.input_quantizer.bits == 2
        assert len(again.fc1._forward_pre_hooks) == 1

    def test_ranges_travel_with_the_state_dict(self, digits_small):
        x = digits_small[0].x[:50]
        source, copied = (quantize_activations(mlp(64, seed=s), 4, x) for s in (0, 1))
        copied.load_state_dict(source.state_dict())
        assert torch.equal(copied(x), source(x))

    def test_a_layer_that_the_data_never_reach_refuses_what_reaches_it_later(self):
        class Branch(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.c = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)

            def forward(self, x):
                return self.b(self.a(x)) if x.sum() > 0 else self.c(self.a(x))

        rough = quantize_activations(Branch(), 4, torch.rand(5, 2))
        assert rough(torch.rand(5, 2)).isfinite().all()
        with pytest.raises(InputError, match="has no measured range"):
            rough(-torch.rand(5, 2))


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: UniformQuantizer(0), "bits"),
        (lambda: UniformQuantizer(17), "bits"),
        (lambda: quantize_weights(nn.Linear(2, 2), 0), "bits"),
        (lambda: quantize_tensor(torch.arange(4), 4), "int64"),
        (lambda: quantize_tensor(torch.tensor([1.0, np.nan]), 4), "NaN"),
        (lambda: quantize_weights(nn.ReLU(), 4), "no weights"),
        (lambda: quantize_activations(nn.Linear(2, 2), 4, torch.rand(3, 2)), "two linear"),
        (lambda: quantize_activations(mlp(2), 0, torch.rand(3, 2)), "bits"),
        (lambda: ActivationQuantizer(4, percentile=101), "percentile"),
        (lambda: ActivationQuantizer(4)(torch.zeros(1)), "has no measured range"),
    ],
)
def test_impossible_quantizers_are_refused(attempt, message):
    with pytest.raises(InputError, match=message):
        attempt()


def test_a_broken_layer_is_named():
    net = mlp(4)
    with torch.no_grad():
        net.fc1.weight[0, 0] = float("inf")
    with pytest.raises(InputError, match=r"fc1\.weight"):
        quantize_weights(net, 4)


def test_a_rounded_network_still_shows_its_layers():
    names = [record.name for record in layer_records(quantize_weights(tiny_cnn(size=8), 4), torch.rand(1, 1, 8, 8))]
    assert names[:2] == ["conv1", "act1"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bits", [2, 8, 12, 16])
@pytest.mark.parametrize("size", [1.0, 1e-3])
def test_tensors_in_half_precision_are_rounded_as_in_single(dtype, bits, size):
    # a step of 16 bits is max / 32767: below the smallest number of float16 for weights of 1e-3
    weight = (size * weights(8, 40, dtype=torch.float32)).to(dtype)
    rounded = quantize_tensor(weight, bits)
    assert rounded.dtype == dtype
    torch.testing.assert_close(rounded, quantize_tensor(weight.float(), bits).to(dtype), rtol=torch.finfo(dtype).eps, atol=0)
    layer = ActivationQuantizer(bits).to(dtype)
    layer.observe(weight)
    found = layer(weight)
    assert found.dtype == dtype
    assert bool(
        (
            (found.float() - weight.float()).abs() <= float(weight.float().abs().max()) / max(1, 2**bits - 2) * 1.01 + 1e-2 * size
        ).all()
    )
    assert bool(found.isfinite().all())
