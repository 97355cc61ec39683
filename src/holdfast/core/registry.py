"""What third parties add through Python entry points; inside the package, code finds code by import.

Groups: ``holdfast.stresses``, ``holdfast.studies``, ``holdfast.devices``. An entry point names a class or a module.
"""

from __future__ import annotations

import warnings
from importlib.metadata import entry_points
from typing import Any

__all__ = ["plugins"]


def plugins(group: str) -> dict[str, Any]:
    """The objects that installed packages registered under `group`, by name.

    One that cannot be imported is left out with a warning that names it, so that a broken plug-in never stops the rest.
    """
    found: dict[str, Any] = {}
    for entry in entry_points(group=group):
        try:
            found[entry.name] = entry.load()
        except Exception as error:  # noqa: BLE001 (anything may happen in someone else's module)
            warnings.warn(
                f"the plug-in {entry.value!r} ({group}) cannot be loaded and is left out: {type(error).__name__}: {error}",
                stacklevel=2,
            )
    return found
