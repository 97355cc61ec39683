"""The settings of an audit: one TOML file, one key for each flag of the command line, unknown keys refused.

Tables named after a card hold the settings of its stresses::

    preset = "quick"
    budget = "5m"
    gates = ["clean.accuracy >= 0.97"]
    [model]
    source = "mynet:make"
    weights = "w.safetensors"
    [data]
    source = "mydata:test"
    [adversarial.pgd]
    steps = 100
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from holdfast.auditing import forms
from holdfast.core.checks import nearest, refuse
from holdfast.core.errors import InputError
from holdfast.core.grammar import parse
from holdfast.core.numerals import as_number
from holdfast.core.reading import read_toml
from holdfast.core.stress import Preset
from holdfast.core.target import Access
from holdfast.data.layouts import Layout
from holdfast.report.result import Undecided

__all__ = [
    "AuditSettings",
    "DataSettings",
    "ModelSettings",
    "OutputForm",
    "RunSettings",
    "SettingsTable",
    "assign",
    "read_settings",
    "to_toml",
]

LARGEST = 2**31 - 1  # of examples
KINDS = {  # what a check of types asks for, in plain words
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    "string_type": "a text",
}


PathText = Annotated[str, BeforeValidator(forms.path)]
Texts = Annotated[tuple[str, ...], BeforeValidator(forms.several)]
OutputForm = Literal["logits", "probabilities", "binary", "binary-logits", "binary-probabilities"]


class SettingsTable(BaseModel):
    """Base of all tables of settings: immutable, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelSettings(SettingsTable):
    """Where the network comes from and what it takes."""

    source: str | None = None
    """``module:factory``, ``file.py:factory``, ``model.pt2`` or ``model.ts``; absent: the built-in example."""
    weights: PathText | None = None
    """``.safetensors``, or a ``.pt`` file that holds tensors only."""
    arguments: Annotated[tuple[str, ...], BeforeValidator(forms.words)] = ()
    """For the factory: ``name=value`` texts, or a mapping."""
    name: str | None = None
    """What the report calls the network."""
    access: Access = "weights"
    """What the simulated adversary or deployer has, at most: labels, scores, gradients or weights."""
    bounds: Annotated[tuple[float, float], BeforeValidator(forms.ends)] | None = None
    """Smallest and largest value of an input, before any normalisation; absent: 0 and 1 for images and whatever lies within,
    otherwise as observed."""
    normalize: Annotated[str | None, BeforeValidator(forms.normalisation)] = None
    """``mean,std`` or a pair, applied inside the target, so that attack sizes stay in units of the input."""
    outputs: OutputForm | None = None
    """What the network returns; ``binary``: one number per example, the logit or the probability of class 1. Absent: the probe
    tells logits from probabilities."""
    output_key: Annotated[str | None, BeforeValidator(forms.key)] = None
    """Which part holds the logits, for a network that returns a mapping or a tuple."""
    samples: Annotated[int, Field(ge=1)] | None = None
    """Passes whose mean probabilities are one answer; absent: 10 for a network that answers at random, otherwise 1."""
    unsafe_pickle: bool = False
    """Load a whole pickled module, which executes code; asks for a confirmation."""


class DataSettings(SettingsTable):
    """Where the examples come from."""

    source: str | None = None
    """``module:function``, an ``.npz`` with x and y, a CSV or Parquet file, a folder per class, or the name of a known data set."""
    layout: Layout | None = None
    """Order of the axes of arrays; absent: as the network takes them, images as NCHW."""
    size: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Side in px to which the images of a folder are brought."""
    input_key: str | None = None
    """Which part of each row is the input, where rows are mappings; several of one shape are separated by commas."""
    label_column: str | None = None
    """Which column of a table, or part of each row that is a mapping, is the label; absent: the one that is called so."""
    classes: PathText | tuple[str, ...] | None = None
    """Names of all classes in the order of the network's outputs: a text file with one per line, or a list. Class folders are
    numbered by it."""
    examples: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    """Largest number of examples, chosen by seed, each class in its share."""
    unlabelled: PathText | None = None
    """Inputs without labels, from which an attacker may learn to imitate the network; forms as for `source`, or x alone."""


class RunSettings(SettingsTable):
    """On what the audit runs."""

    device: str = "cpu"
    """``cpu`` or ``cuda``."""
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processes that share the points."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Torch threads of each process; absent: the faster of one and all."""
    batch_size: Annotated[int, Field(ge=1, le=LARGEST)] = 1000
    """Largest number of examples in one pass; of large inputs fewer go together."""
    point_limit: Annotated[float, Field(gt=0), BeforeValidator(forms.seconds)] | None = None
    """Longest time of one point, in s; absent: ten minutes, or 20 times the predicted time if that is more."""


class AuditSettings(SettingsTable):
    """All settings of an audit; a further table is named after a card and holds the settings of its stresses."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, dict[str, dict[str, Any]]] = Field(init=False)
    preset: Preset = "quick"
    """How thorough: quick, standard or deep."""
    budget: Annotated[float, Field(gt=0), BeforeValidator(forms.seconds)] | None = None
    """Time for the whole audit, in s or as ``"5m"``."""
    max_queries: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """Largest number of queries of the black-box stresses."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Same seed, same numbers."""
    stresses: Texts = ("all",)
    """Run only these; in a Python call they may be stresses with settings of their own."""
    skip: Texts = ()
    """Stresses to leave out; plan and report say so."""
    gates: Texts = ()
    """Checks that must hold, e.g. ``"clean.accuracy >= 0.97"``."""
    undecided: Undecided = "warn"
    """What a gate does to the exit code when its interval contains the threshold."""
    baseline: PathText | None = None
    """Folder of an earlier run, for a paired comparison and for gates that name ``baseline``."""
    out: PathText | None = None
    """Folder of the run; absent: one in ``runs``, named after the network."""
    fresh: bool = False
    """Delete the files of an earlier run in the folder and begin anew; every other file stays."""
    expect_accuracy: Annotated[float | None, Field(ge=0, le=1), BeforeValidator(as_number)] = None
    """Refuse to start if the clean accuracy is more than 5 points below this, in [0, 1]."""
    allow_low_accuracy: bool = False
    """Audit a network whose accuracy is barely above chance."""
    model: ModelSettings = ModelSettings()
    data: DataSettings = DataSettings()
    run: RunSettings = RunSettings()

    @property
    def cards(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Settings of single stresses, ``{card: {stress: {setting: value}}}``."""
        return self.__pydantic_extra__

    def overrides(self) -> dict[str, dict[str, Any]]:
        """Settings of single stresses, ``{stress: {setting: value}}``, over all cards."""
        return {name: self.cards[card][name] for card, name in self.stress_tables()}

    def stress_tables(self) -> list[tuple[str, str]]:
        """Pairs of card and stress for which there are settings."""
        return [(card, name) for card, tables in self.cards.items() for name in tables]


EMPTY = (dict, tuple, list)
TABLES: dict[str, type[SettingsTable]] = {"model": ModelSettings, "data": DataSettings, "run": RunSettings}


HOMES = {word: table for table, kind in TABLES.items() for word in kind.model_fields if word != "source"}


def _placed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` with each word of a table that stands outside it, such as `bounds`, put into its table."""
    placed: dict[str, Any] = {}
    for key, value in settings.items():
        single = key == "arguments" or not isinstance(value, Mapping)  # a table `device` is a card
        _merge(placed, {HOMES[key]: {key: value}} if key in HOMES and single else {key: value})
    return placed


def _check_tables(merged: Mapping[str, Any]) -> None:
    """Refuse a key that is neither a setting nor a card; the cards of plug-ins are looked up only where one is named."""
    others = [key for key in merged if key not in AuditSettings.model_fields]
    if not others:
        return
    from holdfast.auditing.stresses import known_stresses

    cards = {kind.card.name for kind in known_stresses().values()}
    for key in others:
        if key not in cards:
            _refuse_key(key, [*AuditSettings.model_fields, *HOMES, *sorted(cards)])


def _check_finite(value: Any, name: str = "") -> None:
    """Refuse NaN and infinity wherever they stand among the settings; the place is named."""
    if isinstance(value, float) and not math.isfinite(value):
        refuse(name, f"is {value}", allowed="finite numbers")
    if isinstance(value, Mapping):
        for key, entry in value.items():
            _check_finite(entry, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for entry in value:
            _check_finite(entry, name)


def _refuse_key(name: str, known: Sequence[str]) -> NoReturn:
    close = nearest(name.rpartition(".")[2], known)
    refuse(name, "is not a setting", allowed=", ".join(known), remedy=f"Did you mean {close!r}?" if close else "")


def _fields_at(path: tuple[Any, ...]) -> list[str]:
    """The keys that are known at `path`, for the nearest-name hint."""
    model: Any = AuditSettings
    for part in path:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        options = [annotation, *get_args(annotation)]
        model = next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)


def _explain(error: ValidationError) -> None:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        _refuse_key(name, _fields_at(first["loc"][:-1]))
    if isinstance(cause := first.get("ctx", {}).get("error"), InputError):  # a sentence of ours, raised while a value was read
        raise cause
    allowed = KINDS.get(first["type"]) or first["msg"].removeprefix("Input should be ")
    refuse(name, f"is {first.get('input')!r}", allowed=allowed, remedy="See `holdfast schema config`.")


def _merge(base: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = dict(value) if isinstance(value, Mapping) else value
    return base


def assign(text: str) -> dict[str, Any]:
    """The nested mapping of one assignment.

    Examples
    --------
    >>> assign("adversarial.pgd.steps=100")
    {'adversarial': {'pgd': {'steps': 100}}}
    """
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        refuse("set", f"is {text!r}", allowed="KEY.KEY=VALUE, e.g. adversarial.pgd.steps=100")
    try:
        nested: Any = tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        nested = None if value.strip() == "None" else value.strip()
    for key in reversed(keys):
        nested = {key: nested}
    return dict(nested)


def _read_file(path: str | Path) -> dict[str, Any]:
    return read_toml(Path(path), "config", allowed="a TOML file", remedy="See `holdfast audit --print-config`.")


def read_settings(
    file: str | Path | None = None, *, assignments: tuple[str, ...] = (), flags: Mapping[str, Any] | None = None
) -> AuditSettings:
    """Settings from a file, then from ``KEY=VALUE`` assignments, then from flags; the later ones win.

    Parameters
    ----------
    file : TOML, or None
    assignments : each as :func:`assign` takes it
    flags : nested mapping in the shape of :class:`AuditSettings`; None values are left out

    A setting of the tables model, data or run may also stand outside its table, e.g. ``bounds = [-1, 1]``.

    Raises
    ------
    InputError : an unknown key (the nearest one is named), a value out of range, a gate that is not a check
    """
    merged: dict[str, Any] = _placed(_read_file(file)) if file is not None else {}
    for text in assignments:
        _merge(merged, _placed(assign(text)))
    _merge(merged, _placed(_without_absent(flags or {})))
    _check_tables(merged)
    _check_finite(merged)
    try:
        settings = AuditSettings.model_validate(merged)
    except ValidationError as error:
        _explain(error)
        raise
    for gate in settings.gates:
        parse(gate)
    return settings


def _without_absent(flags: Mapping[str, Any]) -> dict[str, Any]:
    """`flags` without what is None or empty; in the tables of cards and the arguments of a factory, None is a value."""
    given = {key: _without_absent(value) if key in TABLES and isinstance(value, Mapping) else value for key, value in flags.items()}
    return {key: value for key, value in given.items() if not (value is None or (isinstance(value, EMPTY) and not value))}


def to_toml(settings: AuditSettings) -> str:
    """The resolved settings as a TOML file that :func:`read_settings` reads back."""
    plain = settings.model_dump(mode="json", exclude_none=True)
    lines = [f"{key} = {_toml(value)}" for key, value in plain.items() if not isinstance(value, dict)]

    def table(path: str, content: dict[str, Any]) -> None:
        own = {key: value for key, value in content.items() if not isinstance(value, dict)}
        if own:
            lines.extend(["", f"[{path}]", *(f"{key} = {_toml(value)}" for key, value in own.items())])
        for key, value in content.items():
            if isinstance(value, dict):
                table(f"{path}.{key}", value)

    for key, value in plain.items():
        if isinstance(value, dict):
            table(key, value)
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """`value` as TOML writes it; TOML knows no None, which the settings of stresses take as text."""
    return json.dumps("None" if value is None else value)
