"""What a chart function gives, and two small makers of HTML that several charts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Picture", "clip", "join"]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure with its words.

    Parameters
    ----------
    title : what it shows
    note : how to read it, or which number matters
    body : SVG or HTML
    span : columns of the page that it asks for: 1, 2, or 3 for its whole width
    """

    title: str
    body: Markup
    note: str = ""
    span: int = 1


def join(parts: Iterable[Markup | str]) -> Markup:
    """The parts one after another; plain text among them is escaped."""
    return Markup("").join(parts)


def clip(text: str, letters: int) -> str:
    """`text` cut to at most `letters` letters, with an ellipsis where it was cut.

    Examples
    --------
    >>> clip("gaussian noise", 9)
    'gaussian…'
    """
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"
