"""Success beside its controls, warnings of sink classes, and what it depends on."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel
from holdfast.attacks.transfer import (
    CorrespondenceMatrix,
    Proxies,
    TransferEvaluation,
    aimed,
    clean_signals,
    control_attacks,
    evaluate_methods,
    evaluate_transfer,
    noise_control,
    sensitivity,
    transfer_curves,
)
from holdfast.core.errors import InputError
from holdfast.core.estimate import proportion
from holdfast.core.target import Target
from holdfast.data import Examples


def evaluation(**hits):
    """Three classes, 20 images towards class 1 and 20 towards class 2, of which the first `hits` (one pair per name) succeed."""
    y = torch.zeros(40, dtype=torch.long)
    goals = torch.tensor([1] * 20 + [2] * 20)
    answers = {}
    for name, (one, two) in hits.items():
        answers[name] = torch.tensor([1] * one + [0] * (20 - one) + [2] * two + [0] * (20 - two))
    return TransferEvaluation(y=y, target_class=goals, answers=answers, classes=3)


def test_rates_are_counted_per_target_and_averaged():
    found = evaluation(attack=(10, 4), noise=(1, 0), random_proxy=(0, 2))
    assert {goal: one.value for goal, one in found.by_target("attack").items()} == {1: 0.5, 2: 0.2}
    assert found.macro("attack").value == pytest.approx(0.35)
    # the better control of each target: noise for 1, random proxy for 2
    assert found.gain().value == pytest.approx((10 - 1 + 4 - 2) / 40)
    assert found.error("attack").value == pytest.approx(14 / 40)
    assert found.advantage("attack", "noise").value == pytest.approx((14 - 1) / 40)
    cells = found.cells("attack")
    assert cells[0, 1:].tolist() == [0.5, pytest.approx(0.2)]
    assert cells[1:].isnan().all()


def test_z_is_that_of_pooled_counts():
    found = evaluation(attack=(10, 4), noise=(1, 0), random_proxy=(1, 0))
    pool = 15 / 80
    assert found.z("attack", "noise") == pytest.approx((14 - 1) / 40 / math.sqrt(pool * (1 - pool) * 2 / 40))
    assert found.z("noise", "random_proxy") == 0
    assert evaluation(attack=(0, 0), noise=(0, 0), random_proxy=(0, 0)).z("attack", "noise") == 0


def test_intervals_have_width_without_a_success_and_shrink_with_targets():
    none = evaluation(attack=(0, 0), noise=(0, 0), random_proxy=(0, 0)).macro("attack")
    assert none.lo == 0
    assert 0 < none.hi < proportion(0, 20).hi
    assert none.n == 40


def test_noise_that_hits_half_as_often_reveals_a_sink():
    assert evaluation(attack=(4, 4), noise=(0, 4), random_proxy=(0, 0)).sink() == 2
    assert evaluation(attack=(4, 5), noise=(0, 4), random_proxy=(0, 0)).sink() is None
    assert evaluation(attack=(0, 0), noise=(0, 0), random_proxy=(0, 0)).sink() is None


def boxed(x):
    """A victim that calls everything bright class 2, whatever else is in it."""
    light = x.flatten(1)
    return torch.stack([1 - light[:, 0], light[:, 0], 10 * (light.mean(1) - 0.5)], 1)


def test_a_sink_class_is_pointed_out():
    x = torch.full((8, 4), 0.1)
    attacks = dict.fromkeys(("attack", "noise", "random_proxy"), torch.ones(8, 4))
    with pytest.warns(UserWarning, match=r"Noise alone reaches 1.000 where 'attack' reaches 1.000.*class 2"):
        evaluate_transfer(boxed, attacks, torch.zeros(8, dtype=torch.long), 2)
    evaluate_transfer(boxed, {**attacks, "noise": x}, torch.zeros(8, dtype=torch.long), 2)
    assert evaluate_transfer(boxed, attacks, torch.zeros(8, dtype=torch.long), 2, warn=False).sink() == 2


def test_one_query_for_each_image_and_labels_are_enough():
    victim = Target(model=boxed, access="labels")
    attacks = {name: torch.full((8, 4), 0.1) for name in ("attack", "noise", "random_proxy", "worst_proxy")}
    found = evaluate_transfer(victim, attacks, torch.zeros(8, dtype=torch.long), 1)
    assert victim.queries.count == 32
    assert found.macro("attack").value == 0
    assert found.classes == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": None}, "lacks noise"),
        ({"random_proxy": None}, "lacks random_proxy"),
        ({"attack": torch.zeros(7, 4)}, "7 rows"),
        ({"target": 0}, "equals the label of 8"),
        ({"target": 3}, "target_class"),
    ],
)
def test_bad_input_is_refused(change, message):
    attacks = dict.fromkeys(("attack", "noise", "random_proxy"), torch.zeros(8, 4)) | change
    goal = attacks.pop("target", 1)
    with pytest.raises(InputError, match=message):
        evaluate_transfer(boxed, {name: x for name, x in attacks.items() if x is not None}, torch.zeros(8, dtype=torch.long), goal)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_noise_is_as_large_as_the_attack_may_be(norm):
    x = torch.full((5, 1, 6, 6), 0.5)
    threat = ThreatModel(norm, 0.2)
    noisy = noise_control(x, threat, seed=1)
    size = (noisy - x).flatten(1)
    assert torch.allclose(size.abs().amax(1) if norm == "linf" else size.norm(dim=1), torch.full((5,), 0.2))
    assert torch.equal(noisy, noise_control(x, threat, seed=1))
    assert not torch.equal(noisy, noise_control(x, threat, seed=2))


def test_controls_use_the_same_attack_with_other_proxies():
    white_box = nn.Linear(4, 3, bias=False)
    with torch.no_grad():
        white_box.weight.copy_(torch.eye(3, 4))
    C = CorrespondenceMatrix(C=torch.tensor([[0.7, 0.3], [0.2, 0.8], [0.6, 0.4]]))
    x = torch.full((6, 4), 0.5)
    found = control_attacks(white_box, x, 1, C, ThreatModel("linf", 0.1), method="proxy-ce")
    assert set(found) == {"noise", "random_proxy", "worst_proxy"}
    assert (found["worst_proxy"].argmax(1) == 0).all()  # the least of column 1
    assert set(found["random_proxy"].argmax(1).tolist()) <= {0, 2}  # anything but the best


def test_methods_are_evaluated_beside_the_controls_of_the_last():
    white_box = nn.Linear(4, 3, bias=False)
    with torch.no_grad():
        white_box.weight.copy_(torch.eye(3, 4))
    C = CorrespondenceMatrix(C=torch.tensor([[0.7, 0.3], [0.2, 0.8], [0.6, 0.4]]))
    data, goals = Examples(torch.full((6, 4), 0.5), torch.zeros(6, dtype=torch.long), classes=2), torch.ones(6, dtype=torch.long)

    def victim(x):  # knows two classes, the second by what stands for it in the white box
        return torch.stack([0 * x[:, 1] + 0.05, x[:, 1] - x[:, 0]], 1)

    found = evaluate_methods(victim, white_box, data, goals, C, ThreatModel("linf", 0.1), methods=("proxy-ce",), steps=3)
    assert set(found.answers) == {"proxy-ce", "noise", "random_proxy", "worst_proxy"}
    assert found.macro("proxy-ce").value == 1
    assert found.macro("worst_proxy").value == 0


def test_every_rate_stands_beside_its_controls():
    found = evaluation(weak=(2, 2), best=(10, 4), noise=(1, 0), random_proxy=(0, 2), worst_proxy=(0, 0))
    rows = {str(one.metric): one.estimate.value for one in found.quantities(("weak", "best"), {"eps": 0.1})}
    assert rows["success[eps=0.1, method=best]"] == pytest.approx(0.35)
    assert rows["gain[eps=0.1, method=best]"] == found.gain("best").value
    assert rows["z[eps=0.1, method=weak, control=worst_proxy]"] == found.z("weak", "worst_proxy")
    assert rows["over_random[eps=0.1]"] == pytest.approx(12 / 40)
    assert rows["random_over_worst[eps=0.1]"] == pytest.approx(2 / 40)
    assert len(rows) == 5 * 2 + 2 * (1 + 3) + 2


def test_runs_are_pooled_image_by_image():
    one, two = evaluation(attack=(10, 4), noise=(1, 0)), evaluation(attack=(2, 4), noise=(0, 0))
    both = TransferEvaluation.pooled([{**one.arrays, "margin": np.zeros(40)}, two.arrays])
    assert set(both.answers) == {"attack", "noise"}
    assert both.classes == 3
    assert both.macro("attack").n == 80
    assert both.macro("attack").value == pytest.approx((10 + 4 + 2 + 4) / 80)
    alone = TransferEvaluation.pooled([one.arrays])
    assert all(torch.equal(alone.answers[name], said) for name, said in one.answers.items())
    with pytest.raises(InputError, match="runs"):
        TransferEvaluation.pooled([])


@pytest.mark.parametrize(("per_target", "each"), [(1, 1), (6, 3), (7, 4)])
def test_every_pair_of_classes_is_aimed_at_equally_often(per_target, each):
    labels = torch.arange(90) % 3
    data = Examples(torch.arange(90.0)[:, None] / 90, labels)
    wrong = {4, 7, 10}  # of class 1
    told = torch.tensor([(label + 1) % 3 if row in wrong else label for row, label in enumerate(labels.tolist())])
    chosen, goals = aimed(lambda x: nn.functional.one_hot(told[(x[:, 0] * 90).round().long()], 3).float(), data, per_target)
    cells = torch.bincount(chosen.y * 3 + goals, minlength=9).view(3, 3)
    assert torch.equal(cells, each * (1 - torch.eye(3, dtype=torch.long)))
    rows = (chosen.x[:, 0] * 90).round().long().tolist()
    assert not wrong & set(rows), "what the victim gets wrong is not attacked"
    assert len(set(rows)) == len(rows)


def test_a_class_that_is_rarely_right_is_aimed_from_as_far_as_it_goes():
    data = Examples(torch.arange(40.0)[:, None], torch.tensor([0] * 37 + [1] * 3))
    chosen, goals = aimed(lambda x: nn.functional.one_hot((x[:, 0] >= 38).long(), 2).float(), data, 10)
    assert chosen.y.bincount().tolist() == [10, 2]
    assert torch.equal(goals, 1 - chosen.y)
    with pytest.raises(InputError, match="one class"):
        aimed(lambda x: x, Examples(torch.rand(3, 1), torch.zeros(3, dtype=torch.long)), 1)
    with pytest.raises(InputError, match="none of the examples right"):
        aimed(lambda x: nn.functional.one_hot((x[:, 0] < 37).long(), 2).float(), data, 10)


def test_curves_run_over_the_size():
    curves = transfer_curves({eps: evaluation(attack=(n, n), noise=(0, 0), random_proxy=(0, 1)) for eps, n in ((0.2, 8), (0.1, 4))})
    attack = next(curve for curve in curves if curve.name == "attack")
    assert attack.at == (0.1, 0.2)
    assert attack.values.tolist() == [0.2, 0.4]


def test_success_is_grouped_by_the_signal():
    found = sensitivity(np.arange(50) < 10, np.arange(50.0))
    assert [group.value for group in found.bins] == [1, 0, 0, 0, 0]
    assert [group.n for group in found.bins] == [10] * 5
    assert found.edges.tolist() == [0, 10, 20, 30, 40, 49]
    assert found.correlation.hi < 0
    with pytest.raises(InputError, match="bins"):
        sensitivity([True] * 4, np.arange(4), bins=5)


def test_clean_signals_are_of_both_networks():
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.0, 3.0]])
    found = clean_signals(lambda x: x, lambda x: 0 * x[:, :2], logits, Proxies.single(torch.tensor([0, 1])))
    assert found["margin"].tolist() == [1, 3]
    assert found["confidence"] == pytest.approx(logits.softmax(1).amax(1).numpy())
    assert found["proxy"].tolist() == [0.5, 0.5]
    assert found["entropy"] == pytest.approx([math.log(2)] * 2)
