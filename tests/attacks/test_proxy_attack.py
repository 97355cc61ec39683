"""Heads on layers, the objective that they make, and images that are pushed towards a proxy class."""

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, input_gradient, smoothed
from holdfast.attacks.transfer import (
    CorrespondenceMatrix,
    FeatureHeads,
    Proxies,
    ProxyObjective,
    attack_prior,
    proxy_attack,
    select_layers,
    spanning_priors,
)
from holdfast.core.errors import InputError
from holdfast.core.experiment import Context
from holdfast.core.memo import Memo
from holdfast.core.target import Target
from holdfast.data.splits import select_classes
from holdfast.nets import conv_net, evaluate, fit, predict, weights_digest

BLOCKS = ("block1", "block2", "block3", "block4")
EPS = ThreatModel("linf", 0.25)
IDENTITY = CorrespondenceMatrix(C=torch.eye(5))


@pytest.fixture(scope="module")
def small_digits(digits_small):
    """Digits 0 to 4: training and test rows."""
    return tuple(select_classes(part, range(5)) for part in digits_small)


@pytest.fixture(scope="module")
def white_boxes(small_digits):
    """Two networks of the same classes, trained apart: about 99 % on test digits."""
    nets = [conv_net(classes=5, seed=seed) for seed in (1, 2)]
    for seed, net in enumerate(nets):
        fit(net, small_digits[0], epochs=4, lr=5e-3, batch_size=64, seed=seed)
    return nets


@pytest.fixture(scope="module")
def heads(white_boxes, small_digits):
    return FeatureHeads.fit(white_boxes[0], small_digits[0], BLOCKS, epochs=5)


@pytest.fixture
def away(small_digits):
    """Test digits, and another class for each."""
    test = small_digits[1]
    return test.x, (test.y + 1) % 5


def test_every_layer_of_a_trained_network_knows_the_classes(white_boxes, heads, small_digits):
    from holdfast.nets import features

    test = small_digits[1]
    assert evaluate(white_boxes[0], test).accuracy.value > 0.95
    logits = heads(features(white_boxes[0], test.x, BLOCKS))
    for name, reading in logits.items():
        assert (reading.argmax(1) == test.y).float().mean() > 0.85, name  # chance is 0.2
        right = reading.gather(1, test.y[:, None])
        assert (right > 0).float().mean() > 0.6, f"{name}: each class has its own probability"


def test_heads_leave_the_network_as_it_was_and_repeat(white_boxes, small_digits):
    net, data = white_boxes[1], small_digits[0]
    before = weights_digest(net), net.training
    one, again, other = (FeatureHeads.fit(net, data, ["block2"], epochs=1, seed=seed) for seed in (0, 0, 1))
    assert (weights_digest(net), net.training) == before
    assert weights_digest(one) == weights_digest(again) != weights_digest(other)


def test_heads_are_kept_by_their_state(white_boxes, heads, small_digits):
    x = small_digits[1].x[:6]
    copy = FeatureHeads.blank(white_boxes[0], x, BLOCKS, classes=5)
    copy.load_state_dict(heads.state_dict())
    rows, proxies = torch.arange(6), IDENTITY.proxy(torch.arange(6) % 5)
    values = [ProxyObjective(white_boxes[0], x, proxies, heads=some)(x, rows) for some in (heads, copy)]
    assert torch.equal(*values)


def test_heads_are_trained_by_the_first_that_asks(white_boxes, small_digits, tmp_path):
    context, data = Context(memo=Memo(tmp_path)), small_digits[0]
    settings = {"hidden": 16, "epochs": 1}
    first = FeatureHeads.kept(context, white_boxes[0], data, BLOCKS[:2], seed=3, **settings)
    assert weights_digest(first) == weights_digest(FeatureHeads.fit(white_boxes[0], data, BLOCKS[:2], seed=3, **settings))
    assert not any(p.requires_grad for p in first.parameters())

    shelf = sorted(tmp_path.glob("*.safetensors"))
    FeatureHeads.kept(context, white_boxes[0], data, BLOCKS[:2], seed=3, **settings)
    assert sorted(tmp_path.glob("*.safetensors")) == shelf, "found again"
    FeatureHeads.kept(context, white_boxes[1], data, BLOCKS[:2], seed=3, **settings)
    assert len(list(tmp_path.glob("*.safetensors"))) == 2, "another network has other heads"


@pytest.mark.parametrize("shape", [(3, 6), (3, 6, 4), (3, 6, 4, 4), (3, 6, 2, 4, 4)])
def test_features_of_any_usual_shape_are_pooled(shape):
    from holdfast.attacks.transfer.heads import pooled

    assert pooled(torch.rand(shape), 2).shape[0] == 3


@pytest.mark.parametrize("method", ["proxy-ce", "fda", "fda-n", "fda-n+ce"])
def test_the_gradient_is_that_of_finite_differences(white_boxes, heads, small_digits, method):
    net = conv_net(classes=5, seed=1)
    net.load_state_dict(white_boxes[0].state_dict())
    net.double().eval()
    readers = FeatureHeads.blank(white_boxes[0], small_digits[1].x[:2], BLOCKS, classes=5)
    readers.load_state_dict(heads.state_dict())
    x = small_digits[1].x[:4].double()
    push = ProxyObjective(net, x, IDENTITY.proxy(torch.arange(4)), method=method, heads=readers.double(), eta=0.3)
    at, rows = x + 0.05 * torch.rand_like(x), torch.arange(4)
    slope, way, step = input_gradient(push, at, rows), torch.randn_like(x), 1e-7
    with torch.no_grad():
        measured = (push(at + step * way, rows) - push(at - step * way, rows)) / (2 * step)
    assert torch.allclose(measured, (slope * way).flatten(1).sum(1), rtol=1e-3, atol=1e-5)


def test_terms_add_up(white_boxes, heads, away):
    x, goals = away[0][:10], away[1][:10]
    rows, proxies = torch.arange(10), IDENTITY.proxy(goals)

    def value(**settings):
        with torch.no_grad():
            return ProxyObjective(white_boxes[0], x, proxies, heads=heads, **settings)(x, rows)

    layers = sum(value(method="fda", layers=[name]) for name in BLOCKS)
    assert torch.allclose(value(method="fda-n"), layers, atol=1e-4)
    both = value(method="fda-n+ce", gamma=2.0)
    assert torch.allclose(both, layers + 2 * value(method="proxy-ce"), atol=1e-4)
    expected = predict(white_boxes[0], x).log_softmax(1).gather(1, goals[:, None]).squeeze(1)
    assert torch.allclose(value(method="proxy-ce"), expected, atol=1e-6)


def test_displacement_is_relative_and_starts_at_nought(white_boxes, heads, away):
    x, rows = away[0][:4], torch.arange(4)
    proxies = IDENTITY.proxy(away[1][:4])
    calm, pushed = (ProxyObjective(white_boxes[0], x, proxies, method="fda-n", heads=heads, eta=eta) for eta in (0.0, 10.0))
    assert torch.equal(calm(x, rows), pushed(x, rows))
    assert input_gradient(pushed, x, rows).isfinite().all()
    assert (pushed(0.5 * x, rows) > calm(0.5 * x, rows)).all()
    # rows in another order are other examples, not those that were kept
    assert torch.allclose(pushed(0.5 * x.flip(0), rows.flip(0)), pushed(0.5 * x, rows).flip(0))


class Dead(nn.Module):
    """A layer whose features are zero for dark inputs and NaN for none."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Identity(), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.layer(x * (x.sum(1, keepdim=True) > 1)))


def test_features_of_no_length_leave_out_the_relative_term():
    net = Dead()
    heads = FeatureHeads({"layer": 4}, classes=2)
    x = torch.stack([torch.zeros(4), torch.full((4,), 0.4)])
    proxies = Proxies.single(torch.tensor([0, 1]))
    near, far = (ProxyObjective(net, x, proxies, method="fda", heads=heads, eta=eta) for eta in (0.0, 5.0))
    rows, other = torch.arange(2), torch.full((2, 4), 0.9)
    assert far(other, rows)[0] == near(other, rows)[0]
    assert far(other, rows)[1] > near(other, rows)[1]
    assert input_gradient(far, other, rows).isfinite().all()


def test_features_that_are_no_numbers_leave_out_the_relative_term():
    from holdfast.attacks.transfer.objective import _displacement

    clean = torch.tensor([[3.0, 4.0], [torch.nan, 1.0], [torch.inf, 1.0]])
    now = torch.tensor([[3.0, 9.0], [0.0, 0.0], [0.0, 0.0]], requires_grad=True)
    found = _displacement(now, clean)
    assert found.tolist() == [1.0, 0.0, 0.0]
    assert torch.autograd.grad(found.sum(), now)[0].isfinite().all()


@pytest.mark.parametrize("method", ["proxy-ce", "fda", "fda-n", "fda-n+ce"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_images_reach_the_proxy_inside_ball_and_box(white_boxes, heads, away, method, norm):
    x, goals = away[0][:60], away[1][:60]
    threat = ThreatModel(norm, 0.25 if norm == "linf" else 2.0)
    attack = proxy_attack(white_boxes[0], x, goals, IDENTITY, threat, method=method, heads=heads)
    assert attack.norm.max() <= threat.eps * (1 + 1e-5)
    assert attack.x_adv.min() >= 0
    assert attack.x_adv.max() <= 1
    assert torch.equal(attack.proxies.classes[:, 0], goals)
    assert attack.white_box_rate.value > 0.7  # unattacked: 0; measured 0.9 to 1
    assert torch.equal(attack.reached, predict(white_boxes[0], attack.x_adv).argmax(1) == goals)


def test_no_radius_changes_nothing_and_batches_do_not_matter(white_boxes, heads, away):
    x, goals = away[0][:20], away[1][:20]
    still = proxy_attack(white_boxes[0], x, goals, IDENTITY, ThreatModel("linf", 0.0), heads=heads)
    assert torch.equal(still.x_adv, x)
    whole, parts = (proxy_attack(white_boxes[0], x, goals, IDENTITY, EPS, heads=heads, batch_size=size).x_adv for size in (20, 7))
    assert (whole - parts).abs().max() < 0.02  # sums in another order may turn the sign of a gradient near 0
    assert (whole - parts).abs().mean() < 1e-4


def test_the_network_is_left_as_it_was(white_boxes, heads, away):
    net = white_boxes[0]
    net.zero_grad()

    def state():
        flags = [(p.requires_grad, p.grad) for p in net.parameters()]
        return weights_digest(net), net.training, flags, len(net.block1._forward_hooks)

    before = state()
    proxy_attack(net, away[0][:5], 1, IDENTITY, EPS, heads=heads)
    assert state() == before


def test_two_proxies_share_the_push(white_boxes, away):
    C = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0, 1], [0, 1], [0, 1]])
    x = away[0][:10]
    attack = proxy_attack(white_boxes[0], x, 0, CorrespondenceMatrix(C=C), EPS, top_k=2, method="proxy-ce")
    before, after = (predict(white_boxes[0], z).log_softmax(1)[:, :2].mean(1) for z in (x, attack.x_adv))
    assert (after > before + 1).all()


def test_an_adapter_stands_between_two_sizes(white_boxes, heads, away):
    x = nn.functional.interpolate(away[0][:10], scale_factor=2)
    with pytest.raises(InputError, match="adapter="):
        proxy_attack(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), x, 1, IDENTITY, EPS, method="proxy-ce")
    attack = proxy_attack(white_boxes[0], x, 1, IDENTITY, EPS, heads=heads, adapter=lambda z: nn.functional.avg_pool2d(z, 2))
    assert attack.x_adv.shape == x.shape
    assert attack.white_box_rate.value > 0.5


def test_a_prior_is_the_gradient_of_the_objective(white_boxes, heads, away):
    x, goals = away[0][:12], away[1][:12]
    settings = {"method": "fda-n+ce", "heads": heads}
    prior = attack_prior(white_boxes[0], x, goals, IDENTITY, **settings)
    rows = torch.tensor([3, 0, 7])
    push = ProxyObjective(white_boxes[0], x, IDENTITY.proxy(goals), **settings)
    assert torch.allclose(prior(x[rows], rows), input_gradient(push, x[rows], rows), rtol=1e-4, atol=1e-6)
    flat = attack_prior(white_boxes[0], x, goals, IDENTITY, smooth=smoothed(3), **settings)(x[rows], rows)
    assert torch.allclose(flat, smoothed(3)(prior(x[rows], rows)))
    # up the prior is up the white box's own probability of the proxy
    step = prior(x, torch.arange(12)).sign()
    before, after = (
        predict(white_boxes[0], z).log_softmax(1).gather(1, goals[:, None]) for z in (x, (x + 0.03 * step).clamp(0, 1))
    )
    assert (after > before).float().mean() > 0.9


def test_a_guess_that_is_used_up_steps_back(white_boxes, away):
    x, rows = away[0][:12], torch.arange(12)
    settings = {"target_class": away[1][:12], "correspondence": IDENTITY, "method": "proxy-ce"}
    plain, roomy = (attack_prior(white_boxes[0], x, threat=threat, **settings) for threat in (None, EPS))
    middle = (0.5 + 0.2 * (x - 0.5)).clamp(x - 0.2, x + 0.2)
    inside = (middle > 0) & (middle < 1)
    assert torch.equal(roomy(middle, rows)[inside], plain(middle, rows)[inside])
    edge = (x + 0.25 * plain(x, rows).sign()).clamp(0, 1)
    left, whole = roomy(edge, rows), plain(edge, rows)
    assert left.norm() < whole.norm(), "some of it leads out"
    moved = (edge + 1e-4 * left.sign()).clamp(0, 1) - x
    assert moved.abs().max() <= 0.25 + 1e-5, "what is left leads nowhere out of the ball"
    with pytest.raises(InputError, match="linf"):
        attack_prior(white_boxes[0], x, threat=ThreatModel("l2", 1.0), **settings)


def test_directions_that_span_lead_to_each_class_in_each_layer(white_boxes, heads, away):
    x, rows = away[0][:6], torch.arange(6)
    found = spanning_priors(white_boxes[0], x, heads)
    assert len(found) == 5 * len(BLOCKS)
    last = attack_prior(white_boxes[0], x, 4, IDENTITY, heads=heads, method="fda", layers=["block4"])
    assert torch.equal(found[-1](x, rows), last(x, rows))
    edge = (x - 0.25).clamp(0, 1)
    inside = spanning_priors(white_boxes[0], x, heads, threat=EPS)[-1](edge, rows)
    assert (inside >= 0).all(), "at the lower edge of ball and box no direction leads further down"
    assert inside.abs().sum() > 0


def test_layers_are_chosen_without_the_victim(white_boxes, heads, small_digits):
    found = select_layers(*white_boxes, small_digits[1][:120], EPS, heads=heads, steps=5)
    assert set(found.alone) == set(BLOCKS)
    assert found.path[0].value == max(one.value for one in found.alone.values())
    values = [step.value for step in found.path]
    assert values == sorted(set(values)), "a layer is taken only if it adds something"
    assert found.path[-1].value > 0.3  # measured 0.7; without attack it is 0
    assert len(select_layers(*white_boxes, small_digits[1][:40], EPS, heads=heads, steps=2, most=1).layers) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "fda-n"}, "FeatureHeads.fit"),
        ({"method": "fgsm"}, "proxy-ce"),
        ({"method": "fda", "layers": BLOCKS[:2]}, "one layer for 'fda'"),
        ({"method": "fda-n", "layers": ["block9"]}, "block1, block2, block3, block4"),
        ({"method": "fda-n", "layers": []}, "distinct layers"),
        ({"method": "proxy-ce", "gamma": 0.0}, "no other term"),
        ({"eta": -1.0}, "`eta` is -1"),
        ({"top_k": 6}, "`k` is 6"),
        ({"steps": 0}, "`steps` is 0"),
    ],
)
def test_settings_out_of_range_are_refused(white_boxes, heads, away, settings, message):
    chosen = {"heads": None if message == "FeatureHeads.fit" else heads} | settings
    with pytest.raises(InputError, match=message):
        proxy_attack(white_boxes[0], away[0][:3], 1, IDENTITY, EPS, **chosen)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(0, 1, 8, 8), "empty"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), "float"),
        (torch.full((2, 1, 8, 8), 1.5), "box"),
        (torch.full((2, 1, 8, 8), torch.nan), "NaN|box"),
    ],
)
def test_bad_images_are_refused(white_boxes, x, message):
    with pytest.raises(InputError, match=message):
        proxy_attack(white_boxes[0], x, 1, IDENTITY, EPS, method="proxy-ce")


def test_unknown_layers_are_refused_with_those_that_there_are(white_boxes, small_digits):
    with pytest.raises(InputError, match=r"'block7'.*'block1'.*'block4'.*Did you mean 'block"):
        FeatureHeads.fit(white_boxes[0], small_digits[0], ["block7"])
    with pytest.raises(InputError, match="at least one"):
        FeatureHeads.fit(white_boxes[0], small_digits[0], [])


def test_features_that_are_no_numbers_are_refused(small_digits):
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Flatten(), nn.Linear(64, 5)

        def forward(self, x):
            return self.head(self.layer(x / x.amin()))

    with pytest.raises(InputError, match="features of layer"):
        FeatureHeads.fit(Broken(), small_digits[0], ["layer"])


def test_a_correspondence_without_a_proxy_is_refused_by_the_attack(white_boxes, away):
    sink = CorrespondenceMatrix(C=torch.tensor([[1.0, 0.0]] * 5))
    with pytest.raises(InputError, match="no source class is ever mapped to target 1"):
        proxy_attack(white_boxes[0], away[0][:3], 1, sink, EPS, method="proxy-ce")


def test_the_victim_is_not_asked(white_boxes, heads, away):
    victim = Target(model=white_boxes[1], access="labels")
    proxy_attack(white_boxes[0], away[0][:5], 1, IDENTITY, EPS, heads=heads)
    assert victim.queries.count == 0
