"""Input gradients of posteriors: closed forms on linear networks, what cancels and how fast, saturation, bad input."""

import math

import pytest
import torch
from torch import nn

from holdfast.bayes import Posterior, gradients
from holdfast.bayes.cancellation import cancellation_ratio
from holdfast.bayes.gradients import expected_input_gradient
from holdfast.core.errors import InputError
from holdfast.nets import mlp, stack, tiny_cnn


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def networks(samples=7, **settings):
    return [mlp(6, hidden=(5,), classes=3, activation=nn.LeakyReLU, seed=seed, **settings) for seed in range(samples)]


@pytest.fixture
def data():
    return torch.rand(9, 6, generator=generator()), torch.arange(9) % 3


def first_output(logits, y):
    del y
    return logits[:, 0]


def plane(d=20):
    """An orthonormal basis (d, d) whose first two columns span the support of the data."""
    return torch.linalg.qr(torch.randn(d, d, generator=generator(5), dtype=torch.float64))[0]


def test_a_linear_softmax_network_has_the_closed_form(data):
    x, y = data
    weights = torch.randn(40, 3, 6, generator=generator(1))
    post = Posterior(model=nn.Linear(6, 3, bias=False), params={"weight": weights})
    found = expected_input_gradient(post, x, y)
    slope = (torch.einsum("skd,nd->snk", weights, x).softmax(-1) - nn.functional.one_hot(y, 3)).double()
    each = torch.einsum("snk,skd->snd", slope, weights.double())
    torch.testing.assert_close(found.mean, each.mean(0), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.sample_norms, each.norm(dim=2), rtol=1e-4, atol=1e-6)
    cosine = nn.functional.cosine_similarity(found.direction, found.mean, dim=1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


@pytest.mark.parametrize("chunk", [None, 1, 3])
@pytest.mark.parametrize("kind", ["perceptron", "convolutional"])
def test_the_program_for_all_samples_equals_a_loop_over_networks(kind, chunk, data):
    if kind == "perceptron":
        nets, (x, y) = networks(), data
    else:
        nets, x, y = (
            [tiny_cnn(size=8, seed=seed) for seed in range(4)],
            torch.rand(5, 1, 8, 8, generator=generator()),
            torch.arange(5),
        )
    found = expected_input_gradient(Posterior.of_models(nets), x, y, chunk=chunk)
    each = []
    for net in nets:
        inputs = x.clone().requires_grad_()
        each.append(torch.autograd.grad(nn.functional.cross_entropy(net(inputs), y, reduction="sum"), inputs)[0].double())
    torch.testing.assert_close(found.mean, torch.stack(each).mean(0), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found.sample_norms, torch.stack(each).flatten(2).norm(dim=2), rtol=1e-4, atol=1e-7)


def test_a_network_that_branches_on_its_values_runs_one_sample_after_another(data):
    class Branching(nn.Sequential):
        def forward(self, x):
            return super().forward(x) if x.mean() + self[0].bias.sum() > -1e9 else x[:, :3]

    x, y = data
    nets = [Branching(nn.Linear(6, 3)) for _ in range(3)]
    with pytest.warns(RuntimeWarning, match="cannot be vectorised over samples"):
        found = expected_input_gradient(Posterior.of_models(nets), x, y)
    plain = Posterior(model=nn.Sequential(nn.Linear(6, 3)), params={k: v.detach() for k, v in stack(nets).tensors.items()})
    torch.testing.assert_close(found.mean, expected_input_gradient(plain, x, y).mean)


def test_sums_are_in_double_precision():
    # 2^26 - 2^26 + 1 is 0 in single precision whenever the small one comes second, and 1 in double precision
    weights = torch.tensor([2.0**26, 1.0, -(2.0**26)]).view(3, 1, 1).expand(3, 2, 4)
    post = Posterior(model=nn.Linear(4, 2, bias=False), params={"weight": weights})
    found = expected_input_gradient(post, torch.rand(3, 4), torch.zeros(3, dtype=torch.long), loss=first_output)
    assert torch.equal(found.mean, torch.full((3, 4), 1 / 3, dtype=torch.float64))


def test_single_and_double_precision_agree_and_inputs_are_left_alone(data):
    (x, y), nets = data, networks()
    before, flags = x.clone(), [net.training for net in nets]
    single = expected_input_gradient(Posterior.of_models(nets), x, y).mean
    assert torch.equal(x, before)
    assert not x.requires_grad
    assert [net.training for net in nets] == flags
    assert all(parameter.requires_grad and parameter.grad is None for parameter in nets[0].parameters())
    double = expected_input_gradient(Posterior.of_models([net.double() for net in nets]), x.double(), y).mean
    torch.testing.assert_close(single, double, rtol=1e-3, atol=1e-6)


def test_equal_samples_do_not_cancel(data):
    table = cancellation_ratio(Posterior.of_models(networks(1) * 8), *data, samples=(1, 2, 8))
    for row in table.rows:
        assert row.ratio.value == pytest.approx(1, abs=1e-12)
        assert row.mean_norm.value == pytest.approx(row.single_norm.value)
    assert table.slope.value == pytest.approx(0, abs=1e-12)


def test_opposite_samples_cancel_exactly(data):
    weight = torch.randn(3, 6, generator=generator())
    post = Posterior(model=nn.Linear(6, 3, bias=False), params={"weight": torch.stack([weight, -weight])})
    table = cancellation_ratio(post, *data, samples=(1, 2), loss=first_output)
    assert [row.ratio.value for row in table.rows] == [1.0, 0.0]


def test_draws_of_a_linear_regression_on_a_plane_cancel_off_the_plane_as_one_over_root_s():
    # Closed-form posterior N(m, A^-1), A = 1 + X^T X / noise^2, of data on a plane in 20 dimensions. Off it the posterior is the
    # prior. The row of 100 is a mean over 16 groups of 18 components, the others over more: its RMS has a relative error of
    # 1/sqrt(2 x 16 x 18) = 4.2 %, the slope over a factor of 100 one of 0.01. Seven times that: false alarms far below 1e-6.
    basis = plane()
    z = 2 * torch.rand(50, 2, generator=generator(1), dtype=torch.float64) - 1
    x = z @ basis[:, :2].T
    target = z @ torch.tensor([1.0, -2.0], dtype=torch.float64)
    precision = torch.eye(20, dtype=torch.float64) + x.T @ x / 0.01
    mean = torch.linalg.solve(precision, x.T @ target / 0.01)
    noise = torch.randn(1600, 20, generator=generator(2), dtype=torch.float64)
    draws = mean + torch.linalg.solve_triangular(torch.linalg.cholesky(precision).T, noise.T, upper=True).T
    post = Posterior(model=nn.Linear(20, 1, bias=False).double(), params={"weight": draws[:, None]})
    off, on = basis[:, 2:] @ basis[:, 2:].T, basis[:, :2] @ basis[:, :2].T
    y = torch.zeros(3, dtype=torch.long)
    table = cancellation_ratio(post, x[:3], y, samples=(1, 10, 100), loss=first_output, part=lambda g: g @ off)
    assert table.slope.value == pytest.approx(-0.5, abs=0.07)
    along = cancellation_ratio(post, x[:3], y, samples=(1, 100), loss=first_output, part=lambda g: g @ on)
    assert along.rows[-1].ratio.value > 0.99


def test_unseen_first_weights_have_mean_gradient_zero_and_leave_the_seen_part_alone():
    # Data on a plane: first weights W = B T' + A P' with T the plane, P its complement, A from its prior. Whatever the other
    # weights, the mean of P' g over A is zero; its 9 x 18 components within 6 standard errors give a false alarm of 3e-7.
    basis, net = plane(), mlp(20, hidden=(8, 8), classes=2, activation=nn.LeakyReLU, seed=3).double()
    x, y = (2 * torch.rand(9, 2, generator=generator(1), dtype=torch.float64) - 1) @ basis[:, :2].T, torch.arange(9) % 2
    seen = net.fc1.weight.detach() @ basis[:, :2] @ basis[:, :2].T
    unseen = torch.randn(2000, 8, 18, generator=generator(2), dtype=torch.float64) @ basis[:, 2:].T
    post = Posterior(model=net, params={"fc1.weight": seen + unseen})
    found = expected_input_gradient(post, x, y)
    off = found.mean @ basis[:, 2:]
    # at a point of the plane all samples have the same activations, so g = W' delta with one delta: off the plane N(0, |delta|^2)
    error = (found.sample_norms.square().mean(0) - (found.mean @ basis[:, :2]).square().sum(1)).div(18).sqrt() / math.sqrt(2000)
    assert bool((off.abs() < 6 * error[:, None]).all()), "a mean gradient off the data's plane"
    on = expected_input_gradient(Posterior.of_models([net]), x, y).mean @ basis[:, :2]
    torch.testing.assert_close(found.mean @ basis[:, :2], on)
    split = cancellation_ratio(post, x, y, samples=(1, 2000), part=lambda g: g @ basis[:, 2:] @ basis[:, 2:].T)
    assert split.rows[0].ratio.value == pytest.approx(1)
    assert split.rows[1].ratio.value < 3 / math.sqrt(2000)


def saturated(factor):
    nets = networks()
    with torch.no_grad():
        for net in nets:
            net.head.weight *= factor
            net.head.bias *= factor
    return Posterior.of_models(nets)


def test_the_direction_outlives_gradients_that_underflow(data):
    x = data[0]
    post = saturated(1e5)
    y = post.logits(x).softmax(-1).mean(0).argmax(1)
    with torch.no_grad():
        post = post.take([index for index, logits in enumerate(post.logits(x)) if torch.equal(logits.argmax(1), y)] or [0])
        y = post.logits(x)[0].argmax(1)
    with pytest.warns(UserWarning, match="exactly zero"):
        found = expected_input_gradient(post, x, y)
    assert bool(found.zero_rows.any())
    assert not bool(found.blind_rows.any())
    rows = found.zero_rows
    assert torch.equal(x[rows] + 0.1 * found.mean[rows].sign(), x[rows].double()), "a step along the sign of zero moves"
    # one sample: the direction is that of the soft margin, whatever the scale of the logits
    alone = post.take([0])
    with pytest.warns(UserWarning, match="exactly zero"):
        steep = expected_input_gradient(alone, x, y).direction
    inputs = x.clone().requires_grad_()
    logits = alone.logits(inputs)[0]
    other = logits.scatter(1, y[:, None], -torch.inf).logsumexp(1) - logits.gather(1, y[:, None])[:, 0]
    (slope,) = torch.autograd.grad(other.sum(), inputs)
    cosine = nn.functional.cosine_similarity(steep, slope.double(), dim=1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.full((9, 6), torch.nan)}, "NaN or infinite"),
        ({"x": torch.ones(9, 6, dtype=torch.uint8)}, "floating point"),
        ({"x": torch.rand(8, 6)}, "8 rows"),
        ({"y": torch.full((9,), 3)}, "0 to 2 for a model with 3 outputs"),
        ({"y": torch.eye(3).repeat(3, 1)}, "one integer per example"),
        ({"y": torch.arange(9) % 3 - 1}, "runs from -1"),
        ({"loss": "dlr"}, "allowed: ce"),
        ({"loss": lambda logits, y: logits.sum()}, "one number per example"),
        ({"chunk": 0}, "`chunk` is 0"),
    ],
)
def test_bad_input_is_refused(data, change, message):
    settings = {"x": data[0], "y": data[1]} | change
    with pytest.raises(InputError, match=message):
        expected_input_gradient(Posterior.of_models(networks()), **settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": (1, 8)}, "from 1 to 7"),
        ({"samples": (4, 2)}, "increasing numbers"),
        ({"samples": ()}, "increasing numbers"),
        ({"part": lambda g: g[..., :2]}, "the shape of the gradients"),
        ({"loss": lambda logits, y: 0 * logits[:, 0]}, "no gradient other than zero"),
    ],
)
def test_bad_input_of_the_table_is_refused(data, change, message):
    with pytest.raises(InputError, match=message):
        cancellation_ratio(Posterior.of_models(networks()), *data, **({"samples": (1, 7)} | change))


def test_one_output_has_no_cross_entropy(data):
    post = Posterior.of_models([nn.Linear(6, 1)])
    with pytest.raises(InputError, match="at least two classes"):
        expected_input_gradient(post, data[0], torch.zeros(9, dtype=torch.long))


def opposite_chains(chains=10, draws=10):
    """Half of the chains stand at w, the other half at -w: any average that is spread evenly over all chains is zero."""
    signs = torch.tensor([1.0, -1.0]).repeat_interleave(chains // 2 * draws)
    weights = signs[:, None, None] * torch.randn(3, 6, generator=generator())
    return Posterior(model=nn.Linear(6, 3, bias=False), params={"weight": weights}, chains=chains)


@pytest.mark.parametrize("samples", [10, 20, 30, 40, 60, 90, 100])
def test_groups_are_spread_over_all_chains_also_where_they_do_not_divide_the_samples(data, samples):
    table = cancellation_ratio(opposite_chains(), *data, samples=(samples,), loss=first_output)
    assert table.rows[0].ratio.value == pytest.approx(0, abs=1e-12)
    assert table.rows[0].groups == 100 // samples


def test_the_first_group_is_the_evenly_spread_part_of_the_posterior(data):
    post = Posterior(model=nn.Linear(6, 3, bias=False), params={"weight": torch.randn(100, 3, 6, generator=generator())}, chains=10)
    for samples in (60, 73, 99):  # one group each
        whole, part = (cancellation_ratio(some, *data, samples=(samples,)) for some in (post, post.spread(samples)))
        assert whole.rows[0].ratio.value == pytest.approx(part.rows[0].ratio.value)


def test_rounding_noise_has_no_slope(data):
    table = cancellation_ratio(opposite_chains(), *data, samples=(1, 60), loss=first_output)
    with pytest.raises(InputError, match=r"holds \[60\], whose averages are zero to rounding"):
        _ = table.slope


def test_the_ratio_never_exceeds_one_though_few_samples_dominate(data):
    # one sample of a thousand times the size: a mean length over other samples than those of the group would break the bound
    weights = torch.randn(20, 3, 6, generator=generator())
    weights[3] *= 1000
    post = Posterior(model=nn.Linear(6, 3, bias=False), params={"weight": weights})
    for row in cancellation_ratio(post, *data, samples=(1, 2, 3, 7, 20), loss=first_output).rows:
        assert row.ratio.hi <= 1 + 1e-12
        assert row.groups == 20 // row.samples


def test_the_table_prints_itself_with_its_chains(data):
    text = str(cancellation_ratio(Posterior.of_models(networks()), *data, samples=(1, 7)))
    assert "models, 1 chains" in text
    assert len(text.splitlines()) == 4


def test_the_outputs_of_wide_layers_count_for_how_many_samples_go_together():
    narrow, wide = (mlp(2, hidden=(width,), classes=3) for width in (4, 4000))
    x = torch.rand(500, 2)
    assert gradients._fitting(narrow, x) > 100 * gradients._fitting(wide, x)


def test_a_table_names_its_numbers(data):
    table = cancellation_ratio(Posterior.of_models(networks(4)), *data, samples=(1, 2, 4))
    found = table.estimates("off.", slope=True)
    assert found["off.single"] == table.single_norm
    assert found["off.slope"] == table.slope
    assert [found[f"off.r{n}"] for n in (1, 2, 4)] == [row.ratio for row in table.rows]
    assert [found[f"off.norm{n}"] for n in (1, 2, 4)] == [row.mean_norm for row in table.rows]
    assert [found[f"off.largest{n}"] for n in (1, 2, 4)] == [row.largest for row in table.rows]
    assert set(table.estimates()) == {name.removeprefix("off.") for name in found} - {"slope"}
