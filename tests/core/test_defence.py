"""Defences compose like functions."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.defence import Defence, compose

STEPS = st.lists(st.sampled_from([lambda g: (*g, "clip"), lambda g: (*g, "noise"), lambda g: g[::-1]]), max_size=5)


@given(STEPS, STEPS)
def test_composition_is_associative_and_none_at_all_changes_nothing(first, second):
    whole = compose(*first, *second)
    assert whole(("g",)) == compose(compose(*first), compose(*second))(("g",))
    assert compose()(("g",)) == ("g",)


def test_the_first_defence_acts_first():
    assert compose(lambda g: (*g, "clip"), lambda g: (*g, "noise"))(()) == ("clip", "noise")


def test_a_plain_function_is_a_defence():
    assert isinstance(abs, Defence)
