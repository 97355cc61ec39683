"""What has made other attacks lie, break or complain in riddles: every attack is put through the same list."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, apgd, apgd_targeted, auto_attack, fab, fab_targeted, fgsm, pgd, random_noise, square
from holdfast.core.errors import InputError
from holdfast.core.target import QueryCounter, Target
from holdfast.nets import mlp, predict, seeded, weights_digest


def ensemble(*question):
    return auto_attack(*question, steps=3, queries=10).combined


CLIMBERS = {
    "fgsm": fgsm,
    "pgd": partial(pgd, steps=6),
    "apgd": partial(apgd, steps=6),
    "apgd-dlr": partial(apgd, steps=6, loss="dlr"),
    "apgd-t": partial(apgd_targeted, steps=4),
    "fab": partial(fab, steps=6),
    "fab-t": partial(fab_targeted, steps=4),
    "auto_attack": ensemble,
}
ATTACKS = CLIMBERS | {"square": partial(square, queries=20), "random_noise": random_noise}
TARGETED = {"fgsm": fgsm, "pgd": pgd, "apgd": apgd, "square": square}


@pytest.fixture(params=list(ATTACKS))
def attack(request):
    return ATTACKS[request.param]


@pytest.fixture(params=list(CLIMBERS))
def climber(request):
    return CLIMBERS[request.param]


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:24]


QUESTION = {"x": torch.rand(4, 6), "y": torch.tensor([0, 1, 2, 0]), "threat": ThreatModel("linf", 0.1)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.rand(4, 6) * 3 - 1}, r"has values in \[.*\]; allowed: the box.*Normalized"),
        ({"x": torch.randint(0, 255, (4, 6))}, r"x\.float\(\) / 255"),
        ({"x": torch.full((4, 6), math.nan)}, "NaN"),
        ({"x": torch.rand(0, 6), "y": torch.zeros(0, dtype=torch.long)}, "empty"),
        ({"y": torch.tensor([0, 1])}, "rows"),
        ({"y": torch.tensor([0, 1, 2, 9])}, "0 to 4"),
        ({"y": torch.eye(5)[:4]}, "one integer per example"),
        ({"threat": ThreatModel("linf", torch.tensor([0.1, 0.2]))}, r"eps.*\(2,\)"),
        ({"threat": ThreatModel("linf", 0.1, mask=torch.ones(4, 6))}, "same for all examples"),
        ({"model": Target(model=nn.Identity(), bounds=(-1, 1))}, "bounds"),
        ({"model": Target(model=nn.Identity(), access="labels")}, "access"),
        ({"model": nn.Sequential(mlp(6, classes=5), nn.Softmax(1))}, r'Target\(model=model, outputs="probabilities"\)'),
        ({"model": nn.Flatten(0)}, "shape"),
    ],
    ids=lambda entry: next(iter(entry)) if isinstance(entry, dict) else "",
)
def test_bad_questions_are_refused_with_a_remedy(attack, change, message):
    question = {"model": mlp(6, classes=5), **QUESTION} | change
    with pytest.raises(InputError, match=message):
        attack(question["model"], question["x"], question["y"], question["threat"])


@pytest.mark.parametrize("name", TARGETED)
def test_a_target_that_is_the_label_is_refused(name):
    with pytest.raises(InputError, match="equals the label of 2 examples"):
        TARGETED[name](mlp(6, classes=5), *QUESTION.values(), target_class=torch.tensor([0, 2, 2, 1]))


def test_a_radius_of_zero_returns_the_input_itself(attack, digits_cnn, digits):
    result = attack(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.0))
    assert torch.equal(result.x_adv, digits.x)
    assert torch.equal(result.success, predict(digits_cnn, digits.x).argmax(1) != digits.y)


@pytest.mark.parametrize(("norm", "eps"), [("linf", 8 / 255), ("linf", 1 / 3), ("l2", 0.7), ("l1", 2.3)])
def test_rounding_does_not_carry_an_input_out_of_ball_and_box(attack, digits_cnn, digits, norm, eps):
    bounds = (-0.3, 0.9)  # walls that no float32 holds exactly

    def net(x):
        return digits_cnn((x + 0.3) / 1.2)

    x = digits.x * 1.2 - 0.3
    result = attack(net, x.clamp(*bounds), digits.y, ThreatModel(norm, eps, bounds=bounds))
    size = torch.linalg.vector_norm((result.x_adv - x).flatten(1).double(), ord={"linf": torch.inf, "l2": 2, "l1": 1}[norm], dim=1)
    assert float(size.max()) <= eps * (1 + 1e-5)
    assert bounds[0] - 1e-7 <= float(result.x_adv.min()) <= float(result.x_adv.max()) <= bounds[1] + 1e-7
    assert torch.equal(predict(net, result.x_adv).argmax(1) != digits.y, result.success)


def test_saturated_logits_do_not_hide_the_gradient(climber, digits_cnn, digits):
    # cross entropy of logits times 1e4 has a gradient of exactly zero in float32 wherever the answer is right
    plain, scaled = (
        climber(lambda x, factor=factor: factor * digits_cnn(x), digits.x, digits.y, ThreatModel("linf", 0.1))
        for factor in (1.0, 1e4)
    )
    assert not scaled.no_gradient.any()
    # the soft margin becomes the margin, which is another attack: at most 4 of 24 examples fewer
    assert int(scaled.success.sum()) >= int(plain.success.sum()) - 4


def test_a_network_without_slope_is_marked(climber, digits_cnn, digits):
    result = climber(lambda x: digits_cnn(x.round()), digits.x, digits.y, ThreatModel("linf", 0.02))
    attacked = predict(digits_cnn, digits.x.round()).argmax(1) == digits.y
    assert bool(result.no_gradient[attacked & ~result.success].all())


def test_a_network_that_cuts_the_gradient_is_refused(climber, digits_cnn, digits):
    with pytest.raises(InputError, match="cuts the gradient"):
        climber(lambda x: digits_cnn(x.detach()), digits.x, digits.y, ThreatModel("linf", 0.02))


@pytest.mark.parametrize("word", [math.nan, math.inf])
def test_answers_that_are_no_numbers_never_count_as_robust(attack, word):
    x, y = torch.full((20, 6), 0.5), torch.zeros(20, dtype=torch.long)
    x[10:15] = 0.9

    def net(x):
        bad = (x.amax(1, keepdim=True) > 0.8) & torch.tensor([True, False, False, False])
        return (x[:, :4] + torch.tensor([100.0, 0.0, 0.0, 0.0])).masked_fill(bad, word)

    with pytest.warns(UserWarning, match="answered 5 of 20 examples with NaN or infinity"):
        result = attack(net, x, y, ThreatModel("linf", 0.01))
    assert result.invalid.nonzero().squeeze(1).tolist() == [10, 11, 12, 13, 14]
    assert torch.equal(result.success, result.invalid)
    assert not result.loss.isnan().any()
    assert bool(result.x_adv.isfinite().all())


class CountsInEvaluation(nn.Module):
    """Changes its state in evaluation mode too."""

    def __init__(self):
        super().__init__()
        with seeded(0):
            self.inner = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 5))
        self.register_buffer("asked", torch.zeros(()))

    def forward(self, x):
        self.asked += len(x)
        return self.inner(x)


def test_the_network_is_left_as_it_was(attack):
    net = CountsInEvaluation().train()
    net.inner[0].weight.requires_grad_(False)
    digest = weights_digest(net)
    attack(net, *QUESTION.values())
    assert weights_digest(net) == digest, "a buffer moved"
    assert net.training
    assert net.inner.training
    assert not net.inner[0].weight.requires_grad
    assert net.inner[3].weight.requires_grad
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_inputs_are_left_as_they_were_and_so_is_the_global_generator(attack, digits_cnn, digits):
    before, state = digits.x.clone(), torch.get_rng_state()
    attack(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.1))
    assert torch.equal(digits.x, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_views_and_gradients_switched_off_outside_do_not_matter(attack, digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    plain = attack(digits_cnn, digits.x, digits.y, threat)
    strided = digits.x.permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2)
    assert not strided.is_contiguous()
    assert torch.equal(attack(digits_cnn, strided, digits.y, threat).success, plain.success)
    with torch.inference_mode():
        assert torch.equal(attack(digits_cnn, digits.x.clone(), digits.y, threat).success, plain.success)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_double_precision_follows_the_inputs(attack, norm):
    net = mlp(6, classes=5).double()
    x = QUESTION["x"].double()
    result = attack(net, x, predict(net, x).argmax(1), ThreatModel(norm, 0.5))
    assert result.x_adv.dtype == result.norm.dtype == torch.float64


def test_one_example_is_enough(attack, digits_cnn, digits):
    result = attack(digits_cnn, digits.x[:1], digits.y[:1], ThreatModel("l2", 0.3))
    assert result.x_adv.shape == (1, 1, 8, 8)


def test_a_target_counts_what_the_result_says(attack, digits_cnn, digits):
    target = Target(model=digits_cnn, queries=QueryCounter())
    result = attack(target, digits.x, digits.y, ThreatModel("linf", 0.05))
    # each attack looks at eight rows twice before it begins; the ensemble has five that do (square counts its own look)
    assert 0 <= target.queries.count - int(result.queries.sum()) <= 5 * 16


def test_declared_probabilities_are_attacked_through_their_logarithm(attack, digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    declared = attack(Target(model=nn.Sequential(digits_cnn, nn.Softmax(1)), outputs="probabilities"), digits.x, digits.y, threat)
    plain = attack(digits_cnn, digits.x, digits.y, threat)
    # the logarithm differs from the logits by a constant and by rounding: at most 2 of 24 examples
    assert abs(int(declared.success.sum()) - int(plain.success.sum())) <= 2


@pytest.mark.parametrize("name", ["fgsm", "pgd", "apgd", "apgd-t", "fab", "fab-t", "auto_attack"])
def test_a_random_network_is_announced_with_the_remedy(name, digits_cnn, digits):
    noise = torch.Generator().manual_seed(3)
    with pytest.warns(UserWarning, match='version="rand"'):
        CLIMBERS[name](
            lambda x: digits_cnn(x + 0.1 * torch.randn(x.shape, generator=noise)), digits.x, digits.y, ThreatModel("linf", 0.02)
        )
