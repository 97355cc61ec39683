"""Noise has the distribution that its name promises. Seeds are fixed; limits lie at 5 standard errors (two-sided 6e-7)."""

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import chisquare, poisson
from shift_pictures import generators

from holdfast.shift.corruptions.fields import normal_fields, plasma_fields, uniform_fields
from holdfast.shift.corruptions.kernels import count_photons
from holdfast.shift.corruptions.noise import gaussian_noise, impulse_noise, shot_noise, speckle_noise

GREY = np.full((1, 1, 300, 300), 0.4, dtype=np.float32)
N = GREY.size


def assert_mean_and_deviation(values, mean, deviation):
    """Sample mean and standard deviation within 5 standard errors; that of a normal sample's deviation is sigma / sqrt(2 n)."""
    assert abs(values.mean() - mean) < 5 * deviation / np.sqrt(values.size)
    assert abs(values.std() - deviation) < 5 * deviation / np.sqrt(2 * values.size)


def test_gaussian_noise_has_its_sigma_and_no_bias():
    assert_mean_and_deviation(gaussian_noise(GREY, sigma=0.1, generators=generators()), 0.4, 0.1)


def test_speckle_grows_with_the_signal():
    assert_mean_and_deviation(speckle_noise(GREY, sigma=0.2, generators=generators()), 0.4, 0.08)
    np.testing.assert_array_equal(speckle_noise(0 * GREY, sigma=0.2, generators=generators()), 0)


def test_shot_noise_has_the_variance_of_counting():
    # Poisson: mean x, variance x / photons; kurtosis 3 + 1 / (photons x) widens the error of the deviation by < 5 %
    assert_mean_and_deviation(shot_noise(GREY, photons=60, generators=generators()), 0.4, np.sqrt(0.4 / 60))
    np.testing.assert_array_equal(shot_noise(0 * GREY, photons=60, generators=generators()), 0)


def test_impulses_are_rare_and_half_of_them_white():
    noisy = impulse_noise(GREY, amount=0.1, generators=generators())
    error = 5 * np.sqrt(0.05 * 0.95 / N)
    assert abs((noisy == 0).mean() - 0.05) < error
    assert abs((noisy == 1).mean() - 0.05) < error
    assert set(np.unique(noisy)) == {np.float32(0), np.float32(0.4), np.float32(1)}


def test_zero_noise_changes_nothing():
    for noisy in (
        gaussian_noise(GREY, sigma=0, generators=generators()),
        speckle_noise(GREY, sigma=0, generators=generators()),
        impulse_noise(GREY, amount=0, generators=generators()),
    ):
        np.testing.assert_array_equal(noisy, GREY)


@pytest.mark.parametrize("mean", [0.05, 1.0, 9.3, 60.0, 500.0])
def test_photon_counts_are_poisson(mean):
    size = 100_000
    counts = np.empty(size)
    uniform = np.random.default_rng(5).random(size)
    count_photons(np.full(size, mean), uniform, gammaln(np.arange(502) + 1.0), counts)
    inside = np.arange(poisson.ppf(1e-3, mean), poisson.ppf(1 - 1e-3, mean) + 1)
    observed = np.array([(counts == k).sum() for k in inside])
    expected = size * poisson.pmf(inside, mean)
    rest = size - expected.sum()
    assert chisquare(np.append(observed, size - observed.sum()), np.append(expected, rest)).pvalue > 1e-6


def test_even_the_last_uniform_number_gives_a_count():
    counts = np.empty(2)
    count_photons(np.array([3.0, 0.0]), np.full(2, np.nextafter(1, 0)), gammaln(np.arange(10) + 1.0), counts)
    assert 0 <= counts[0] < 100
    assert counts[1] == 0


def test_fields_belong_to_their_generators():
    together = [field(generators(3), (5, 7)) for field in (normal_fields, uniform_fields)]
    alone = [field(generators(3)[2:], (5, 7)) for field in (normal_fields, uniform_fields)]
    for whole, last in zip(together, alone, strict=True):
        assert whole.shape == (3, 5, 7)
        np.testing.assert_array_equal(whole[2:], last)


def test_plasma_fills_the_unit_interval_and_is_smooth_where_noise_decays_fast():
    smooth, rough = (plasma_fields(generators(4), (128, 128), decay=decay) for decay in (3, 1.4))
    for clouds in (smooth, rough):
        np.testing.assert_allclose([clouds.min(axis=(1, 2)), clouds.max(axis=(1, 2))], [[0] * 4, [1] * 4], atol=1e-6)
    steps = [np.abs(np.diff(clouds, axis=2)).mean() for clouds in (smooth, rough)]
    assert steps[1] > 3 * steps[0]


def test_plasma_closes_on_itself():
    # a torus: the step over the border is no larger than the steps inside
    cloud = plasma_fields(generators(), (64, 64), decay=2)[0]
    assert np.abs(cloud[:, 0] - cloud[:, -1]).mean() < 1.5 * np.abs(np.diff(cloud, axis=1)).mean()
