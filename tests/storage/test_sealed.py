"""Encrypted halves: a wrong key, another file in the place, a cut or changed file are refused."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from securexgb import SecureXGBClassifier
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, UsageError
from securexgb.jobs.resuming.checkpoint import CheckpointStore
from securexgb.jobs.training import train
from securexgb.model.files import dump_half, load_half, save_half
from securexgb.storage.sealed import VARIABLE, ModelKey, find_key
from securexgb.testing import run_parties
from tests.boost.data import jobs, same_model, sides, table, train_both

DATA = sides(*table(40), 2)
PARAMS = TrainingParams(n_estimators=2, max_depth=2, max_bin=4)
HALVES = train_both(PARAMS, DATA)
TEXT = secrets.token_hex(32)
KEY = ModelKey.from_text(TEXT, "test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "label.npz"
    save_half(HALVES[0], path, KEY)
    return path


def test_what_is_opened_is_what_was_sealed(path: Path) -> None:
    assert dump_half(load_half(path, KEY)) == dump_half(HALVES[0])
    hidden = path.read_bytes()
    assert HALVES[0].params.objective.encode() in dump_half(HALVES[0])
    assert HALVES[0].params.objective.encode() not in hidden.split(b"}", 1)[1]
    assert b'"role": "label"' in hidden
    save_half(HALVES[0], path, KEY)
    assert path.read_bytes() != hidden, "the nonce is new each time"


def test_another_key_and_no_key(path: Path) -> None:
    with pytest.raises(DataError, match="the key is another one"):
        load_half(path, ModelKey(bytes(32)))
    with pytest.raises(UsageError, match="is encrypted"):
        load_half(path)


def test_a_plain_file_is_refused_where_there_is_a_key(path: Path) -> None:
    save_half(HALVES[0], path)
    with pytest.raises(DataError, match="not encrypted although"):
        load_half(path, KEY)


def test_every_cut_and_every_change_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for size in (0, 5, 19, 22, 60, 300, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(DataError):
            load_half(path, KEY)
    for place in [*range(0, 400, 3), len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(DataError):
            load_half(path, KEY)


def test_a_content_under_another_header_is_refused(path: Path) -> None:
    """Even somebody with the key cannot pass one half off as another by mistake."""
    header, content = KEY.open(path.read_bytes(), "m")
    for name, value in (("role", "feature"), ("model_id", "x"), ("schema", "x"), ("format", 99)):
        path.write_bytes(KEY.seal(content, header | {name: value}))
        with pytest.raises(DataError, match="sealed as another half"):
            load_half(path, KEY)


def test_where_the_key_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert find_key(None) is None
    path = tmp_path / "model.key"
    with pytest.raises(UsageError, match="cannot read"):
        find_key(path)
    path.write_text(TEXT + "\n")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        find_key(path)
    path.chmod(0o600)
    found = find_key(path)
    assert found is not None
    assert found.open(KEY.seal(b"content", {"a": 1}), "m") == ({"a": 1}, b"content")
    assert TEXT not in repr(found)
    for wrong in ("", "abc", TEXT + "00", "x" * 64):
        path.write_text(wrong)
        with pytest.raises(UsageError, match="64 hex digits"):
            find_key(path)
    monkeypatch.setenv(VARIABLE, TEXT)
    found = find_key(path)
    assert found is not None
    assert found.open(KEY.seal(b"", {}), "m") == ({}, b"")


def grow(
    folder: Path, trees: int, key: ModelKey | None, *, resume: bool = False
) -> list[ModelHalf]:
    given = []
    for rank, job in enumerate(jobs(replace(PARAMS, n_estimators=trees), DATA, {})):
        store = CheckpointStore(folder / str(rank), key)
        given.append(replace(job, store=store, resume=resume))
    return run_parties(train, given, seed=3)


def test_checkpoints_are_sealed(tmp_path: Path) -> None:
    whole = grow(tmp_path, 2, KEY)
    own, columns = tmp_path / "0", len(DATA[0].column_names)
    assert len(list(own.iterdir())) >= 4
    for path in own.iterdir():
        assert path.read_bytes().startswith(b"securexgb sealed 1\n"), path
    for rank in (0, 1):
        CheckpointStore(tmp_path / str(rank), KEY).cut(1)
    resumed = grow(tmp_path, 2, KEY, resume=True)
    assert same_splits(resumed, whole)
    with pytest.raises(UsageError, match="is encrypted"):
        CheckpointStore(own).load(columns, 1)
    (own / "tree-0.npz").write_bytes((own / "state.json").read_bytes())
    with pytest.raises(DataError, match="another file"):
        CheckpointStore(own, KEY).load(columns, 1)


def same_splits(ones: list[ModelHalf], others: list[ModelHalf]) -> bool:
    return all(
        np.array_equal(one.features, other.features) and np.array_equal(one.bins, other.bins)
        for half, same in zip(ones, others, strict=True)
        for one, other in zip(half.trees, same.trees, strict=True)
    )


def test_an_estimator_s_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = table(40)
    model = SecureXGBClassifier(n_estimators=1, max_depth=2, max_bin=4).fit(features, labels)
    monkeypatch.setenv(VARIABLE, TEXT)
    model.save_model(tmp_path / "sealed")
    loaded = SecureXGBClassifier()
    loaded.load_model(tmp_path / "sealed")
    assert same_model(tuple(loaded._halves), tuple(model._halves))
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(UsageError, match="is encrypted"):
        loaded.load_model(tmp_path / "sealed")
    monkeypatch.setenv(VARIABLE, TEXT)
    one, other = (tmp_path / "sealed" / f"{role}.npz" for role in ("label", "feature"))
    one.write_bytes(other.read_bytes())
    with pytest.raises(DataError, match="do not belong together"):
        loaded.load_model(tmp_path / "sealed")
