"""The user's own Python objects, found by their address.

An address is ``package.module:name`` or ``path/to/file.py:name``; the current folder is importable, as it is for ``python -m``.
What goes wrong inside the user's code is shown as theirs: the message names the exception and its line, and the traceback stays
chained.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import nearest, refuse
from holdfast.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

__all__ = ["blame", "find", "is_address", "make_importable", "missing_file", "suggestion"]

SHOWN = 4  # names of files in a message


def suggestion(word: str, known: Iterable[str]) -> str:
    """The sentence that names the nearest known word; empty if none is near.

    Examples
    --------
    >>> suggestion("maek", ["make", "load"])
    "Did you mean 'make'?"
    """
    close = nearest(word, known)
    return f"Did you mean {close!r}?" if close else ""


def blame(error: BaseException, *, doing: str, hint: str = "") -> InputError:
    """The error to raise, ``from error``, when `doing` (e.g. ``"your factory `make`"``) raised `error`; `hint` is a remedy."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return InputError(f"{doing} raised {type(error).__name__}{': ' if text else ''}{text}{place}{'. ' if hint else ''}{hint}")


def missing_file(path: Path, *, parameter: str) -> None:
    """Refuse a path that is not a file; the message names the nearest file in the same folder."""
    if path.is_file():
        return
    folder = path.parent
    if not folder.is_dir():
        refuse(parameter, f"is {str(path)!r}, and there is no folder {str(folder)!r}", allowed="a file that exists")
    if path.is_dir():
        inside = sorted(str(entry) for entry in path.iterdir() if entry.is_file())
        remedy = f"In it lie {', '.join(inside[:SHOWN])}: pass one of these." if inside else ""
        refuse(parameter, f"is {str(path)!r}, which is a folder", allowed="a file that exists", remedy=remedy)
    names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    remedy = suggestion(path.name, names)
    refuse(parameter, f"is {str(path)!r}, which is no file", allowed="a file that exists", remedy=remedy)


def is_address(text: str) -> bool:
    """True for ``module:name``; a drive letter is not a module."""
    module, colon, attribute = text.rpartition(":")
    return bool(colon) and len(module) > 1 and all(part.isidentifier() for part in attribute.split("."))


def make_importable(folder: Path) -> None:
    """Put `folder` in front of ``sys.path``, unless it is there."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def find(address: str, *, parameter: str = "model") -> Any:
    """The object at `address`.

    The folder of a file, or the current folder, is put in front of ``sys.path`` and stays there, so that imports inside the
    user's functions and in worker processes work as well.

    Parameters
    ----------
    address : ``package.module:name`` or ``path/to/file.py:name``; the name may have dots
    parameter : how the user calls this argument, for messages

    Raises
    ------
    InputError : there is no such file, module or name (the nearest one is given), or importing it raised
    """
    place, _, name = address.rpartition(":")
    if not is_address(address):
        refuse(parameter, f"is {address!r}", allowed="package.module:name or path/to/file.py:name")
    is_file = place.endswith(".py")
    found: Any = _import_file(Path(place), parameter) if is_file else _import(place, folder=Path.cwd(), parameter=parameter)
    for part in name.split("."):
        if not hasattr(found, part):
            known = [word for word in dir(found) if not word.startswith("_")]
            got = f"names {part!r}, which {place!r} does not define"
            refuse(parameter, got, allowed=f"a name in {place}", remedy=suggestion(part, known))
        found = getattr(found, part)
    return found


def _import_file(path: Path, parameter: str) -> ModuleType:
    missing_file(path, parameter=parameter)
    path = path.resolve()
    folder, dotted = path.parent, path.stem
    while (folder / "__init__.py").exists():
        dotted, folder = f"{folder.name}.{dotted}", folder.parent
    module = _import(dotted, folder=folder, parameter=parameter)
    origin = getattr(module, "__file__", None)
    if origin is None or Path(origin).resolve() != path:
        remedy = "Rename the file, or give it by its package: package.module:name."
        refuse(
            parameter,
            f"is the file {path.name}, but {dotted!r} is already {origin or 'built in'}",
            allowed="one module a name",
            remedy=remedy,
        )
    return module


def _import(dotted: str, *, folder: Path, parameter: str) -> ModuleType:
    make_importable(folder)
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing and (dotted == missing or dotted.startswith(f"{missing}.")):
            refuse(
                parameter,
                f"names the module {dotted!r}, and there is no {missing!r}",
                allowed=f"an installed module or one in {folder}",
                remedy=suggestion(missing.rpartition(".")[2], _modules_beside(missing, folder)),
            )
        raise blame(error, doing=f"importing your module `{dotted}`") from error
    except (Exception, SystemExit) as error:
        raise blame(error, doing=f"importing your module `{dotted}`") from error


def _modules_beside(dotted: str, folder: Path) -> list[str]:
    """Names of the modules in the place where `dotted` was looked for."""
    package = sys.modules.get(dotted.rpartition(".")[0])
    paths = list(getattr(package, "__path__", [])) if "." in dotted else [str(folder)]
    return [entry.name for entry in pkgutil.iter_modules(paths)]
