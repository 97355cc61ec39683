"""What a stored run would execute when it is resumed, and whether the user agreed to that.

A run folder is data. The settings in it may name any Python code, so they are followed without asking only where this
installation began the run with exactly these settings, from the same files; the proof is a keyed digest
(:mod:`holdfast.core.seal`), which neither a copied nor an edited database of another installation has.
"""

from __future__ import annotations

import shlex
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from holdfast.auditing.loading import locate
from holdfast.auditing.settings import AuditSettings
from holdfast.core.checks import as_written, refuse
from holdfast.core.seal import fits_seal, seal
from holdfast.data import IMAGE_SETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.core.store import Store

__all__ = ["agreed_settings", "named_code", "resumption", "seal_start"]


def named_code(settings: AuditSettings) -> dict[str, str]:
    """What loading model and data of `settings` would execute: the setting, and what it names with the file it leads to.

    Examples
    --------
    >>> named_code(AuditSettings())
    {}
    """
    found: dict[str, str] = {}
    model = settings.model
    if model.source is not None:
        arguments = f" with {', '.join(model.arguments)}" if model.arguments else ""
        pickled = ", executing a pickle if it holds one" if model.unsafe_pickle else ""
        found["model"] = _described(model.source) + arguments + pickled
    for name in ("source", "unlabelled"):
        text = getattr(settings.data, name)
        if text is not None and text not in IMAGE_SETS and not Path(text).is_dir() and locate.is_address(text):
            found["data" if name == "source" else name] = _described(text)
    return found


def _described(text: str) -> str:
    """A file with its full path; a module with the file it is found in from this folder."""
    place = text.rpartition(":")[0] if locate.is_address(text) else text
    if place != text and not place.endswith(".py"):
        spec = PathFinder.find_spec(place.partition(".")[0], [str(Path.cwd()), *sys.path])
        places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
        return f"{text} ({next(filter(None, places), 'not found')}, from {Path.cwd()})"
    return f"{text} ({Path(place).resolve()})"


def seal_start(settings: AuditSettings, code: Mapping[str, str]) -> str | None:
    """The proof that this installation began a run with `settings` and their :func:`named_code`; None where no key can be kept."""
    return seal(settings.model_dump(mode="json"), code)


def resumption(folder: Path, settings: AuditSettings, proof: str | None) -> str:
    """The command that resumes the run in `folder`; with the user's consent in it where no key could be kept for a `proof`."""
    consent = ["--trust"] if proof is None and named_code(settings) else []
    return shlex.join(["holdfast", "resume", str(folder), *consent])


def agreed_settings(store: Store, folder: str, *, trust: bool) -> AuditSettings:
    """The settings in `store`, if what they would execute is nothing, was begun here, or is trusted by the user.

    Parameters
    ----------
    store : of the run
    folder : as the user wrote it
    trust : the user agrees to all code that the settings name

    Raises
    ------
    InputError : another kind of run, objects instead of names, settings of no audit, or code without consent
    """
    config = _config(store, folder)
    try:
        settings = AuditSettings.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        got = f"is {folder!r}, whose setting {'.'.join(map(str, first['loc']))!r} cannot be used ({first['msg']})"
        refuse("folder", got, allowed="runs as `holdfast audit` of this version stores them")
    code = named_code(settings)
    if code and not trust and not fits_seal(store.fact("seal"), config, code):
        shown = "; ".join(f"--{name} {text}" for name, text in code.items())
        refuse(
            "folder",
            f"is {folder!r}, which this installation did not begin as it stands, and resuming it would execute code: {shown}",
            allowed="runs that were begun here, from this working folder, and not changed since",
            remedy=f"If you trust all of this code: {as_written('trust')}.",
        )
    return settings


def _config(store: Store, folder: str) -> Mapping[str, Any]:
    """The stored settings of an audit."""
    identity, config = store.fact("identity"), store.fact("config")
    if isinstance(identity, dict) and identity.get("kind") == "study":
        refuse(
            "folder",
            f"is {folder!r}, the run of a study",
            allowed="runs of `holdfast audit`",
            remedy=f"Call `holdfast study run` again with the same name, preset and seed and {as_written('out', folder)}.",
        )
    if config is None:
        refuse(
            "folder",
            f"is {folder!r}, a run that ended before its settings were stored",
            allowed="runs that have begun to measure",
            remedy="Give the command that began it again.",
        )
    if not isinstance(config, dict) or store.fact("objects"):
        refuse(
            "folder",
            f"is {folder!r}, whose model or data were Python objects",
            allowed="runs of the command line",
            remedy=f"Call holdfast.audit(model, data, out={folder!r}) again: it keeps what was measured.",
        )
    return config
