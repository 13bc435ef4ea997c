"""`align`, then every job on two files with different rows in different orders."""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict

import numpy as np

from securexgb.cli.align import align
from securexgb.cli.check import check
from securexgb.cli.evaluate import evaluate
from securexgb.cli.predict import predict
from securexgb.cli.report import report
from securexgb.cli.train import train
from securexgb.errors import DataError
from securexgb.jobs.aligning.kept import load
from tests.aligning.kit import SIDES, read, write

SMALL = {"n_estimators": 2, "max_depth": 2, "max_bin": 8}


def align_all(both, made, **more):
    for chosen in (["train"], ["eval"], ["predict"]):
        both(made, align, sets=chosen, **more)


def joined_in_the_clear(made, into):
    """What the two companies would have made by hand: the common rows in the aligned order."""
    for name in SIDES:
        for part, data_set in (("train", "train"), ("test", "predict")):
            head, *lines = read(made.root / name / f"{part}.csv")
            rows = load(made.root / name / "aligned", data_set).rows
            write(into.root / name / f"{part}.csv", [head, *(lines[row] for row in rows)])


def halves(made):
    """All that is in both halves, shares included, but for the digest of the terms."""
    found = []
    for name, role in SIDES.items():
        with np.load(made.run_directory(name) / "model" / f"{role}.npz") as file:
            arrays = {key: array.tolist() for key, array in file.items()}
        facts = json.loads(bytes(arrays.pop("model")))
        assert facts.pop("job_digest")
        found.append((facts, arrays))
    return found


def of_bank(made, name):
    return (made.run_directory("bank") / name).read_text()


def test_the_model_is_that_of_the_clear_text_join_bit_for_bit(both, companies, apart, real):
    made, by_hand = apart(training=SMALL), companies("by hand", **SMALL)
    align_all(both, made)
    joined_in_the_clear(made, by_hand)
    by_hand.terms(*SIDES, id_column="pid")
    for of_job in (made, by_hand):
        for command in (train, evaluate, predict):
            both(of_job, command)
    assert of_bank(made, "predictions.csv") == of_bank(by_hand, "predictions.csv")
    assert halves(made) == halves(by_hand)


def test_predictions_have_the_ids_of_the_file_to_the_letter(both, apart):
    made = apart(training=SMALL, normalise=["digits"], keys="0{:04}x".format)
    align_all(both, made)
    for command in (train, predict):
        both(made, command)
    ids = [line[0] for line in read(made.run_directory("bank") / "predictions.csv")[1:]]
    assert len(ids) == 36
    own = {line[0] for line in read(made.root / "bank" / "test.csv")[1:]}
    assert set(ids) < own
    assert all(name.startswith("0") and name.endswith("x") for name in ids)


def test_without_an_alignment_the_ids_are_compared_as_before(both, apart):
    made = apart()
    for error in both(made, train, fails=True).values():
        assert isinstance(error, DataError)
        assert "the ids in column 'pid' differ from the other side's" in str(error)
        assert "`securexgb align` finds and orders them" in str(error)


def test_files_in_one_order_need_no_alignment(both, companies):
    made = companies("in order", **SMALL)
    made.terms(*SIDES, id_column=None, align={"keys": ["customer"]})
    both(made, train)
    assert not (made.root / "bank" / "aligned").exists()


def test_keys_of_several_columns_are_ids_that_name_all(both, apart):
    made = apart(training=SMALL)
    for name in SIDES:
        for part in ("train", "test"):
            path = made.root / name / f"{part}.csv"
            head, *lines = read(path)
            born = "1.1.1980" if name == "bank" else "1980-01-01"
            write(path, [["born", *head], *([born, *line] for line in lines)])
    keys = {"keys": ["born", "pid"], "normalise": {"born": ["iso_date"]}, "min_common": 10}
    made.terms(*SIDES, id_column=None, align=keys)
    align_all(both, made)
    for command in (train, predict):
        both(made, command)
    assert read(made.run_directory("bank") / "predictions.csv")[1][0].startswith("1.1.1980; p")


def test_an_id_column_beside_the_keys_names_rows_and_may_differ(both, apart):
    """Once rows are aligned nobody compares what the two sides call them."""
    made = apart(training=SMALL)
    for name in SIDES:
        for part in ("train", "test"):
            path = made.root / name / f"{part}.csv"
            head, *lines = read(path)
            own = [[f"{name} {row:03}", *line] for row, line in enumerate(lines)]
            write(path, [["own", *head], *own])
    made.terms(*SIDES, id_column="own", align={"keys": ["pid"], "min_common": 10})
    align_all(both, made)
    for command in (train, predict):
        both(made, command)
    head, *lines = read(made.run_directory("bank") / "predictions.csv")
    assert head[0] == "id"
    assert all(line[0].startswith("bank 0") for line in lines)
    assert len({line[0] for line in lines}) == 36


def test_one_side_without_its_alignment_is_an_error_at_both(both, apart):
    made = apart()
    both(made, align)
    (made.root / "bureau" / "aligned" / "train.json").unlink()
    errors = both(made, train, fails=True)
    assert "training data: this side's file is aligned, and the other" in str(errors["bank"])
    assert "training data: the other side's file is aligned, and this" in str(errors["bureau"])
    assert {type(error) for error in errors.values()} == {DataError}


def test_two_alignments_do_not_go_together(both, apart):
    made = apart()
    both(made, align)
    path = made.root / "bureau" / "aligned" / "train.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"order_sha256": "0a" * 32}))
    for error in both(made, train, fails=True).values():
        assert isinstance(error, DataError)
        assert "the two sides use two different alignments" in str(error)


def test_a_changed_file_is_refused_and_the_advice_names_the_command(both, apart):
    made = apart(training=SMALL)
    align_all(both, made)
    both(made, train)
    for part, command, advice in (
        ("train", train, "`securexgb align --set train`"),
        ("test", evaluate, "`securexgb align --set eval valid`"),
        ("test", predict, "`securexgb align --set predict`"),
    ):
        paths = [made.root / name / f"{part}.csv" for name in SIDES]
        content = {path: path.read_bytes() for path in paths}
        for path, before in content.items():
            path.write_bytes(before + b"new,1,2\n")
        for name, error in both(made, command, fails=True).items():
            assert type(error) is DataError
            assert f"{name}: rows were aligned as" in str(error)
            assert "is not the file that it was then" in str(error)
            assert advice in str(error)
        for path, before in content.items():
            path.write_bytes(before)


def test_what_a_run_stands_on_is_in_its_ledger_and_report_once(both, apart):
    """Whatever has aligned it: the rows of the evaluation set and those to predict are one file."""
    made = apart(training=SMALL)
    both(made, align, dry_run=True)
    both(made, align)
    both(made, align)
    both(made, align, sets=["eval"], name="valid")
    for command in (train, predict, report):
        both(made, command)
    assert not (made.root / "bank" / "aligned" / "predict.json").exists()
    reports = [json.loads((made.run_directory(name) / "report.json").read_text()) for name in SIDES]
    for name, found in zip(SIDES, reports, strict=True):
        sets = {one["data_set"]: one for one in found["alignments"]}
        record = load(made.root / name / "aligned", "train").record
        assert sets["train"] == asdict(record.shown)
        assert (record.common, record.dry_runs, record.attempts) == (36, 1, 2)
        assert [(one["common"], one["dry_runs"]) for one in found["alignments"]] == [
            (36, 1), (36, 0),
        ]  # fmt: skip
        for ledger in (found["ledger"], ledger_of(made, name)["revealed"]):
            shown = {row["reveal"]: row["values"] for row in ledger}
            assert (shown["COMMON_MEMBERS"], shown["COMMON_SIZE"]) == (72, 1)
        table = read(made.run_directory(name) / "report" / "alignments.csv")
        assert table[0] == ["alignment of", "train", "eval.valid"]
        assert ["in common: shown to both, and taken", "36", "36"] in table
    for fact in ("common", "order_sha256", "align_sha256"):
        assert len({json.dumps([one[fact] for one in of["alignments"]]) for of in reports}) == 1


def ledger_of(made, name):
    return json.loads((made.run_directory(name) / "ledger.json").read_text())


def test_other_terms_of_the_alignment_make_another_one(both, apart):
    made = apart()
    both(made, align)
    made.terms(*SIDES, id_column=None, align={"keys": ["pid"], "normalise": "nfc"})
    for error in both(made, train, fails=True).values():
        assert "under other terms (keys, normalise, duplicates)" in str(error)
    made.terms(*SIDES, id_column=None, align={"keys": ["pid"], "min_common": 100})
    for error in both(made, train, fails=True).values():
        assert "with 36 rows in common, and the terms ask for 100" in str(error)


def test_other_terms_of_the_training_need_no_new_alignment(both, apart):
    made = apart(training=SMALL)
    both(made, align)
    keys = {"keys": ["pid"], "min_common": 20, "max_keys": 1000}
    made.terms(*SIDES, training={"max_depth": 1}, id_column=None, align=keys)
    both(made, align, sets=["eval"])
    both(made, train)


def test_check_says_what_is_still_to_be_aligned_and_what_is(both, apart, monkeypatch):
    made = apart()
    made.method = {}
    made.terms(*SIDES, id_column=None, align={"keys": ["pid"], "min_common": 10})
    shown = []
    module = importlib.import_module("securexgb.cli.check")
    monkeypatch.setattr(module, "result", lambda facts, *_: shown.append(facts["checks"]))

    def lines():
        shown.clear()
        both(made, check)
        return [{line["check"]: line for line in of_side} for of_side in shown]

    for found in lines():
        assert found["row keys"]["status"] == "warning"
        assert "not aligned yet: `securexgb align --set train`" in found["row keys"]["detail"]
        assert "pid looks like letters:1+digits:4+letters:1 (100 %)" in found["row keys"]["detail"]
        assert found["link, dealer, rows"]["status"] == "warning"
        assert "not aligned yet: training data, valid" in found["link, dealer, rows"]["detail"]
    both(made, align)
    both(made, align, sets=["eval"])
    for found in lines():
        assert found["row keys"]["detail"].startswith("aligned; ")
        assert "training data: 36 aligned rows" in found["data"]["detail"]
        assert found["link, dealer, rows"]["status"] == "ok"
