"""The few file operations that attesters need, so that tests can stand in for a kernel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """Pseudo-files of a kernel or of a library OS; failures are OSErrors."""

    def read(self, path: str, limit: int) -> bytes:
        """The whole content; OSError where there are more than ``limit`` bytes."""

    def write(self, path: str, content: bytes) -> None:
        """All bytes in one write call."""

    def make_folder(self, path: str) -> None: ...

    def remove_folder(self, path: str) -> None: ...


class SystemFiles:
    """This machine's files."""

    def read(self, path: str, limit: int) -> bytes:
        with Path(path).open("rb", buffering=0) as file:
            content = b""
            while chunk := file.read(limit + 1 - len(content)):
                content += chunk
                if len(content) > limit:
                    raise OSError(f"{path} has more than {limit} bytes")
        return content

    def write(self, path: str, content: bytes) -> None:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.write(file, content) != len(content):
                raise OSError(f"{path} took a part of {len(content)} bytes")
        finally:
            os.close(file)

    def make_folder(self, path: str) -> None:
        Path(path).mkdir()

    def remove_folder(self, path: str) -> None:
        Path(path).rmdir()
