"""A number is read as people write it, and anything else is refused."""

import pytest

from holdfast.core.errors import InputError
from holdfast.core.numerals import read_number


@pytest.mark.parametrize(
    ("text", "value"),
    [("8/255", 8 / 255), (" 1 / 3 ", 1 / 3), ("-1/4", -0.25), ("+.5", 0.5), ("2.", 2.0), ("1e-3", 1e-3), ("1e2/2.5E1", 4.0)],
)
def test_numbers_and_quotients_are_read(text, value):
    assert read_number(text, "eps") == value


@pytest.mark.parametrize("text", ["", "8/", "/255", "8/0", "1/2/3", "8%", "nan", "inf", "0x10", "1_000", "1 2", "--1", "١"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(InputError, match=r"`eps` is .*a number or a quotient of two"):
        read_number(text, "eps")
