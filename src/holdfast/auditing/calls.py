"""The audit as Python calls: its settings are named parameters, and a network and data may be objects instead of addresses."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Unpack

from holdfast.auditing.options import AuditOptions, shows_options
from holdfast.auditing.pipeline import audit_with, plan_audit
from holdfast.auditing.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.auditing.plan import AuditPlan
    from holdfast.auditing.settings import AuditSettings
    from holdfast.core.stress import Stress
    from holdfast.report.result import Report

__all__ = ["audit", "plan"]


@shows_options
def audit(
    model: Any = None,
    data: Any = None,
    *,
    settings: Mapping[str, Any] | None = None,
    config: str | PathLike[str] | None = None,
    progress: bool = False,
    **options: Unpack[AuditOptions],
) -> Report:
    """Stress a classifier in every way that applies, and write a robustness report card.

    Parameters
    ----------
    model : ``nn.Module``, callable, or what ``--model`` takes (``"mynet:make"``); None: a small example network
    data : pair of tensors ``(x, y)``, data frame, ``Dataset`` or loader of pairs or mappings, :class:`holdfast.data.Examples`, or
        what ``--data`` takes
    settings : nested settings in the shape of the configuration file, e.g. ``{"adversarial": {"pgd": {"steps": 100}}}``
    config : a configuration file; `settings` win over it, and the parameters below over both
    progress : print plan, progress and verdicts
    {options}

    Returns
    -------
    Report; its page lies in ``report.page``. `model` is not changed.

    Raises
    ------
    InputError : something cannot be used; the message says what to do

    Examples
    --------
    >>> report = audit(preset="quick", stresses=["clean"], data="digits")
    >>> report.cards["clean"].entry.stresses["clean"].status
    'ok'
    """
    read, stresses = _read(model, data, settings=settings, config=config, options=options)
    return audit_with(
        read,
        _object(model),
        _object(data),
        unlabelled=_object(options.get("unlabelled")),
        stresses=stresses,
        progress=progress,
        config_file=fspath(config or ""),
    )


@shows_options
def plan(
    model: Any = None,
    data: Any = None,
    *,
    settings: Mapping[str, Any] | None = None,
    config: str | PathLike[str] | None = None,
    progress: bool = False,
    **options: Unpack[AuditOptions],
) -> AuditPlan:
    """What :func:`audit` would run with the same arguments, on how many examples, for how long; only the probe is run.

    Parameters
    ----------
    model : ``nn.Module``, callable, or what ``--model`` takes (``"mynet:make"``); None: a small example network
    data : pair of tensors ``(x, y)``, data frame, ``Dataset`` or loader of pairs or mappings, :class:`holdfast.data.Examples`, or
        what ``--data`` takes
    settings : nested settings in the shape of the configuration file, e.g. ``{"adversarial": {"pgd": {"steps": 100}}}``
    config : a configuration file; `settings` win over it, and the parameters below over both
    progress : print the plan as well
    {options}

    Returns
    -------
    AuditPlan; ``print`` shows it as a table, and ``to_frame()`` gives it as a data frame.

    Raises
    ------
    InputError : something cannot be used; the message says what to do

    Examples
    --------
    >>> found = plan(stresses=["clean", "fgsm"], skip="fgsm")
    >>> [(line.stress.name, line.decision) for line in found.lines]
    [('clean', 'run'), ('fgsm', 'skipped')]
    """
    read, stresses = _read(model, data, settings=settings, config=config, options=options)
    spare = _object(options.get("unlabelled"))
    return plan_audit(read, _object(model), _object(data), unlabelled=spare, stresses=stresses, progress=progress)


def _read(
    model: Any,
    data: Any,
    *,
    settings: Mapping[str, Any] | None,
    config: str | PathLike[str] | None,
    options: AuditOptions,
) -> tuple[AuditSettings, tuple[str | Stress, ...] | None]:
    """The settings of a call, and its stresses where some of them are objects."""
    flags: dict[str, Any] = {**(settings or {}), **options}
    wanted = flags.get("stresses")
    ready: tuple[str | Stress, ...] = (wanted,) if isinstance(wanted, str) else tuple(wanted or ())
    if _object(flags.get("unlabelled")) is not None:
        del flags["unlabelled"]
    flags["stresses"] = tuple(stress if isinstance(stress, str) else stress.name for stress in ready)
    for part, source in {"model": model, "data": data}.items():
        flags[part] = {**flags.get(part, {}), "source": fspath(source) if isinstance(source, str | PathLike) else None}
    return read_settings(None if config is None else fspath(config), flags=flags), ready or None


def _object(source: Any) -> Any:
    """`source`, unless it is the address of one, which stands among the settings."""
    return None if isinstance(source, str | PathLike) else source
