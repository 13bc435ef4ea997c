"""Data out of core: heads and workers find in a Parquet file what the reader in memory finds."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from securexgb.cluster import data
from securexgb.cluster.data import FileShard, load_set_tables, load_table
from securexgb.errors import DataError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.aligning.kept import Aligned
from securexgb.jobs.data import files
from securexgb.jobs.data.files import load_rows, load_sets
from securexgb.jobs.data.parquet import ParquetFile
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig

ROWS, GROUP, SHARDS = 1000, 150, 4
ASKED = [
    "count",
    "column_names",
    "categories",
    "categorical",
    "classes",
    "class_shares",
    "ids",
    "missing_rates",
    "aligned",
    "columns_without_cut",
    "numbering_columns",
    "names_sha256",
]
ARRAYS = ("labels", "weights", "base_margin")


def table(rows=ROWS, seed=3):
    """Columns of every kind that a file may have."""
    draws = np.random.default_rng(seed)
    reals = draws.normal(size=rows)
    places = [None if draw < 0.1 else f"town {int(9 * draw)}" for draw in draws.random(rows)]
    return pa.table({
        "id": [f"p{row:05}" for row in range(rows)],
        "real": pa.array(reals, mask=draws.random(rows) < 0.1),
        "single": reals.astype(np.float32),
        "nan": np.where(draws.random(rows) < 0.2, np.nan, reals),
        "whole": draws.integers(0, 5, rows),
        "flag": draws.random(rows) < 0.5,
        "price": [Decimal(int(value)) / 100 for value in draws.integers(0, 900, rows)],
        "number": np.arange(rows),
        "same": np.full(rows, 7.0),
        "void": pa.nulls(rows),
        "place": pa.array(places),
        "band": pa.array([f"b{draw}" for draw in draws.integers(0, 4, rows)]).dictionary_encode(),
        "w": draws.random(rows) + 0.5,
        "m": draws.normal(size=rows) / 4,
        "y": np.where(draws.random(rows) < 0.4, "good", "bad"),
    })  # fmt: skip


@pytest.fixture(scope="module")
def federation(tmp_path_factory):
    """The label party's, its files in row groups of few rows."""
    folder = tmp_path_factory.mktemp("bank")
    for name, rows in (("train", ROWS), ("test", 333)):
        path = folder / f"{name}.parquet"
        pa.parquet.write_table(table(rows, seed=rows), path, row_group_size=GROUP)
    settings = {"role": "label", "name": "bank", "label_column": "y", "weight_column": "w"}
    more = {"base_margin_column": "m", "categorical_columns": ("place",)}
    paths = {
        "train_data": folder / "train.parquet",
        "eval_data": {"test": folder / "test.parquet"},
        "aligned_directory": folder / "aligned",
    }
    terms = JobTerms.model_validate(
        {
            "name": "job",
            "label_party": "bank",
            "feature_party": "bureau",
            "id_column": "id",
            "training": {"enable_categorical": True, "base_margin_bound": 4.0},
        }
    )
    return Federation(PartyConfig(**settings, **more, **paths), terms)


@pytest.fixture(params=["as the file is", "aligned"])
def order(request, monkeypatch):
    """In which order rows count: the file's, or that of an alignment with some of the rows."""
    if request.param == "aligned":

        class Record:
            shown = "an alignment"

        def find(federation, path, data_set):
            rows = pa.parquet.read_metadata(path).num_rows
            chosen = np.random.default_rng(5).permutation(rows)[: rows * 4 // 5]
            return Aligned(Record, chosen.astype(np.int64), np.zeros(0, np.uint64))

        for module in (data, files):
            monkeypatch.setattr(module, "find", find)
    return request.param


def same(found, expected):
    for name in ASKED:
        assert getattr(found, name) == getattr(expected, name), name
    for name in ARRAYS:
        assert_same_arrays(getattr(found, name), getattr(expected, name))
    for bins in (10, 32, 255):
        np.testing.assert_array_equal(found.cuts(bins), expected.cuts(bins), strict=True)
    assert found.fingerprint() == expected.fingerprint()
    assert found.fingerprint_of_set() == expected.fingerprint_of_set()


def assert_same_arrays(found, expected):
    assert (found is None) == (expected is None)
    if expected is not None:
        np.testing.assert_array_equal(found, expected, strict=True)


def test_a_head_knows_of_a_file_what_the_reader_in_memory_says(federation, order):
    path = federation.config.train_data
    whole = load_rows(federation, path, data_set="train")
    head = load_table(federation, path, data_set="train")
    assert set(whole.categories) == {"place", "band"}
    assert whole.numbering_columns == ["number"]
    same(head, whole)
    head.check_values("label", None, may_be_missing=True)
    with pytest.raises(DataError, match="missing values, which the terms refuse"):
        head.check_values("label", None, may_be_missing=False)
    with pytest.raises(DataError, match="'place' of the label party has 9 categories"):
        head.check_values("label", 5, may_be_missing=True)
    known = whole.column_names, whole.classes, whole.categories
    sets = load_sets(federation, *known)
    for (name, found), (wanted, expected) in zip(
        load_set_tables(federation, head), sets, strict=True
    ):
        assert name == wanted == "test"
        same(found, expected)


def test_workers_read_the_rows_of_their_numbers(federation, order):
    path = federation.config.train_data
    whole = load_rows(federation, path, data_set="train")
    head = load_table(federation, path, data_set="train")
    ((_, test),) = load_sets(federation, whole.column_names, whole.classes, whole.categories)
    shards = [FileShard(federation, head, number, SHARDS) for number in range(SHARDS)]
    joined([shard.training() for shard in shards], whole)
    joined([shard.evaluation()[0][1] for shard in shards], test)
    assert {shard.evaluation()[0][0] for shard in shards} == {"test"}


def joined(parts, whole):
    assert all(part.count > 0 for part in parts)
    np.testing.assert_array_equal(
        np.concatenate([part.values for part in parts]), whole.values, strict=True
    )
    for name in ARRAYS:
        found = np.concatenate([getattr(part, name) for part in parts])
        assert_same_arrays(found, getattr(whole, name))
    for part in parts:
        assert (part.column_names, part.categories) == (whole.column_names, whole.categories)
        assert (part.classes, part.ids) == (whole.classes, None)


def test_only_the_row_groups_of_a_range_are_read(federation, monkeypatch):
    read = []

    class Watched(pa.parquet.ParquetFile):
        def iter_batches(self, *given, row_groups, **more):
            read.extend(row_groups)
            return super().iter_batches(*given, row_groups=row_groups, **more)

    file = ParquetFile(federation.config.train_data, "bank")
    monkeypatch.setattr(pa.parquet, "ParquetFile", Watched)
    taken = file.rows(np.array([299, 160, 150]), ["number"])
    assert (taken["number"].to_pylist(), read) == ([299, 160, 150], [1])
    assert file.rows(np.array([], np.int64), ["number"]).num_rows == 0


def test_a_side_without_columns_has_rows_all_the_same(tmp_path):
    path = tmp_path / "train.parquet"
    pa.parquet.write_table(table().select(["id"]), path, row_group_size=GROUP)
    terms = JobTerms(name="job", label_party="bank", feature_party="bureau", id_column="id")
    config = PartyConfig(role="feature", name="bureau", train_data=path)
    federation = Federation(config, terms)
    head, whole = load_table(federation, path), load_rows(federation, path)
    same(head, whole)
    parts = [FileShard(federation, head, number, 3).training() for number in range(3)]
    assert [part.values.shape for part in parts] == [(320, 0), (320, 0), (360, 0)]


def test_what_is_wrong_is_said_with_its_row_in_the_file(tmp_path, federation):
    rows = table()
    reals = rows["real"].to_pylist()
    reals[777] = np.inf
    rows = rows.set_column(rows.column_names.index("real"), "real", pa.array(reals))
    path = tmp_path / "train.parquet"
    pa.parquet.write_table(rows, path, row_group_size=GROUP)
    like = load_table(federation, federation.config.train_data)
    shard = FileShard(federation, like, 3, SHARDS)
    for read in (
        lambda: load_rows(federation, path),
        lambda: load_table(federation, path).cuts(16),
        lambda: shard.read(path, "train"),
    ):
        with pytest.raises(DataError, match="'real' holds infinity, first in data row 778"):
            read()


@pytest.mark.parametrize("name", ["train.csv", "train.parquet"])
def test_other_files_are_refused(tmp_path, name):
    path = tmp_path / name
    path.write_text("a,y\n1,0\n")
    kind, words = (UsageError, "convert") if name.endswith("csv") else (DataError, "PAR1")
    with pytest.raises(kind, match=words):
        ParquetFile(path, "bank")
    with pytest.raises(UsageError, match="there is no file"):
        ParquetFile(tmp_path / "other.parquet", "bank")


def test_other_rows_in_the_pages_than_were_announced_are_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    pa.parquet.write_table(table(20), path, row_group_size=10)
    file, name = ParquetFile(path, "bank"), table(1).column_names[0]
    pa.parquet.write_table(table(15), path, row_group_size=10)
    for read in (
        lambda: file[name],
        lambda: file.rows(np.arange(20), [name]),
        lambda: list(file.blocks([name])),
    ):
        with pytest.raises(DataError, match=r"rows up to 20 are announced, .* end with row 15"):
            read()
