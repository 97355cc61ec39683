"""Pictures that the tests of corruptions share."""

import numpy as np
import pytest
from shift_pictures import draw_picture


@pytest.fixture(scope="session")
def picture():
    """One colour picture of 224 px."""
    return draw_picture(224, 224)


@pytest.fixture(scope="session")
def small_pictures():
    """Six different colour pictures of 28 px."""
    return np.concatenate([draw_picture(28, 28, seed=seed) for seed in range(6)])
