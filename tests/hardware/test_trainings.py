"""Chips of one training share its weights: what is said of several trainings is no surer than that allows."""

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.hardware import mean_over_chips, recovered_share, share_of_chips

CHIPS = np.linspace(-0.01, 0.01, 20)


def test_few_trainings_have_an_interval_over_their_own_chips():
    found = mean_over_chips([0.7 + CHIPS, 0.8 + CHIPS])
    assert found.method == "t over chips of these trainings"
    # chips differ by 0.0062 within a training: t of 38 degrees of freedom, 2.02 * 0.0062 / sqrt(40)
    assert found.hi - found.value == pytest.approx(0.002, abs=2e-4)


def test_three_trainings_have_an_interval_over_trainings():
    found = mean_over_chips([0.7 + CHIPS, 0.8 + CHIPS, 0.9 + CHIPS])
    assert (found.method, found.n) == ("t over trainings", 3)
    # means 0.1 apart: t of 2 degrees of freedom, 4.303 * 0.1 / sqrt(3)
    assert found.hi - found.value == pytest.approx(0.248, abs=0.002)


def test_one_chip_says_nothing_about_others():
    found = mean_over_chips([[0.9]])
    assert (found.lo, found.hi) == (-np.inf, np.inf)


def test_a_share_of_chips_is_no_surer_than_the_trainings():
    runs = [np.ones(20, dtype=bool), np.ones(20, dtype=bool), np.zeros(20, dtype=bool)]
    found = share_of_chips(runs)
    assert found.value == pytest.approx(2 / 3)
    assert (found.lo, found.hi) == (0.0, 1.0)
    assert share_of_chips(runs[:1]).method == "wilson over chips of these trainings"


def test_a_recovery_is_paired_chip_by_chip():
    # two chips lost 0.20 and 0.10, and 0.02 and 0.03 of it remain
    assert recovered_share([[[0.20, 0.02], [0.10, 0.03]]]).value == pytest.approx(1 - 0.05 / 0.30)
    three = [[[0.20, 0.02], [0.10, 0.03]]] * 3
    assert recovered_share(three).method == "bootstrap over trainings"


def test_where_nothing_was_lost_nothing_can_be_won_back():
    assert recovered_share([np.zeros((5, 2))]) is None


@pytest.mark.parametrize("runs", [[], [[]], [[[0.1, 0.2]]]])
def test_bad_shapes_are_refused(runs):
    with pytest.raises(InputError, match="at least one training"):
        mean_over_chips(runs)
