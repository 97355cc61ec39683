"""Files of device curves as settings of a stress: read early, recognised by their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from holdfast.core.checks import refuse
from holdfast.core.errors import InputError
from holdfast.devices import CharacteristicCurves
from holdfast.devices.measured import read_columns

__all__ = ["checked_curves", "read_curves"]

SETTING = "device.activation_variation.curves"
FEWEST = 4
RESAMPLED = 257  # drives of the grid that unequal steps are brought to


def read_curves(path: str) -> CharacteristicCurves:
    """The curves of a file, on a uniform grid whatever the drives were.

    Raises
    ------
    InputError : no such file, no table of numbers, a drive that occurs twice, fewer than 4 drives, a nominal device twice
        or without answer
    """
    if not Path(path).is_file():
        refuse(
            SETTING,
            f"is {path!r}: there is no such file",
            allowed="a CSV file of one drive and one output per device in each line",
            remedy="`holdfast device thermal-sigmoid --samples 200 --spread alpha=0.05` writes one.",
        )
    try:
        found, _, names = read_columns(path)
        drives = np.sort(found)
        if names.count("nominal") > 1:
            refuse("path", f"has {names.count('nominal')} columns 'nominal'", allowed="one, or none and their mean takes its place")
        if len(drives) < FEWEST:
            refuse("path", f"has {len(drives)} drives", allowed=f"at least {FEWEST}")
        uniform = np.allclose(np.diff(drives), np.ptp(drives) / (len(drives) - 1), rtol=1e-6, atol=0)
        curves = CharacteristicCurves.from_csv(path, resample=len(drives) if uniform else RESAMPLED)
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(f"`{SETTING}` cannot be read from {path!r}: {error}") from error
    assert curves.nominal is not None
    if not np.ptp(curves.nominal) > 0:
        refuse(SETTING, f"has in {path!r} a nominal device that does not answer its drive", allowed="curves that rise or fall")
    return curves


def checked_curves(path: str, digest: str) -> str:
    """The digest of a file that holds curves; one that differs from a given `digest` is refused."""
    read_curves(path)
    found = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    if digest not in {"", found}:
        refuse(f"{SETTING}_digest", f"is {digest} and the file {path!r} has {found}", allowed="the file that the run began with")
    return found
