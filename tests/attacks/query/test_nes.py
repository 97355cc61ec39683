"""NES: pairs of answers give the slope of both sides, within the budget."""

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, nes, pgd, random_noise
from holdfast.core.errors import InputError
from holdfast.core.target import QueryCounter, Target
from holdfast.nets import predict


class Counting(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.asked = net, 0

    def forward(self, x):
        self.asked += len(x)
        return self.net(x)


@pytest.mark.parametrize(("norm", "queries"), [("linf", 1), ("l2", 2), ("linf", 3), ("l2", 4), ("linf", 58)])
def test_budgets_hold_and_what_is_found_is_feasible(digits_cnn, digits_small, norm, queries):
    data, eps = digits_small[1][:40], 0.2 if norm == "linf" else 1.0
    net = Counting(digits_cnn)
    result = nes(net, data.x, data.y, ThreatModel(norm, eps), queries=queries, samples=10, batch_size=70)
    assert net.asked == int(result.queries.sum())
    assert int(result.queries.max()) <= queries
    assert float(result.norm.max()) <= eps * (1 + 1e-6)
    assert float(result.x_adv.min()) >= 0
    assert float(result.x_adv.max()) <= 1
    assert torch.equal(predict(digits_cnn, result.x_adv).argmax(1) != data.y, result.success)
    limited = Target(model=digits_cnn, access="scores", queries=QueryCounter(limit=333))
    nes(limited, data.x, data.y, ThreatModel(norm, eps), queries=58, samples=10)
    assert limited.queries.count == 333


def test_pairs_cancel_what_bends():
    """On an even parabola around the input both sides answer alike: there is no slope, and nothing but the shift moves."""
    x, y = torch.full((4, 6), 0.5, dtype=torch.float64), torch.zeros(4, dtype=torch.long)

    def bowl(inputs):
        height = (inputs - 0.5).square().sum(1)
        return torch.stack([torch.full_like(height, 50.0), height + (inputs[:, 0] - 0.5)], 1)

    result = nes(bowl, x, y, ThreatModel("l2", 1e-3), queries=2 + 40, samples=40, sigma=0.1)
    move = (result.x_adv - x)[:, 0] / result.norm
    # forty answers along twenty directions of a slope that lies in one of six dimensions
    assert (move > 0.5).all()


@pytest.mark.parametrize("targeted", [False, True])
def test_it_climbs_between_noise_and_the_true_gradient(digits_cnn, digits_small, targeted):
    data, threat = digits_small[1][:60], ThreatModel("linf", 0.2)
    goal = (data.y + 1) % 10 if targeted else None
    found = nes(digits_cnn, data.x, data.y, threat, target_class=goal, queries=400, samples=20, momentum=0.5)
    white = pgd(digits_cnn, data.x, data.y, threat, target_class=goal)
    assert int(found.success.sum()) <= int(white.success.sum())
    if not targeted:
        assert int(found.success.sum()) > int(random_noise(digits_cnn, data.x, data.y, threat).success.sum()) + 10
    assert int(found.success.sum()) > 0.25 * int(white.success.sum())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 7}, "even"),
        ({"samples": 0}, "samples"),
        ({"sigma": -1.0}, "sigma"),
        ({"momentum": -0.5}, "momentum"),
        ({"threat": ThreatModel("l0", 3)}, "linf or l2"),
        ({"model": Target(model=nn.Linear(4, 3), access="labels")}, "hopskipjump"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(change, message):
    given = {"model": nn.Linear(4, 3), "threat": ThreatModel("linf", 0.1)} | change
    with pytest.raises(InputError, match=message):
        nes(given.pop("model"), torch.rand(2, 4), torch.tensor([0, 1]), given.pop("threat"), **given)
