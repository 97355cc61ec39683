"""What a diode keeps of its voltage at low frequency."""

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics.diode import keeping_drive, low_frequency_share


def test_noise_of_both_signs_leaves_no_share():
    noise = np.random.default_rng(1).normal(loc=(0.0, 0.0, 10.0), size=(4000, 3))
    assert low_frequency_share(noise) < 0.01  # standard error 0.0016


def test_a_diode_whose_voltage_falls_with_frequency_keeps_all():
    assert low_frequency_share([[-3.0, 2.0, 1.0]]) == 1


def test_the_drive_is_found_between_its_neighbours_and_never_beyond_the_ends():
    volts = np.array([[[0.1, 1.0], [0.3, 1.0], [0.2, 1.0], [0.9, 1.0]]])
    drive = np.array([1.0, 2.0, 3.0, 4.0])
    assert keeping_drive(volts, drive, share=0.2) == pytest.approx(1.5)
    assert keeping_drive(volts, drive, share=0.6) == pytest.approx(3.5)  # a dip after 0.3 does not count
    assert keeping_drive(volts, drive, share=0.95) == 4.0
    assert keeping_drive(volts, drive, share=0.05) == 1.0


@pytest.mark.parametrize(
    ("volts", "drive"), [(np.ones((2, 3)), [1, 2, 3]), (np.ones((2, 3, 4)), [1, 2]), (np.ones((1, 2, 2)), [2, 1])]
)
def test_voltages_that_do_not_fit_the_drives_are_refused(volts, drive):
    with pytest.raises(InputError, match="drives"):
        keeping_drive(volts, drive)
