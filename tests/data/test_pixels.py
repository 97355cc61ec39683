"""Images kept as bytes: the same examples as floating-point ones, in a quarter of the memory."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from holdfast.core.errors import InputError
from holdfast.data import Examples, choose
from holdfast.data.pixels import Pixels

STORED = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 3, 5, 4)).astype(np.uint8))
LABELS = torch.arange(40) % 4


@pytest.fixture
def both():
    return Examples(Pixels(STORED), LABELS), Examples(STORED.float().div(255), LABELS)


def test_pixels_are_the_same_examples_as_their_floating_point_values(both):
    kept, plain = both
    assert kept.held.stored.dtype == torch.uint8
    for one, other in [
        (kept, plain),
        (kept[7:20], plain[7:20]),
        (kept[[3, 1, 30]], plain[[3, 1, 30]]),
        (kept[LABELS == 2], plain[LABELS == 2]),
        (kept.stratified(10, seed=1), plain.stratified(10, seed=1)),
        (kept.to("cpu"), plain),
        (pickle.loads(pickle.dumps(kept)), plain),
        (kept.labelled(3 - LABELS, class_names=tuple("abcd"), numbering="named"), replace(plain, y=3 - LABELS)),
    ]:
        assert isinstance(one.held, Pixels), "bytes stay bytes"
        assert torch.equal(one.x, other.x)
        assert one.x.dtype == torch.float32
        assert torch.equal(one.y, other.y)
        assert one.digest == other.digest
        assert (one.shape, len(one)) == ((3, 5, 4), len(other))
    for (x, y), (x2, y2) in zip(kept.batches(13), plain.batches(13), strict=True):
        assert torch.equal(x, x2)
        assert torch.equal(y, y2)


def test_a_changed_batch_leaves_the_pixels_as_they_are(both):
    kept, plain = both
    for x, _ in kept.batches(13):
        x.mul_(0.5)
    kept.x.zero_()
    assert kept.digest == plain.digest


def test_a_field_may_be_replaced_by_either_kind(both):
    kept, plain = both
    assert torch.equal(replace(kept, name="other").x, plain.x)
    assert torch.equal(replace(kept, x=plain.x + 1).x, plain.x + 1)


@pytest.mark.parametrize("wrong", [torch.zeros(3, 4), torch.tensor(3, dtype=torch.uint8)])
def test_only_bytes_are_pixels(wrong):
    with pytest.raises(InputError, match="one row of uint8 per example"):
        Pixels(wrong)


@pytest.mark.parametrize(
    ("x", "options", "bytes_stay"),
    [
        (STORED, {}, True),
        (STORED.numpy(), {"bounds": None}, True),
        (STORED.numpy().transpose(0, 2, 3, 1), {"layout": "NHWC"}, True),
        (STORED.float(), {"bounds": (0, 255)}, False),
        (STORED, {"bounds": (0, 255)}, False),
        (STORED.double() / 255, {}, False),
    ],
)
def test_a_choice_keeps_bytes_where_they_mean_the_unit_interval(x, options, bytes_stay):
    found = choose((x, LABELS), **options)
    assert isinstance(found.examples.held, Pixels) == bytes_stay
    scale = 255 if options.get("bounds") == (0, 255) else 1
    torch.testing.assert_close(found.examples.x, STORED[found.index].float() / 255 * scale)
