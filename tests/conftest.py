"""Shared fixtures. Real data lie in HOLDFAST_DATA, or beside the checkout; a test that needs them is skipped without."""

import os
from pathlib import Path

import pytest
import torch

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
if "HOLDFAST_DATA" not in os.environ and BESIDE.is_dir():
    os.environ["HOLDFAST_DATA"] = str(BESIDE)
torch.set_num_threads(2)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real data sets."""
    folder = Path(os.environ.get("HOLDFAST_DATA", "/nonexistent"))
    if not (folder / "mnist").is_dir():
        pytest.skip("MNIST is not on this machine: set HOLDFAST_DATA")
    return folder
