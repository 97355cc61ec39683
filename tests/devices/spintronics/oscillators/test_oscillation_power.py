"""Power of an auto-oscillator: without noise its formula, with noise the average over its stationary density."""

import numpy as np
import pytest
from scipy.integrate import quad, simpson
from scipy.special import erfcx

from holdfast.core.errors import InputError
from holdfast.devices.spintronics.oscillators import mean_power, stationary_power

ZETA = np.array([-2.0, 0.0, 0.5, 0.95, 1.0, 1.05, 1.5, 3.0, 8.0])


@pytest.mark.parametrize("q", [0.0, 1.0, 5.0])
def test_noise_that_vanishes_leaves_the_stationary_power(q):
    np.testing.assert_allclose(mean_power(ZETA, q, noise=1e-9), stationary_power(ZETA, q), atol=1e-4)
    np.testing.assert_array_equal(mean_power(ZETA, q, noise=0.0), stationary_power(ZETA, q))
    np.testing.assert_allclose(stationary_power(ZETA, q), np.maximum(ZETA - 1, 0) / (np.maximum(ZETA, 1) + q))


def test_far_below_threshold_there_is_equipartition_over_the_damping_that_is_left():
    # U = p (1 - zeta) / n: the mean of an exponential distribution, to relative order n / (1 - zeta)^2
    np.testing.assert_allclose(mean_power([-1.0, 0.0, 0.5], 2.0, noise=1e-6), 1e-6 / np.array([2.0, 1.0, 0.5]), rtol=2e-5)


@pytest.mark.parametrize("noise", [1e-5, 1e-3])
def test_at_threshold_without_nonlinear_damping_the_density_is_half_a_gaussian(noise):
    # zeta = 1, Q = 0: U = p^2 / 2n, mean sqrt(2 n / pi)
    assert float(mean_power(1.0, 0.0, noise=noise)) == pytest.approx(np.sqrt(2 * noise / np.pi), rel=1e-9)


@pytest.mark.parametrize("zeta", [0.7, 1.0, 1.3, 4.0])
def test_without_nonlinear_damping_it_is_a_gaussian_cut_at_zero(zeta):
    noise = 1e-3  # the cut at p = 1 weighs less than exp(-30) for these drives
    centre, width = (zeta - 1) / zeta, np.sqrt(noise / zeta)
    hazard = np.sqrt(2 / np.pi) / erfcx(-centre / width / np.sqrt(2))
    assert float(mean_power(zeta, 0.0, noise=noise)) == pytest.approx(centre + width * hazard, rel=1e-8)


@pytest.mark.parametrize("zeta", ZETA)
@pytest.mark.parametrize("q", [1e-3, 2.0, 30.0])
def test_it_is_the_average_over_the_stationary_density(zeta, q):
    noise = 0.01
    slope = lambda x: 1 - zeta * (1 - x) / (1 + q * x)  # noqa: E731
    grid = np.linspace(0, 1, 2001)
    # the potential by Gauss-Legendre over each interval, independent of the formula
    nodes, weights = np.polynomial.legendre.leggauss(6)
    steps = [(weights * slope(left + (nodes + 1) / 2 / 2000)).sum() / 4000 for left in grid[:-1]]
    potential = np.concatenate([[0], np.cumsum(steps)]) / noise
    density = np.exp(potential.min() - potential)
    expected = simpson(grid * density, x=grid) / simpson(density, x=grid)
    assert float(mean_power(zeta, q, noise=noise)) == pytest.approx(expected, rel=1e-4)


def test_the_corner_is_passed_smoothly_and_monotonically():
    power = mean_power(np.linspace(-2, 5, 400), 2.0, noise=1e-3)
    assert (np.diff(power) > 0).all()


def test_a_single_integral_agrees_with_quadrature_of_the_formula():
    zeta, q, noise = 1.2, 3.0, 0.02
    u = lambda x: (x - zeta * x - zeta * (1 + q) / q**2 * (np.log1p(q * x) - q * x)) / noise  # noqa: E731
    total, first = (quad(lambda x, k=k: x**k * np.exp(-u(x)), 0, 1, limit=200)[0] for k in (0, 1))
    assert float(mean_power(zeta, q, noise=noise)) == pytest.approx(first / total, rel=1e-8)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: stationary_power(1.0, -0.1), "nonlinear damping"),
        (lambda: stationary_power(np.nan), "finite"),
        (lambda: mean_power(1.0, noise=-1.0), "noise"),
    ],
)
def test_impossible_oscillators_are_refused(attempt, message):
    with pytest.raises(InputError, match=message):
        attempt()
