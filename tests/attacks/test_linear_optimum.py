"""On a linear network in a box the worst case has a closed form in each norm: every attack on gradients has to find it."""

import pytest
import torch

from holdfast.attacks import ThreatModel, apgd, apgd_targeted, fab, fab_targeted, nearest_adversarial, pgd
from holdfast.nets import mlp, predict

EPS = {"linf": 0.16, "l2": 0.8, "l1": 2.7}
FEATURES, EXAMPLES = 40, 60


@pytest.fixture(scope="module")
def question():
    """A linear network of two classes in float64, inputs anywhere in the box, and its own answers as labels."""
    net = mlp(FEATURES, hidden=(), classes=2, seed=0).double()
    x = torch.rand(EXAMPLES, FEATURES, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    x[: EXAMPLES // 4] = x[: EXAMPLES // 4].round()  # a quarter stands in the corners
    weight = net.head.weight.detach()
    toward_other = (weight[1] - weight[0]) * torch.where(predict(net, x).argmax(1) == 0, 1.0, -1.0)[:, None]
    return net, x, predict(net, x).argmax(1), toward_other.double()


def worst_shift(x, slope, norm, eps):
    """The allowed perturbation with the largest product with `slope` (N, d), for radii `eps` (N, 1)."""
    room = torch.where(slope > 0, 1 - x, x)
    if norm == "linf":
        size = torch.minimum(room, eps)
    elif norm == "l1":
        # a fractional knapsack: the steepest coordinates first, each to its wall, until the radius is spent
        order = slope.abs().argsort(dim=1, descending=True)
        full = room.gather(1, order)
        size = torch.zeros_like(x).scatter(1, order, torch.minimum(full, (eps - full.cumsum(1) + full).clamp_min(0)))
    else:
        # Lagrange: in proportion to the slope up to the wall, the factor by bisection
        low, high = torch.zeros_like(eps), torch.full_like(eps, 1e4)
        for _ in range(100):
            middle = (low + high) / 2
            fits = torch.minimum(middle * slope.abs(), room).norm(dim=1, keepdim=True) <= eps
            low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
        size = torch.minimum(low * slope.abs(), room)
    return size * slope.sign()


def margin(net, x, y):
    logits = predict(net, x)
    return (logits[:, 1] - logits[:, 0]) * torch.where(y == 0, 1, -1)


def nearest_norm(net, x, y, slope, norm):
    """The radius at which the worst case is wrong, by bisection; infinite where the whole box is right."""
    low, high = torch.zeros(len(x), 1, dtype=x.dtype), torch.full((len(x), 1), float(FEATURES), dtype=x.dtype)
    possible = margin(net, x + worst_shift(x, slope, norm, high), y) > 0
    for _ in range(60):
        middle = (low + high) / 2
        fooled = margin(net, x + worst_shift(x, slope, norm, middle), y)[:, None] > 0
        low, high = torch.where(fooled, low, middle), torch.where(fooled, middle, high)
    return torch.where(possible, high.squeeze(1), torch.inf)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("attack", [pgd, apgd, apgd_targeted, fab, fab_targeted], ids=lambda attack: attack.__name__)
def test_an_example_falls_exactly_if_its_worst_case_is_wrong(question, attack, norm):
    net, x, y, slope = question
    nearest = nearest_norm(net, x, y, slope, norm)
    fragile = nearest < EPS[norm]
    assert 0.2 < float(fragile.double().mean()) < 0.8
    settings = {"loss": "cw_margin"} if attack is apgd_targeted else {}  # DLR needs four classes
    found = attack(net, x, y, ThreatModel(norm, EPS[norm]), steps=60, **settings).success
    assert not bool((found & ~fragile).any()), "beyond the closed form"
    # a margin of 2 % of the radius for those that stop short of the optimum
    assert bool(found[nearest < 0.98 * EPS[norm]].all()), "short of the closed form"


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_apgd_climbs_to_the_worst_case_itself(question, norm):
    net, x, y, slope = question
    worst = margin(net, x + worst_shift(x, slope, norm, torch.full((EXAMPLES, 1), EPS[norm], dtype=x.dtype)), y)
    found = apgd(net, x, y, ThreatModel(norm, EPS[norm]), loss="cw_margin", early_stop=False).loss
    share = (found - margin(net, x, y)) / (worst - margin(net, x, y))
    assert float(share.max()) <= 1 + 1e-9, "beyond the closed form"
    # sparse steps in L1 are never shorter than a tenth of the radius, which leaves a few per cent for some
    assert float(share.min()) > (0.95 if norm == "l1" else 1 - 1e-6)
    assert float(share.mean()) > (0.995 if norm == "l1" else 1 - 1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_nearest_adversarial_is_the_nearest(question, norm):
    net, x, y, slope = question
    exact = nearest_norm(net, x, y, slope, norm)
    found = nearest_adversarial(net, x, y, ThreatModel(norm, 0.1), steps=10)
    assert torch.equal(found.norm.isfinite(), exact.isfinite())
    assert bool((found.norm >= exact * (1 - 1e-9)).all()), "nearer than possible"
    torch.testing.assert_close(found.norm, exact, rtol=1e-2, atol=0)
