"""Neurons in closed form: their limits, the distribution of their spread, and curves that keep it."""

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from holdfast.core.device import Device
from holdfast.core.errors import InputError
from holdfast.devices import CharacteristicCurves, LinearNeuron, ReluNeuron, SigmoidNeuron, response_curves, vary

NEURONS = [LinearNeuron(), SigmoidNeuron(), ReluNeuron()]
GRID = np.linspace(-8, 8, 65)


@pytest.mark.parametrize("neuron", NEURONS)
def test_every_neuron_is_a_device_that_rises(neuron):
    assert isinstance(neuron, Device)
    assert (np.diff(neuron.response(GRID)) > 0).all()


def test_a_sigmoid_goes_from_its_offset_to_offset_plus_amplitude():
    neuron = SigmoidNeuron(amplitude=3.0, offset=-1.0, steepness=2.0, threshold=0.5)
    assert neuron.response([-1e3, 0.5, 1e3]) == pytest.approx([-1.0, 0.5, 2.0], abs=1e-12)


def test_the_steepest_slope_of_a_sigmoid_is_a_quarter_of_amplitude_times_steepness():
    neuron = SigmoidNeuron(amplitude=3.0, steepness=2.0, threshold=0.5)
    step = 1e-5
    assert (neuron.response(0.5 + step) - neuron.response(0.5 - step)) / (2 * step) == pytest.approx(3 * 2 / 4, rel=1e-8)


def test_a_perfect_corner_without_saturation_is_the_rectifier():
    neuron = ReluNeuron(corner=np.inf, saturation=0.0)
    np.testing.assert_array_equal(neuron.response(GRID), np.maximum(GRID, 0))


def test_a_saturating_neuron_approaches_amplitude_over_saturation():
    assert ReluNeuron(amplitude=2.0, saturation=0.25).response(1e9) == pytest.approx(8.0, rel=1e-6)


def test_a_round_corner_lifts_the_threshold_to_ln_2_over_its_sharpness():
    assert ReluNeuron(corner=10.0, saturation=0.0).response(0.0) == pytest.approx(np.log(2) / 10, rel=1e-12)


def test_the_oscillator_above_threshold_is_a_saturating_neuron():
    # p = (zeta - 1) / (zeta + Q) of an auto-oscillator is v / (v + 1 + Q) with v = zeta - 1
    damping = 2.0
    neuron = ReluNeuron(corner=np.inf, saturation=1 / (1 + damping), amplitude=1 / (1 + damping), threshold=1.0)
    zeta = np.linspace(1, 5, 9)
    np.testing.assert_allclose(neuron.response(zeta), (zeta - 1) / (zeta + damping), rtol=1e-12)


@pytest.mark.parametrize("neuron", NEURONS)
def test_an_ensemble_answers_as_its_members_do_alone(neuron):
    ensemble = vary(neuron, 0.2, samples=5, seed=3)
    together = ensemble.response(GRID[:, None])
    for number in range(5):
        names = ("amplitude", "steepness", "threshold", "offset")
        alone = type(neuron)(**{name: float(getattr(ensemble, name)[number]) for name in names})
        np.testing.assert_allclose(together[:, number], alone.response(GRID), rtol=1e-13)


def test_without_spread_every_member_is_the_nominal_neuron():
    ensemble = vary(SigmoidNeuron(amplitude=2.0), 0.0, samples=3)
    np.testing.assert_array_equal(ensemble.amplitude, [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(ensemble.threshold, np.zeros(3))


@pytest.mark.parametrize(("neuron", "reach"), [(SigmoidNeuron(steepness=2.0), 4 / 2.0), (ReluNeuron(), 1.0)])
def test_spreads_have_the_widths_of_the_table(neuron, reach):
    # A Kolmogorov-Smirnov p-value below 1e-7 happens once in ten million; eight tests
    spread, samples = 0.1, 4000
    ensemble = vary(neuron, spread, samples=samples, seed=1)
    widths = {"amplitude": spread, "steepness": neuron.steepness * spread, "threshold": reach * spread, "offset": 0.5 * spread}
    for name, width in widths.items():
        scaled = (getattr(ensemble, name) - getattr(neuron, name)) / width
        assert kstest(scaled, truncnorm(-4, 4).cdf).pvalue > 1e-7, name


def test_amplitudes_never_change_sign_however_wide_the_spread():
    assert vary(SigmoidNeuron(), 2.0, samples=2000).amplitude.min() >= 0


def test_the_same_seed_gives_the_same_neurons():
    one, two, other = (vary(SigmoidNeuron(), 0.1, samples=4, seed=seed).threshold for seed in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).all()


def test_curves_map_all_devices_alike_so_that_their_spread_survives():
    curves = response_curves(vary(SigmoidNeuron(), 0.2, samples=50), GRID)
    volts = curves.mapped(drive_gain=1e-3, drive_offset=5e-3, output_gain=-2.0, output_offset=1.0)
    np.testing.assert_allclose(volts.y.std(axis=0), 2 * curves.y.std(axis=0), rtol=1e-12)
    np.testing.assert_allclose(volts.nominal, 1 - 2 * curves.y.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(volts.x, 1e-3 * GRID + 5e-3, rtol=1e-12)


def test_curves_know_which_devices_turn_back():
    bumpy = np.stack([np.tanh(GRID), -np.tanh(GRID), np.sin(GRID)])
    assert CharacteristicCurves(x=GRID, y=bumpy).monotone.tolist() == [True, True, False]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_nearest_monotone_curve_pools_what_turns_back(sign):
    y = sign * np.array([[0.0, 2.0, 1.0, 3.0], [0.0, 1.0, 2.0, 3.0]])
    curves = CharacteristicCurves(x=np.arange(4), y=y, nominal=y[1])
    np.testing.assert_allclose(curves.made_monotone().y, sign * np.array([[0, 1.5, 1.5, 3], [0, 1, 2, 3]]))
    errors = np.array([[1.0, 1.0, 1e9, 1.0], [1.0] * 4])
    weighted = CharacteristicCurves(x=np.arange(4), y=y, stderr=errors, nominal=y[1]).made_monotone()
    np.testing.assert_allclose(weighted.y[0], sign * np.array([0, 2, 2, 3]), atol=1e-9)
    assert weighted.monotone.all()


def test_measured_curves_are_read_from_text(tmp_path):
    path = tmp_path / "bench.csv"
    path.write_text("# drive in mA, two devices in V\n0, 0.0, 1.0\n1, 0.5, 1.5\n2, 0.75, 1.75\n3, 0.875, 2.0\n")
    curves = CharacteristicCurves.from_csv(path)
    np.testing.assert_array_equal(curves.x, [0, 1, 2, 3])
    np.testing.assert_array_equal(curves.y, [[0, 0.5, 0.75, 0.875], [1, 1.5, 1.75, 2]])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0, 1, 2], np.zeros((1, 3)), "at least 4"),
        ([0, 1, 2, 4], np.zeros((1, 4)), "uniform"),
        ([3, 2, 1, 0], np.zeros((1, 4)), "increasing"),
        ([0, 1, 2, 3], np.zeros(4), "one row per device"),
        ([0, 1, 2, 3], [[0, 0, 0, 0], [0, np.nan, 0, 0]], "first in row 1"),
        ([0, 1, 2, np.inf], np.zeros((1, 4)), "finite"),
    ],
)
def test_unusable_curves_are_refused(x, y, message):
    with pytest.raises(InputError, match=message):
        CharacteristicCurves(x=x, y=y)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"nominal": [0, np.nan, 0, 0]}, "nominal.*NaN"),
        ({"stderr": [[0, 0, np.nan, 0]]}, "stderr.*NaN"),
        ({"stderr": [[0.1, 0.1, -0.1, 0.1]]}, "stderr.*-0.1"),
        ({"stderr": [0.1, 0.1, 0.1, 0.1]}, "stderr.*shape"),
    ],
)
def test_unusable_companions_of_curves_are_refused(more, message):
    with pytest.raises(InputError, match=message):
        CharacteristicCurves(x=[0, 1, 2, 3], y=[[0, 1, 2, 3]], **more)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: vary(SigmoidNeuron(), -0.1, samples=2), "spread"),
        (lambda: ReluNeuron(corner=0.0), "corner"),
        (lambda: ReluNeuron(saturation=-1.0), "saturation"),
        (lambda: CharacteristicCurves(x=GRID, y=[np.tanh(GRID)]).mapped(drive_gain=-1.0), "drive_gain"),
    ],
)
def test_impossible_neurons_are_refused(attempt, message):
    with pytest.raises(InputError, match=message):
        attempt()
