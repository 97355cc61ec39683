"""Four numbers per device: they come back from curves that were made of them, and their spread survives the map to a network."""

from dataclasses import replace

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices import (
    CharacteristicCurves,
    LinearNeuron,
    ReluNeuron,
    SigmoidNeuron,
    VariationSummary,
    fit_neurons,
    in_network_units,
    response_curves,
    vary,
)
from holdfast.devices.spintronics import AutoOscillatorNeuron, HardAxisNeuron, ThermalSigmoidNeuron, neuron_curves

GRID = np.linspace(-8, 8, 65)
NAMES = ("amplitude", "steepness", "threshold", "offset")


def numbers(neuron):
    return np.stack([np.broadcast_to(getattr(neuron, name), np.shape(neuron.amplitude)) for name in NAMES])


@pytest.mark.parametrize("nominal", [SigmoidNeuron(), SigmoidNeuron(amplitude=-3.0, steepness=2.0, threshold=1.0, offset=5.0)])
def test_sigmoids_come_back_from_their_curves(nominal):
    ensemble = vary(nominal, 0.2, samples=30, seed=1)
    curves = replace(response_curves(ensemble, GRID), nominal=nominal.response(GRID))
    fit = fit_neurons(curves)
    np.testing.assert_allclose(numbers(fit.neurons), numbers(ensemble), rtol=2e-3, atol=2e-3)
    assert fit.residual.max() < 1e-3


def test_amperes_and_volts_are_no_worse_than_ones():
    ensemble = vary(SigmoidNeuron(), 0.2, samples=5, seed=1)
    curves = replace(response_curves(ensemble, GRID), nominal=SigmoidNeuron().response(GRID))
    tiny = fit_neurons(curves.mapped(drive_gain=1e-6, drive_offset=3e-6, output_gain=1e-9, output_offset=2.0)).neurons
    np.testing.assert_allclose(tiny.amplitude, 1e-9 * ensemble.amplitude, rtol=2e-3)
    np.testing.assert_allclose(tiny.threshold, 1e-6 * ensemble.threshold + 3e-6, atol=2e-9)


def test_rectifying_devices_come_back_with_their_shared_corner_and_saturation():
    nominal = ReluNeuron(corner=6.0, saturation=0.2)
    ensemble = vary(nominal, 0.1, samples=20, seed=2)
    grid = np.linspace(-4, 6, 129)
    curves = replace(response_curves(ensemble, grid), nominal=nominal.response(grid))
    fit = fit_neurons(curves, "relu")
    assert fit.nominal.corner == pytest.approx(6.0, rel=1e-3)
    assert fit.nominal.saturation == pytest.approx(0.2, rel=1e-3)
    np.testing.assert_allclose(fit.neurons.threshold, ensemble.threshold, atol=0.01)
    # a straight rise knows the product alone
    np.testing.assert_allclose(fit.neurons.amplitude * fit.neurons.steepness, ensemble.amplitude * ensemble.steepness, rtol=0.01)


def test_standard_errors_weigh_the_points():
    noisy = SigmoidNeuron().response(GRID)[None].copy()
    noisy[0, 10] += 3.0
    errors = np.full(noisy.shape, 0.01)
    errors[0, 10] = 3.0
    plain, weighted = (
        fit_neurons(CharacteristicCurves(x=GRID, y=noisy, stderr=stderr, nominal=SigmoidNeuron().response(GRID))).neurons
        for stderr in (None, errors)
    )
    assert abs(weighted.amplitude[0] - 1) < 1e-3 < abs(plain.amplitude[0] - 1)


@pytest.mark.parametrize(
    ("device", "family"), [(ThermalSigmoidNeuron(), "sigmoid"), (HardAxisNeuron(), "sigmoid"), (AutoOscillatorNeuron(), "relu")]
)
def test_one_map_brings_the_nominal_device_to_network_units_and_keeps_the_spread(device, family):
    curves = neuron_curves(device, spread={"alpha": 0.1, "area": 0.1}, samples=30)
    mapped = in_network_units(curves, family)
    nominal = fit_neurons(CharacteristicCurves(x=mapped.x, y=mapped.nominal[None]), family).nominal
    assert numbers(nominal) == pytest.approx([1, 1, 0, 0], abs=1e-5)
    span = np.ptp(mapped.nominal) / np.ptp(curves.nominal)
    np.testing.assert_allclose(mapped.y.std(axis=0), span * curves.y.std(axis=0), rtol=1e-9)


def test_a_summary_draws_what_it_was_made_from():
    ensemble = vary(SigmoidNeuron(offset=0.5), 0.1, samples=2000, seed=5)
    curves = replace(response_curves(ensemble, GRID), nominal=SigmoidNeuron(offset=0.5).response(GRID))
    drawn = fit_neurons(CharacteristicCurves(x=GRID, y=curves.y[:400], nominal=curves.nominal)).summary.draw(20_000, seed=3)
    four = numbers(fit_neurons(CharacteristicCurves(x=GRID, y=curves.y[:400], nominal=curves.nominal)).neurons)
    # 20000 draws: five standard errors of a mean are 3.5 % of a standard deviation, of a standard deviation 2.5 %; the cut at
    # 4 standard deviations takes 0.1 %. Eight numbers, false alarms below 1e-5 each to the sixth digit
    np.testing.assert_allclose(numbers(drawn).mean(axis=1), four.mean(axis=1), atol=0.04 * four.std(axis=1).max())
    np.testing.assert_allclose(numbers(drawn).std(axis=1), four.std(axis=1), rtol=0.03)


def test_a_summary_keeps_how_the_numbers_go_together():
    covariance = np.zeros((4, 4))
    covariance[:2, :2] = [[0.01, 0.009], [0.009, 0.01]]
    drawn = VariationSummary(nominal=SigmoidNeuron(), mean=[1, 1, 0, 0], covariance=covariance).draw(20_000)
    # the standard error of this correlation is (1 - 0.9^2) / sqrt(20000) = 0.0013
    assert np.corrcoef(drawn.amplitude, drawn.steepness)[0, 1] == pytest.approx(0.9, abs=0.008)
    assert (drawn.threshold == 0).all()


def test_draws_never_turn_an_amplitude_and_repeat_with_their_seed():
    wide = VariationSummary(nominal=SigmoidNeuron(), mean=[-1, 1, 0, 0], covariance=np.eye(4))
    assert wide.draw(1000).amplitude.max() < 0
    assert wide.draw(1000).steepness.min() > 0
    assert (wide.draw(5, seed=1).threshold == wide.draw(5, seed=1).threshold).all()
    assert (wide.draw(5, seed=1).threshold != wide.draw(5, seed=2).threshold).all()


def test_a_curve_of_another_shape_is_announced():
    with pytest.warns(UserWarning, match="far from a sigmoid"):
        fit_neurons(CharacteristicCurves(x=GRID, y=np.cos(GRID)[None]))


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: fit_neurons(CharacteristicCurves(x=GRID, y=np.ones((2, 65)))), "does not answer"),
        (lambda: fit_neurons(CharacteristicCurves(x=GRID, y=[GRID]), "tanh"), "sigmoid, relu"),
        (lambda: VariationSummary(nominal=LinearNeuron(), mean=[1, 1, 0], covariance=np.eye(4)), "mean"),
        (lambda: VariationSummary(nominal=LinearNeuron(), mean=[1, 1, 0, 0], covariance=np.eye(3)), "covariance"),
        (lambda: VariationSummary(nominal=LinearNeuron(), mean=[0, 1, 0, 0], covariance=np.eye(4)), "amplitude"),
        (lambda: VariationSummary(nominal=LinearNeuron(), mean=[1, 1, 0, 0], covariance=np.eye(4)).draw(0), "samples"),
    ],
)
def test_fits_that_cannot_be_are_refused(attempt, message):
    with pytest.raises(InputError, match=message):
        attempt()
