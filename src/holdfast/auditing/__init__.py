"""The audit of a user's own network: one call that stresses it in every way that applies and writes a report card."""

from holdfast.auditing.audit import audit, audit_with, plan_audit, resume
from holdfast.auditing.settings import AuditSettings, read_settings
from holdfast.report.result import Report

__all__ = ["AuditSettings", "Report", "audit", "audit_with", "plan_audit", "read_settings", "resume"]
