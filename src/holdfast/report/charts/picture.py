"""What a chart function gives, and two small makers of HTML that several charts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Picture", "clip", "distinct", "join"]


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


def distinct(labels: Sequence[str], letters: int) -> list[str]:
    """The labels without the first words that all have in common, cut to at most `letters` letters.

    Examples
    --------
    >>> distinct(["line shape simulated", "line shape from theory"], 12)
    ['simulated', 'from theory']
    >>> distinct(["pgd", "pgd targeted"], 12)
    ['pgd', 'pgd targeted']
    """
    words = [label.split() for label in labels]
    common = 0
    while len(labels) > 1 and all(len(found) > common + 1 for found in words) and len({found[common] for found in words}) == 1:
        common += 1
    return [clip(" ".join(found[common:]), letters) for found in words]


def clip(text: str, letters: int) -> str:
    """`text` cut to at most `letters` letters, with an ellipsis where it was cut.

    Examples
    --------
    >>> clip("gaussian noise", 9)
    'gaussian…'
    """
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"
