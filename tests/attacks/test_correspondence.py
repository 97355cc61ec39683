"""Which source class stands for which target class, and what is refused on the way."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from holdfast.attacks.transfer import CorrespondenceMatrix, Proxies, class_correspondence, reverse_correspondence
from holdfast.core.errors import InputError
from holdfast.core.target import Target
from holdfast.data import Examples

# three source classes at brightness 0, 0.5, 1; the victim knows dark, grey, light and pink
SOURCE = Examples(torch.tensor([0.0, 0.5, 1.0]).repeat_interleave(40)[:, None], torch.arange(3).repeat_interleave(40))


def brightness(x):
    light = x.flatten(1).mean(1)
    return -torch.stack([light, (light - 0.5).abs(), (light - 1).abs(), light + 9], 1)


@pytest.fixture
def victim():
    return Target(model=brightness, access="labels")


def test_classes_that_look_alike_correspond(victim):
    found = class_correspondence(victim, SOURCE, 10)
    assert torch.equal(found.C, torch.eye(3, 4))
    assert found.counts.tolist() == [[10, 0, 0, 0], [0, 10, 0, 0], [0, 0, 10, 0]]
    assert found.proxy(torch.tensor([2, 0, 1])).classes[:, 0].tolist() == [2, 0, 1]
    assert found.entropy.tolist() == [0, 0, 0]


def test_every_image_costs_one_query_and_a_small_class_costs_less(victim):
    few = SOURCE[torch.arange(120) != 0]
    class_correspondence(victim, few, 40)
    assert victim.queries.count == 39 + 40 + 40


def test_rows_sum_to_one_whatever_is_answered():
    torch.manual_seed(0)
    wild = Target(model=nn.Linear(1, 7))
    for answers in ("labels", "scores"):
        found = class_correspondence(wild, replace(SOURCE, x=torch.randn(120, 1)), 20, answers=answers)
        assert torch.allclose(found.C.sum(1), torch.ones(3))
    assert found.entropy.max() <= math.log(7)


def test_images_are_chosen_by_the_seed(victim):
    noisy = replace(SOURCE, x=SOURCE.x + torch.randn(120, 1))
    first, again, other = (class_correspondence(victim, noisy, 5, seed=seed).counts for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_scores_find_a_proxy_where_labels_find_none():
    told = Target(model=brightness)
    with pytest.raises(InputError, match=r"no source class is ever mapped to target 3.*use top_k|Use top_k over logits"):
        class_correspondence(told, SOURCE, 10).proxy(3)
    assert class_correspondence(told, SOURCE, 10, answers="scores").proxy(3).classes.tolist() == [[0]]  # the least light


def test_proxies_are_weighted_by_their_entries():
    found = CorrespondenceMatrix(C=torch.tensor([[0.6, 0.4], [0.2, 0.8], [1.0, 0.0]]))
    two = found.proxy(0, 2)
    assert two.classes.tolist() == [[2, 0]]
    assert torch.allclose(two.weights, torch.tensor([[1.0, 0.6]]) / 1.6)
    assert found.worst_proxy(torch.tensor([0, 1])).classes[:, 0].tolist() == [1, 2]


def test_a_random_proxy_is_any_but_the_best():
    found = CorrespondenceMatrix(C=torch.rand(5, 2, generator=torch.Generator().manual_seed(0)))
    goals = torch.zeros(400, dtype=torch.long)
    drawn = found.random_proxy(goals, seed=3).classes[:, 0]
    best = int(found.proxy(0).classes)
    # four classes of probability 1/4: one stays out of 400 draws with probability 4 x 0.75^400 < 1e-49
    assert set(drawn.tolist()) == set(range(5)) - {best}
    assert torch.equal(drawn, found.random_proxy(goals, seed=3).classes[:, 0])


def test_lift_alone_keeps_the_order_of_a_column_and_sums_of_one_see_through_a_sink():
    # class 0 takes in whatever is strange; source 0 is otherwise like target 1, source 1 is like nothing but is called 1 more often
    C = torch.tensor([[0.55, 0.44, 0.01], [0.50, 0.45, 0.05], [0.98, 0.01, 0.01]])
    plain = CorrespondenceMatrix(C=C)
    assert torch.equal(plain.lift.argsort(0), C.argsort(0))
    assert plain.proxy(1).classes.tolist() == [[1]]
    lifted = CorrespondenceMatrix(C=C, normalise="column-lift")
    assert torch.allclose(lifted.scores.sum(1), torch.ones(3))
    assert lifted.proxy(1).classes.tolist() == [[0]]


def test_a_uniform_matrix_is_its_own_lift():
    flat = torch.full((3, 4), 0.25)
    assert torch.allclose(CorrespondenceMatrix(C=flat, normalise="column-lift").scores, flat)


def test_the_reverse_matrix_asks_ones_own_network_and_has_columns_of_one():
    white_box = nn.Linear(1, 2)
    found = reverse_correspondence(white_box, SOURCE, 10, source_classes=("a", "b"))
    assert found.C.shape == (2, 3)
    assert torch.equal(found.C.sum(0), torch.ones(3))
    assert found.source_classes == ("a", "b")
    assert found.target_classes == SOURCE.class_names


def test_a_similarity_of_ones_own_chooses_too():
    found = CorrespondenceMatrix.from_similarity(torch.tensor([[3, 1], [0, 0]]), source_classes=("cat", "car"))
    assert torch.equal(found.C, torch.tensor([[0.75, 0.25], [0, 0]]))
    assert found.counts is None


def test_shared_classes_are_pointed_out(victim):
    clothes = replace(SOURCE, class_names=("shirt", "coat", "bag"))
    with pytest.warns(UserWarning, match=r"share the classes coat.*ordinary setting"):
        class_correspondence(victim, clothes, 5, target_classes=("coat", "dress", "boot", "hat"))


def test_images_of_another_size_need_an_adapter():
    victim = Target(model=nn.Linear(4, 2), access="labels")
    with pytest.raises(InputError, match=r"shape \(1,\).*adapter="):
        class_correspondence(victim, SOURCE, 5)
    assert class_correspondence(victim, SOURCE, 5, adapter=lambda x: x.expand(-1, 4)).C.shape == (3, 2)


def test_one_proxy_of_ones_own_weighs_everything():
    own = Proxies.single(torch.tensor([2, 1]))
    assert own[1:].classes.tolist() == [[1]]
    assert own.weights.tolist() == [[1], [1]]


def test_scores_help_out_where_labels_leave_a_target_without_proxy(victim):
    tells = replace(victim, access="scores")
    assert class_correspondence(tells, SOURCE, 10).C[:, 3].sum() == 0, "nothing is ever taken for pink"
    scores = class_correspondence(tells, SOURCE, 10, answers="scores")
    assert torch.equal(class_correspondence(tells, SOURCE, 10, answers="either").C, scores.C)
    knows = Target(model=lambda x: brightness(x)[:, :3], access="scores")
    assert torch.equal(class_correspondence(knows, SOURCE, 10, answers="either").C, torch.eye(3))
    with pytest.raises(InputError, match="gives labels"):
        class_correspondence(victim, SOURCE, 10, answers="either")


def test_a_measured_matrix_is_kept_and_read_again(victim):
    found = class_correspondence(victim, SOURCE, 10, target_classes=("dark", "grey", "light", "pink"))
    kept = found.record()
    assert kept.estimates["row_error"].value == 0
    again = CorrespondenceMatrix.recorded(kept)
    assert torch.equal(again.C, found.C)
    assert torch.equal(again.counts, found.counts)
    assert (again.source_classes, again.target_classes) == (("0", "1", "2"), ("dark", "grey", "light", "pink"))
    assert {name: (share.value, share.n) for name, share in again.proxy_shares().items()} == {
        "dark": (1, 10),
        "grey": (1, 10),
        "light": (1, 10),
        "pink": (0, 10),
    }
    for use in (CorrespondenceMatrix.record, CorrespondenceMatrix.proxy_shares):
        with pytest.raises(InputError, match="counts"):
            use(CorrespondenceMatrix(C=torch.eye(2)))


def test_a_picture_names_the_classes_and_frames_the_proxies():
    C = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    figure = CorrespondenceMatrix(C=C, source_classes=("cat", "dog"), target_classes=("lynx", "wolf", "crow")).figure()
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["lynx", "wolf", "crow"]
    frames = {(round(frame.get_y() + 0.47), round(frame.get_x() + 0.47)) for frame in axes.patches}
    assert frames == {(0, 0), (1, 1)}, "nothing stands for a crow"
    assert {text.get_text() for text in axes.texts} == {"0.90", "0.10", "0.00", "0.20", "0.80"}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda victim: class_correspondence(victim, SOURCE, 0), "`n_per_class` is 0"),
        (lambda victim: class_correspondence(victim, SOURCE[SOURCE.y != 1], 5), "no image of class 1"),
        (lambda victim: class_correspondence(victim, SOURCE, 5, answers="scores"), "gives labels"),
        (lambda victim: class_correspondence(victim, SOURCE, 5, normalise="row"), "column-lift"),
        (lambda victim: class_correspondence(victim, SOURCE, 5, target_classes=("a",)), "1 names"),
        (lambda victim: class_correspondence(victim, SOURCE, 5).proxy(4), "target_class"),
        (lambda victim: class_correspondence(victim, SOURCE, 5).proxy(0, 4), "`k` is 4"),
        (lambda _: CorrespondenceMatrix(C=-torch.eye(2)), "smallest entry of -1"),
        (lambda _: CorrespondenceMatrix(C=torch.full((2, 2), torch.nan)), "NaN"),
        (lambda _: CorrespondenceMatrix(C=torch.ones(2)), "shape"),
        (lambda _: CorrespondenceMatrix(C=torch.ones(1, 2)).random_proxy(0), "one source class"),
    ],
)
def test_bad_input_is_refused(victim, ask, message):
    with pytest.raises(InputError, match=message):
        ask(victim)
