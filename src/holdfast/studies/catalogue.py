"""Which studies there are, in this package and in installed plug-ins."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from holdfast.core.checks import check_one_of
from holdfast.core.registry import plugins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.studies.study import Study

__all__ = ["HIDDEN", "StudyModule", "find_study", "list_studies", "presets"]

HIDDEN = "tiny"  # the preset of seconds that tests run; nothing can be concluded from it
MODULES = {
    name: f"holdfast.studies.{name.replace('-', '_')}"
    for name in ("bayesian-robustness", "oscillator-binding", "spin-diode", "spintronic-neuron", "transfer-attack")
}


class StudyModule(Protocol):
    """What a study's package offers: its experiment at several scales, the smallest first."""

    PRESETS: Mapping[str, Study]


def _known() -> dict[str, Any]:
    return {**plugins("holdfast.studies"), **MODULES}


def find_study(name: str) -> StudyModule:
    """The study `name`, of this package or of an installed plug-in.

    Examples
    --------
    >>> list(find_study("spintronic-neuron").PRESETS)
    ['tiny', 'quick', 'standard', 'paper']
    """
    found = _known()[check_one_of(name, "study", allowed=_known())]
    return cast("StudyModule", import_module(found) if isinstance(found, str) else found)


def presets(name: str) -> dict[str, Study]:
    """The presets of a study that a user chooses from, the smallest first."""
    return {preset: study for preset, study in find_study(name).PRESETS.items() if preset != HIDDEN}


def list_studies() -> list[dict[str, str]]:
    """One row per study for a table; it says how many sentences of the abstract each preset decides."""
    rows = []
    for name in sorted(_known()):
        scales = presets(name)
        study = next(iter(scales.values()))
        decided = ", ".join(f"{preset} {scale.decidable()}" for preset, scale in scales.items())
        decided += f" of {len(study.paper().sentences)} sentences"
        rows.append({"study": name, "about": study.title, "source": study.source, "decides": decided})
    return rows
