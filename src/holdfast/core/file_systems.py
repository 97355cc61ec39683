"""On which kind of file system a folder lies, as far as Linux and macOS say; elsewhere nothing is known."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

__all__ = ["file_system", "is_on_network", "mounts_of"]

NETWORK = {
    *("nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "webdav", "9p", "afs", "ceph", "lustre", "gpfs"),
    *("beegfs", "glusterfs", "ocfs2", "gfs2", "pvfs2", "orangefs", "panfs", "vboxsf", "prl_fs", "macfuse", "osxfuse", "fuse"),
}
LOCAL_FUSE = {"fuse.fuse-overlayfs"}  # every other file system in user space may lie anywhere


def mounts_of(system: str, text: str) -> list[tuple[str, str]]:
    r"""Pairs of mount point and type of file system, in the order in which they were mounted.

    Parameters
    ----------
    system : ``"linux"``, whose `text` is that of ``/proc/self/mounts``, or ``"darwin"``, whose `text` is printed by ``mount``

    Examples
    --------
    >>> mounts_of("linux", "tank:/home /home nfs4 rw,relatime 0 0\nhost:/a /mnt/my\\040share nfs rw 0 0\n")
    [('/home', 'nfs4'), ('/mnt/my share', 'nfs')]
    >>> mounts_of("darwin", "//me@tank/all on /Volumes/my share (smbfs, nodev, nosuid, mounted by me)\n")
    [('/Volumes/my share', 'smbfs')]
    """
    if system == "darwin":
        lines = (re.fullmatch(r".+? on (/.*) \(([^,)]+).*\)", line) for line in text.splitlines())
        return [(line[1], line[2]) for line in lines if line is not None]
    fields = (line.split() for line in text.splitlines())
    return [(_unescaped(parts[1]), parts[2]) for parts in fields if len(parts) > 2]


def _unescaped(text: str) -> str:
    r"""A mount point whose blanks were written as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def file_system(folder: Path, mounts: list[tuple[str, str]]) -> str:
    """The type of the file system that holds `folder`, an absolute path; empty if no mount point lies above it."""
    inside = [(len(where), order) for order, (where, _) in enumerate(mounts) if folder.is_relative_to(where)]
    return mounts[max(inside)[1]][1] if inside else ""


def is_on_network(folder: Path) -> bool:
    """True if `folder`, an absolute path, is known to lie on a file system that other machines may share."""
    kind = file_system(folder, _mounts())
    return kind in NETWORK or (kind.startswith("fuse.") and kind not in LOCAL_FUSE)


def _mounts() -> list[tuple[str, str]]:
    try:
        if sys.platform == "darwin":
            answer = subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=True, timeout=10)
            return mounts_of("darwin", answer.stdout)
        return mounts_of("linux", Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, subprocess.SubprocessError):
        return []
