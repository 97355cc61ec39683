"""Tables as rows of features with a label: CSV and Parquet files, and data frames, by pandas or by pyarrow."""

import importlib.util
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import torch

from holdfast.core.errors import InputError, MissingExtraError
from holdfast.data import choose, examples_from
from holdfast.data.tables import read_features, read_table

NUMBERS = {"length": [1.5, 2.25, -3.0, 4.0], "count": [3, 1, 2, 4], "ripe": [True, False, True, True]}
FEATURES = np.array([[1.5, 3, 1], [2.25, 1, 0], [-3.0, 2, 1], [4.0, 4, 1]])
KINDS = ("cow", "ant", "bee", "ant")


@pytest.fixture(params=["pandas", "pyarrow"])
def reader(request, monkeypatch):
    """One of the two libraries alone."""
    other = {"pandas": "pyarrow", "pyarrow": "pandas"}[request.param]
    found = importlib.util.find_spec
    monkeypatch.setattr("holdfast.data.tables.find_spec", lambda name: None if name == other else found(name))
    return request.param


def frame(**columns):
    return pd.DataFrame({**NUMBERS, **columns})


def written(frame, path, **options):
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, **{"index": False, **options})
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet", "tsv", "CSV"])
def test_a_file_is_read_as_features_and_labels(reader, tmp_path, ending):
    options = {"sep": "\t"} if ending == "tsv" else {}
    table = read_table(written(frame(y=[0, 1, 2, 1]), tmp_path / f"t.{ending}", **options))
    np.testing.assert_array_equal(table.x, FEATURES)
    np.testing.assert_array_equal(table.y, [0, 1, 2, 1])
    assert table.columns == ("length", "count", "ripe")
    assert table.class_names == ()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_texts_are_numbered_in_their_sorted_order(reader, tmp_path, ending):
    table = read_table(written(frame(kind=KINDS), tmp_path / f"t.{ending}"), label_column="kind")
    np.testing.assert_array_equal(table.y, [2, 0, 1, 0])
    assert table.class_names == ("ant", "bee", "cow")


def test_semicolons_separate_as_well(reader, tmp_path):
    np.testing.assert_array_equal(read_table(written(frame(y=[0, 1, 2, 1]), tmp_path / "t.csv", sep=";")).x, FEATURES)


def test_an_index_that_pandas_wrote_is_not_a_feature(reader, tmp_path):
    table = read_table(written(frame(y=[0, 1, 2, 1]), tmp_path / "t.csv", index=True))
    assert table.columns == ("length", "count", "ripe")
    assert "the first column of the table has no name and counts the rows: it is not a feature" in table.notes


@pytest.mark.parametrize("name", ["y", "label", "target", "class", "Label"])
def test_a_column_with_the_name_of_a_label_is_taken_and_noted(name):
    table = read_table(frame(**{name: [0, 1, 2, 1]}))
    np.testing.assert_array_equal(table.y, [0, 1, 2, 1])
    assert f"the labels are the column {name!r} of the table" in table.notes


def test_a_frame_may_come_with_its_labels_beside_it():
    for labels in (pd.Series([0, 1, 2, 1]), np.array([0, 1, 2, 1]), [0, 1, 2, 1]):
        np.testing.assert_array_equal(read_table((frame(), labels)).y, [0, 1, 2, 1])
    assert read_table((frame(), pd.Series(KINDS, dtype="category"))).class_names == ("ant", "bee", "cow")


HOLES = {"length": [1.0, np.nan, np.nan, 2.0], "count": [1, 2, 3, np.nan], "y": [0, 1, 2, 1]}
BAD = {
    "a column that is not there": (frame(y=[0, 1, 2, 1]), {"label_column": "yy"}, r"`label_column` is 'yy'.*Did you mean 'y'\?"),
    "no label": (
        frame(kind=KINDS),
        {},
        r"no column of .* may hold the labels.*--label-column kind \(Python: label_column='kind'\)",
    ),
    "two labels": (frame(y=[0, 1, 0, 1], label=[0, 1, 0, 1]), {}, r"several columns of .*for example --label-column y"),
    "missing values": (pd.DataFrame(HOLES), {}, r"missing values in 'length' \(rows 1, 2\), 'count' \(row 3\); .*Fill them in"),
    "a missing label": (frame(y=["a", None, "b", "a"]), {}, r"missing values in 'y' \(row 1\)"),
    "texts": (
        frame(city=KINDS, day=pd.to_datetime(["2020-01-01"] * 4), y=[0, 1, 2, 1]),
        {},
        r"not numbers: 'city', 'day'.*get_dum",
    ),
    "a quantity": (frame(y=[0.5, 1, 2, 1]), {}, r"is 'y', which holds 0.5; allowed: whole numbers from 0, or texts"),
    "a label beyond counting": (frame(y=[0, 1e30, 2, 1]), {}, r"is 'y', which holds 1e\+30; allowed: whole numbers from 0"),
    "an infinite label": (frame(y=[0, np.inf, 2, 1]), {}, r"is 'y', which holds inf; allowed: whole numbers from 0"),
    "no feature": (pd.DataFrame({"y": [0, 1]}), {}, "has no column besides the labels"),
    "no row": (frame(y=[0, 1, 2, 1])[:0], {}, "a table without rows"),
    "one name twice": (pd.concat([frame(y=[0, 1, 2, 1]), frame()], axis=1), {}, "several columns that are called 'count'"),
}


@pytest.mark.parametrize(("table", "options", "message"), BAD.values(), ids=BAD)
def test_what_is_no_table_of_numbers_is_refused_by_the_names_of_its_columns(table, options, message):
    with pytest.raises(InputError, match=message):
        read_table(table, **options)


FILES = {
    "no header": ("1.5,2,0\n2.5,3,1\n", "whose first line names no columns"),
    "not a table": ("a,b\n1,2,3,4\n5\n1,2,3\n", "cannot be read as a table"),
    "nothing": ("", "cannot be read as a table"),
}


@pytest.mark.parametrize(("text", "message"), FILES.values(), ids=FILES)
def test_files_that_are_no_table_are_refused(reader, tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "t.csv", label_column="b")


def test_without_pandas_and_pyarrow_the_command_that_installs_them_is_given(monkeypatch, tmp_path):
    monkeypatch.setattr("holdfast.data.tables.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'neither pandas nor pyarrow.*pip install "holdfast\[tables\]"'):
        read_table(written(frame(y=[0, 1, 2, 1]), tmp_path / "t.csv"))


def test_parquet_with_pandas_alone_says_what_it_needs(monkeypatch, tmp_path):
    path = written(frame(y=[0, 1, 2, 1]), tmp_path / "t.parquet")

    def without_engine(path):
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", without_engine)
    with pytest.raises(MissingExtraError, match=r"needs pyarrow \(no engine\)"):
        read_table(path)


def test_a_small_file_that_stands_for_more_rows_than_memory_holds_is_refused_before_it_is_read(monkeypatch, tmp_path):
    path = written(pd.DataFrame({"a": np.zeros(200_000), "y": np.zeros(200_000, dtype=int)}), tmp_path / "t.parquet")
    assert path.stat().st_size < 20_000
    monkeypatch.setattr("holdfast.data.room.memory", lambda: 2**20)
    monkeypatch.setattr(pd, "read_parquet", lambda path: pytest.fail("it was read"))
    with pytest.raises(InputError, match=r"has shape \(200000, 2\).*half of this machine's memory"):
        read_table(path)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_broken_bytes_are_refused_or_read_and_nothing_else(tmp_path, name):
    path = written(frame(y=[0, 1, 2, 1]), tmp_path / name)
    whole, random = path.read_bytes(), np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(whole)
        for place in random.integers(len(broken), size=4):
            broken[place] = random.integers(256)
        path.write_bytes(bytes(broken))
        with suppress(InputError):
            read_table(path)


def test_features_alone_need_no_label():
    np.testing.assert_array_equal(read_features(frame()), FEATURES)
    np.testing.assert_array_equal(read_features(frame(y=[0, 1, 2, 1])), FEATURES)
    np.testing.assert_array_equal(read_features(frame(kind=KINDS), label_column="kind"), FEATURES)


def test_every_way_to_a_table_gives_the_same_examples(tmp_path):
    table = frame(kind=KINDS)
    path = written(table, tmp_path / "t.csv")
    first = examples_from(path, label_column="kind", bounds=None)
    assert first.x.dtype == torch.float32
    assert first.class_names == ("ant", "bee", "cow")
    for source in (table, str(path), (table[list(NUMBERS)], table["kind"])):
        label = None if isinstance(source, tuple) else "kind"
        assert examples_from(source, label_column=label, bounds=None).digest == first.digest


def test_a_chosen_part_of_a_table_keeps_names_of_features_and_classes():
    found = choose(frame(kind=KINDS), n=3, bounds=None, label_column="kind")
    assert found.columns == ("length", "count", "ripe")
    assert found.examples.class_names == ("ant", "bee", "cow")
    np.testing.assert_array_equal(found.examples.x, FEATURES[found.index].astype(np.float32))
    assert found.total == 4


def test_classes_of_texts_follow_a_list_of_names():
    found = choose(frame(kind=KINDS), bounds=None, label_column="kind", classes=["cow", "dog", "ant", "bee"])
    named = [found.examples.class_names[label] for label in found.examples.y]
    assert named == [KINDS[place] for place in found.index]


def test_a_name_of_an_input_is_refused_for_a_table():
    with pytest.raises(InputError, match=r"`input_key` is 'x'; allowed: .*every column of a table is a feature"):
        choose(frame(y=[0, 1, 2, 1]), input_key="x")
