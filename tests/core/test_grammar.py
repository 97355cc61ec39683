"""A check is read as it is written, and a typo is shown at its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import InputError
from holdfast.core.grammar import Metric, is_path, parse, parse_metric

WORDS = st.builds(str.__add__, st.sampled_from("abzQ_"), st.text(alphabet="aZ_09", max_size=4))
PATHS = st.lists(WORDS, min_size=1, max_size=3).map(".".join).filter(is_path)
VALUES = st.floats(allow_nan=False, allow_infinity=False) | WORDS | st.text(alphabet="aZ9.-%é()'", min_size=1, max_size=6)
METRICS = st.builds(Metric, PATHS, st.lists(st.tuples(WORDS, VALUES), max_size=3).map(tuple))

GATES = [  # the examples of the audit's documentation
    "clean.accuracy >= 0.97",
    "adversarial.pgd.accuracy[eps=8/255] >= 0.40",
    "adversarial.masking.flags == 0",
    "precision.weight_bits.accuracy[bits=4] >= clean.accuracy - 0.01",
    "device.weight_noise.p05[sigma=0.05] >= 0.95",
    "shift.corruptions.mean_accuracy >= baseline - 0.02",
]


@pytest.mark.parametrize("gate", GATES)
def test_the_documented_gates_are_sentences(gate):
    check = parse(gate)
    assert gate.endswith(check.expected)
    assert check.uses_baseline == ("baseline" in gate)


def test_a_selector_reads_quotients_signs_words_and_quoted_text():
    [metric] = parse("""a.b[eps = 8/255, shift=-1e-3, kind=sigmoid, name="per channel", mark='it"s'] > 0""").metrics
    assert dict(metric.selector) == {"eps": 8 / 255, "shift": -1e-3, "kind": "sigmoid", "name": "per channel", "mark": 'it"s'}


@given(METRICS)
def test_a_metric_prints_as_it_is_written(metric):
    assert parse(f"{metric} > 0").metrics == (metric,)


def refusal(text):
    """The message that meets `text`, or None if it is a check."""
    try:
        parse(text)
    except InputError as problem:
        return str(problem)
    return None


@given(st.text(alphabet="ab.[]()=<>+-*/ 18\"'%é", max_size=25) | st.text(max_size=25))
def test_any_text_is_a_check_or_is_refused_at_a_place(text):
    message = refusal(text)
    assert message is None or "at position" in message


@pytest.mark.parametrize("text", ["(" * 10_000, "a > " + "-" * 10_000 + "1"])
def test_depth_is_refused_before_it_breaks_anything(text):
    assert "at most 50 brackets and signs inside each other" in refusal(text)


def test_a_long_sum_is_a_check():
    assert refusal("a > " + " + ".join(["1"] * 10_000)) is None


# (text, position of the mark, part of the message)
TYPOS = [
    ("", 1, "ends too early"),
    ("clean.accuracy", 15, "one of >= <= == > <"),
    ("clean.accuracy >=", 18, "a number, a metric"),
    ("clean.accuracy >= 97%", 21, "Write a share, 0.05 instead of 5%"),
    ("clean.accuracy = 1", 16, "Write == for equality"),
    ("clean.accuracy ≥ 1", 16, "Write >="),
    ("clean.accuracy != 1", 16, "no 'unequal'"),
    ("clean accuracy > 1", 7, "has 'accuracy'"),
    ("clean-accuracy > 1 1", 20, "has '1'"),
    ("0.3 <= a <= 0.5", 10, "abs(x - middle) <= half_width"),
    ("a.b[eps=8/255 > 0", 15, "allowed: ']'"),
    ("a.b[eps] > 0", 8, "allowed: '='"),
    ("a.b[] > 0", 5, "key=value"),
    ("a.b[eps=] > 0", 9, "a word or a quoted text"),
    ("a.b[kind=-sigmoid] > 0", 11, "a word or a quoted text"),
    ("a / 2 > 1", 3, "multiply by a number"),
    ("a > 8/0", 5, "a divisor that is not 0"),
    ("a > 1.2.3", 5, "has '1'"),
    ("a > (1 + 2", 11, "allowed: ')'"),
    ("max(a, b) > 1", 1, "abs(...), the only function"),
    ("abs > 1", 1, "abs(...), the only function"),
    ("baseline > a", 1, "on the right"),
    ("1 > 0.5", 1, "compares no measured quantity"),
    ("1 > baseline", 1, "compares no measured quantity"),
    ("__import__('os') > 1", 1, "the only function"),
]


@pytest.mark.parametrize(("text", "position", "part"), TYPOS)
def test_a_typo_is_shown_at_its_place(text, position, part):
    with pytest.raises(InputError) as refusal:
        parse(text)
    message, shown, mark = str(refusal.value).rsplit("\n", 2)
    assert part in message
    assert f"at position {position}" in message
    assert shown.strip() == text
    assert mark.index("^") - 4 == position - 1


def test_an_unknown_metric_is_met_with_the_nearest_known_one():
    known = ["clean.accuracy", "adversarial.pgd.accuracy"]
    assert parse("clean.accuracy > 0", known=known).metrics
    with pytest.raises(InputError, match=r"unknown metric 'clean\.acuracy' at position 5.*Did you mean 'clean\.accuracy'"):
        parse("1 - clean.acuracy < 0.1", known=known)


@pytest.mark.parametrize("text", ["", "a.", ".a", "a..b", "1a", "a-b", "a b", "abs", "baseline", "é"])
def test_what_a_check_cannot_name_is_no_path(text):
    assert not is_path(text)


@pytest.mark.parametrize(
    "text", ["learning.solved", "learning.solved[spread=0.05, kind=gain]", 'a.b[name="per channel", shift=-2]']
)
def test_the_text_of_a_metric_is_read_back(text):
    assert str(parse_metric(text)) == text


@pytest.mark.parametrize("text", ["", "abs", "baseline", "clean.accuracy > 0", "clean.accuracy[eps]", "a[b=1] c"])
def test_what_is_not_one_metric_is_refused(text):
    with pytest.raises(InputError, match="allowed"):
        parse_metric(text)
