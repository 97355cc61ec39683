"""Measured curves from text files: what is read, and what an error names."""

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices import CharacteristicCurves

GOOD = "drive,a,b\n0,0,1\n1,0.5,1.5\n2,0.75,1.75\n3,0.875,2\n"


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "bench.csv").write_bytes(GOOD.encode() + b"\xff")
    with pytest.raises(InputError, match=r"whose byte 48 is not UTF-8; allowed: a text file of measured curves"):
        CharacteristicCurves.from_csv(tmp_path / "bench.csv")


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "bench.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "text", [GOOD, "# in mA\n" + GOOD, GOOD.replace("drive,a,b\n", ""), "\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), GOOD + "\n\n"]
)
def test_names_comments_and_line_ends_make_no_difference(written, text):
    curves = CharacteristicCurves.from_csv(written(text))
    np.testing.assert_array_equal(curves.x, [0, 1, 2, 3])
    np.testing.assert_array_equal(curves.y, [[0, 0.5, 0.75, 0.875], [1, 1.5, 1.75, 2]])


def test_drives_in_any_order_and_distance_can_be_resampled(written):
    text = "4,8,4\n0,0,0\n1,2,1\n9,18,9\n"
    curves = CharacteristicCurves.from_csv(written(text), resample=10)
    np.testing.assert_allclose(curves.x, np.arange(10))
    np.testing.assert_allclose(curves.y, [2 * np.arange(10), np.arange(10)])


@pytest.mark.parametrize(
    ("text", "resample", "message"),
    [
        (GOOD.replace("0.75", ""), None, r"no value in line 4, column 2 \(a\)"),
        (GOOD.replace("1.75", "x"), None, r"'x' in line 4, column 3 \(b\)"),
        (GOOD.replace("1.75", "nan"), None, r"'nan' in line 4, column 3"),
        (GOOD.replace(",1.75", ""), None, "has 2 values in line 4.*allowed: 3 values"),
        (GOOD.replace("2,0.75", "2.5,0.75"), None, r"uniform.*resample=65"),
        (GOOD.replace("3,0.875", "2,0.875"), 8, "twice"),
        (GOOD, 3, "resample"),
        ("", None, "no table"),
        ("1\n2\n3\n4\n", None, "no table"),
        ("1;2\n2;3\n", None, "no table"),
    ],
)
def test_an_error_names_the_place(written, text, resample, message):
    with pytest.raises(InputError, match=message):
        CharacteristicCurves.from_csv(written(text), resample=resample)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        CharacteristicCurves.from_csv("nowhere.csv")
