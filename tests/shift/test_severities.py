"""The tables of constants: complete, and chosen by the size of the image."""

import pytest

from holdfast.shift.corruptions import CORRUPTIONS, choose_table, severity_parameters
from holdfast.shift.corruptions.severities import CIFAR, IMAGENET, MEANING


@pytest.mark.parametrize("table", [IMAGENET, CIFAR])
def test_each_corruption_has_five_severities_with_all_their_constants(table):
    assert set(table) == set(CORRUPTIONS) == set(MEANING)
    for name, rows in table.items():
        assert len(rows) == 5
        assert {len(row) if isinstance(row, tuple) else 1 for row in rows} == {len(MEANING[name])}


def test_a_few_constants_are_those_of_the_published_programs():
    # hendrycks/robustness, make_imagenet_c.py and make_cifar_c.py
    assert severity_parameters("gaussian_noise", 5, "imagenet") == {"sigma": 0.38}
    assert severity_parameters("gaussian_noise", 5, "cifar") == {"sigma": 0.10}
    assert severity_parameters("glass_blur", 4, "imagenet") == {"sigma": 1.1, "reach": 3, "rounds": 2}
    assert severity_parameters("zoom_blur", 1, "cifar") == {"stop": 1.06, "step": 0.01}
    assert severity_parameters("jpeg_compression", 1, "imagenet") == {"quality": 25}
    assert severity_parameters("snow", 3, "cifar")["smear"] == (10, 4)


def test_elastic_constants_are_multiples_of_the_side():
    # make_imagenet_c.py multiplies its constants by 244 for images of 224 px
    assert severity_parameters("elastic_transform", 1, "imagenet")["alpha"] * 224 == pytest.approx(2 * 244)
    assert severity_parameters("elastic_transform", 3, "cifar")["affine"] * 32 == pytest.approx(0.06 * 32)


@pytest.mark.parametrize(
    ("size", "table", "chosen"),
    [
        ((28, 28), "auto", "cifar"),
        ((64, 64), "auto", "cifar"),
        ((64, 65), "auto", "imagenet"),
        ((224, 224), "auto", "imagenet"),
        ((32, 32), "imagenet", "imagenet"),
        ((224, 224), "cifar", "cifar"),
    ],
)
def test_small_images_take_the_small_table_unless_told_otherwise(size, table, chosen):
    assert choose_table(*size, table) == chosen
