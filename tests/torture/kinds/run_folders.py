"""Folders of earlier runs: the database, the arrays and the reports that commands read again."""

import atexit
import contextlib
import functools
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from torture_case import MARK, NETWORK, PAYLOAD, SPOIL, Case

REPEATS = 9
COMMANDS = [
    ("status", "run"),
    ("report", "run"),
    ("gate", "run", "--gate", "clean.accuracy >= 0"),
    ("compare", "run", "run"),
    ("resume", "run"),
    ("gate", "run", "--baseline", "run"),
]
TEXTS = [
    "",
    "null",
    "[]",
    "{}",
    "NaN",
    "1e999",
    "{",
    '"x"',
    "\0",
    "\udce9",
    "9" * 5000,
    "[" * 50_000,
    '{"x": NaN}',
    "os:system",
    PAYLOAD,
    "x" * 100_000,
    '{"model": {"source": "os:system", "arguments": ["command=touch executed"]}}',
    '{"preset": 3}',
]


@functools.cache
def honest():
    """A small run, made once, by a process of its own."""
    made = Path(tempfile.mkdtemp(prefix="torture-run-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    (made / "net.py").write_text(NETWORK)
    command = ["audit", "--model", "net.py:make", "--data", "digits", "--examples", "20", "--allow-low-accuracy", "--out", "run"]
    stresses = ["--stress", "clean", "--stress", "weight_bits"]
    subprocess.run([sys.executable, "-m", "holdfast", *command, *stresses], cwd=made, check=True, capture_output=True)
    with contextlib.closing(sqlite3.connect(made / "run" / "run.sqlite")) as base:
        base.execute("pragma wal_checkpoint(truncate)")
    return made


def copied(folder):
    shutil.copy(honest() / "net.py", folder)
    shutil.copytree(honest() / "run", folder / "run")
    return folder / "run"


def command(rng):
    return Case(rng.choice(COMMANDS))


def spoiled(how, pattern):
    def make(rng, folder):
        chosen = rng.choice(sorted(copied(folder).glob(pattern)))
        chosen.write_bytes(SPOIL[how](rng, chosen.read_bytes()))
        return command(rng)

    return make


def removed(rng, folder):
    run = copied(folder)
    for path in rng.sample(sorted(path for path in run.rglob("*") if path.is_file()), rng.randint(1, 4)):
        path.unlink()
    return command(rng)


def replaced(rng, folder):
    """A file becomes a folder, a pipe, a link, or another file of the run."""
    run = copied(folder)
    chosen = rng.choice([run / "run.sqlite", run / "report.json", run / "run.lock", *sorted(run.glob("blobs/*"))])
    chosen.unlink()
    kind = rng.randrange(5)
    if kind == 0:
        chosen.mkdir()
    elif kind == 1:
        os.mkfifo(chosen)
    elif kind == 2:
        chosen.symlink_to("/dev/zero")
    elif kind == 3:
        chosen.symlink_to(chosen.name)
    else:
        shutil.copy(rng.choice(sorted(path for path in run.rglob("*") if path.is_file())), chosen)
    return command(rng)


def swapped(rng, folder):
    """Two arrays exchange their names."""
    first, second = rng.sample(sorted(copied(folder).glob("blobs/*.npz")), 2)
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)
    return command(rng)


def changed_rows(rng, folder):
    """Values in the database of another type, size or meaning."""
    run = copied(folder)
    with contextlib.closing(sqlite3.connect(run / "run.sqlite")) as base, base:
        names = [name for (name,) in base.execute("select name from sqlite_master where type='table'")]
        for _ in range(rng.randint(1, 3)):
            name = rng.choice(names)
            columns = [row[1] for row in base.execute(f"pragma table_info({name})")]
            value = rng.choice(
                [*TEXTS, None, -1, 2**62, 1e308, float("inf"), b"\xff\xfe", random.Random(rng.random()).randbytes(50)]
            )
            with contextlib.suppress(sqlite3.Error, UnicodeError):
                base.execute(f"update {name} set {rng.choice(columns)} = ? where rowid % ? = 0", (value, rng.randint(1, 3)))
    return command(rng)


def changed_tables(rng, folder):
    """Tables that are renamed, emptied, wider, views, or guarded by triggers."""
    run = copied(folder)
    statement = rng.choice(
        [
            "drop table points",
            "drop table facts",
            "delete from facts",
            "delete from points",
            "alter table points rename to spots",
            "alter table points add column more text",
            "alter table points drop column seconds",
            "create table memo (a)",
            "alter table facts rename column value to content",
            "create trigger t after insert on points begin delete from facts; end",
            "pragma user_version = 99",
            "insert into points select * from points limit 0",
        ]
    )
    with contextlib.closing(sqlite3.connect(run / "run.sqlite")) as base, base, contextlib.suppress(sqlite3.Error):
        base.execute(statement)
    return command(rng)


def hostile_settings(rng, folder):
    """The database names other code than the user's."""
    run = copied(folder)
    with contextlib.closing(sqlite3.connect(run / "run.sqlite")) as base, base:
        for name, value in list(base.execute("select name, value from facts")):
            new = str(value).replace("net.py:make", rng.choice(["os:getcwd", "hostile.py:make", "subprocess:Popen"]))
            base.execute("update facts set value = ? where name = ?", (new, name))
    (folder / "hostile.py").write_text(f"open({MARK!r}, 'w')\n{NETWORK}")
    return Case(("resume", "run"))


def odd_folders(rng, folder):
    kind = rng.randrange(6)
    if kind == 0:
        (folder / "run").mkdir()
    elif kind == 1:
        (folder / "run").write_bytes(b"x")
    elif kind == 2:
        (folder / "run").mkdir()
        (folder / "run" / "run.sqlite").write_bytes(rng.choice([b"", b"SQLite format 3\0" + bytes(200), b"x" * 5000]))
    elif kind == 3:
        (folder / "run").symlink_to("run")
    elif kind == 4:
        os.mkfifo(folder / "run")
    return command(rng)


def unreadable_sidecars(rng, folder):
    """Files that SQLite reads beside the database."""
    run = copied(folder)
    (run / rng.choice(["run.sqlite-wal", "run.sqlite-journal", "run.sqlite-shm"])).write_bytes(
        rng.randbytes(rng.choice([10, 5000, 40_000]))
    )
    return command(rng)


VARIANTS = {
    **{
        f"{how}, {what}": spoiled(how, pattern)
        for how in SPOIL
        for what, pattern in (("database", "run.sqlite"), ("arrays", "blobs/*.npz"))
    },
    "files removed": removed,
    "files replaced": replaced,
    "arrays exchanged": swapped,
    "changed rows": changed_rows,
    "changed tables": changed_tables,
    "other code named": hostile_settings,
    "odd folders": odd_folders,
    "files beside the database": unreadable_sidecars,
}
