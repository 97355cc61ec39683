"""Features in units of their spread: one size means the same for all, the rows come back exactly, and nothing leaves its range."""

import pytest
import torch
from torch import nn

from holdfast.core.errors import InputError
from holdfast.nets import FeatureUnits, InFeatureUnits

ROWS = torch.tensor([[0.0, 2019.0, 7.5, 4.0], [1.0, 2020.0, -3.25, 4.0], [1.0, 2021.0, 0.125, 4.0], [0.0, 2024.0, 1e6, 4.0]])


def test_the_spread_is_the_standard_deviation_and_1_for_a_constant_feature():
    units = FeatureUnits.of(ROWS)
    torch.testing.assert_close(units.spread[:3], ROWS.std(0, correction=0)[:3])
    assert units.spread[3] == 1


def test_features_in_their_units_have_mean_0_and_deviation_1():
    x = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1e-2, 1, 1e6]) + 5
    z = FeatureUnits.of(x).of_rows(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(3), atol=1e-3, rtol=0)


def test_whole_numbers_come_back_exactly_so_that_codes_stay_codes():
    generator = torch.Generator().manual_seed(0)
    x = torch.stack([torch.randint(0, most, (2000,), generator=generator) for most in (2, 7, 50, 3000, 100_000)], 1).float()
    units = FeatureUnits.of(x)
    assert torch.equal(InFeatureUnits(nn.Identity(), units)(units.of_rows(x)), x)


def test_a_step_is_as_many_spreads_in_every_feature():
    units = FeatureUnits.of(ROWS[:, :3])
    z = torch.zeros(1, 3)
    net = InFeatureUnits(nn.Identity(), units)
    step = 0.01
    torch.testing.assert_close((net(z + step) - net(z))[0] / units.spread, torch.full((3,), step), atol=1e-3, rtol=0)


def test_no_feature_leaves_its_range():
    units = FeatureUnits.of(ROWS)
    answers = InFeatureUnits(nn.Identity(), units)(torch.tensor([[-100.0] * 4, [100.0] * 4]))
    assert torch.equal(answers, torch.stack([units.low, units.high]))
    assert torch.equal(units.of_rows(torch.full((1, 4), 1e9)), units.of_rows(units.high[None]))


def test_the_gradient_of_a_feature_at_the_end_of_its_range_points_inward_too():
    units = FeatureUnits.of(ROWS)
    z = torch.full((1, 4), -50.0, requires_grad=True)
    InFeatureUnits(nn.Identity(), units)(z).sum().backward()
    torch.testing.assert_close(z.grad[0], units.spread)


def test_the_units_come_back_from_the_network():
    units = FeatureUnits.of(ROWS)
    torch.testing.assert_close(InFeatureUnits(nn.Identity(), units).units.mean, units.mean)


@pytest.mark.parametrize("x", [torch.zeros(0, 3), torch.zeros(3), torch.zeros(2, 3, 4)])
def test_only_rows_of_features_have_units(x):
    with pytest.raises(InputError, match=r"allowed: \(rows, features\)"):
        FeatureUnits.of(x)
