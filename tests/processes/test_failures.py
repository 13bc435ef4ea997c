"""Every failure ends both sides in time, each with its exit code and one sentence."""

import json
import os
import signal
import socket
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from securexgb.channel.keys import create_keys
from securexgb.federation.session import Federation
from tests.channel.plain import calling
from tests.processes.companies import OTHER, RUN, SIDES, edit_cell, finish

pytestmark = pytest.mark.timeout(180)


def codes(ended):
    return {name: process.code for name, process in ended.items()}


def test_nobody_comes(companies):
    """The first contact has a time of its own, which tries do not make longer."""
    companies.start_dealer()
    alone = finish(companies.start("bank", "train", "--wait", "1s", "--retry", "5"))
    assert alone.code == 3
    assert "bureau (feature party) did not call" in alone.error
    assert "within 1 s" in alone.error
    other = finish(companies.start("bureau", "train", "--wait", "1s"))
    assert other.code == 3
    assert "bank" in other.error
    assert "tried for 1 s" in other.error


def test_no_dealer(companies):
    companies.start_dealer()
    companies.stop()
    for name in SIDES:
        companies.settings(name, timeout_seconds=5)
    ended = companies.both("train")
    assert set(codes(ended).values()) <= {3, 7}
    assert 3 in codes(ended).values()
    assert any("dealer" in process.error for process in ended.values())


def test_one_side_is_killed_in_a_tree(with_dealer):
    """Its ledger has the tree at its worst; once both go on, both ledgers are the same."""
    companies, victim, other = with_dealer, "bureau", "bank"
    training = {"n_estimators": 12, "splits": "owner", "eval_metric": ["logloss"]}
    companies.terms(*SIDES, training=training)
    for name in SIDES:
        with (companies.root / name / "party.toml").open("a") as settings:
            settings.write('eval_data = { valid = "test.csv" }\n')
    sides = {name: companies.start(name, "train") for name in SIDES}
    stop_in_a_tree(sides[victim], companies, victim)
    sides[victim].send_signal(signal.SIGKILL)
    ended = finish(sides[other])
    assert ended.code == 3
    assert victim in ended.error
    worst = [
        ("METRIC", "both", 1),
        ("SPLIT_INDEX", "feature", 3),
        ("SPLIT_INDEX", "label", 3),
        ("SPLIT_OWNER", "both", 3),
    ]
    kept = ledger(companies, victim)
    assert [(row["reveal"], row["to"], row["values"]) for row in kept["in_work"]] == worst
    resumed = companies.both("train", "--resume")
    assert set(codes(resumed).values()) == {0}, resumed
    books = [ledger(companies, name) for name in SIDES]
    assert books[0] == books[1]
    assert books[0]["in_work"] == []
    metrics = next(row for row in books[0]["revealed"] if row["reveal"] == "METRIC")
    assert metrics["values"] >= 12 + 1


def test_peer_falls_silent(companies):
    for name in SIDES:
        companies.settings(name, timeout_seconds=4)
    companies.terms(*SIDES, training={"n_estimators": 500})
    companies.start_dealer()
    sides = {name: companies.start(name, "train") for name in SIDES}
    wait_for_trees(companies, "bank")
    sides["bureau"].send_signal(signal.SIGSTOP)
    ended = finish(sides["bank"])
    assert ended.code == 3
    assert "bureau" in ended.error
    sides["bureau"].send_signal(signal.SIGCONT)
    assert finish(sides["bureau"]).code in (3, 7)


def test_dealer_is_killed(companies):
    companies.terms(*SIDES, training={"n_estimators": 500})
    dealer = companies.start_dealer()
    sides = {name: companies.start(name, "train") for name in SIDES}
    wait_for_trees(companies, "bank")
    dealer.send_signal(signal.SIGKILL)
    ended = {name: finish(process) for name, process in sides.items()}
    assert set(codes(ended).values()) <= {3, 7}
    assert 3 in codes(ended).values()
    assert any("dealer" in process.error for process in ended.values())


def test_interrupt(with_dealer):
    end_in_a_tree(with_dealer, "bank", signal.SIGINT)


def test_the_dealer_is_stopped(companies):
    companies.terms(*SIDES, training={"n_estimators": 500})
    dealer = companies.start_dealer()
    sides = {name: companies.start(name, "train") for name in SIDES}
    wait_for_trees(companies, "bank")
    dealer.send_signal(signal.SIGHUP)
    assert finish(dealer).code == 0
    ended = {name: finish(process) for name, process in sides.items()}
    assert set(codes(ended).values()) <= {3, 7}
    assert any("was stopped by its operator" in process.error for process in ended.values())


def test_wrong_pin(with_dealer):
    with_dealer.settings("bank", timeout_seconds=8)  # it waits for the right caller to the end
    keys = with_dealer.root / "bureau" / "keys"
    create_keys("bank", keys / "stranger.key", keys / "stranger.pem")
    (keys / "peer.pem").write_bytes((keys / "stranger.pem").read_bytes())
    ended = with_dealer.both("train")
    assert codes(ended) == {"bank": 3, "bureau": 5}
    assert "not the one pinned for bank" in ended["bureau"].error
    assert "callers refused this side's certificate 1 times" in ended["bank"].error


def test_own_certificate_is_not_the_pinned_one(with_dealer):
    with_dealer.settings("bank", timeout_seconds=8)  # it waits for the right caller to the end
    keys = with_dealer.root / "bureau" / "keys"
    create_keys("bureau", keys / "new.key", keys / "new.pem")
    for kind in ("key", "pem"):
        (keys / f"new.{kind}").replace(keys / f"own.{kind}")
    ended = with_dealer.both("train")
    assert codes(ended) == {"bank": 3, "bureau": 5}
    assert "refused this side's certificate" in ended["bureau"].error
    assert "callers showed another certificate 1 times" in ended["bank"].error


def test_wrong_name(with_dealer):
    keys = with_dealer.root / "bureau" / "keys"
    create_keys("mallory", keys / "m.key", keys / "m.pem")
    (with_dealer.root / "bank" / "keys" / "peer.pem").write_bytes((keys / "m.pem").read_bytes())
    for kind in ("key", "pem"):
        (keys / f"m.{kind}").replace(keys / f"own.{kind}")
    ended = with_dealer.both("train")
    assert codes(ended) == {"bank": 5, "bureau": 5}
    for process in ended.values():
        assert "'mallory'" in process.error


def test_expired_certificate(with_dealer):
    expire(with_dealer, "bureau")
    ended = with_dealer.both("train")
    assert codes(ended) == {"bank": 5, "bureau": 5}
    for process in ended.values():
        assert "expired on" in process.error


def test_other_terms(with_dealer):
    with_dealer.terms("bank", training={"max_depth": 3})
    ended = with_dealer.both("train")
    assert codes(ended) == {"bank": 5, "bureau": 5}


def test_other_version(with_dealer):
    newer = f"from securexgb.federation import session; session.__version__ = '99.0'; {RUN}"
    sides = {
        "bank": with_dealer.start("bank", "train"),
        "bureau": with_dealer.start("bureau", "train", code=newer),
    }
    ended = {name: finish(process) for name, process in sides.items()}
    assert codes(ended) == {"bank": 5, "bureau": 5}
    for process in ended.values():
        assert "99.0" in process.error


def test_port_in_use(with_dealer):
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", with_dealer.port))
        occupied.listen()
        with_dealer.settings("bureau", timeout_seconds=3)
        ended = with_dealer.both("train")
    assert codes(ended) == {"bank": 2, "bureau": 3}
    assert "port is in use" in ended["bank"].error


@pytest.mark.parametrize(
    ("side", "column", "value", "says"),
    [
        ("bank", "default", "2", "label column 'default' has 3 different values"),
        ("bank", "age", "young", "column 'age' (read as string, first in data row 5) is not"),
        ("bureau", "cards", "inf", "column 'cards' holds infinity, first in data row 5"),
    ],
)
def test_data_that_cannot_be_used(with_dealer, side, column, value, says):
    edit_cell(with_dealer.root / side / "train.csv", 5, column, value)
    ended = with_dealer.both("train")
    other = "bureau" if side == "bank" else "bank"
    assert codes(ended) == {side: 4, other: 7}
    assert says in ended[side].error
    assert "DataError" in ended[other].error


def test_truncated_file(with_dealer):
    path = with_dealer.root / "bureau" / "train.csv"
    path.write_text(path.read_text()[:-5])
    text = path.read_text()
    path.write_text(text[: text.rindex(",")])
    ended = with_dealer.both("train")
    assert codes(ended) == {"bank": 7, "bureau": 4}
    assert "cannot be read" in ended["bureau"].error


def test_truncated_model(with_dealer):
    assert set(codes(with_dealer.both("train")).values()) == {0}
    (path,) = with_dealer.root.glob("bank/run/*/model/label.npz")
    path.write_bytes(path.read_bytes()[:200])
    ended = finish(with_dealer.start("bank", "predict"))
    assert ended.code == 4
    assert "truncated or damaged" in ended.error


def test_the_dealer_s_port_is_in_use(with_dealer):
    second = finish(with_dealer.start("dealer", "dealer", "serve"))
    assert second.code == 2
    assert str(with_dealer.dealer_port) in second.error


def test_rows_in_another_order(with_dealer):
    path = with_dealer.root / "bureau" / "train.csv"
    lines = path.read_text().splitlines()
    lines[3], lines[4] = lines[4], lines[3]
    path.write_text("\n".join(lines) + "\n")
    ended = with_dealer.both("train")
    assert codes(ended) == {"bank": 4, "bureau": 4}
    for process in ended.values():
        assert "column 'customer'" in process.error
        assert "first between data rows 1 and 60;" in process.error


def test_too_few_rows(with_dealer):
    """By other terms than theirs so few rows are refused, at both sides alike."""
    for name in SIDES:
        with (with_dealer.root / name / "party.toml").open("a") as settings:
            settings.write('eval_data = { valid = "test.csv" }\n')
    with_dealer.terms(*SIDES, min_training_rows=61, training={"splits": "owner"})
    ended = with_dealer.both("train")
    assert codes(ended) == {"bank": 2, "bureau": 2}
    for process in ended.values():
        assert "60 training rows are fewer than min_training_rows = 61" in process.error
    with_dealer.terms(*SIDES, min_evaluation_rows=61)
    ended = with_dealer.both("train")
    assert codes(ended) == {"bank": 2, "bureau": 2}
    for process in ended.values():
        assert "'valid' has 60 rows" in process.error


def test_malformed_frame(with_dealer):
    """The other side has the right keys and terms, but sends bytes that are no frame."""
    bank = with_dealer.start("bank", "train")
    folder = with_dealer.root / "bureau"
    federation = Federation.from_file(folder / "party.toml", folder / "job.toml")
    trusted = federation.endpoint().credentials
    with calling(trusted, "bank", with_dealer.port) as plain:
        plain.greet(federation.hello("train"))
        plain.send(b"\xff" * 40)
        ended = finish(bank)
    assert ended.code == 6


GLANCE_SECONDS = 0.02
"""A file is looked at so often: who looks all the time takes half of the machine."""


def wait_for_trees(companies, name, trees=1):
    """Until a side has written so many trees, at most its test's timeout."""
    while True:
        for run in (companies.root / name / "run").glob("*/metrics.jsonl"):
            if run.read_text().count("\n") >= trees:
                return
        running = [process for process in companies.processes[-2:] if process.poll() is None]
        assert running, [process.communicate() for process in companies.processes[-2:]]
        with suppress(subprocess.TimeoutExpired):
            running[0].wait(GLANCE_SECONDS)


def stop_in_a_tree(process, companies, victim):
    """Freeze one side in a tree after its first, as its ledger says that it is in one."""
    wait_for_trees(companies, victim)
    while True:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        if ledger(companies, victim)["in_work"]:
            return
        process.send_signal(signal.SIGCONT)


def ledger(companies, name):
    return json.loads((companies.run_directory(name) / "ledger.json").read_text())


def end_in_a_tree(companies, victim, number):
    """A signal ends one side in order: its books, its log, its goodbye, its code."""
    training = {"n_estimators": 500, "splits": "owner"}
    companies.terms(*SIDES, training=training)
    sides = {name: companies.start(name, "train") for name in SIDES}
    stop_in_a_tree(sides[victim], companies, victim)
    sides[victim].send_signal(number)
    sides[victim].send_signal(signal.SIGCONT)
    ended = {name: finish(process) for name, process in sides.items()}
    assert codes(ended) == {victim: 130, OTHER[victim]: 7}
    assert ended[victim].stderr.endswith("interrupted\n")
    assert f"{victim} ({SIDES[victim]} party) stopped with an interruption" in (
        ended[OTHER[victim]].error
    )
    log = (companies.run_directory(victim) / "log.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["event"] == "stopped"
    here, there = (ledger(companies, name) for name in (victim, OTHER[victim]))
    assert here["in_work"]
    assert there == here or not there["in_work"]  # it may have finished that tree


def kill_in_training(companies, victim):
    """Kill one side amid the trees; how the other one ends."""
    companies.terms(*SIDES, training={"n_estimators": 500})
    sides = {name: companies.start(name, "train") for name in SIDES}
    wait_for_trees(companies, victim)
    sides.pop(victim).send_signal(signal.SIGKILL)
    (survivor,) = sides.values()
    return finish(survivor)


def expire(companies, name):
    """Give a side a certificate of its own key that ended yesterday, pinned by the other."""
    keys = companies.root / name / "keys"
    key = serialization.load_pem_private_key((keys / "own.key").read_bytes(), None)
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now - timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (keys / "own.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    companies.pin("bank" if name == "bureau" else "bureau", name)
