"""``securexgb simulate`` on bundled data and on a file of one's own."""

import csv
import json
import sys

import numpy as np
import pytest

from securexgb.jobs import reports


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    """A simulation leaves a run where it is called."""
    monkeypatch.chdir(tmp_path)


KEYS = {
    "auc", "xgboost_auc", "xgboost_raw_auc", "ks", "rows", "trees", "depth", "bins", "seconds",
    "seconds_per_tree", "megabytes_per_tree", "rounds", "peak_rss_mb", "ledger",
}  # fmt: skip


def write_table(path, rows=120, labels=("no", "yes")):
    draws = np.random.default_rng(2)
    age, income, debt = draws.normal(size=(3, rows))
    risky = age + debt - income + 0.3 * draws.normal(size=rows) > 0
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "age", "income", "debt", "default"])
        for row in range(rows):
            label = labels[int(risky[row]) if len(labels) == 2 else row % len(labels)]
            writer.writerow([f"c{row}", age[row], "" if row % 10 == 0 else income[row],
                             debt[row], label])  # fmt: skip
    return path


FAST = ("--algorithm", "ss")


def test_bundled_data_as_json(securexgb):
    done = securexgb(
        "simulate", *FAST, "--trees", 4, "--depth", 2, "--bins", 16, "--format", "json"
    )
    assert done.code == 0
    facts = done.json
    assert set(facts) >= KEYS
    seconds = facts["seconds"]
    assert set(seconds) == {"offline", "waited", "online", "total"}
    assert seconds["online"] + seconds["waited"] == pytest.approx(seconds["total"])
    assert facts["auc"] == pytest.approx(facts["xgboost_auc"], abs=0.002)
    assert facts["auc"] == pytest.approx(facts["xgboost_raw_auc"], abs=0.02)
    assert facts["columns_without_cut"] == {}
    assert (facts["rows"], facts["test_rows"]) == (426, 143)
    assert (facts["trees"], facts["depth"], facts["bins"]) == (4, 2, 16)
    assert (facts["label_columns"], facts["feature_columns"]) == (15, 15)
    assert {row["reveal"] for row in facts["ledger"]} == {"PREDICTION"}
    assert facts["dealer_evidence"] == "none"
    assert facts["gradient_bits"] == {"row_gradient": 20, "row_hessian": 18, "sum": 16}
    assert "protects nothing" in done.stderr
    (leak,) = facts["leaks"]
    assert (leak["labels"], leak["openings"]) == (426, 0)
    assert "fewer than min_training_rows" not in done.stderr
    assert "splits: hidden: no side learns one" in done.stderr
    assert "at worst: training rows: up to 0 bits about 426 labels" in done.stderr


def test_a_run_is_left_with_its_report_a_page_where_it_can_be(securexgb, tmp_path, monkeypatch):
    flags = ("simulate", *FAST, "--trees", 1, "--depth", 1, "--bins", 4)
    with monkeypatch.context() as whole:
        whole.setattr(reports, "has_page", lambda: True)
        facts = securexgb(*flags, "--format", "json").json
    run = tmp_path / facts["run"]
    assert run.parent == tmp_path / "run"
    assert (tmp_path / facts["report"]).read_text().startswith("<!doctype html>")
    report = json.loads((run / "report.json").read_text())
    training, test = report["scored"]
    assert (training["name"], training["rows"]) == ("training rows", facts["rows"])
    assert test["metrics"]["auc"] == facts["auc"]
    (moved,) = report["stability"]
    assert (moved["expected"], moved["actual"]) == ("training rows", "test rows")
    assert report["labels"].startswith("positive class: 'benign'")
    assert sum(report["importance"].values()) == pytest.approx(1.0)
    assert report["costs"]["rounds"] == facts["rounds"]
    assert {path.name for path in (run / "model").iterdir()} == {"label.npz", "feature.npz"}
    assert (run / "report.html").stat().st_mode & 0o777 == 0o600
    assert (run / "report" / "bands.csv").read_text().startswith("of,band,rows,")
    text = securexgb(*flags, "--run-directory", "elsewhere").stdout
    assert "the report is elsewhere/" in text
    assert "for report.html: pip install 'securexgb[report]', then securexgb report" in text
    left = {path.name for path in next((tmp_path / "elsewhere").iterdir()).iterdir()}
    kept = {"report", "report.json", "run.json", "simulated.json"}
    assert left == {"model", "xgboost", "xgboost.json", *kept}
    half = next((tmp_path / "elsewhere").glob("*/model/label.npz"))
    assert "label party's half" in securexgb("model", "inspect", half).stdout


def test_owned_splits_are_counted(securexgb):
    options = ("--trees", 4, "--depth", 2, "--bins", 16, "--splits", "owner", "--format", "json")
    done = securexgb("simulate", *FAST, *options)
    facts = done.json
    opened = {(row["reveal"], row["to"]): row["values"] for row in facts["ledger"]}
    assert opened["SPLIT_OWNER", "both"] == 4 * 3
    (leak,) = facts["leaks"]
    found = leak["labels"], leak["openings"], leak["outcomes"]
    assert found == (426, opened["SPLIT_INDEX", "feature"], 15 * 15)
    assert "426 training rows are fewer than min_training_rows = 1000" in done.stderr
    assert "at worst: training rows: up to 94 bits about 426 labels" in done.stderr


def test_text_goes_with_a_table_and_a_ledger(securexgb):
    """By default as between two companies: homomorphic encryption, no dealer."""
    done = securexgb("simulate", "--trees", 1, "--depth", 1, "--bins", 8)
    assert done.code == 0
    for text in (
        "same bins",
        "its own bins",
        "offline",
        "predictions, rounded, to whom the terms name",
        "evidence: none",
    ):
        assert text in done.stdout
    assert "hybrid (bfv), no dealer" in done.stdout
    assert "about 426 labels are opened to the feature party" in done.stdout
    assert "\ngradients: 20 + 18 bits a row, 16 a sum\n" in done.stdout
    assert "fewer than 12" not in done.stderr


def test_the_positive_class_is_named_and_chosen(securexgb, tmp_path):
    path = write_table(tmp_path / "loans.csv")
    flags = (path, *FAST, "--label", "default", "--ignore", "id", "--trees", 1, "--depth", 1)
    usual = securexgb("simulate", *flags, "--format", "json")
    other = securexgb("simulate", *flags, "--positive-label", "no", "--format", "json")
    assert (usual.json["positive_label"], other.json["positive_label"]) == ("yes", "no")
    assert usual.json["positive_share"] + other.json["positive_share"] == pytest.approx(1.0)
    share = f"{100 * other.json['positive_share']:.3g}"
    assert f"positive class: 'no', {share} % of the training rows; the oth" in other.stderr
    wrong = securexgb("simulate", *flags, "--positive-label", "perhaps")
    assert wrong.code == 4
    assert "no label is 'perhaps'" in wrong.stderr
    wrong = securexgb("simulate", "--objective", "reg:squarederror", "--positive-label", "1")
    assert wrong.code == 2


def test_the_bundled_data_s_class_has_its_name(securexgb):
    flags = ("simulate", *FAST, "--trees", 1, "--depth", 1, "--bins", 4, "--format", "json")
    assert securexgb(*flags).json["positive_label"] == "benign"
    turned = securexgb(*flags, "--positive-label", "malignant").json
    assert turned["positive_share"] == pytest.approx(0.373, abs=0.002)


def test_a_column_that_numbers_the_rows_is_pointed_out(securexgb, tmp_path):
    path = write_table(tmp_path / "loans.csv")
    text = path.read_text().replace("\nc", "\n")  # ids as whole numbers
    path.write_text(text)
    flags = (path, *FAST, "--label", "default", "--trees", 1, "--depth", 1, "--bins", 4)
    told = securexgb("simulate", *flags).stderr
    assert "a different whole number in each row: 'id', as numbers of customers" in told
    assert "leave it out (--ignore)" in told
    assert "whole number in each row" not in securexgb("simulate", *flags, "--ignore", "id").stderr


def test_what_counts_as_missing_may_be_named(securexgb, tmp_path):
    path = write_table(tmp_path / "loans.csv")
    path.write_text(path.read_text().replace(",,", ",?,"))
    flags = (path, *FAST, "--label", "default", "--ignore", "id", "--trees", 1, "--depth", 1)
    assert "column 'income' (read as string" in securexgb("simulate", *flags).stderr
    assert securexgb("simulate", *flags, "--missing", "?").code == 0


def test_without_xgboost_it_prints_its_own_metrics(securexgb, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    flags = ("simulate", *FAST, "--trees", 1, "--depth", 1, "--bins", 4)
    done = securexgb(*flags, "--format", "json")
    assert done.code == 0
    assert done.json["auc"] > 0.8
    for prefix in ("xgboost_", "xgboost_raw_"):
        assert done.json[prefix + "auc"] is None
        assert done.json[prefix + "ks"] is None
    done = securexgb(*flags)
    assert "on the test rows  secure\n" in done.stdout
    assert "plain xgboost is not installed, so nothing is compared" in done.stdout


def test_few_bits_are_told_with_the_cure(securexgb):
    done = securexgb(
        "simulate", *FAST, "--trees", 1, "--depth", 1, "--bins", 4, "--param", "gradient_bits=8"
    )
    assert "gradients: 8 + 8 bits a row, 8 a sum" in done.stdout
    assert "8 bits a row, fewer than 12" in done.stderr
    assert "leave gradient_bits out" in done.stderr


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (("--offline", "dealt"), ("hybrid", "bfv", "dealt", "insecure-local")),
        (("--algorithm", "ss"), ("ss", None, "dealt", "insecure-local")),
        ((), ("hybrid", "bfv", "two-party", "two-party")),
    ],
)
def test_how_correlations_are_made(securexgb, tmp_path, flags, found):
    path = write_table(tmp_path / "loans.csv")
    done = securexgb(
        "simulate", path, "--label", "default", "--ignore", "id", "--trees", 1, "--depth", 1,
        "--bins", 4, *flags, "--format", "json",
    )  # fmt: skip
    assert done.code == 0
    facts = done.json
    names = ("algorithm", "he", "offline", "offline_source")
    assert tuple(facts[name] for name in names) == found
    assert facts["megabytes"]["offline"] > 0


def test_own_file_with_text_labels_and_named_columns(securexgb, tmp_path):
    path = write_table(tmp_path / "loans.csv")
    done = securexgb(
        "simulate", path, *FAST, "--label", "default", "--ignore", "id", "--trees", 3, "--depth", 2,
        "--feature-party-columns", "income,debt", "--test-fraction", 0.5, "--seed", 4,
        "--learning-rate", 0.5, "--param", "reg_lambda=2", "--format", "json",
    )  # fmt: skip
    assert done.code == 0
    assert (done.json["label_columns"], done.json["feature_columns"]) == (1, 2)
    assert (done.json["rows"], done.json["test_rows"]) == (60, 60)
    assert done.json["auc"] == pytest.approx(done.json["xgboost_auc"], abs=0.02)


def test_regression(securexgb, tmp_path):
    path = write_table(tmp_path / "loans.csv")
    done = securexgb(
        "simulate", path, *FAST, "--label", "debt", "--ignore", "id,default", "--trees", 3,
        "--objective", "reg:squarederror", "--format", "json",
    )  # fmt: skip
    assert done.code == 0
    assert done.json["auc"] is None
    assert done.json["rmse"] == pytest.approx(done.json["xgboost_rmse"], rel=0.02)
    assert done.json["rmse"] == pytest.approx(done.json["xgboost_raw_rmse"], rel=0.1)
    assert done.json["xgboost_raw_auc"] is None


def test_several_classes(securexgb, tmp_path):
    path = write_table(tmp_path / "loans.csv", labels=(0, 1, 2))
    flags = (
        "simulate", path, *FAST, "--label", "default", "--ignore", "id", "--trees", 2, "--depth", 1,
        "--objective", "multi:softprob", "--format", "json",
    )  # fmt: skip
    done = securexgb(*flags, "--param", "num_class=3")
    assert (done.code, done.json["trees"]) == (0, 6)
    assert done.json["auc"] == pytest.approx(done.json["xgboost_auc"], abs=0.01)
    assert done.json["mlogloss"] == pytest.approx(done.json["xgboost_mlogloss"], rel=0.02)
    refused = securexgb(*flags, "--param", "num_class=2")
    assert refused.code == 4
    assert "3 different values, and num_class of the terms is 2" in refused.stderr


def test_columns_without_a_cut_are_named(securexgb, tmp_path):
    path = write_table(tmp_path / "loans.csv")
    with path.open(newline="") as stream:
        head, *lines = csv.reader(stream)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["always", "never", *head])
        writer.writerows(["4.2", "", *line] for line in lines)
    done = securexgb(
        "simulate", path, *FAST, "--label", "default", "--ignore", "id", "--trees", 1, "--depth", 1,
        "--feature-party-columns", "never,debt", "--format", "json",
    )  # fmt: skip
    assert done.json["columns_without_cut"] == {"label": ["always"], "feature": ["never"]}
    assert "label party: no cut in 'always': one value" in done.stderr
    assert "feature party: no cut in 'never': one value" in done.stderr


def test_categorical_columns_are_named(securexgb, tmp_path):
    path = write_table(tmp_path / "loans.csv", rows=400)
    with path.open(newline="") as stream:
        head, *lines = csv.reader(stream)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["home", *head])
        writer.writerows(["rent" if line[-1] == "yes" else "own", *line] for line in lines)
    done = securexgb(
        "simulate", path, *FAST, "--label", "default", "--ignore", "id", "--categorical", "home",
        "--trees", 1, "--depth", 1, "--splits", "owner", "--format", "json",
    )  # fmt: skip
    assert done.json["auc"] == done.json["xgboost_auc"] == done.json["xgboost_raw_auc"] == 1
    (run,) = (tmp_path / "run").iterdir()
    shown = securexgb("model", "splits", run / "model" / "label.npz")
    assert "not 'own'" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--depth", "0"], 2, "max_depth must be at least 1"),
        (["--param", "tree_method=hist"], 2, "there is no training parameter 'tree_method'"),
        (["--param", "gamma"], 2, "must have the form NAME=VALUE"),
        (["--label", "y"], 2, "no DATA is given"),
        (["--test-fraction", "1.5"], 2, "must lie between 0 and 1"),
        (["--algorithm", "ss", "--offline", "two-party"], 2, "needs a dealer"),
        (["--algorithm", "ss", "--he", "bfv"], 2, 'he is for algorithm "hybrid"'),
        (["--he", "rsa"], 2, "he 'rsa' is not supported; choose among bfv, paillier"),
        (["--no-such-flag"], 2, "No such option"),
        (["nowhere.csv", "--label", "y"], 2, "there is no file nowhere.csv"),
    ],
)
def test_wrong_usage(securexgb, arguments, code, says):
    done = securexgb("simulate", *arguments)
    assert done.code == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_three_classes_and_text_columns_are_errors_of_the_data(securexgb, tmp_path):
    path = write_table(tmp_path / "loans.csv", labels=("a", "b", "c"))
    done = securexgb("simulate", path, "--label", "default", "--ignore", "id")
    assert (done.code, done.stdout) == (4, "")
    assert "label column 'default' has 3 different values" in done.stderr
    done = securexgb("simulate", path, "--label", "default")
    assert done.code == 4
    assert "column 'id' (read as string, first in data row 1) is not numeric" in done.stderr
    assert "\n  column 'id', data row 1: 'c0'\n" in done.stderr


def test_base_margins_of_a_column(securexgb, tmp_path):
    path = write_table(tmp_path / "data.csv")
    lines = path.read_text().splitlines()
    begun = [f"{line},{row / 30 - 2 if row else 'champion'}" for row, line in enumerate(lines)]
    path.write_text("\n".join(begun) + "\n")
    arguments = ("simulate", path, "--label", "default", "--ignore", "id", *FAST, "--trees", 2,
                 "--depth", 2, "--bins", 8, "--format", "json")  # fmt: skip
    done = securexgb(*arguments, "--base-margin", "champion")
    assert done.code == 0, done.stderr
    assert done.json["label_columns"] + done.json["feature_columns"] == 3
    assert done.json["auc"] == pytest.approx(done.json["xgboost_auc"], abs=0.01)
    assert securexgb(*arguments).json["auc"] != done.json["auc"]
    bare = securexgb("simulate", *FAST, "--base-margin", "champion")
    assert bare.code != 0
    assert "--base-margin" in bare.stderr
