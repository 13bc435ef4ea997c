"""A CSV file once more as Parquet: a training reads the same from both."""

import numpy as np
import pytest

from securexgb.cli.convert import convert
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.data.files import load_rows
from securexgb.jobs.data.parquet import BATCH_ROWS, ParquetFile

LINES = [
    "customer,a,code,free,y", "007,1,07,1.5,yes", "7,,7,,no", "NA,3.25,07,x,no", "8,1e3,nan,-,yes",
]  # fmt: skip
PARTY = """role = "label"
name = "bank"
label_column = "y"
categorical_columns = ["code"]
feature_columns = ["a", "code"]
"""
JOB = """name = "job"
label_party = "bank"
feature_party = "bureau"
id_column = "customer"
[training]
enable_categorical = true
"""


def test_a_training_reads_the_same_from_both(tmp_path, capsys):
    (tmp_path / "party.toml").write_text(PARTY)
    (tmp_path / "job.toml").write_text(JOB)
    source, target = tmp_path / "train.csv", tmp_path / "train.parquet"
    source.write_text("\n".join(LINES) + "\n")
    files = {"config": tmp_path / "party.toml", "job": tmp_path / "job.toml"}
    convert(source, target, **files)
    assert "4 rows of 5 columns" in capsys.readouterr().out
    federation = Federation.from_file(files["config"], files["job"])
    first, second = (load_rows(federation, path) for path in (source, target))
    assert first.ids == second.ids == ("007", "7", "NA", "8")
    assert first.categories == second.categories == {"code": ("07", "7")}
    assert first.classes == second.classes == ("no", "yes")
    np.testing.assert_array_equal(first.values, second.values)
    assert first.fingerprint() == second.fingerprint()
    assert ParquetFile(target, "bank").column_names == LINES[0].split(",")
    assert target.stat().st_mode & 0o777 == 0o600
    for source_too, wrong in ((source, target), (target, tmp_path / "train.csv.gz")):
        with pytest.raises(UsageError, match=r"is there already|let its name end in"):
            convert(source_too, wrong, **files)


def test_what_is_written_has_small_row_groups(tmp_path):
    (tmp_path / "party.toml").write_text('role = "feature"\nname = "bureau"\n')
    (tmp_path / "job.toml").write_text(JOB.replace('id_column = "customer"\n', ""))
    source, target = tmp_path / "train.csv", tmp_path / "train.parquet"
    source.write_text("a\n" + "1\n" * (BATCH_ROWS + 1))
    convert(source, target, config=tmp_path / "party.toml", job=tmp_path / "job.toml")
    first = ParquetFile(target, "bureau").rows(np.array([BATCH_ROWS]), ["a"])
    assert first["a"].to_pylist() == [1]
    assert len(list(ParquetFile(target, "bureau").blocks(["a"]))) == 2
