"""Recognition counts what binds, and the coupling is chosen so that nothing else does."""

import math

import pytest

from holdfast.core.errors import InputError
from holdfast.core.estimate import proportion
from holdfast.devices.spintronics import AutoOscillatorNetwork, SequenceBinder, all_to_all
from holdfast.devices.spintronics.oscillators.drawing import partition_figure
from holdfast.devices.spintronics.oscillators.recognition import balanced_accuracy, recognition, selective_coupling

MISMATCH = (0.4e6, -0.4e6, 0.0)


def binder(coupling, weights=(3e6, 5e6, 7.5e6)):
    net = AutoOscillatorNetwork(supercriticality=[2.0] * 3, coupling=all_to_all(3, coupling, math.atan(20 / 3)))
    return SequenceBinder(net, weights=weights, mismatch=MISMATCH, seed=1)


def test_a_coupled_group_binds_to_its_target_alone():
    found = recognition(binder(0.8e5), (0, 1, 2), repeats=10)
    assert (found.hits.value, found.hits.n) == (1, 10)
    assert (found.false_alarms.value, found.false_alarms.n) == (0, 26)
    assert found.order_kept.value == 1
    assert found.balanced == 1


def test_oscillators_without_coupling_bind_to_nothing():
    found = recognition(binder(0.0), (0, 1, 2), repeats=10)
    assert found.hits.value == 0
    assert found.balanced == 0.5


def test_the_order_of_equal_events_cannot_be_wrong():
    found = recognition(binder(0.8e5), (1, 1, 1), repeats=2)
    assert found.order_kept is None
    assert "order_kept" not in found.estimates


def test_weights_whose_steps_are_nearly_common_ask_for_a_weaker_coupling():
    # at 0.1 MHz the targets 211, 212, 221 and 222 bind to one wrong sequence each
    assert recognition(binder(1e5), (2, 1, 1), repeats=2).false_alarms.value == pytest.approx(1 / 26)
    assert selective_coupling((0.8e5, 1e5), binder, repeats=1) == 0.8e5


def test_a_coupling_that_serves_no_target_is_refused():
    with pytest.raises(InputError, match="none recognises all targets"):
        selective_coupling((0.0,), binder, repeats=1)


@pytest.mark.parametrize(("target", "repeats", "part"), [((0, 1, 5), 1, "events of the alphabet"), ((0, 1, 2), 0, "repeats")])
def test_bad_input_is_refused(target, repeats, part):
    with pytest.raises(InputError, match=part):
        recognition(binder(1e5), target, repeats=repeats)


def test_balanced_accuracy_of_several_targets_weighs_presentations():
    found = balanced_accuracy([proportion(10, 10), proportion(0, 30)], [proportion(0, 40)]).estimate()
    assert found.value == pytest.approx((10 / 40 + 1) / 2)
    assert found.lo < found.value < found.hi


def test_a_map_of_partitions_is_drawn_with_its_axes():
    figure = partition_figure([[0, 1, 4], [2, 3, 4]], [1.4, 2.6], [1.4, 2.0, 2.6])
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()] == ["none", "1 and 2", "1 and 3", "2 and 3", "all three"]
    with pytest.raises(InputError, match="from 0 to 4"):
        partition_figure([[0, 5]], [1.4], [1.4, 2.6])
