"""Calling a user's factory with arguments written as ``key=value``, each typed by the factory's own signature."""

from __future__ import annotations

import ast
import inspect
import types
import typing
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Union

from holdfast.auditing.loading.locate import blame, suggestion
from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["call_factory", "parse_arguments", "required"]

UNKNOWN: Any = object()


def parse_arguments(arguments: Iterable[str] | Mapping[str, Any]) -> dict[str, Any]:
    """``["width=3", "deep=true"]`` as a mapping of texts; a mapping is given back as it is.

    Examples
    --------
    >>> parse_arguments(["width=3", "path=a=b"])
    {'width': '3', 'path': 'a=b'}
    """
    if isinstance(arguments, Mapping):
        return dict(arguments)
    given: dict[str, Any] = {}
    for text in [arguments] if isinstance(arguments, str) else arguments:
        key, equals, value = text.partition("=")
        if not equals or not key.strip().isidentifier():
            refuse("arguments", f"holds {text!r}", allowed="key=value")
        if key.strip() in given:
            refuse("arguments", f"gives {key.strip()!r} twice", allowed="each argument once")
        given[key.strip()] = value.strip()
    return given


def call_factory(factory: Callable[..., Any], arguments: Iterable[str] | Mapping[str, Any] = ()) -> Any:
    """What `factory` returns for `arguments`.

    Texts are converted to the type that the parameter declares, else to the type of its default, else as a Python literal:
    int, float, bool, str, enumerations, ``Literal``, paths, optional types, and comma-separated tuples and lists of these.

    Parameters
    ----------
    factory : any callable, a class for instance
    arguments : ``key=value`` texts, or a mapping whose texts are converted and whose other values are passed on

    Raises
    ------
    InputError : an unknown or missing argument, a value that does not fit (the nearest names are given), or the factory raised

    Examples
    --------
    >>> def make(width: int, *, rates: tuple[float, ...] = (), deep: bool = False):
    ...     return width, rates, deep
    >>> call_factory(make, ["width=3", "rates=0.1,0.2", "deep=yes"])
    (3, (0.1, 0.2), True)
    """
    given, parameters = parse_arguments(arguments), _parameters(factory)
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    named = {name: parameter for name, parameter in parameters.items() if _by_name(parameter)}
    label = f"your factory `{_name(factory)}`"
    for key in given:
        if key not in named and not takes_any:
            allowed = ", ".join(named) or "no arguments"
            refuse("arguments", f"names {key!r}, which {label} does not take", allowed=allowed, remedy=suggestion(key, named))
    missing = [name for name in required(factory) if name not in given]
    if missing:
        refuse(
            "arguments",
            f"leaves out {', '.join(missing)}, which {label} needs",
            allowed=f"{_name(factory)}{_signature_text(parameters)}",
            remedy=f"Add --argument {missing[0]}=VALUE (Python: arguments={{{missing[0]!r}: VALUE}}).",
        )
    kinds = _kinds(factory, named)
    values = {key: _convert(key, value, kinds.get(key, UNKNOWN)) for key, value in given.items()}
    try:
        return factory(**values)
    except (Exception, SystemExit) as error:
        raise blame(error, doing=label) from error


def required(factory: Callable[..., Any]) -> list[str]:
    """Names of the parameters without a default."""
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        name
        for name, parameter in _parameters(factory).items()
        if parameter.default is parameter.empty and parameter.kind not in starred
    ]


def _name(factory: Callable[..., Any]) -> str:
    return str(getattr(factory, "__qualname__", type(factory).__name__))


def _parameters(factory: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(factory).parameters
    except ValueError:  # a built-in function without a signature
        return {}


def _by_name(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def _signature_text(parameters: Mapping[str, inspect.Parameter]) -> str:
    return str(inspect.Signature(list(parameters.values())))


def _kinds(factory: Callable[..., Any], named: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """The type of each parameter: declared, else that of the default."""
    declaring = factory.__init__ if isinstance(factory, type) else factory  # type: ignore[misc]
    try:
        declared = typing.get_type_hints(declaring)
    except Exception:  # noqa: BLE001 (hints may name anything, e.g. what only a type checker imports)
        declared = {}
    kinds = {}
    for name, parameter in named.items():
        has_default = parameter.default is not parameter.empty and parameter.default is not None
        kinds[name] = declared.get(name, type(parameter.default) if has_default else UNKNOWN)
    return kinds


def _convert(key: str, value: Any, kind: Any) -> Any:
    """The text `value` as `kind`; anything else is passed on."""
    if not isinstance(value, str) or kind is str:
        return value
    if kind is UNKNOWN or kind is Any:
        return _literal(value)
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is Union:
        choices = typing.get_args(kind)
        if type(None) in choices and value.lower() == "none":
            return None
        rest = [choice for choice in choices if choice is not type(None)]
        kind = rest[0] if len(rest) == 1 else Union[tuple(rest)]  # noqa: UP007 (the members are known at run time only)
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

    is_sequence = (typing.get_origin(kind) or kind) in (tuple, list, typing.Sequence)
    raw = [part.strip() for part in value.strip("()[]").split(",") if part.strip()] if is_sequence else value
    if is_sequence and not typing.get_args(kind):
        raw = [_literal(part) for part in raw]
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].lower()
        refuse("arguments", f"gives {key}={value!r}", allowed=f"{_kind_text(kind)}, as the factory declares ({reason})")
    except (PydanticSchemaGenerationError, PydanticUserError):
        refuse(
            "arguments",
            f"gives {key}={value!r} for a parameter of type {_kind_text(kind)}",
            allowed="numbers, true or false, text, and comma-separated lists of these",
            remedy="Write a factory without this parameter.",
        )


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _kind_text(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind).replace("typing.", "")
