"""The 19 corruptions of the ImageNet-C family, each at five severities, for images of any size: batched, seeded, fast.

Source: D. Hendrycks and T. Dietterich, *Benchmarking neural network robustness to common corruptions and perturbations*,
arXiv:1903.12261. Constants are the published ones (:mod:`~holdfast.shift.corruptions.severities`); the functions are our own.
"""

from __future__ import annotations

from holdfast.shift.corruptions.corruption import Compat, Corruption, applicable, corrupt
from holdfast.shift.corruptions.severities import (
    BENCHMARK_CORRUPTIONS,
    CORRUPTIONS,
    HELD_OUT_CORRUPTIONS,
    Table,
    choose_table,
    severity_parameters,
)

__all__ = [
    "BENCHMARK_CORRUPTIONS",
    "CORRUPTIONS",
    "HELD_OUT_CORRUPTIONS",
    "Compat",
    "Corruption",
    "Table",
    "applicable",
    "choose_table",
    "corrupt",
    "severity_parameters",
]
