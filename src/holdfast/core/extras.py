"""Optional dependencies, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from holdfast.core.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["data_frame", "import_extra"]


def import_extra(module: str, *, extra: str, purpose: str) -> Any:
    """The installed `module`.

    Parameters
    ----------
    module : what to import
    extra : the extra of holdfast that installs it
    purpose : what needs it, the subject of the message, e.g. ``"a data frame"``

    Raises
    ------
    MissingExtraError : it is not installed; the message gives the command that installs it
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            f'{purpose} needs {error.name}, which is not installed here. Install it: pip install "holdfast[{extra}]".'
        ) from error


def data_frame(rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str] = ()) -> Any:
    """`rows` as a pandas data frame: the `columns` first, then the others in the order in which they come.

    Raises
    ------
    MissingExtraError : pandas is not installed
    """
    pandas = import_extra("pandas", extra="tables", purpose="a data frame")
    return pandas.DataFrame(list(rows), columns=list(dict.fromkeys([*columns, *(key for row in rows for key in row)])))
