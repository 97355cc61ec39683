"""The time to cross a barrier beside its limits and an independent integration."""

import numpy as np
import pytest
from scipy.integrate import quad

from holdfast.core.errors import InputError
from holdfast.devices.spintronics.neurons.well_crossing import barrier_left, check_crossed, crossing_time


def test_without_a_barrier_it_is_free_diffusion_from_pole_to_equator():
    assert float(crossing_time(0.0)) == pytest.approx(2 * np.log(2), rel=1e-12)


def test_a_high_barrier_takes_browns_time():
    # the leading term of an expansion in 1 / barrier
    barrier = np.array([30.0, 60.0])
    brown = np.sqrt(np.pi) / 2 * np.exp(barrier) * barrier**-1.5
    assert (np.abs(crossing_time(barrier) / brown - 1 - 1 / barrier) < 3 / barrier**2).all()


@pytest.mark.parametrize("barrier", [-3.0, 0.5, 4.0, 8.0])
def test_it_is_the_integral_over_the_distribution(barrier):
    def inner(z):
        return quad(lambda y: np.exp(barrier * (y * y - z * z)), z, 1)[0] / (1 - z * z)

    assert float(crossing_time(barrier)) == pytest.approx(2 * quad(inner, 0, 1)[0], rel=1e-6)


def test_a_field_lowers_the_barrier_until_there_is_none():
    np.testing.assert_allclose(barrier_left([4.0, 4.0, 4.0, -4.0], [0.0, -0.5, 2.0, 0.0]), [4.0, 1.0, 0.0, 0.0])


def test_a_barrier_that_is_never_crossed_is_refused():
    assert check_crossed(7.9) == 7.9
    with pytest.raises(InputError, match=r"9 kT.*up to 8 kT.*closed"):
        check_crossed(np.array([1.0, 9.0]))
