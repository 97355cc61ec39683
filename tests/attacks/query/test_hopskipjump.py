"""HopSkipJump: labels alone lead to the nearest wrong answer, which a linear network tells exactly."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, fab, hopskipjump
from holdfast.core.errors import InputError
from holdfast.core.target import QueryCounter, Target
from holdfast.nets import mlp, predict


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:60]


class Counting(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.asked = net, 0

    def forward(self, x):
        self.asked += len(x)
        return self.net(x)


@pytest.mark.parametrize(("norm", "dual", "slack"), [("l2", 2, 1.03), ("linf", 1, 1.25)])
def test_the_distance_to_a_plane_is_found(norm, dual, slack):
    """Far from the walls it is the lead of the right class over the dual norm of the difference of weights."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(30, generator=generator, dtype=torch.float64)
    x = 0.5 + 0.1 * torch.rand(40, 30, generator=generator, dtype=torch.float64)
    gain = (x - 0.5) @ weight

    def net(inputs):
        return ((inputs - 0.5) @ weight > 0).long()

    exact = gain.abs() / torch.linalg.vector_norm(weight, ord=dual)
    result = hopskipjump(net, x, (gain > 0).long(), ThreatModel(norm, 1.0), queries=2000)
    assert (result.distance >= exact * (1 - 1e-9)).all()
    assert float((result.distance / exact).median()) <= slack
    torch.testing.assert_close(result.distance, result.norm)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_whoever_is_inside_the_ball_after_the_first_bisection_stays_there(norm):
    """All that may be asked about at once end together: nothing is left to estimate a normal for."""

    def net(inputs):
        return (inputs[:, 0] > 0.5).long()

    x, y = torch.full((5, 6), 0.45), torch.zeros(5, dtype=torch.long)
    result = hopskipjump(net, x, y, ThreatModel(norm, 0.5), queries=300, stop_inside=True)
    assert bool(result.success.all())
    assert int(result.queries.max()) < 60


@pytest.mark.parametrize(("norm", "queries"), [("linf", 1), ("l2", 2), ("linf", 200), ("l2", 200)])
def test_budgets_hold_and_success_is_judged_against_eps(digits_cnn, digits, norm, queries):
    eps = 0.8 if norm == "l2" else 0.15
    net = Counting(digits_cnn)
    result = hopskipjump(net, digits.x, digits.y, ThreatModel(norm, eps), queries=queries, batch_size=50)
    assert net.asked == int(result.queries.sum())
    assert int(result.queries.max()) <= queries
    assert torch.equal(result.success, result.distance <= eps)
    assert float(result.norm.max()) <= eps * (1 + 1e-6)
    for inputs, told in ((result.x_adv, result.success), (result.nearest, result.distance.isfinite())):
        assert float(inputs.min()) >= 0
        assert float(inputs.max()) <= 1
        assert torch.equal(predict(digits_cnn, inputs).argmax(1) != digits.y, told)
    wrong = predict(digits_cnn, digits.x).argmax(1) != digits.y
    assert (result.queries[wrong] == 1).all()
    assert torch.equal(result.x_adv[wrong], digits.x[wrong])
    assert not result.distance[wrong].any()
    limited = Target(model=digits_cnn, access="labels", queries=QueryCounter(limit=777))
    hopskipjump(limited, digits.x, digits.y, ThreatModel(norm, eps), queries=200)
    assert limited.queries.count == 777


def test_labels_are_all_that_is_looked_at(digits_cnn, digits):
    threat = ThreatModel("l2", 0.8)
    of_labels, of_scores = (
        hopskipjump(model, digits.x, digits.y, threat, queries=150) for model in (lambda x: digits_cnn(x).argmax(1), digits_cnn)
    )
    assert torch.equal(of_labels.nearest, of_scores.nearest)
    assert torch.equal(of_labels.queries, of_scores.queries)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_more_questions_lead_nearer_and_gradients_nearer_still(digits_cnn, digits, norm):
    threat = ThreatModel(norm, 0.1)
    few, many = (hopskipjump(digits_cnn, digits.x, digits.y, threat, queries=queries).distance for queries in (100, 600))
    assert float(many.median()) < 0.8 * float(few.median())
    white = fab(digits_cnn, digits.x, digits.y, ThreatModel(norm, 2.0), steps=50).norm
    assert float(many.median()) > 0.9 * float(white.median())


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_targeted_walk_begins_at_inputs_of_the_target_class(digits_cnn, digits_small, norm):
    train, test = digits_small[0], digits_small[1][:40]
    goal = (test.y + 3) % 10
    answers = predict(digits_cnn, train.x).argmax(1)
    starts = torch.stack([train.x[answers == wanted][0] for wanted in goal])
    threat = ThreatModel(norm, 1.5 if norm == "l2" else 0.3)
    result = hopskipjump(digits_cnn, test.x, test.y, threat, target_class=goal, starts=starts, queries=200)
    assert result.distance.isfinite().all()
    assert torch.equal(predict(digits_cnn, result.nearest).argmax(1) == goal, torch.ones(40, dtype=torch.bool))
    begin = torch.linalg.vector_norm((starts - test.x).flatten(1), ord=2 if norm == "l2" else torch.inf, dim=1)
    assert (result.distance < begin).all()


def test_who_never_gives_another_answer_is_reported_as_such(digits):
    result = hopskipjump(
        lambda x: torch.zeros(len(x), dtype=torch.long),
        digits.x,
        torch.zeros(60, dtype=torch.long),
        ThreatModel("l2", 1.0),
        queries=500,
        start_draws=20,
    )
    assert not result.success.any()
    assert result.distance.isinf().all()
    assert (result.queries == 21).all()
    assert torch.equal(result.nearest, digits.x)


def test_an_example_may_leave_once_it_is_inside(digits_cnn, digits):
    threat = ThreatModel("l2", 1.0)
    whole, short = (hopskipjump(digits_cnn, digits.x, digits.y, threat, queries=400, stop_inside=stop) for stop in (False, True))
    assert int(short.queries.sum()) < 0.6 * int(whole.queries.sum())
    assert abs(int(short.success.sum()) - int(whole.success.sum())) <= 6


def test_what_the_mask_forbids_stays(digits_cnn, digits):
    mask = torch.zeros(8, 8)
    mask[2:6] = 1
    result = hopskipjump(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.4, mask=mask), queries=150)
    assert not ((result.nearest - digits.x) * (1 - mask)).any()
    assert (result.distance[result.distance > 0].isfinite()).any()


def test_seeds_reproduce(digits_cnn, digits):
    runs = [
        hopskipjump(digits_cnn, digits.x, digits.y, ThreatModel("l2", 1.0), queries=60, seed=seed).nearest for seed in (0, 0, 1)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


BAD = [
    ({"starts": torch.rand(3, 4)}, "starts"),
    ({"starts": torch.full((5, 4), 1.5)}, "starts"),
    ({"starts": torch.full((5, 4), torch.nan)}, "starts"),
    ({"threat": ThreatModel("l1", 1.0)}, "linf or l2"),
    ({"first_samples": 0}, "first_samples"),
    ({"start_draws": 0}, "start_draws"),
    ({"model": lambda x: x.sum(1)}, "answers with shape"),
    ({"model": lambda x: x[:, None]}, "answers with shape"),
    ({"x": torch.rand(5, 4) - 1}, "has values in"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_refused_with_a_remedy(change, message):
    given = {"model": nn.Linear(4, 3), "x": torch.rand(5, 4), "y": torch.tensor([0, 1, 2, 0, 1]), "threat": ThreatModel("l2", 1.0)}
    given |= change
    subject = [given.pop(name) for name in ("model", "x", "y", "threat")]
    with pytest.raises(InputError, match=message):
        hopskipjump(*subject, queries=5, **given)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_distances_are_no_larger_than_a_peer_s_for_the_same_questions(digits_cnn, digits, norm):
    # adversarial-robustness-toolbox 1.20.1; it goes through a number of rounds, whose passes are counted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        attacks = pytest.importorskip("art.attacks.evasion", reason="art is not installed", exc_type=ImportError)
        from art.estimators.classification import PyTorchClassifier
    right = predict(digits_cnn, digits.x).argmax(1) == digits.y
    x, y, net = digits.x[right][:20], digits.y[right][:20], Counting(lambda x: digits_cnn(x.float()))
    order = 2 if norm == "l2" else np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classifier = PyTorchClassifier(net, nn.CrossEntropyLoss(), (1, 8, 8), 10, clip_values=(0.0, 1.0), device_type="cpu")
        np.random.seed(0)  # noqa: NPY002 - the peer draws from the global stream
        peer = attacks.HopSkipJump(classifier, norm=order, max_iter=8, max_eval=10_000, init_eval=100, verbose=False)
        theirs = torch.from_numpy(peer.generate(x.numpy())) - x
    spent = net.asked // len(x)
    ours = hopskipjump(digits_cnn, x, y, ThreatModel(norm, 1.0), queries=spent).distance
    assert float(ours.median()) <= 1.05 * float(torch.linalg.vector_norm(theirs.flatten(1), ord=float(order), dim=1).median())


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_what_counts_as_success_is_within_the_radius(norm):
    for seed in range(4):
        torch.manual_seed(seed)
        net, x = mlp(8, classes=3, seed=seed), torch.rand(20, 8)
        eps = 0.5 if norm == "l2" else 0.2
        result = hopskipjump(net, x, net(x).argmax(1), ThreatModel(norm, eps), queries=200)
        assert bool((result.distance[result.success] <= eps * (1 + 1e-6)).all())
        torch.testing.assert_close(result.distance[result.success], result.norm[result.success])


@pytest.mark.parametrize("answers", [lambda logits: logits, lambda logits: logits.argmax(1)], ids=["scores", "labels"])
def test_labels_beyond_the_classes_are_refused_and_never_count_as_fooled(answers):
    torch.manual_seed(0)
    x = torch.rand(20, 6)
    net = torch.nn.Linear(6, 3)
    with torch.no_grad():
        y = net(x).argmax(1)
    threat = ThreatModel("l2", 0.1)
    with pytest.raises(InputError, match=r"`y` runs from \d+ to \d+.*Labels that start at 1 need `- 1`"):
        hopskipjump(lambda batch: answers(net(batch)), x, y + 10, threat, queries=50)
    assert not hopskipjump(lambda batch: answers(net(batch)), x, y, ThreatModel("l2", 1e-6), queries=50).success.any()
