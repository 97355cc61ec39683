"""The audit of a user's own network: one call that stresses it in every way that applies and writes a report card."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.auditing.calls import audit
    from holdfast.auditing.pipeline import audit_with, plan_audit, resume
    from holdfast.auditing.settings import AuditSettings, read_settings
    from holdfast.report.result import Report

__all__ = ["AuditSettings", "Report", "audit", "audit_with", "plan_audit", "read_settings", "resume"]

_HOMES = {
    "AuditSettings": "holdfast.auditing.settings",
    "Report": "holdfast.report.result",
    "audit": "holdfast.auditing.calls",
    "audit_with": "holdfast.auditing.pipeline",
    "plan_audit": "holdfast.auditing.pipeline",
    "read_settings": "holdfast.auditing.settings",
    "resume": "holdfast.auditing.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'holdfast.auditing' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
