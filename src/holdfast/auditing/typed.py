"""The settings of a stress, read as its fields declare them: ``eps=0.1`` for a list of one, ``8/255`` for a number, ``None``.

A value whose field declares something else than numbers, texts, yes or no, lists of these and their absence is passed on as it is;
the stress itself checks ranges and names.
"""

from __future__ import annotations

import inspect
import sys
import types
from dataclasses import fields
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Union, get_args, get_origin

from holdfast.core.checks import check_one_of, nearest, refuse
from holdfast.core.numerals import as_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.core.stress import Stress

__all__ = ["read_changes", "read_value"]

UNKNOWN = object
SWITCHES = {"true": True, "yes": True, "false": False, "no": False}
WORDS: dict[type, tuple[str, str]] = {
    bool: ("true or false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
}


def read_changes(stress: type[Stress], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` of the settings of `stress`, each read as its field declares it.

    Raises
    ------
    InputError : a setting that `stress` does not have (the nearest is named), or a value that cannot be read
    """
    declared = {field.name: _declared(stress, field.name, field.type) for field in fields(stress)}  # type: ignore[arg-type]
    read = {}
    for key, value in changes.items():
        name = f"{stress.card.name}.{stress.name}.{key}"
        if key not in declared:
            close = nearest(key, declared)
            remedy = f"Did you mean {close!r}?" if close else ""
            refuse(name, "is not a setting", allowed=", ".join(declared), remedy=remedy)
        read[key] = read_value(value, declared[key], name)
    return read


def _declared(owner: type, name: str, kind: Any) -> Any:
    """The type of the field `name`; ``UNKNOWN`` where its annotation names what only a type checker imports."""
    if not isinstance(kind, str):
        return kind
    home = next((part for part in owner.__mro__ if name in inspect.get_annotations(part)), owner)
    try:
        return eval(kind, vars(sys.modules[home.__module__]))  # noqa: S307 (an annotation in the stress's own code)
    except Exception:  # noqa: BLE001 (an annotation may name anything)
        return UNKNOWN


def read_value(value: Any, kind: Any, name: str) -> Any:
    """`value` as `kind`.

    Parameters
    ----------
    value : as a file, an assignment or a caller gives it
    kind : a type, or a union of one with None, or ``tuple[type, ...]``
    name : of the setting, for the message

    Raises
    ------
    InputError : a value that cannot be read as `kind`

    Examples
    --------
    >>> read_value("8/255", tuple[float, ...], "adversarial.pgd.eps") == (8 / 255,)
    True
    >>> read_value("None", int | None, "adversarial.square.examples") is None
    True
    """
    options = get_args(kind) if isinstance(kind, types.UnionType) or get_origin(kind) is Union else (kind,)
    if types.NoneType in options and (value is None or (isinstance(value, str) and value.strip().lower() == "none")):
        return None
    kinds = [option for option in options if option is not types.NoneType]
    kind = kinds[0] if len(kinds) == 1 else UNKNOWN
    inner, *rest = get_args(kind) or (UNKNOWN,)
    several = get_origin(kind) is tuple and rest == [...]
    if several:
        return tuple(_one(part, inner, name, given=value, several=True) for part in _parts(value))
    return _one(value, kind, name, given=value, several=False)


def _parts(value: Any) -> Sequence[Any]:
    """The entries of a list, or of a text with commas; anything else is a list of one."""
    if isinstance(value, str):
        return [part.strip().strip("\"'") for part in value.strip().strip("[]()").split(",") if part.strip()]
    return list(value) if isinstance(value, list | tuple) else [value]


def _one(part: Any, kind: Any, name: str, *, given: Any, several: bool) -> Any:
    """The entry `part` of what was `given`, as `kind`."""
    if get_origin(kind) is Literal:
        return check_one_of(part, name, allowed=get_args(kind))
    if kind is bool and isinstance(part, str):
        part = SWITCHES.get(part.strip().lower(), part)
    if kind in (int, float):
        number = as_number(part)
        if isinstance(number, bool) or not isinstance(number, Real) or (kind is int and not float(number).is_integer()):
            _refuse(given, kind, name, several=several)
        return kind(number)
    if kind in WORDS and not isinstance(part, kind):
        _refuse(given, kind, name, several=several)
    return _unlisted(part)


def _unlisted(value: Any) -> Any:
    """`value` with tuples in place of lists: settings never change."""
    return tuple(map(_unlisted, value)) if isinstance(value, list) else value


def _refuse(given: Any, kind: Any, name: str, *, several: bool) -> NoReturn:
    one, many = WORDS[kind]
    refuse(name, f"is {given!r}", allowed=f"{many}, one or a list of them" if several else one)
