"""What attacks maximise."""

import pytest
import torch
from torch import nn

from holdfast.attacks.losses import LOSSES, cross_entropy, cw_margin, dlr, dlr_targeted, logit, make_objective, soft_margin
from holdfast.core.errors import InputError


@pytest.fixture
def logits():
    return 3 * torch.randn(200, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def y():
    return torch.arange(200) % 6


def test_cross_entropy_is_torch_s(logits, y):
    torch.testing.assert_close(cross_entropy(logits, y), nn.functional.cross_entropy(logits, y, reduction="none"))


def test_the_soft_margin_has_the_direction_of_the_cross_entropy(logits, y):
    logits.requires_grad_()
    (mine,) = torch.autograd.grad(soft_margin(logits, y).sum(), logits)
    (theirs,) = torch.autograd.grad(nn.functional.cross_entropy(logits, y, reduction="sum"), logits)
    torch.testing.assert_close(nn.functional.normalize(mine), nn.functional.normalize(theirs))


@pytest.mark.parametrize("targeted", [False, True])
def test_the_closed_form_of_the_slope_is_the_gradient(logits, y, targeted):
    objective, goal = make_objective("ce", classes=6, targeted=targeted), (y + 1) % 6 if targeted else None
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(objective.climb(logits, y, goal).sum(), logits)
    torch.testing.assert_close(objective.slope(logits.detach(), y, goal), gradient)


@pytest.mark.parametrize("gap", [20.0, 200.0, 1e4, 1e6])
def test_saturated_logits_keep_a_gradient_in_the_soft_margin(gap):
    # float32: the cross entropy's own term vanishes at a gap of 17 and all of it at 104
    logits = torch.tensor([[gap, 0.0, -gap]], requires_grad=True)
    y = torch.tensor([0])
    (naive,) = torch.autograd.grad(nn.functional.cross_entropy(logits, y), logits)
    (ours,) = torch.autograd.grad(soft_margin(logits, y).sum(), logits)
    assert naive[0, 0] == 0
    torch.testing.assert_close(ours, torch.tensor([[-1.0, 1.0, 0.0]]))


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_falls_with_the_right_logit_and_targets_mirror_it(logits, y, name):
    raised = logits + 0.01 * nn.functional.one_hot(y, 6)
    away = make_objective(name, classes=6, targeted=False)
    change = away.value(raised, y, None) - away.value(logits, y, None)
    # the ratio is constant, 1, while the right logit is the third largest
    assert bool((change <= 0).all() if name == "dlr" else (change < 0).all())
    if name == "dlr":
        return
    toward = make_objective(name, classes=6, targeted=True)
    goal = (y + 1) % 6
    closer = logits + 0.01 * nn.functional.one_hot(goal, 6)
    assert bool((toward.value(closer, y, goal) > toward.value(logits, y, goal)).all())


def test_margins_are_positive_exactly_where_the_answer_is_wrong(logits, y):
    wrong = logits.argmax(1) != y
    for loss in (cw_margin, dlr):
        assert torch.equal(loss(logits, y) > 0, wrong)


def test_the_logit_ratio_is_that_of_its_definition(logits, y):
    # Croce and Hein, ICML 2020, Eqs. (6) and (7)
    z = logits.sort(1, descending=True).values
    others = logits.clone()
    others[torch.arange(200), y] = -torch.inf
    right = logits[torch.arange(200), y]
    torch.testing.assert_close(dlr(logits, y), -(right - others.amax(1)) / (z[:, 0] - z[:, 2]))
    goal = (y + 2) % 6
    targeted = -(right - logits[torch.arange(200), goal]) / (z[:, 0] - (z[:, 2] + z[:, 3]) / 2)
    torch.testing.assert_close(dlr_targeted(logits, y, goal), targeted)


def test_the_logit_ratio_ignores_scale_and_shift(logits, y):
    torch.testing.assert_close(dlr(1000 * logits + 7, y), dlr(logits, y))


@pytest.mark.parametrize(("classes", "targeted"), [(2, False), (3, True)])
def test_too_few_classes_for_the_ratio_fall_back_to_the_margin_with_a_warning(classes, targeted):
    logits, y = torch.randn(5, classes, generator=torch.Generator().manual_seed(0)), torch.zeros(5, dtype=torch.long)
    goal = torch.ones(5, dtype=torch.long) if targeted else None
    with pytest.warns(UserWarning, match="plain margin"):
        objective = make_objective("dlr", classes=classes, targeted=targeted)
    expected = -cw_margin(logits, goal) if targeted else cw_margin(logits, y)
    assert torch.equal(objective.value(logits, y, goal), expected)


def test_a_callable_is_maximised_as_it_is(logits, y):
    objective = make_objective(lambda z, labels: z.sum(1) + labels, classes=6, targeted=True)
    assert torch.equal(objective.value(logits, y, y + 1), logits.sum(1) + y + 1)


def test_unknown_losses_and_single_outputs_are_refused():
    with pytest.raises(InputError, match="Did you mean 'cw_margin'"):
        make_objective("margin", classes=3, targeted=False)
    with pytest.raises(InputError, match="at least two logits"):
        make_objective("ce", classes=1, targeted=False)


def test_the_plain_logit_is_the_negative_of_the_right_one(logits, y):
    assert torch.equal(logit(logits, y), -logits[torch.arange(200), y])
