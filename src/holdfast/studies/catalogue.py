"""Which studies there are, in this package and in installed plug-ins."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from holdfast.core.checks import check_one_of
from holdfast.core.registry import plugins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.core.claim import Claim
    from holdfast.core.experiment import Experiment

__all__ = ["Study", "find_study", "list_studies"]

MODULES = {
    "bayesian-robustness": "holdfast.studies.bayesian_robustness",
    "oscillator-binding": "holdfast.studies.oscillator_binding",
    "spin-diode": "holdfast.studies.spin_diode",
    "spintronic-neuron": "holdfast.studies.spintronic_neuron",
    "transfer-attack": "holdfast.studies.transfer_attack",
}


class Study(Protocol):
    """What a study's module offers."""

    TITLE: str
    SOURCE: str
    PRESETS: Mapping[str, Experiment]
    CLAIMS: Mapping[str, tuple[Claim, ...]]

    @staticmethod
    def prepare(preset: str = "quick") -> Experiment:
        """The experiment of a preset, as the data on this machine allow it."""


def _known() -> dict[str, Any]:
    return {**plugins("holdfast.studies"), **MODULES}


def find_study(name: str) -> Study:
    """The study `name`, of this package or of an installed plug-in.

    Examples
    --------
    >>> sorted(find_study("spintronic-neuron").PRESETS)
    ['paper', 'quick', 'standard']
    """
    found = _known()[check_one_of(name, "study", allowed=_known())]
    return cast("Study", import_module(found) if isinstance(found, str) else found)


def list_studies() -> list[dict[str, str]]:
    """One row per study for a table: its name, what it asks, and the number of claims in each preset."""
    rows = []
    for name in sorted(_known()):
        study = find_study(name)
        claims = ", ".join(f"{preset} {len(study.CLAIMS[preset])}" for preset in study.PRESETS)
        rows.append({"study": name, "about": study.TITLE, "source": study.SOURCE, "claims": claims})
    return rows
