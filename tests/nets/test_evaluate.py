"""Answers of trained networks, and batch statistics for new data."""

import pytest
import torch
from torch import nn

from holdfast.core.errors import InputError
from holdfast.core.target import Target
from holdfast.data import Examples
from holdfast.nets import evaluate, fit, mlp, predict, resnet8, restore_batchnorm, weights_digest


def flags(net):
    return [module.training for module in net.modules()]


def test_prediction_is_in_evaluation_mode_and_leaves_every_flag_alone():
    net = nn.Sequential(mlp(4, classes=8), nn.Dropout(0.5), nn.BatchNorm1d(8)).train()
    net[2].eval()
    before, digest, x = flags(net), weights_digest(net), torch.rand(50, 4)
    first = predict(net, x, batch_size=7)
    assert flags(net) == before
    assert weights_digest(net) == digest
    assert not first.requires_grad
    torch.testing.assert_close(first, net.eval()(x).detach())


def test_flags_come_back_after_an_error_too():
    net = mlp(4).train()
    with pytest.raises(RuntimeError):
        predict(net, torch.rand(3, 5))
    assert all(flags(net))


def test_batches_do_not_matter():
    net, x = mlp(4), torch.rand(10, 4)
    torch.testing.assert_close(predict(net, x, batch_size=3), predict(net, x, batch_size=10))


def test_a_target_counts_what_it_is_asked():
    target = Target(model=mlp(4))
    predict(target, torch.rand(10, 4), batch_size=3)
    assert target.queries.count == 10


def test_accuracy_and_loss_are_those_of_the_logits():
    data = Examples(torch.eye(4), torch.tensor([0, 1, 2, 0]), classes=4)
    answers = evaluate(nn.Identity(), data)
    assert answers.correct.tolist() == [True, True, True, False]
    assert answers.accuracy.value == 0.75
    # three right answers lead by 1, the wrong one trails by 1
    others = torch.tensor(3.0).add(torch.e).log()
    assert answers.loss == pytest.approx(float((3 * (others - 1) + others) / 4))


def test_labels_beyond_the_outputs_are_refused():
    with pytest.raises(InputError, match="0 to 1"):
        evaluate(mlp(4, classes=2), Examples(torch.rand(3, 4), torch.tensor([0, 1, 2])))


def test_no_rows_are_refused():
    with pytest.raises(InputError, match="empty"):
        predict(mlp(4), torch.rand(0, 4))


def test_restored_statistics_are_the_mean_and_variance_of_the_new_inputs():
    net = nn.Sequential(nn.BatchNorm1d(3))
    x = 5 + 2 * torch.randn(1024, 3, generator=torch.Generator().manual_seed(0))
    restored = restore_batchnorm(net, x, batch_size=256)
    torch.testing.assert_close(restored[0].running_mean, x.mean(0), rtol=1e-5, atol=1e-5)
    # the average of the variances within batches misses the spread of the batch means: relative 1/256
    torch.testing.assert_close(restored[0].running_var, x.var(0), rtol=0.02, atol=0)
    assert restored[0].momentum == net[0].momentum
    assert torch.equal(net[0].running_mean, torch.zeros(3))


def test_every_row_counts_the_same_in_restored_statistics():
    x = torch.zeros(130, 2)
    x[128:] = 65
    restored = restore_batchnorm(nn.Sequential(nn.BatchNorm1d(2)), x, batch_size=128)
    torch.testing.assert_close(restored[0].running_mean, torch.ones(2))


def test_restored_statistics_bring_back_what_a_brighter_world_took(digits_small):
    train, test = digits_small
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), mlp(64, hidden=(32,)))
    fit(net, train, epochs=5, lr=0.02, batch_size=64)
    brighter = Examples(2 * test.x + 3, test.y)
    lost = evaluate(net, brighter).accuracy.value
    restored = restore_batchnorm(net, 2 * train.x[:400] + 3)
    # 500 examples: a standard error of 2 points at most
    assert evaluate(restored, brighter).accuracy.value > lost + 0.2
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), restored.parameters(), strict=True))


def test_restoring_needs_two_rows_and_leaves_the_flags():
    net = resnet8(width=2).train()
    assert flags(restore_batchnorm(net, torch.rand(5, 3, 8, 8), batch_size=4)) == flags(net)
    with pytest.raises(InputError, match="at least 2"):
        restore_batchnorm(net, torch.rand(1, 3, 8, 8))


def test_another_number_of_answers_than_examples_is_refused():
    data = Examples(torch.rand(6, 4), torch.arange(6) % 2)
    with pytest.raises(InputError, match="gives 1 answers to 6 examples"):
        evaluate(lambda x: x[:1], data)
