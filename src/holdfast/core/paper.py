"""A paper as data: the sentences of its abstract that state a result, in our words, and the claims that decide them.

``claims.toml`` of a study has three kinds of entries::

    [sources]                       # short names of places, used by `source` below
    theory = "A. Slavin and V. Tiberkevich, IEEE Trans. Magn. 45 (2009) 1875"

    [[sentence]]
    n = 6                           # its number in the abstract
    says = "..."                    # the sentence in our own words
    claims = ["5.*", "6.uncoupled"] # what decides it: ids or patterns; or instead: untestable = "reason"
    figure = "5.hits"               # optional: the claim whose value stands beside the sentence
    shows = "{value} of targets"    # optional: words with {value}, or with metrics in braces, {map.least[engine=vortex]}
    regime = "..."                  # optional: why this study cannot decide it yet, whatever its claims say

    [[claim]]
    id = "5.{noise:g}.hits"
    statement = "Every target binds in at least 98 % of its presentations (noise {noise:g})"
    check = "sequence.least_hits[noise={noise}] >= 0.98"
    kind = "paper"                  # or "control", or "ours"
    source = "theory"
    note = "..."                    # optional
    needs = ["sequence[target=222]"] # optional: further points without which the claim is not kept
    each = {noise = [0.0, 1e-4]}    # optional: one claim for each combination of values

A claim of kind ``paper`` says what the abstract says, a ``control`` says what would show that the paper's reading is wrong, and
``ours`` checks the implementation and decides no sentence.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from itertools import product
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import check_one_of, refuse
from holdfast.core.claim import Claim, Verdict, judge, parse
from holdfast.core.digest import canonical_json
from holdfast.core.grammar import Metric, parse_metric
from holdfast.core.metrics import MetricTable, means

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from holdfast.core.experiment import Point
    from holdfast.core.store import Record

__all__ = ["KINDS", "Paper", "Sentence", "StudyClaim", "judge_claims", "points_behind"]

KINDS = ("paper", "control", "ours")


@dataclass(frozen=True, kw_only=True)
class StudyClaim(Claim):
    """A claim of a study.

    Parameters
    ----------
    needs : further points without which the claim is not kept, as metrics ``part[key=value]``
    """

    needs: tuple[Metric, ...] = ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Every quantity and point that the claim needs."""
        return (*parse(self.check).metrics, *self.needs)


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A sentence of the abstract that states a result; see the module's text for the fields."""

    n: int
    says: str
    claims: tuple[str, ...] = ()
    untestable: str = ""
    regime: str = ""
    figure: str = ""
    shows: str = ""

    def __post_init__(self) -> None:
        if bool(self.claims) == bool(self.untestable):
            refuse(f"sentence {self.n}", "has both or neither", allowed="`claims`, or a reason why it is `untestable`")

    def means(self, claim: Claim) -> bool:
        """Whether `claim` is one of those that decide the sentence."""
        return claim.kind != "ours" and any(fnmatchcase(claim.id, pattern) for pattern in self.claims)


@dataclass(frozen=True, kw_only=True)
class Paper:
    """What ``claims.toml`` holds.

    Parameters
    ----------
    sentences : of the abstract
    claims : all claims of the study, families written out
    """

    sentences: tuple[Sentence, ...] = field(default=())
    claims: tuple[StudyClaim, ...] = field(default=())

    @classmethod
    def parse(cls, text: str) -> Paper:
        """Read the text of ``claims.toml``.

        Raises
        ------
        InputError : an unknown key or kind, a check outside the grammar, an id twice, or a sentence whose patterns fit no claim
        """
        content = tomllib.loads(text)
        unknown = set(content) - {"sources", "sentence", "claim"}
        if unknown:
            refuse("claims.toml", f"has {sorted(unknown)}", allowed="[sources], [[sentence]] and [[claim]]")
        sources = content.get("sources", {})
        claims = tuple(one for entry in content.get("claim", ()) for one in _claims(entry, sources))
        sentences = tuple(_sentence(entry, claims) for entry in content.get("sentence", ()))
        ids = [claim.id for claim in claims]
        twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
        if twice:
            refuse("claims.toml", f"has {', '.join(twice)} more than once", allowed="one claim for each id")
        return cls(sentences=sentences, claims=claims)


def points_behind(metric: Metric, points: Iterable[Point]) -> list[Point]:
    """The points of the metric's part that have the values of its selector; keys that no point of the part has do not count."""
    mine = [point for point in points if point["part"] == metric.path.split(".")[0]]
    wanted = [(key, value) for key, value in metric.selector if any(key in point for point in mine)]
    return [point for point in mine if all(key in point and means(value, point[key]) for key, value in wanted)]


def _claims(entry: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[StudyClaim]:
    """One claim, or one for each combination of the values in ``each``, which stand in its texts as ``{name}``."""
    allowed = {one.name for one in fields(StudyClaim)} | {"each"}
    _check_keys(entry, allowed, f"claim {entry.get('id', '')}")
    each: Mapping[str, Sequence[Any]] = entry.get("each", {})
    check_one_of(entry.get("kind", ""), f"kind of claim {entry.get('id', '')}", allowed=KINDS)
    for values in product(*each.values()):
        put = dict(zip(each, values, strict=True))
        texts = {key: text.format(**put) for key, text in entry.items() if key not in {"each", "needs", "source"}}
        needs = tuple(parse_metric(text.format(**put)) for text in entry.get("needs", ()))
        source = str(entry.get("source", ""))
        yield StudyClaim(**texts, source=sources.get(source, source).format(**put), needs=needs)


def _sentence(entry: Mapping[str, Any], claims: Sequence[StudyClaim]) -> Sentence:
    _check_keys(entry, {one.name for one in fields(Sentence)}, f"sentence {entry.get('n', '')}")
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    sentence = Sentence(**given)
    for pattern in (*sentence.claims, *([sentence.figure] if sentence.figure else ())):
        if not any(claim.kind != "ours" and fnmatchcase(claim.id, pattern) for claim in claims):
            refuse(f"sentence {sentence.n}", f"names {pattern!r}", allowed="ids or patterns of claims of kind paper or control")
    return sentence


def _check_keys(entry: Mapping[str, Any], allowed: set[str], what: str) -> None:
    unknown = set(entry) - allowed
    if unknown:
        refuse(what.strip(), f"has {', '.join(sorted(unknown))}", allowed=", ".join(sorted(allowed)))


def judge_claims(
    claims: Iterable[StudyClaim], points: Iterable[Point], records: Iterable[Record], table: MetricTable
) -> list[Verdict]:
    """The verdict on each claim; one that needs a point which crashed or is missing is an error that says so.

    Parameters
    ----------
    claims : that the settings plan
    points : of the plan
    records : of the points that were begun
    table : all quantities
    """
    found = {canonical_json(record.at): record for record in records}
    missing = []
    for point in points:
        record = found.get(canonical_json(point))
        if record is None or record.status != "ok":
            missing.append((point, record.reason if record else "it was not measured"))
    return [_judged(claim, table, missing) for claim in claims]


def _judged(claim: StudyClaim, table: MetricTable, missing: Sequence[tuple[Point, str]]) -> Verdict:
    points = [point for point, _ in missing]
    behind = [point for metric in claim.metrics for point in points_behind(metric, points)]
    [verdict] = judge([claim], table)
    if not behind and verdict.status == "error":  # its summary needed other points of the part
        parts = {metric.path.split(".")[0] for metric in claim.metrics}
        behind = [point for point in points if point["part"] in parts]
    if not behind:
        return verdict
    why = next(why for point, why in missing if point is behind[0])
    more = f" {len(behind) - 1} more of its points are missing." if len(behind) > 1 else ""
    reason = f"It needs the point {', '.join(f'{key} {value}' for key, value in behind[0].items())}, which is missing: {why}.{more}"
    return Verdict(claim=claim, status="error", expected=verdict.expected, reason=reason)
