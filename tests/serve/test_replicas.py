"""`securexgb serve` at both companies: processes, files and HTTP, as operators have them."""

from __future__ import annotations

import json

import pytest

from securexgb.cli.app import main
from tests.serve.fakes import call, keys_of
from tests.serve.pair import Companies
from tests.serve.replicas import Replicas, free_port
from tests.serve.test_pair import expected

pytestmark = pytest.mark.timeout(300)
RUN = "20260101T000000Z"
INFER = "/v2/models/serving/infer"


@pytest.fixture(scope="module")
def companies(tmp_path_factory):
    made = Companies(tmp_path_factory.mktemp("companies"))
    made.train(RUN)
    return made


@pytest.fixture
def replicas(companies, tmp_path):
    made = Replicas(companies, tmp_path)
    yield made
    made.stop()


def checked(folder, capsys):
    """Exit code of --check, its lines, and all that it says."""
    places = ["--config", str(folder / "party.toml"), "--job", str(folder / "job.toml")]
    code = main(["serve", "--check", *places, "--format", "json"])
    said = capsys.readouterr()
    lines = {line["check"]: line for line in json.loads(said.out)["checks"]}
    return code, lines, said.out + said.err


def test_two_replicas_score_what_a_job_predicts(companies, replicas, capsys):
    feature = replicas.start("feature")
    code, told, said = checked(replicas.folder("label", "-to-check"), capsys)
    assert code == 0, said
    assert told["link"]["detail"].startswith("bureau answers at ")
    label = replicas.start("label")
    label.linked()
    rows = [3, 50, 7]
    keys = [companies.keys[row] for row in rows]
    status, _, told = call(label.port, INFER, keys_of(*keys, "nobody"))
    assert status == 200
    score, state, _ = told["outputs"]
    assert score["data"][:3] == expected(companies, RUN, rows).tolist()
    assert score["data"][3] is None
    assert state["data"] == ["scored"] * 3 + ["unknown here"]
    assert told["model_version"] == companies.halves[RUN][0].model_id
    for replica in (label, feature):
        figures = call(replica.port, "/metrics")[2].splitlines()
        assert "securexgb_rows_total 3.0" in figures
        assert "securexgb_peer_up 1.0" in figures
    assert call(feature.port, "/v2/health/ready")[0] == 200
    assert call(feature.port, INFER, keys_of("nobody"))[0] == 404
    assert [one.end() for one in (label, feature)] == [0, 0]
    logs = label.log + feature.log
    assert "linked with a replica of bureau" in logs
    assert "linked with a replica of bank" in logs
    assert "Traceback" not in logs
    assert not any(key in logs for key in ("nobody", *companies.keys))


def test_the_label_party_may_listen_and_either_side_may_be_replaced(companies, replicas, capsys):
    """Then a replica has one link, and the feature party's dials until it is let in."""
    link, keys = f"127.0.0.1:{free_port()}", keys_of(companies.keys[5])
    scores = expected(companies, RUN, [5]).tolist()
    places = {
        "label": {"listen": link, "connect": None},
        "feature": {"listen": None, "connect": link},
    }
    code, told, said = checked(replicas.folder("label", "-to-check", **places["label"]), capsys)
    assert (code, told["link"]["detail"]) == (0, f"{link} is free"), said
    label, feature = (replicas.start(role, **places[role]) for role in ("label", "feature"))
    for replaced in (None, "feature", "label"):
        if replaced == "feature":
            assert feature.end() == 0
            feature = replicas.start("feature", "-next", **places["feature"])
        if replaced == "label":
            assert label.end() == 0
            label = replicas.start("label", "-next", **places["label"])
        label.linked()
        status, _, told = call(label.port, INFER, keys)
        assert (status, told["outputs"][0]["data"]) == (200, scores)
    assert [one.end() for one in (label, feature)] == [0, 0]
    assert "Traceback" not in label.log + feature.log


def test_check_says_all_that_is_missing_and_ends_with_the_first(replicas, capsys):
    lacking = {"features": "none.csv", "callers": "none.toml", "models": ["20250101T000000Z"]}
    (replicas.root / "folder").mkdir()
    folder = replicas.folder("label", **lacking, audit=replicas.root / "folder")
    code, told, said = checked(folder, capsys)
    assert code == 2
    failed = {name for name, line in told.items() if line["status"] == "FAILED"}
    assert failed == {"features", "callers", "models", "budgets and audit"}
    assert "20250101T000000Z is no finished run" in told["models"]["detail"]
    assert "Is a directory; check the path" in told["budgets and audit"]["detail"]
    assert (replicas.root / "folder").stat().st_mode & 0o777 != 0o600
    assert "bureau is not to be reached" in told["link"]["detail"]
    assert "is no finished run" in said.splitlines()[-1]


def test_a_certificate_that_is_not_the_other_side_s_ends_it_at_once(replicas, capsys):
    folder = replicas.folder("label")
    settings = folder / "party.toml"
    settings.write_text(settings.read_text().replace("feature.pem", "label.pem"))
    places = ["--config", str(settings), "--job", str(folder / "job.toml")]
    assert main(["serve", *places]) == 5
    assert "the certificate pinned for the other side bears the name" in capsys.readouterr().err


def test_check_counts_keys_and_warns_where_anybody_may_ask(replicas, companies, capsys):
    for role in ("label", "feature"):
        code, told, said = checked(replicas.folder(role), capsys)
        assert code == 0, said
        assert told["features"]["detail"].startswith("90 keys, with the ")
        assert told["models"]["detail"].startswith("1, the newest last: ")
        assert (told["callers"]["status"] == "warning") == (role == "label")
        assert not any(key in said for key in companies.keys)
