"""What became of one point, and how that is written as a row of a table."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from holdfast.core.digest import jsonable
from holdfast.core.errors import last_line
from holdfast.core.estimate import Estimate
from holdfast.core.experiment import Measurement

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    import numpy as np

__all__ = ["Record", "Status", "record_of", "row_of"]

Status = Literal["ok", "error", "late"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What became of one point.

    Parameters
    ----------
    key : digest of everything the point depends on
    experiment : name of the experiment
    at : the point
    status : ``"ok"``, ``"error"`` (`error` holds the traceback) or ``"late"`` (the time budget ended first)
    measurement : what was measured, if `status` is ``"ok"``
    seconds : wall time in s
    queries : queries to the target
    error : traceback or reason
    reused : True if the record comes from an earlier run
    """

    key: str
    experiment: str
    at: Mapping[str, Any]
    status: Status
    measurement: Measurement | None = None
    seconds: float = 0.0
    queries: int = 0
    error: str = ""
    reused: bool = field(default=False, compare=False)

    @property
    def reason(self) -> str:
        """The last line of `error`, or the status where there is none."""
        return last_line(self.error) or self.status


def _ordered_json(value: Any) -> str:
    """JSON in the order that the experiment gave, so that a resumed run is drawn like an uninterrupted one."""
    return json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False)


def row_of(record: Record, digest: str) -> dict[str, Any]:
    """The columns of `record`, whose arrays lie in a file with this `digest`, empty where it has none."""
    measurement = record.measurement or Measurement(estimates={})
    return {
        "key": record.key,
        "experiment": record.experiment,
        "at": _ordered_json(record.at),
        "status": record.status,
        "estimates": _ordered_json({name: estimate.to_json() for name, estimate in measurement.estimates.items()}),
        "details": _ordered_json(measurement.details),
        "blob": int(bool(measurement.arrays)),
        "seconds": record.seconds,
        "queries": record.queries,
        "error": record.error,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "digest": digest,
    }


def record_of(row: sqlite3.Row, arrays: Mapping[str, np.ndarray]) -> Record:
    """The record of a row with its `arrays`; a damaged row raises ValueError, KeyError, TypeError or AttributeError."""
    estimates = {name: Estimate.from_json(entry) for name, entry in json.loads(row["estimates"]).items()}
    measured = Measurement(estimates=estimates, arrays=arrays, details=json.loads(row["details"]))
    return Record(
        key=row["key"],
        experiment=row["experiment"],
        at=dict(json.loads(row["at"])),
        status=row["status"],
        measurement=measured if row["status"] == "ok" else None,
        seconds=float(row["seconds"]),
        queries=int(row["queries"]),
        error=str(row["error"]),
        reused=True,
    )
