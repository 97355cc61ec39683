"""A number is read as people write it, and anything else is refused."""

import pytest

from holdfast.core.errors import InputError
from holdfast.core.estimate import exact
from holdfast.core.grammar import Metric, parse_metric
from holdfast.core.metrics import MetricTable
from holdfast.core.numerals import read_number, size_text


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


@pytest.mark.parametrize(
    ("size", "among", "text"),
    [
        (8 / 255, (), "8/255"),
        (1 / 255, (), "1/255"),
        (0.3, (), "0.3"),
        (51 / 255, (), "0.2"),
        (1.0, (), "1"),
        (0.0, (0, 1 / 255), "0"),
        (0.0123, (0, 1 / 255, 2 / 255), "3.14/255"),
        (0.01234, (0, 0.1), "0.0123"),
        (0.44241943359375, (), "0.4424"),
        (0.44241943359375, (0, 0.44241943359375), "0.4424"),
        (8 / 255, (0, 0.1), "8/255"),
    ],
)
def test_sizes_are_written_in_levels_where_those_of_the_run_are_whole_levels(size, among, text):
    assert size_text(size, among) == text


@pytest.mark.parametrize("size", [k / 255 for k in range(1, 17)] + [0.05, 0.1, 0.123456789, 0.44241943359375, 1.0])
def test_a_written_metric_is_found_at_its_point(size):
    table = MetricTable()
    for one in (size, size * 1.1):
        table.add("adversarial.pgd.accuracy", exact(one), at={"eps": one})
    written = parse_metric(str(Metric("adversarial.pgd.accuracy", (("eps", size),))))
    assert table.find(written.path, written.selector).value == size
