"""What `align` keeps, goes on with, warns of and refuses; both sides over a link in memory."""

from __future__ import annotations

import importlib
import json
import os
import stat

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from securexgb.cli.align import align
from securexgb.cli.train import train
from securexgb.errors import DataError, ProtocolDesync, SecureXGBError, UsageError
from securexgb.jobs.aligning import session, sets
from securexgb.jobs.aligning.kept import load, read_coin
from tests.aligning.kit import BUCKETS, SIDES, in_the_clear, read, write


def kept(made, data_set="train"):
    return {name: load(made.root / name / "aligned", data_set) for name in SIDES}


def keys_of(made, data_set="train", part="train"):
    """The keys of the aligned rows, by side, in their order."""
    return {
        name: [read(made.root / name / f"{part}.csv")[1 + row][0] for row in found.rows]
        for name, found in kept(made, data_set).items()
    }


def change(made, part="train", drop=1):
    """The first rows of the bank's file that were in common go."""
    path = made.root / "bank" / f"{part}.csv"
    gone = set(kept(made)["bank"].rows[:drop].tolist())
    head, *lines = read(path)
    write(path, [head, *(line for row, line in enumerate(lines) if row not in gone)])


def test_both_sides_keep_the_same_keys_in_an_order_of_neither_file(both, apart):
    made = apart()
    both(made, align)
    own = keys_of(made)
    assert own["bank"] == own["bureau"]
    assert sorted(own["bank"]) == [f"p{row:04}ü" for row in range(12, 48)]
    for name in SIDES:
        record = kept(made)[name].record
        assert (record.rows, record.keys, record.peer_keys, record.common) == (48, 48, 48, 36)
        assert record.rows_sha256
        assert own["bank"] != [line[0] for line in read(made.root / name / "train.csv")[1:]]
    assert own["bank"] != sorted(own["bank"])
    first, second = (found.record for found in kept(made).values())
    assert first.order_sha256 == second.order_sha256


def test_the_coin_is_drawn_once_and_used_for_every_set(both, apart):
    made = apart()
    both(made, align)
    coins = [read_coin(made.root / name / "aligned", peer) for name, peer in
             (("bank", "bureau"), ("bureau", "bank"))]  # fmt: skip
    assert coins[0] == coins[1] is not None
    both(made, align, sets=["predict"])
    assert read_coin(made.root / "bank" / "aligned", "bureau") == coins[0]
    before = keys_of(made)
    both(made, align, seed=6)
    assert keys_of(made) == before
    (made.root / "bureau" / "aligned" / "order.json").unlink()
    both(made, align, seed=7)
    assert read_coin(made.root / "bureau" / "aligned", "bank") != coins[0]
    assert keys_of(made) != before
    assert keys_of(made)["bank"] == keys_of(made)["bureau"]


def test_a_dry_run_says_how_many_and_keeps_nothing(both, apart, monkeypatch):
    made, shown = apart(reveal="size"), []
    module = importlib.import_module("securexgb.cli.align")
    monkeypatch.setattr(module, "result", lambda facts, text, _: shown.append((facts, text)))
    both(made, align, dry_run=True)
    for facts, text in shown:
        assert (facts["common"], facts["one_in"], facts["peer_keys"]) == (36, 1, 48)
        assert text.startswith("36 rows are in common, of 48 here and 48 at b")
        assert [(row["reveal"], row["values"]) for row in facts["ledger"]] == [("COMMON_SIZE", 1)]
    assert {path.name for path in made.root.glob("*/aligned/*")} == {"log.jsonl"}


def test_an_alignment_opens_members_and_says_so(both, apart, real):
    made = apart()
    both(made, align)
    line = (made.root / "bank" / "aligned" / "log.jsonl").read_text().splitlines()[1]
    rows = [(row["reveal"], row["to"], row["values"]) for row in json.loads(line)["ledger"]]
    assert rows == [("COMMON_MEMBERS", "both", 36)]
    assert keys_of(made)["bank"] == keys_of(made)["bureau"]


def test_files_are_the_users_alone_and_theirs_is_never_rewritten(both, apart):
    made = apart()
    before = {path: path.read_bytes() for path in made.root.rglob("*.csv")}
    old = os.umask(0)
    try:
        both(made, align, export_to=None)
    finally:
        os.umask(old)
    for path in (*made.root.glob("*/aligned"), *made.root.glob("*/aligned/*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    names = {path.name for path in (made.root / "bank" / "aligned").iterdir()}
    assert names == {"train.npz", "train.json", "order.json", "log.jsonl"}
    assert before == {path: path.read_bytes() for path in made.root.rglob("*.csv")}


class Died(SecureXGBError):
    """Stands for a kill at this moment."""


MOMENTS = [
    *((side, done) for side in ("bank", "both") for done in range(1, BUCKETS + 1)),
    *((side, "save") for side in ("bank", "both")),
]


@pytest.mark.parametrize(("dead", "moment"), MOMENTS)
def test_after_a_death_at_any_moment_resume_ends_with_the_same_order(
    both, apart, monkeypatch, dead, moment
):
    """After each bucket, or before the files are written; what was finished is not done again."""
    made = apart()
    both(made, align, sets=["predict"])  # draws the order coin
    both(made, align)
    expected = keys_of(made)
    forget(made)
    missing = []

    def dying(party, *given, **more):
        def reached(done, _):
            if done == moment and (dead == "both" or party.rank == 0):
                raise Died

        return in_the_clear(party, *given, **more | {"progress": reached})

    def not_saved(folder, aligned):
        if moment == "save" and dead in ("both", folder.parent.name):
            raise Died
        save(folder, aligned)

    def counting(party, *given, **more):
        missing.append(sum(more["store"].load(bucket) is None for bucket in range(BUCKETS)))
        return in_the_clear(party, *given, **more)

    save = session.save
    monkeypatch.setattr(session, "intersect", dying)
    monkeypatch.setattr(session, "save", not_saved)
    both(made, align, fails=True)
    monkeypatch.setattr(session, "intersect", counting)
    monkeypatch.setattr(session, "save", save)
    both(made, align, resume=True)
    assert keys_of(made) == expected
    finished = BUCKETS if moment == "save" else moment
    assert all(BUCKETS - finished <= count <= BUCKETS - finished + 1 for count in missing)
    assert not list(made.root.glob("*/aligned/*.buckets"))


def forget(made):
    for path in made.root.glob("*/aligned/train.*"):
        path.unlink()


def test_resume_where_both_have_finished_does_nothing(both, apart, monkeypatch):
    made = apart()
    both(made, align)
    before = keys_of(made)
    monkeypatch.setattr(session, "intersect", None)
    both(made, align, resume=True)
    assert keys_of(made) == before


def test_resume_at_one_side_alone_begins_anew(both, apart, capsys):
    made = apart()
    both(made, align)
    (made.root / "bank" / "aligned" / "train.json").unlink()
    both(made, align, resume=True)
    assert "nothing is there to go on with" in capsys.readouterr().err
    assert keys_of(made)["bank"] == keys_of(made)["bureau"]


def test_buckets_of_another_file_are_not_gone_on_with(both, apart, monkeypatch):
    made = apart()

    def dying(party, *given, **more):
        in_the_clear(party, *given, **more)
        raise Died

    monkeypatch.setattr(session, "intersect", dying)
    both(made, align, fails=True)
    monkeypatch.setattr(session, "intersect", in_the_clear)
    path = made.root / "bank" / "train.csv"
    head, *lines = read(path)
    write(path, [head, *lines[1:]])
    both(made, align, resume=True)
    assert keys_of(made)["bank"] == keys_of(made)["bureau"]
    assert kept(made)["bank"].record.rows == 47


def test_a_second_alignment_that_differs_by_few_rows_is_warned_of(both, apart, capsys):
    made = apart()
    both(made, align)
    change(made, drop=2)
    capsys.readouterr()
    both(made, align)
    said = capsys.readouterr().err
    assert said.count("warning: 2 rows differ from what was in common on") == 2
    assert "fewer than min_common (10)" in said
    assert "this set was aligned before, with other rows" in said
    change(made, drop=12)
    both(made, align)
    assert "warning" not in capsys.readouterr().err
    both(made, align)
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("terms", "code", "says"),
    [
        ({"min_common": 37}, 4, "fewer than 37 keys are in common"),
        ({"min_common": 49}, 4, "the label party has 48 keys, so fewer than 49 can be in common"),
        ({"max_keys": 47}, 2, "the label party has 48 keys, more than the 47 that the terms"),
    ],
)
def test_counts_that_the_terms_do_not_allow_end_both_and_leave_nothing(
    both, apart, real, terms, code, says
):
    made = apart(**terms)
    for name, error in both(made, align, fails=True).items():
        assert error.exit_code == code
        assert says in str(error)
        assert kept(made)[name] is None
        lines = (made.root / name / "aligned" / "log.jsonl").read_text().splitlines()
        last = json.loads(lines[-1])
        assert last["event"] == "failed"
        # What may have been opened counts as opened; of the matches that one side found none stay.
        found = "keys are in common" in says
        assert [row["values"] for row in last["ledger"]] == ([48] if found else [])
        assert not list((made.root / name / "aligned").rglob("*.bits"))


def test_a_damaged_alignment_is_made_anew(both, apart, capsys):
    made = apart()
    both(made, align)
    (made.root / "bank" / "aligned" / "train.npz").write_bytes(b"")
    both(made, align)
    assert "what was kept is of no use, and is made anew" in capsys.readouterr().err
    assert keys_of(made)["bank"] == keys_of(made)["bureau"]


def test_different_rows_at_the_end_are_never_kept(both, apart, monkeypatch):
    made = apart()

    def wrong(party, *given, **more):
        found = in_the_clear(party, *given, **more)
        return type(found)(found.common, found.rows[:: 1 - 2 * party.rank])

    monkeypatch.setattr(session, "intersect", wrong)
    for error in both(made, align, fails=True).values():
        assert isinstance(error, ProtocolDesync)
    assert kept(made) == {"bank": None, "bureau": None}


def test_sides_that_type_different_things_are_told(both, apart, monkeypatch):
    made = apart()
    data_set = session.Source

    def other(name, *more):
        is_bank = "bank" in str(more[1])
        return data_set("predict" if is_bank else name, *more)

    monkeypatch.setattr("securexgb.jobs.aligning.sets.Source", other)
    for error in both(made, align, fails=True).values():
        assert isinstance(error, UsageError)
        assert "type the same command at both sides" in str(error)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sets": ["train", "predict"]}, "--set names train and predict: align one set at a time"),
        ({"sets": ["tests"]}, "--set says 'tests': train, eval NAME, or predict"),
        ({"sets": ["train"], "name": "x"}, "--set train takes no name, and 'x' is given"),
        ({"sets": ["eval"], "name": "x"}, "bank: eval_data has no set 'x'; it has: valid"),
        ({"exact": True}, "--exact is for --dry-run"),
        ({"dry_run": True, "resume": True}, "--dry-run keeps nothing"),
        ({"export_to": "train.csv"}, "no file of yours is ever rewritten"),
        ({"export_to": "test.csv"}, "test.csv, which is there already, and no file of yours is"),
        ({"export_to": "x.parquet"}, "the rows of .* are written as CSV"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(apart, monkeypatch, options, says):
    made = apart()
    monkeypatch.chdir(made.root / "bank")
    if "export_to" in options:
        options = {"export_to": made.root / "bank" / options["export_to"]}
    with pytest.raises(UsageError, match=says):
        align(config=made.root / "bank" / "party.toml", job=made.root / "bank" / "job.toml",
              **options)  # fmt: skip


def test_terms_without_keys_and_with_size_alone_are_refused(companies, apart):
    made = apart(reveal="size")
    files = {"config": made.root / "bank" / "party.toml", "job": made.root / "bank" / "job.toml"}
    with pytest.raises(UsageError, match="type --dry-run, or agree on"):
        align(**files)
    with pytest.raises(UsageError, match="they allow `align --dry-run` alone"):
        train(**files)
    made.terms(*SIDES)
    with pytest.raises(UsageError, match=r"the terms have no table \[align\]"):
        align(**files)


REFUSED = {
    "duplicates": (
        b"pid,arrears,cards\na,1,2\nb,1,2\na,1,2\n",
        "data row 3 has the key of data row",
    ),
    "empty keys": (b"pid,arrears,cards\na,1,2\n,1,2\n", "1 empty fields: data rows 2"),
    "not UTF-8": (b"pid,arrears,cards\na,1,2\n\xe9,1,2\n", "is not UTF-8 text, first in line 3"),
    "UTF-16": ("pid,arrears,cards\na,1,2\n".encode("utf-16"), "but text in UTF-16 or UTF-32"),
    "no rows": (b"pid,arrears,cards\n", "has no rows"),
    "no column": (b"id,arrears,cards\na,1,2\n", "has no column 'pid', by which the terms align"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_cannot_be_aligned_are_refused_and_the_other_side_is_told(both, apart, case):
    made = apart()
    content, says = REFUSED[case]
    (made.root / "bureau" / "train.csv").write_bytes(content)
    errors = both(made, align, fails=True)
    assert type(errors["bureau"]) is DataError
    assert errors["bureau"].exit_code == 4
    assert says in str(errors["bureau"])
    assert errors["bank"].exit_code == 7
    assert kept(made) == {"bank": None, "bureau": None}


def test_a_damaged_alignment_is_refused(both, apart):
    made = apart()
    both(made, align)
    for name in SIDES:
        (made.root / name / "aligned" / "train.npz").unlink()
    for error in both(made, train, fails=True).values():
        assert "do not go together: align again, at both sides: `securexgb align" in str(error)


def test_what_was_opened_and_when_is_in_the_log(both, apart):
    made = apart()
    both(made, align)
    text = (made.root / "bank" / "aligned" / "log.jsonl").read_text()
    assert [json.loads(line)["event"] for line in text.splitlines()] == ["aligning", "aligned"]
    assert json.loads(text.splitlines()[1])["common"] == 36
    assert "p00" not in text


def test_export_writes_the_joined_rows_as_they_are(both, apart):
    made = apart(keys='00{:03}"ü'.format)
    for name in SIDES:
        path = made.root / name / "train.csv"
        path.write_text(path.read_text().replace(",", ";").replace("\n", "\r\n\r\n"))
    both(made, align, export_to=made.root / "deep" / "joined.csv")
    path = made.root / "deep" / "joined.csv"
    head, *lines = (line.split(";") for line in path.read_text().splitlines())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert head[0] == "pid"
    assert len(lines) == 36
    assert all(line[0].startswith('"00') and line[0].endswith('""ü"') for line in lines)


def test_a_file_that_changes_before_its_export_is_not_exported(both, apart, monkeypatch):
    """Though it has as many rows as before."""
    made = apart()

    def saved(folder, aligned):
        save(folder, aligned)
        path = folder.parent / "train.csv"
        table = read(path)
        write(path, [*table[:1], *table[:0:-1]])

    save = session.save
    monkeypatch.setattr(session, "save", saved)
    target = made.root / "x" / "joined.csv"
    for error in both(made, align, export_to=target, fails=True).values():
        assert "has changed since its rows were aligned: align again" in str(error)
        assert error.exit_code == 4
    assert not target.exists()


def test_a_file_that_changes_while_it_is_read_is_refused(both, apart, monkeypatch):
    made = apart()
    path = made.root / "bureau" / "train.csv"
    read_table = sets.read_table

    def changing(source, *given):
        found = read_table(source, *given)
        if source == path:
            path.write_bytes(path.read_bytes() + b"new,1,2\n")
        return found

    monkeypatch.setattr(sets, "read_table", changing)
    errors = both(made, align, fails=True)
    assert "changed while it was read: start again" in str(errors["bureau"])
    assert (errors["bureau"].exit_code, errors["bank"].exit_code) == (4, 7)


def test_parquet_is_read_and_exported(both, apart):
    """Whole numbers of Parquet are their digits; the other side's text has the same."""
    made = apart(keys="{}".format)
    for name in SIDES:
        table = read(made.root / name / "train.csv")
        columns = {head: [line[at] for line in table[1:]] for at, head in enumerate(table[0])}
        for head, texts in columns.items():
            columns[head] = list(map(int if head in ("pid", "default") else float, texts))
        if name == "bureau":
            pa.parquet.write_table(pa.table(columns), made.root / name / "train.parquet")
            made.settings(name, train_data="train.parquet")
    both(made, align)
    found = kept(made)
    own = {int(read(made.root / "bank" / "train.csv")[1 + row][0]) for row in found["bank"].rows}
    table = pa.parquet.read_table(made.root / "bureau" / "train.parquet")
    assert own == {table["pid"][int(row)].as_py() for row in found["bureau"].rows}
    made.settings("bank", train_data="../bureau/train.parquet")
    both(made, align, export_to=made.root / "x.parquet")
    joined = pa.parquet.read_table(made.root / "x.parquet")
    assert joined.schema.names == table.schema.names
    assert np.array_equal(joined["pid"], table["pid"].take(kept(made)["bank"].rows))
