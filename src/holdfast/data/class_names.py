"""Names of classes in the order of a network's outputs, and labels renumbered to that order.

Folders of images number their classes by the order of their names. A class that is missing then shifts all later numbers, so the
numbers are taken from a list of names wherever there is one.
"""

from __future__ import annotations

from collections import Counter
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import nearest, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["folded", "places_of", "read_class_names", "renumbered"]

MOST_BYTES = 2**22  # of a file of names


def read_class_names(classes: str | PathLike[str] | Sequence[str]) -> tuple[str, ...]:
    """The names of all classes, in the order of the network's outputs.

    Parameters
    ----------
    classes : path to a text file with one name per line (UTF-8; empty lines at the end do not count), or the names themselves

    Raises
    ------
    InputError : no such file, one that is not text, an empty line between names, fewer than two names

    Examples
    --------
    >>> read_class_names(["ant", "bee", "cow"])
    ('ant', 'bee', 'cow')
    """
    names = _lines(Path(classes)) if isinstance(classes, str | PathLike) else tuple(classes)
    if not all(isinstance(name, str) for name in names):
        refuse("classes", f"holds a {next(type(n).__name__ for n in names if not isinstance(n, str))}", allowed="names, as text")
    if len(names) < 2:
        refuse("classes", f"holds {len(names)} names", allowed="the name of each output of the network, two or more")
    blank = next((place for place, name in enumerate(names) if not name.strip()), None)
    if blank is not None:
        refuse("classes", f"has no name in line {blank + 1}", allowed="one name per line, in the order of the network's outputs")
    return names


def _lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        refuse("classes", f"is {str(path)!r}, and there is no such file", allowed="a text file with one name per line")
    if path.stat().st_size > MOST_BYTES:
        refuse("classes", f"is {str(path)!r} of {path.stat().st_size} bytes", allowed=f"a text file of at most {MOST_BYTES} bytes")
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError:
        refuse("classes", f"is {str(path)!r}, which is not text in UTF-8", allowed="a text file with one name per line")
    return tuple(line.strip() for line in lines)


def folded(name: str) -> str:
    """A name without what file systems and people write differently: case, and ``_`` or ``-`` for a space.

    Examples
    --------
    >>> folded("Tiger_Shark") == folded("tiger shark")
    True
    """
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def places_of(own: Sequence[str], names: Sequence[str]) -> list[int | None]:
    """Where each of the names `own` stands in `names`: the same text, else the same but for case, ``_`` and ``-``.

    None stands for a name that is absent or found more than once.

    Examples
    --------
    >>> places_of(["cat", "tiger_shark", "emu"], ["dog", "Cat", "tiger shark"])
    [1, 2, None]
    """
    exact, loose = _unique(names), _unique([folded(name) for name in names])
    return [exact.get(name, loose.get(folded(name)) if name not in names else None) for name in own]


def _unique(names: Sequence[str]) -> dict[str, int]:
    counted = Counter(names)
    return {name: place for place, name in enumerate(names) if counted[name] == 1}


def renumbered(labels: np.ndarray, own: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """`labels` (n,), places in the names `own`, as places in `names`.

    Raises
    ------
    InputError : a name of `own` is absent from `names` or stands there twice; the nearest one is given

    Examples
    --------
    >>> renumbered(np.array([0, 1, 1]), ["ant", "cow"], ["ant", "bee", "cow"])
    array([0, 2, 2])
    """
    places = places_of(own, names)
    for name, place in zip(own, places, strict=True):
        if place is None:
            _refuse_name(name, names)
    return np.array(places, dtype=np.int64)[labels]


def _refuse_name(name: str, names: Sequence[str]) -> None:
    if folded(name) in map(folded, names):
        refuse("classes", f"holds {name!r} more than once", allowed="one line for each class of the data")
    close = nearest(name, names)
    refuse(
        "classes",
        f"lacks {name!r}, which is a class of the data",
        allowed=f"names that include each class of the data; these are {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}",
        remedy=f"Did you mean {close!r}?" if close else "",
    )
