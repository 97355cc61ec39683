"""What a command costs before it does anything: CPU time of fresh processes, interleaved, medians.

Run on a quiet machine::

    python benchmarks/startup.py --json startup.json

The floor is the bare interpreter; peers are what a user would import instead (``torch``, ``foolbox``, ``art``), left out if they
are not installed. The script ends with 1 if holdfast loads torch before it needs it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

HELP = "import holdfast.cli, sys; sys.argv = ['holdfast', '--help']; holdfast.cli.main()"
WITHOUT_TORCH = {
    "import holdfast": "import sys, holdfast; sys.exit('torch' in sys.modules)",
    "holdfast --help": (
        "import contextlib, sys, holdfast.cli\n"
        "with contextlib.suppress(SystemExit): holdfast.cli.main(['--help'])\n"
        "sys.exit('torch' in sys.modules)"
    ),
}
PEERS = {"torch": "torch", "foolbox": "foolbox", "art": "adversarial-robustness-toolbox"}


def cpu_seconds(code):
    """User plus system time of one fresh interpreter that runs `code`, in s."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-c", code], **quiet)  # noqa: S603 (fixed words)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{code!r} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def contestants():
    """Code by name, and the versions of all that takes part."""
    chosen = {"bare interpreter": "pass", "import holdfast": "import holdfast", "holdfast --help": HELP}
    versions = {"python": platform.python_version(), "holdfast": metadata.version("holdfast")}
    for module, package in PEERS.items():
        if util.find_spec(module) is None:
            print(f"{module} is left out: it is not installed")
            continue
        chosen[f"import {module}"] = f"import {module}"
        versions[module] = metadata.version(package)
    return chosen, versions


def loads_torch():
    """Names of what loads torch although it need not."""

    def does(code):
        return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode  # noqa: S603 (fixed words)

    return [name for name, code in WITHOUT_TORCH.items() if does(code)]


def main():
    parser = argparse.ArgumentParser(description="CPU time of a start")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    chosen, versions = contestants()
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    seconds = {name: [] for name in chosen}
    for number in range(options.rounds + 1):  # the first round fills the caches of the file system
        for name, code in chosen.items():
            taken = cpu_seconds(code)
            if number:
                seconds[name].append(taken)
    floor = statistics.median(seconds["bare interpreter"])
    rows = [
        {"name": name, "median_s": statistics.median(times), "min_s": min(times), "ratio": statistics.median(times) / floor}
        for name, times in seconds.items()
    ]
    print(f"{'CPU time, fresh process':24}{'median ms':>10}{'min ms':>8}{'x floor':>9}")
    for row in rows:
        print(f"{row['name']:24}{1e3 * row['median_s']:10.0f}{1e3 * row['min_s']:8.0f}{row['ratio']:9.1f}")
    guilty = loads_torch()
    print(f"torch is loaded by: {', '.join(guilty)}" if guilty else "torch is loaded by none of holdfast's two")
    if options.json:
        result = {"rounds": options.rounds, "versions": versions, "rows": rows, "loads_torch": guilty}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    sys.exit(bool(guilty))


if __name__ == "__main__":
    main()
