"""The core starts at once: none of its modules loads torch or matplotlib, and the root package loads neither."""

import pkgutil
import subprocess
import sys

import holdfast.core

MODULES = ["holdfast", *(module.name for module in pkgutil.iter_modules(holdfast.core.__path__, "holdfast.core."))]
HEAVY = ("torch", "matplotlib", "sklearn", "scipy.stats")


def test_the_whole_core_is_checked():
    assert {"holdfast.core.claim", "holdfast.core.estimate", "holdfast.core.target"} <= set(MODULES)


def test_no_module_of_the_core_loads_a_heavy_library():
    # one process imports them all, one after another, and names the first module after which something heavy is there
    code = (
        "import importlib, sys\n"
        f"for name in {MODULES}:\n"
        "    importlib.import_module(name)\n"
        f"    heavy = [library for library in {HEAVY} if library in sys.modules]\n"
        "    if heavy: sys.exit(f'{name} loads {heavy}')\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
