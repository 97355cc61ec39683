"""Commands about published experiments: study list, study run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from holdfast.cli.app import app, console
from holdfast.cli.supervised import watch

__all__ = ["study", "study_list", "study_run"]

study = App(name="study", help="Repeat published experiments and judge their claims.\n\nExample: holdfast study list")
app.command(study)


@study.command(name="list")
def study_list() -> None:
    """List the published experiments that can be repeated.

    Example: holdfast study list
    """
    from holdfast.studies import list_studies

    console().table(list_studies())


@study.command(name="run")
def study_run(
    name: str,
    /,
    *,
    preset: str = "quick",
    seed: int = 0,
    out: Path | None = None,
    workers: int = 1,
    threads: int | None = None,
    device: str = "cpu",
    fresh: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Run a study and judge the claims of its paper.

    Exit code: 0 no claim failed, 1 a claim failed, 2 wrong usage or input, 3 a point or the process crashed,
    130, 143 or 129 interrupted by Ctrl-C, SIGTERM or SIGHUP.

    Example: holdfast study run spintronic-neuron --preset quick --out runs/neuron

    Parameters
    ----------
    name
        From `holdfast study list`.
    preset
        `quick` (minutes), `standard` (up to hours) or `paper` (the published scale).
    seed
        Same seed, same table.
    out
        Folder of the run; a run that lies there is completed.
    workers
        Processes that share the points.
    threads
        Torch threads of each process.
    device
        `cpu` or `cuda`.
    fresh
        Delete the files of an earlier run in the folder and begin anew; every other file stays.
    """
    from holdfast.studies import run_study

    finished = run_study(
        name,
        preset=preset,
        seed=seed,
        out=out,
        workers=workers,
        threads=threads,
        device=device,
        fresh=fresh,
        progress=True,
        watch=watch(),
    )
    return finished.exit_code
