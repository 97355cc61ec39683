"""FGSM and PGD: closed forms on linear classifiers, invariants, honest failures, parity with peers."""

import copy
import math
import warnings

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, apgd, fgsm, pgd, random_noise, scaled, square
from holdfast.core.errors import InputError, QueryBudgetError
from holdfast.core.target import Target
from holdfast.nets import Normalized, evaluate, mlp, predict, resnet8, round_ste, seeded, weights_digest


class Scaled(nn.Module):
    def __init__(self, net, factor):
        super().__init__()
        self.net, self.factor = net, factor

    def forward(self, x):
        return self.factor * self.net(x)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def linear(d=30, seed=0):
    """Two classes, float64, with a decision value w x + b = z_1 - z_0."""
    with seeded(seed):
        return mlp(d, hidden=(), classes=2, seed=seed).double()


def decision(net):
    weight, bias = net.head.weight.detach(), net.head.bias.detach()
    return weight[1] - weight[0], float(bias[1] - bias[0])


@pytest.fixture
def halves():
    """Inputs on both sides of the linear network's boundary, away from the walls of the box, with its own answers as labels."""
    net = linear()
    w, b = decision(net)
    x = 0.5 + 0.02 * torch.randn(200, 30, generator=generator(1), dtype=torch.float64)
    x -= ((x @ w + b).mean() / w.norm() ** 2) * w
    return x, predict(net, x).argmax(1)


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:120]


@pytest.mark.parametrize(
    ("norm", "eps"), [("linf", 0.0005), ("linf", 0.002), ("linf", 0.006), ("l2", 0.005), ("l2", 0.02), ("l2", 0.04)]
)
def test_on_a_linear_network_one_step_is_the_worst_case(halves, norm, eps):
    # robust exactly where the distance to the boundary |w x + b| / |w|_* exceeds eps; the dual norm of linf is l1
    net, (x, y) = linear(), halves
    w, b = decision(net)
    distance = (x @ w + b).abs() / (w.abs().sum() if norm == "linf" else w.norm())
    fragile = distance < eps
    assert 0 < fragile.sum() < len(x)
    threat = ThreatModel(norm, eps)
    assert torch.equal(fgsm(net, x, y, threat).success, fragile)
    assert torch.equal(pgd(net, x, y, threat, steps=20, random_start=False).success, fragile)
    # a random start leaves a component along the boundary that each step shrinks: all but a few per cent of the radius is reached
    found = pgd(net, x, y, threat, steps=20).success
    assert not bool((found & ~fragile).any()), "beyond the closed form"
    assert bool(found[distance < 0.95 * eps].all()), "short of the closed form"


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_on_a_linear_network_pgd_reaches_the_exact_worst_margin_in_a_box(norm):
    net, x = linear(), torch.rand(50, 30, generator=generator(2), dtype=torch.float64)
    w, _ = decision(net)
    y = predict(net, x).argmax(1)
    eps, away = 0.4, torch.where(y == 1, -1.0, 1.0)[:, None].double() * w
    low, high = -x, 1 - x
    if norm == "linf":
        worst = torch.where(away > 0, high.clamp_max(eps), low.clamp_min(-eps))
    elif norm == "l1":
        # a fractional knapsack: the steepest coordinates first, each to its wall, until the radius is spent
        room, order = torch.where(away > 0, high, -low), away.abs().argsort(dim=1, descending=True)
        sorted_room = room.gather(1, order)
        spent = torch.minimum(sorted_room, (eps - (sorted_room.cumsum(1) - sorted_room)).clamp_min(0))
        worst = torch.zeros_like(x).scatter(1, order, spent) * away.sign()
    else:
        # Lagrange: delta = clamp(t * away, low, high) with |delta| = eps, t found by bisection
        t = torch.zeros(50, 1, dtype=torch.float64), torch.full((50, 1), 1e3, dtype=torch.float64)
        for _ in range(200):
            middle = (t[0] + t[1]) / 2
            fits = (middle * away).clamp(low, high).norm(dim=1, keepdim=True) <= eps
            t = torch.where(fits, middle, t[0]), torch.where(fits, t[1], middle)
        worst = (t[0] * away).clamp(low, high)
    size = 0.002 if norm == "l1" else 0.1  # in L1 every step is taken back in equal parts, so that its size limits the accuracy
    result = pgd(
        net, x, y, ThreatModel(norm, eps), steps=max(100, int(1 / size)), step_size=size, loss="cw_margin", early_stop=False
    )
    logits = predict(net, x + worst)
    expected = (logits[:, 1] - logits[:, 0]) * torch.where(y == 1, -1, 1)
    torch.testing.assert_close(result.loss, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
@pytest.mark.parametrize("early_stop", [True, False])
def test_what_is_found_is_feasible_and_success_means_a_wrong_answer(digits_cnn, digits, norm, early_stop):
    eps = {"linf": 0.1, "l2": 0.5, "l1": 2.0, "l0": 4}[norm]
    result = pgd(digits_cnn, digits.x, digits.y, ThreatModel(norm, eps), steps=10, early_stop=early_stop)
    delta = (result.x_adv - digits.x).flatten(1)
    size = delta.norm(dim=1, p={"linf": math.inf, "l2": 2, "l1": 1, "l0": 0}[norm])
    assert float(size.max()) <= eps * (1 + 1e-6) + 1e-6
    torch.testing.assert_close(result.norm, size)
    assert float(result.x_adv.min()) >= 0
    assert float(result.x_adv.max()) <= 1
    assert torch.equal(predict(digits_cnn, result.x_adv).argmax(1) != digits.y, result.success)
    assert not result.x_adv.requires_grad
    assert 0 < result.accuracy.value < evaluate(digits_cnn, digits).accuracy.value


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_radius_zero_returns_the_inputs_exactly_and_costs_one_pass(digits_cnn, digits, norm):
    for attack in (fgsm, pgd):
        result = attack(digits_cnn, digits.x, digits.y, ThreatModel(norm, 0.0))
        assert torch.equal(result.x_adv, digits.x)
        assert torch.equal(result.success, predict(digits_cnn, digits.x).argmax(1) != digits.y)
        assert int(result.queries.max()) == 1


def test_larger_balls_leave_less_accuracy(digits_cnn, digits):
    results = [pgd(digits_cnn, digits.x, digits.y, ThreatModel("linf", eps), steps=20) for eps in (0.0, 0.05, 0.1, 0.2, 0.4)]
    accuracy = [result.accuracy.value for result in results]
    assert accuracy == sorted(accuracy, reverse=True)
    assert accuracy[-1] == 0


def test_a_tensor_of_radii_is_a_batch_of_single_attacks(digits_cnn, digits):
    x, y = digits.x[:12], digits.y[:12]
    eps = torch.linspace(0.0, 0.3, 12)
    settings = {"steps": 7, "random_start": False, "early_stop": False}
    together = pgd(digits_cnn, x, y, ThreatModel("linf", eps), **settings)
    for row in range(12):
        alone = pgd(digits_cnn, x[row : row + 1], y[row : row + 1], ThreatModel("linf", float(eps[row])), **settings)
        torch.testing.assert_close(together.x_adv[row], alone.x_adv[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("early_stop", [True, False])
def test_the_size_of_a_batch_does_not_matter(digits_cnn, digits, norm, early_stop):
    threat = ThreatModel(norm, 0.1 if norm == "linf" else 0.7)
    settings = {"steps": 5, "early_stop": early_stop, "restarts": 2}
    whole, parts = (pgd(digits_cnn, digits.x, digits.y, threat, batch_size=size, **settings) for size in (200, 17))
    torch.testing.assert_close(whole.x_adv, parts.x_adv, rtol=0, atol=1e-5)
    assert torch.equal(whole.success, parts.success)


def test_seeds_reproduce_and_differ(digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    first, again, other = (pgd(digits_cnn, digits.x, digits.y, threat, steps=3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.x_adv, again.x_adv)
    assert not torch.equal(first.x_adv, other.x_adv)


def test_the_global_generator_does_not_notice(digits_cnn, digits):
    before = torch.get_rng_state()
    pgd(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.1), steps=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_early_stopping_finds_as_much_for_less(digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    full, early = (pgd(digits_cnn, digits.x, digits.y, threat, steps=20, early_stop=stop) for stop in (False, True))
    assert int((full.success & ~early.success).sum()) == 0, "a fooled example was let go"
    assert int(early.queries.sum()) < 0.75 * int(full.queries.sum())
    assert bool((early.steps_used[early.success] <= 20).all())


def test_restarts_only_add(digits_cnn, digits):
    threat = ThreatModel("linf", 0.06)
    one, five = (pgd(digits_cnn, digits.x, digits.y, threat, steps=3, restarts=restarts) for restarts in (1, 5))
    assert int((one.success & ~five.success).sum()) == 0
    assert bool((five.loss >= one.loss)[~five.success].all())


def test_without_early_stop_restarts_keep_the_worst(digits_cnn, digits):
    threat = ThreatModel("linf", 0.06)
    one, three = (pgd(digits_cnn, digits.x, digits.y, threat, steps=3, restarts=restarts, early_stop=False) for restarts in (1, 3))
    assert int((one.success & ~three.success).sum()) == 0


def test_examples_that_are_wrong_already_stay_as_they_are(digits_cnn, digits):
    y = digits.y.clone()
    y[:10] = (y[:10] + 1) % 10
    result = pgd(digits_cnn, digits.x, y, ThreatModel("linf", 0.1), steps=3)
    wrong = predict(digits_cnn, digits.x).argmax(1) != y
    assert torch.equal(result.x_adv[wrong], digits.x[wrong])
    assert bool(result.success[wrong].all())
    moved = pgd(digits_cnn, digits.x, y, ThreatModel("linf", 0.1), steps=3, skip_wrong=False, early_stop=False)
    assert bool((moved.x_adv[wrong] != digits.x[wrong]).flatten(1).any(1).all())


@pytest.mark.parametrize("loss", ["ce", "cw_margin", "dlr", "logit"])
def test_every_loss_fools_and_reaches_targets(digits_cnn, digits, loss):
    clean = evaluate(digits_cnn, digits).accuracy.value
    threat = ThreatModel("linf", 0.25)
    assert pgd(digits_cnn, digits.x, digits.y, threat, loss=loss, steps=20).accuracy.value < 0.3 * clean
    goal = (digits.y + 1) % 10
    toward = pgd(digits_cnn, digits.x, digits.y, threat, loss=loss, target_class=goal, steps=20)
    assert torch.equal(predict(digits_cnn, toward.x_adv).argmax(1) == goal, toward.success)
    assert toward.success_rate.value > 0.5


def test_a_callable_loss_gives_the_attack_of_the_same_name(digits_cnn, digits):
    def entropy(logits, y):
        return nn.functional.cross_entropy(logits, y, reduction="none")

    settings = {"steps": 5, "early_stop": False}
    named, custom = (
        pgd(digits_cnn, digits.x.double(), digits.y, ThreatModel("linf", 0.1), loss=loss, **settings)
        for loss in ("ce", entropy)
        if digits_cnn.double()
    )
    digits_cnn.float()
    assert torch.equal(named.success, custom.success)
    torch.testing.assert_close(named.loss, custom.loss)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_given_start_is_brought_into_the_ball_and_is_where_the_first_run_begins(digits_cnn, digits, norm):
    threat = ThreatModel(norm, 0.2)
    far = pgd(digits_cnn, digits.x, digits.y, ThreatModel(norm, 2.0), steps=20, early_stop=False).x_adv
    still = {"steps": 1, "step_size": 0.0, "skip_wrong": False, "early_stop": False}
    there = pgd(digits_cnn, digits.x, digits.y, threat, start=far, **still)
    assert float(there.norm.max()) <= 0.2 * (1 + 1e-5)
    assert float(there.norm.median()) > 0.199  # the far points lie outside; those of examples that were wrong are the examples
    assert torch.equal(there.x_adv, pgd(digits_cnn, digits.x, digits.y, threat, start=there.x_adv, **still).x_adv) or norm != "linf"
    with pytest.raises(InputError, match="start"):
        pgd(digits_cnn, digits.x, digits.y, threat, start=far[:3])


def test_momentum_follows_its_recursion():
    # the gradient is constant, so the velocity after k steps is (1 + mu + ... + mu^(k-1)) g / mean|g|: the same direction
    net, x = linear(), torch.full((1, 30), 0.5, dtype=torch.float64)
    y = predict(net, x).argmax(1)
    plain, heavy = (
        pgd(net, x, y, ThreatModel("l2", 0.3), steps=4, step_size=0.05, momentum=mu, random_start=False, early_stop=False)
        for mu in (0.0, 1.0)
    )
    torch.testing.assert_close(plain.x_adv, heavy.x_adv)


def test_transforms_of_input_and_gradient_take_part(digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    plain = pgd(digits_cnn, digits.x, digits.y, threat, steps=3, random_start=False, early_stop=False)
    copies = pgd(digits_cnn, digits.x, digits.y, threat, steps=3, random_start=False, input_transforms=(scaled(1),))
    torch.testing.assert_close(copies.x_adv, plain.x_adv)
    views = pgd(digits_cnn, digits.x, digits.y, threat, steps=3, random_start=False, input_transforms=(scaled(3),))
    assert int(views.queries[views.steps_used > 0].min()) == 1 + 3 * 3 + 1
    still = pgd(digits_cnn, digits.x, digits.y, threat, steps=3, random_start=False, grad_transform=(torch.zeros_like,))
    assert torch.equal(still.x_adv, digits.x)


@pytest.mark.parametrize("attack", [pgd, apgd])
def test_each_sample_of_a_random_network_is_a_pass_of_its_own(digits_cnn, digits, attack):
    # the randomness is that of a chip: drawn once a pass, the same for the whole batch
    passes, draws = [], torch.Generator().manual_seed(0)

    def chip(x):
        passes.append(len(x))
        return digits_cnn(x) + 3 * torch.randn(10, generator=draws)

    x, y = digits.x[:20], digits.y[:20]
    result = attack(chip, x, y, ThreatModel("linf", 0.05), steps=4, eot_samples=6, batch_size=20)
    assert max(passes) <= 20, "no pass is larger than a batch"
    assert len(passes) >= 6 * 5
    assert bool((result.queries % 6 == 0).all())


def test_a_mask_confines_the_attack(digits_cnn, digits):
    mask = torch.zeros(8, 8)
    mask[:, 4:] = 1
    result = pgd(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.3, mask=mask), steps=10)
    assert torch.equal(result.x_adv[..., :4], digits.x[..., :4])
    assert result.accuracy.value < evaluate(digits_cnn, digits).accuracy.value


def test_the_network_is_left_bit_for_bit_as_it_was():
    net = resnet8(channels=1, width=4).train()
    net.conv1.weight.requires_grad_(False)
    flags = [(m.training, [p.requires_grad for p in m.parameters()]) for m in net.modules()]
    digest = weights_digest(net)
    x, y = torch.rand(6, 1, 8, 8), torch.arange(6)
    pgd(net, x, y, ThreatModel("linf", 0.1), steps=2)
    assert weights_digest(net) == digest, "batch statistics moved"
    assert all(p.grad is None for p in net.parameters())
    with pytest.raises(InputError):
        pgd(net, x, torch.full((6,), 99), ThreatModel("linf", 0.1), steps=2)
    assert [(m.training, [p.requires_grad for p in m.parameters()]) for m in net.modules()] == flags


def test_dropout_is_off_during_the_attack(digits):
    net = nn.Sequential(mlp(64, classes=32), nn.Dropout(0.9), mlp(32, hidden=())).train()
    first, again = (pgd(net, digits.x, digits.y, ThreatModel("linf", 0.1), steps=3) for _ in range(2))
    assert torch.equal(first.x_adv, again.x_adv)
    assert net.training


@pytest.mark.parametrize(("loss", "factor"), [("ce", 1e3), ("ce", 1e6), ("cw_margin", 1e4), ("cw_margin", 1e-4), ("dlr", 1e4)])
def test_scaling_the_logits_does_not_help_the_network(digits_cnn, digits, loss, factor):
    threat = ThreatModel("linf", 0.1)
    plain = pgd(digits_cnn, digits.x, digits.y, threat, steps=10, loss=loss)
    scaled = pgd(Scaled(digits_cnn, factor), digits.x, digits.y, threat, steps=10, loss=loss)
    # margins scale; the soft margin tends to the margin as logits grow, so a few examples may end on the other side
    allowed = 5 if loss == "ce" else 1
    assert abs(int(plain.success.sum()) - int(scaled.success.sum())) <= allowed
    assert not scaled.no_gradient.any()


def test_saturated_logits_blind_the_naive_attack_and_not_ours(digits_cnn, digits):
    net, eps = Scaled(digits_cnn, 1000.0), 0.1
    x = digits.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(net(x), digits.y, reduction="sum"), x)
    naive = (digits.x + eps * gradient.sign()).clamp(0, 1)
    naive_accuracy = float((predict(net, naive).argmax(1) == digits.y).float().mean())
    assert naive_accuracy > 0.8, "the naive attack should find no gradient"
    assert fgsm(net, digits.x, digits.y, ThreatModel("linf", eps)).accuracy.value < naive_accuracy - 0.3


def test_a_network_without_gradient_is_marked_and_one_that_cuts_it_refused(digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    rounded = pgd(lambda x: digits_cnn(x.round()), digits.x, digits.y, threat, steps=2, random_start=False)
    right = predict(digits_cnn, digits.x.round()).argmax(1) == digits.y
    assert bool(rounded.no_gradient[right].all())
    assert not pgd(lambda x: digits_cnn(round_ste(x)), digits.x, digits.y, threat, steps=2).no_gradient.any()
    with pytest.raises(InputError, match="cuts the gradient"):
        pgd(lambda x: digits_cnn(x.detach()), digits.x, digits.y, threat, steps=2)


def test_gradients_that_are_not_numbers_are_marked_and_the_rest_goes_on(digits_cnn, digits):
    def broken(x):
        # the square root of zero has an infinite slope, and infinity times zero is none: the first row only
        mask = torch.zeros(len(x), 1, device=x.device)
        mask[0] = 1
        return digits_cnn(x) + mask * (0 * x.flatten(1)).sqrt().sum(1, keepdim=True)

    result = pgd(broken, digits.x, digits.y, ThreatModel("linf", 0.1), steps=2, early_stop=False)
    assert bool(result.x_adv.isfinite().all())
    assert bool(result.no_gradient[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_follow_the_inputs(digits_cnn, digits, dtype):
    net = copy.deepcopy(digits_cnn).to(dtype)
    result = pgd(net, digits.x.to(dtype), digits.y, ThreatModel("linf", 0.125), steps=5)
    assert result.x_adv.dtype == dtype
    assert result.accuracy.value < 0.7


def test_views_and_gradients_switched_off_outside_do_not_matter(digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    plain = pgd(digits_cnn, digits.x, digits.y, threat, steps=3)
    strided = digits.x.permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2)
    assert not strided.is_contiguous()
    torch.testing.assert_close(pgd(digits_cnn, strided, digits.y, threat, steps=3).x_adv, plain.x_adv)
    with torch.no_grad():
        assert torch.equal(pgd(digits_cnn, digits.x, digits.y, threat, steps=3).x_adv, plain.x_adv)
    with torch.inference_mode():
        assert torch.equal(pgd(digits_cnn, digits.x.clone(), digits.y, threat, steps=3).x_adv, plain.x_adv)


def test_normalisation_in_the_model_or_in_the_target_is_the_same(digits_cnn, digits):
    inside = Normalized(digits_cnn, 0.3, 0.9)
    outside = Target(model=digits_cnn, preprocess=lambda x: (x - 0.3) / 0.9)
    threat = ThreatModel("linf", 0.1)
    first, second = (pgd(net, digits.x, digits.y, threat, steps=5) for net in (inside, outside))
    torch.testing.assert_close(first.x_adv, second.x_adv)


def test_a_target_s_queries_are_counted_and_capped(digits_cnn, digits):
    from holdfast.core.target import QueryCounter

    target = Target(model=digits_cnn)
    result = pgd(target, digits.x, digits.y, ThreatModel("linf", 0.1), steps=3)
    assert target.queries.count == int(result.queries.sum()) + 2 * 8, "all passes, and two over eight rows to look at the target"
    with pytest.raises(QueryBudgetError):
        pgd(Target(model=digits_cnn, queries=QueryCounter(limit=100)), digits.x, digits.y, ThreatModel("linf", 0.1), steps=3)


def test_declared_probabilities_are_attacked_through_their_logarithm(digits_cnn, digits):
    soft = nn.Sequential(digits_cnn, nn.Softmax(1))
    threat = ThreatModel("linf", 0.1)
    with pytest.raises(InputError, match=r'Target\(model=model, outputs="probabilities"\)'):
        pgd(soft, digits.x, digits.y, threat, steps=3)
    declared = pgd(Target(model=soft, outputs="probabilities"), digits.x, digits.y, threat, steps=5)
    plain = pgd(digits_cnn, digits.x, digits.y, threat, steps=5)
    assert abs(int(declared.success.sum()) - int(plain.success.sum())) <= 2


def test_a_randomised_network_is_announced_with_the_remedy(digits_cnn, digits):
    def noisy(x):
        return digits_cnn(x + 0.1 * torch.randn_like(x))

    with pytest.warns(UserWarning, match=r"eot_samples=20"), seeded(0):
        pgd(noisy, digits.x, digits.y, ThreatModel("linf", 0.1), steps=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.rand(4, 6) * 3 - 1}, r"has values in \[.*\]; allowed: the box"),
        ({"x": torch.randint(0, 255, (4, 6))}, r"x\.float\(\) / 255"),
        ({"x": torch.full((4, 6), math.nan)}, "NaN"),
        ({"threat": ThreatModel("linf", 0.1, mask=torch.ones(4, 6))}, "same for all examples"),
        ({"x": torch.rand(0, 6), "y": torch.zeros(0, dtype=torch.long)}, "empty"),
        ({"y": torch.tensor([0, 1])}, "rows"),
        ({"y": torch.tensor([0, 1, 2, 3])}, "0 to 2"),
        ({"y": torch.eye(3)[[0, 1, 2, 0]]}, "one integer per example"),
        ({"target_class": torch.tensor([0, 2, 0, 1])}, "equals the label of 1 examples"),
        ({"target_class": 7}, "target_class"),
        ({"steps": 0}, "steps"),
        ({"restarts": 0}, "restarts"),
        ({"step_size": -0.1}, "step_size"),
        ({"step_size": torch.ones(3)}, "step_size"),
        ({"momentum": -1.0}, "momentum"),
        ({"batch_size": 0}, "batch_size"),
        ({"loss": "cross"}, "loss"),
        ({"loss": lambda z, y: z.sum()}, "one number per example"),
        ({"threat": ThreatModel("linf", torch.tensor([0.1, 0.2]))}, r"eps.*\(2,\)"),
        ({"model": Target(model=nn.Identity(), bounds=(-1, 1))}, "bounds"),
        ({"model": Target(model=nn.Identity(), access="scores")}, "access"),
        ({"model": nn.Flatten(0)}, "logits of shape"),
    ],
)
def test_bad_questions_are_refused_with_a_remedy(change, message):
    x, y = torch.rand(4, 6), torch.tensor([0, 1, 2, 0])
    question = {"model": mlp(6, classes=3), "x": x, "y": y, "threat": ThreatModel("linf", 0.1)}
    with pytest.raises(InputError, match=message):
        pgd(**question | change)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("linf", -0.1), "eps"),
        (("linf", math.inf), "eps"),
        (("linf", torch.tensor([0.1, -0.1])), "eps"),
        (("l3", 0.1), "norm"),
        (("linf", torch.rand(3, 2)), "shape"),
        (("linf", [0.1, 0.2]), "is a list"),
        (("l0", 2.5), "whole numbers of coordinates"),
        (("linf", 0.1, (1.0, 0.0)), "bounds"),
    ],
)
def test_impossible_threats_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ThreatModel(*arguments)


@pytest.mark.parametrize("peer", ["torchattacks", "foolbox"])
def test_robust_accuracy_agrees_with_peers(digits_cnn, digits_small, peer):
    # torchattacks 3.5.1 and foolbox 3.3.4, PGD-40, L-infinity, eps 0.1, step 2.5 eps/40
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = pytest.importorskip(peer, reason=f"{peer} is not installed: make bench shows how", exc_type=ImportError)
    data, eps, steps = digits_small[1], 0.1, 40
    with seeded(0):
        if peer == "torchattacks":
            theirs = library.PGD(digits_cnn, eps=eps, alpha=2.5 * eps / steps, steps=steps, random_start=False)(data.x, data.y)
        else:
            attack = library.attacks.LinfPGD(abs_stepsize=2.5 * eps / steps, steps=steps, random_start=False)
            theirs = attack(library.PyTorchModel(digits_cnn.eval(), bounds=(0, 1), device="cpu"), data.x, data.y, epsilons=eps)[1]
    their_accuracy = float((predict(digits_cnn, theirs).argmax(1) == data.y).double().mean())
    ours = pgd(digits_cnn, data.x, data.y, ThreatModel("linf", eps), steps=steps, random_start=False, early_stop=False)
    assert abs(ours.accuracy.value - their_accuracy) <= 0.01


@pytest.mark.gpu
def test_a_gpu_gives_the_accuracy_of_the_cpu(digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    net, x, y = copy.deepcopy(digits_cnn).cuda(), digits.x.cuda(), digits.y.cuda()
    found = pgd(net, x, y, threat, steps=20)
    assert found.x_adv.is_cuda
    # other random starts and other rounding: at most 3 of 120 examples
    assert abs(int(found.success.sum()) - int(pgd(digits_cnn, digits.x, digits.y, threat, steps=20).success.sum())) <= 3


@pytest.mark.parametrize("attack", [pgd, fgsm, random_noise, square])
@pytest.mark.parametrize("word", [math.nan, math.inf])
def test_a_network_that_answers_with_no_numbers_is_never_robust(attack, word):
    x, y = torch.full((20, 6), 0.5), torch.zeros(20, dtype=torch.long)
    x[10:15] = 0.9

    def net(x):
        bad = (x.amax(1, keepdim=True) > 0.8) & torch.tensor([True, False, False])
        return (x[:, :3] + torch.tensor([100.0, 0.0, 0.0])).masked_fill(bad, word)

    with pytest.warns(UserWarning, match="answered 5 of 20 examples with NaN or infinity"):
        result = attack(net, x, y, ThreatModel("linf", 0.01))
    assert result.invalid.nonzero().squeeze(1).tolist() == [10, 11, 12, 13, 14]
    assert torch.equal(result.success, result.invalid)
    assert not result.loss.isnan().any()


def test_a_loss_that_is_no_number_gives_way_to_one():
    asked = []

    def loss(logits, y):
        asked.append(y)
        value = logits[:, 1] - logits[:, 0]
        return value * math.nan if len(asked) == 1 else value

    def net(x):
        return torch.cat([torch.full_like(x, 10.0), x], 1)

    x, y = torch.zeros(4, 1), torch.zeros(4, dtype=torch.long)
    result = pgd(net, x, y, ThreatModel("linf", 0.5), steps=1, step_size=0.5, loss=loss, random_start=False)
    assert result.x_adv.tolist() == [[0.5]] * 4
    assert result.loss.tolist() == [-9.5] * 4
