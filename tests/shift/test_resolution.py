"""Resampling: partitions of unity, agreement with PyTorch and Pillow, and what a lower resolution takes away."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shift_pictures import draw_picture
from torch.nn.functional import avg_pool2d, interpolate

from holdfast.core.errors import InputError
from holdfast.shift import KERNELS, centre_crop, resampling_matrix, resize, resize_and_crop, resolution_round_trip

every_kernel = pytest.mark.parametrize("kernel", KERNELS)
COLOUR = torch.from_numpy(draw_picture(24, 31))


@given(size=st.integers(1, 40), new_size=st.integers(1, 40), kernel=st.sampled_from(KERNELS), antialias=st.booleans())
@settings(max_examples=200, deadline=None)
def test_weights_of_a_new_pixel_sum_to_one(size, new_size, kernel, antialias):
    matrix = resampling_matrix(size, new_size, kernel=kernel, antialias=antialias)
    assert matrix.shape == (new_size, size)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)


@given(size=st.integers(1, 40), new_size=st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_area_keeps_the_mean_exactly(size, new_size):
    np.testing.assert_allclose(resampling_matrix(size, new_size, kernel="area").mean(axis=0), 1 / size, atol=1e-12)


@every_kernel
def test_the_same_size_is_the_same_image(kernel):
    torch.testing.assert_close(resize(COLOUR, scale=1.0, kernel=kernel), COLOUR)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "area", "lanczos"])
@pytest.mark.parametrize("scale", [0.3, 0.75, 2.0])
def test_a_mirrored_image_gives_the_mirrored_result(kernel, scale):
    there = resize(COLOUR, scale=scale, kernel=kernel)
    torch.testing.assert_close(resize(COLOUR.flip(-1), scale=scale, kernel=kernel).flip(-1), there)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(12, 12), (7, 40), (24, 31), (60, 17)])
def test_antialiased_kernels_are_those_of_pytorch(kernel, size):
    expected = interpolate(COLOUR.double(), size=size, mode=kernel, antialias=True)
    torch.testing.assert_close(resize(COLOUR.double(), size=size, kernel=kernel, bounds=None), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(12, 12), (7, 40), (60, 17)])
def test_plain_bilinear_and_nearest_are_those_of_pytorch(size):
    bilinear = interpolate(COLOUR, size=size, mode="bilinear", antialias=False)
    torch.testing.assert_close(resize(COLOUR, size=size, antialias=False), bilinear, atol=1e-5, rtol=0)
    nearest = interpolate(COLOUR, size=size, mode="nearest-exact")
    torch.testing.assert_close(resize(COLOUR, size=size, kernel="nearest"), nearest, atol=0, rtol=0)


def test_area_by_whole_factors_is_average_pooling():
    x = torch.from_numpy(draw_picture(24, 30))
    torch.testing.assert_close(resize(x, size=(8, 15), kernel="area"), avg_pool2d(x, (3, 2)))


@pytest.mark.parametrize(
    ("kernel", "peer"),
    [("lanczos", Image.Resampling.LANCZOS), ("bicubic", Image.Resampling.BICUBIC), ("bilinear", Image.Resampling.BILINEAR)],
)
@pytest.mark.parametrize("size", [(10, 13), (50, 64)])
def test_kernels_are_those_of_pillow(kernel, peer, size):
    expected = np.asarray(Image.fromarray(COLOUR[0, 0].numpy()).resize(size[::-1], peer))
    np.testing.assert_allclose(resize(COLOUR, size=size, kernel=kernel, bounds=None)[0, 0], expected, atol=2e-6)


def test_overshoot_is_clipped_to_the_bounds():
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 1
    free, bound = (resize(edge, scale=3.0, kernel="lanczos", bounds=bounds) for bounds in (None, (0.0, 1.0)))
    assert free.min() < -0.01
    assert free.max() > 1.01
    torch.testing.assert_close(bound, free.clamp(0, 1))


def test_gradients_and_dtype_pass_through():
    x = COLOUR.double().requires_grad_()
    y = resize(x, scale=0.5, kernel="area")
    y.sum().backward()
    assert y.dtype == torch.float64
    # 31 columns become 16, 24 rows become 12: every pixel weighs 12 * 16 / (24 * 31)
    torch.testing.assert_close(x.grad, torch.full_like(x, 12 * 16 / (24 * 31)))


@pytest.mark.gpu
@every_kernel
def test_gpu_and_cpu_agree(kernel):
    torch.testing.assert_close(resize(COLOUR.cuda(), scale=0.6, kernel=kernel).cpu(), resize(COLOUR, scale=0.6, kernel=kernel))


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "area", "lanczos"])
def test_less_resolution_leaves_less_detail(kernel):
    x = torch.from_numpy(draw_picture(64, 64))
    lost = [float((resolution_round_trip(x, scale, kernel=kernel) - x).square().mean()) for scale in (1.0, 0.75, 0.5, 0.25, 0.1)]
    assert lost == sorted(lost)
    assert lost[0] < 1e-12 < lost[1]


def test_a_checkerboard_is_grey_to_a_camera_of_half_the_resolution():
    board = (torch.arange(32)[:, None] + torch.arange(32)).remainder(2).float()[None, None]
    seen = resolution_round_trip(board, 0.5)
    torch.testing.assert_close(seen[..., 2:-2, 2:-2], torch.full((1, 1, 28, 28), 0.5), atol=1e-3, rtol=0)
    aliased = resolution_round_trip(board, 0.5, kernel="nearest")
    assert set(aliased.unique().tolist()) <= {0.0, 1.0}


def test_resize_and_crop_enlarges_objects_in_a_narrower_view():
    x = torch.zeros(1, 1, 32, 32)
    x[..., 12:20, 12:20] = 1
    for resize_to in (32, 48, 64):
        seen = resize_and_crop(x, resize_to=resize_to, crop=32)
        assert seen.shape == x.shape
        # the apparent area grows with the square of the enlargement
        assert float(seen.sum()) == pytest.approx(64 * (resize_to / 32) ** 2, rel=1e-5)


def test_the_crop_is_central():
    x = torch.arange(25.0).reshape(1, 1, 5, 5)
    assert centre_crop(x, 3).flatten().tolist() == [6, 7, 8, 11, 12, 13, 16, 17, 18]
    assert centre_crop(x, (1, 5)).flatten().tolist() == [10, 11, 12, 13, 14]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resize(COLOUR), "exactly one"),
        (lambda: resize(COLOUR, scale=1.0, size=3), "exactly one"),
        (lambda: resize(COLOUR, scale=0.0), "scale"),
        (lambda: resize(COLOUR, scale=float("nan")), "scale"),
        (lambda: resize(COLOUR, size=0), "size"),
        (lambda: resize(COLOUR, size=(3, 2.5)), "whole numbers"),
        (lambda: resize(COLOUR, scale=0.5, kernel="cubic"), "Did you mean 'bicubic'"),
        (lambda: resize(COLOUR[0], scale=0.5), "images (n, channels"),
        (lambda: resize(COLOUR[:0], scale=0.5), "images (n, channels"),
        (lambda: resize((COLOUR * 255).byte(), scale=0.5), "Divide 8-bit"),
        (lambda: centre_crop(COLOUR, 25), "24 x 31"),
        (lambda: centre_crop(COLOUR, 0), "1 px"),
        (lambda: resize_and_crop(COLOUR, resize_to=16, crop=20), "16 x 16"),
    ],
)
def test_what_cannot_be_resized_is_refused(call, message):
    with pytest.raises(InputError) as refusal:
        call()
    assert message in str(refusal.value)
