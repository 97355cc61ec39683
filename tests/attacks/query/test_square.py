"""The Square attack: feasible in three norms, near what can be known exactly, and its official schedule."""

import warnings

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, pgd, random_noise, square
from holdfast.attacks.projection import make_ball
from holdfast.attacks.query.square import _share
from holdfast.attacks.query.windows import propose, start
from holdfast.core.errors import InputError
from holdfast.nets import predict, seeded

SIZES = {"linf": 0.15, "l2": 0.8, "l1": 3.0}


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:100]


@pytest.mark.parametrize("norm", SIZES)
@pytest.mark.parametrize("targeted", [False, True])
def test_what_is_found_is_feasible_and_success_means_the_wanted_answer(digits_cnn, digits, norm, targeted):
    goal = (digits.y + 1) % 10 if targeted else None
    eps = torch.linspace(0.5, 1.5, len(digits)) * SIZES[norm]
    result = square(digits_cnn, digits.x, digits.y, ThreatModel(norm, eps), target_class=goal, queries=60)
    assert (result.norm <= eps * (1 + 1e-6) + 1e-6).all()
    assert float(result.x_adv.min()) >= 0
    assert float(result.x_adv.max()) <= 1
    answer = predict(digits_cnn, result.x_adv).argmax(1)
    assert torch.equal(answer == goal if targeted else answer != digits.y, result.success)
    assert 0 < result.success_rate.value < 1


@pytest.mark.parametrize("norm", SIZES)
@pytest.mark.parametrize("shape", [(3, 9, 7), (1, 8, 8), (20,), (4, 5)])
def test_proposals_stay_in_ball_box_and_mask_and_move_every_example(norm, shape):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(50, *shape, generator=generator)
    mask = torch.rand(shape, generator=generator) < 0.8
    eps = torch.linspace(0.1, 0.5, 50)
    ball = make_ball(x, ThreatModel(norm, eps, mask=mask))
    adv = start(ball, generator)
    for share in (0.8, 0.1, 0.01):
        new = propose(ball, adv, share, generator)
        shift = new if norm == "linf" else new - x
        assert ((shift >= ball.low) & (shift <= ball.high)).all()
        assert not ((new - x) * ~mask).any()
        order = {"linf": torch.inf, "l2": 2, "l1": 1}[norm]
        assert (torch.linalg.vector_norm((new - x).flatten(1), ord=order, dim=1) <= eps + 1e-6).all()
        if share == 0.8:
            assert ((new != adv).flatten(1).any(1)).all(), "a question about an old input is wasted"
        adv = new


def test_the_schedule_is_the_official_one_stretched_to_the_budget():
    # section 5.1 of arXiv:1912.00049: p = 0.8 is halved at 10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000 of 10 000
    for steps in (10_000, 1000):
        shares = [_share(step, steps, 0.8) for step in range(steps)]
        changes = [step * 10_000 // steps for step in range(1, steps) if shares[step] != shares[step - 1]]
        assert shares[0] == 0.8
        assert shares[-1] == 0.8 / 2**9
        assert len(changes) == 9
        for change, limit in zip(changes, (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000), strict=True):
            assert limit < change <= limit + 10_000 // steps


def test_features_that_are_no_image_are_searched_too():
    """On a linear network the largest loss in ball and box is known exactly: only what can be fooled is, and most of that."""
    with seeded(0):
        net = nn.Linear(12, 3, bias=False)
        x = torch.rand(200, 12)
    y = predict(net, x).argmax(1)
    low, high = (x - 0.5).clamp_min(0) - x, (x + 0.5).clamp_max(1) - x
    weight = net.weight.detach()
    pull = weight[None] - weight[y][:, None]  # (n, classes, features), towards each class
    gain = torch.maximum(pull * low[:, None], pull * high[:, None]).sum(2)
    lead = torch.einsum("nkf,nf->nk", pull, x) + gain
    can_be_fooled = lead.scatter(1, y[:, None], -torch.inf).amax(1) > 0
    found = square(net, x, y, ThreatModel("linf", 0.5), queries=100).success
    assert not (found & ~can_be_fooled).any()
    assert found[can_be_fooled].float().mean() > 0.9


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("l1", torch.inf)])
def test_mass_moves_to_where_a_linear_network_is_weak(norm, order):
    """Without a wall in reach the largest gain is eps times the dual norm of the weights; long searches come near it."""
    weight = torch.zeros(64)
    weight[:4] = torch.tensor([4.0, -3.0, 2.0, 1.0])
    x, y = torch.full((10, 64), 0.5), torch.zeros(10, dtype=torch.long)

    def net(x):  # class 0 leads by 100 and is never beaten
        gain = (x - 0.5) @ weight
        return torch.stack([torch.full_like(gain, 100.0), gain], 1)

    best = 0.3 * float(torch.linalg.vector_norm(weight, ord=order))
    gains = square(net, x, y, ThreatModel(norm, 0.3), queries=700).loss + 100
    assert float(gains.max()) <= best * (1 + 1e-5)
    assert float(gains.mean()) >= 0.7 * best


def test_a_network_without_gradient_is_searched_all_the_same(digits_cnn, digits):
    def quantised(x):
        return digits_cnn((x > 0.5).float())

    clean = float((quantised(digits.x).argmax(1) == digits.y).double().mean())
    found = square(quantised, digits.x, digits.y, ThreatModel("linf", 0.3), queries=100)
    assert found.accuracy.value < clean - 0.2


@pytest.mark.parametrize("norm", SIZES)
def test_search_beats_noise_and_the_gradient_beats_search(digits_cnn, digits, norm):
    threat = ThreatModel(norm, SIZES[norm])
    noise = random_noise(digits_cnn, digits.x, digits.y, threat).accuracy.value
    search = square(digits_cnn, digits.x, digits.y, threat, queries=150).accuracy.value
    gradient = pgd(digits_cnn, digits.x, digits.y, threat).accuracy.value
    assert noise > search >= gradient


@pytest.mark.parametrize("norm", SIZES)
def test_a_masked_start_has_the_whole_length(norm):
    mask = torch.zeros(100)
    mask[:4] = 1
    x, y = torch.full((30, 100), 0.5), torch.zeros(30, dtype=torch.long)

    def net(x):  # the further from the start, the less sure
        return torch.tensor([2.0, 0.0, 0.0]) * (1 - (x - 0.5).norm(dim=1, keepdim=True))

    result = square(net, x, y, ThreatModel(norm, 0.3, mask=mask), queries=2)
    torch.testing.assert_close(result.norm, torch.full((30,), 0.3))
    assert not (result.x_adv - x)[:, 4:].any()


def test_restarts_share_the_budget(digits_cnn, digits):
    result = square(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.02), queries=32, restarts=3)
    assert (result.queries[~result.success] == 32).all()


def test_seeds_reproduce(digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    runs = [square(digits_cnn, digits.x, digits.y, threat, queries=10, seed=seed).x_adv for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_double_precision_and_views_of_other_tensors_are_taken_as_they_are(digits_cnn, digits):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    x = digits.x.double().transpose(2, 3)
    assert not x.is_contiguous()
    result = square(net, x, digits.y, ThreatModel("l2", 0.1), queries=5)
    assert result.x_adv.dtype == result.loss.dtype == torch.float64


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"p_init": 0.0}, "p_init"), ({"p_init": 2}, "p_init"), ({"restarts": 0}, "restarts"), ({"loss": "cee"}, "loss")],
)
def test_bad_settings_are_refused(digits_cnn, digits, settings, message):
    with pytest.raises(InputError, match=message):
        square(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.1), **settings)


def test_the_norm_without_blocks_is_refused(digits_cnn, digits):
    with pytest.raises(InputError, match="linf, l2 or l1"):
        square(digits_cnn, digits.x, digits.y, ThreatModel("l0", 5))


@pytest.mark.slow
@pytest.mark.parametrize("eps", [0.05, 0.1])
def test_accuracy_agrees_with_a_peer(trained_cnn, mnist_small, eps):
    # pyautoattack 0.2.0. Both draw at random: on 400 digits the difference of two such runs is about 1 %
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = pytest.importorskip("pyautoattack.square", reason="pyautoattack is not installed", exc_type=ImportError)
    data = mnist_small[1][:400]
    attack = peer.SquareAttack(trained_cnn.eval(), norm="Linf", n_queries=1000, eps=eps, p_init=0.8, seed=0, device="cpu")
    with torch.no_grad():
        theirs = float((predict(trained_cnn, attack.perturb(data.x, data.y)).argmax(1) == data.y).double().mean())
    ours = square(trained_cnn, data.x, data.y, ThreatModel("linf", eps), queries=1000).accuracy.value
    assert ours <= theirs + 0.015
