"""The committed stubs are what the generator makes of proto/."""

from __future__ import annotations

from pathlib import Path

import pytest

from securexgb._pb import generate

pytest.importorskip("grpc_tools")


def test_the_committed_stubs_are_the_generated_ones(tmp_path: Path) -> None:
    committed = Path(generate.__file__).parent
    made = generate.generate(tmp_path)
    assert {path.name for path in made} == {path.name for path in committed.glob("*_pb2*.py*")}
    for path in made:
        assert path.read_text() == (committed / path.name).read_text(), path.name
