"""Figures are reproducible to the byte, follow the page they stand in, and draw what the curves say."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure

from holdfast.core.curve import Curve
from holdfast.core.errors import InputError
from holdfast.core.estimate import exact, mean_t, proportion
from holdfast.core.figures import INK, PALETTE, curve_figure, new_figure, save, svg
from holdfast.core.pictures import arrow_figure, matrix_figure, scatter_figure


def bits(name="weight_bits", hits=(190, 188, 170, 60)):
    return Curve(name=name, axis="bits", at=(8.0, 6.0, 4.0, 2.0), estimates=tuple(proportion(h, 200) for h in hits))


def test_stress_grows_to_the_right_even_where_the_strength_falls():
    axes = curve_figure([bits()]).axes[0]
    assert axes.xaxis.get_inverted()
    left, right = axes.get_xlim()
    assert left > right


def test_axes_carry_quantity_and_unit():
    current = Curve(
        name="diode", axis="current", unit="A", quantity="voltage (V)", at=(1e-5, 2e-5), estimates=(exact(1e-6), exact(3e-6))
    )
    axes = curve_figure([current]).axes[0]
    assert axes.get_xlabel() == "current (A)"
    assert axes.get_ylabel() == "voltage (V)"


def test_the_line_goes_through_the_estimates_and_the_band_through_their_ends():
    curve = bits()
    axes = curve_figure([curve]).axes[0]
    assert np.array_equal(axes.get_lines()[0].get_ydata(), curve.values)
    corners = axes.collections[0].get_paths()[0].vertices[:, 1]
    ends = [end for estimate in curve.estimates for end in (estimate.lo, estimate.hi)]
    assert set(np.round(ends, 12)) <= set(np.round(corners, 12))


def test_a_band_of_infinite_width_is_left_out():
    curve = Curve(name="one", axis="seed", at=(0.0, 1.0), estimates=(mean_t([0.5]), mean_t([0.6])))
    assert len(curve_figure([curve]).axes[0].collections) == 0


def test_equal_curves_give_equal_bytes(tmp_path):
    for suffix in ("svg", "pdf", "png"):
        first, second = (save(curve_figure([bits()], chance=0.1), tmp_path / f"{name}.{suffix}") for name in "ab")
        assert first.read_bytes() == second.read_bytes(), suffix
        assert first.stat().st_size > 1000


def test_inside_a_page_the_ink_is_the_pages_and_nothing_leaks_out_of_the_element():
    text = svg(curve_figure([bits(), bits("act_bits", (191, 189, 180, 90))], title="Precision"))
    root = ET.fromstring(text)
    assert root.tag.endswith("svg")
    assert "width" not in root.attrib
    assert "height" not in root.attrib
    assert "currentColor" in text
    assert INK not in text
    assert "<style" not in text, "a style element would apply to the whole page"
    assert "<metadata" not in text
    assert "Precision" in text, "text stays text"
    assert PALETTE[0] in text
    assert "system-ui" in text
    assert not re.search(r"\d{4}-\d\d-\d\d", text), "no date"


def test_the_marked_up_text_of_a_hostile_name_stays_text():
    text = svg(curve_figure([bits("<script>alert(1)</script>"), bits("b")]))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_logarithmic_axis_needs_positive_strengths():
    response = Curve(name="gain", axis="frequency", unit="Hz", at=(1e6, 1e9), estimates=(exact(1.0), exact(0.1)), log="xy")
    axes = curve_figure([response]).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    with pytest.raises(InputError, match="strengths > 0"):
        Curve(name="a", axis="eps", at=(0.0, 0.1), estimates=(exact(1.0), exact(0.1)), log="x")


def test_curves_can_share_a_figure_of_several_axes():
    figure, axes = new_figure(columns=2)
    assert curve_figure([bits()], axes=axes[0]) is figure
    assert curve_figure([bits()], axes=axes[1]) is figure
    assert [len(each.get_lines()) for each in axes] == [1, 1]


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ([], "is empty"),
        ([bits(), Curve(name="pgd", axis="eps", at=(0.0,), estimates=(exact(1.0),))], "Draw one figure for each"),
    ],
)
def test_curves_that_cannot_share_axes_are_refused(curves, message):
    with pytest.raises(InputError, match=message):
        curve_figure(curves)


@pytest.mark.parametrize("shares", [np.ones((2, 3)), np.ones(2), np.ones((0, 2))])
def test_a_matrix_needs_a_name_for_each_row_and_column(shares):
    with pytest.raises(InputError, match="shares"):
        matrix_figure(shares, rows=["a", "b"][: len(shares)], columns=["c", "d"], labels=("", "", ""))


def test_dots_carry_their_names_and_the_intervals_of_both_coordinates():
    dots = [("narrow", proportion(8, 10), exact(0.3)), ("wide", exact(0.9), mean_t([0.5]))]  # the last interval has no ends
    figure = scatter_figure({"one": dots, "two": dots[:1]}, x="accuracy", y="robustness")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["narrow", "wide", "narrow"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "two"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("accuracy", "robustness")
    bars = [segment for collection in axes.collections for segment in collection.get_segments()]
    across = [bar for bar in bars if bar[0][1] == bar[1][1] == 0.3 and bar[0][0] < bar[1][0]]
    assert [bar[:, 0].tolist() for bar in across] == [[pytest.approx(dots[0][1].lo), pytest.approx(dots[0][1].hi)]] * 2
    assert svg(figure)


def test_arrows_of_all_panels_share_a_scale():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    panels = {"left": {"one": points + 1, "mean": points}, "right": {"one": 3 * points, "mean": points}}
    figure = arrow_figure(points, np.array([0, 1, 1]), panels, x="x", y="y")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["left", "right"]
    arrows = [artist for axes in figure.axes for artist in axes.collections]
    assert len(arrows) == 4
    assert len({artist.scale for artist in arrows}) == 1
    assert arrows[2].U.tolist() == [0, 3, 0]
    assert svg(figure)


@pytest.mark.parametrize("groups", [{}, {str(number): [] for number in range(8)}])
def test_too_few_and_too_many_groups_of_dots_are_refused(groups):
    with pytest.raises(InputError, match="1 to 7 groups"):
        scatter_figure(groups, x="x", y="y")


def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(InputError, match="svg, pdf, png"):
        save(curve_figure([bits()]), tmp_path / "figure.jpg")


def test_the_module_loads_no_matplotlib_and_its_figures_no_pyplot(tmp_path):
    code = """
import sys, holdfast.core.figures as figures
from holdfast.core.curve import Curve
from holdfast.core.estimate import exact
print("matplotlib" in sys.modules)
figures.svg(figures.curve_figure([Curve(name="a", axis="eps", at=(0.0, 1.0), estimates=(exact(1), exact(0)))]))
print("matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["False", "False"]


def test_drawing_changes_no_global_setting():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    assert svg(curve_figure([bits()]))
    assert dict(mpl.rcParams) == before


def test_a_curve_draws_its_line_and_its_interval():
    falling = Curve(
        name="weight_bits", axis="bits", unit="bit", at=(8.0, 4.0, 2.0), estimates=tuple(proportion(n, 100) for n in (95, 80, 31))
    )
    axes = falling.plot()
    (line,) = axes.get_lines()
    (band,) = axes.collections
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([8.0, 4.0, 2.0], [0.95, 0.8, 0.31])
    corners = band.get_paths()[0].vertices
    assert [corners[:, 1].min(), corners[:, 1].max()] == [falling.estimates[2].lo, falling.estimates[0].hi]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left")) == ("bits (bit)", "accuracy", "weight bits")
    assert axes.get_xlim()[0] > axes.get_xlim()[1]  # stress grows to the right


def test_curves_share_axes_and_are_told_apart_by_colour_and_legend():
    figure = Figure()
    axes = figure.subplots()
    axes.set_title("mine")
    curves = [
        Curve(name=name, axis="eps", at=(0.0, 0.1), estimates=(exact(0.9), exact(low)))
        for name, low in (("pgd", 0.2), ("fgsm", 0.4))
    ]
    assert [curve.plot(axes) for curve in curves] == [axes, axes]
    assert len({line.get_color() for line in axes.get_lines()}) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["pgd", "fgsm"]
    assert axes.get_title() == "mine"


def test_a_single_point_shows_its_interval():
    axes = Curve(name="one", axis="eps", at=(0.1,), estimates=(proportion(31, 100),)).plot()
    (whisker,) = axes.collections
    assert whisker.get_segments()[0][:, 1].tolist() == [proportion(31, 100).lo, proportion(31, 100).hi]


def test_axes_that_are_none_are_refused_with_their_remedy():
    grid = Figure().subplots(1, 2)
    curve = Curve(name="one", axis="eps", at=(0.1,), estimates=(proportion(31, 100),))
    with pytest.raises(InputError, match=r"`ax` is a ndarray; allowed: matplotlib axes.*pass one of them"):
        curve.plot(grid)
    assert curve.plot(grid[0]) is grid[0]
