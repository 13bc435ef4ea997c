"""Files on disk: the user's alone, written whole or not at all, read without trusting them.

Everything that a run leaves is written here, in files of mode 0600 and directories of 0700,
whatever the umask; so are keys and certificates. A file that is replaced is replaced whole: the
content goes into a file beside it, under a name that nobody can foresee, and is on the disk before
it gets the name. Whatever fails on the way, the file beside is removed.

Nothing that is written goes through a symbolic link: one in the place of a file is replaced by the
file, and one in the place of its folder is refused. So who may write into some folder of this
machine cannot make this program write elsewhere.

What the system refuses (no space, a broken disk, too many files) is a ``FileError``, which says
what to do.

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
import secrets
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import DataError, UsageError
from securexgb.storage.trouble import file_error

Arrays = dict[str, NDArray[Any]]

_FILE, _DIRECTORY = 0o600, 0o700
_MOST_DIGITS = 40
_NPY = b"\x93NUMPY\x01\x00"
_NPY_HEADER = re.compile(
    r"\{'descr': '(\|[biu]1|<[iu][248]|<f[48])', 'fortran_order': (True|False), "
    r"'shape': \(((?:[0-9]{1,18}(?:, [0-9]{1,18}){0,7},?)?)\), \} *\n"
)
"""What numpy writes of an array of numbers or truths; format 1.0 of its files."""
_PART = ".part"
_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC


def write_whole(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of ``path`` in one step, readable by the user alone.

    A crash leaves either the old file or the new one. FileError where the disk, its rights or the
    number of open files do not allow it; nothing is left of the attempt then.
    """
    with _errors("write", path, len(content)), _folder_of(path) as folder:
        with _beside(folder, path.name, content) as part:
            os.replace(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)


def write_new(path: Path, content: bytes) -> None:
    """The same for a file that must not be there yet; UsageError where it is."""
    with _errors("write", path, len(content)), _folder_of(path) as folder:
        with _beside(folder, path.name, content) as part:
            try:
                os.link(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except FileExistsError:
                raise UsageError(
                    f"{path} exists already: move it away if it is to be replaced"
                ) from None
            os.unlink(part, dir_fd=folder)
        os.fsync(folder)


def check_room(path: Path, size: int) -> None:
    """FileError unless ``size`` bytes (at least 1) could be written to ``path`` now.

    For what cannot be had a second time for nothing: it is asked for once there is a place for it.
    """
    with (
        _errors("write", path, size),
        _folder_of(path) as folder,
        _beside(folder, path.name, b"") as part,
    ):
        file = os.open(part, os.O_WRONLY | _SAFE, dir_fd=folder)
        try:
            os.posix_fallocate(file, 0, size)
        finally:
            os.close(file)
        os.unlink(part, dir_fd=folder)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file, which is made where there is none; FileError as above.

    The line is there whole or not at all. One that an earlier crash tore is dropped.
    """
    content = line.encode() + b"\n"
    with _errors("write", path, len(content)), _folder_of(path) as folder:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | _SAFE
        file = os.open(path.name, flags, _FILE, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise UsageError(f"cannot write {path}: it is no ordinary file; move it away")
            os.fchmod(file, _FILE)
            size = _whole_lines(file)
            try:
                _write_all(file, content)
                os.fsync(file)
            except BaseException:
                with suppress(OSError):
                    os.ftruncate(file, size)
                raise
        finally:
            os.close(file)
        if not size:
            os.fsync(folder)


def make_directory(directory: Path) -> None:
    """Create a directory and those above it, where they are missing, for the user alone.

    FileError where that cannot be done, and where a symbolic link is in its place.
    """
    with _errors("create", directory):
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(_DIRECTORY, exist_ok=True)
            _sync(path.parent)
        os.close(_open_folder(directory))


def remove(path: Path) -> None:
    """Remove a file where it is; FileError where that cannot be done."""
    with _errors("remove", path):
        path.unlink(missing_ok=True)


def remove_parts(directory: Path) -> None:
    """Remove what writers that were killed have left beside their files, here and below."""
    for path in directory.rglob(f".*{_PART}"):
        remove(path)


def sync_directory(directory: Path) -> None:
    """Make names that were written or removed in ``directory`` survive a crash."""
    with _errors("write", directory):
        _sync(directory)


@contextmanager
def _errors(doing: str, path: Path, size: int | None = None) -> Iterator[None]:
    """What the system refuses becomes a FileError about ``path``."""
    try:
        yield
    except OSError as error:
        raise file_error(doing, path, error, size) from error


def _open_folder(directory: Path) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | _SAFE)


@contextmanager
def _folder_of(path: Path) -> Iterator[int]:
    """The directory of a file, opened: what happens to its name meanwhile changes nothing."""
    folder = _open_folder(path.parent)
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def _beside(folder: int, name: str, content: bytes) -> Iterator[str]:
    """The name of a new file with this content on disk; removed again where the block fails."""
    part = f".{name}.{secrets.token_hex(8)}{_PART}"
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, _FILE, dir_fd=folder)
        try:
            os.fchmod(file, _FILE)
            _write_all(file, content)
            os.fsync(file)
        finally:
            os.close(file)
        yield part
    except BaseException:
        with suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise


def _write_all(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _whole_lines(file: int) -> int:
    """Cut off what follows the last line's end, and give the size."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        size = os.pread(file, size, 0).rfind(b"\n") + 1
        os.ftruncate(file, size)
    return size


def _sync(directory: Path) -> None:
    descriptor = _open_folder(directory)
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
    """A file's content; FileError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise file_error("read", Path(path.name), error) from error


def read_own(path: Path) -> bytes:
    """The same of a file that this program has written: a symbolic link is none."""
    with _errors("read", path):
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _SAFE)
        with os.fdopen(file, "rb") as stream:
            return stream.read()


def damaged(name: str) -> DataError:
    """The error for a file that is not as it was written."""
    return DataError(f"{name} is truncated or damaged: restore it from a copy")
