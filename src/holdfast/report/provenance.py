"""What a run was made with: versions, hardware, the commit of the folder one stands in."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdfast.core.store import Record

__all__ = ["circumstances", "clock", "commit", "hardware", "shown_path", "time_used", "versions"]

PATIENCE = 10.0  # s, for git in a large repository on a slow disk
PACKAGES = ("holdfast", "torch", "numpy", "scipy", "numba", "scikit-learn", "matplotlib")


def versions() -> dict[str, str]:
    """Versions of holdfast, Python and the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def hardware(device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, memory (GiB) and, for CUDA, the name of the GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found: dict[str, Any] = {"system": platform.system(), "processor": _processor(), "cores": cores}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory (GiB)"] = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    if device.startswith("cuda"):
        import torch

        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def commit(folder: str | Path = ".", *, files: Sequence[Path] = ()) -> str:
    """The git commit of `folder`, with ``+`` behind it if files that git knows are changed; empty outside a repository.

    Parameters
    ----------
    folder : in a repository
    files : count as changed as well if git does not know them
    """
    git = shutil.which("git")
    if git is None:
        return ""

    def ask(*words: str) -> str:
        try:
            answer = subprocess.run([git, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE)  # noqa: S603 (fixed words)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return answer.stdout.strip() if answer.returncode == 0 else ""

    head = ask("rev-parse", "--short=12", "HEAD")
    if not head:
        return ""
    new = ask("status", "--porcelain", "--", *map(str, files)) if files else ""
    return head + ("+" if new or ask("status", "--porcelain", "--untracked-files=no") else "")


def circumstances(device: str = "cpu") -> dict[str, Any]:
    """Versions, hardware, machine and commit, as :class:`holdfast.report.RunEntry` takes them."""
    return {"versions": versions(), "hardware": hardware(device), "host": platform.node(), "commit": commit()}


def clock() -> str:
    """The time now, as ISO 8601 with its zone, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def shown_path(path: Path) -> Path:
    """`path` as one would type it: relative to the current folder where it lies in that."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def time_used(records: Iterable[Record], *, since: float) -> float:
    """Time that a run has taken, in s: since the Unix time `since`, and before that for the points that an earlier start left."""
    return time.time() - since + sum(record.seconds for record in records if record.reused)
