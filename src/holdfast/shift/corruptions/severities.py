"""The names of the 19 corruptions and the constants that make each of their five severities.

Source of both tables: the programs that made the published sets, ``make_imagenet_c.py`` (224 px) and ``make_cifar_c.py`` (32 px) of
the repository hendrycks/robustness; paper: D. Hendrycks and T. Dietterich, arXiv:1903.12261. Lengths in pixels are taken as they
stand and do not grow with the image; the elastic constants alone are published as multiples of a side, and so they scale.
"""

from __future__ import annotations

from typing import Any, Literal

from holdfast.core.checks import check_one_of, check_whole

__all__ = [
    "BENCHMARK_CORRUPTIONS",
    "CORRUPTIONS",
    "HELD_OUT_CORRUPTIONS",
    "SMALL_IMAGE_SIDE",
    "Table",
    "choose_table",
    "severity_parameters",
]

Table = Literal["auto", "imagenet", "cifar"]

BENCHMARK_CORRUPTIONS = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
HELD_OUT_CORRUPTIONS = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
CORRUPTIONS = BENCHMARK_CORRUPTIONS + HELD_OUT_CORRUPTIONS
SMALL_IMAGE_SIDE = 64  # px; twice the side of the images that the small table was made for

# the arguments that the constants of a row are, in its order
MEANING = {
    "gaussian_noise": ("sigma",),
    "shot_noise": ("photons",),
    "impulse_noise": ("amount",),
    "speckle_noise": ("sigma",),
    "gaussian_blur": ("sigma",),
    "defocus_blur": ("radius", "alias"),
    "glass_blur": ("sigma", "reach", "rounds"),
    "motion_blur": ("radius", "sigma"),
    "zoom_blur": ("stop", "step"),
    "fog": ("strength", "decay"),
    "frost": ("keep", "cover", "grain"),
    "snow": ("mean", "deviation", "zoom", "threshold", "smear", "keep"),
    "spatter": ("mean", "deviation", "sigma", "threshold", "strength", "muddy"),
    "brightness": ("shift",),
    "contrast": ("factor",),
    "saturate": ("factor", "shift"),
    "pixelate": ("scale",),
    "jpeg_compression": ("quality",),
    "elastic_transform": ("alpha", "sigma", "affine"),
}

ELASTIC_UNIT = 244 / 224  # the published program takes 244 px for the side of its 224 px images

IMAGENET: dict[str, tuple[Any, ...]] = {
    "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
    "shot_noise": (60, 25, 12, 5, 3),
    "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),
    "speckle_noise": (0.15, 0.2, 0.35, 0.45, 0.6),
    "gaussian_blur": (1, 2, 3, 4, 6),
    "defocus_blur": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    "glass_blur": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    "motion_blur": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    "zoom_blur": ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    "fog": ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    "frost": ((1, 0.4, 1.0), (0.8, 0.6, 1.0), (0.7, 0.7, 1.0), (0.65, 0.7, 1.0), (0.6, 0.75, 1.0)),
    "snow": (
        (0.1, 0.3, 3, 0.5, (10, 4), 0.8),
        (0.2, 0.3, 2, 0.5, (12, 4), 0.7),
        (0.55, 0.3, 4, 0.9, (12, 8), 0.7),
        (0.55, 0.3, 4.5, 0.85, (12, 8), 0.65),
        (0.55, 0.3, 2.5, 0.85, (12, 12), 0.55),
    ),
    "spatter": (
        (0.65, 0.3, 4, 0.69, 0.6, False),
        (0.65, 0.3, 3, 0.68, 0.6, False),
        (0.65, 0.3, 2, 0.68, 0.5, False),
        (0.65, 0.3, 1, 0.65, 1.5, True),
        (0.67, 0.4, 1, 0.65, 1.5, True),
    ),
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
    "saturate": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
    "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),
    "jpeg_compression": (25, 18, 15, 10, 7),
    "elastic_transform": tuple(
        tuple(ELASTIC_UNIT * value for value in values)
        for values in ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
    ),
}
CIFAR: dict[str, tuple[Any, ...]] = {
    "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),
    "shot_noise": (500, 250, 100, 75, 50),
    "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.07),
    "speckle_noise": (0.06, 0.1, 0.12, 0.16, 0.2),
    "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1),
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    "motion_blur": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    "zoom_blur": ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    "fog": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    "frost": ((1, 0.2, 0.2), (1, 0.3, 0.2), (0.9, 0.4, 0.2), (0.85, 0.4, 0.2), (0.75, 0.45, 0.2)),
    "snow": (
        (0.1, 0.2, 1, 0.6, (8, 3), 0.95),
        (0.1, 0.2, 1, 0.5, (10, 4), 0.9),
        (0.15, 0.3, 1.75, 0.55, (10, 4), 0.9),
        (0.25, 0.3, 2.25, 0.6, (12, 6), 0.85),
        (0.3, 0.3, 1.25, 0.65, (14, 12), 0.8),
    ),
    "spatter": (
        (0.62, 0.1, 0.7, 0.7, 0.5, False),
        (0.65, 0.1, 0.8, 0.7, 0.5, False),
        (0.65, 0.3, 1, 0.69, 0.5, False),
        (0.65, 0.1, 0.7, 0.69, 0.6, True),
        (0.65, 0.1, 0.5, 0.68, 0.6, True),
    ),
    "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
    "saturate": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
    "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),
    "jpeg_compression": (80, 65, 58, 50, 40),
    "elastic_transform": ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
}
PUBLISHED = {"imagenet": IMAGENET, "cifar": CIFAR}


def choose_table(height: int, width: int, table: Table = "auto") -> Table:
    """The table that applies: ``"auto"`` takes ``"cifar"`` if the longer side is at most 64 px, else ``"imagenet"``.

    Examples
    --------
    >>> choose_table(28, 28), choose_table(96, 64), choose_table(28, 28, "imagenet")
    ('cifar', 'imagenet', 'imagenet')
    """
    check_one_of(table, "table", allowed=("auto", *PUBLISHED))
    if table != "auto":
        return table
    return "cifar" if max(height, width) <= SMALL_IMAGE_SIDE else "imagenet"


def severity_parameters(name: str, severity: int, table: Table) -> dict[str, Any]:
    """The constants of corruption `name` at `severity` (1 to 5) in `table` (``"imagenet"`` or ``"cifar"``), as keyword arguments.

    Examples
    --------
    >>> severity_parameters("motion_blur", 1, "cifar")
    {'radius': 6, 'sigma': 1}
    """
    check_one_of(name, "name", allowed=CORRUPTIONS)
    severity = check_whole(severity, "severity", low=1, high=5)
    constants = PUBLISHED[check_one_of(table, "table", allowed=PUBLISHED)][name][severity - 1]
    meaning = MEANING[name]
    return dict(zip(meaning, constants if len(meaning) > 1 else (constants,), strict=True))
