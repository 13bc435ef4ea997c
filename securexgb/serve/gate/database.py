"""The file of counters and entries: how it is opened, and what its errors mean.

SQLite with a write-ahead log: one writer at a time, readers never wait. ``synchronous`` is NORMAL:
what is committed survives the end of this process, however it ends; a machine that loses its power
may lose the last batches, which were not answered by anybody who is still there to hear. Several
replicas of one machine may share the file, and then share its budgets.

What is in the log is brought into the file by a thread of its own (``LogKeeper``): that waits for
the disk, tens of milliseconds, and SQLite would have the call wait whose batch fills the log.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from securexgb.errors import DataError, FileError, SecureXGBError, UsageError
from securexgb.storage.trouble import file_error
from securexgb.storage.whole import damaged, make_directory, write_new

FORMAT = 1
_WAIT_SECONDS = 5.0
"""So long a writer waits for others of the same file."""
MOST_LOG_BYTES = 32 << 20
"""Of the log, before it is brought into the file. Not often: the batch after that waits for the
disk once, as the log begins anew."""
_LOOK_SECONDS = 1.0
_ERRORS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
}
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS counts (
    day INTEGER NOT NULL, kind TEXT NOT NULL, name BLOB NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (day, kind, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, day INTEGER NOT NULL, model TEXT NOT NULL,
    callers TEXT NOT NULL, reasons INTEGER NOT NULL, keys BLOB NOT NULL, outcomes BLOB NOT NULL,
    mark BLOB NOT NULL, secret BLOB NOT NULL, link BLOB NOT NULL, seal BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS times ON entries (time);
CREATE TRIGGER IF NOT EXISTS entries_stay BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are never removed'); END;
CREATE TRIGGER IF NOT EXISTS entries_remain BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
PRAGMA user_version = {FORMAT};
COMMIT;
"""


def open_database(path: Path) -> sqlite3.Connection:
    """The file for counting and adding, made where there is none, for this user alone."""
    make_directory(path.absolute().parent)
    with suppress(UsageError):  # it is there already, perhaps since a moment ago
        if not path.exists():
            write_new(path, b"")
    connection = _connected(path, "rw")
    with database_errors("write", path):
        _check_format(connection, path, (0, FORMAT))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA journal_size_limit = 0")  # a log that begins anew is short
        connection.executescript(_SCHEMA)
    return connection


def read_database(path: Path) -> sqlite3.Connection:
    """The file for reading, while others may write; UsageError where there is none."""
    if not path.exists():
        raise UsageError(
            f"there is no audit at {path}: `securexgb serve` writes one where [serve] of "
            "party.toml says (audit)"
        )
    connection = _connected(path, "rw")  # a reader, too, has to note in the log that it reads
    with database_errors("read", path):
        connection.execute("PRAGMA query_only = ON")
        _check_format(connection, path, (FORMAT,))
    return connection


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    if path.is_symlink():
        raise file_error("open", path, OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
    if path.is_dir():
        raise file_error("open", path, OSError(errno.EISDIR, os.strerror(errno.EISDIR)))
    with database_errors("open", path):
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)  # its log and index get the same mode
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )


def _check_format(connection: sqlite3.Connection, path: Path, known: tuple[int, ...]) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found not in known:
        raise DataError(
            f"{path.name} is no audit, or one of format {found}; this version of securexgb reads "
            f"format {FORMAT}"
        )


@contextmanager
def database_errors(doing: str, path: Path) -> Iterator[None]:
    """What SQLite or the system refuses becomes a FileError about ``path``; damage a DataError."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise FileError(
                f"cannot {doing} {path}: another process has kept it for {_WAIT_SECONDS:g} s; end "
                "that process, or give each replica an audit of its own"
            ) from error
        if code in _ERRORS:
            number = _ERRORS[code]
            raise file_error(doing, path, OSError(number, os.strerror(number))) from error
        raise damaged(path.name) from error
    except OSError as error:
        raise file_error(doing, path, error) from error


class LogKeeper:
    """Brings the log into the file where it has grown, until ``close``.

    What goes wrong meanwhile leaves the log as it is, whose writer then hears of it.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._log = path, path.with_name(f"{path.name}-wal")
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Once."""
        with suppress(OSError, SecureXGBError):
            if self._log.stat().st_size <= MOST_LOG_BYTES:
                return
            connection = _connected(self._path, "rw")
            try:
                with database_errors("write", self._path):
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                connection.close()
