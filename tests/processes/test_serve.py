"""Two replicas, one at each company: checked, asked over HTTP, ended in order."""

import json
import shutil
import socket

import pytest

pytest.importorskip("starlette", reason="the extra [serve] is not installed")

from tests.processes.companies import SIDES, Companies, finish, free_port
from tests.processes.test_failures import codes

pytestmark = pytest.mark.timeout(300)
NAME = "defaults"
SERVED = {"serve": {}, "min_training_rows": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Both sides' runs of one training with owned splits, and the scores of a prediction."""
    companies = Companies(tmp_path_factory.mktemp("served"), method={})
    companies.terms(*SIDES, training={"splits": "owner"}, **SERVED)
    try:
        for command in ("train", "predict"):
            ended = companies.both(command)
            assert set(codes(ended).values()) == {0}, ended
        yield companies
    finally:
        companies.stop()


@pytest.fixture
def served(trained, tmp_path):
    """The same, in folders and at ports of a test's own."""
    for name in SIDES:
        shutil.copytree(trained.root / name, tmp_path / name)
    made = Companies.__new__(Companies)
    vars(made).update(vars(trained) | {"root": tmp_path, "processes": [], "port": free_port()})
    made.http = {name: free_port() for name in SIDES}
    for name in SIDES:
        serve_settings(made, name)
    yield made
    made.stop()


def serve_settings(companies, name, settings=None, **serve):
    """This side's party.toml; the feature party listens, as serving has it."""
    own = f"127.0.0.1:{companies.port}"
    is_label = name == "bank"
    places = {"listen": None if is_label else own, "connect": own if is_label else None}
    companies.settings(name, **places, **(settings or {}))
    values = {
        "http": f"127.0.0.1:{companies.http[name]}",
        "features": "test.csv",
        "stock_rows": 64,
        "drain_seconds": 0,
    } | serve
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    with (companies.root / name / "party.toml").open("a") as file:
        file.write("\n[serve]\n" + "\n".join(lines) + "\n")


def found(ended):
    return {line["check"]: (line["status"], line["detail"]) for line in ended.json["checks"]}


def test_check_says_what_is_there(served):
    for name in SIDES:
        ended = finish(served.start(name, "serve", "--check"))
        assert ended.code == 0, ended
        told = found(ended)
        assert told["models"][1].startswith("1, the newest last: ")
        assert told["features"][1].startswith("60 keys, with the ")
        assert told["http"][0] == "ok"
        assert (told["callers"][0] == "warning") == (name == "bank")
        assert told["link"][0] == ("warning" if name == "bank" else "ok")
        assert "c0060" not in ended.stdout + ended.stderr


def test_check_says_all_that_is_missing_and_ends_with_the_first(served):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        http = f"127.0.0.1:{taken.getsockname()[1]}"
        serve_settings(served, "bank", features="train_only.csv", http=http, callers="no.toml")
        ended = finish(served.start("bank", "serve", "--check"))
    assert ended.code == 2
    told = found(ended)
    assert {name for name, (status, _) in told.items() if status == "FAILED"} == {
        "features", "callers", "http",
    }  # fmt: skip
    assert "train_only.csv" in ended.error


def test_terms_without_serving_are_refused(served):
    served.terms(*SIDES, training={"splits": "owner"}, min_training_rows=1)
    for arguments in (("serve",), ("serve", "--check")):
        ended = finish(served.start("bank", *arguments))
        assert ended.code == 2
        assert "the terms have no table [serve]" in ended.error
