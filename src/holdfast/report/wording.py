"""How the page writes numbers, strengths, times and verdicts; all functions return plain text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from holdfast.core.digits import ABSENT, SUPERSCRIPT, decimals, interval, number
from holdfast.core.numerals import size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.report.measured import EstimateEntry, StressEntry

__all__ = [
    "PLURALS",
    "WORDS",
    "at_strength",
    "at_text",
    "axis_label",
    "axis_words",
    "class_words",
    "common_factor",
    "date",
    "decimals",
    "duration",
    "estimate_text",
    "gist",
    "heading",
    "interval",
    "level",
    "number",
    "plain",
    "setting",
    "short_name",
    "strength",
    "threshold",
]

WORDS = {"pass": "holds", "fail": "fails", "undecided": "undecided", "error": "not judged"}
PLURALS = {"pass": "hold", "fail": "fail", "undecided": "undecided", "error": "not judged"}
TITLES = {
    "p05": "5th percentile",
    "sd": "standard deviation",
    "worst": "worst chip",
    "t_forward": "forward pass, per example",
    "t_backward": "backward pass, per example",
}
ACRONYMS = {"auc", "aurc", "ece", "hmc", "nll", "psnr", "ssim"}
METRIC = re.compile(r"^\s*([A-Za-z_]\w*(?:\.\w+)+)(?:\[([^\]]*)\])?\s*(?:(?:>=|<=|==|>|<)|$)")
COUNTED = ("bits", "queries")
EXPECTED = re.compile(r"\s*(>=|<=|==|>|<)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)(?:\s*/\s*([\d.]+))?")


def common_factor(values: Sequence[float]) -> tuple[float, str]:
    """A power of ten that a whole axis is divided by, and the words for it; 1 and none where plain numbers do.

    Examples
    --------
    >>> common_factor([0, 4.2e-6]), common_factor([0, 0.3])
    ((1e-06, ' / 10⁻⁶'), (1.0, ''))
    """
    largest = max(map(abs, values), default=0.0)
    if largest == 0 or not math.isfinite(largest) or 1e-2 <= largest < 1e5:
        return 1.0, ""
    exponent = 3 * math.floor(math.log10(largest) / 3)
    return 10.0**exponent, f" / 10{str(exponent).translate(SUPERSCRIPT)}"


def level(value: float | None) -> str:
    """A number that stands beside others of its kind: shares to two places.

    Examples
    --------
    >>> level(0.9), level(0.8312), level(31.2)
    ('0.90', '0.83', '31.2')
    """
    return f"{value:.2f}" if value is not None and 0 <= value <= 1 else number(value)


def estimate_text(estimate: EstimateEntry) -> str:
    """An estimate with its interval."""
    return interval(estimate.value, estimate.lo, estimate.hi)


def class_words(name: str) -> str:
    """A class inside a sentence; one that is called by its number says what is numbered.

    Examples
    --------
    >>> class_words("cat"), class_words("3")
    ('cat', 'class 3')
    """
    return f"class {name}" if name.isdecimal() else name


def strength(axis: str, value: Any) -> str:
    """A strength; attack sizes that are whole multiples of 1/255 are written as such.

    Examples
    --------
    >>> strength("eps", 8 / 255), strength("bits", 4), strength("corruption", "gaussian_noise")
    ('8/255', '4', 'gaussian noise')
    """
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int | float):
        return size_text(value) if axis == "eps" else number(value)
    if isinstance(value, str):
        return value.replace("_", " ")
    if isinstance(value, Mapping):
        return at_text(value)
    return ", ".join(strength(axis, entry) for entry in value)


def setting(value: Any, name: str) -> str:
    """A setting or fact in words; times are recognised by their name.

    Examples
    --------
    >>> setting(True, "per_channel"), setting([1, 2], "bits"), setting(8.1e-5, "t_forward"), setting(None, "clip")
    ('true', '1, 2', '81 µs', 'none')
    """
    if isinstance(value, float) and (name.startswith("t_") or name.endswith("seconds")):
        return duration(value)
    return strength(name, value) or "none"


def at_text(at: Mapping[str, Any]) -> str:
    """Where a point lies, in words.

    Examples
    --------
    >>> at_text({"eps": 0.1, "steps": 40})
    'eps 0.1, steps 40'
    """
    return ", ".join(f"{axis.replace('_', ' ')} {strength(axis, value)}" for axis, value in at.items())


def heading(name: str) -> str:
    """The name of a stress, card or metric as a heading.

    Examples
    --------
    >>> heading("weight_bits"), heading("ece_debiased")
    ('Weight bits', 'ECE debiased')
    """
    words = plain(name)
    return words[:1].upper() + words[1:]


def plain(name: str) -> str:
    """The name of a stress, card or metric inside a sentence, with the point that it may be of.

    Examples
    --------
    >>> plain("mean_accuracy"), plain("p05"), plain("accuracy[eps=0.1, examples=50]")
    ('mean accuracy', '5th percentile', 'accuracy at eps 0.1, examples 50')
    """
    name, bracket, selector = name.partition("[")
    if bracket:
        return f"{plain(name)} at {selector.removesuffix(']').replace('=', ' ')}"
    if name in TITLES:
        return TITLES[name]
    return " ".join(word.upper() if word.lower() in ACRONYMS else word for word in name.replace("_", " ").replace(".", " ").split())


def at_strength(words: str, axis: str, value: float, *, among: Sequence[float] = ()) -> str:
    """Where a number of a curve holds.

    Parameters
    ----------
    words : what the axis is called
    axis : its name; numbers of bits and of queries stand before the word
    value : on the axis
    among : strengths of the curve, whose spelling of attack sizes is used

    Examples
    --------
    >>> at_strength("eps", "eps", 8 / 255), at_strength("bits", "bits", 2), at_strength("queries", "queries", 300.0)
    ('at eps 8/255', 'at 2 bits', 'at 300 queries')
    >>> at_strength("eps", "eps", 0.0123, among=[1 / 255, 4 / 255])
    'at eps 3.14/255'
    """
    shown = size_text(value, among) if axis == "eps" else strength(axis, value)
    return f"at {shown} {words}" if axis in COUNTED else f"at {words} {shown}"


def axis_label(axis: str, unit: str) -> str:
    """An axis with its unit; a unit that begins with the axis's own name says both.

    Examples
    --------
    >>> axis_label("eps", "input units"), axis_label("bits", "bits, sign included"), axis_label("step_size", "")
    ('eps (input units)', 'bits, sign included', 'step size')
    """
    if unit.startswith(axis):
        return unit
    return f"{plain(axis)} ({unit})" if unit else plain(axis)


def short_name(name: str, stress: StressEntry) -> str:
    """What a stress is called where space is scarce."""
    return stress.short or heading(name)


def axis_words(stress: StressEntry, axis: str) -> str:
    """What an axis of a stress's points is called."""
    return stress.axes.get(axis) or plain(axis)


def gist(statement: str, names: Mapping[str, str] | None = None) -> str:
    """What a gate is about, without card and threshold; a sentence in words stays as it is.

    Parameters
    ----------
    statement : a check or a sentence
    names : short names of stresses

    Examples
    --------
    >>> gist("adversarial.pgd.accuracy[eps=8/255] >= 0.40", {"pgd": "PGD"})
    'PGD accuracy at eps 8/255'
    >>> gist("It still works.")
    'It still works'
    """
    found = METRIC.match(statement)
    if found is None:
        return statement.strip().rstrip(".")
    path, selector = found.groups()
    words = " ".join((names or {}).get(part) or plain(part) for part in dict.fromkeys(path.split(".")[-2:]))
    return words + (f" at {selector.replace('=', ' ')}" if selector else "")


def duration(seconds: float | None) -> str:
    """A time span in at most two units.

    Examples
    --------
    >>> [duration(entry) for entry in (0.034, 4.31, 171.2, 4000, None)]
    ['34 ms', '4.3 s', '2 min 51 s', '1 h 6 min', '–']
    """
    if seconds is None:
        return ABSENT
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def date(text: str) -> str:
    """An ISO 8601 time to the minute, in UTC where it has a time zone; anything else is left as it is.

    Examples
    --------
    >>> date("2026-03-01T12:00:05+00:00"), date("yesterday")
    ('2026-03-01 12:00 UTC', 'yesterday')
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment.tzinfo else f"{moment:%Y-%m-%d %H:%M}"


def threshold(expected: str) -> tuple[str, float] | None:
    """Operator and number of what a claim expects, or None if it is not a plain threshold.

    Examples
    --------
    >>> threshold(">= 0.40"), threshold("< 8/255") is not None, threshold("as before")
    (('>=', 0.4), True, None)
    """
    found = EXPECTED.match(expected)
    if found is None:
        return None
    operator, numerator, denominator = found.groups()
    return operator, float(numerator) / float(denominator or 1)
