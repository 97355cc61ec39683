"""A file is there and whole or not there; its name reaches the disk too; a killed writer's scratch goes at the next start."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.core.durable import is_scratch, remove_scratch, write_atomically
from holdfast.core.file_systems import file_system, is_on_network, mounts_of

LINUX = r"""overlay / overlay rw 0 0
proc /proc proc rw 0 0
auto.home /home autofs rw 0 0
tank:/home /home nfs4 rw,relatime,vers=4.2 0 0
//server/all /mnt/my\040share cifs rw 0 0
me@host:/ /home/me/far fuse.sshfs rw 0 0
/dev/sdb1 /home/me/far/disk ext4 rw 0 0
"""
MACOS = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
devfs on /dev (devfs, local, nobrowse)
map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)
//me@tank._smb._tcp.local/all on /Volumes/all (of it) (smbfs, nodev, nosuid, mounted by me)
tank:/export on /Volumes/export (nfs, nodev, nosuid, mounted by me)
"""


@pytest.mark.parametrize(
    ("system", "text", "folder", "kind"),
    [
        ("linux", LINUX, "/tmp/run", "overlay"),
        ("linux", LINUX, "/home/me/run", "nfs4"),  # the later of two mounts on one point is the one that is seen
        ("linux", LINUX, "/mnt/my share/run", "cifs"),
        ("linux", LINUX, "/mnt/my", "overlay"),
        ("linux", LINUX, "/home/me/far/run", "fuse.sshfs"),
        ("linux", LINUX, "/home/me/far/disk/run", "ext4"),
        ("darwin", MACOS, "/Users/me/run", "apfs"),
        ("darwin", MACOS, "/Volumes/all (of it)/run", "smbfs"),
        ("darwin", MACOS, "/Volumes/export/run", "nfs"),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_the_nearest_mount(system, text, folder, kind):
    assert file_system(Path(folder), mounts_of(system, text)) == kind


@pytest.mark.parametrize(
    ("folder", "shared"),
    [
        ("/home/me/run", True),
        ("/mnt/my share/run", True),
        ("/home/me/far/run", True),
        ("/home/me/far/disk", False),
        ("/tmp", False),
    ],
)
def test_file_systems_that_other_machines_share_are_recognised(monkeypatch, folder, shared):
    monkeypatch.setattr("holdfast.core.file_systems._mounts", lambda: mounts_of("linux", LINUX))
    assert is_on_network(Path(folder)) is shared


def test_the_name_of_a_file_is_flushed_after_its_content(tmp_path, monkeypatch):
    flushed = []
    flush = os.fsync

    def watched(handle):
        found = os.fstat(handle)
        names = sorted(entry.name for entry in (tmp_path / "deep" / "er").iterdir()) if stat.S_ISDIR(found.st_mode) else []
        flushed.append((found.st_ino, names))
        flush(handle)

    monkeypatch.setattr(os, "fsync", watched)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write_atomically(tmp_path / "deep" / "er" / "a.txt", lambda path: path.write_text("whole"))
    file, folder = (tmp_path / "deep" / "er" / "a.txt").stat().st_ino, (tmp_path / "deep" / "er").stat().st_ino
    assert flushed == [(file, []), (folder, ["a.txt"])]


def test_the_names_of_new_folders_are_flushed(tmp_path, monkeypatch):
    flushed = []
    flush = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (flushed.append(os.fstat(handle).st_ino), flush(handle))[1])
    write_atomically(tmp_path / "deep" / "er" / "a.txt", lambda path: path.write_text("whole"))
    assert flushed[:2] == [tmp_path.stat().st_ino, (tmp_path / "deep").stat().st_ino]


def test_a_writer_that_fails_leaves_the_file_before_it_and_no_scratch(tmp_path):
    write_atomically(tmp_path / "a.txt", lambda path: path.write_text("before"))

    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "a.txt", fail)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("a.txt", "before")]


KILLED = """
import os, signal, sys
from pathlib import Path
from holdfast.core.durable import write_atomically
def half(path):
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]) / "report.json", half)
"""


def test_the_scratch_file_of_a_killed_process_is_removed_and_nothing_else(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    scratch = [entry.name for entry in tmp_path.iterdir()]
    assert len(scratch) == 1
    assert is_scratch(scratch[0])
    others = (".report.json.swp", ".hidden.12.json", "thesis.txt", f".being-written.{os.getppid()}.scratch.npz")
    for name in others:
        (tmp_path / name).write_text("mine")
    remove_scratch(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(others)
