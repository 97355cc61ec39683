"""One folder per run: ``run.sqlite`` for facts, ``blobs/*.npz`` for arrays, ``memo/`` for shared artefacts.

What is promised: a finished point is committed at once, its arrays first and then its row, each flushed to the disk with the folder
that names it, so that neither a killed process nor a power cut loses a committed point, as far as the disk keeps what it reports as
flushed. A row carries the digest of its arrays; arrays that are missing, torn or of another point count as not measured. Only one
process writes; any number may read. Where a network file system is recognised (Linux, macOS), on which SQLite's write-ahead log is
unsafe, the rollback journal is used instead.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from holdfast.core.checks import as_written
from holdfast.core.digest import canonical_json, jsonable
from holdfast.core.durable import file_digest, make_folder, write_atomically
from holdfast.core.errors import HoldfastError, InputError, RunLockedError, RunMismatchError, StorageError
from holdfast.core.file_systems import is_on_network
from holdfast.core.memo import Memo
from holdfast.core.reading import read_npz
from holdfast.core.record import Record, record_of, row_of
from holdfast.core.run_folder import BLOBS, DATABASE, LOCK, MEMO, clear_run, holds_run, tidy_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Record", "Store"]

TABLES = """
create table if not exists facts (name text primary key, value text not null);
create table if not exists points (
    key text primary key, experiment text not null, at text not null, status text not null, estimates text not null,
    details text not null, blob integer not null, seconds real not null, queries integer not null, error text not null,
    finished text not null, digest text not null default ''
);
"""
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
ANOTHER = f"Nothing in it was changed; choose another {as_written('out', 'FOLDER')}."


class Store:
    """The folder of one run.

    Use :meth:`create` for a run that is to be written and :meth:`read` for one that is only looked at.

    Parameters
    ----------
    folder : of the run
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._notes: dict[str, int] = {}
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
        fresh : delete the files that an earlier run wrote; others stay

        Raises
        ------
        RunMismatchError : the folder holds a run with another identity
        RunLockedError : another live process writes this run
        InputError : the folder holds other files and no run, a damaged run, or cannot be written
        """
        store = cls(Path(folder).resolve())
        lock = store._locked()
        try:
            tidy_run(store.folder)
            if fresh:
                clear_run(store.folder)
            with store._session() as store._writer:
                store._prepare()
                store._check_identity(jsonable(identity))
                yield store
            tidy_run(store.folder)  # workers of a process that was killed may have ended only now
        finally:
            store._writer = None
            lock.release()

    @classmethod
    def read(cls, folder: str | Path) -> Store:
        """The store in `folder`, for reading; refused if there is none, or if its database cannot be read."""
        store = cls(Path(folder).resolve())
        if not store.database.is_file() or store._is_blank():
            raise InputError(f"`{folder}` holds no run; allowed: a folder that `holdfast audit` or `holdfast study run` wrote.")
        store.fact("identity")
        return store

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence each on what a reader of the report should know of this folder."""
        return tuple(f"{count} {text}" if count else text for text, count in self._notes.items())

    @property
    def database(self) -> Path:
        """Path of the SQLite file."""
        return self.folder / DATABASE

    def memo(self, scope: Any = None) -> Memo:
        """The run's shared artefacts."""
        return Memo(self.folder / MEMO, scope)

    def fact(self, name: str) -> Any:
        """The JSON value stored under `name`, or None."""
        with self._session() as connection:
            row = connection.execute("select value from facts where name = ?", (name,)).fetchone()
        try:
            return None if row is None else json.loads(row[0])
        except UNREADABLE as error:
            raise self._damaged(f"the fact {name!r} is not JSON") from error

    def remember(self, **facts: Any) -> None:
        """Store JSON-able facts by name, all in one transaction."""
        rows = [(name, canonical_json(value)) for name, value in facts.items()]
        with self._session() as connection, connection:
            connection.executemany("insert or replace into facts values (?, ?)", rows)

    def keep_arrays(self, name: str, **arrays: Any) -> None:
        """Store arrays that belong to the run and to no point, under a `name` of letters, digits, ``-`` and ``_``."""
        digest = self._write_arrays(self._arrays_of_run(name), arrays)
        self.remember(**{f"arrays-{name}": digest})

    def kept_arrays(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays stored under `name`; None if there are none, or if the file is not the one that was written."""
        digest = self.fact(f"arrays-{name}")
        try:
            return None if digest is None else _read_arrays(self._arrays_of_run(name), digest)
        except UNREADABLE:
            return None

    def commit(self, record: Record) -> None:
        """Write a finished point: its arrays first, then its row.

        Raises
        ------
        StorageError : the disk is full, or may no longer be written
        """
        arrays = {} if record.measurement is None else record.measurement.arrays
        try:
            row = row_of(record, self._write_arrays(self._blob(record.key), arrays) if arrays else "")
            with self._session() as connection, connection:
                marks = ", ".join("?" * len(row))
                connection.execute(f"insert or replace into points ({', '.join(row)}) values ({marks})", tuple(row.values()))  # noqa: S608 (own names and marks only)
        except (OSError, InputError) as error:
            raise StorageError(
                f"A measured point cannot be stored in `{self.folder}` ({error.__cause__ or error}). What was stored before is "
                "kept: make space, or restore the permission to write, and start the run again with the same folder."
            ) from error

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Around the writing of the report: a full disk then becomes a :class:`StorageError`, since all points are stored."""
        try:
            yield
        except OSError as error:
            if isinstance(error, HoldfastError):
                raise
            raise StorageError(
                f"The report cannot be written into `{self.folder}` ({error.strerror or error}). All measured points are kept: "
                "make space, or restore the permission to write, and start the run again with the same folder."
            ) from error

    def find(self, key: str) -> Record | None:
        """The record of the point `key`; None if there is none, or if it is not whole (which :attr:`notes` then say)."""
        with self._session() as connection:
            row = connection.execute("select * from points where key = ?", (key,)).fetchone()
        return None if row is None else self._record(row)

    def holds_points(self) -> bool:
        """Whether any point was committed, be it whole or not."""
        with self._session() as connection:
            return connection.execute("select 1 from points limit 1").fetchone() is not None

    def records(self) -> list[Record]:
        """All whole records, in the order in which they were first committed."""
        with self._session() as connection:
            rows = connection.execute("select * from points order by rowid").fetchall()
        return [record for record in map(self._record, rows) if record is not None]

    def _record(self, row: sqlite3.Row) -> Record | None:
        try:
            digest = row["digest"] if "digest" in row.keys() else None  # noqa: SIM118 (`in row` looks at values)
            return record_of(row, _read_arrays(self._blob(row["key"]), digest) if row["blob"] else {})
        except UNREADABLE:
            self._note("stored points were not whole (missing, torn or swapped arrays, or a damaged row) and are measured again")
            return None

    def _note(self, text: str) -> None:
        self._notes[text] = self._notes.get(text, 0) + 1

    def _blob(self, key: str) -> Path:
        return self.folder / BLOBS / f"{key}.npz"

    def _arrays_of_run(self, name: str) -> Path:
        return self.folder / BLOBS / f"arrays-{name}.npz"

    def _write_arrays(self, path: Path, arrays: Mapping[str, Any]) -> str:
        """Write the arrays; gives the digest of the file."""
        plain: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
        write_atomically(path, lambda scratch: np.savez_compressed(scratch, **plain))
        return file_digest(path)

    @contextmanager
    def _session(self) -> Iterator[sqlite3.Connection]:
        """The writer's own connection, or one that is closed again; what SQLite refuses becomes one sentence."""
        try:
            if self._writer is not None:
                yield self._writer
                return
            with closing(self._connect()) as connection:
                yield connection
        except sqlite3.OperationalError as error:
            if "no such" in str(error):
                raise self._damaged(str(error)) from error
            raise InputError(f"`{self.database}`: {error}; allowed: a run on a disk with space that may be written.") from error
        except sqlite3.Error as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, what: str) -> InputError:
        return InputError(f"`{self.folder}` holds a run that cannot be read ({what}); allowed: a run as it was written. {ANOTHER}")

    def _connect(self) -> sqlite3.Connection:
        archived = not os.access(self.folder, os.W_OK) and not Path(f"{self.database}-wal").exists()
        place = f"{self.database.as_uri()}?{'immutable=1' if archived else 'mode=rwc'}"
        connection = sqlite3.connect(place, uri=True, timeout=30)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("pragma synchronous = full")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _is_blank(self) -> bool:
        """The database has no tables, because its run was killed before it made them."""
        with self._session() as connection:
            return connection.execute("select count(*) from sqlite_master").fetchone()[0] == 0

    def _prepare(self) -> None:
        """Give the database the tables of this version, and the journal that its file system allows."""
        wanted = "delete" if is_on_network(self.folder) else "wal"
        with self._session() as connection:
            if not self._is_blank():
                connection.execute("select name, value from facts limit 1")  # a database of something else is refused unchanged
                connection.execute("select key, blob from points limit 1")
            mode = connection.execute(f"pragma journal_mode = {wanted}").fetchone()[0]
            connection.executescript(f"begin; {TABLES} commit;")
            columns = {row["name"] for row in connection.execute("pragma table_info(points)")}
            if "digest" not in columns:
                self._adopt(connection)
        if mode != "wal":
            self._notes[f"the run lies on a file system without safe write-ahead logging: journal mode {mode!r} is used"] = 0

    def _adopt(self, connection: sqlite3.Connection) -> None:
        """Give the rows of an earlier version the digests of the arrays that lie there now."""
        with connection:
            connection.execute("begin")
            connection.execute("alter table points add column digest text not null default ''")
            for row in connection.execute("select key from points where blob").fetchall():
                blob = self._blob(row["key"])
                if blob.is_file():
                    connection.execute("update points set digest = ? where key = ?", (file_digest(blob), row["key"]))

    def _check_identity(self, identity: Mapping[str, Any]) -> None:
        known = self.fact("identity")
        if known is None:
            self.remember(identity=identity)
            return
        if not isinstance(known, dict):
            raise self._damaged("its identity is not a table")
        changed = sorted(key for key in known.keys() & identity.keys() if known[key] != identity[key])
        if changed:
            raise RunMismatchError(
                f"`{self.folder}` holds a run with another {', '.join(changed)}; allowed: the same run again. "
                f"Choose another {as_written('out', 'FOLDER')}."
            )
        if known.keys() != identity.keys():
            self.remember(identity=identity)
            self._notes[
                "an earlier version of holdfast began this run: points that it stored under other keys are measured again"
            ] = 0

    def _locked(self) -> FileLock:
        """The lock of the folder, which is made if it is not there."""
        lock = FileLock(self.folder / LOCK)
        try:
            if self.folder.is_dir() and any(self.folder.iterdir()) and not holds_run(self.folder):
                raise InputError(
                    f"`{self.folder}` holds files that are not of a run; allowed: a new or empty folder, or a run's. "
                    f"Choose another {as_written('out', 'FOLDER')}."
                )
            make_folder(self.folder)
            lock.acquire(timeout=0)
        except Timeout:
            raise RunLockedError(
                f"`{self.folder}` is being written by another process. Wait for it to end, or choose another "
                f"{as_written('out', 'FOLDER')}."
            ) from None
        except OSError as error:
            raise InputError(
                f"`{self.folder}` cannot be written ({error.strerror}); allowed: a folder that you may write to, on a disk with "
                f"space. Choose another {as_written('out', 'FOLDER')}."
            ) from error
        return lock


def _read_arrays(path: Path, digest: str | None) -> dict[str, np.ndarray]:
    """The arrays in `path`, which must have the `digest`; None: of a version that noted none."""
    if digest is not None and file_digest(path) != digest:
        raise ValueError(f"{path.name} is not the file that was written")
    return read_npz(path)
