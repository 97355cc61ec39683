"""Turn the report of a study into a page of the documentation.

::

    holdfast study run spintronic-neuron --preset standard --out runs/spintronic-neuron
    python docs/make_results.py runs/spintronic-neuron

Each argument is the folder of a run, or its ``report.json``; the page is ``docs/results/STUDY.md``, with a figure of its curves
beside it. Equal reports give equal bytes.
"""

from __future__ import annotations

import argparse
import base64
import math
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from holdfast.core.checks import refuse
from holdfast.core.figures import curve_figure, new_figure, save
from holdfast.report import load
from holdfast.report.studied import answer, study_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from holdfast.core.curve import Curve
    from holdfast.report import ClaimEntry, Document, SentenceEntry

RESULTS = Path(__file__).parent / "results"
MARKS = {"pass": "✓ pass", "fail": "✗ fail", "undecided": "? undecided", "error": "! error"}

GALLERY = {
    "bayesian-robustness": ("plot_bayesian_gradients", 1, "Gradients of a posterior's samples in the plane of the data and off it"),
    "oscillator-binding": ("plot_binding_events", 3, "Three oscillators meet the learned sequence and its reverse"),
    "spin-diode": ("plot_spin_diodes", 6, "Simulated sensitivity at 0 K beside what was measured with real diodes"),
    "spintronic-neuron": ("plot_neurons_that_all_differ", 1, "What a spread of 20 % does to the curves of forty neurons"),
    "transfer-attack": ("plot_transfer", 1, "Which of its own classes a victim answers to images of classes that it does not know"),
}
"""The figure of an executed example that belongs to a study: the example, the figure's number in it and its caption."""


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
    if known and "y" not in curves[0].log and min(known) >= 0 and max(known) <= 1:
        axes.set_ylim(max(0.0, min(known) - 0.01), min(1.0, max(known) + 0.01))


def charts(document: Document) -> dict[str, list[Curve]]:
    """The curves of the report by the title of their chart."""
    found: dict[str, list[Curve]] = {}
    for stress in document.stresses().values():
        for entry in stress.curves:
            if len(entry.at) > 1:
                found.setdefault(entry.chart or f"{entry.quantity} against {entry.axis}", []).append(entry.curve())
    return found


def pictures(document: Document) -> list[Figure]:
    """Every chart of the report, two in a row."""
    known = list(charts(document).items())
    figures = []
    for first in range(0, len(known), 2):
        row = known[first : first + 2]
        figure, axes = new_figure(columns=len(row), size=(5.6, 3.4))
        for place, (title, curves) in zip(axes, row, strict=True):
            curve_figure(curves, title="\n".join(wrap(title, 46, break_on_hyphens=False)), axes=place)
            zoom(place, curves)
        figures.append(figure)
    return figures


def image(name: str, caption: str) -> list[str]:
    """A figure of the page."""
    return (
        [f"```{{figure}} {name}", ":width: 100%", "", cell(caption), "```", ""]
        if caption
        else [f"```{{image}} {name}", ":width: 100%", "```", ""]
    )


def example(study: str) -> list[str]:
    """The figure of the gallery that shows what `study` is about; nothing for a study without an example."""
    if study not in GALLERY:
        return []
    name, place, caption = GALLERY[study]
    shown = image(f"/gallery/images/sphx_glr_{name}_{place:03}.png", f"{caption}.")
    return ["## An example", "", f"The executed example {{doc}}`/gallery/{name}` builds it up step by step.", "", *shown]


def sentence_row(entry: SentenceEntry) -> tuple[str, str]:
    """A sentence of the abstract, and what came out here."""
    figure = f" {cell(entry.figure.text)}." if entry.figure else ""
    return f"{cell(entry.says)} ({entry.n})", f"**{entry.verdict}**.{figure} {cell(entry.reason[:1].upper() + entry.reason[1:])}."


def claims(document: Document, sources: Sequence[str]) -> list[str]:
    """The claims below the sentences that they decide, then controls, then folded the checks of the implementation."""
    view = study_view(document)
    header = ("id", "claim", "status", "value", "95 % interval", "expected", "source")

    def rows(entries: Iterable[ClaimEntry]) -> list[str]:
        return table(header, [claim_row(claim, sources) for claim in entries])

    lines = []
    for one in view.sentences:
        also = ", ".join(claim.id for claim in one.elsewhere)
        if one.claims or also:
            lines += [f"### {cell(one.entry.says)} ({one.entry.n})", ""]
            lines += rows(one.claims) if one.claims else []
            lines += [f"{'Also decided' if one.claims else 'Decided'} by {also}.", ""] if also else []
    for title, entries in (("Other claims of the paper", view.others), ("Controls", view.controls)):
        lines += [f"### {title}", "", *rows(entries)] if entries else []
    if view.checks:
        passed = sum(claim.status == "pass" for claim in view.checks)
        summary = f"Checks of the implementation: {passed} of {len(view.checks)} pass. They decide no sentence."
        lines += ["<details>", f"<summary>{summary}</summary>", "", *rows(view.checks), "</details>", ""]
    return lines


def page(document: Document, drawn: Sequence[tuple[str, str]]) -> str:
    """The Markdown text of one study's page; `drawn` are pairs of a figure's file and its caption."""
    run = document.run
    notes = [note for stress in document.stresses().values() for note in stress.notes]
    sources = list(dict.fromkeys(claim.source for claim in document.claims if claim.source))
    lines = [
        f"# {run.name}",
        "",
        *([run.title if run.title.endswith("?") else f"{run.title}.", ""] if run.title else []),
        *([f"Source: {run.source}.", ""] if run.source else []),
        *([answer(document), ""] if document.sentences else []),
        *table(("the paper says", "here"), [sentence_row(entry) for entry in document.sentences]),
        *([line for name, caption in drawn for line in image(name, caption)]),
        *(["## Findings", "", *(f"* {cell(finding.text)}" for finding in document.findings), ""] if document.findings else []),
        *example(run.name),
        "## Claims",
        "",
        *claims(document, sources),
        *(["Sources:", "", *(f"{place}. {cell(source)}" for place, source in enumerate(sources, 1)), ""] if sources else []),
        *(["## Notes", "", *(f"* {cell(note)}" for note in dict.fromkeys([*run.notes, *notes])), ""] if run.notes or notes else []),
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
    for old in results.glob(f"{document.run.name}-*.png"):
        old.unlink()
    drawn = []
    for place, entry in enumerate(document.drawings, start=1):
        name = f"{document.run.name}-picture-{place}.png"
        (results / name).write_bytes(base64.b64decode(entry.png))
        drawn.append((name, f"{entry.title}. {entry.note}".strip()))
    for place, figure in enumerate(pictures(document), start=1):
        name = f"{document.run.name}-{place}.png"
        save(figure, results / name)
        drawn.append((name, ""))
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
