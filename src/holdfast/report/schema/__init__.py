"""The published JSON Schema of ``report.json``; ``python -m holdfast.report.schema`` brings it up to date."""

from __future__ import annotations

import json
from pathlib import Path

from holdfast.report.document import json_schema

__all__ = ["PUBLISHED", "published_text"]

PUBLISHED = Path(__file__).with_name("report-1.json")


def published_text() -> str:
    """The text that the published file must have."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
