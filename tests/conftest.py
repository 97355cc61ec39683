"""Shared fixtures. Real data lie in HOLDFAST_DATA, or beside the checkout; a test that needs them is skipped without."""

import os
from pathlib import Path

import pytest
import torch

from holdfast.data import Examples, load_images
from holdfast.nets import fit, tiny_cnn

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
if "HOLDFAST_DATA" not in os.environ and BESIDE.is_dir():
    os.environ["HOLDFAST_DATA"] = str(BESIDE)
os.environ["HOLDFAST_OFFLINE"] = "1"
torch.set_num_threads(1)  # the networks here are too small for two


@pytest.fixture(scope="session", autouse=True)
def own_configuration(tmp_path_factory) -> None:
    """Runs of tests are sealed with a key of their own, not with the user's."""
    os.environ["HOLDFAST_CONFIG"] = str(tmp_path_factory.mktemp("configuration"))


@pytest.fixture(autouse=True)
def same_draws_every_time() -> None:
    """A test that draws from torch's global stream draws the same numbers in every run and in any order."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real data sets."""
    folder = Path(os.environ.get("HOLDFAST_DATA", "/nonexistent"))
    if not (folder / "mnist").is_dir():
        pytest.skip("MNIST is not on this machine: set HOLDFAST_DATA")
    return folder


@pytest.fixture(scope="session")
def mnist_small(real_data) -> tuple[Examples, Examples]:
    """4000 training and 1000 test digits of MNIST, stratified."""
    del real_data
    return load_images("mnist", n=4000), load_images("mnist", split="test", n=1000)


@pytest.fixture(scope="session")
def trained_cnn(mnist_small) -> torch.nn.Module:
    """The small CNN, trained on `mnist_small`: about 96 % on its test digits, in 3 seconds of one core."""
    net = tiny_cnn()
    fit(net, mnist_small[0], epochs=5, lr=1e-2, batch_size=64)
    return net


@pytest.fixture(scope="session")
def digits_small() -> tuple[Examples, Examples]:
    """scikit-learn's bundled 8x8 digits, 1297 to train and 500 to test; needs no files."""
    return load_images("digits"), load_images("digits", split="test")


@pytest.fixture(scope="session")
def digits_cnn(digits_small) -> torch.nn.Module:
    """The small CNN for 8x8 images, trained on `digits_small`: about 96 % on its test digits, in 1 second of one core."""
    net = tiny_cnn(size=8)
    fit(net, digits_small[0], epochs=10, lr=1e-2, batch_size=64)
    return net
