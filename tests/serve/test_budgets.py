"""Budgets and the audit: what is counted, refused, chained, found damaged, and compared."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from securexgb.errors import DataError, FileError, UsageError
from securexgb.serve.gate.audit import AuditSecret, totals, verify_audit
from securexgb.serve.gate.budgets import AuditedGate, Limits
from securexgb.serve.gate.database import LogKeeper
from securexgb.serve.parts import Asked
from securexgb.terms.serving import Budgets, ServeTerms

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = AuditSecret(bytes(32))
FREE = ServeTerms(rows_a_key_a_day=None)


class Clock:
    """Says what it is told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


OPENED: list[AuditedGate] = []


@pytest.fixture(autouse=True)
def _all_are_closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def opened(
    path: Path, limits: Limits, secret: AuditSecret, clock: Callable[[], datetime]
) -> AuditedGate:
    OPENED.append(AuditedGate(path, limits, secret, clock))
    return OPENED[-1]


def gate(
    folder: Path,
    own: Budgets | None = None,
    terms: ServeTerms = FREE,
    clock: Callable[[], datetime] = lambda: NOW,
) -> AuditedGate:
    limits = Limits.of(terms, own or Budgets(), "bank")
    return opened(folder / "audit.sqlite", limits, SECRET, clock)


def asked(*keys: str, caller: str = "app", model: str = "m1", batch: bytes = b"b1") -> Asked:
    return Asked(model, keys, (caller,) * len(keys), reasons=False, batch=batch)


def refused(found: tuple[str | None, ...]) -> list[bool]:
    return [one is not None for one in found]


@pytest.mark.parametrize(
    ("own", "keys", "expected", "words"),
    [
        (Budgets(rows_a_key_a_day=2), "aabaa", "00011", "2 rows of one key a day"),
        (Budgets(rows_a_caller_a_day=3), "abcd", "0001", "3 rows of one caller a day"),
        (Budgets(keys_a_day=2), "ababca", "000010", "2 different keys a day"),
        (Budgets(rows_a_day=4), "abcda", "00001", "4 rows a day"),
        (Budgets(rows_in_all=1), "ab", "01", "1 rows of one model"),
    ],
)
def test_a_row_beyond_a_budget_is_refused_in_words(
    tmp_path: Path, own: Budgets, keys: str, expected: str, words: str
) -> None:
    found = gate(tmp_path, own).admit(asked(*keys))
    assert refused(found) == [digit == "1" for digit in expected]
    for text in filter(None, found):
        assert text.startswith(f"bank scores at most {words} (")
        assert "party.toml" in text


def test_the_stricter_of_terms_and_own_holds(tmp_path: Path) -> None:
    terms = ServeTerms(rows_a_key_a_day=2, rows_a_day=9)
    limits = Limits.of(terms, Budgets(rows_a_key_a_day=5, rows_a_day=3), "bank")
    assert limits.bounds == {"rows_a_key_a_day": (2, "job.toml"), "rows_a_day": (3, "party.toml")}


def test_a_day_brings_its_budgets_and_what_is_for_ever_stays(tmp_path: Path) -> None:
    clock = Clock()
    one = gate(tmp_path, Budgets(rows_a_key_a_day=1, rows_in_all=3), clock=clock)
    assert refused(one.admit(asked("a", "a", "b"))) == [False, True, False]
    clock.now += timedelta(days=1)
    assert refused(one.admit(asked("a", "b"))) == [False, True]  # three rows in all
    clock.now -= timedelta(days=1)
    assert refused(one.admit(asked("a", model="m2"))) == [True]  # a clock that goes back helps not
    one.close()
    connection = sqlite3.connect(tmp_path / "audit.sqlite")
    days = connection.execute("SELECT DISTINCT day FROM counts").fetchall()
    connection.close()
    assert len(days) == 2  # for ever, and the last


def test_counters_outlive_the_process_and_are_shared(tmp_path: Path) -> None:
    gate(tmp_path, Budgets(rows_a_key_a_day=2)).admit(asked("a"))
    first, second = (gate(tmp_path, Budgets(rows_a_key_a_day=2)) for _ in range(2))
    assert refused(first.admit(asked("a"))) == [False]
    assert refused(second.admit(asked("a"))) == [True]


def test_what_is_kept_in_memory_follows_other_processes_and_failures(tmp_path: Path) -> None:
    first, second = (gate(tmp_path, Budgets(rows_a_day=4)) for _ in range(2))
    for one in (first, second, second):
        assert refused(one.admit(asked("a"))) == [False]
    (pages,) = first._connection.execute("PRAGMA page_count").fetchone()
    first._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(FileError, match="free space on the disk"):
        first.admit(asked(*(f"key {row}" for row in range(900))))
    first._connection.execute("PRAGMA max_page_count = 1000000")
    assert refused(first.admit(asked("b", "b"))) == [False, True]
    assert refused(second.admit(asked("c"))) == [True]
    found = verify_audit(tmp_path / "audit.sqlite", SECRET)
    assert (found.entries, found.rows) == (5, 6)


def test_many_threads_of_two_replicas_admit_no_row_too_many(tmp_path: Path) -> None:
    gates = [gate(tmp_path, Budgets(rows_a_day=50)) for _ in range(2)]

    def ask(number: int) -> int:
        return refused(gates[number % 2].admit(asked(f"k{number}"))).count(False)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(ask, range(80))) == 50
    found = verify_audit(tmp_path / "audit.sqlite", SECRET)
    assert (found.entries, found.rows) == (80, 80)


def test_the_log_goes_into_the_file_beside_the_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, file, log = gate(tmp_path), tmp_path / "audit.sqlite", tmp_path / "audit.sqlite-wal"
    for _ in range(400):
        own.admit(asked("c7"))
    before, full = file.stat().st_size, log.stat().st_size
    assert full > 1000 * 4096, "SQLite by itself would have done it by now"
    keeper = LogKeeper(file)
    keeper.look()
    assert file.stat().st_size == before, "it is short yet"
    monkeypatch.setattr("securexgb.serve.gate.database.MOST_LOG_BYTES", full - 1)
    keeper.look()
    assert file.stat().st_size > before
    own.admit(asked("c7"))
    assert log.stat().st_size < full
    keeper.close()
    assert verify_audit(file, SECRET).entries == 401


def test_the_file_is_the_user_s_alone_and_names_nobody(tmp_path: Path) -> None:
    one = gate(tmp_path)
    one.admit(asked("4711-key-of-somebody"))
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
        assert b"4711" not in path.read_bytes()
    one.close()


def change(path: Path, statement: str) -> None:
    """As somebody with the right to write, who knows how to get past the triggers."""
    connection = sqlite3.connect(path)
    for name in ("entries_stay", "entries_remain"):
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE entries SET outcomes = x'0100' WHERE number = 2", "entry 2 is not as it was"),
        ("UPDATE entries SET time = '2026-03-02T00:00:00Z' WHERE number = 3", "entry 3 is not"),
        ("UPDATE entries SET keys = 'text' WHERE number = 1", "entry 1 is not as it was"),
        ("UPDATE entries SET seal = zeroblob(32) WHERE number = 4", "entry 4 is not as it was"),
        ("DELETE FROM entries WHERE number = 2", "entry 2 is missing"),
        ("DELETE FROM entries WHERE number > 3", "entry 4 is missing"),
        ("DELETE FROM entries", "entry 1 is missing"),
        ("UPDATE counts SET rows = 1 WHERE kind = 'model'", "not those of its entries"),
    ],
)
def test_what_is_changed_or_removed_is_found(tmp_path: Path, statement: str, found: str) -> None:
    one = gate(tmp_path)
    for number in range(5):
        one.admit(asked("a", f"k{number}"))
    one.close()
    path = tmp_path / "audit.sqlite"
    assert verify_audit(path, SECRET).entries == 5
    change(path, statement)
    with pytest.raises(DataError, match=found) as caught:
        verify_audit(path, SECRET)
    assert caught.value.exit_code == 4


def test_a_head_that_was_noted_shows_a_cut_that_leaves_no_other_trace(tmp_path: Path) -> None:
    one = gate(tmp_path)
    one.admit(asked("a"))
    path = tmp_path / "audit.sqlite"
    early = verify_audit(path, SECRET).head
    one.admit(asked("a"))
    late = verify_audit(path, SECRET, early).head
    one.close()
    change(path, "DELETE FROM entries WHERE number = 2")
    change_counts = sqlite3.connect(path)
    change_counts.execute("UPDATE counts SET rows = rows - 1 WHERE day = 0")
    change_counts.commit()
    change_counts.close()
    assert verify_audit(path, SECRET, early).entries == 1
    with pytest.raises(DataError, match="entry 2 and those after it are missing"):
        verify_audit(path, SECRET, late)


def test_chains_made_anew_lack_the_seal_of_this_side(tmp_path: Path) -> None:
    forger = opened(
        tmp_path / "audit.sqlite", Limits({}, "bank"), AuditSecret(b"x" * 32), lambda: NOW
    )
    forger.admit(asked("a"))
    forger.close()
    assert verify_audit(tmp_path / "audit.sqlite", SECRET).earlier_secrets == 1
    change(tmp_path / "audit.sqlite", f"UPDATE entries SET secret = x'{SECRET.name.hex()}'")
    with pytest.raises(DataError, match="entry 1 is not as it was"):
        verify_audit(tmp_path / "audit.sqlite", SECRET)


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + b"\xff" * 5000, b"no database " * 99])
def test_what_is_no_database_is_damage(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "audit.sqlite"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(DataError, match="truncated or damaged"):
        verify_audit(path, SECRET)
    with pytest.raises(DataError, match="truncated or damaged"):
        gate(tmp_path)


def test_no_audit_and_a_link_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no audit"):
        verify_audit(tmp_path / "audit.sqlite", SECRET)
    (tmp_path / "audit.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileError, match="symbolic link"):
        gate(tmp_path)


def test_a_full_disk_counts_nothing_and_says_so(tmp_path: Path) -> None:
    one = gate(tmp_path, Budgets(rows_a_day=10_000))
    one.admit(asked("a"))
    (pages,) = one._connection.execute("PRAGMA page_count").fetchone()
    one._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    many = asked(*(f"key {row}" for row in range(9000)))
    with pytest.raises(FileError, match="free space on the disk"):
        one.admit(many)
    before = verify_audit(tmp_path / "audit.sqlite", SECRET)
    one._connection.execute("PRAGMA max_page_count = 1000000")
    assert refused(one.admit(asked("a"))) == [False]
    assert verify_audit(tmp_path / "audit.sqlite", SECRET).entries == before.entries + 1


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from securexgb.serve.gate.audit import AuditSecret
from securexgb.serve.gate.budgets import AuditedGate, Limits
from securexgb.serve.gate.database import LogKeeper
from securexgb.serve.parts import Asked
gate = AuditedGate(Path(sys.argv[1]), Limits({}, "bank"), AuditSecret(bytes(32)))
for number in range(1_000_000):
    gate.admit(Asked("m1", (f"k{number}",), ("app",), False))
    sys.stdout.write("answered\\n")
    sys.stdout.flush()
"""


def test_a_killed_process_has_counted_at_least_what_it_answered(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answered = sum(1 for _, _ in zip(range(40), process.stdout, strict=False))
        os.kill(process.pid, signal.SIGKILL)
        answered += sum(line == "answered\n" for line in process.stdout)
    found = verify_audit(path, SECRET)
    assert answered <= found.rows <= answered + 1


def test_both_sides_compare_days_without_keys(tmp_path: Path) -> None:
    """The label party admits two of three rows and sends those; the feature party refuses one."""
    label = opened(
        tmp_path / "label.sqlite", Limits.of(FREE, Budgets(rows_a_key_a_day=1), "bank"),
        SECRET, lambda: NOW,
    )  # fmt: skip
    feature = opened(
        tmp_path / "feature.sqlite", Limits.of(FREE, Budgets(rows_a_day=1), "shop"),
        AuditSecret(b"y" * 32), lambda: NOW,
    )  # fmt: skip
    assert refused(label.admit(asked("a", "a", "b", batch=b"s 1"))) == [False, True, False]
    sent = Asked("m1", ("a", "b"), None, reasons=False, batch=b"s 1")
    assert refused(feature.admit(sent)) == [False, True]
    one, two = (totals(tmp_path / f"{role}.sqlite") for role in ("label", "feature"))
    assert [(t.when, t.batches, t.rows, t.refused) for t in one] == [("2026-03-01", 1, 2, 1)]
    assert [(t.batches, t.rows, t.digest) for t in two] == [(1, 2, one[0].digest)]
    assert [t.when for t in totals(tmp_path / "label.sqlite", "2026-03-01")] == ["2026-03-01T12"]
    feature.admit(Asked("m1", ("a", "c"), None, reasons=False, batch=b"s 2"))
    label.admit(asked("c", "d", batch=b"s 2"))
    one, two = (totals(tmp_path / f"{role}.sqlite") for role in ("label", "feature"))
    assert (one[0].batches, one[0].rows) == (two[0].batches, two[0].rows)
    assert one[0].digest != two[0].digest  # as many rows, of other keys


def test_unknown_keys_are_noted_and_count_for_no_budget(tmp_path: Path) -> None:
    one = gate(tmp_path, Budgets(rows_a_day=1))
    sent = Asked(
        "m1", ("a", "b", "c"), None, reasons=False, batch=b"s 1", known=(False, True, False)
    )
    assert one.admit(sent) == (None, None, None)
    assert refused(one.admit(asked("a"))) == [True]
    (day,) = totals(tmp_path / "audit.sqlite")
    assert (day.batches, day.rows, day.refused, day.unknown) == (1, 3, 1, 2)
    assert verify_audit(tmp_path / "audit.sqlite", SECRET).entries == 2
