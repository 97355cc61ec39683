"""What a run says about the sentences of an abstract, from the verdicts on the claims that decide them."""

from __future__ import annotations

import re
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from holdfast.core.claim import Verdict, parse
from holdfast.core.errors import InputError
from holdfast.core.grammar import parse_metric
from holdfast.report.judged import SentenceEntry, SentenceFigure
from holdfast.report.wording import at_text, interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from holdfast.core.metrics import MetricTable
    from holdfast.core.paper import Paper, Sentence

__all__ = ["decide"]

Outcome = Literal["holds", "fails", "undecided", "untestable"]


def decide(paper: Paper, verdicts: Iterable[Verdict], table: MetricTable, *, later: Mapping[str, str]) -> list[SentenceEntry]:
    """What the run says about each sentence of the paper.

    A sentence *holds* if all its claims of kind paper pass and no control fails, *fails* if one of them fails, is *untestable* if
    the study has no claim about it, and is otherwise *undecided*, with the reason.

    Parameters
    ----------
    paper : sentences and claims
    verdicts : on the claims that the run planned
    table : what the run measured
    later : ids of claims that only a larger preset plans, and the first preset that does
    """
    known = {verdict.claim.id: verdict for verdict in verdicts}
    return [_decide(sentence, paper, known, table, later) for sentence in paper.sentences]


def _decide(
    sentence: Sentence, paper: Paper, known: Mapping[str, Verdict], table: MetricTable, later: Mapping[str, str]
) -> SentenceEntry:
    if sentence.untestable:
        return SentenceEntry(n=sentence.n, says=sentence.says, verdict="untestable", reason=sentence.untestable)
    meant = [claim for claim in paper.claims if sentence.means(claim)]
    judged = [known[claim.id] for claim in meant if claim.id in known]
    waits = [later[claim.id] for claim in meant if claim.kind == "paper" and claim.id in later]
    outcome, reason = _weigh(sentence, judged, waits)
    chosen = _deciding(sentence, judged)
    figure = SentenceFigure(text=_words(sentence, chosen, table), claim=chosen.claim.id) if chosen else None
    ids = [one.claim.id for one in judged]
    return SentenceEntry(n=sentence.n, says=sentence.says, verdict=outcome, reason=reason, claims=ids, figure=figure)


def _weigh(sentence: Sentence, judged: Sequence[Verdict], waits: Sequence[str]) -> tuple[Outcome, str]:
    """The verdict on a sentence from those of its claims; `waits` are the presets that plan what this run does not."""
    papers = [one for one in judged if one.claim.kind == "paper"]
    failed = [one.claim.id for one in judged if one.status == "fail"]
    unsure = [one.claim.id for one in papers if one.status != "pass"]
    if sentence.regime:
        return "undecided", sentence.regime
    if failed:
        return "fails", f"{_listed(failed)} of its {len(judged)} claims and controls fail{'s' * (len(failed) == 1)}"
    if not papers:
        return "undecided", f"measured from `{waits[0]}` on" if waits else "none of its claims can be measured here"
    if unsure:
        return "undecided", f"{_listed(unsure)} of its {len(papers)} claims {'is' if len(unsure) == 1 else 'are'} not decided"
    more = f", {len(waits)} more {'is' if len(waits) == 1 else 'are'} measured from `{waits[0]}` on" if waits else ""
    passing = {1: "its claim passes", 2: "both of its claims pass"}.get(len(papers), f"all {len(papers)} of its claims pass")
    return "holds", passing + more


def _listed(ids: Sequence[str], most: int = 3) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")


def _deciding(sentence: Sentence, judged: Sequence[Verdict]) -> Verdict | None:
    """The claim whose number stands beside the sentence: the named one, else the first that failed, else the first measured."""
    measured = [one for one in judged if one.value is not None]
    named = [one for one in measured if sentence.figure and fnmatchcase(one.claim.id, sentence.figure)]
    failed = [one for one in measured if one.status == "fail"]
    return next(iter([*named, *failed, *measured]), None)


def _words(sentence: Sentence, verdict: Verdict, table: MetricTable) -> str:
    """The number that decides a sentence, in the sentence's words for it or with the strength at which it holds."""
    value = interval(verdict.value, verdict.lo, verdict.hi)

    def put(match: re.Match[str]) -> str:
        if match[1] == "value":
            return value
        metric = parse_metric(match[1])
        found = table.find(metric.path, metric.selector)
        return interval(found.value, found.lo, found.hi)

    if sentence.shows and (not sentence.figure or fnmatchcase(verdict.claim.id, sentence.figure)):
        with suppress(InputError):  # this run did not measure a quantity that the words name
            return re.sub(r"\{(.+?)\}", put, sentence.shows)
    at = {key: item for metric in parse(verdict.claim.check).metrics for key, item in metric.selector}
    return f"{value} at {at_text(at)}" if at else value
