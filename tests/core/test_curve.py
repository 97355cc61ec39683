"""Numbers read off a curve, against curves whose numbers are known."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.curve import Curve, pareto_front
from holdfast.core.errors import InputError
from holdfast.core.estimate import exact, mean_t, proportion


def curve(at, values):
    return Curve(name="c", axis="eps", at=tuple(at), estimates=tuple(exact(value) for value in values))


LINE = curve([0.0, 1.0, 4.0], [1.0, 0.75, 0.0])  # a(u) = 1 - u on the normalised abscissa u


@st.composite
def curves(draw):
    steps = draw(st.lists(st.floats(0.01, 10), min_size=1, max_size=8))
    at = np.cumsum([draw(st.floats(-5, 5)), *steps])
    values = draw(st.lists(st.floats(0, 1), min_size=len(at), max_size=len(at)))
    return curve(at[:: draw(st.sampled_from([1, -1]))].tolist(), values)


def test_a_straight_line_to_zero_keeps_half():
    assert LINE.area() == pytest.approx(0.5)
    assert LINE.retention() == pytest.approx(0.5)
    assert LINE.half_point() == pytest.approx(2.0)  # u = 1/2 of a range of 4
    assert LINE.half_point(floor=0.2) == pytest.approx(1.6)  # (1 + 0.2) / 2 = 1 - u at u = 0.4


def test_a_flat_curve_loses_nothing():
    flat = curve([1, 2, 8], [0.7, 0.7, 0.7])
    assert flat.retention() == pytest.approx(1.0)
    assert flat.half_point() is None
    assert flat.crossing(0.7) == 1.0


def test_a_curve_that_starts_at_zero_has_no_retention():
    assert math.isnan(curve([0, 1], [0.0, 0.0]).retention())


def test_the_first_fall_counts_even_if_the_curve_recovers():
    wave = curve([0, 1, 2, 3], [1.0, 0.0, 1.0, 0.0])
    assert wave.crossing(0.25) == pytest.approx(0.75)


def test_a_level_that_the_last_point_has_is_crossed_at_that_point():
    steep = curve([1.0, 1e-38], [1.0, 0.0])
    assert steep.crossing(0.0) == 1e-38
    assert steep.interpolate(steep.crossing(0.0)) == 0.0


def test_bits_fall_as_the_stress_grows():
    bits = curve([8, 6, 4, 2], [0.9, 0.9, 0.8, 0.1])
    # half of 0.9 above chance 0.1 is 0.5: three sevenths of the way from 4 to 2 bits
    assert bits.half_point(floor=0.1) == pytest.approx(4 - 2 * 3 / 7)
    assert bits.interpolate(5) == pytest.approx(0.85)
    assert bits.area() == pytest.approx((0.9 + 0.85 + 0.45) / 3)


def test_one_point_is_a_curve():
    point = curve([0.1], [0.6])
    assert (point.area(), point.retention(), point.interpolate(0.1), point.crossing(0.6), point.crossing(0.5)) == (
        0.6,
        1.0,
        0.6,
        0.1,
        None,
    )


@given(curves())
def test_the_unit_of_the_strength_changes_no_area(drawn):
    scaled = curve([1000 * strength - 7 for strength in drawn.at], drawn.values)
    assert scaled.area() == pytest.approx(drawn.area(), abs=1e-6)


@given(curves(), st.floats(0, 1))
def test_the_curve_has_the_level_where_it_crosses(drawn, level):
    where = drawn.crossing(level)
    if where is None:
        assert (drawn.values > level).all()
    elif drawn.values[0] > level:
        assert drawn.interpolate(where) == pytest.approx(level, abs=1e-6)
    else:
        assert where == drawn.at[0]


def test_curves_survive_json():
    original = Curve(
        name="pgd",
        axis="eps",
        unit="L_inf",
        at=(0.0, 8 / 255),
        estimates=(proportion(97, 100), mean_t([0.4])),
        notes=("one chip only",),
    )
    assert Curve.from_json(json.loads(json.dumps(original.to_json(), allow_nan=False))) == original


@pytest.mark.parametrize(
    ("at", "values", "part"),
    [
        ([], [], "0 strengths for 0 estimates"),
        ([1], [0.1, 0.2], "1 strengths for 2 estimates"),
        ([1, 1], [0.1, 0.2], "strictly increasing or strictly decreasing"),
        ([1, 3, 2], [0.1, 0.2, 0.3], "strictly increasing or strictly decreasing"),
    ],
)
def test_strengths_out_of_order_are_refused(at, values, part):
    with pytest.raises(InputError, match=part):
        curve(at, values)


def test_no_value_is_made_up_outside_the_measured_range():
    with pytest.raises(InputError, match=r"`strength` is 5; allowed: \[0.0, 4.0\]"):
        LINE.interpolate(5)


COSTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


@given(COSTS)
def test_the_front_is_what_nothing_beats(costs):
    front = pareto_front(costs)
    for keep, row in zip(front, costs, strict=True):
        beaten = any(all(a <= b for a, b in zip(other, row, strict=True)) and other != row for other in costs)
        assert keep == (not beaten)


@given(COSTS, st.randoms())
def test_the_front_does_not_depend_on_order_or_scale(costs, random):
    order = list(range(len(costs)))
    random.shuffle(order)
    shuffled = pareto_front([(10 * costs[index][0] + 3, costs[index][1]) for index in order])
    assert shuffled.tolist() == pareto_front(costs)[order].tolist()
