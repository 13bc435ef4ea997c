"""Files: whole or not at all, for the user alone, never pickled, never trusted."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.errors import DataError, FileError, UsageError
from securexgb.storage import whole

ARRAYS = {"a": np.arange(5, dtype=np.uint64), "b": np.array([[1.5, np.nan]]), "c": np.zeros((0, 3))}


def test_arrays_round_trip() -> None:
    found = whole.unpack_arrays(whole.pack_arrays(ARRAYS), "x")
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array, equal_nan=True)


def test_the_same_arrays_give_the_same_bytes() -> None:
    assert whole.pack_arrays(ARRAYS) == whole.pack_arrays(ARRAYS)


@given(st.binary(max_size=300))
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="x is truncated or damaged"):
        whole.unpack_arrays(content, "x")


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="x is truncated or damaged"):
        whole.unpack_json(content, "x")


def test_files_and_directories_are_the_user_s_alone(tmp_path: Path) -> None:
    """Whatever the umask, and where a part of an earlier crash was left open to others."""
    before = os.umask(0)
    try:
        directory = tmp_path / "a" / "b"
        whole.make_directory(directory)
        whole.make_directory(directory)
        part = directory / ".whole.part"
        part.touch()
        whole.write_whole(directory / "whole", b"content")
        whole.append_line(directory / "lines", "one")
        whole.append_line(directory / "lines", "two")
    finally:
        os.umask(before)
    assert (directory / "lines").read_text() == "one\ntwo\n"
    for path in (directory, directory.parent):
        assert path.stat().st_mode & 0o777 == 0o700
    for name in ("whole", "lines"):
        assert (directory / name).stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="cannot create"):
        whole.make_directory(directory / "whole")
    with pytest.raises(UsageError, match="cannot write"):
        whole.append_line(directory, "a line")


CALLS = ("open", "write", "fsync", "fchmod", "replace", "link", "unlink", "ftruncate", "close")
WRITERS = {
    "replaced": lambda path: whole.write_whole(path, b"new"),
    "new": lambda path: whole.write_new(path.with_name("other"), b"new"),
    "line": lambda path: whole.append_line(path, "new"),
}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EMFILE])
@pytest.mark.parametrize("kind", WRITERS)
def test_whichever_call_fails_files_are_whole(tmp_path: Path, monkeypatch, kind, code) -> None:
    """The old content or the new one, nothing beside it, no open file, and a FileError."""
    number = done = 0
    while not done:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "file"
        path.write_bytes(b"old\n")
        open_before = open_files()
        with monkeypatch.context() as patched:
            failing(patched, number, code)
            try:
                WRITERS[kind](path)
                done = 1
            except FileError:
                done = 0
        assert open_files() == open_before
        left = {found.name: found.read_bytes() for found in folder.iterdir()}
        assert left.pop("file") in (b"old\n", b"new" if kind == "replaced" else b"old\nnew\n")
        assert left in ({}, {"other": b"new"} if kind == "new" else {})
    assert number > 5


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def failing(patched: pytest.MonkeyPatch, number: int, code: int) -> None:
    """The call of this number fails, of all that may; a file that cannot be closed is closed."""
    calls = [0]

    def counted(name: str, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == number:
            if name == "close":
                real(*arguments)
            raise OSError(code, os.strerror(code))
        return real(*arguments, **options)

    for name in CALLS:
        patched.setattr(os, name, partial(counted, name, getattr(os, name)))


def test_room_is_asked_for_and_left_as_it_was(tmp_path: Path) -> None:
    whole.check_room(tmp_path / "file", 1 << 20)
    with pytest.raises(FileError, match=r"cannot write .*file: .*bytes are to be written"):
        whole.check_room(tmp_path / "file", 1 << 62)
    with pytest.raises(FileError, match="check the path"):
        whole.check_room(tmp_path / "none" / "file", 1)
    assert not list(tmp_path.iterdir())


def test_a_line_that_was_torn_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    for before, after in ((b"one\ntw", b"one\nnew\n"), (b"o", b"new\n"), (b"o\n", b"o\nnew\n")):
        path.write_bytes(before)
        whole.append_line(path, "new")
        assert path.read_bytes() == after


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """One in the place of a file is replaced or refused, one in the place of a folder refused."""
    outside, link, folder = tmp_path / "outside", tmp_path / "link", tmp_path / "folder"
    outside.mkdir()
    (outside / "file").write_bytes(b"theirs\n")
    folder.symlink_to(outside)
    for target in (outside / "file", tmp_path / "nowhere"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        with pytest.raises(UsageError, match="link exists already"):
            whole.write_new(link, b"ours")
        with pytest.raises(FileError, match="link is a symbolic link, and none is followed"):
            whole.append_line(link, "ours")
        with pytest.raises(FileError, match="link is a symbolic link"):
            whole.read_own(link)
        whole.write_whole(link, b"ours")
        assert link.read_bytes() == b"ours"
        assert not link.is_symlink()
    for write in (lambda path: whole.make_directory(path.parent), *WRITERS.values()):
        with pytest.raises(FileError, match="folder is a symbolic link"):
            write(folder / "file")
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"file": b"theirs\n"}
    assert not (tmp_path / "nowhere").exists()


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no ordinary file"):
        whole.append_line(tmp_path / "pipe", "a line")
    whole.write_whole(tmp_path / "pipe", b"")
    assert stat.S_ISREG((tmp_path / "pipe").stat().st_mode)


def test_parts_of_killed_writers_are_removed(tmp_path: Path) -> None:
    whole.make_directory(tmp_path / "a")
    for name in (".file.0123.part", "a/.file.4567.part", "part", "a/file.part"):
        (tmp_path / name).touch()
    whole.remove_parts(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "part", "file.part"}


def test_files_are_for_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole.write_whole(path, b"x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole.write_new(path, b"first")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="file exists already"):
        whole.write_new(path, b"second")
    with pytest.raises(UsageError, match="cannot write"):
        whole.write_new(tmp_path / "none" / "file", b"")
    assert path.read_bytes() == b"first"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read nothing"):
        whole.read_whole(tmp_path / "nothing")
