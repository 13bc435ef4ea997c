"""Files on disk: the user's alone, written whole or not at all, read without trusting them.

Everything that a run leaves is written here, in files of mode 0600 and directories of 0700;
so are keys, and certificates, which everybody may read.

Arrays are npz files without pickled objects, everything else is JSON. What is truncated,
damaged or of another kind is refused with a sentence (``DataError``), and costs no more memory
than the file has bytes: an npz file is read as it is written here, with nothing compressed, and
JSON has no infinite numbers.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import DataError, UsageError

Arrays = dict[str, NDArray[Any]]

_FILE, _DIRECTORY = 0o600, 0o700
_MOST_DIGITS = 40
_NPY = b"\x93NUMPY\x01\x00"
_NPY_HEADER = re.compile(
    r"\{'descr': '(\|[biu]1|<[iu][248]|<f[48])', 'fortran_order': (True|False), "
    r"'shape': \(((?:[0-9]{1,18}(?:, [0-9]{1,18}){0,7},?)?)\), \} *\n"
)
"""What numpy writes of an array of numbers or truths; format 1.0 of its files."""


def write_whole(path: Path, content: bytes, mode: int = _FILE) -> None:
    """Put ``content`` in the place of ``path`` in one step, readable by the user alone.

    A crash leaves either the old file or the new one: the content is on disk before the
    name is. ``mode``: other than 0600 for what anybody may read. UsageError where the disk
    or its rights do not allow it.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        _write_through(temporary, os.O_TRUNC, content, mode)
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_new(path: Path, content: bytes, mode: int = _FILE) -> None:
    """The same for a file that must not be there yet; UsageError where it is.

    The name is taken before there is content: a crash in between leaves a file that is cut.
    """
    try:
        _write_through(path, os.O_EXCL, content, mode)
        sync_directory(path.parent)
    except FileExistsError:
        raise UsageError(f"{path} exists already: move it away if it is to be replaced") from None
    except OSError as error:
        raise _cannot_write(path, error) from error


def _write_through(path: Path, flag: int, content: bytes, mode: int) -> None:
    """Write a file and wait until it is on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # it may have been there, and the umask is not ours
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file; one that is new is readable by the user alone. Errors as above."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise _cannot_write(path, error) from error


def make_directory(directory: Path) -> None:
    """Create a directory and those above it, where they are missing, for the user alone."""
    try:
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(_DIRECTORY, exist_ok=True)
        directory.mkdir(exist_ok=True)  # refuses what is there and is no directory
    except OSError as error:
        raise UsageError(f"cannot create {directory}: {_reason(error)}; change the path") from error


def sync_directory(directory: Path) -> None:
    """Make names that were written or removed in ``directory`` survive a crash."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The content of an npz file; ValueError for objects, which would be pickled.

    Written here because numpy's own ``savez`` takes ``allow_pickle`` for an array before 2.1.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()


def unpack_arrays(content: bytes, name: str) -> Arrays:
    """The arrays of an npz file's content; ``name`` is for the message.

    Each member's checksum is verified before anything in it is believed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.infolist()
            if any(info.compress_type != zipfile.ZIP_STORED for info in listed):
                raise ValueError("compressed")
            if sum(info.file_size for info in listed) > len(content):
                raise ValueError("members that overlap")
            members = {info.filename.removesuffix(".npy"): archive.read(info) for info in listed}
        if len(members) != len(listed):
            raise ValueError("two members of one name")
        return {key: _array(member) for key, member in members.items()}
    except (ValueError, OSError, EOFError, KeyError, NotImplementedError) as error:
        raise damaged(name) from error
    except (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError) as error:
        raise damaged(name) from error


def _array(member: bytes) -> NDArray[Any]:
    """One array as numpy writes it, and in no other spelling; ValueError for other bytes.

    numpy's own reader takes the header for an expression of Python, and believes its sizes.
    """
    at = len(_NPY) + 2
    start = at + int.from_bytes(member[len(_NPY) : at], "little")
    header = _NPY_HEADER.fullmatch(member[at:start].decode("latin-1"))
    if header is None or not member.startswith(_NPY):
        raise ValueError("no array of numbers")
    kind, is_by_column = np.dtype(header[1]), header[2] == "True"
    shape = tuple(int(size) for size in header[3].replace(",", " ").split())
    if math.prod(shape) * kind.itemsize != len(member) - start:
        raise ValueError("another shape than there are numbers")
    if kind == np.bool_ and not set(member[start:]) <= {0, 1}:
        raise ValueError("a truth that is neither")
    values = np.frombuffer(member, kind, offset=start)
    return values.reshape(shape, order="F" if is_by_column else "C").copy()


def pack_json(content: Mapping[str, Any]) -> bytes:
    """One JSON object, sorted and indented, as a file's content."""
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def unpack_json(content: bytes, name: str) -> dict[str, Any]:
    """The JSON object of a file's content."""
    try:
        result = strict_json(content)
    except ValueError as error:
        raise damaged(name) from error
    if not isinstance(result, dict):
        raise damaged(name)
    return result


def strict_json(content: bytes) -> Any:
    """A JSON value whose numbers are all finite; ValueError for everything else."""
    try:
        return json.loads(
            content.decode(), parse_float=_finite, parse_constant=_finite, parse_int=_whole
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a whole number beyond all that are written")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number


def read_whole(path: Path) -> bytes:
    """A file's content; UsageError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path.name}: {_reason(error)}; check the path") from error


def _cannot_write(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {_reason(error)}; free it or change it")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def damaged(name: str) -> DataError:
    """The error for a file that is not as it was written."""
    return DataError(f"{name} is truncated or damaged: restore it from a copy")
