"""Published experiments, end to end, with the claims that they must meet. No algorithm lives here.

Each study is a module with the same names: ``TITLE`` and ``SOURCE`` (the paper), ``PRESETS`` (preset -> experiment), ``CLAIMS``
(preset -> claims) and ``prepare(preset)``, the experiment as this machine's data allow it. The experiment has ``points``,
``measure`` and ``summarise``; :func:`run_study` runs it, judges its claims and draws its page.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.studies.catalogue import Study, find_study, list_studies
    from holdfast.studies.run import run_study

__all__ = ["Study", "find_study", "list_studies", "run_study"]

_HOMES = {
    "Study": "holdfast.studies.catalogue",
    "find_study": "holdfast.studies.catalogue",
    "list_studies": "holdfast.studies.catalogue",
    "run_study": "holdfast.studies.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'holdfast.studies' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
