"""per_example.npz: one row per example and stress, written the same way twice, read back as a table."""

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.report import PerExampleTable, read_per_example, row_name, write_per_example

EXAMPLE, LABEL = np.array([3, 7, 9]), np.array([0, 1, 1])


def archive(tmp_path, name="per_example.npz"):
    arrays = {
        row_name("pgd", {"eps": 8 / 255}): np.array([True, False, False]),
        row_name("pgd", {"eps": 8 / 255}, "margin"): np.array([0.5, -0.25, -1.0], dtype=np.float32),
        row_name("weight_noise", {"sigma": 0.1}): np.array([[True, True], [True, False], [False, False]]),
    }
    return write_per_example(tmp_path / name, arrays, example=EXAMPLE, label=LABEL)


def test_rows_come_back_as_they_went(tmp_path):
    archive(tmp_path)
    table = read_per_example(tmp_path).table("pgd", eps=8 / 255)
    assert table.dtype.names == ("example", "label", "correct", "margin")
    assert table["example"].tolist() == [3, 7, 9]
    assert table["correct"].tolist() == [True, False, False]
    assert table["margin"].dtype == np.float32


def test_several_chips_of_one_example_are_one_field(tmp_path):
    table = read_per_example(archive(tmp_path)).table("weight_noise", sigma=0.1)
    assert table["correct"].shape == (3, 2)


def test_points_are_listed_in_the_order_they_were_written(tmp_path):
    assert read_per_example(archive(tmp_path)).points() == [("pgd", {"eps": 8 / 255}), ("weight_noise", {"sigma": 0.1})]


def test_equal_content_gives_equal_bytes(tmp_path):
    assert archive(tmp_path, "a.npz").read_bytes() == archive(tmp_path, "b.npz").read_bytes()


def test_a_strength_may_hold_any_text(tmp_path):
    at = {"corruption": "a|b/../c"}
    path = write_per_example(tmp_path / "x.npz", {row_name("corruptions", at): [True]}, example=[0], label=[1])
    assert read_per_example(path).points() == [("corruptions", at)]
    assert {file.stem for file in tmp_path.rglob("*")} == {"x"}


def test_an_array_of_another_length_is_refused(tmp_path):
    with pytest.raises(InputError, match="one row per example"):
        write_per_example(tmp_path / "x.npz", {row_name("pgd", {}): [True, False]}, example=EXAMPLE, label=LABEL)


def test_a_point_that_was_not_measured_is_refused_with_the_nearest(tmp_path):
    table = read_per_example(archive(tmp_path))
    with pytest.raises(InputError, match="Nearest: pgd"):
        table.table("pgd", eps=0.1)
    with pytest.raises(InputError, match="no such file"):
        read_per_example(tmp_path / "other.npz")


def test_no_pickle_is_read(tmp_path):
    np.savez(tmp_path / "x.npz", example=np.array([object()]), label=[0])
    with pytest.raises(ValueError, match="allow_pickle"):
        read_per_example(tmp_path / "x.npz")


def test_an_empty_table_has_no_points():
    assert PerExampleTable(EXAMPLE, LABEL).points() == []


def test_with_pyarrow_the_same_rows_are_a_parquet_table(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    archive(tmp_path)
    table = parquet.read_table(tmp_path / "per_example.parquet")
    assert table.column("example").to_pylist() == [3, 7, 9]
    assert table.column(row_name("pgd", {"eps": 8 / 255})).to_pylist() == [True, False, False]
    assert row_name("weight_noise", {"sigma": 0.1}) not in table.column_names, "a flat table has one value per row"
