"""Each chart says its numbers: in its geometry, in its tooltips and in its alternative text."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import report_samples as samples

from holdfast.core.curve import Curve
from holdfast.core.estimate import exact, mean_t, proportion
from holdfast.report import (
    Cross,
    CrossBreaking,
    CrossColumn,
    CurveEntry,
    Details,
    EstimateEntry,
    Layer,
    PointEntry,
    ReliabilityEntry,
    charts,
)
from holdfast.report.charts.intervals import verdict_strip
from holdfast.report.examples import ComparisonRow
from holdfast.report.judged import ClaimEntry


def entry(name="pgd", at=(0.0, 0.1, 0.2), hits=(95, 60, 5), **more):
    return CurveEntry.of(Curve(name=name, axis="eps", at=at, estimates=tuple(proportion(h, 100) for h in hits), **more))


def tree(picture):
    return ET.fromstring(str(picture.body))


def dots(root, style):
    return [
        (float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in root.iter("circle") if dot.attrib["class"] == f"dot {style}"
    ]


def test_equal_steps_of_accuracy_are_equal_steps_on_the_chart():
    curve = entry(hits=(90, 60, 30))
    heights = [up for _, up in dots(tree(charts.curve_chart([("PGD", curve)], title="t")), "s0")]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.11)
    assert heights[0] < heights[2], "up is more"


def test_stress_grows_to_the_right_for_falling_bits():
    bits = CurveEntry.of(Curve(name="w", axis="bits", at=(8, 4, 2), estimates=tuple(map(exact, (0.9, 0.8, 0.1)))))
    places = [across for across, _ in dots(tree(charts.curve_chart([("w", bits)], title="t")), "s0")]
    assert places == sorted(places)
    assert places[1] - places[0] == pytest.approx(2 * (places[2] - places[1]), abs=0.2)


def test_every_point_tells_its_number_and_interval_without_a_script():
    titles = [title.text for title in tree(charts.curve_chart([("PGD", entry())], title="t")).iter("title")]
    assert "PGD\neps 0.1\n0.600 [0.502, 0.691], n 100" in titles


def test_the_alternative_text_names_every_value_of_a_short_curve():
    assert tree(charts.curve_chart([("PGD", entry())], title="t")).attrib["aria-label"] == (
        "accuracy against eps. PGD: 0.95 at 0, 0.6 at 0.1, 0.05 at 0.2."
    )


def test_half_of_the_margin_above_chance_is_marked_where_the_curve_crosses_it():
    curve = entry(hits=(90, 70, 10))
    picture = charts.curve_chart([("PGD", curve)], title="t", chance=0.1)
    [mark] = [path for path in tree(picture).iter("path") if path.attrib["class"] == "half s0"]
    across = float(mark.attrib["d"].split()[0].removeprefix("M"))
    first, _, last = (x for x, _ in dots(tree(picture), "s0"))
    assert (across - first) / (last - first) == pytest.approx(curve.curve().half_point(0.1) / 0.2, abs=0.01)
    assert "Diamond" in picture.note


def test_strengths_over_many_decades_get_a_logarithmic_axis():
    gain = CurveEntry.of(
        Curve(name="g", axis="frequency", unit="Hz", at=(1e3, 1e6, 1e9), estimates=tuple(map(exact, (1, 0.5, 0.1))))
    )
    places = [across for across, _ in dots(tree(charts.curve_chart([("g", gain)], title="t")), "s0")]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)


def test_a_curve_with_gaps_and_unbounded_ends_is_drawn_without_them():
    curve = CurveEntry(
        name="a", axis="seed", at=[0, 1, 2], estimates=[{"value": None}, EstimateEntry.of(mean_t([0.5])), {"value": 0.4}]
    )
    root = tree(charts.curve_chart([("a", curve)], title="t", chance=0.1))
    assert len(dots(root, "s0")) == 2
    nothing = CurveEntry(name="a", axis="seed", at=[0], estimates=[{"value": None}])
    assert "no values" in charts.curve_chart([("a", nothing)], title="t").body


def test_more_than_one_line_is_named_at_its_end_and_the_model_before_is_dashed():
    picture = charts.curve_chart([("PGD", entry()), ("FGSM", entry("fgsm"))], title="t", baseline=[entry("pgd", hits=(99, 90, 80))])
    names = {text.text: text.attrib["class"] for text in tree(picture).iter("text")}
    assert names["PGD"] == "name s0"
    assert names["FGSM"] == "name s1"
    assert names["before"] == "name before"


def test_a_reliability_diagram_carries_wilson_intervals_and_drops_empty_bins():
    bins = ReliabilityEntry(confidence=[0.55, 0.8, None], accuracy=[0.5, 0.9, None], count=[10, 100, 0])
    picture = charts.reliability(bins)
    titles = [title.text for title in tree(picture).iter("title")]
    share = proportion(90, 100)
    assert any(f"[{share.lo:.3f}, {share.hi:.3f}]" in words for words in titles)
    assert len(titles) == 2
    assert charts.reliability(ReliabilityEntry(confidence=[None], accuracy=[None], count=[0])) is None


def test_a_confusion_table_says_which_error_is_the_most_frequent():
    picture = charts.confusion([[8, 2, 0], [0, 9, 1], [5, 0, 5]], ["cat", "dog", "eel"])
    assert picture.note == "8 of 30 are wrong; most often eel is taken for cat (5)."
    assert picture.body.count('class="right"') == 3


def test_with_many_classes_the_most_frequent_confusions_are_listed():
    counts = np.eye(40, dtype=int) * 9
    counts[3, 4] = 7
    picture = charts.confusion(counts.tolist(), [f"class {k}" for k in range(40)])
    assert "<td>class 3</td><td>class 4</td>" in picture.body
    assert charts.confusion([[1, 2]], []) is None, "no square"


def test_the_chip_strip_shows_every_chip_and_tells_its_fifth_percentile():
    chips = [0.5 + 0.02 * k for k in range(21)]
    point = PointEntry(at={"sigma": 0.1}, details=Details(chips=chips))
    picture = charts.chip_strip([point], title="t")
    [path] = [path for path in tree(picture).iter("path") if "speckle" in path.attrib["class"]]
    assert path.attrib["d"].count("h0") == 21
    # numpy's linear definition of the quantile is the reference
    assert f"5th percentile {np.quantile(chips, 0.05):.3g}" in tree(picture).attrib["aria-label"]


def test_the_yield_falls_from_all_chips_to_none():
    points = [PointEntry(at={"sigma": s}, details=Details(chips=[0.9, 0.8, 0.7, 0.6])) for s in (0.1, 0.2)]
    [first, *_] = [
        path for path in tree(charts.yield_curve(points, title="t")).iter("path") if path.attrib["class"].startswith("line")
    ]
    heights = [float(pair.split()[1]) for pair in re.split("[ML]", first.attrib["d"]) if pair]
    assert heights == sorted(heights)
    assert charts.yield_curve([PointEntry(at={}, details=Details(chips=[0.9]))], title="t") is None, "one chip has no yield"


def test_a_heat_table_starts_with_the_worst_row_and_keeps_gaps():
    points = samples.audit_document().cards["shift"].stresses["corruptions"].points
    picture = charts.heat_table(points[:-1], ("corruption", "severity"), title="t")
    means = [float(value) for value in re.findall(r'class="num mean">([\d.]+)<', picture.body)]
    assert means == sorted(means)
    assert len(means) == 15
    assert picture.body.count("not measured") == 1
    assert charts.heat_table([], ("corruption", "severity"), title="t") is None


def test_strips_of_the_cross_view_fill_as_many_examples_as_fail():
    cross = samples.audit_document().cross
    body = str(charts.cross_matrix(cross).body)
    for place, column in enumerate(cross.columns):
        failed = sum(outcome[place] == "0" for outcome in cross.outcomes)
        [strip] = re.findall(rf'aria-label="{re.escape(column.label)}: {failed} of 1000 examples fail">(.*?)</svg>', body)
        assert sum(int(width) for width in re.findall(r'class="lost" d="M\d+ 0h(\d+)', strip)) == failed


def test_what_was_not_measured_is_neither_right_nor_wrong():
    cross = Cross(columns=[CrossColumn(stress="a", label="a")], examples=[1, 2, 3], outcomes=["1", "0", "-"])
    picture = charts.cross_matrix(cross)
    assert 'class="unknown"' in picture.body
    assert "2 of 3 examples survive" in picture.note
    assert charts.cross_matrix(cross.model_copy(update={"outcomes": []})) is None


def test_the_rank_correlation_of_margin_and_breaking_point_is_spearmans():
    from scipy.stats import spearmanr

    cross = samples.audit_document().cross
    for breaking in cross.breaking:
        ranks = [len(breaking.strengths) if value is None else breaking.strengths.index(value) for value in breaking.values]
        expected = spearmanr(cross.margins, ranks).statistic
        assert f"Rank correlation {expected:.2f}" in charts.margin_scatter(cross, breaking).note


def test_margins_that_do_not_vary_have_no_correlation():
    cross = Cross(columns=[], examples=[0, 1, 2], outcomes=["", "", ""], margins=[1.0, 2.0, 3.0])
    picture = charts.margin_scatter(cross, CrossBreaking(stress="pgd", axis="eps", strengths=[0.1], values=[None, None, None]))
    assert "3 of 3 never break. Rank correlation –" in picture.note


@pytest.mark.parametrize(
    ("value", "ends", "expected", "inside"),
    [
        (0.9, (0.85, 0.95), ">= 0.8", True),
        (0.7, (0.65, 0.75), ">= 0.8", False),
        (0.7, (0.65, 0.75), "<= 0.8", True),
        (2e-6, (1e-6, 3e-6), "> 0", True),
    ],
)
def test_a_verdicts_dot_stands_in_the_shaded_range_exactly_if_it_satisfies_the_threshold(value, ends, expected, inside):
    strip = verdict_strip(ClaimEntry(id="a", statement="s", status="pass", value=value, lo=ends[0], hi=ends[1], expected=expected))
    left, width = map(float, re.search(r'wanted" style="left:([\d.]+)%;width:([\d.]+)%', strip).groups())
    dot = float(re.search(r'class="at" style="left:([\d.]+)%', strip).group(1))
    assert (left <= dot <= left + width) == inside


def test_a_verdict_without_a_number_or_threshold_has_an_empty_strip():
    assert "not measured" in verdict_strip(ClaimEntry(id="a", statement="s", status="error", expected=">= 1"))


def row(before, after, p_holm):
    exactly = [EstimateEntry.of(exact(value)) for value in (before, after, after - before)]
    return ComparisonRow(
        metric="adversarial.pgd.accuracy",
        at={"eps": 0.1},
        before=exactly[0],
        after=exactly[1],
        delta=exactly[2],
        p=p_holm,
        p_holm=p_holm,
    )


def test_only_significant_differences_are_coloured():
    rows = [row(0.5, 0.7, 0.001), row(0.5, 0.4, 0.001), row(0.5, 0.49, 0.6)]
    lines = [
        path.attrib["class"]
        for path in tree(charts.slope_chart("adversarial.pgd.accuracy", rows)).iter("path")
        if "line" in path.attrib["class"]
    ]
    assert lines == ["line better", "line worse", "line same"]
    assert [style in charts.forest(rows).body for style in ("strip better", "strip worse", "strip same")] == [True] * 3
    assert charts.forest([]) is None
    assert charts.slope_chart("a", []) is None


def test_class_and_layer_tables_name_the_worst():
    accuracies = [EstimateEntry.of(proportion(hits, 100)) for hits in (90, 40, 95)]
    assert "Worst: dog (0.4)" in charts.class_accuracies(accuracies, ["cat", "dog", "eel"]).note
    layers = [Layer(name="conv", value=0.9), Layer(name="fc", value=0.2), Layer(name="skip", value=None)]
    assert charts.layer_sensitivity(layers, title="t").note.endswith("fc.")
    assert charts.class_accuracies([], []) is None
    assert charts.layer_sensitivity([], title="t") is None


def test_the_loss_of_an_attack_is_told_from_first_to_last_step():
    points = [PointEntry(at={"eps": 0.1}, details=Details(loss=[0.2, 1.0, 1.5])), PointEntry(at={"eps": 0.0})]
    assert "eps 0.1: 0.2 to 1.5" in charts.loss_chart(points, title="t").body
    assert charts.loss_chart(points[1:], title="t") is None


def test_many_curves_become_small_multiples_with_their_ends():
    many = [(f"kind {k}", entry(f"kind {k}")) for k in range(9)]
    picture = charts.small_multiples(many, title="t")
    assert picture.body.count("0.95 → 0.05") == 9
    assert picture.span == 3


def bounds(text, plot_width=7.5):
    """Left, right, top and bottom of a text in px, estimated."""
    width = plot_width * len(text.text)
    left = float(text.attrib["x"]) - (width if text.attrib["class"].endswith("end") else 0)
    return left, left + width, float(text.attrib["y"]) - 10, float(text.attrib["y"]) + 2


@pytest.mark.parametrize(
    ("hits", "chance"),
    [((99, 56, 0, 0, 0), 0.275), ((58, 20, 6, 1, 0), 0.1), ((95, 92, 90, 60, 5), 0.3), ((90, 31, 31, 31, 40), 0.3)],
)
def test_the_word_for_chance_stands_where_no_curve_crosses_it(hits, chance):
    root = tree(charts.curve_chart([("PGD", entry(at=(0.0, 0.1, 0.2, 0.4, 0.6), hits=hits))], title="t", chance=chance))
    [word] = [text for text in root.iter("text") if text.text.startswith("chance")]
    left, right, top, bottom = bounds(word)
    xs, ys = zip(*dots(root, "s0"), strict=True)
    across = np.linspace(left, right, 50)
    inside = across[(across >= min(xs)) & (across <= max(xs))]
    heights = np.interp(inside, xs, ys)
    assert not ((heights > top) & (heights < bottom)).any()


def test_a_class_that_is_called_by_its_number_is_told_as_a_class():
    numbered = charts.calibration.confusion([[9, 1], [0, 10]], [])
    assert numbered.note == "1 of 20 is wrong; most often class 0 is taken for class 1 (1)."
    named = charts.calibration.confusion([[8, 2], [0, 10]], ["cat", "dog"])
    assert named.note == "2 of 20 are wrong; most often cat is taken for dog (2)."
    hits = [EstimateEntry.of(proportion(9, 10)), EstimateEntry.of(proportion(10, 10))]
    assert "Worst: class 0 (0.9)." in charts.intervals.class_accuracies(hits, []).note
