"""Views of the input, smoothing and momentum: what each does to a batch, and the refusals."""

import pytest
import torch

from holdfast.attacks import ThreatModel, pgd, resized, scaled, smoothed
from holdfast.attacks.transforms import Direction, cleaned
from holdfast.core.errors import InputError


def images(n=3, size=12):
    return torch.rand(n, 2, size, size, generator=torch.Generator().manual_seed(0))


def test_scaled_views_are_halves_of_each_other():
    views = scaled(4)(images(), torch.Generator()).view(4, 3, 2, 12, 12)
    for power in range(4):
        torch.testing.assert_close(views[power], images() / 2**power)


def test_resizing_moves_images_within_their_range_and_leaves_the_rest_alone():
    transform, generator = resized(1.3, probability=0.5), torch.Generator().manual_seed(1)
    views = [transform(images(), generator) for _ in range(60)]
    same = sum(torch.equal(view, images()) for view in views)
    assert 8 <= same <= 52  # binomial(60, 1/2): outside with probability 1e-9
    assert all(view.shape == images().shape and float(view.min()) >= 0 and float(view.max()) <= 1 for view in views)
    again = torch.Generator().manual_seed(1)
    assert all(torch.equal(view, transform(images(), again)) for view in views), "the seed decides"


def test_smoothing_keeps_a_constant_inside_and_spreads_a_point_as_a_gaussian():
    flat = smoothed(5, sigma=1.0)(torch.ones(1, 2, 11, 11))
    torch.testing.assert_close(flat[:, :, 2:-2, 2:-2], torch.ones(1, 2, 7, 7))
    point = torch.zeros(1, 1, 11, 11)
    point[0, 0, 5, 5] = 1
    spread = smoothed(7, sigma=1.5)(point)[0, 0]
    assert float(spread.sum()) == pytest.approx(1, abs=1e-6)
    assert float(spread[5, 7] / spread[5, 5]) == pytest.approx(torch.tensor(-4 / (2 * 1.5**2)).exp().item(), rel=1e-5)
    torch.testing.assert_close(spread, spread.T)


def test_momentum_adds_gradients_of_unit_mean():
    first, second = torch.tensor([[2.0, -2.0]]), torch.tensor([[0.0, 1.0]])
    steer = Direction(0.5)
    assert torch.allclose(steer(first), torch.tensor([[1.0, -1.0]]))
    assert torch.allclose(steer(second), torch.tensor([[0.5, 1.5]]))
    assert torch.equal(Direction(0.0)(first), first)


def test_a_gradient_that_is_no_number_is_silent_and_reported():
    gradient, blind = cleaned(torch.tensor([[1.0, 2.0], [torch.nan, 1.0], [0.0, 0.0]]))
    assert gradient.tolist() == [[1.0, 2.0], [0.0, 1.0], [0.0, 0.0]]
    assert blind.tolist() == [False, True, True]
    assert cleaned(torch.ones(2, 2))[1] is None


def test_all_of_them_compose_in_one_attack(digits_cnn, digits_small):
    digits = digits_small[1][:40]
    settings = {"input_transforms": [resized(), scaled(2)], "grad_transform": [smoothed(3)], "momentum": 1.0, "random_start": False}
    result = pgd(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.3), steps=10, **settings)
    assert result.success.float().mean() > 0.5
    assert float(result.norm.max()) <= 0.3 + 1e-6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scaled(0), "copies"),
        (lambda: resized(1.0), "largest"),
        (lambda: resized(probability=2.0), "probability"),
        (lambda: smoothed(4), "odd"),
        (lambda: smoothed(5, sigma=0.0), "sigma"),
        (lambda: smoothed(3)(torch.rand(2, 8)), "images"),
        (lambda: resized()(torch.rand(2, 8), torch.Generator()), "images"),
    ],
)
def test_impossible_transforms_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
