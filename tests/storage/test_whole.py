"""Files: whole or not at all, for the user alone, never pickled, never trusted."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.errors import DataError, UsageError
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


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    whole.write_whole(path, b"old")

    def crash(descriptor: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(UsageError, match="the disk is full"):
        whole.write_whole(path, b"new")
    assert path.read_bytes() == b"old"


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
