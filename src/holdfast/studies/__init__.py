"""Published experiments, end to end, with the claims that they must meet. No algorithm lives here.

Each study is a package: settings and parts (:class:`Study`, :class:`Part`) in its ``__init__``, what a point measures beside it,
and the paper's sentences and claims in ``claims.toml`` (:mod:`holdfast.core.paper`). Its ``PRESETS`` hold the experiment at
several scales; :func:`run_study` runs one, judges its claims and draws its page.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.studies.catalogue import find_study, list_studies
    from holdfast.studies.run import run_study
    from holdfast.studies.study import Part, Study

__all__ = ["Part", "Study", "find_study", "list_studies", "run_study"]

_HOMES = {
    "Part": "holdfast.studies.study",
    "Study": "holdfast.studies.study",
    "find_study": "holdfast.studies.catalogue",
    "list_studies": "holdfast.studies.catalogue",
    "run_study": "holdfast.studies.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'holdfast.studies' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
