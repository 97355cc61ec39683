"""Demagnetising factors: sums, symmetry, limits and integrals done another way."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import j1

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import MacrospinDevice, cylinder_factors, exchange_lengths
from holdfast.devices.spintronics.macrospin import prism_factors, spheroid_factors


@pytest.mark.parametrize("edges", [(1, 1, 1), (1, 2, 3), (100, 60, 2), (1, 1, 50)])
def test_the_factors_of_a_prism_add_up_to_one(edges):
    factors = prism_factors(*(1e-9 * np.array(edges)))
    assert factors.sum() == pytest.approx(1, abs=1e-9)
    assert (factors > 0).all()
    assert (np.argsort(factors) == np.argsort(edges)[::-1]).all() or len(set(edges)) < 3


def test_turning_a_prism_turns_its_factors():
    assert prism_factors(3e-9, 1e-9, 2e-9) == pytest.approx(prism_factors(1e-9, 2e-9, 3e-9)[[2, 0, 1]], rel=1e-10)


def test_a_thin_square_film_is_all_normal_and_a_long_bar_has_half_across():
    assert prism_factors(1e-5, 1e-5, 1e-9)[2] == pytest.approx(1, abs=1e-3)
    assert prism_factors(1e-9, 1e-9, 1e-6) == pytest.approx([0.5, 0.5, 0], abs=1e-3)


def test_the_charges_on_a_prism_repel_as_its_factor_says():
    """N = (1 / 4 pi V) integral of (1/r - 1/r') over both charged faces; here the double faces of 1 x 1 x 0.5."""
    a, c = 1.0, 0.5

    def weight(u):  # distribution of the distance along one edge between two random points of it
        return 2 * (a - u)

    nodes, weights = np.polynomial.legendre.leggauss(150)
    # graded towards u = 0, where 1/r has its (integrable) point
    t, w = (nodes + 1) / 2, weights / 2
    u, du = a * t**3, w * 3 * a * t**2
    x, y = np.meshgrid(u, u)
    area = np.outer(du * weight(u), du * weight(u))
    near, far = (area / np.sqrt(x**2 + y**2)).sum(), (area / np.sqrt(x**2 + y**2 + c**2)).sum()
    assert prism_factors(1e-9, 1e-9, 0.5e-9)[2] == pytest.approx(2 * (near - far) / (4 * np.pi * a * a * c), rel=1e-4)


@pytest.mark.parametrize("ratio", [0.02, 0.3, 1.0, 5.0])
def test_the_factor_of_a_cylinder_is_its_integral_over_wave_numbers(ratio):
    """N_z = (1 / tau) integral of J1(q)^2 / q^2 (1 - exp(-2 q tau)), M. Beleggia et al., J. Phys. D 37 (2004)."""
    total, _ = quad(lambda q: j1(q) ** 2 / q**2 * -np.expm1(-2 * q * ratio) / ratio, 1e-9, 400, limit=2000, epsabs=1e-10)
    tail = 1 / (np.pi * 2 * 400**2) / ratio  # J1^2 is 1 / (pi q) on average
    assert cylinder_factors(1e-7, ratio * 1e-7)[2] == pytest.approx(total + tail, abs=3e-6)


def test_a_cylinder_lies_between_prism_and_spheroid():
    diameter, thickness = 100e-9, 2e-9
    side = diameter * np.sqrt(np.pi) / 2
    cylinder, spheroid, prism = (
        shape[2]
        for shape in (
            cylinder_factors(diameter, thickness),
            spheroid_factors(diameter, thickness),
            prism_factors(side, side, thickness),
        )
    )
    assert prism < cylinder < prism + 5e-3  # a square has the longer rim
    assert spheroid > cylinder  # a spheroid has no edge
    assert spheroid == pytest.approx(1 - np.pi / 2 * thickness / diameter, rel=1e-3)


def test_a_sphere_has_a_third_each_way():
    assert spheroid_factors(1e-8, 1e-8) == pytest.approx(np.full(3, 1 / 3), abs=1e-9)
    assert spheroid_factors(1.001e-8, 1e-8)[2] == pytest.approx(1 / 3 + 4 / 15 * 1e-3, rel=1e-4)


def test_factors_broadcast():
    assert cylinder_factors(np.array([50e-9, 100e-9]), 2e-9).shape == (2, 3)
    assert prism_factors(np.array([[1e-9], [2e-9]]), np.array([1e-9, 2e-9, 3e-9]), 1e-9).shape == (2, 3, 3)


def test_width_is_counted_in_exchange_lengths():
    layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=np.pi * 10e-9**2, alpha=0.01)
    # sqrt(2 * 1.5e-11 / (4e-7 pi * 1e12)) = 4.886 nm
    assert exchange_lengths(layer) == pytest.approx(20e-9 / 4.886e-9, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: prism_factors(0.0, 1e-9, 1e-9), "`a`"),
        (lambda: cylinder_factors(1e-9, -1e-9), "thickness"),
        (lambda: spheroid_factors(1e-9, 2e-9), "diameter / thickness"),
        (lambda: exchange_lengths(MacrospinDevice(ms=1e6, thickness=1e-9, area=1e-14, alpha=1), stiffness=0.0), "stiffness"),
    ],
)
def test_shapes_without_size_are_refused(call, part):
    with pytest.raises(InputError, match=part):
        call()
