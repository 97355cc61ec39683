"""Turn the report of a study into a page of the documentation.

::

    holdfast study run spintronic-neuron --preset standard --out runs/spintronic-neuron
    python docs/make_results.py runs/spintronic-neuron

Each argument is the folder of a run, or its ``report.json``; the page is ``docs/results/STUDY.md``, with a figure of its curves
beside it. Equal reports give equal bytes.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.checks import refuse
from holdfast.core.figures import curve_figure, new_figure, save
from holdfast.report import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from holdfast.core.curve import Curve
    from holdfast.report import ClaimEntry, Document

RESULTS = Path(__file__).parent / "results"
MARKS = {"pass": "✓ pass", "fail": "✗ fail", "undecided": "? undecided", "error": "! error"}
MOST_LINES = 7  # in one picture


def cell(text: str) -> str:
    """`text` as it can stand in a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def number(value: float | None) -> str:
    """Four significant digits, or a dash for what was not measured."""
    return "–" if value is None else f"{value:.4g}"


def interval(claim: ClaimEntry) -> str:
    """The interval of a claim's value; empty for a computed quantity."""
    if claim.lo is None or claim.hi is None or claim.lo == claim.hi:
        return ""
    return f"[{number(claim.lo)}, {number(claim.hi)}]"


def claim_row(claim: ClaimEntry, sources: Sequence[str]) -> tuple[str, ...]:
    """One claim as a row of the table; its source by its place in the list below."""
    words = [claim.statement, *([f"({claim.note})"] if claim.note else []), *([claim.reason] if claim.status == "error" else [])]
    return (
        claim.id.replace(".", ".<wbr>"),
        cell(" ".join(words)),
        MARKS[claim.status],
        number(claim.value),
        interval(claim),
        f"`{claim.expected}`",
        str(sources.index(claim.source) + 1) if claim.source else "",
    )


def tally(document: Document) -> str:
    """How many claims came out how."""
    statuses = [claim.status for claim in document.claims]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in MARKS if status in statuses)
    return f"{len(statuses)} claims: {counts}." if statuses else "This run judged no claim."


def provenance(document: Document) -> list[tuple[str, str]]:
    """What the run was made with."""
    run = document.run
    return [
        ("preset", f"`{run.preset}`"),
        ("seed", f"{run.seed}"),
        ("status", run.status),
        ("time", f"{run.seconds:.0f} s" if run.seconds is not None else "–"),
        ("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
        ("hardware", cell(", ".join(f"{name}: {value}" for name, value in run.hardware.items()))),
        ("commit", f"`{run.commit}`" if run.commit else "–"),
    ]


def zoom(axes: Axes, curves: Sequence[Curve]) -> None:
    """Show shares at the size of their differences instead of from 0 to 1."""
    ends = [end for curve in curves for estimate in curve.estimates for end in (estimate.value, estimate.lo, estimate.hi)]
    known = [end for end in ends if math.isfinite(end)]
    if known and min(known) >= 0 and max(known) <= 1:
        axes.set_ylim(max(0.0, min(known) - 0.01), min(1.0, max(known) + 0.01))


def split(curves: Sequence[Curve]) -> list[Sequence[Curve]]:
    """Parts of about equal size, small enough for one picture each."""
    parts = math.ceil(len(curves) / MOST_LINES)
    ends = [len(curves) * part // parts for part in range(parts + 1)]
    return [curves[first:last] for first, last in pairwise(ends)]


def shortened(curve: Curve, family: str) -> Curve:
    """The curve without the words that the title of its picture has."""
    return replace(curve, name=curve.name.removeprefix(family).strip() or curve.name)


def pictures(document: Document) -> list[Figure]:
    """All curves of the report; those that share axes stand in one row of pictures, named alike up to their last word."""
    groups: dict[tuple[str, ...], list[Curve]] = {}
    for stress in document.stresses().values():
        for entry in stress.curves:
            curve = entry.curve()
            family = " ".join(curve.name.split()[:2])
            groups.setdefault((curve.axis, curve.unit, curve.quantity, family), []).append(curve)
    parts = [(family, part) for (*_, family), curves in groups.items() for part in split(curves)]
    figures = []
    for first in range(0, len(parts), 2):
        row = parts[first : first + 2]
        figure, axes = new_figure(columns=len(row), size=(5.2, 3.6))
        for place, (family, curves) in zip(axes, row, strict=True):
            title = family if len(curves) > 1 else curves[0].name
            curve_figure([shortened(curve, title) for curve in curves], title=title, axes=place)
            zoom(place, curves)
        figures.append(figure)
    return figures


def page(document: Document, drawn: Sequence[str]) -> str:
    """The Markdown text of one study's page."""
    run = document.run
    notes = [f"* {note}" for note in run.notes]
    sources = list(dict.fromkeys(claim.source for claim in document.claims if claim.source))
    rows = [claim_row(claim, sources) for claim in document.claims]
    lines = [
        f"# {run.name}",
        "",
        *([run.title if run.title.endswith("?") else f"{run.title}.", ""] if run.title else []),
        *([f"Source: {run.source}.", ""] if run.source else []),
        tally(document),
        "An *undecided* claim has an interval that contains its threshold, or none, for the reason that its note gives.",
        "",
        *(["## Findings", "", *(f"* {cell(finding.text)}" for finding in document.findings), ""] if document.findings else []),
        "## Claims",
        "",
        *table(("id", "claim", "status", "value", "95 % interval", "expected", "source"), rows),
        *(["Sources:", "", *(f"{place}. {cell(source)}" for place, source in enumerate(sources, 1)), ""] if sources else []),
        *([line for name in drawn for line in (f"```{{image}} {name}", ":width: 100%", "```", "")]),
        *(["## Notes", "", *notes, ""] if notes else []),
        "## The run",
        "",
        *table(("fact", "value"), provenance(document)),
        "It is made again by",
        "",
        "```text",
        run.command,
        "```",
    ]
    return "\n".join(lines) + "\n"


def write(folder: str | Path, results: Path = RESULTS) -> Path:
    """Write the page of one run and its figures; gives the page's path."""
    document = load(folder)
    if document.run.kind != "study":
        refuse("folder", f"is {str(folder)!r}, which holds an {document.run.kind}", allowed="runs of `holdfast study run`")
    results.mkdir(parents=True, exist_ok=True)
    drawn = []
    for place, figure in enumerate(pictures(document), start=1):
        name = f"{document.run.name}-{place}.png"
        save(figure, results / name)
        drawn.append(name)
    path = results / f"{document.run.name}.md"
    path.write_text(page(document, drawn), encoding="utf-8")
    return path


def main() -> None:
    """Write the page of each run that is named."""
    parser = argparse.ArgumentParser(description="Turn reports of studies into pages of the documentation")
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs, or report.json files")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the pages go")
    options = parser.parse_args()
    for folder in options.runs:
        print(write(folder, options.results))


if __name__ == "__main__":
    main()
