"""What is done with runs that lie in their folders: comparing two, judging one, saying how far one is. No network is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.auditing.gates import check_gates, stored_metrics
from holdfast.auditing.judge import judge_gates
from holdfast.core.checks import refuse
from holdfast.core.grammar import parse
from holdfast.core.reading import read_toml
from holdfast.core.store import Store
from holdfast.report import Behind, junit, load, read_per_example, render_comparison, sarif
from holdfast.report import compare as paired_comparison
from holdfast.report.result import Report

if TYPE_CHECKING:
    from holdfast.report import Document, PairedComparison
    from holdfast.report.result import Undecided

__all__ = ["compare", "judge_run", "read_gates", "status"]


def _folder(run: Report | str | Path) -> Path:
    return run.folder if isinstance(run, Report) else Path(run)


def compare(before: Report | str | Path, after: Report | str | Path, *, out: str | Path | None = None) -> PairedComparison:
    """Two runs on the same examples: paired differences, exact tests corrected by Holm, examples that got worse.

    Parameters
    ----------
    before, after : reports or folders of runs
    out : page to write, or None

    Raises
    ------
    InputError : the runs used different examples
    """
    folders = _folder(before), _folder(after)
    documents = load(folders[0]), load(folders[1])
    tables = read_per_example(folders[0]), read_per_example(folders[1])
    comparison = paired_comparison(*tables, documents=documents)
    if out is not None:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text(render_comparison(*documents, comparison), encoding="utf-8")
    return comparison


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
    baseline: str | Path | None = None,
    undecided: Undecided = "warn",
) -> Report:
    """Hold a stored run against gates; the run itself is left as it is.

    Parameters
    ----------
    folder : of the run
    gates : texts; none: those that the run was made with
    junit_file, sarif_file : where to write verdicts and findings
    baseline : folder of the run that gates call ``baseline``
    undecided : what an undecided gate does to the exit code
    """
    document = load(folder)
    if gates:
        check_gates(gates, stored_metrics(document))
        before = None if baseline is None else _examples_of(load(baseline), baseline)
        judged = judge_gates(gates, _examples_of(document, folder), baseline=before)
        document = document.model_copy(update={"gates": judged})
    for file, draw in ((junit_file, junit), (sarif_file, sarif)):
        if file is not None:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text(draw(document), encoding="utf-8")
    return Report(document, Path(folder), undecided)


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
