"""What joins the stresses: the table of right and wrong per example, the strength at which each example breaks, pictures."""

from __future__ import annotations

from collections import deque
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from holdfast.auditing.joined import WORST_CASE, Attack, join_attacks
from holdfast.core.runner import measurements
from holdfast.core.stress import Axis
from holdfast.report import CrossColumn, ImageEntry, breaking_point, cross_view, panels, row_name
from holdfast.report.wording import strength

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from holdfast.auditing.frame import Frame
    from holdfast.auditing.plan import PlannedStress
    from holdfast.core.experiment import Measurement, Point, Summary
    from holdfast.core.store import Record
    from holdfast.core.stress import Stress
    from holdfast.report import Cross

__all__ = ["cross_of", "images_of", "joint_arrays", "per_example_arrays"]

MOST_ROWS = 1000  # of the cross view, so that the page stays small
MOST_IMAGES = 12  # examples, each in three thumbnails
NO_WORDS = Axis()


def _label(stress: Stress, at: Point) -> str:
    """The stress by its short name, and its point; a number stands behind the name of its axis, one of queries before it."""
    called = stress.short or stress.name.replace("_", " ")
    parts = []
    for key, value in at.items():
        told, axis = strength(key, value), stress.axes.get(key, NO_WORDS).symbol or key.replace("_", " ")
        if key == "queries":
            told = f"{told} {axis}"
        elif not isinstance(value, str) and axis not in called:
            told = f"{axis} {told}"
        parts.append(told)
    return " ".join([called, *parts])


def _padded(correct: NDArray[Any], n: int) -> NDArray[np.float64]:
    """Right (1) or wrong (0) for the first rows, NaN for those that the stress did not use."""
    row = np.full(n, np.nan)
    row[: min(n, len(correct))] = correct[:n]
    return row


def _telling(entries: Sequence[tuple[Point, Measurement]], chance: float) -> tuple[Point, Measurement]:
    """The stressed point whose accuracy is nearest to half way between the best one's and chance: it splits the examples best.

    Of equal ones the last, which is the strongest of most stresses.
    """
    stressed = [entry for entry in entries if 0 not in entry[0].values()] or entries
    best = max(found.estimates["accuracy"].value for _, found in entries)
    return min(reversed(stressed), key=lambda entry: abs(entry[1].estimates["accuracy"].value - (best + chance) / 2))


def cross_of(lines: Sequence[PlannedStress], records: Sequence[Record], *, index: NDArray[np.int64], chance: float) -> Cross | None:
    """The cross view over all stresses that kept right and wrong per example.

    Parameters
    ----------
    lines, records : of the run
    index : place of each used example in the user's data
    chance : accuracy of guessing
    """
    n = min(MOST_ROWS, len(index))
    columns, breaking, margins = [], [], None
    for line in lines:
        entries = [entry for entry in measurements(line.stress, records) if "correct" in entry[1].arrays]
        if not entries:
            continue
        point, found = _telling(entries, chance)
        columns.append(
            (
                CrossColumn(stress=line.stress.name, label=_label(line.stress, point), at=dict(point)),
                _padded(found.arrays["correct"], n),
            )
        )
        if margins is None and not point and "margin" in found.arrays:
            margins = found.arrays["margin"][:n]
        main = [entry for entry in entries if len(entry[0]) == 1]
        if len(main) > 1:
            axis = next(iter(main[0][0]))
            ordered = sorted(main, key=lambda entry: -entry[0][axis]) if axis == "scale" else main
            rights = [(entry[0][axis], entry[1].arrays["correct"][:n]) for entry in ordered]
            breaking.append(breaking_point(line.stress.name, rights, axis=axis))
    if margins is not None and len(margins) < n:
        margins = None
    return cross_view(columns, examples=index[:n], margins=margins, breaking=breaking) if columns else None


def per_example_arrays(records: Sequence[Record], n: int) -> dict[str, NDArray[Any]]:
    """All per-example arrays by name; rows that a stress did not use are -1 in whole numbers and NaN in the others."""
    arrays: dict[str, NDArray[Any]] = {}
    for record in records:
        if record.measurement is None:
            continue
        for column, array in record.measurement.arrays.items():
            if not column.startswith("shown_") and array.ndim and len(array) <= n:
                arrays[row_name(record.experiment, record.at, column)] = _filled(array, n)
    return arrays


def joint_arrays(
    lines: Sequence[PlannedStress], records: Sequence[Record], summaries: Mapping[str, Summary], n: int
) -> dict[str, NDArray[Any]]:
    """The same for what several points say together: quantities that kept their rows, and the worst case over all attacks."""
    arrays = {
        row_name(name, quantity.at, quantity.name): _filled(quantity.rows, n)
        for name, summary in summaries.items()
        for quantity in summary.quantities
        if quantity.rows is not None and len(quantity.rows) <= n
    }
    found = join_attacks(lines, records)
    for point in found.points if found is not None else ():
        if point.accuracy is not None:
            arrays[row_name(WORST_CASE, {"eps": point.eps}, "correct")] = _filled(point.right, n)
        if point.common is not None:
            common = {"eps": point.eps, "examples": point.common.n}
            arrays[row_name(WORST_CASE, common, "accuracy")] = _filled(point.right[: point.common.n], n)
    return arrays


def _filled(array: NDArray[Any], n: int) -> NDArray[Any]:
    if len(array) == n:
        return array
    floating = np.issubdtype(array.dtype, np.floating)
    filled = np.full((n, *array.shape[1:]), np.nan if floating else -1, dtype=array.dtype if floating else np.int32)
    filled[: len(array)] = array
    return filled


def _class_name(names: Sequence[str], predicted: int) -> str:
    return names[predicted] if predicted >= 0 else "not finite"


def images_of(lines: Sequence[PlannedStress], records: Sequence[Record], frame: Frame) -> list[ImageEntry]:
    """Pictures that stresses kept, of attacks the mildest damaging point; stresses take turns, and no example is shown twice."""
    waiting = [deque(_pictured(line.stress, records)) for line in lines]
    images: dict[int, ImageEntry] = {}
    while any(waiting) and len(images) < MOST_IMAGES:
        for pictures in waiting:
            while pictures and _row(pictures[0]) in images:
                pictures.popleft()
            if pictures and len(images) < MOST_IMAGES:
                images[_row(pictures[0])] = _image(pictures[0], frame=frame)
    order = [line.stress.name for line in lines]
    return sorted(images.values(), key=lambda image: order.index(image.stress))


class _Pictured(NamedTuple):
    """One picture that a point of a stress kept, by its place among the others of the point."""

    stress: Stress
    point: Point
    found: Measurement
    place: int


def _row(picture: _Pictured) -> int:
    return int(picture.found.arrays["shown_index"][picture.place])


def _pictured(stress: Stress, records: Sequence[Record]) -> list[_Pictured]:
    """What `stress` has pictures of; its points take turns: the mildest of an attack, some of the more harmful half of others."""
    kept = [(point, found) for point, found in measurements(stress, records) if "shown_index" in found.arrays]
    if isinstance(stress, Attack):
        chosen = kept[:1]
    else:
        milder = sorted(kept, key=lambda entry: -entry[1].estimates["accuracy"].value)
        chosen = milder[len(kept) // 2 :: max(1, len(kept) // 4)]
    each = [[_Pictured(stress, *entry, place) for place in range(len(entry[1].arrays["shown_index"]))] for entry in chosen]
    return [entry for turn in zip_longest(*each) for entry in turn if entry is not None]


def _image(picture: _Pictured, *, frame: Frame) -> ImageEntry:
    stress, point, found, place = picture
    names, shown, row = frame.target.class_names, found.arrays, _row(picture)
    return ImageEntry(
        example=int(frame.index[row]),
        truth=names[int(frame.labels[row])],
        before=names[int(shown["shown_before"][place])] if "shown_before" in shown else "",
        after=_class_name(names, int(shown["prediction"][row])),
        stress=stress.name,
        card=stress.card.name,
        at=dict(point) | ({"eps": stress.strength(point)[1]} if isinstance(stress, Attack) else {}),
        panels=panels(shown["shown_clean"][place], shown["shown_stressed"][place]),
    )
