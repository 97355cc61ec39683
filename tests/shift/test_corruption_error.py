"""Corruption errors against the definition of arXiv:1903.12261, section 4.2."""

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.shift import (
    ALEXNET_CLEAN_ERROR,
    ALEXNET_ERRORS,
    BENCHMARK_CORRUPTIONS,
    mean_corruption_error,
    relative_mean_corruption_error,
)


def test_alexnet_is_its_own_measure():
    assert set(ALEXNET_ERRORS) == set(BENCHMARK_CORRUPTIONS)
    assert mean_corruption_error(ALEXNET_ERRORS, reference=ALEXNET_ERRORS).value == pytest.approx(1)
    relative = relative_mean_corruption_error(
        ALEXNET_ERRORS, clean_error=ALEXNET_CLEAN_ERROR, reference=ALEXNET_ERRORS, reference_clean_error=ALEXNET_CLEAN_ERROR
    )
    assert relative.value == pytest.approx(1)
    # arXiv:1903.12261, Table 1: AlexNet's gaussian noise error of 88.6 % and clean error of 43.5 %
    assert ALEXNET_ERRORS["gaussian_noise"] == 0.886
    assert round(ALEXNET_CLEAN_ERROR, 3) == 0.435


def test_half_the_errors_give_half_the_corruption_error():
    halved = {name: error / 2 for name, error in ALEXNET_ERRORS.items()}
    found = mean_corruption_error(halved, reference=ALEXNET_ERRORS)
    assert found.value == pytest.approx(0.5)
    assert found.relative_to_reference


def test_ratios_are_taken_before_the_mean_over_corruptions_and_after_that_over_severities():
    found = mean_corruption_error({"fog": [0.1, 0.3], "snow": [0.4, 0.8]}, reference={"fog": [0.3, 0.5], "snow": 0.6, "frost": 0.9})
    assert dict(found.by_corruption) == pytest.approx({"fog": 0.5, "snow": 1.0})
    assert found.value == pytest.approx(0.75)


def test_without_a_reference_it_is_the_mean_error():
    found = mean_corruption_error({"fog": np.array([0.1, 0.3]), "snow": 0.6})
    assert found.value == pytest.approx(0.4)
    assert not found.relative_to_reference
    added = relative_mean_corruption_error({"fog": [0.1, 0.3], "snow": 0.6}, clean_error=0.1)
    assert added.value == pytest.approx(0.3)


def test_a_network_that_corruptions_do_not_hurt_has_relative_error_zero():
    found = relative_mean_corruption_error({"fog": 0.2}, clean_error=0.2, reference={"fog": 0.6}, reference_clean_error=0.3)
    assert found.value == pytest.approx(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_corruption_error({}), "empty"),
        (lambda: mean_corruption_error({"fog": [10, 20]}), "Divide percentages by 100"),
        (lambda: mean_corruption_error({"fog": []}), "error rates"),
        (lambda: mean_corruption_error({"fog": [0.1, float("nan")]}), "NaN"),
        (lambda: mean_corruption_error({"fog": 0.1, "snow": 0.2}, reference={"snow": 0.3}), "lacks fog"),
        (lambda: mean_corruption_error({"fog": 0.1}, reference={"fog": 0.0}), "fog"),
        (lambda: relative_mean_corruption_error({"fog": 0.1}, clean_error=0.0, reference={"fog": 0.3}), "reference_clean_error"),
        (
            lambda: relative_mean_corruption_error({"fog": 0.1}, clean_error=0, reference={"fog": 0.3}, reference_clean_error=0.3),
            "gains no error from fog",
        ),
        (lambda: relative_mean_corruption_error({"fog": 0.1}, clean_error=1.5), "clean_error"),
    ],
)
def test_errors_that_are_no_rates_are_refused(call, message):
    with pytest.raises(InputError) as refusal:
        call()
    assert message in str(refusal.value)
