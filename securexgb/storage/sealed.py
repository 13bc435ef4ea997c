"""Files at rest, encrypted: AES-256-GCM under one key of this side, for models and checkpoints.

    the line "securexgb sealed 1", length of the header (4 bytes, big-endian),
    header (JSON), nonce (12 random bytes), ciphertext and tag

Everything before the nonce is authenticated with the content. The header says in the clear
what the file is, so that a file in the place of another is refused though the key fits.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from securexgb.errors import DataError, UsageError
from securexgb.storage.whole import read_whole, unpack_json

VARIABLE = "SECUREXGB_MODEL_KEY"
_MAGIC = b"securexgb sealed 1\n"
_LENGTH_BYTES, _NONCE_BYTES, _HEADER_BYTES = 4, 12, 4096

About = Mapping[str, str | int]
"""What a file is: its header."""


class ModelKey:
    """32 bytes that open this side's files; never shown."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "ModelKey()"

    @staticmethod
    def from_text(text: str, source: str) -> ModelKey:
        """From 64 hexadecimal digits; UsageError, naming ``source``, for anything else."""
        return ModelKey(parse_key(text, source))

    def seal(self, content: bytes, about: About) -> bytes:
        """The encrypted file."""
        header = json.dumps(about, sort_keys=True).encode()
        start = _MAGIC + len(header).to_bytes(_LENGTH_BYTES, "big") + header
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return start + nonce + self._cipher.encrypt(nonce, content, start)

    def open(self, sealed: bytes, name: str) -> tuple[dict[str, str | int], bytes]:
        """Header and content; DataError where the key is another or anything was changed."""
        at, end = _header_of(sealed, name)
        nonce, hidden = sealed[end : end + _NONCE_BYTES], sealed[end + _NONCE_BYTES :]
        try:
            content = self._cipher.decrypt(nonce, hidden, sealed[:end])
        except InvalidTag:
            raise _refused(name) from None
        return unpack_json(sealed[at:end], name), content


def parse_key(text: str, source: str) -> bytes:
    """The 32 bytes of 64 hexadecimal digits; UsageError, naming ``source``, for anything else."""
    digits = text.strip()
    if re.fullmatch("[0-9a-fA-F]{64}", digits) is None:
        raise UsageError(f"{source} must hold 64 hex digits: `openssl rand -hex 32` makes some")
    return bytes.fromhex(digits)


def read_key(path: Path | None, variable: str = VARIABLE) -> bytes | None:
    """The key in the environment, else in a file that nobody else may read, else None."""
    text = os.environ.get(variable)
    if text is not None:
        return parse_key(text, f"the environment variable {variable}")
    if path is None:
        return None
    content = read_whole(path)
    if path.stat().st_mode & 0o077:
        raise UsageError(f"{path} can be read by other users of this machine: chmod 600 {path}")
    return parse_key(content.decode(errors="replace"), str(path))


def find_key(path: Path | None, variable: str = VARIABLE) -> ModelKey | None:
    """The same as what opens files."""
    found = read_key(path, variable)
    return None if found is None else ModelKey(found)


def read_about(sealed: bytes, name: str) -> dict[str, str | int] | None:
    """What an encrypted file says in the clear that it is, which only its key can confirm; None for
    a plain file."""
    if not sealed.startswith(_MAGIC):
        return None
    at, end = _header_of(sealed, name)
    return unpack_json(sealed[at:end], name)


def _header_of(sealed: bytes, name: str) -> tuple[int, int]:
    """Where the header begins and ends; DataError where the file is too short for it."""
    at = len(_MAGIC) + _LENGTH_BYTES
    end = at + int.from_bytes(sealed[len(_MAGIC) : at], "big")
    if end - at > _HEADER_BYTES or len(sealed) < end + _NONCE_BYTES:
        raise _refused(name)
    return at, end


def sealed_content(content: bytes, about: About, key: ModelKey | None) -> bytes:
    """What is written: the content, encrypted where there is a key."""
    return content if key is None else key.seal(content, about)


def opened_content(content: bytes, name: str, key: ModelKey | None) -> tuple[About | None, bytes]:
    """Header (None of a plain file) and content of what was read.

    UsageError for an encrypted file without a key. With a key a plain file is refused too:
    it could have been put there by anybody.
    """
    is_sealed = content.startswith(_MAGIC)
    if is_sealed and key is None:
        raise UsageError(
            f"{name} is encrypted: name the file of its key as model_key, or set {VARIABLE}"
        )
    if key is None:
        return None, content
    if not is_sealed:
        raise DataError(f"{name} is cut, or not encrypted although this side has a model key")
    return key.open(content, name)


def _refused(name: str) -> DataError:
    return DataError(f"{name} cannot be opened: the key is another one, or the file was changed")
