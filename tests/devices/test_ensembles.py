"""Every way to an ensemble gives the bits that its seed has given from the start; the numbers are those of version 0.1.0."""

import numpy as np

from holdfast.devices import SigmoidNeuron, VariationSummary, characterise, fabricate, vary
from holdfast.devices.spintronics import MacrospinDevice, SpinDiode, SpinTorque, ThermalSigmoidNeuron, neuron_curves


def test_a_diode_varies_in_layer_junction_and_every_source():
    layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=7.85e-15, alpha=0.01, field=(4e4, 0, 0))
    sources = (SpinTorque(polarization=(0.5, 0.866, 0)), SpinTorque(polarization=(0, 0, 1), efficiency=0.3))
    found = fabricate(
        SpinDiode(layer=layer, torque=sources),
        {"alpha": 0.05, "field": 0.03, "tmr": 0.1, "efficiency": 0.2},
        absolute={"misalignment": 0.02},
        samples=2,
        seed=5,
    )
    first, second = found.torques
    assert found.layer.alpha.tolist() == [0.01085828346912551, 0.00972378204495282]
    assert found.layer.field.tolist() == [[41074.844802687374, 0.0, 0.0], [41678.38829114127, 0.0, 0.0]]
    assert found.junction.tmr.tolist() == [0.8479179455231758, 1.0134720944372024]
    assert first.efficiency.tolist() == [0.624003061307047, 0.7882160457351998]
    assert second.efficiency.tolist() == [0.3522584957086176, 0.3238383422364648]
    assert first.polarization.tolist() == [
        [0.5023030649277362, 0.864642773129708, 0.009192705737197878],
        [0.5210215890392621, 0.8534485592349194, 0.012730298301413598],
    ]
    assert second.polarization.tolist() == [
        [0.008980827103580136, -0.0053541753747710875, 0.9999453372812895],
        [0.004015685256143686, 0.014488636677005095, 0.9998869704517432],
    ]


def test_the_four_numbers_of_neurons():
    found = vary(SigmoidNeuron(amplitude=2.0, steepness=3.0), 0.2, samples=2, seed=4, drive_scale=2.0)
    assert found.amplitude.tolist() == [2.073777148531033, 2.4088048786007104]
    assert found.steepness.tolist() == [3.191576842935395, 3.304593608074306]
    assert found.threshold.tolist() == [0.7949006182336146, 0.14061633245153102]
    assert found.offset.tolist() == [-0.14132705716391822, 0.22919849566546557]
    summary = VariationSummary(nominal=SigmoidNeuron(), mean=np.array([1.0, 1, 0, 0]), covariance=np.diag([0.01, 0.01, 0.1, 0]))
    assert summary.draw(2, seed=3).amplitude.tolist() == [1.0493475571934447, 0.9045277021598479]


def test_magnetic_neurons_and_devices_on_the_bench():
    found = fabricate(ThermalSigmoidNeuron(), {"alpha": 0.1}, absolute={"field": 200.0}, samples=2, seed=2)
    assert found.alpha.tolist() == [0.05338111793818215, 0.0503069372119189]
    assert found.field.tolist() == [9.092817736053043, 172.87472984825948]
    curves = neuron_curves(ThermalSigmoidNeuron(), spread={"area": 0.1}, samples=2, points=4, seed=2)
    np.testing.assert_allclose(curves.y[:, 0], [0.02651687653368782, 0.03369152603268537], rtol=1e-13)
    bench = characterise(
        "sigmoid-neuron", samples=2, spread={"steepness": 0.1}, absolute={"offset": 0.2}, seed=3, sweeps=["drive=0,1"]
    )
    wanted = [[0.5, 0.7310585786300049], [0.5929173474455013, 0.8541367206542553], [0.4211057531791063, 0.6400018310606392]]
    np.testing.assert_allclose(bench.outputs[0].values, wanted, rtol=1e-14)
