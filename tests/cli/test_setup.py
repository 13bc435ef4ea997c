"""Setting up: init, keys, job, and what check says of one side alone."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.processes.companies import Companies, edit_cell


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("role", ["label", "feature", "dealer"])
def test_init_writes_settings_once(securexgb, folder, role):
    done = securexgb("init", "--role", role, "--format", "json")
    assert done.code == 0
    assert done.json["file"] == "party.toml"
    assert securexgb("init", "--role", role).code == 2
    assert securexgb("keys", "show").code == 0


def test_keys(securexgb, folder):
    securexgb("init", "--role", "label", "--name", "bank")
    done = securexgb("keys", "create", "--format", "json")
    assert done.code == 0
    assert (folder / "keys" / "own.key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in done.stdout
    again = securexgb("keys", "create")
    assert again.code == 2
    assert "exists already" in again.stderr
    refused = securexgb("keys", "trust", "keys/own.key")
    assert refused.code == 2
    assert "private key" in refused.stderr
    (folder / "other").mkdir()
    securexgb("init", "--role", "feature", "--name", "bureau", "--output", "other/party.toml")
    made = securexgb("keys", "create", "--config", "other/party.toml", "--format", "json").json
    pinned = securexgb("keys", "trust", "other/keys/own.pem", "--format", "json").json
    assert pinned["fingerprint"] == made["fingerprint"]
    shown = securexgb("keys", "show", "--format", "json").json["certificates"]
    assert [(row["whose"], row["name"]) for row in shown] == [
        ("own", "bank"), ("peer", "bureau"), ("dealer", None),
    ]  # fmt: skip
    assert securexgb("keys", "trust", "other/keys/own.pem", "--whose", "label").code == 2


def test_a_dealer_makes_its_keys_itself(securexgb, folder):
    securexgb("init", "--role", "dealer")
    done = securexgb("keys", "create")
    assert done.code == 2
    assert "new one at each start" in done.stderr


def test_job_new_and_show(securexgb, folder):
    arguments = ["job", "new", "--name", "loans", "--label-party", "bank", "--feature-party"]
    made = securexgb(*arguments, "bureau", "--param", "max_depth=3", "--format", "json")
    assert made.code == 0
    shown = securexgb("job", "show", "--format", "json").json
    assert shown["digest"] == made.json["digest"]
    assert len(shown["digest"]) == 10
    assert shown["terms"]["training"]["max_depth"] == 3
    assert (shown["terms"]["min_training_rows"], shown["terms"]["min_evaluation_rows"]) == (
        1000,
        200,
    )
    assert shown["terms"]["training"]["splits"] == made.json["splits"] == "hidden"
    assert shown["bits_a_tree"] == {}
    assert "splits: hidden: no side learns one" in securexgb("job", "show").stdout
    assert securexgb(*arguments, "bureau").code == 2
    Path("job.toml").write_text(Path("job.toml").read_text().replace("max_depth = 3", "depth = 3"))
    wrong = securexgb("job", "show")
    assert wrong.code == 2
    assert "there is no training parameter 'depth'" in wrong.stderr
    unknown = securexgb(*arguments, "bureau", "--predictions-to", "all", "--output", "b.toml")
    assert unknown.code == 2


def test_owned_splits_are_a_term_whose_price_is_said(securexgb, folder):
    arguments = ["job", "new", "--name", "loans", "--label-party", "bank", "--feature-party"]
    made = securexgb(*arguments, "bureau", "--param", "max_depth=3", "--splits", "owner")
    assert "splits: owner: both sides learn" in made.stdout
    shown = securexgb("job", "show", "--format", "json").json
    # Seven splits, each one of 63 candidates a column: 32 cuts up, 31 down.
    assert shown["bits_a_tree"]["10"] == pytest.approx(7 * np.log2(630))
    assert "65 with 10" in securexgb("job", "show").stdout


@pytest.mark.parametrize("other", [("--he", "paillier"), ("--prediction", "ckks")])
def test_splits_are_hidden_where_that_can_be(securexgb, folder, other):
    arguments = ["job", "new", "--name", "n", "--label-party", "bank", "--feature-party", "bureau"]
    unset = securexgb(*arguments, *other, "--format", "json")
    assert unset.json["splits"] == "owner"
    refused = securexgb(*arguments, *other, "--splits", "hidden", "--output", "other.toml")
    assert refused.code == 2
    assert 'splits = "hidden" goes with he = "bfv" (or ss) and prediction' in refused.stderr


def test_floors_are_terms(securexgb, folder):
    arguments = ["job", "new", "--name", "n", "--label-party", "bank", "--feature-party", "bureau"]
    made = [
        securexgb(*arguments, *more, "--output", f"{number}.toml", "--format", "json").json
        for number, more in enumerate([(), ("--min-training-rows", 50, "--min-evaluation-rows", 9)])
    ]
    assert made[0]["digest"] != made[1]["digest"]
    terms = securexgb("job", "show", "1.toml", "--format", "json").json["terms"]
    assert (terms["min_training_rows"], terms["min_evaluation_rows"]) == (50, 9)
    refused = securexgb(*arguments, "--min-training-rows", 0, "--output", "2.toml")
    assert refused.code == 2


def test_each_side_has_a_key_of_its_own(securexgb, tmp_path, monkeypatch):
    Companies(tmp_path)
    monkeypatch.chdir(tmp_path / "bank")
    before = Path("keys/peer.pem").read_bytes()
    refused = securexgb("keys", "trust", "keys/own.pem")
    assert refused.code == 2
    assert "which is this side's own" in refused.stderr
    refused = securexgb("keys", "trust", "keys/peer.pem", "--whose", "dealer")
    assert refused.code == 2
    assert "which is pinned for peer" in refused.stderr
    assert Path("keys/peer.pem").read_bytes() == before
    assert securexgb("keys", "trust", "keys/peer.pem").code == 0


def test_check_local(securexgb, tmp_path, monkeypatch):
    companies = Companies(tmp_path)
    monkeypatch.chdir(tmp_path / "bank")
    keys = tmp_path / "bank" / "keys"
    (keys / "dealer.pem").write_bytes((keys / "peer.pem").read_bytes())
    done = securexgb("check", "--local", "--format", "json")
    assert done.code == 5
    assert "'bureau'" in done.stderr
    status = {row["check"]: row["status"] for row in done.json["checks"]}
    assert status["dealer"] == "FAILED"
    assert status["keys"] == status["data"] == status["disk"] == "ok"
    companies.terms("bank", min_training_rows=61, training={"splits": "owner"})
    done = securexgb("check", "--local", "--format", "json")
    few = {row["check"]: row for row in done.json["checks"]}["enough rows"]
    assert few["status"] == "FAILED"
    assert "60 training rows are fewer than min_training_rows = 61" in few["detail"]
    edit_cell(tmp_path / "bank" / "train.csv", 3, "default", "maybe")
    companies.terms("bank", label_party="bank2")
    assert securexgb("check", "--local").code == 2
    companies.terms("bank")
    done = securexgb("check", "--local", "--set", "label_column=nothing")
    assert "has no column 'nothing'" in done.stdout


def test_check_names_columns_without_a_cut(securexgb, tmp_path, monkeypatch):
    Companies(tmp_path, method={})
    monkeypatch.chdir(tmp_path / "bank")

    def columns():
        done = securexgb("check", "--local", "--format", "json")
        assert done.code == 0
        details = {row["check"]: row["detail"] for row in done.json["checks"]}
        return details["columns"]

    assert columns() == "every column has values to cut between"
    for row in range(1, 61):
        edit_cell(tmp_path / "bank" / "train.csv", row, "age", "41")
        edit_cell(tmp_path / "bank" / "train.csv", row, "loan", "")
    assert columns().startswith("no cut in 'age', 'loan': one value or none in all rows")


def test_the_terms_may_fix_columns_and_the_positive_class(securexgb, tmp_path, monkeypatch):
    companies = Companies(tmp_path, method={})
    monkeypatch.chdir(tmp_path / "bank")

    def checked(**terms):
        companies.terms("bank", **terms)
        done = securexgb("check", "--local", "--format", "json")
        return done, {row["check"]: row["detail"] for row in done.json["checks"]}

    _, details = checked()
    assert details["labels"].startswith("positive class: 1, 60 % of the training rows")
    digest, says = re.fullmatch(r"sha256 (\w{64}), (.*)", details["column names"]).groups()
    assert says == "not in the terms"
    done, details = checked(columns_sha256={"label": digest}, positive_label=0)
    assert done.code == 0
    assert details["labels"].startswith("positive class: 0, 40 % of the training rows")
    assert details["column names"] == f"sha256 {digest}, as the terms say"
    path = tmp_path / "bank" / "train.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0] + ",extra", *(f"{line},1.5" for line in lines[1:])]))
    done, details = checked(columns_sha256={"label": digest})
    assert done.code == 4
    assert "columns_sha256 of the terms says" in details["data"]


def test_settings_by_flag(securexgb, tmp_path, monkeypatch):
    Companies(tmp_path)
    monkeypatch.chdir(tmp_path / "bank")
    done = securexgb("train", "--set", "train_data=elsewhere.csv")
    assert done.code == 2
    assert f"{tmp_path}/bank/elsewhere.csv" in done.stderr
    assert securexgb("train", "--set", "timeout_seconds=-1").code == 2
    assert "'soon' is no time" in securexgb("train", "--wait", "soon").stderr
    assert "there is no run elsewhere" in securexgb("train", "--run", "elsewhere").stderr
    assert "has no run of the job" in securexgb("predict").stderr
