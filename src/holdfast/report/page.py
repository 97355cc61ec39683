"""The page: one self-contained HTML file, a function of its record alone, complete without scripts and without a network."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from holdfast.report import charts, glance, opening, studied, verdicts, views, wording
from holdfast.report.charts.intervals import verdict_strip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.report.document import Document
    from holdfast.report.examples import ComparisonRow, PairedComparison

__all__ = ["render", "render_comparison"]


def _asset(name: str) -> str:
    return files("holdfast.report").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    """Templates with autoescape always on, the words of the page as filters, and style and script inlined once."""
    environment = Environment(
        loader=PackageLoader("holdfast.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    script, style = _asset("page.js"), _asset("page.css")
    fingerprint = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    names = ("at_text", "date", "duration", "estimate_text", "heading", "number", "plain")
    environment.filters |= {name: getattr(wording, name) for name in names}
    environment.filters["counted"] = verdicts.counted
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=1, ensure_ascii=False)
    environment.filters["anchor"] = _anchor
    environment.filters["strength_of"] = lambda value, axis: wording.strength(axis, value)
    environment.filters["setting"] = wording.setting
    environment.filters["measured_value"] = views.measured_value
    environment.filters["place_text"] = views.place_text
    environment.filters["commit_words"] = opening.commit_words
    environment.globals |= {
        "script": Markup(script),  # noqa: S704  a file of this package
        "style": Markup(style),  # noqa: S704  a file of this package
        "script_hash": fingerprint,
        "interval": wording.interval,
        "verdict_strip": verdict_strip,
        "widest_interval": views.widest_interval,
        "WORDS": wording.WORDS,
        "PLURALS": wording.PLURALS,
        "MARKS": {"pass": "✓", "fail": "✗", "undecided": "?", "error": "!", "none": "–"},
    }
    return environment


def _anchor(name: str) -> str:
    """`name` as the id of a place in the page."""
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def _draw(template: str, context: Mapping[str, Any]) -> str:
    return _environment().get_template(template).render(**context)


def render(document: Document) -> str:
    """The page of an audit or a study.

    Equal documents give equal bytes: nothing is read from the clock, the machine or the network.

    Examples
    --------
    >>> from holdfast.report.document import Document, RunEntry
    >>> "<h1>tiny</h1>" in render(Document(run=RunEntry(id="a", name="tiny")))
    True
    """
    names = _short_names(document)
    context = {
        "document": document,
        "run": document.run,
        "verdict": studied.answer(document) or verdicts.verdict(document),
        "view": studied.study_view(document),
        "study_pictures": views.study_pictures(document),
        "badge": opening.badge(document.gates) if document.run.kind == "audit" else None,
        "examples": opening.examples_words(document),
        "tally": views.tally(document.judged),
        "tiles": glance.tiles(document) if document.run.kind == "audit" else [],
        "findings": views.findings_by_severity(document),
        "cards": views.card_views(document),
        "cross_pictures": _cross_pictures(document),
        "stress_titles": {name: stress.title or wording.heading(name) for name, stress in document.stresses().items()},
        "flagged": _flagged(document),
        "short_names": names,
        "untested": document.run.kind == "audit" or bool(document.skipped or document.reduced),
        "comparison": _comparison_context(document.baseline, names) if document.baseline else None,
        "low_power": _low_power(document) if document.run.kind == "audit" else [],
        "probe": views.probe_facts(document),
        "failed_points": [entry for entry in document.points() if entry[2].error],
    }
    return _draw("page.html.j2", context)


def _short_names(document: Document) -> dict[str, str]:
    return {name: wording.short_name(name, stress) for name, stress in document.stresses().items()}


def _cross_pictures(document: Document) -> list[charts.Picture]:
    """The table of right and wrong, and one scatter for each stress whose breaking points are known."""
    cross, stresses = document.cross, document.stresses()
    if cross is None:
        return []
    pictures = [charts.cross_matrix(cross)]
    for entry in cross.breaking:
        stress = stresses.get(entry.stress)
        title = wording.short_name(entry.stress, stress) if stress else ""
        axis = wording.axis_words(stress, entry.axis) if stress else ""
        pictures.append(charts.margin_scatter(cross, entry, title=title, axis=axis))
    return [picture for picture in pictures if picture is not None]


def _flagged(document: Document) -> list[tuple[str, str, int]]:
    """Name, title and raised flags of each stress whose checks raised one."""
    counts = {
        name: sum(check.flag is True for point in stress.points for check in point.details.checks or [])
        for name, stress in document.stresses().items()
    }
    return [(name, document.stresses()[name].title or wording.heading(name), count) for name, count in counts.items() if count]


def _low_power(document: Document) -> list[tuple[str, int, float]]:
    """Stress, examples and widest interval of an accuracy, the widest first."""
    rows = [
        (name, max((point.n for point in stress.points), default=0), width)
        for name, stress in document.stresses().items()
        if (width := views.widest_interval(stress)) is not None
    ]
    return sorted(rows, key=lambda row: (-row[2], row[0]))


def _comparison_context(comparison: PairedComparison, names: Mapping[str, str]) -> dict[str, Any]:
    by_metric: dict[str, list[ComparisonRow]] = {}
    for row in comparison.rows:
        by_metric.setdefault(row.metric, []).append(row)
    slopes = [charts.slope_chart(metric, rows, names) for metric, rows in by_metric.items()]
    return {
        "entry": comparison,
        "slopes": [picture for picture in slopes if picture is not None],
        "forest": charts.forest(comparison.rows, names),
        "sentence": _comparison_sentence(comparison.rows),
    }


def _comparison_sentence(rows: Sequence[ComparisonRow]) -> str:
    """What the paired tests say, in one sentence."""
    if not rows:
        return "The two runs have no measured point in common."
    significant = [row for row in rows if row.p_holm is not None and row.p_holm < 0.05]
    better = sum((row.delta.value or 0) > 0 for row in significant)
    worse = len(significant) - better
    equal = len(rows) - len(significant)
    return (
        f"Of {len(rows)} paired metrics {better} got better and {worse} got worse; {equal} did not change significantly (p ≥ 0.05)."
    )


def render_comparison(before: Document, after: Document, comparison: PairedComparison) -> str:
    """The page that holds two runs beside each other.

    Parameters
    ----------
    before, after : the reports of the two runs
    comparison : paired rows, made by :func:`holdfast.report.paired.compare`
    """
    listed = {example for row in comparison.rows for example in row.examples}
    context = {
        "before": before,
        "after": after,
        "badge": opening.badge(comparison.gates),
        "comparison": _comparison_context(comparison, _short_names(after)),
        "short_names": _short_names(after),
        "images": [image for image in after.images if image.example in listed],
        "overlaid": _overlaid(before, after),
    }
    return _draw("comparison.html.j2", context)


def _overlaid(before: Document, after: Document) -> list[charts.Picture]:
    """Curves that both runs have, over each other."""
    old = {
        (name, curve.name, curve.axis, curve.unit, curve.quantity): curve
        for name, stress in before.stresses().items()
        for curve in stress.curves
    }
    pictures = []
    for name, stress in after.stresses().items():
        for curve in stress.curves:
            partner = old.get((name, curve.name, curve.axis, curve.unit, curve.quantity))
            if partner is not None and len(curve.at) > 1:
                title = stress.title or wording.heading(name)
                label = "" if curve.name in {name, curve.quantity} else f", {curve.name.replace('_', ' ')}"
                pictures.append(charts.curve_chart([("after", curve)], title=title + label, baseline=[partner]))
    return pictures
