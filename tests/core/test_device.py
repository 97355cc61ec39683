"""Fabrication makes unequal devices of one nominal device, with the spread that was asked for."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from holdfast.core.device import Device, fabricate, numeric_parameters
from holdfast.core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Resistor:
    """A resistance in ohm and an offset in V; the device under test."""

    resistance: float = 50.0
    offset: float = 0.0
    material: str = "film"

    def response(self, drive):
        """Voltage in V at the current `drive` in A."""
        return self.resistance * np.asarray(drive) + self.offset


def test_only_numbers_vary():
    assert isinstance(Resistor(), Device)
    assert numeric_parameters(Resistor()) == ["resistance", "offset"]


@pytest.mark.parametrize(("spread", "low"), [(0.05, -4.0), (0.4, -2.5)])
def test_an_ensemble_has_the_cut_normal_distribution(spread, low):
    # a fair sample gives a p-value below 1e-6 once in a million
    ensemble = fabricate(Resistor(), {"resistance": spread}, samples=20_000, seed=3)
    assert kstest((ensemble.resistance / 50 - 1) / spread, truncnorm(low, 4.0).cdf).pvalue > 1e-6


def test_mean_and_spread_are_the_nominal_ones_where_the_cut_is_far():
    # cut at 4 standard deviations, mean and deviation change by less than 0.0006; 5 standard errors on top
    ensemble = fabricate(Resistor(), {"resistance": 0.02}, samples=100_000)
    relative = (ensemble.resistance / 50 - 1) / 0.02
    assert abs(relative.mean()) < 5 / np.sqrt(100_000)
    assert abs(relative.std() - 1) < 0.0006 + 5 / np.sqrt(200_000)


@pytest.mark.parametrize("spread", [0.1, 1.0, 10.0])
def test_no_device_changes_sign_or_lies_beyond_four_deviations(spread):
    resistance = fabricate(Resistor(), {"resistance": spread}, samples=20_000).resistance
    assert (resistance >= 0).all()
    assert (np.abs(resistance / 50 - 1) <= 4 * spread).all()


def test_an_absolute_spread_is_in_the_parameters_own_unit_and_may_cross_zero():
    # half of the devices lie on either side of 0: 10 000 fair coins stay within 5 standard deviations of 50
    offset = fabricate(Resistor(), {}, absolute={"offset": 1e-3}, samples=10_000).offset
    assert np.abs(offset).max() <= 4e-3
    assert abs((offset > 0).sum() - 5000) < 250


def test_negative_nominal_values_keep_their_sign():
    resistance = fabricate(Resistor(resistance=-50.0), {"resistance": 1.0}, samples=1000).resistance
    assert (resistance <= 0).all()


def test_a_parameter_is_drawn_alike_whatever_else_varies():
    alone = fabricate(Resistor(), {"resistance": 0.1}, samples=50, seed=2)
    together = fabricate(Resistor(), {"resistance": 0.1}, absolute={"offset": 1.0}, samples=50, seed=2)
    np.testing.assert_array_equal(alone.resistance, together.resistance)
    # two independent parameters of 2000 devices: |r| > 5.9 / sqrt(2000) has a probability below 1e-8
    many = fabricate(Resistor(), {"resistance": 0.1}, absolute={"offset": 1.0}, samples=2000, seed=2)
    assert abs(np.corrcoef(many.resistance, many.offset)[0, 1]) < 5.9 / np.sqrt(2000)


def test_seeds_reproduce_and_the_nominal_device_stays_as_it_was():
    nominal = Resistor()
    one, again, other = (fabricate(nominal, {"resistance": 0.1}, samples=9, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.resistance, again.resistance)
    assert (one.resistance != other.resistance).all()
    assert nominal == Resistor()
    assert one.material == "film"


def test_no_spread_gives_equal_devices():
    np.testing.assert_array_equal(fabricate(Resistor(), {"resistance": 0.0}, samples=4).resistance, np.full(4, 50.0))


def test_an_ensemble_answers_like_its_devices_one_by_one():
    ensemble = fabricate(Resistor(), {"resistance": 0.1}, absolute={"offset": 0.2}, samples=5)
    singles = [replace(ensemble, resistance=r, offset=o) for r, o in zip(ensemble.resistance, ensemble.offset, strict=True)]
    np.testing.assert_array_equal(ensemble.response(0.01), [device.response(0.01) for device in singles])


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (
            {"spread": {"resistence": 0.1}},
            "names 'resistence', no parameter of Resistor; allowed: resistance, offset. Did you mean 'resistance'?",
        ),
        ({"spread": {"material": 0.1}}, "names 'material'"),
        ({"spread": {"offset": 0.1}}, "names 'offset', which is 0 nominally; allowed: parameters that are not. Use `absolute`"),
        ({"spread": {"resistance": 0.1}, "absolute": {"resistance": 1.0}}, "varied twice"),
        ({"spread": {"resistance": -0.1}}, "`spread[resistance]` is -0.1"),
        ({"spread": {}, "absolute": {"offset": float("nan")}}, "is nan"),
        ({"spread": {}, "samples": 0}, "`samples` is 0"),
    ],
)
def test_impossible_ensembles_are_refused(arguments, part):
    with pytest.raises(InputError) as refusal:
        fabricate(Resistor(), **({"samples": 3} | arguments))
    assert part in str(refusal.value)
