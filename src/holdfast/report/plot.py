"""A small SVG plot: scales, axes, bands, lines and points, coloured by classes so that the page's light and dark styles apply.

The page draws its own SVG and leaves matplotlib (:mod:`holdfast.core.figures`) to documents and users, because a page must be a
function of its record alone, to the byte, whatever version of a plotting library is installed; because every point carries its
number as a native tooltip that needs no script; and because it is small and quick: two curves of four points take 3 KB instead of
14 KB and less than a hundredth of the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from markupsafe import Markup, escape

from holdfast.report.wording import number

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TEXT", "Plot", "Scale", "nice_ticks", "spread", "text_width", "thin_ticks"]


TEXT = 12.0  # px, of all letters in a figure, as the style sheet has it; no page shrinks a figure by more than 4 %


def text_width(text: str, size: float = TEXT) -> float:
    """Width in px that a sans-serif text takes, estimated from above so that labels are never cut."""
    return size * sum(0.36 if letter in "iljtf.,:;|'!()[] /" else 1.0 if letter in "mMwW@%" else 0.64 for letter in text)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers in ``[low, high]``, about `count` of them.

    Examples
    --------
    >>> nice_ticks(0, 1, 5)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda width: abs(math.log(width / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


@dataclass(frozen=True)
class Scale:
    """A map from data to pixels.

    Parameters
    ----------
    low, high : ends of the data; may be in falling order
    start, stop : pixels of these ends
    """

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The pixel of `value`."""
        span = self.high - self.low
        return self.start + (self.stop - self.start) * ((value - self.low) / span if span else 0.5)


def thin_ticks(scale: Scale, ticks: Sequence[tuple[float, str]], *, gap: float = 6.0) -> list[tuple[float, str]]:
    """The ticks whose labels do not touch, the last and the first one before all others."""
    placed: list[tuple[float, float, float, str]] = []
    order = [*ticks[-1:], *ticks[:1], *ticks[1:-1]] if len(ticks) > 1 else list(ticks)
    for value, label in order:
        half, centre = text_width(label) / 2 + gap / 2, scale(value)
        if all(centre + half <= left or centre - half >= right for left, right, _, _ in placed):
            placed.append((centre - half, centre + half, value, label))
    return [(value, label) for _, _, value, label in sorted(placed)]


def spread(wanted: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Positions near `wanted`, at least `gap` apart and inside ``[low, high]`` as far as there is room, in the given order.

    Examples
    --------
    >>> spread([10, 11, 40], gap=12, low=0, high=100)
    [4.5, 16.5, 40.0]
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    blocks: list[list[float]] = []  # each: centre, members
    for index in order:
        blocks.append([wanted[index], 1])
        while len(blocks) > 1 and blocks[-1][0] - blocks[-2][0] < gap * (blocks[-1][1] + blocks[-2][1]) / 2:
            last, before = blocks.pop(), blocks.pop()
            size = last[1] + before[1]
            blocks.append([(last[0] * last[1] + before[0] * before[1]) / size, size])
    places = [centre + gap * (step - (size - 1) / 2) for centre, size in blocks for step in range(int(size))]
    for step, place in enumerate(places):
        places[step] = max(place, low if step == 0 else places[step - 1] + gap)
    for step in reversed(range(len(places))):
        places[step] = min(places[step], high if step == len(places) - 1 else places[step + 1] - gap)
    result = [0.0] * len(wanted)
    for place, index in zip(places, order, strict=True):
        result[index] = place
    return result


def _fixed(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_fixed(x)} {_fixed(y)}" for x, y in points)


@dataclass
class Plot:
    """An SVG under construction; each method adds something and returns the plot.

    Parameters
    ----------
    width, height : of the view box in px; the page scales it to its column
    left, right, top, bottom : margins in px
    x, y : ends of the two axes
    """

    width: float = 360
    height: float = 216
    left: float = 36
    right: float = 12
    top: float = 10
    bottom: float = 36
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)
    parts: list[str] = field(default_factory=list)

    @property
    def across(self) -> Scale:
        """Data to pixels, horizontally."""
        return Scale(*self.x, self.left, self.width - self.right)

    @property
    def up(self) -> Scale:
        """Data to pixels, vertically."""
        return Scale(*self.y, self.height - self.bottom, self.top)

    def add(self, markup: str) -> Self:
        """Raw SVG; the caller has escaped it."""
        self.parts.append(markup)
        return self

    def text(self, x: float, y: float, words: str, *, style: str = "ax", anchor: str = "start") -> Self:
        """Words at a pixel."""
        turn = {"start": "", "middle": " mid", "end": " end"}[anchor]
        return self.add(f'<text class="{style}{turn}" x="{_fixed(x)}" y="{_fixed(y)}">{escape(words)}</text>')

    def axes(
        self,
        x_ticks: Sequence[tuple[float, str]],
        y_ticks: Sequence[tuple[float, str]] | None = None,
        *,
        x_label: str = "",
        y_label: str = "",
    ) -> Self:
        """Horizontal grid lines, tick labels, and what the axes show; the quantity stands over the vertical axis."""
        right, base = self.width - self.right, self.height - self.bottom
        rows = y_ticks if y_ticks is not None else [(tick, number(tick)) for tick in nice_ticks(*self.y, 5)]
        for value, label in rows:
            self.add(f'<path class="grid" d="M{_fixed(self.left)} {_fixed(self.up(value))}H{_fixed(right)}"/>')
            self.text(self.left - 6, self.up(value) + 4, label, anchor="end")
        for value, label in thin_ticks(self.across, x_ticks):
            at = self.across(value)
            self.add(f'<path class="tick" d="M{_fixed(at)} {_fixed(base)}v4"/>')
            self.text(at, base + 17, label, anchor="middle")
        if x_label:
            self.text((self.left + right) / 2, base + 33, x_label, style="ax name", anchor="middle")
        return self.text(0, 11, y_label, style="ax name") if y_label else self

    def line(self, points: Sequence[tuple[float, float]], style: str) -> Self:
        """A line through data points."""
        pixels = [(self.across(x), self.up(y)) for x, y in points]
        return self.add(f'<path class="line {style}" d="{_path(pixels)}"/>') if pixels else self

    def band(self, lower: Sequence[tuple[float, float]], upper: Sequence[tuple[float, float]], style: str) -> Self:
        """The area between two lines."""
        around = [*lower, *reversed(upper)]
        pixels = [(self.across(x), self.up(min(max(y, min(self.y)), max(self.y)))) for x, y in around]
        return self.add(f'<path class="band {style}" d="{_path(pixels)}Z"/>') if len(lower) > 1 else self

    def whisker(self, x: float, ends: tuple[float, float], style: str) -> Self:
        """A vertical interval."""
        low, high = (self.up(min(max(end, min(self.y)), max(self.y))) for end in ends)
        return self.add(f'<path class="whisker {style}" d="M{_fixed(self.across(x))} {_fixed(low)}V{_fixed(high)}"/>')

    def dot(self, at: tuple[float, float], style: str, tip: str = "", *, radius: float = 2.6) -> Self:
        """A point with a tooltip and a generous area that answers to the pointer."""
        across, up = _fixed(self.across(at[0])), _fixed(self.up(at[1]))
        if radius:
            self.add(f'<circle class="dot {style}" cx="{across}" cy="{up}" r="{radius}"/>')
        return self.add(f'<circle class="hit" cx="{across}" cy="{up}" r="9"><title>{escape(tip)}</title></circle>') if tip else self

    def speckle(self, points: Sequence[tuple[float, float]], style: str) -> Self:
        """Many small points as one path."""
        if not points:
            return self
        marks = "".join(f"M{_fixed(self.across(x))} {_fixed(self.up(y))}h0" for x, y in points)
        return self.add(f'<path class="speckle {style}" d="{marks}"/>')

    def labels(self, entries: Sequence[tuple[float, str, str]], *, x: float, gap: float = 14) -> Self:
        """Names beside the ends of lines, moved apart where they would touch; entries are value, words, style."""
        wanted = [self.up(value) for value, _, _ in entries]
        places = spread(wanted, gap=gap, low=self.top + 2, high=self.height - self.bottom)
        for (_, words, style), place in zip(entries, places, strict=True):
            self.text(x, place + 4, words, style=f"name {style}")
        return self

    def render(self, alt: str, *, style: str = "plot", stretch: bool = False) -> Markup:
        """The SVG element; `alt` says in words what it shows."""
        aspect = ' preserveAspectRatio="none"' if stretch else ""
        box = f"0 0 {_fixed(self.width)} {_fixed(self.height)}"
        head = f'<svg class="{style}" viewBox="{box}"{aspect} role="img" aria-label="{escape(alt)}">'
        return Markup(head + "".join(self.parts) + "</svg>")  # noqa: S704  every text in `parts` went through escape
