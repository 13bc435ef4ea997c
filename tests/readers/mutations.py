"""Good bytes made bad, from a seed: cut, stretched, flipped, numbers and words exchanged."""

from __future__ import annotations

import random
import re
import zlib

VALUES = (
    b"0", b"-1", b"1", b"99", b"1e999", b"-1e999", b"NaN", b"Infinity", b"1e308", b"0.5", b"true",
    b"null", b"nan", b"inf", b"9" * 30, b"9" * 400, b"1" + b"0" * 5000, b"18446744073709551616",
    b"2147483648", b'"x"', b'""', b"[]", b"{}", b"[1]", b'{"a": 1}', b'"\\u0000"', b'"\\ud800"',
    b'"\\u001b[2J"', b"\xc2\xb2", b"\xd9\xa3",
)  # fmt: skip
"""In the place of a number, a text or a word."""
PIECES = (
    *VALUES, b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x80", b"\xef\xbb\xbf", b"\x1b[2J", b"\n",
    b"\r", b",", b'"', b"'", b"[" * 2000, b"{" * 50, b"=", b"\xed\xa0\x80", b"-----BEGIN", b"_",
)  # fmt: skip
"""Anywhere."""
_VALUE = re.compile(rb'-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|"[^"\n]*"|true|false|null')


class Mutations:
    """A stream of bad bytes, the same for a seed and a name; the first of them are none at all."""

    def __init__(self, name: str, seed: int = 0) -> None:
        self._random = random.Random(zlib.crc32(name.encode()) + seed)
        self._has_begun = False

    def of(self, good: bytes) -> bytes:
        """One more."""
        if not self._has_begun:
            self._has_begun = True
            return b""
        chance = self._random
        if chance.random() < 0.03:
            return chance.randbytes(chance.randrange(200))
        content = good
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            places = [] if len(content) > 20_000 else list(_VALUE.finditer(content))
            if places and chance.random() < 0.5:
                start, end = chance.choice(places).span()
                content = content[:start] + chance.choice(VALUES) + content[end:]
            else:
                content = self._cut(content)
        return content

    def _cut(self, content: bytes) -> bytes:
        chance = self._random
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.choice((0, 0, 1, 1, 1, 4, 16, 200)))
        piece = b""
        match chance.randrange(6):
            case 0:
                piece = chance.randbytes(chance.randrange(1, 9))
            case 1 | 2:
                piece = chance.choice(PIECES)
            case 3:
                piece = bytes(byte ^ 1 << chance.randrange(8) for byte in content[start:end])
            case 4:
                other = chance.randrange(len(content) + 1)
                piece = content[other : other + chance.choice((1, 8, 64))]
        if chance.random() < 0.02:
            return content[:start]
        return content[:start] + piece + content[end:]
