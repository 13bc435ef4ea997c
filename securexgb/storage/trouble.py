"""What the system says when it refuses a file, and what its operator can do about it.

A full disk, a disk that fails and a process with too many open files are no bugs of this program:
each is one sentence, with the path and what to do, and exit code 2.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from securexgb.errors import FileError

_GO_ON = "then start again (a training with --resume)"
_ADVICE: Sequence[tuple[tuple[int, ...], str]] = (
    ((errno.ENOSPC,), f"free space on the disk of {{folder}}{{size}}, {_GO_ON}"),
    ((errno.EDQUOT,), f"free space of this user's quota in {{folder}}{{size}}, {_GO_ON}"),
    ((errno.EFBIG,), f"raise the greatest size of a file (ulimit -f){{size}}, {_GO_ON}"),
    ((errno.EIO,), f"the disk of {{folder}} fails: look at the system's log, use another disk, "
     f"{_GO_ON}"),
    ((errno.EMFILE,), f"close files of this process or raise their number (ulimit -n), {_GO_ON}"),
    ((errno.ENFILE,), f"close other programs: this machine has too many files open, {_GO_ON}"),
    ((errno.ENOMEM, errno.EAGAIN), f"free memory on this machine, {_GO_ON}"),
    ((errno.EROFS,), "the disk of {folder} can only be read: mount it for writing, or change the "
     "path"),
    ((errno.EACCES, errno.EPERM), "give this user the right to it, or change the path"),
    ((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENAMETOOLONG, errno.EEXIST),
     "check the path"),
)  # fmt: skip
_OF_THE_MACHINE = frozenset(number for numbers, _ in _ADVICE[:7] for number in numbers)


def is_of_the_machine(error: OSError) -> bool:
    """Whether it says that this machine lacks something: space, files, memory, a whole disk."""
    return error.errno in _OF_THE_MACHINE


def refuse_machine(doing: str, path: Path | str, error: Exception) -> None:
    """Raise what ``error`` says of the machine as FileError; other errors are left to the caller.

    For callers that read what strangers may have damaged, and would blame the file.
    """
    if isinstance(error, OSError) and is_of_the_machine(error):
        raise file_error(doing, path, error) from None


def check_files_left(what: str, detail: str = "") -> None:
    """FileError where this process cannot open two more files; ``detail``: what a library said."""
    code = next((code for code in (errno.EMFILE, errno.ENFILE) if f"os error {code}" in detail), 0)
    try:
        if code:
            raise OSError(code, os.strerror(code))
        with open(os.devnull, "rb"), open(os.devnull, "rb"):  # noqa: PTH123  (no path of ours)
            return
    except OSError as error:
        refuse_machine("open", what, error)


def file_error(doing: str, path: Path | str, error: OSError, size: int | None = None) -> FileError:
    """The sentence for what could not be done (``doing``: a verb) to ``path``.

    ``size``: bytes that were to be written.
    """
    place = Path(path)
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        for link in (place, place.parent):
            if link.is_symlink():
                return FileError(
                    f"cannot {doing} {path}: {link} is a symbolic link, and none is followed; "
                    "name the file or folder that it leads to"
                )
    reason = error.strerror or str(error)
    bytes_wanted = "" if size is None else f" ({size:,} bytes are to be written)"
    for numbers, advice in _ADVICE:
        if error.errno in numbers:
            said = advice.format(folder=place.absolute().parent, size=bytes_wanted)
            return FileError(f"cannot {doing} {path}: {reason}; {said}")
    return FileError(f"cannot {doing} {path}: {reason}; free it or change it")
