"""Averages over the sphere: limits that are known in closed form, and brute sums over the whole sphere."""

import numpy as np
import pytest
from scipy.integrate import quad

from holdfast.devices.spintronics.macrospin.boltzmann import axial_moments, transverse_mean

FIELDS = np.array([-300.0, -7.0, -0.3, 1e-6, 0.5, 2.0, 40.0])


def langevin(xi):
    return 1 / np.tanh(xi) - 1 / xi


def over_the_sphere(delta, along, across):
    """Mean component along the transverse field by a plain sum; the trapezoid rule of a periodic function is exact to rounding."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    phi = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    sine = np.sqrt(1 - nodes**2)[:, None] * np.cos(phi)
    exponent = delta * nodes[:, None] ** 2 + along * nodes[:, None] + across * sine
    density = weights[:, None] * np.exp(exponent - exponent.max())
    return (density * sine).sum() / density.sum()


def test_without_anisotropy_both_averages_are_langevins():
    # closed forms lose digits below 1e-3: there it is xi / 3
    expected = np.where(np.abs(FIELDS) < 1e-3, FIELDS / 3, langevin(FIELDS))
    np.testing.assert_allclose(axial_moments(0.0, FIELDS)[0], expected, rtol=1e-9)
    np.testing.assert_allclose(transverse_mean(0.0, 0.0, FIELDS), expected, rtol=1e-9)


def test_a_high_barrier_leaves_two_states_and_tanh():
    # the correction to two states is of the order 1 / barrier
    np.testing.assert_allclose(axial_moments(2000.0, FIELDS)[0], np.tanh(FIELDS), atol=1e-3)


def test_a_hard_easy_plane_is_a_gaussian_about_its_tilt():
    mean, square = axial_moments(-5000.0, 4000.0)
    assert mean == pytest.approx(0.4, rel=1e-9)
    assert square - mean**2 == pytest.approx(1e-4, rel=1e-9)


@pytest.mark.parametrize("delta", [-400.0, -3.0, -1e-6, 0.7, 25.0])
@pytest.mark.parametrize("xi", [0.2, 6.0, 90.0])
def test_the_axial_moments_are_the_integrals(delta, xi):
    peak = min(1.0, xi / (-2 * delta)) if delta < 0 else 1.0
    height = delta * peak**2 + xi * peak
    near = sorted({peak, *np.clip(peak + np.array([-0.3, -0.05, 0.05, 0.3]), -1, 1)})

    def moment(power):
        return quad(lambda m: m**power * np.exp(delta * m * m + xi * m - height), -1, 1, points=near, limit=500, epsabs=1e-13)[0]

    total = moment(0)
    mean, square = axial_moments(delta, xi)
    assert mean == pytest.approx(moment(1) / total, rel=1e-9)
    assert square == pytest.approx(moment(2) / total, rel=1e-9)


@pytest.mark.parametrize("case", [(20.0, 0.0, 10.0), (20.0, 5.0, -30.0), (200.0, 0.0, 100.0), (-3.0, 0.4, 1.0), (0.5, -8.0, 2.0)])
def test_the_transverse_mean_is_the_sum_over_the_sphere(case):
    assert float(transverse_mean(*case)) == pytest.approx(over_the_sphere(*case), rel=1e-9)


def test_the_mean_is_odd_in_the_field_and_the_square_even():
    (up, high), (down, low) = axial_moments(3.0, FIELDS), axial_moments(3.0, -FIELDS)
    np.testing.assert_array_equal(up, -down)
    np.testing.assert_array_equal(high, low)


def test_arrays_broadcast_as_everywhere():
    assert axial_moments(np.ones((5, 1)), np.ones(3))[0].shape == (5, 3)
    assert transverse_mean(np.ones((5, 1)), 0.0, np.ones(3)).shape == (5, 3)
