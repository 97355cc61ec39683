"""Feeds every broken or hostile input to holdfast and counts what becomes of it.

A worker imports holdfast once and forks for each input, so that an input cannot spoil the next one. ``python torture_runner.py``
runs all of them and prints the table; ``--kind`` narrows it, and ``--json`` keeps every outcome.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

from torture_case import MARK, Case, kinds, planned, seeded

if TYPE_CHECKING:
    from collections.abc import Iterable

TIME_LIMIT = 40.0  # s of computing, or of waiting without computing; a busy machine makes neither longer
MEMORY_LIMIT = 2 * 2**30  # bytes that may be in memory at once
ADDRESS_ROOM = 5 * 2**30  # bytes that may be reserved beyond what the worker has, to protect the machine
ACCEPTED, REFUSED, STACK, DIFFERENT = 0, 2, 3, 4
FAULTS = ("executed", "hangs", "stacks", "killed", "beyond 2 GB", "different")


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Parameters
    ----------
    kind, variant, number : of the input
    ends : ``"accepted"``, ``"refused"`` or one of :data:`FAULTS`
    compared : its arrays were compared with those of the format's own reader, and are equal
    says : the end of what holdfast printed
    seconds, peak : time in s and largest memory in bytes
    """

    kind: str
    variant: str
    number: int
    ends: str
    compared: bool
    says: str
    seconds: float
    peak: int


def run_one(kind: str, variant: str, number: int) -> Outcome:
    """Make one input in a new folder and run holdfast on it in a fork of this process."""
    make = kinds()[kind].VARIANTS[variant]
    with tempfile.TemporaryDirectory(prefix="torture-") as made:
        folder = Path(made)
        case = make(seeded(kind, variant, number), folder)
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _child(case, folder)
        hung, status, usage = _wait(child)
        said = (folder / "said").read_text(errors="replace") if (folder / "said").exists() else ""
        ends = _ends(status, usage.ru_maxrss * 1024, hung=hung, executed=_executed(folder), said=said)
        compared = (folder / "compared").exists()
        return Outcome(kind, variant, number, ends, compared, said[-3000:], time.monotonic() - started, usage.ru_maxrss * 1024)


def _executed(folder: Path) -> bool:
    return any(name.startswith(MARK) for name in os.listdir(folder))


def _ends(status: int, peak: int, *, hung: bool, executed: bool, said: str) -> str:
    if executed:
        return "executed"
    if hung:
        return "hangs"
    if os.WIFSIGNALED(status):
        return "killed"
    if os.WEXITSTATUS(status) == STACK or "Traceback (most recent call last)" in said:
        return "stacks"
    if peak > MEMORY_LIMIT:
        return "beyond 2 GB"
    return {ACCEPTED: "accepted", REFUSED: "refused", DIFFERENT: "different"}.get(os.WEXITSTATUS(status), "killed")


def _wait(child: int) -> tuple[bool, int, resource.struct_rusage]:
    computed, since = 0.0, time.monotonic()
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return False, status, usage
        if (now := _computed(child)) > computed:
            computed, since = now, time.monotonic()
        if computed > TIME_LIMIT or time.monotonic() > since + TIME_LIMIT:
            os.kill(child, signal.SIGKILL)
            _, status, usage = os.wait4(child, 0)
            return True, status, usage
        time.sleep(0.004)


def _computed(child: int) -> float:
    """Processor time of the process in s."""
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _child(case: Case, folder: Path) -> None:
    """Run holdfast and end this process with what became of it."""
    code = STACK
    try:
        os.chdir(folder)
        os.environ.update(
            HOLDFAST_CACHE=str(folder / "cache"), **({"HOLDFAST_DATA": str(folder / case.store)} if case.store else {})
        )
        said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        room = _address_space() + ADDRESS_ROOM
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = _run(case)
    except BaseException:  # noqa: BLE001 (the harness's own faults are seen as stacks)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _run(case: Case) -> int:
    """What the command line makes of the case, without its process around it."""
    from cyclopts import CycloptsError

    from holdfast.cli import app
    from holdfast.core.errors import HoldfastError

    try:
        app(list(case.arguments), exit_on_error=False, result_action="return_value")
    except CycloptsError:
        return REFUSED
    except HoldfastError as error:
        print(f"holdfast: {error}")
        return REFUSED
    except OSError as error:  # the command line says it in one sentence
        print(f"holdfast: {error}")
        return REFUSED
    except SystemExit as leaving:
        return REFUSED if leaving.code else ACCEPTED
    if not case.reference:
        return ACCEPTED
    return ACCEPTED if _same(case) else DIFFERENT


def _same(case: Case) -> bool:
    """True if holdfast read the arrays that the format's own reader gives."""
    from holdfast.core.errors import HoldfastError

    try:
        ours, theirs = _ours(case), _theirs(case)
    except HoldfastError:  # a row that this run did not choose cannot be used: there is nothing to compare
        return True
    equal = ours.keys() == theirs.keys() and all(_equal(ours[name], theirs[name]) for name in ours)
    if equal:
        Path("compared").touch()
    return equal


def _ours(case: Case) -> dict[str, Any]:
    if case.reference == "data":
        from holdfast.data import load_npz

        rows = load_npz(case.path, bounds=None)
        return {"x": rows.x, "y": rows.y}
    from holdfast.auditing.loading.weights import read_weights

    return read_weights(Path(case.path))[0]


def _theirs(case: Case) -> dict[str, Any]:
    import numpy as np
    import torch
    from safetensors.torch import load_file

    if case.reference == "safetensors":
        return load_file(case.path)
    if case.reference == "torch":
        return dict(torch.load(case.path, map_location="cpu", weights_only=True))
    with np.load(case.path, allow_pickle=False) as held:
        arrays = {name: torch.from_numpy(held[name]) for name in held.files}
    if case.reference == "data":
        x = arrays["x"].float() / 255 if arrays["x"].dtype == torch.uint8 else arrays["x"].float()
        return {"x": x, "y": arrays["y"].long()}
    return arrays


def _equal(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.contiguous().numpy().tobytes() == b.contiguous().numpy().tobytes()


def _warm() -> None:
    """Import what every input needs, once, before the first fork."""
    home = tempfile.mkdtemp(prefix="torture-home-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(HOLDFAST_OFFLINE="1", OMP_NUM_THREADS="1", HOLDFAST_CONFIG=home, HOLDFAST_CACHE=home)
    os.environ.pop("HOLDFAST_UNSAFE_PICKLE", None)
    import torch
    import torch._export.serde.serialize
    import torch.export.pt2_archive._package

    from holdfast.cli import app

    torch.set_num_threads(1)
    with open(os.devnull, "w") as nowhere:
        kept = sys.stdout
        sys.stdout = nowhere
        try:
            app(
                ["plan", "--data", "digits", "--examples", "20", "--stress", "clean"],
                exit_on_error=False,
                result_action="return_value",
            )
        finally:
            sys.stdout = kept


def run_all(only: Iterable[str] = (), *, workers: int = 1) -> list[Outcome]:
    """The outcomes of all inputs, or of some kinds."""
    chosen = [(kind, variant, number) for kind, variant, number, _ in planned() if not only or kind in only]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_warm) as pool:
        return list(pool.map(run_one, *zip(*chosen, strict=True), chunksize=4))


def table(outcomes: list[Outcome]) -> str:
    """The counts by kind, in Markdown."""
    columns = ("inputs", "accepted", "refused", *FAULTS, "compared")
    lines = [f"| kind | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for kind in [*dict.fromkeys(outcome.kind for outcome in outcomes), "all"]:
        rows = [outcome for outcome in outcomes if kind in (outcome.kind, "all")]
        counts = Counter(outcome.ends for outcome in rows)
        counts.update(inputs=len(rows), compared=sum(outcome.compared for outcome in rows))
        lines.append(f"| {kind.replace('_', ' ')} | {' | '.join(str(counts[column]) for column in columns)} |")
    return "\n".join(lines)


def main() -> None:
    """The command line of the runner."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", default=[], help="only this module of kinds/; may be repeated")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write every outcome to this file")
    chosen = parser.parse_args()
    outcomes = run_all(chosen.kind, workers=chosen.workers)
    print(table(outcomes))
    for outcome in outcomes:
        if outcome.ends in FAULTS:
            print(
                f"\n{outcome.ends}: {outcome.kind} / {outcome.variant} / {outcome.number}, {outcome.seconds:.1f} s\n{outcome.says}"
            )
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))


if __name__ == "__main__":
    main()
