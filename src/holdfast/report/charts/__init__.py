"""One function per kind of figure; each gives a :class:`~holdfast.report.charts.picture.Picture` made from records alone."""

from holdfast.report.charts.calibration import confusion, listed_confusions, reliability
from holdfast.report.charts.chips import chip_strip, yield_curve
from holdfast.report.charts.cross import cross_matrix, margin_scatter
from holdfast.report.charts.curves import curve_chart, loss_chart, small_multiples, sparkline
from holdfast.report.charts.heat import heat_table
from holdfast.report.charts.intervals import class_accuracies, forest, interval_strip, layer_sensitivity
from holdfast.report.charts.picture import Picture
from holdfast.report.charts.slope import slope_chart

__all__ = [
    "Picture",
    "chip_strip",
    "class_accuracies",
    "confusion",
    "cross_matrix",
    "curve_chart",
    "forest",
    "heat_table",
    "interval_strip",
    "layer_sensitivity",
    "listed_confusions",
    "loss_chart",
    "margin_scatter",
    "reliability",
    "slope_chart",
    "small_multiples",
    "sparkline",
    "yield_curve",
]
