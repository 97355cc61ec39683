"""Networks as functions of their weights: what is restored, what is tied, what is stacked."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.func import functional_call

from holdfast.core.errors import InputError
from holdfast.core.target import Target
from holdfast.nets import (
    frozen,
    lenet,
    mlp,
    named_weights,
    per_example_gradients,
    predict,
    resnet8,
    round_ste,
    seeded,
    stack,
    stacked_logits,
    stacked_predict,
    tiny_cnn,
    weights_digest,
    with_weights,
)


class Counting(nn.Module):
    """A layer with state that moves even in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return x


class Branching(nn.Module):
    """A network that decides on the values it sees, which cannot be vectorised."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        y = self.layer(x)
        return y if y.sum() > 0 else -y


def tied():
    net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.ReLU(), nn.Linear(4, 4, bias=False))
    net[2].weight = net[0].weight
    return net


@pytest.mark.parametrize("wrap", [lambda net: net, lambda net: Target(model=net)])
def test_a_frozen_network_is_as_before_bit_for_bit_even_after_an_error(wrap):
    net = nn.Sequential(mlp(4), Counting(), nn.BatchNorm1d(10)).train()
    net[0].fc1.weight.requires_grad_(False)
    net[2].eval()
    state = [(m.training, [p.requires_grad for p in m.parameters()]) for m in net.modules()]
    digest = weights_digest(net)
    with frozen(wrap(net)):
        assert not any(m.training for m in net.modules())
        assert not any(p.requires_grad for p in net.parameters())
        net(torch.rand(3, 4))
        assert weights_digest(net) != digest
    assert [(m.training, [p.requires_grad for p in m.parameters()]) for m in net.modules()] == state
    assert weights_digest(net) == digest
    with pytest.raises(RuntimeError), frozen(wrap(net)):
        net(torch.rand(3, 5))
    assert [(m.training, [p.requires_grad for p in m.parameters()]) for m in net.modules()] == state
    assert weights_digest(net) == digest


def test_the_digest_sees_a_single_bit_and_ignores_the_mode():
    net = mlp(4)
    digest = weights_digest(net)
    assert weights_digest(net.eval()) == digest
    with torch.no_grad():
        net.fc1.weight[0, 0] = torch.nextafter(net.fc1.weight[0, 0], torch.tensor(9.0))
    assert weights_digest(net) != digest


def test_weights_are_kernels_and_matrices_without_biases_and_normalisation():
    names = list(named_weights(resnet8(shortcut="projection")))
    assert names[0] == "conv1.weight"
    assert names[-1] == "head.weight"
    assert not any("bn" in name or "bias" in name for name in names)
    # 7 convolutions, 2 projections, 1 head
    assert len(names) == 10


def test_tied_weights_are_one_weight():
    net = tied()
    assert list(named_weights(net)) == ["0.weight"]
    twin = with_weights(net, {"0.weight": torch.zeros(4, 4)})
    assert twin[2].weight is twin[0].weight
    assert not twin[2].weight.any()
    assert net[0].weight.any()


def test_other_weights_go_into_a_copy():
    net = tiny_cnn()
    digest = weights_digest(net)
    twin = with_weights(net, {name: 2 * weight for name, weight in named_weights(net).items()})
    assert torch.equal(twin.fc1.weight, 2 * net.fc1.weight)
    assert torch.equal(twin.fc1.bias, net.fc1.bias)
    assert weights_digest(net) == digest


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"fc1.wait": torch.zeros(1)}, "Did you mean 'fc1.weight'"), ({"fc1.weight": torch.zeros(1)}, r"shape \(1,\)")],
)
def test_unknown_names_and_wrong_shapes_are_refused(weights, message):
    with pytest.raises(InputError, match=message):
        with_weights(mlp(4), weights)


def perceptron():
    return mlp(36, hidden=(7,))


def small_cnn():
    return tiny_cnn(size=6)


def residual():
    return resnet8(channels=1, width=2)


@pytest.mark.parametrize("chunk", [None, 1, 2])
@pytest.mark.parametrize("build", [perceptron, small_cnn, residual, tied])
def test_stacked_equals_one_after_another(build, chunk):
    net = build()
    x = torch.rand(5, 4) if build is tied else torch.rand(5, 1, 6, 6)
    generator = torch.Generator().manual_seed(0)
    stacked = {name: w.detach() + 0.1 * torch.randn(3, *w.shape, generator=generator) for name, w in named_weights(net).items()}
    one_by_one = [predict(with_weights(net, {name: w[index] for name, w in stacked.items()}), x) for index in range(3)]
    together = stacked_predict(net, stacked, x, chunk=chunk, batch_size=2)
    torch.testing.assert_close(together, torch.stack(one_by_one), rtol=1e-5, atol=1e-5)


def test_a_stack_of_models_answers_like_its_members():
    members = [lenet(size=12, seed=seed).eval() for seed in range(3)]
    together, x = stack(members), torch.rand(4, 1, 12, 12)
    assert len(together) == 3
    torch.testing.assert_close(together(x), torch.stack([member(x) for member in members]))


class Gained(nn.Module):
    def __init__(self, gain):
        super().__init__()
        self.layer, self.gain = nn.Linear(4, 2), gain

    def forward(self, x):
        return self.gain * self.layer(x)


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ([Gained(1.0), Gained(1.0), Gained(2.0)], r"'gain': 2\.0 in number 2, 1\.0 in number 0"),
        ([Gained(torch.ones(2)), Gained(torch.zeros(2))], "'gain': tensor"),
        ([nn.Sequential(nn.Linear(4, 2), nn.LeakyReLU(slope)) for slope in (0.1, 0.2)], r"'1\.extra_repr'"),
        ([nn.Sequential(nn.Linear(4, 2), act) for act in (nn.ReLU(), nn.Tanh())], r"'1\.type': 'Tanh'|'1\.(extra_repr|inplace)'"),
        ([nn.Linear(4, 2), nn.Sequential(nn.Linear(4, 2))], "differs in"),
    ],
)
def test_models_that_differ_in_more_than_their_tensors_are_no_stack(members, name):
    with pytest.raises(InputError, match=name):
        stack(members)


def test_gradients_flow_through_a_stack():
    net, x = mlp(4, classes=2), torch.rand(3, 4)
    stacked = {"head.weight": torch.stack([net.head.weight.detach()] * 2).requires_grad_()}
    stacked_logits(net, stacked, x)[0].sum().backward()
    assert stacked["head.weight"].grad[0].any()
    assert not stacked["head.weight"].grad[1].any()


def test_a_network_that_branches_on_values_runs_in_a_loop_with_one_warning():
    net, x = Branching(), torch.rand(3, 4)
    stacked = {"layer.weight": torch.randn(4, 2, 4, generator=torch.Generator().manual_seed(0))}
    with pytest.warns(RuntimeWarning, match="one after another") as caught:
        together = stacked_logits(net, stacked, x)
    assert len(caught) == 1
    assert torch.equal(together, torch.stack([functional_call(net, {"layer.weight": w}, (x,)) for w in stacked["layer.weight"]]))


def test_what_cannot_be_stacked_is_refused():
    net, x = mlp(4), torch.rand(3, 4)
    with pytest.raises(InputError, match="leading lengths"):
        stacked_logits(net, {"head.weight": torch.zeros(2, 10, 200), "head.bias": torch.zeros(3, 10)}, x)
    with pytest.raises(InputError, match="names 'tail'"):
        stacked_logits(net, {"tail": torch.zeros(2, 1)}, x)
    with pytest.raises(InputError, match="at least one network"):
        stack([])


def test_per_example_gradients_are_those_of_single_examples():
    net, x, y = tiny_cnn(size=8), torch.rand(4, 1, 8, 8), torch.tensor([0, 3, 5, 9])
    rows = per_example_gradients(net, x, y)
    for index in range(4):
        loss = nn.functional.cross_entropy(net(x[index : index + 1]), y[index : index + 1])
        for (name, row), single in zip(rows.items(), torch.autograd.grad(loss, list(net.parameters())), strict=True):
            torch.testing.assert_close(row[index], single, msg=name)


def test_rounding_is_exact_and_its_gradient_is_one():
    x = torch.tensor([-1.5, -0.4, 0.5, 1.5, 123456.7], requires_grad=True)
    y = round_ste(x)
    y.sum().backward()
    assert torch.equal(y.detach(), x.detach().round())
    assert torch.equal(x.grad, torch.ones(5))


def test_borrowed_randomness_is_given_back():
    before = torch.get_rng_state()
    with seeded(5):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with warnings.catch_warnings(), seeded(5):
        assert torch.equal(torch.rand(3), first)


def test_copies_of_a_frozen_network_can_be_made_inside():
    net = mlp(4)
    with frozen(net):
        twin = copy.deepcopy(net)
    assert not twin.fc1.weight.requires_grad
    assert net.fc1.weight.requires_grad
