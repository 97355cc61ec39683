"""Generated vowels: the table they are drawn from, and what a draw keeps."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.data.formants import SEVEN_VOWELS, VOWELS, formants


def test_a_draw_has_the_moments_of_the_table():
    # 35 checks in bands of 6 standard errors: a false alarm in 2e-9 of draws each, below 1e-6 for all
    drawn = formants(SEVEN_VOWELS, per_class=4000, seed=3)
    for number, word in enumerate(SEVEN_VOWELS):
        rows, vowel = drawn.x[drawn.y == number], VOWELS[word]
        deviation = np.array(vowel.deviation)
        assert (abs(rows.mean(axis=0) - vowel.mean) < 6 * deviation / np.sqrt(4000)).all(), word
        assert (abs(rows.std(axis=0) - deviation) < 6 * deviation / np.sqrt(8000)).all(), word
        # Fisher's z of a correlation has standard error 1 / sqrt(n - 3)
        assert abs(np.arctanh(np.corrcoef(rows.T)[0, 1]) - np.arctanh(vowel.correlation)) < 6 / np.sqrt(3997), word


def test_first_formant_lies_below_the_second():
    drawn = formants(("hawed", "who'd"), per_class=20000, seed=1, spread=1.5)
    assert (drawn.x[:, 0] < drawn.x[:, 1]).all()


def test_front_vowels_lie_above_back_vowels_in_the_second_formant():
    front, back = ("heed", "hid", "head", "had"), ("hod", "hawed", "hood", "who'd")
    assert min(VOWELS[word].mean[1] for word in front) > max(VOWELS[word].mean[1] for word in back)


def test_no_spread_gives_the_means():
    drawn = formants(tuple(VOWELS), per_class=2, spread=0.0)
    assert np.allclose(drawn.x[::2], [vowel.mean for vowel in VOWELS.values()])


def test_a_seed_names_its_draw_and_other_vowels_do_not_disturb():
    one, again = formants(per_class=5, seed=7), formants(per_class=5, seed=7)
    assert (one.x == again.x).all()
    assert (one.x[one.y == 0] == formants(("hod", "heed"), per_class=5, seed=7).x[5:]).all()
    assert not np.isin(one.x, formants(per_class=5, seed=8).x).any()
    assert not np.isin(one.x, formants(per_class=5, seed=7, name="test").x).any()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"classes": ("heed", "hodd")}, "Did you mean 'hod'"),
        ({"classes": ("heed", "heed")}, "two different words"),
        ({"classes": ("heed",)}, "two different words"),
        ({"classes": ()}, "two different words"),
        ({"per_class": 0}, "per_class"),
        ({"spread": -1.0}, "spread"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_input(arguments, part):
    with pytest.raises(InputError, match=part):
        formants(**arguments)
