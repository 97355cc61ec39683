"""The world changes: corrupted pictures and other resolutions, and how much more a classifier errs under them."""

from __future__ import annotations

from holdfast.shift.corruptions import (
    BENCHMARK_CORRUPTIONS,
    CORRUPTIONS,
    HELD_OUT_CORRUPTIONS,
    Corruption,
    applicable,
    corrupt,
)
from holdfast.shift.metrics import (
    ALEXNET_CLEAN_ERROR,
    ALEXNET_ERRORS,
    CorruptionError,
    mean_corruption_error,
    relative_mean_corruption_error,
)
from holdfast.shift.resolution import (
    KERNELS,
    Kernel,
    centre_crop,
    resampling_matrix,
    resize,
    resize_and_crop,
    resolution_round_trip,
)

__all__ = [
    "ALEXNET_CLEAN_ERROR",
    "ALEXNET_ERRORS",
    "BENCHMARK_CORRUPTIONS",
    "CORRUPTIONS",
    "HELD_OUT_CORRUPTIONS",
    "KERNELS",
    "Corruption",
    "CorruptionError",
    "Kernel",
    "applicable",
    "centre_crop",
    "corrupt",
    "mean_corruption_error",
    "relative_mean_corruption_error",
    "resampling_matrix",
    "resize",
    "resize_and_crop",
    "resolution_round_trip",
]
