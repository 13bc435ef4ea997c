"""The dealer as a process: settings, certificate, signals, log, health."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from securexgb.correlations.triples import Triples
from securexgb.dealer import identity
from securexgb.dealer.identity import fingerprint, fresh_identity, key_hash
from securexgb.dealer.server import DealerSettings, main
from securexgb.dealer.wire import keepalive
from securexgb.errors import CertificateRefused, UsageError
from securexgb.offline.dealer_link import check_certificate
from tests.dealer.running import PARTIES, ROOT, connected, dealer_process

GOOD = """role = "dealer"
listen = "127.0.0.1:0"
label_certificate = "label.pem"
feature_certificate = "feature.pem"
certificate = "dealer.pem"
"""


def test_settings_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "party.toml"
    path.write_text(GOOD + "timeout_seconds = 5\n")
    settings = DealerSettings.from_file(path)
    assert settings.label_certificate == tmp_path / "label.pem"
    assert settings.timeout_seconds == 5


@pytest.mark.parametrize("inherited", [0, 40])
def test_too_few_files_are_refused_before_grpc_begins(tmp_path: Path, inherited: int) -> None:
    """Whether the limit is low, or most of what it allows is open already."""
    for role, party in zip(("label", "feature"), PARTIES, strict=True):
        (tmp_path / f"{role}.pem").write_bytes(party.certificate)
    path = tmp_path / "party.toml"
    path.write_text(GOOD)
    most = 12 + inherited
    program = (
        "import os, resource, runpy, sys\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({most}, {most}))\n"
        f"held = [os.dup(0) for _ in range({inherited})]\n"
        f"sys.argv = ['main.py', {str(path)!r}]\n"
        "runpy.run_path('parties/dealer/main.py', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert f"more files ({most} with those that it was started with), and needs 32" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GOOD + "colour = 1\n", "colour"),
        (GOOD.replace('listen = "127.0.0.1:0"\n', ""), "listen"),
        (GOOD.replace("dealer", "label", 1), "role"),
        (GOOD.replace('"label.pem"', "7"), "label_certificate"),
        (GOOD + "timeout_seconds = -1\n", "timeout_seconds"),
        (GOOD + "timeout_seconds = true\n", "timeout_seconds"),
        ("what is this", "cannot read"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "party.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=sentence):
        DealerSettings.from_file(path)


def test_a_missing_file_gives_the_exit_code_of_usage(tmp_path: Path) -> None:
    assert main(tmp_path / "party.toml") == 2


def test_one_key_for_both_parties_is_refused(tmp_path: Path) -> None:
    for name in ("label.pem", "feature.pem"):
        (tmp_path / name).write_bytes(PARTIES[0].certificate)
    (tmp_path / "party.toml").write_text(GOOD)
    assert main(tmp_path / "party.toml") == 2


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "label.pem").write_bytes(PARTIES[0].certificate)
    (tmp_path / "feature.pem").write_bytes(b"nothing")
    (tmp_path / "party.toml").write_text(GOOD)
    assert main(tmp_path / "party.toml") == 2


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "label.pem").write_bytes(PARTIES[0].certificate)
    (tmp_path / "feature.pem").write_bytes(PARTIES[1].certificate)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "party.toml").write_text(GOOD.replace(":0", f":{port}"))
        assert main(tmp_path / "party.toml") == 2
    assert not (tmp_path / "dealer.pem").exists()


@pytest.mark.parametrize("seconds", [3, 5, 60, 600])
def test_silence_ends_a_session_when_the_settings_say(seconds: float) -> None:
    """The time until a question is asked, and that for its answer, are together the whole."""
    assert sum(milliseconds for _, milliseconds in keepalive(seconds)) == 1000 * seconds


def test_each_start_has_a_new_key_that_is_not_on_disk(tmp_path: Path) -> None:
    certificates = []
    for _ in range(2):
        with dealer_process(tmp_path) as dealer:
            certificates.append(dealer.certificate)
    assert key_hash(certificates[0]) != key_hash(certificates[1])
    assert not any(b"PRIVATE" in path.read_bytes() for path in tmp_path.iterdir())


def test_identity() -> None:
    somebody = fresh_identity("somebody")
    assert "PRIVATE" not in repr(somebody)
    assert len(fingerprint(somebody.certificate)) == len(key_hash(somebody.certificate)) == 32


def test_a_pinned_certificate_has_name_and_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    check_certificate(fresh_identity("dealer").certificate, "dealer")
    with pytest.raises(CertificateRefused, match="not for somebody"):
        check_certificate(fresh_identity("dealer").certificate, "somebody")
    monkeypatch.setattr(identity, "VALID_DAYS", 0)
    with pytest.raises(CertificateRefused, match="not today"):
        check_certificate(fresh_identity("dealer").certificate, "dealer")


def test_it_ends_on_a_signal_and_logs_no_value(tmp_path: Path) -> None:
    with dealer_process(tmp_path) as dealer:
        assert dealer.process is not None
        assert dealer.log is not None
        with connected(dealer) as (zero, one):
            words = [int(word) for word in (*zero.take(Triples(), 5).a, *one.take(Triples(), 5).c)]
            seed = zero._streams._root.key.hex()
        dealer.process.send_signal(signal.SIGTERM)
        assert dealer.process.wait(10) == 0
        log = dealer.log.read_text()
    assert "joined" in log
    assert "Traceback" not in log
    assert seed not in log
    assert not any(str(word) in log for word in words)


def test_health(tmp_path: Path) -> None:
    with dealer_process(tmp_path) as dealer:
        credentials = grpc.ssl_channel_credentials(
            dealer.certificate, PARTIES[0].key, PARTIES[0].certificate
        )
        options = [("grpc.ssl_target_name_override", "dealer")]
        with grpc.secure_channel(f"127.0.0.1:{dealer.port}", credentials, options) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            asked = health_pb2.HealthCheckRequest(service="securexgb.v1.DealerService")
            assert stub.Check(asked, timeout=10).status == health_pb2.HealthCheckResponse.SERVING
