"""The small SVG plot: scales are linear, ticks are round, labels never touch."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.report.plot import Plot, Scale, nice_ticks, spread, text_width, thin_ticks


def test_a_scale_maps_its_ends_to_its_pixels_in_either_direction():
    falling = Scale(8, 2, 36, 348)
    assert (falling(8), falling(2), falling(5)) == (36, 348, 192)
    assert Scale(3, 3, 0, 10)(3) == 5, "a single strength stands in the middle"


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e6))
def test_ticks_are_inside_evenly_spaced_and_few(low, width):
    ticks = nice_ticks(low, low + width, 5)
    steps = np.diff(ticks)
    assert 2 <= len(ticks) <= 12
    assert all(low - 1e-6 * width <= tick <= low + width * (1 + 1e-6) for tick in ticks)
    assert np.allclose(steps, steps[0], rtol=1e-3, atol=1e-9 * max(1.0, abs(low)))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_labels_keep_their_distance_their_order_and_the_frame(wanted):
    places = spread(wanted, gap=12, low=0, high=100)
    order = np.argsort(wanted, kind="stable")
    moved = np.array(places)[order]
    assert (np.diff(moved) >= 12 - 1e-6).all()
    assert moved[0] >= -1e-6
    assert moved[-1] <= 100 + 1e-6


def test_labels_that_do_not_touch_stay_where_they_are():
    assert spread([10, 50, 90], gap=12, low=0, high=100) == [10, 50, 90]


def test_of_crowded_ticks_the_ends_survive():
    scale = Scale(0, 16, 0, 100)
    kept = [value for value, _ in thin_ticks(scale, [(value, f"{value}/255") for value in (0, 1, 2, 4, 8, 16)])]
    assert kept[0] == 0
    assert kept[-1] == 16
    assert 1 not in kept


def test_the_estimated_width_of_a_text_is_not_below_that_of_a_real_font():
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    for words in ("multiplicative", "Activation bits", "eps 0.05", "chance 0.1", "16/255", "MMWW @%"):
        drawn = TextPath((0, 0), words, size=11, prop=FontProperties(family="DejaVu Sans")).get_extents().width
        assert text_width(words, 11) >= 0.97 * drawn, words


def test_words_are_escaped_and_the_element_is_well_formed():
    plot = Plot().axes([(0.0, "<0>")], y_label='"&').dot((0.5, 0.5), "s0", "<script>alert(1)</script>")
    element = plot.render('alt "text" <b>')
    root = ET.fromstring(element)
    assert root.attrib["aria-label"] == 'alt "text" <b>'
    assert "<script" not in element
    assert any(title.text == "<script>alert(1)</script>" for title in root.iter("title"))


def test_equal_plots_are_equal_text():
    assert Plot().line([(0, 0), (1, 1)], "s0").render("a") == Plot().line([(0, 0), (1, 1)], "s0").render("a")


@pytest.mark.parametrize("points", [[], [(0.5, 0.5)]])
def test_too_few_points_draw_no_band(points):
    assert "band" not in Plot().band(points, points, "s0").render("a")
