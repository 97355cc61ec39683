"""The command line: parsing only. Each command calls one public function of the package, and heavy imports wait until then."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from holdfast import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

EXIT_FAIL, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
WELCOME = """\
holdfast: will it hold? A laboratory for neural networks that must leave the lab.

Begin here:
  holdfast audit                       a report card of a small example network, in about a minute, nothing to download
  holdfast audit --model mynet:make --weights w.safetensors --data mydata:test
                                       the same for your own network
  holdfast study list                  published experiments that can be repeated here
  holdfast list stresses               everything that an audit does to a network

`holdfast COMMAND --help` explains a command with examples."""

app = App(
    name="holdfast",
    help="Will it hold? A laboratory for neural networks that must leave the lab.\n\nExample: holdfast audit",
    version=__version__,
    help_format="plaintext",
)
study = App(name="study", help="Repeat published experiments and judge their claims.\n\nExample: holdfast study list")
data = App(name="data", help="Data sets: what is known, what is here, fetch and verify.\n\nExample: holdfast data list")
app.command(study)
app.command(data)


@app.default
def welcome(*words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]) -> None:
    """Say what to do first."""
    if words:
        from holdfast.core.checks import check_one_of

        check_one_of(words[0], "command", allowed=[name for name in app if not name.startswith("-")])
    print(WELCOME)  # noqa: T201 (a command line speaks)


def _console() -> Any:
    from holdfast.report.console import Console

    return Console()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AuditFlags:
    """What `audit` and `plan` understand; each flag is one key of the configuration file."""

    model: str | None = None
    """`module:factory`, `file.py:factory`, `model.pt2` or `model.ts`. Without it a small example network is audited."""
    weights: str | None = None
    """`.safetensors`, or a `.pt` state dict (read without executing anything)."""
    model_arg: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """`name=value` for the factory; may be repeated."""
    data: str | None = None
    """`module:function`, an `.npz` with x and y, a folder per class, or a name from `holdfast data list`."""
    name: str | None = None
    """What the report calls the network."""
    preset: Literal["quick", "standard", "deep"] | None = None
    """How thorough: minutes, a quarter of an hour, or a GPU's night."""
    budget: str | None = None
    """Time for everything, e.g. `5m`; the plan is cut to fit and says what was left out."""
    max_queries: int | None = None
    """Largest number of questions that stresses without sight of the network may ask."""
    stress: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """Run only these; may be repeated. See `holdfast list stresses`."""
    gate: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """A sentence that must hold, e.g. `"clean.accuracy >= 0.97"`; may be repeated."""
    undecided: Literal["warn", "fail", "pass"] | None = None
    """What a gate does to the exit code when its interval contains the threshold."""
    baseline: Path | None = None
    """Folder of an earlier run, for a paired before and after."""
    seed: int | None = None
    """Same seed, same numbers."""
    out: Path | None = None
    """Folder of the run."""
    fresh: Annotated[bool, Parameter(negative=())] = False
    """Throw away what an earlier run left in the folder."""
    examples: int | None = None
    """Use at most so many examples, each class in its share."""
    range: str | None = None
    """Smallest and largest input value, e.g. `0,1`."""
    normalize: str | None = None
    """`mean,std`, applied inside the network, so that attack sizes stay in input units."""
    layout: Literal["NCHW", "NHWC"] | None = None
    """Order of the axes of arrays."""
    size: int | None = None
    """Side in px to which the images of a folder are brought."""
    access: Literal["labels", "scores", "gradients", "weights"] | None = None
    """What the simulated adversary or deployer has, at most."""
    outputs: Literal["logits", "probabilities"] | None = None
    """What the network returns; probabilities are recognised by themselves."""
    output_key: str | None = None
    """Which entry holds the logits, for a network that returns a mapping or a tuple."""
    expect_accuracy: float | None = None
    """Refuse to start if the clean accuracy is more than 5 points below this."""
    allow_low_accuracy: Annotated[bool, Parameter(negative=())] = False
    """Audit a network that hardly beats chance."""
    unsafe_pickle: Annotated[bool, Parameter(negative=())] = False
    """Load a whole pickled module, which executes code; asks before it does."""
    device: str | None = None
    """`cpu` or `cuda`."""
    workers: int | None = None
    """Processes that share the points."""
    threads: int | None = None
    """Torch threads of each process."""
    batch_size: int | None = None
    """Largest number of examples in one pass."""
    config: Annotated[Path | None, Parameter(alias="-c")] = None
    """TOML file with these settings and those of single stresses."""
    set: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """`KEY=VALUE` for any setting, e.g. `adversarial.pgd.steps=100`; may be repeated."""

    def settings(self) -> Any:
        """The settings of the audit: file, then assignments, then flags."""
        from holdfast.auditing import read_settings

        flags = {
            "preset": self.preset,
            "budget": self.budget,
            "max_queries": self.max_queries,
            "seed": self.seed,
            "stresses": tuple(self.stress),
            "gates": tuple(self.gate),
            "undecided": self.undecided,
            "baseline": _text(self.baseline),
            "out": _text(self.out),
            "fresh": self.fresh or None,
            "expect_accuracy": self.expect_accuracy,
            "allow_low_accuracy": self.allow_low_accuracy or None,
            "model": {
                "source": self.model,
                "weights": self.weights,
                "arguments": tuple(self.model_arg),
                "name": self.name,
                "access": self.access,
                "bounds": self.range,
                "normalize": self.normalize,
                "outputs": self.outputs,
                "output_key": self.output_key,
                "unsafe_pickle": self.unsafe_pickle or None,
            },
            "data": {"source": self.data, "layout": self.layout, "size": self.size, "examples": self.examples},
            "run": {"device": self.device, "workers": self.workers, "threads": self.threads, "batch_size": self.batch_size},
        }
        return read_settings(self.config, assignments=tuple(self.set), flags=flags)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


@app.command
def audit(
    *,
    flags: AuditFlags | None = None,
    print_config: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Stress your own PyTorch classifier and write a robustness report card.

    Exit code: 0 all gates pass, 1 a gate fails, 2 wrong usage or input, 3 a stress crashed, 130 interrupted.

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
    settings = (flags or AuditFlags()).settings()
    if print_config:
        from holdfast.auditing.settings import to_toml

        print(to_toml(settings), end="")  # noqa: T201
        return 0
    from holdfast import auditing

    if dry_run:
        auditing.plan_audit(settings)
        return 0
    return auditing.audit_with(settings, progress=True).exit_code


@app.command
def plan(*, flags: AuditFlags | None = None) -> None:
    """Show what an audit would run, on how many examples, for how long (the same as `audit --dry-run`).

    Example: holdfast plan --model mynet:make --data mydata:test --budget 30s
    """
    from holdfast.auditing import plan_audit

    plan_audit((flags or AuditFlags()).settings())


@app.command
def resume(folder: Path, /) -> int:
    """Complete an audit that was interrupted; what was measured is kept.

    Example: holdfast resume runs/a

    Parameters
    ----------
    folder
        Folder of the run.
    """
    from holdfast import auditing

    return auditing.resume(folder, progress=True).exit_code


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

    _console().table([stored.status(folder)])


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
def compare(before: Path, after: Path, /, *, out: Annotated[Path, Parameter(alias="-o")] = Path("comparison.html")) -> None:
    """Compare two runs on the same examples: paired differences, exact tests, examples that got worse.

    Example: holdfast compare runs/plain runs/defended -o diff.html

    Parameters
    ----------
    before
        Folder of the run before.
    after
        Folder of the run after.
    out
        Page to write.
    """
    from holdfast.auditing import stored

    _console().comparison(stored.compare(before, after, out=out))
    print(out)  # noqa: T201


@app.command
def gate(
    folder: Path,
    /,
    *,
    gates: Annotated[Path | None, Parameter(alias="-g")] = None,
    gate: Annotated[list[str] | None, Parameter(negative=())] = None,
    junit: Path | None = None,
    sarif: Path | None = None,
    baseline: Path | None = None,
    undecided: Literal["warn", "fail", "pass"] = "warn",
) -> int:
    """Hold a stored run against gates; the network is not needed.

    Example: holdfast gate runs/a -g gates.toml --junit junit.xml --sarif out.sarif

    Parameters
    ----------
    folder
        Folder of the run.
    gates
        TOML file with `gates = ["clean.accuracy >= 0.97", ...]`.
    gate
        A single gate; may be repeated.
    junit
        Write the verdicts as JUnit XML.
    sarif
        Write the findings as SARIF.
    baseline
        Folder of the run that gates call `baseline`.
    undecided
        What an undecided gate does to the exit code.
    """
    from holdfast.auditing import stored

    texts = (*(stored.read_gates(gates) if gates is not None else ()), *(gate or ()))
    judged = stored.judge_run(folder, texts, junit_file=junit, sarif_file=sarif, baseline=baseline, undecided=undecided)
    _console().verdicts(judged.document)
    return judged.exit_code


@app.command(name="list")
def list_(what: Literal["stresses", "studies", "data", "presets"] = "stresses", /) -> None:
    """List what there is.

    Example: holdfast list stresses

    Parameters
    ----------
    what
        Stresses of an audit, studies, data sets, or the presets of an audit.
    """
    if what == "studies":
        return study_list()
    if what == "data":
        return data_list()
    from holdfast.auditing import catalogue

    _console().table(catalogue.presets() if what == "presets" else catalogue.stresses())
    return None


@app.command
def describe(stress: str, /) -> None:
    """Explain a stress and its settings.

    Example: holdfast describe pgd

    Parameters
    ----------
    stress
        Its name, from `holdfast list stresses`.
    """
    from holdfast.auditing import catalogue

    text, rows = catalogue.describe(stress)
    print(text)  # noqa: T201
    _console().table(rows)


@app.command
def schema(what: Literal["report", "config"], /) -> None:
    """Print the JSON Schema of `report.json` or of the configuration.

    Example: holdfast schema report > report.schema.json

    Parameters
    ----------
    what
        `report` or `config`.
    """
    import json

    from holdfast.auditing import AuditSettings
    from holdfast.report import json_schema

    print(json.dumps(json_schema() if what == "report" else AuditSettings.model_json_schema(), indent=1))  # noqa: T201


@study.command(name="list")
def study_list() -> None:
    """List the published experiments that can be repeated.

    Example: holdfast study list
    """
    from holdfast.studies import list_studies

    _console().table(list_studies())


@study.command(name="run")
def study_run(
    name: str,
    /,
    *,
    preset: Literal["quick", "standard", "paper"] = "quick",
    seed: int = 0,
    out: Path | None = None,
    workers: int = 1,
    threads: int | None = None,
    device: str = "cpu",
    fresh: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Run a study and judge the claims of its paper.

    Exit code: 0 no claim failed, 1 a claim failed, 2 wrong usage or input, 3 a point crashed, 130 interrupted.

    Example: holdfast study run spintronic-neuron --preset quick --out runs/neuron

    Parameters
    ----------
    name
        From `holdfast study list`.
    preset
        Minutes, a quarter of an hour, or the published scale.
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
        Throw away what an earlier run left in the folder.
    """
    from holdfast.studies import run_study

    finished = run_study(
        name, preset=preset, seed=seed, out=out, workers=workers, threads=threads, device=device, fresh=fresh, progress=True
    )
    return finished.exit_code


@data.command(name="list")
def data_list() -> None:
    """List the known data sets and where they lie.

    Example: holdfast data list
    """
    from holdfast.data import list_data

    _console().table(
        [
            {"name": row.name, "here": row.present, "size": f"{row.bytes / 1e6:.1f} MB", "splits": row.splits, "what": row.what}
            | {"licence": row.licence, "where": row.where}
            for row in list_data()
        ]
    )


@data.command(name="fetch")
def data_fetch(name: str, /, *, folder: Path | None = None) -> None:
    """Download a data set and verify it.

    Example: holdfast data fetch mnist

    Parameters
    ----------
    name
        From `holdfast data list`.
    folder
        Where to put it; default: `HOLDFAST_DATA`, or the user's cache folder.
    """
    from holdfast.data import fetch

    for path in fetch(name, folder=folder, progress=True):
        print(path)  # noqa: T201


@data.command(name="verify")
def data_verify(name: str | None = None, /) -> int:
    """Compare the files that are here with their published checksums.

    Example: holdfast data verify mnist

    Parameters
    ----------
    name
        From `holdfast data list`; default: all.
    """
    from holdfast.data import verify

    rows = [asdict(row) for row in verify(name)]
    _console().table(rows)
    return EXIT_FAIL if any(row["status"] == "damaged" for row in rows) else 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    from holdfast.core.errors import HoldfastError

    try:
        code = app(arguments, exit_on_error=False, result_action="return_value")
    except CycloptsError:
        sys.exit(EXIT_USAGE)
    except HoldfastError as error:
        print(f"holdfast: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
