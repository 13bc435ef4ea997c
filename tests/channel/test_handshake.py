"""Hellos: written, read, compared."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.channel.handshake import Hello, compare, session_id
from securexgb.errors import MalformedFrame, SecureXGBError
from tests.channel.conftest import hello


def test_a_hello_is_read_as_it_was_written() -> None:
    mine = hello("label")
    assert Hello.decode(mine.encode()) == mine
    assert "nonce" not in repr(mine)


@given(st.binary(max_size=120))
def test_other_bytes_are_refused_or_compare_as_different(content: bytes) -> None:
    try:
        theirs = Hello.decode(content)
    except MalformedFrame:
        return
    with pytest.raises(SecureXGBError):
        compare(hello("label"), theirs)


def test_equal_terms_pass_and_name_one_session() -> None:
    label, feature = hello("label"), hello("feature")
    compare(label, feature)
    compare(feature, label)
    assert session_id(label, feature) == session_id(feature, label)
    assert session_id(hello("label"), feature) != session_id(label, feature)


def test_what_a_stranger_says_is_shown_harmlessly() -> None:
    """Control characters and lengths of the other side's text do not reach a terminal."""
    for change in ("job_digest", "purpose", "package_version"):
        theirs = Hello.decode(hello("feature", **{change: "\x1b[2J" + "x" * 500}).encode())
        with pytest.raises(SecureXGBError) as caught:
            compare(hello("label"), theirs)
        assert "\x1b" not in str(caught.value)
        assert len(str(caught.value)) < 300


def test_clocks_that_differ_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    mine, theirs = hello("label"), hello("feature")
    late = Hello(**(vars(theirs) | {"clock": theirs.clock + 3600}))
    with caplog.at_level(logging.WARNING):
        compare(mine, theirs)
        assert not caplog.records
        compare(mine, late)
    assert "the clocks of bank and bureau differ by 3600 s" in caplog.text
