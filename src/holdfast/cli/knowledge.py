"""Commands that explain: list, describe, schema."""

from __future__ import annotations

from typing import Literal

from holdfast.cli.app import app, console
from holdfast.cli.data import data_list
from holdfast.cli.device import list_devices
from holdfast.cli.studies import study_list

__all__ = ["describe", "list_", "schema"]


@app.command(name="list")
def list_(what: Literal["stresses", "studies", "devices", "data", "presets"] = "stresses", /) -> None:
    """List what there is.

    Example: holdfast list stresses

    Parameters
    ----------
    what
        Stresses of an audit, studies, devices, data sets, or the presets of an audit.
    """
    if what == "studies":
        return study_list()
    if what == "devices":
        return list_devices()
    if what == "data":
        return data_list()
    from holdfast.auditing import catalogue

    console().table(catalogue.presets() if what == "presets" else catalogue.stresses())
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
    console().table(rows)


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
