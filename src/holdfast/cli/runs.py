"""Commands that make runs and look at stored ones: audit, plan, resume, status, report, compare, gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from holdfast.cli.app import app, console
from holdfast.cli.flags import AuditFlags
from holdfast.cli.supervised import watch

__all__ = ["audit", "compare", "gate", "plan", "report", "resume", "status"]


@app.command
def audit(
    *,
    flags: AuditFlags | None = None,
    print_config: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Stress your own PyTorch classifier and write a robustness report card.

    Exit code: 0 all gates pass, 1 a gate fails, 2 wrong usage or input, 3 a stress or the process crashed or did not end,
    130, 143 or 129 interrupted by Ctrl-C, SIGTERM or SIGHUP.

    Example: holdfast audit

    Example: holdfast audit --model mynet:make --weights w.safetensors --data mydata:test --budget 5m --out runs/a

    Example: holdfast audit -c audit.toml --set adversarial.pgd.steps=100 --gate "clean.accuracy >= 0.97"

    Parameters
    ----------
    print_config
        Print the resolved configuration as TOML and stop.
    dry_run
        Load and probe, print the plan with its predicted cost, and stop.
    """
    given = flags or AuditFlags()
    settings = given.settings()
    if print_config:
        from holdfast.auditing.settings import to_toml

        print(to_toml(settings), end="")  # noqa: T201
        return 0
    from holdfast import auditing

    if dry_run:
        auditing.plan_audit(settings, watch=watch())
        return 0
    return auditing.audit_with(settings, progress=True, watch=watch(), config_file=str(given.config or "")).exit_code


@app.command
def plan(*, flags: AuditFlags | None = None) -> None:
    """Show what an audit would run, on how many examples, for how long (the same as `audit --dry-run`).

    Example: holdfast plan --model mynet:make --data mydata:test --budget 30s
    """
    from holdfast.auditing import plan_audit

    plan_audit((flags or AuditFlags()).settings(), watch=watch())


@app.command
def resume(folder: Path, /, *, trust: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Complete an audit that was interrupted; what was measured is kept.

    Example: holdfast resume runs/a

    Parameters
    ----------
    folder
        Folder of the run.
    trust
        Execute the code that the folder names, even if this installation did not begin the run.
    """
    from holdfast import auditing

    return auditing.resume(folder, trust=trust, progress=True, watch=watch()).exit_code


@app.command
def status(folder: Path, /) -> None:
    """Say how far a run is.

    Example: holdfast status runs/a

    Parameters
    ----------
    folder
        Folder of the run.
    """
    from holdfast.auditing import stored

    console().table([stored.status(folder)])


@app.command
def report(folder: Path, /, *, open_page: Annotated[bool, Parameter(name="--open", negative=())] = False) -> None:
    """Draw the page again from what is stored; the network is not needed.

    Example: holdfast report runs/a --open

    Parameters
    ----------
    folder
        Folder of the run.
    open_page
        Show it in the browser.
    """
    from holdfast.report import load, write_report

    page = write_report(load(folder), folder)["report.html"]
    print(page)  # noqa: T201
    if open_page:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())


@app.command
def compare(
    before: Path,
    after: Path,
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")] = Path("comparison.html"),
    gates: Annotated[Path | None, Parameter(alias="-g")] = None,
    gate: Annotated[list[str] | None, Parameter(negative=())] = None,
    undecided: Literal["warn", "fail", "pass"] = "warn",
) -> int:
    """Compare two runs on the same examples: paired differences, exact tests, examples that got worse.

    Example: holdfast compare runs/plain runs/defended -o diff.html

    Example: holdfast compare runs/main runs/branch --gate "clean.accuracy >= baseline - 0.01"

    Parameters
    ----------
    before
        Folder of the run before, which gates call `baseline`.
    after
        Folder of the run after.
    out
        Page to write.
    gates
        TOML file with `gates = ["clean.accuracy >= baseline - 0.01", ...]`, held against the run after.
    gate
        A single gate; may be repeated. The exit code is that of `holdfast gate`.
    undecided
        What an undecided gate does to the exit code.
    """
    from holdfast.auditing import stored

    comparison = stored.compare(before, after, out=out, gates=_texts(gates, gate))
    console().comparison(comparison)
    print(out)  # noqa: T201
    return stored.comparison_code(comparison, after, undecided=undecided)


def _texts(file: Path | None, single: list[str] | None) -> tuple[str, ...]:
    """The gates of a file, then single ones."""
    from holdfast.auditing import stored

    return (*(stored.read_gates(file) if file is not None else ()), *(single or ()))


@app.command
def gate(
    folder: Path,
    /,
    *,
    gates: Annotated[Path | None, Parameter(alias="-g")] = None,
    gate: Annotated[list[str] | None, Parameter(negative=())] = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    junit: Path | None = None,
    sarif: Path | None = None,
    baseline: Path | None = None,
    undecided: Literal["warn", "fail", "pass"] = "warn",
) -> int:
    """Hold a stored run against gates, and write its page with the verdicts; the network is not needed.

    Example: holdfast gate runs/a -g gates.toml --junit junit.xml --sarif out.sarif

    Parameters
    ----------
    folder
        Folder of the run.
    gates
        TOML file with `gates = ["clean.accuracy >= 0.97", ...]`.
    gate
        A single gate; may be repeated.
    out
        Page (`.html`), facts (`.json`) or folder to write the verdicts to. Without it the report in the folder of the run is
        written anew, with these gates in the place of earlier ones.
    junit
        Write the verdicts as JUnit XML.
    sarif
        Write the findings as SARIF.
    baseline
        Folder of the run that gates call `baseline`; without it the run's own baseline.
    undecided
        What an undecided gate does to the exit code.
    """
    from holdfast.auditing import stored

    texts = _texts(gates, gate)
    place = out or (folder if texts else None)
    judged = stored.judge_run(
        folder, texts, junit_file=junit, sarif_file=sarif, gates_file=gates, baseline=baseline, undecided=undecided, out=place
    )
    console().verdicts(judged.document)
    for written in (place, junit, sarif):
        if written is not None:
            print(written / "report.html" if written.is_dir() else written)  # noqa: T201
    return judged.exit_code
