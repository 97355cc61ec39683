import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import MacrospinDevice, SpinDiode, SpinTorque, spin_transfer_field
from holdfast.devices.spintronics.constants import GAMMA0
from holdfast.devices.spintronics.oscillators import fit_autooscillator

ALPHA, FIELD, EASY_PLANE, MS = 0.02, 8e5, 3e5, 1e6
LAYER = MacrospinDevice(ms=MS, thickness=2e-9, area=7.85e-15, alpha=ALPHA, field=(0.0, 0.0, FIELD), demag=(0.0, 0.0, EASY_PLANE))
DIODE = SpinDiode(layer=LAYER, torque=SpinTorque(polarization=(0.0, 0.0, -1.0)))
THRESHOLD = ALPHA * (FIELD - EASY_PLANE) / (0.6 * float(spin_transfer_field(MS, LAYER.volume)))


def test_a_precession_about_the_field_has_a_known_auto_oscillator():
    """Field along the normal: omega = gamma (H - M + 2 M p) / (1 + alpha^2), and alpha omega(p) balances the torque."""
    fit = fit_autooscillator(DIODE, THRESHOLD * np.array([1.05, 1.1, 1.15]), duration=20e-9, settle=60e-9, dt=5e-13)
    per_field = GAMMA0 / (1 + ALPHA**2) / (2 * np.pi)
    assert fit.threshold_current == pytest.approx(THRESHOLD, rel=0.02)
    assert fit.frequency == pytest.approx(per_field * (FIELD - EASY_PLANE), rel=0.01)
    assert fit.nonlinearity == pytest.approx(2 * per_field * EASY_PLANE, rel=0.03)
    assert fit.damping == pytest.approx(ALPHA * per_field * (FIELD - EASY_PLANE), rel=0.03)
    twin = fit.network(fit.currents)
    assert twin.free_power == pytest.approx(fit.powers, abs=0.005)
    assert twin.free_frequency == pytest.approx(fit.frequencies, rel=0.005)


def test_currents_that_excite_nothing_are_refused():
    with pytest.raises(InputError, match="above the threshold"):
        fit_autooscillator(DIODE, THRESHOLD * np.array([-1.0, -0.5, 0.5]), duration=10e-9, settle=20e-9, dt=5e-13)
    with pytest.raises(InputError, match="at least 3 currents"):
        fit_autooscillator(DIODE, [1e-3, 2e-3])
