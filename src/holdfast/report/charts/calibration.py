"""How sure the network is against how often it is right, and what it takes for what."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup

from holdfast.core.estimate import proportion
from holdfast.report.charts.picture import Picture, clip, join
from holdfast.report.plot import Plot, nice_ticks, text_width
from holdfast.report.wording import class_words, interval, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.report.measured import ConfusionsEntry, ReliabilityEntry

__all__ = ["confusion", "listed_confusions", "reliability"]

MOST_CLASSES = 12
MOST_PAIRS = 12
UPRIGHT = 3  # letters of a name that fits over its column; longer ones are turned
LONGEST = 14  # letters of a class's name in the table
COLUMN = 330  # px, the narrowest column of the page


def reliability(bins: ReliabilityEntry, *, note: str = "") -> Picture | None:
    """Share of right answers against confidence, with Wilson intervals; on the diagonal a network is as right as it is sure."""
    rows = [
        (confidence, accuracy, count)
        for confidence, accuracy, count in zip(bins.confidence, bins.accuracy, bins.count, strict=False)
        if confidence is not None and accuracy is not None and count > 0
    ]
    if not rows:
        return None
    low = math.floor(10 * min(min(row[0], row[1]) for row in rows) - 1e-9) / 10
    low = max(0.0, min(low, 0.8))
    plot = Plot(x=(low, 1.0), y=(low, 1.0), left=36, top=24, bottom=38, height=264, right=14)
    ticks = [(tick, number(tick)) for tick in nice_ticks(low, 1, 5)]
    plot.axes(ticks, ticks, x_label="confidence", y_label="accuracy").line([(low, low), (1, 1)], "chance")
    plot.line([(confidence, accuracy) for confidence, accuracy, _ in rows], "s0")
    for confidence, accuracy, count in rows:
        share = proportion(round(accuracy * count), count)
        plot.whisker(confidence, (share.lo, share.hi), "s0")
        told = interval(accuracy, share.lo, share.hi)
        tip = f"confidence {number(confidence)}\naccuracy {told}\n{count} examples"
        plot.dot((confidence, accuracy), "s0", tip, radius=3)
    told = ", ".join(f"{number(accuracy)} at confidence {number(confidence)}" for confidence, accuracy, _ in rows)
    return Picture(title="Reliability", note=note, body=plot.render(f"Accuracy against confidence: {told}."))


def confusion(counts: Sequence[Sequence[int]], names: Sequence[str]) -> Picture | None:
    """Counts of true against predicted class as a table; with many classes only the most frequent confusions."""
    classes = len(counts)
    if not classes or any(len(row) != classes for row in counts):
        return None
    labels = _labels(names, classes)
    wrong = [(count, true, guess) for true, row in enumerate(counts) for guess, count in enumerate(row) if true != guess and count]
    wrong.sort(key=_by_frequency)
    totals = [sum(row) for row in counts]
    if classes > MOST_CLASSES:
        return _most_frequent(wrong, labels, totals, errors=sum(entry[0] for entry in wrong))
    note = _note(wrong, labels, errors=sum(entry[0] for entry in wrong), total=sum(totals))
    widest = max(text_width(clip(label, LONGEST)) for label in labels) + sum(_column(counts, place) for place in range(classes))
    return Picture(title="Confusion", note=note, body=_square(counts, labels), span=1 if widest < COLUMN else 2)


def listed_confusions(entry: ConfusionsEntry, names: Sequence[str]) -> Picture:
    """The most frequent confusions out of a list of them."""
    wrong = sorted(zip(entry.count, entry.true, entry.predicted, strict=True), key=_by_frequency)
    return _most_frequent(wrong, _labels(names, len(entry.rows)), entry.rows, errors=sum(entry.count) + entry.unlisted)


def _labels(names: Sequence[str], classes: int) -> list[str]:
    return [names[place] if place < len(names) else str(place) for place in range(classes)]


def _by_frequency(entry: tuple[int, int, int]) -> tuple[int, int, int]:
    return (-entry[0], entry[1], entry[2])


def _note(wrong: Sequence[tuple[int, int, int]], labels: Sequence[str], *, errors: int, total: int) -> str:
    note = f"{errors} of {total} {'is' if errors == 1 else 'are'} wrong"
    if wrong:
        count, true, guess = wrong[0]
        truth, answer = (class_words(clip(labels[place], 24)) for place in (true, guess))
        note += f"; most often {truth} is taken for {answer} ({count})"
    return f"{note}."


def _most_frequent(wrong: Sequence[tuple[int, int, int]], labels: Sequence[str], totals: Sequence[int], *, errors: int) -> Picture:
    note = _note(wrong, labels, errors=errors, total=sum(totals))
    return Picture(title="Most frequent confusions", note=note, body=_pairs(wrong[:MOST_PAIRS], labels, totals))


def _pairs(wrong: Sequence[tuple[int, int, int]], labels: Sequence[str], totals: Sequence[int]) -> Markup:
    rows = [
        Markup('<tr><td>{}</td><td>{}</td><td class="num">{}</td><td class="num">{:.1%}</td></tr>').format(
            labels[true], labels[guess], count, count / totals[true]
        )
        for count, true, guess in wrong
    ]
    head = Markup(
        '<thead><tr><th>true</th><th>predicted</th><th class="num">count</th><th class="num">of its class</th></tr></thead>'
    )
    return Markup('<div class="scroll"><table>{}<tbody>{}</tbody></table></div>').format(head, join(rows))


def _column(counts: Sequence[Sequence[int]], place: int) -> float:
    """Width of a column of the square table in px."""
    return max(28.0, 9 + max(text_width(str(row[place])) for row in counts))


def _full(label: str) -> Markup:
    """The whole name as a tooltip, where it is cut."""
    return Markup(' title="{}"').format(label) if len(label) > LONGEST else Markup("")


def _square(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Markup:
    head = join(Markup('<th scope="col"{}><span>{}</span></th>').format(_full(label), clip(label, LONGEST)) for label in labels)
    rows = []
    for true, row in enumerate(counts):
        total = sum(row) or 1
        cells = [
            Markup('<td class="{}" style="--v:{:.3f}" title="{} taken for {}: {} of {}">{}</td>').format(
                "right" if guess == true else "wrong",
                math.sqrt(count / total),
                labels[true],
                labels[guess],
                count,
                total,
                count or "·",
            )
            for guess, count in enumerate(row)
        ]
        rows.append(
            Markup('<tr><th scope="row"{}>{}</th>{}</tr>').format(_full(labels[true]), clip(labels[true], LONGEST), join(cells))
        )
    return Markup(
        '<div class="scroll"><table class="grid confusion{}"><caption>rows: true class, columns: predicted class</caption>'
        "<thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(" named" if max(map(len, labels)) > UPRIGHT else "", head, join(rows))
