"""Exit codes, the two streams, and the small commands."""

import errno
import io
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from securexgb import __version__, errors
from securexgb.boost.params import TrainingParams
from securexgb.cli import app as app_module
from securexgb.cli.app import main
from securexgb.cli.output import explain
from securexgb.cli.signals import ended_in_order, until_stopped
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import split_columns, train_alone
from securexgb.model.files import save_half
from securexgb.offline.producer import Producer
from securexgb.report.aligned import duration, figure, table
from securexgb.report.record import plain


def test_every_error_has_its_code_and_one_sentence(capsys):
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in kinds:
        assert explain(kind("bank: the file is empty")) == kind.exit_code
        lines = capsys.readouterr().err.splitlines()
        assert lines[0] == "error: bank: the file is empty"
        assert lines[1:] == ([f"help: {kind.help}"] if kind.help else [])
    silent = {kind.__name__ for kind in kinds if not kind.help}
    # Their messages say what to do.
    assert silent == {
        "UsageError",
        "PortTaken",
        "NotAvailable",
        "FileError",
        "DataError",
        "TermsDiffer",
        "UnknownModel",
        "FeaturesUnavailable",
    }
    assert {kind.exit_code for kind in kinds} == {1, 2, 3, 4, 5, 6, 7}


def test_a_bug_has_code_one_and_a_traceback(capsys):
    with pytest.raises(IndexError) as caught:
        _ = np.empty(0)[1]
    assert explain(caught.value) == 1
    assert "Traceback" in capsys.readouterr().err


def test_what_a_terminal_would_obey_is_shown_and_not_sent(securexgb, capsys, tmp_path):
    """Names of columns come from files, errors quote what the other side wrote."""
    name = "a\x1b[2J\x9b31m\r\x07\u202eb"
    rows = Rows(np.arange(8.0).reshape(4, 2), (name, "x"), np.array([0.0, 1, 0, 1]))
    params = TrainingParams(n_estimators=1, max_depth=1, max_bin=2, splits="owner")
    halves = train_alone(params, rows, split_columns(2, None), seed=1).results
    save_half(halves[0], tmp_path / "label.npz")
    done = securexgb("model", "inspect", tmp_path / "label.npz")
    assert done.code == 0
    assert r"a\x1b[2J\x9b31m\x0d\x07\u202eb" in done.stdout
    assert not set("\x1b\x9b\r\x07\u202e") & set(done.stdout)
    explain(errors.DataError(f"{name} and half a character \ud800"))
    try:
        raise IndexError(name)
    except IndexError as error:
        explain(error)
    told = capsys.readouterr().err
    assert r"a\x1b[2J" in told
    assert r"\ud800" in told
    assert "\x1b" not in told


def test_every_command_may_open_as_many_files_as_there_may_be():
    program = (
        "import resource; limit = resource.RLIMIT_NOFILE; _, most = resource.getrlimit(limit); "
        "resource.setrlimit(limit, (64, most)); from securexgb.cli.app import main; "
        "main(['--version']); assert resource.getrlimit(limit) == (most, most)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)
    assert done.returncode == 0


def test_too_few_files_are_a_sentence():
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24)); "
        "from securexgb.cli.app import main; raise SystemExit(main(['protocols']))"
    )
    root, command = Path(__file__).parents[2], [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "(24 with those that it was started with), and needs 32" in done.stderr


def test_interrupt(securexgb, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("securexgb.cli.protocols.protocol_rows", interrupt)
    assert securexgb("protocols").code == 130


def test_commands_are_listed(securexgb):
    done = securexgb("--help")
    assert done.code == 0
    app = app_module.typer_app()
    commands = {info.name or info.callback.__name__ for info in app.registered_commands}
    groups = {info.name for info in app.registered_groups}
    assert commands | groups == set(app_module.COMMANDS)
    for name in commands | groups:
        assert name in done.stdout


def test_a_command_is_added_with_what_it_needs_alone():
    assert app_module.needed(["train", "--help"]) == ("train",)
    assert app_module.needed(["--version"]) == ()
    for arguments in ([], ["--help"], ["trian"], ["--bad", "train"]):
        assert app_module.needed(arguments) == app_module.COMMANDS
    modules = {path.stem for path in Path(app_module.__file__).parent.glob("*.py")}
    assert set(app_module.COMMANDS) < modules


def test_protocols(securexgb):
    facts = securexgb("protocols", "--format", "json").json
    assert {"mpc.multiply.multiply", "mpc.multiplex.multiplex_private"} <= {
        row["protocol"] for row in facts["protocols"]
    }
    text = securexgb("protocols").stdout
    assert "SPLIT_OWNER" in text


def test_model_inspect(securexgb, tmp_path):
    features = np.arange(40.0).reshape(20, 2)
    data = Rows(features, ("age", "debt"), (features[:, 0] > 19).astype(float))
    params = TrainingParams(n_estimators=2, max_depth=2, splits="owner")
    halves = train_alone(params, data, split_columns(2, None), seed=1).results
    for half in halves:
        save_half(half, tmp_path / f"{half.role}.npz")
    facts = securexgb("model", "inspect", tmp_path / "feature.npz", "--format", "json").json
    assert facts["columns"] == ["debt"]
    assert len(facts["trees"]) == 2
    assert "age" not in str(facts)
    assert "label party's half" in securexgb("model", "inspect", tmp_path / "label.npz").stdout
    (tmp_path / "label.npz").write_bytes(b"PK")
    assert securexgb("model", "inspect", tmp_path / "label.npz").code == 4
    assert securexgb("model", "inspect", tmp_path / "none.npz").code == 2


def test_a_run_is_inspected_and_its_own_splits_are_a_table(securexgb, tmp_path):
    features = np.arange(40.0).reshape(20, 2)
    data = Rows(features, ("age", "debt"), (features[:, 0] > 19).astype(float))
    params = TrainingParams(n_estimators=2, max_depth=2, splits="owner")
    halves = train_alone(params, data, split_columns(2, None), seed=1).results
    for half in halves:
        folder = tmp_path / half.role / "model"
        folder.mkdir(parents=True)
        save_half(half, folder / f"{half.role}.npz")
    assert "label party's half" in securexgb("model", "inspect", tmp_path / "label").stdout
    assert (
        "feature party's half" in securexgb("model", "inspect", tmp_path / "feature/model").stdout
    )
    rows = securexgb("model", "splits", tmp_path / "label", "--format", "json").json["splits"]
    assert {row["column"] for row in rows} == {"age"}
    assert rows[0].keys() == {"tree", "node", "column", "threshold", "missing_left"}
    known = [(k, int(n)) for k, tree in enumerate(halves[0].trees) for n in tree.own_nodes]
    assert [(row["tree"], row["node"]) for row in rows] == known
    root = halves[0].trees[0].thresholds[0]
    text = securexgb("model", "splits", tmp_path / "label").stdout
    assert f"{len(rows)} of 6 nodes are split by a column of the label party" in text
    assert f"< {root:.6g}" in text
    assert "debt" not in text
    both = tmp_path / "both"
    both.mkdir()
    for half in halves:
        save_half(half, both / f"{half.role}.npz")
    assert "holds two halves" in securexgb("model", "inspect", both).stderr
    (tmp_path / "nothing").mkdir()
    refused = securexgb("model", "splits", tmp_path / "nothing")
    assert (refused.code, "holds no model" in refused.stderr) == (2, True)


def test_version(securexgb):
    assert securexgb("--version").stdout == f"securexgb {__version__}\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.97804, "0.978"), (26.7276, "26.7"), (1.0, "1.00"), (0.00123456, "0.00123"), (0.0, "0.00"),
     (123.4, "123"), (1234.5, "1,234"), (2.5e-7, "2.50e-07"), (-0.5, "-0.500"), (99.97, "100")],
)  # fmt: skip
def test_figures_have_three_digits(value, text):
    assert figure(value) == text


def test_durations():
    assert [duration(s) for s in (0.4, 45, 200, 9000)] == ["0 s", "45 s", "3 min", "2.5 h"]


@pytest.mark.parametrize("importance", ["none", "gain", "cover"])
def test_model_inspect_of_a_hidden_half(securexgb, tmp_path, importance):
    features = np.arange(40.0).reshape(20, 2)
    data = Rows(features, ("age", "debt"), (features[:, 0] > 19).astype(float))
    params = TrainingParams(n_estimators=2, max_depth=2, importance=importance, max_bin=8)
    half = train_alone(params, data, split_columns(2, None), seed=1).results[1]
    save_half(half, tmp_path / "feature.npz")
    facts = securexgb("model", "inspect", tmp_path / "feature.npz", "--format", "json").json
    assert facts["trees"] == [{"tables": [2, 9, 3], "leaves": 4, "amounts": 2}] * 2
    assert facts["splits_per_column"] is None
    opened = {"label party, no. 1": 100, "debt": 0}
    assert facts["importance"] == (None if importance == "none" else opened)
    text = securexgb("model", "inspect", tmp_path / "feature.npz").stdout
    assert "splits: hidden: not available" in text
    refused = securexgb("model", "splits", tmp_path / "feature.npz")
    assert (refused.code, "the splits of this model are hidden" in refused.stderr) == (2, True)
    assert ("importance: not available" in text) == (importance == "none")
    assert f"share of the {importance} of all splits" in text or importance == "none"


def test_plain_and_table():
    assert plain({"a": float("inf"), "b": (1, float("nan"))}) == {"a": None, "b": [1, None]}
    assert table([("x", 1234), ("long name", 5)], ("what", "n")).splitlines() == [
        "what           n",
        "---------  -----",
        "x          1,234",
        "long name      5",
    ]
    assert table([]) == ""


@pytest.mark.parametrize("command", ["simulate", "model", "dealer"])
def test_help_of_each_command(securexgb, command):
    done = securexgb(command, "--help")
    assert done.code == 0
    assert "Usage" in done.stdout


def test_a_file_that_cannot_be_written_is_no_bug(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert (
        app_module.main(["init", "--role", "label", "--output", str(tmp_path / "file" / "x.toml")])
        == 2
    )
    said = capsys.readouterr().err
    assert str(tmp_path) in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_a_command_in_order(securexgb, monkeypatch, number):
    """As an exception, so that whatever is open is closed; once, and only within the command."""
    ended = []

    def command():
        try:
            os.kill(os.getpid(), number)
        finally:
            if number != signal.SIGINT:
                os.kill(os.getpid(), number)  # an impatient manager of processes
            ended.append(True)

    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, usual)  # under nohup a hangup is ignored
    try:
        monkeypatch.setattr("securexgb.cli.protocols.protocol_rows", command)
        done = securexgb("protocols")
        assert (done.code, done.stderr, ended) == (130, "interrupted\n", [True])
        assert signal.getsignal(number) is usual
    finally:
        signal.signal(number, before)


def test_a_hangup_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


class Full(io.StringIO):
    """Leads to a disk without room."""

    def write(self, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("form", ["text", "json"])
def test_streams_on_a_full_disk(monkeypatch, capsys, form):
    """Of stdout a sentence says so, and the interpreter stumbles over nothing; stderr may fail."""
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", Full())
        assert main(["protocols", "--format", form]) == 2
        assert sys.stdout is None
    sentence = "error: cannot write the result to stdout: No space left.*"
    assert re.match(sentence, capsys.readouterr().err)
    monkeypatch.setattr(sys, "stderr", Full())
    assert main(["keys", "show", "--config", "missing"]) == 2


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EMFILE, errno.ENOMEM])
def test_what_the_machine_lacks_is_no_bug(capsys, code):
    """Also where a library says it, of whatever file."""
    assert explain(OSError(code, os.strerror(code))) == 2
    assert explain(OSError(code, os.strerror(code), "/some/where")) == 2
    for refused in (MemoryError(), RuntimeError("can't start new thread")):
        assert explain(refused) == 2
    first, second, *others = capsys.readouterr().err.splitlines()
    assert all("refuses more memory or threads" in line for line in others)
    assert first.startswith("error: cannot use a file or stream: ")
    assert second.startswith("error: cannot use /some/where: ")


def _taken_elsewhere(number):
    """A signal that another thread takes wakes no main thread, as one that comes too early."""
    threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), number)).start()


def test_a_service_hears_a_signal_that_does_not_wake_it():
    def service():
        _taken_elsewhere(signal.SIGTERM)
        until_stopped()

    with ended_in_order(), pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        service()


def test_who_waits_for_randomness_hears_it_too():
    """Whoever makes it is in the midst of something long."""
    producer, over = Producer("test"), threading.Event()
    producer.order(over.wait)

    def is_there():
        _taken_elsewhere(signal.SIGTERM)
        return False

    try:
        with ended_in_order(), pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            producer.wait(is_there)
    finally:
        over.set()
        producer.close()
