"""The training loop: what it learns, what it leaves alone, when it stops."""

import copy
import math

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, pgd
from holdfast.core.errors import InputError
from holdfast.data import Examples
from holdfast.nets import evaluate, fit, mlp, random_shift, resnet8, weights_digest
from holdfast.nets.schedule import constant, cosine, one_cycle


@pytest.fixture(scope="module")
def plane():
    """Two classes on either side of a line."""
    x = torch.rand(300, 2, generator=torch.Generator().manual_seed(0))
    return Examples(x, (x[:, 0] > x[:, 1]).long())


def dropout_net():
    return nn.Sequential(mlp(2, hidden=(16,), classes=16), nn.Dropout(0.5), mlp(16, hidden=(), classes=2))


def trained(plane, **settings):
    net = dropout_net()
    result = fit(net, plane, **{"epochs": 3, "lr": 0.02} | settings)
    return net, result


def test_the_small_cnn_learns_digits(digits_cnn, digits_small):
    # ten seeds and rates gave 95.2 to 97.6 %; 500 examples have a standard error of 1 point
    assert evaluate(digits_cnn, digits_small[1]).accuracy.value > 0.92


def test_the_small_cnn_learns_mnist(trained_cnn, mnist_small):
    # 95.0 to 96.3 % over seeds; 1000 examples have a standard error of 0.6 points
    assert evaluate(trained_cnn, mnist_small[1]).accuracy.value > 0.93


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(plane):
    def jitter(x, generator):
        return x + 0.01 * torch.rand(x.shape, generator=generator)

    digests = [weights_digest(trained(plane, seed=seed, augment=jitter)[0]) for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_the_global_generator_neither_decides_nor_notices(plane):
    start, digests = dropout_net(), []
    for state in (1, 2):
        net = copy.deepcopy(start)
        torch.manual_seed(state)
        before = torch.get_rng_state()
        fit(net, plane, epochs=2, lr=0.02)
        assert torch.equal(torch.get_rng_state(), before)
        digests.append(weights_digest(net))
    assert digests[0] == digests[1]


def test_it_equals_a_loop_written_out(plane):
    net, bare = mlp(2, classes=2), mlp(2, classes=2)
    orders = []

    def watch(model, x, y, generator):
        del model, generator
        orders.append((x, y))
        return x, y

    fit(net, plane, epochs=2, lr=0.1, optimizer="sgd", schedule="constant", momentum=0.0, on_batch=watch)
    update = torch.optim.SGD(bare.parameters(), lr=0.1)
    for x, y in orders:
        update.zero_grad()
        nn.functional.cross_entropy(bare(x), y).backward()
        update.step()
    for mine, theirs in zip(net.parameters(), bare.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_each_epoch_sees_every_example_once_in_a_new_order(plane):
    seen = []

    def watch(model, x, y, generator):
        del model, generator
        seen.append(x)
        return x, y

    fit(mlp(2, classes=2), plane, epochs=2, lr=0.01, batch_size=50, on_batch=watch)
    first, second = torch.cat(seen[:6]), torch.cat(seen[6:])
    assert torch.equal(first.sort(0).values, plane.x.sort(0).values)
    assert torch.equal(second.sort(0).values, plane.x.sort(0).values)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: (torch.cat([x, x]), torch.cat([y, y])),
        lambda x, y: (x[x[:, 0] > 0.3], y[x[:, 0] > 0.3]),
        lambda x, y: (torch.cat([x, x, x]), nn.functional.one_hot(torch.cat([y, y, y]), 2).float()),
    ],
    ids=["beside the clean ones", "some of them", "soft labels"],
)
def test_accuracy_and_loss_are_of_the_examples_trained_on(plane, change):
    sizes, losses = [], []

    def loss(logits, y):
        sizes.append(len(logits))
        value = nn.functional.cross_entropy(logits, y)
        losses.append(value.item())
        return value

    def on_batch(model, x, y, generator):
        del model, generator
        return change(x, y)

    record = trained(plane, epochs=6, lr=0.05, batch_size=60, on_batch=on_batch, loss=loss)[1].history[-1]
    last = slice(-5, None)  # of the five batches of an epoch
    assert 0.7 < record.accuracy <= 1
    assert record.accuracy * sum(sizes[last]) == pytest.approx(round(record.accuracy * sum(sizes[last])))
    mean = sum(one * size for one, size in zip(losses[last], sizes[last], strict=True)) / sum(sizes[last])
    assert record.loss == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(("rows", "message"), [(0, "0 inputs and 0 labels"), (3, "3 inputs and 60 labels")])
def test_a_batch_that_is_no_batch_is_refused(plane, rows, message):
    def on_batch(model, x, y, generator):
        del model, generator
        return x[:rows], y[:0] if rows == 0 else y

    with pytest.raises(InputError, match=f"`on_batch` returns {message}"):
        trained(plane, epochs=1, batch_size=60, on_batch=on_batch)


def test_validation_decides_nothing_without_patience(plane):
    held_out = plane[:50]
    plain, _ = trained(plane, epochs=4)
    watched, result = trained(plane, epochs=4, validation=held_out)
    seen = evaluate(watched, held_out)
    assert weights_digest(plain) == weights_digest(watched)
    assert result.history[-1].validation_accuracy == seen.accuracy.value
    assert result.best_epoch == 4


def test_patience_stops_and_restores_the_best_weights(plane):
    held_out = plane[:100]
    # a rate so large that training gets worse again
    net, result = trained(plane, epochs=60, lr=0.5, schedule="constant", validation=held_out, patience=3)
    assert result.stopped == "patience"
    assert len(result.history) == result.best_epoch + 3
    assert result.best.validation_accuracy == max(epoch.validation_accuracy for epoch in result.history)
    assert evaluate(net, held_out).loss == pytest.approx(result.best.validation_loss)


def test_time_that_is_over_ends_the_training_after_a_batch(plane):
    net, result = trained(plane, epochs=1000, max_seconds=1e-9)
    assert result.stopped == "time"
    assert len(result.history) == 1
    assert not net.training


def not_a_number(logits, y):
    del y
    return logits.sum() * math.nan


@pytest.mark.parametrize("settings", [{"lr": 1e12, "optimizer": "sgd"}, {"lr": 0.1, "loss": not_a_number}])
def test_a_loss_that_diverges_raises_and_says_where(plane, settings):
    net = mlp(2, hidden=(64, 64), classes=2)
    with pytest.raises(FloatingPointError, match=r"NaN or infinite in epoch \d+ of 30.*Lower `lr`"):
        fit(net, plane, epochs=30, schedule="constant", **settings)
    assert not any(module.training for module in net.modules())


def test_an_extra_loss_term_acts_on_the_weights(plane):
    def shrink(model, x, y, logits):
        del x, y, logits
        return 10 * sum(p.square().sum() for p in model.parameters())

    free, bound = mlp(2, classes=2), mlp(2, classes=2)
    fit(free, plane, epochs=20, lr=0.02)
    fit(bound, plane, epochs=20, lr=0.02, extra_loss=shrink)
    assert bound.head.weight.norm() < 0.2 * free.head.weight.norm()


def test_after_each_step_a_projection_holds(plane):
    def clip(model):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.clamp_(-0.125, 0.125)

    net = mlp(2, classes=2)
    fit(net, plane, epochs=3, lr=0.1, after_step=clip)
    assert max(float(p.detach().abs().max()) for p in net.parameters()) <= 0.125


def test_training_on_attacked_batches_makes_a_linear_classifier_robust():
    # class = sign of the first coordinate, which eps cannot flip; the other 40 carry a weak hint that eps can flip
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(400) % 2
    sign = (2 * y - 1).float()[:, None]
    x = torch.cat([sign * 0.3, sign * 0.05 + 0.1 * torch.randn(400, 40, generator=generator)], 1) / 2 + 0.5
    data, threat = Examples(x.clamp(0, 1), y), ThreatModel("linf", 0.1)

    def attack(model, x, y, generator):
        seed = int(torch.randint(2**31, (), generator=generator))
        return pgd(model, x, y, threat, steps=3, seed=seed).x_adv, y

    plain, hardened = mlp(41, hidden=(), classes=2), mlp(41, hidden=(), classes=2)
    fit(plain, data, epochs=15, lr=0.02)
    fit(hardened, data, epochs=15, lr=0.02, on_batch=attack)
    under_attack = [pgd(net, data.x, data.y, threat).accuracy.value for net in (plain, hardened)]
    assert under_attack[1] > under_attack[0] + 0.3


def test_parameters_that_need_no_gradient_stay_as_they_are(plane):
    net = mlp(2, classes=2)
    net.fc1.requires_grad_(False)
    before = net.fc1.weight.clone()
    fit(net, plane, epochs=2, lr=0.1)
    assert torch.equal(net.fc1.weight, before)
    assert not net.fc1.weight.requires_grad


def test_a_remainder_of_one_row_does_not_break_batch_normalisation():
    data = Examples(torch.rand(65, 3, 4, 4), torch.arange(65) % 2)
    result = fit(resnet8(width=2, classes=2), data, epochs=1, lr=0.01, batch_size=32)
    assert math.isfinite(result.history[0].loss)


def test_progress_gets_every_epoch_and_the_bar_leaves_the_result_alone(plane, capsys):
    records = []
    quiet, result = trained(plane, progress=records.append)
    shown, _ = trained(plane, progress=True)
    assert tuple(records) == result.history
    assert [record.epoch for record in records] == [1, 2, 3]
    assert weights_digest(quiet) == weights_digest(shown)
    capsys.readouterr()


def test_a_callable_makes_the_optimiser_and_its_groups_keep_their_own_rates(plane):
    net = mlp(2, classes=2)
    made = []

    def make(parameters):
        made.append(torch.optim.SGD([{"params": parameters[:2], "lr": 0.0}, {"params": parameters[2:], "lr": 0.1}]))
        return made[0]

    before = net.fc1.weight.clone()
    fit(net, plane, epochs=2, lr=1.0, optimizer=make, schedule="constant")
    assert torch.equal(net.fc1.weight, before)
    assert [group["lr"] for group in made[0].param_groups] == [0.0, 0.1]


def test_one_cycle_is_torch_s():
    steps = 200
    update = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(update, max_lr=1.0, total_steps=steps, cycle_momentum=False)
    for step in range(steps):
        # torch places its peak and its end one step earlier: 0.3 n - 1 and n - 1
        assert one_cycle(step / (steps - 1)) == pytest.approx(reference.get_last_lr()[0], abs=0.02)
        update.step()
        if step < steps - 1:
            reference.step()


def test_schedules_start_and_end_where_they_say():
    assert (one_cycle(0), one_cycle(0.3)) == (pytest.approx(0.04), pytest.approx(1))
    assert one_cycle(1) == pytest.approx(4e-6)
    assert (cosine(0), cosine(0.5), cosine(1)) == (1, pytest.approx(0.5), pytest.approx(0))
    assert constant(0.7) == 1


def test_augmentation_changes_training_but_not_the_data(digits_small):
    train = digits_small[0][:200]
    before = train.x.clone()
    fit(mlp(64, hidden=()), train, epochs=1, lr=0.01, augment=random_shift(2))
    assert torch.equal(train.x, before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"lr": 0.0}, "lr"),
        ({"lr": math.nan}, "lr"),
        ({"batch_size": 0}, "batch_size"),
        ({"optimizer": "adm"}, "Did you mean 'adam'"),
        ({"schedule": "onecycle"}, "Did you mean 'one_cycle'"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"patience": 3}, "validation"),
        ({"max_seconds": 0.0}, "max_seconds"),
    ],
)
def test_bad_settings_are_refused_by_name(plane, settings, message):
    with pytest.raises(InputError, match=message):
        trained(plane, **settings)


def test_a_network_with_nothing_to_train_is_refused(plane):
    with pytest.raises(InputError, match="something to train"):
        fit(mlp(2, classes=2).requires_grad_(False), plane, epochs=1, lr=0.1)
