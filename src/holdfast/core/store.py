"""One folder per run: ``run.sqlite`` for facts, ``blobs/*.npz`` for arrays, ``memo/`` for shared artefacts.

A finished point is committed at once, its arrays first and then its row, each flushed to the disk; whoever finds the row finds
the arrays. Only one process writes; any number may read. On network file systems, where SQLite's write-ahead log is unsafe, the
rollback journal is used instead.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from holdfast.core.checks import as_written
from holdfast.core.digest import canonical_json, jsonable
from holdfast.core.errors import InputError, RunLockedError, RunMismatchError, last_line
from holdfast.core.estimate import Estimate
from holdfast.core.experiment import Measurement
from holdfast.core.memo import Memo, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Record", "Store"]

NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs"}
TABLES = """
create table if not exists facts (name text primary key, value text not null);
create table if not exists points (
    key text primary key, experiment text not null, at text not null, status text not null, estimates text not null,
    details text not null, blob integer not null, seconds real not null, queries integer not null, error text not null,
    finished text not null
);
"""

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


def _on_network(folder: Path) -> bool:
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return False
    inside = [(len(where), kind) for where, kind in mounts if folder.is_relative_to(where)]
    return bool(inside) and max(inside)[1] in NETWORK_FILE_SYSTEMS


class Store:
    """The folder of one run.

    Use :meth:`create` for a run that is to be written and :meth:`read` for one that is only looked at.

    Parameters
    ----------
    folder : of the run
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.notes: tuple[str, ...] = ()
        self._writer: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r})"

    @classmethod
    @contextmanager
    def create(cls, folder: str | Path, identity: Mapping[str, Any], *, fresh: bool = False) -> Iterator[Store]:
        """The store in `folder`, locked for this process; an existing run must have the same `identity`.

        Parameters
        ----------
        folder : made if it is not there
        identity : JSON-able facts that a run may not change between two starts (kind, target, data, seed)
        fresh : throw away what an earlier run left

        Raises
        ------
        RunMismatchError : the folder holds a run with another identity
        RunLockedError : another live process writes this run
        InputError : the folder holds other files and no run
        """
        store = cls(Path(folder).resolve())
        store._refuse_foreign_folder()
        store.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(store.folder / "run.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunLockedError(
                f"`{store.folder}` is being written by another process. Wait for it to end, or choose another "
                f"{as_written('out', 'FOLDER')}."
            ) from None
        try:
            if fresh:
                store._clear()
            store._writer = store._connect()
            store._prepare()
            store._check_identity(jsonable(identity))
            yield store
        finally:
            if store._writer is not None:
                store._writer.close()
            lock.release()

    @classmethod
    def read(cls, folder: str | Path) -> Store:
        """The store in `folder`, for reading; refused if there is none."""
        store = cls(Path(folder).resolve())
        if not store.database.is_file():
            raise InputError(f"`{folder}` holds no run; allowed: a folder that `holdfast audit` or `holdfast study run` wrote.")
        try:
            store.fact("identity")
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"`{folder}` holds a run that cannot be read ({error}). Start it again with {as_written('fresh')}."
            ) from error
        return store

    @property
    def database(self) -> Path:
        """Path of the SQLite file."""
        return self.folder / "run.sqlite"

    def memo(self, scope: Any = None) -> Memo:
        """The run's shared artefacts."""
        return Memo(self.folder / "memo", scope)

    def fact(self, name: str) -> Any:
        """The JSON value stored under `name`, or None."""
        with self._session() as connection:
            row = connection.execute("select value from facts where name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def remember(self, **facts: Any) -> None:
        """Store JSON-able facts by name, all in one transaction."""
        rows = [(name, canonical_json(value)) for name, value in facts.items()]
        with self._session() as connection, connection:
            connection.executemany("insert or replace into facts values (?, ?)", rows)

    def commit(self, record: Record) -> None:
        """Write a finished point: its arrays first, then its row."""
        measurement = record.measurement or Measurement(estimates={})
        if measurement.arrays:
            arrays: dict[str, Any] = {name: np.asarray(array) for name, array in measurement.arrays.items()}
            write_atomically(self._blob(record.key), lambda path: np.savez_compressed(path, **arrays))
        row = (
            record.key,
            record.experiment,
            _ordered_json(record.at),
            record.status,
            _ordered_json({name: estimate.to_json() for name, estimate in measurement.estimates.items()}),
            _ordered_json(measurement.details),
            int(bool(measurement.arrays)),
            record.seconds,
            record.queries,
            record.error,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with self._session() as connection, connection:
            connection.execute(f"insert or replace into points values ({','.join('?' * len(row))})", row)  # noqa: S608 (marks only)

    def find(self, key: str) -> Record | None:
        """The record of the point `key`, or None."""
        with self._session() as connection:
            row = connection.execute("select * from points where key = ?", (key,)).fetchone()
        return None if row is None else self._record(row)

    def records(self) -> list[Record]:
        """All records, in the order in which they were first committed."""
        with self._session() as connection:
            rows = connection.execute("select * from points order by rowid").fetchall()
        return [self._record(row) for row in rows]

    def _record(self, row: sqlite3.Row) -> Record:
        estimates = {name: Estimate.from_json(entry) for name, entry in json.loads(row["estimates"]).items()}
        arrays: dict[str, np.ndarray] = {}
        if row["blob"]:
            with np.load(self._blob(row["key"]), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        measured = Measurement(estimates=estimates, arrays=arrays, details=json.loads(row["details"]))
        return Record(
            key=row["key"],
            experiment=row["experiment"],
            at=json.loads(row["at"]),
            status=row["status"],
            measurement=measured if row["status"] == "ok" else None,
            seconds=row["seconds"],
            queries=row["queries"],
            error=row["error"],
            reused=True,
        )

    def _blob(self, key: str) -> Path:
        return self.folder / "blobs" / f"{key}.npz"

    @contextmanager
    def _session(self) -> Iterator[sqlite3.Connection]:
        """The writer's own connection, or one that is closed again."""
        if self._writer is not None:
            yield self._writer
            return
        with closing(self._connect()) as connection:
            yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.database, timeout=30)
        connection.row_factory = sqlite3.Row
        connection.execute(
            "pragma synchronous = normal"
        )  # a killed process loses nothing; after a power cut the last points may be due again
        return connection

    def _prepare(self) -> None:
        wanted = "delete" if _on_network(self.folder) else "wal"
        with self._session() as connection, connection:
            mode = connection.execute(f"pragma journal_mode = {wanted}").fetchone()[0]
            connection.executescript(TABLES)
        if mode != "wal":
            self.notes = (f"the run lies on a file system without safe write-ahead logging: journal mode {mode!r} is used",)

    def _check_identity(self, identity: Mapping[str, Any]) -> None:
        known = self.fact("identity")
        if known is None:
            self.remember(identity=identity)
        elif known != identity:
            changed = sorted(key for key in {*known, *identity} if known.get(key) != identity.get(key))
            raise RunMismatchError(
                f"`{self.folder}` holds a run with another {', '.join(changed)}; allowed: the same run again. "
                f"Choose another {as_written('out', 'FOLDER')}, or throw the old run away with {as_written('fresh')}."
            )

    def _refuse_foreign_folder(self) -> None:
        if (
            self.folder.is_dir()
            and any(self.folder.iterdir())
            and not any((self.folder / name).exists() for name in ("run.lock", "run.sqlite"))
        ):
            raise InputError(
                f"`{self.folder}` holds files that are not of a run; allowed: a new or empty folder, or a run's. "
                f"Choose another {as_written('out', 'FOLDER')}."
            )

    def _clear(self) -> None:
        for entry in self.folder.iterdir():
            if entry.name == "run.lock":
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
