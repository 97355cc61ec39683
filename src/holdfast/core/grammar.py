"""The one grammar of checkable sentences, for a study's claims and for the gates that a user writes.

::

    comparison := sum (">=" | "<=" | ">" | "<" | "==") sum
    sum        := product (("+" | "-") product)*
    product    := factor ("*" factor)*
    factor     := "-" factor | number | "baseline" | metric | "abs" "(" sum ")" | "(" sum ")"
    metric     := path [ "[" key "=" value ("," key "=" value)* "]" ]
    value      := ["-"] number | word | quoted text

A number may be a quotient (``8/255``), a path is dotted (``adversarial.pgd.accuracy``), and ``baseline`` is the left side's own
value in the baseline run. Nothing is evaluated by Python: the text becomes a small tree, or an error that points at the place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn, cast

from holdfast.core.checks import nearest, refuse
from holdfast.core.numerals import NUMERAL, quotient, size_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "Absolute",
    "Baseline",
    "Comparison",
    "Metric",
    "Node",
    "Number",
    "Operator",
    "Product",
    "Sum",
    "is_path",
    "parse",
    "parse_metric",
]

Operator = Literal[">=", "<=", ">", "<", "=="]
OPERATORS = (">=", "<=", "==", ">", "<")
RESERVED = ("abs", "baseline")
DEEPEST = 50  # brackets and signs inside each other, well below Python's own limit

PATH = r"[A-Za-z_]\w*(?:\.\w+)*"
TOKEN = re.compile(
    rf"""\s*(?:(?P<number>{NUMERAL})(?![\w.]) | (?P<path>{PATH}) | (?P<quoted>"[^"]*"|'[^']*')
    | (?P<sign>>=|<=|==|[><=+\-*()\[\],]) | (?P<end>$) | (?P<unknown>\S))""",
    re.VERBOSE | re.ASCII,
)
HINTS = {
    "%": "Write a share, 0.05 instead of 5%.",
    "=": "Write == for equality.",
    "/": "Only two numbers can be divided, as in 8/255; multiply by a number instead.",
    "≥": "Write >=.",
    "≤": "Write <=.",
    "!": "There is no 'unequal'; state what must hold.",
}


@dataclass(frozen=True)
class Number:
    """A number as the text gave it."""

    value: float


@dataclass(frozen=True)
class Baseline:
    """The value of the left side in the baseline run."""


@dataclass(frozen=True)
class Metric:
    """A measured quantity.

    Parameters
    ----------
    path : dotted name
    selector : pairs of key and value that pick one point; empty for a quantity without points
    """

    path: str
    selector: tuple[tuple[str, float | str], ...] = ()

    def __str__(self) -> str:
        pairs = ", ".join(f"{key}={_word(value, key)}" for key, value in self.selector)
        return f"{self.path}[{pairs}]" if pairs else self.path


def _word(value: object, key: str = "") -> str:
    """`value` as a selector would write it, with quotes only where the grammar needs them; attack sizes as 8/255."""
    text = str(value).removesuffix(".0") if isinstance(value, float) else str(value)
    if key == "eps" and isinstance(value, float):
        text = size_text(value)
    bare = not isinstance(value, str) or re.fullmatch(PATH, text, re.ASCII)
    return text if bare else f"'{text}'" if '"' in text else f'"{text}"'


@dataclass(frozen=True)
class Sum:
    """The sum of its parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Product:
    """The product of its parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Absolute:
    """The size of its part without the sign."""

    part: Node


Node = Number | Baseline | Metric | Sum | Product | Absolute


def _leaves(node: Node) -> Iterator[Node]:
    """The nodes without parts, left to right."""
    parts = node.parts if isinstance(node, Sum | Product) else (node.part,) if isinstance(node, Absolute) else None
    if parts is None:
        yield node
    else:
        for part in parts:
            yield from _leaves(part)


@dataclass(frozen=True)
class Comparison:
    """A parsed check: two expressions and the relation that must hold between them.

    Parameters
    ----------
    left, right : the expressions
    operator : the relation
    expected : the text from the operator on, e.g. ``">= 0.40"``
    """

    left: Node
    operator: Operator
    right: Node
    expected: str

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All measured quantities that the check names, left to right."""
        return tuple(leaf for side in (self.left, self.right) for leaf in _leaves(side) if isinstance(leaf, Metric))

    @property
    def uses_baseline(self) -> bool:
        """True if the check cannot be judged without a baseline run."""
        return any(isinstance(leaf, Baseline) for leaf in _leaves(self.right))


def is_path(text: str) -> bool:
    """True if `text` is a dotted name that a check can name.

    Examples
    --------
    >>> is_path("clean.accuracy"), is_path("baseline"), is_path("spin-diode")
    (True, False, False)
    """
    return re.fullmatch(PATH, text, re.ASCII) is not None and text not in RESERVED


def parse(text: str, *, known: Iterable[str] | None = None) -> Comparison:
    """The check that `text` states.

    Parameters
    ----------
    text : one comparison in the grammar of this module
    known : the paths that exist; if given, an unknown path is refused and the nearest known one is named

    Raises
    ------
    InputError : the text is not a comparison; the message shows the place

    Examples
    --------
    >>> check = parse("precision.weight_bits.accuracy[bits=4] >= clean.accuracy - 0.01")
    >>> [str(metric) for metric in check.metrics]
    ['precision.weight_bits.accuracy[bits=4]', 'clean.accuracy']
    """
    return _Parser(" ".join(text.split()), known).comparison()


def parse_metric(text: str) -> Metric:
    """The metric whose text is `text`; reads back what ``str`` of a :class:`Metric` gives.

    Raises
    ------
    InputError : the text is not one metric

    Examples
    --------
    >>> parse_metric("learning.solved[spread=0.05]").selector
    (('spread', 0.05),)
    """
    return _Parser(" ".join(text.split()), None).whole_metric()


class _Token(NamedTuple):
    """A piece of the text: its kind, its characters and where they begin."""

    kind: str
    text: str
    at: int


class _Parser:
    """Recursive descent over the tokens of one text; each method reads the rule of its name."""

    def __init__(self, text: str, known: Iterable[str] | None) -> None:
        self.text = text
        self.known = None if known is None else sorted(known)
        matches = ((str(match.lastgroup), match) for match in TOKEN.finditer(text))
        self.tokens = [_Token(kind, match[kind], match.start(kind)) for kind, match in matches][::-1]
        self.relation: _Token | None = None
        self.depth = 0

    @property
    def next(self) -> _Token:
        """The token that is read next; the last one is the end."""
        return self.tokens[-1]

    def accept(self, *signs: str) -> _Token | None:
        """The next token if it is one of `signs`, which is then read."""
        return self.tokens.pop() if self.next.kind == "sign" and self.next.text in signs else None

    def refuse(self, allowed: str, *, hint: str = "", token: _Token | None = None, got: str = "") -> NoReturn:
        """Point at `token` (default: the next one) and list what could stand there."""
        token = token or self.next
        got = got or ("ends too early" if token.kind == "end" else f"has {token.text!r}")
        place = f"Here:\n    {self.text}\n    {' ' * token.at}^"
        hint = hint or HINTS.get(token.text, "")
        refuse("check", f"{got} at position {token.at + 1}", allowed=allowed, remedy=f"{hint} {place}" if hint else place)

    def expect(self, sign: str) -> None:
        """Read `sign` or refuse."""
        if not self.accept(sign):
            self.refuse(repr(sign))

    def comparison(self) -> Comparison:
        """Two sums and the operator between them."""
        left = self.sum()
        self.relation = self.accept(*OPERATORS)
        if self.relation is None:
            self.refuse("one of " + " ".join(OPERATORS))
        right = self.sum()
        if self.next.kind != "end":
            chained = self.next.text in OPERATORS
            self.refuse(
                "the end, + - or *",
                hint="One comparison each: for a range write abs(x - middle) <= half_width." if chained else "",
            )
        check = Comparison(left, cast("Operator", self.relation.text), right, self.text[self.relation.at :])
        if not check.metrics:
            self.refuse("at least one metric, e.g. clean.accuracy", token=_Token("end", "", 0), got="compares no measured quantity")
        return check

    def whole_metric(self) -> Metric:
        """A metric and nothing after it."""
        path = self.next
        if not is_path(path.text):
            self.refuse("a metric, e.g. clean.accuracy")
        self.tokens.pop()
        metric = self.metric(path)
        if self.next.kind != "end":
            self.refuse("the end")
        return metric

    def sum(self) -> Node:
        """Products joined by + and -."""
        parts = [self.product()]
        while sign := self.accept("+", "-"):
            part = self.product()
            parts.append(part if sign.text == "+" else Product((Number(-1.0), part)))
        return parts[0] if len(parts) == 1 else Sum(tuple(parts))

    def product(self) -> Node:
        """Factors joined by *."""
        parts = [self.factor()]
        while self.accept("*"):
            parts.append(self.factor())
        return parts[0] if len(parts) == 1 else Product(tuple(parts))

    def factor(self) -> Node:
        """A signed, bracketed or plain quantity."""
        token = self.next
        if self.accept("-"):
            return Product((Number(-1.0), self.nested(self.factor)))
        if self.accept("("):
            return self.bracket()
        if token.kind == "number":
            return Number(self.number())
        if token.kind != "path":
            self.refuse("a number, a metric, baseline, abs( or (")
        self.tokens.pop()
        called = self.accept("(")
        if token.text == "abs" and called:
            return Absolute(self.bracket())
        if called or token.text == "abs":
            self.refuse("abs(...), the only function", token=token)
        if token.text == "baseline":
            return self.baseline(token)
        return self.metric(token)

    def nested(self, read: Callable[[], Node]) -> Node:
        """What `read` gives, one level deeper."""
        self.depth += 1
        if self.depth > DEEPEST:
            self.refuse(f"at most {DEEPEST} brackets and signs inside each other")
        node = read()
        self.depth -= 1
        return node

    def bracket(self) -> Node:
        """A sum whose opening bracket has been read."""
        node = self.nested(self.sum)
        self.expect(")")
        return node

    def number(self) -> float:
        """A number or a quotient of two."""
        token = self.tokens.pop()
        value = quotient(token.text)
        if value is None:
            self.refuse("a divisor that is not 0", token=token)
        return value

    def baseline(self, token: _Token) -> Baseline:
        """The word baseline, on the right side only."""
        if self.relation is None:
            self.refuse("a metric; 'baseline' stands for the left side's own value, on the right", token=token)
        return Baseline()

    def metric(self, path: _Token) -> Metric:
        """The rest of a metric whose path has been read."""
        if self.known is not None and path.text not in self.known:
            close = nearest(path.text, self.known)
            hint = f"Did you mean {close!r}?" if close else ""
            self.refuse("the metrics of this run", token=path, got=f"names the unknown metric {path.text!r}", hint=hint)
        if not self.accept("["):
            return Metric(path.text)
        pairs = [self.pair()]
        while self.accept(","):
            pairs.append(self.pair())
        self.expect("]")
        return Metric(path.text, tuple(pairs))

    def pair(self) -> tuple[str, float | str]:
        """One key=value of a selector."""
        key = self.next
        if key.kind != "path":
            self.refuse("key=value, e.g. eps=8/255")
        self.tokens.pop()
        self.expect("=")
        return key.text, self.value()

    def value(self) -> float | str:
        """What stands behind the = of a selector."""
        sign = -1.0 if self.accept("-") else 1.0
        token = self.next
        if token.kind == "number":
            return sign * self.number()
        if token.kind not in {"path", "quoted"} or sign < 0:
            self.refuse("a number, a word or a quoted text")
        self.tokens.pop()
        return token.text[1:-1] if token.kind == "quoted" else token.text
