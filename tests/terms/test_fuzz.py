"""Whatever text stands in a file of settings: an object that is checked, or one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securexgb.errors import UsageError
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from tests.profiles import examples

GOOD = {
    JobTerms: JobTerms(name="churn", label_party="bank", feature_party="bureau").to_toml(),
    PartyConfig: PartyConfig.template("label", "bank"),
}
READERS = st.sampled_from(sorted(GOOD, key=lambda reader: reader.__name__))
quick = settings(
    max_examples=examples(50),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


def read(reader: Any, content: bytes, folder: Path) -> Any:
    path = folder / "file.toml"
    path.write_bytes(content)
    return reader.from_file(path)


@quick
@given(READERS, st.binary(max_size=300))
def test_noise_is_refused(tmp_path: Path, reader: Any, content: bytes) -> None:
    with pytest.raises(UsageError):
        read(reader, b"\x00" + content, tmp_path)


@quick
@given(READERS, st.data())
def test_a_changed_file_is_refused_or_is_checked(
    tmp_path: Path, reader: Any, data: st.DataObject
) -> None:
    """Bytes changed, cut out and put in."""
    content = bytearray(GOOD[reader].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        end = min(len(content), start + data.draw(st.integers(0, 8)))
        content[start:end] = data.draw(st.binary(max_size=8))
    try:
        found = read(reader, bytes(content), tmp_path)
    except UsageError:
        return
    assert isinstance(found, reader)


@quick
@given(st.sampled_from(sorted(JobTerms.model_fields)), VALUES)
def test_any_value_of_a_term_is_refused_or_comes_back(
    tmp_path: Path, name: str, value: Any
) -> None:
    """What is accepted survives its way through the file."""
    try:
        terms = JobTerms.from_mapping(
            {"name": "churn", "label_party": "bank", "feature_party": "bureau", name: value}, "t"
        )
    except UsageError:
        return
    again = read(JobTerms, terms.to_toml().encode(), tmp_path)
    assert again.full_digest == terms.full_digest
