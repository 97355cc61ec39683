"""Every setting of an audit as a named parameter of a Python call: one name in Python, in the configuration file and as a flag."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from holdfast.auditing.settings import HOMES, TABLES, AuditSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    from holdfast.auditing.settings import OutputForm
    from holdfast.core.stress import Preset, Stress
    from holdfast.core.target import Access
    from holdfast.data.layouts import Layout
    from holdfast.report.result import Undecided

__all__ = ["AuditOptions", "shows_options"]

Function = TypeVar("Function", bound="Callable[..., Any]")
PLACE = "{options}"


class AuditOptions(TypedDict, total=False):
    """The settings by name, each with what a call may give for it; None is the same as leaving it out.

    What each one means is said once, in :mod:`holdfast.auditing.settings`.
    """

    name: str | None
    preset: Preset | None
    budget: str | float | None
    stresses: str | Sequence[str | Stress] | None
    skip: str | Sequence[str] | None
    gates: str | Sequence[str] | None
    undecided: Undecided | None
    baseline: str | PathLike[str] | None
    seed: int | None
    out: str | PathLike[str] | None
    fresh: bool | None
    max_queries: int | None
    weights: str | PathLike[str] | None
    arguments: Mapping[str, Any] | Sequence[str] | None
    access: Access | None
    bounds: str | Sequence[float | str] | None
    normalize: str | Sequence[Any] | None
    outputs: OutputForm | None
    output_key: str | int | None
    samples: int | None
    unsafe_pickle: bool | None
    layout: Layout | None
    input_key: str | None
    label_column: str | None
    size: int | None
    classes: str | PathLike[str] | Sequence[str] | None
    examples: int | None
    unlabelled: Any
    expect_accuracy: float | str | None
    allow_low_accuracy: bool | None
    device: str | None
    workers: int | None
    threads: int | None
    batch_size: int | None
    point_limit: str | float | None


def shows_options(function: Function) -> Function:
    """`function`, whose ``**options`` stand by name in its signature and, in place of ``{options}``, in its docstring.

    So completion, ``help`` and :func:`inspect.signature` name every parameter, as type checkers do by :class:`AuditOptions`.
    """
    signature = inspect.signature(function)
    own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=getattr(kind, "__forward_arg__", kind))
        for name, kind in AuditOptions.__annotations__.items()
    ]
    function.__signature__ = signature.replace(parameters=[*own, *named])  # type: ignore[attr-defined]
    if function.__doc__:  # there is none under python -OO
        lines = "\n    ".join(f"{name} : {_description(name)}" for name in AuditOptions.__annotations__)
        function.__doc__ = function.__doc__.replace(PLACE, lines)
    return function


def _description(name: str) -> str:
    """What the settings say of `name`, in one line."""
    table = TABLES[HOMES[name]] if name in HOMES else AuditSettings
    return " ".join((table.model_fields[name].description or "").split())
