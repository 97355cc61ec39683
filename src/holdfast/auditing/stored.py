"""What is done with runs that lie in their folders: comparing two, judging one, saying how far one is. No network is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.auditing.gates import check_compared, check_gates, stored_metrics
from holdfast.auditing.judge import judge_gates
from holdfast.core.checks import as_written, refuse
from holdfast.core.grammar import parse
from holdfast.core.reading import read_toml
from holdfast.core.store import Store
from holdfast.report import Behind, junit, load, read_per_example, render, render_comparison, sarif, write_report
from holdfast.report import compare as paired_comparison
from holdfast.report.document import to_json
from holdfast.report.provenance import shown_path
from holdfast.report.result import Report, exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.report import Document, PairedComparison
    from holdfast.report.result import Undecided

__all__ = ["compare", "comparison_code", "judge_run", "read_gates", "status"]

PAGES = {".html": render, ".json": to_json}


def _folder(run: Report | str | Path) -> Path:
    return run.folder if isinstance(run, Report) else Path(run)


def compare(
    before: Report | str | Path, after: Report | str | Path, *, out: str | Path | None = None, gates: Sequence[str] = ()
) -> PairedComparison:
    """Two runs on the same examples: paired differences, exact tests corrected by Holm, examples that got worse.

    Parameters
    ----------
    before, after : reports or folders of runs
    out : page to write, or None
    gates : texts, held against `after`; their ``baseline`` is `before`. The verdicts stand in the comparison's `gates`

    Raises
    ------
    InputError : the runs used different examples; or a gate names what `after` did not measure
    """
    folders = _folder(before), _folder(after)
    documents = load(folders[0]), load(folders[1])
    tables = read_per_example(folders[0]), read_per_example(folders[1])
    check_gates(gates, stored_metrics(documents[1]))
    comparison = paired_comparison(*tables, documents=documents)
    if gates:
        first, second = (Behind(*run) for run in zip(documents, tables, strict=True))
        comparison = comparison.model_copy(update={"gates": judge_gates(gates, second, baseline=first)})
    if out is not None:
        _write(Path(out), render_comparison(*documents, comparison))
    return comparison


def comparison_code(comparison: PairedComparison, after: str | Path, *, undecided: Undecided = "warn") -> int:
    """The exit code of a comparison: 0 without gates, otherwise that of the run `after` with their verdicts."""
    if not comparison.gates:
        return 0
    return exit_code(load(after).model_copy(update={"gates": comparison.gates}), undecided)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def read_gates(file: str | Path) -> tuple[str, ...]:
    """The gates in a TOML file with ``gates = [...]``; each is parsed, so that a slip is found at once."""
    gates = read_toml(Path(file), "gates", allowed='a TOML file with gates = ["clean.accuracy >= 0.97"]').get("gates")
    if not isinstance(gates, list) or not all(isinstance(gate, str) for gate in gates):
        refuse("gates", f"are missing in {str(file)!r}", allowed='gates = ["clean.accuracy >= 0.97"]')
    for gate in gates:
        parse(gate)
    return tuple(gates)


def judge_run(
    folder: str | Path,
    gates: tuple[str, ...] = (),
    *,
    junit_file: str | Path | None = None,
    sarif_file: str | Path | None = None,
    gates_file: str | Path | None = None,
    baseline: str | Path | None = None,
    undecided: Undecided = "warn",
    out: str | Path | None = None,
) -> Report:
    """Hold a stored run against gates; what was measured is left as it is.

    Parameters
    ----------
    folder : of the run
    gates : texts; none: those that the run was judged by last
    junit_file, sarif_file : where to write verdicts and findings
    gates_file : from which the gates were read, for the report
    baseline : folder of the run that gates call ``baseline``; None: the run's own baseline
    undecided : what an undecided gate does to the exit code
    out : where to write the verdicts: an ``.html`` or ``.json`` file, or a folder for all files of the report, such as that of the
        run itself; None: nowhere
    """
    document = load(folder)
    if gates:
        check_gates(gates, stored_metrics(document))
        baseline = baseline or _own_baseline(document)
        check_compared(gates, baseline)
        before = None if baseline is None else _examples_of(load(baseline), baseline)
        judged = judge_gates(gates, _examples_of(document, folder), baseline=before)
        shown = "" if gates_file is None else shown_path(Path(gates_file).absolute()).as_posix()
        run = document.run.model_copy(update={"gates_file": shown})
        document = document.model_copy(update={"gates": judged, "run": run})
    for file, draw in ((junit_file, junit), (sarif_file, sarif)):
        if file is not None:
            _write(Path(file), draw(document))
    if out is not None:
        _write_report(document, Path(out))
    return Report(document, Path(folder), undecided)


def _write_report(document: Document, out: Path) -> None:
    """Write the page or the facts into a file, or all files of the report into a folder."""
    try:
        if out.suffix in PAGES:
            _write(out, PAGES[out.suffix](document))
        else:
            write_report(document, out)
    except OSError as error:
        got = f"is {str(out)!r}, where nothing can be written ({error.strerror})"
        refuse(
            "out",
            got,
            allowed="an .html or .json file, or a folder",
            remedy=f"Name another place with {as_written('out', 'FILE')}.",
        )


def _own_baseline(document: Document) -> str | None:
    """The baseline that the run was made with, if it still lies there."""
    named = document.run.config.get("baseline")
    return named if isinstance(named, str) and (Path(named) / "report.json").is_file() else None


def _examples_of(document: Document, folder: str | Path) -> Document | Behind:
    """The report with the examples behind its numbers; alone where their file is missing."""
    file = Path(folder) / "per_example.npz"
    return Behind(document, read_per_example(file)) if file.is_file() else document


def status(folder: str | Path) -> dict[str, Any]:
    """How far the run in `folder` is.

    Returns
    -------
    Mapping with the number of points planned (0 if not yet known), finished and failed, and the time they took in s.
    """
    store = Store.read(folder)
    records = store.records()
    try:
        planned = sum(row["points"] for row in (store.fact("plan") or {"rows": []})["rows"] if row["decision"] != "skipped")
    except (KeyError, TypeError):  # a database that was edited
        planned = 0
    return {
        "planned": planned or store.fact("points") or 0,
        "finished": sum(record.status == "ok" for record in records),
        "failed": sum(record.status == "error" for record in records),
        "seconds": round(sum(record.seconds for record in records), 1),
        "report": (store.folder / "report.json").is_file(),
    }
