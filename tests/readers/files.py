"""What a run leaves and reads again: models, checkpoints, records, and tables of rows."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from securexgb.attestation.verdict import Verdict
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.leak import after_training
from securexgb.boost.params import TrainingParams
from securexgb.estimator import SecureXGBClassifier
from securexgb.estimator.files import DESCRIPTION, saved_kind
from securexgb.federation.session import Federation
from securexgb.jobs.aligning.buckets import Buckets
from securexgb.jobs.aligning.export import export
from securexgb.jobs.aligning.kept import (
    Aligned,
    Record,
    file_sha256,
    load,
    log_event,
    read_coin,
    rows_sha256,
    save,
    times_begun,
    write_coin,
)
from securexgb.jobs.aligning.sets import DataSet, read_source
from securexgb.jobs.data.files import ColumnRoles, read_side
from securexgb.jobs.ledgers import FORMAT, NAME, add_ledgers, books_of, shown_by
from securexgb.jobs.prediction import read_scores, write_predictions
from securexgb.jobs.reports import keep_prediction, quality_of
from securexgb.jobs.resuming.checkpoint import CheckpointStore, Ending, SavedRound, TrainingState
from securexgb.jobs.runs import FinishedRun, RunDirectory, RunRecord
from securexgb.model.files import dump_half, load_half, parse_half, save_half
from securexgb.report.record import Costs
from securexgb.storage.sealed import ModelKey, find_key
from securexgb.storage.whole import pack_arrays, unpack_arrays
from securexgb.terms.alignment import AlignTerms
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from tests.boost.data import sides, table, train_both
from tests.readers.table import Prepared, Row, at

KEY = ModelKey(bytes(range(32)))


@cache
def half(splits: str) -> ModelHalf:
    """A label party's half of a small model."""
    given = sides(*table(40, missing=0.1), 2)
    more = {"importance": "gain"} if splits == "hidden" else {}
    params = TrainingParams(n_estimators=2, max_depth=2, max_bin=4, splits=splits, **more)
    return train_both(params, given, evals={"e": given})[0]


def model(splits: str) -> Callable[[Path], Prepared]:
    def prepare(_: Path) -> Prepared:
        return dump_half(half(splits)), used

    return prepare


def used(content: bytes) -> object:
    """A model that is read, and what commands do with it first."""
    found = parse_half(content, "m")
    return found.numbers, found.best_rounds, dump_half(found)


def model_header(_: Path) -> Prepared:
    """The JSON in a model file, under checksums that are right."""
    arrays = unpack_arrays(dump_half(half("owner")), "m")

    def read(content: bytes) -> object:
        return used(pack_arrays(arrays | {"model": np.frombuffer(content, np.uint8)}))

    return arrays["model"].tobytes(), read


def model_array(part: str) -> Callable[[Path], Prepared]:
    """One array in a model file, in numpy's own format, under checksums that are right."""

    def prepare(_: Path) -> Prepared:
        with zipfile.ZipFile(io.BytesIO(dump_half(half("owner")))) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}

        def read(content: bytes) -> object:
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for name, member in (members | {part: content}).items():
                    archive.writestr(name, member)
            return used(buffer.getvalue())

        return members[part], read

    return prepare


def sealed_model(folder: Path) -> Prepared:
    path = folder / "label.npz"
    save_half(half("owner"), path, KEY)
    return at(path, path.read_bytes(), lambda: load_half(path, KEY))


def sealed_header(_: Path) -> Prepared:
    """The header of a file that was sealed by the right key."""

    def read(header: bytes) -> object:
        start = b"securexgb sealed 1\n" + len(header).to_bytes(4, "big") + header
        hidden = KEY._cipher.encrypt(bytes(12), b"content", start)
        return KEY.open(start + bytes(12) + hidden, "m")

    return b'{"format": 3, "role": "label"}', read


def model_key(folder: Path) -> Prepared:
    path = folder / "model.key"
    path.touch(0o600)
    return at(path, b"0f" * 32 + b"\n", lambda: find_key(path))


def checkpoint(name: str) -> Callable[[Path], Prepared]:
    def prepare(folder: Path) -> Prepared:
        store = _store(folder)
        return at(folder / name, (folder / name).read_bytes(), lambda: _loaded(store))

    return prepare


def checkpoint_header(name: str) -> Callable[[Path], Prepared]:
    """The JSON in a checkpoint's file, under checksums that are right."""

    def prepare(folder: Path) -> Prepared:
        store, path = _store(folder), folder / name
        arrays = unpack_arrays(path.read_bytes(), name)

        def read(content: bytes) -> object:
            path.write_bytes(pack_arrays(arrays | {"header": np.frombuffer(content, np.uint8)}))
            return _loaded(store)

        return arrays["header"].tobytes(), read

    return prepare


def _store(folder: Path) -> CheckpointStore:
    store = CheckpointStore(folder)
    store.start(TrainingState(0, "model", "JOB", "00", "data"))
    newest = SavedRound(half("owner").rounds[0], "session", (0.5,))
    store.save_margins(1, newest.session, np.arange(3, dtype=np.uint64))
    store.save(1, newest)
    store.save_ending(Ending((60, 40), (0.5,)))
    return store


def _loaded(store: CheckpointStore) -> object:
    return store.load(len(half("owner").columns), 1), store.margins(1, "session")


@cache
def record() -> RunRecord:
    return RunRecord(
        ledger=[{"reveal": "METRIC", "meaning": "a metric", "to": "both", "values": 2}],
        costs=Costs(1, 2, 3, 4, 0.5, 0.5, 0.5, 1.5, 100.0),
        offline_source="two-party",
        dealer_evidence="none",
        dealer=replace(Verdict.unattested(), collateral_until=datetime(2026, 1, 2, tzinfo=UTC)),
        missing_rates={"a": 0.5},
        classes=("no", "yes"),
        class_shares=(0.75, 0.25),
        leaks=after_training(half("owner")),
    )


def run_record(folder: Path) -> Prepared:
    run, path = RunDirectory(folder), folder / "run.json"
    record().write(run)

    def read() -> object:
        found = RunRecord.read(run)
        return found.to_mapping(), [leak.bits for leak in found.leaks]

    return at(path, path.read_bytes(), read)


def ledger(folder: Path) -> Prepared:
    shown = asdict(alignment().record.shown)
    rows = add_ledgers(record().ledger, shown_by(alignment().record.shown))
    content = {
        "format": FORMAT,
        "dealer": None,
        "revealed": rows,
        "in_work": [],
        "aligned": [shown],
    }
    run = RunDirectory(folder)
    return at(folder / NAME, json.dumps(content).encode(), lambda: books_of(run))


def predicted(folder: Path) -> Prepared:
    config = PartyConfig(role="label", name="bank", label_column="y")
    federation = Federation(config, JobTerms(name="n", label_party="bank", feature_party="bureau"))
    finished = FinishedRun(RunDirectory(folder), half("owner"), record())
    names = half("owner").columns
    (folder / "rows.csv").write_text(f"{','.join(names)},y\n" + "1,2,no\n3,4,yes\n" * 2)
    write_predictions(folder / "scores.csv", None, np.array([0.1, 0.9, 0.2, 0.8]), ("no", "yes"))
    keep_prediction(finished.run, folder / "rows.csv", folder / "scores.csv")
    path = folder / "predicted.json"
    return at(path, path.read_bytes(), lambda: quality_of(federation, finished))


def alignment() -> Aligned:
    rows = np.array([1, 0], np.int64)
    words = dict.fromkeys(("file", "file_sha256", "keys_sha256", "job"), "0a")
    words |= dict.fromkeys(("align_sha256", "coin_sha256", "order_sha256"), "0b")
    counts = {"rows": 2, "keys": 2, "peer_keys": 4, "common": 2, "dry_runs": 1, "attempts": 1}
    about = {"data_set": "train", "time": "2026-01-02T00:00:00Z", "peer": "bureau"}
    facts: Any = {**words, **counts, **about, "rows_sha256": rows_sha256(rows)}
    return Aligned(Record(**facts), rows, np.array([1, 2], np.uint64))


def exported(folder: Path) -> Prepared:
    path = folder / "rows.csv"
    content = b'id,a\n"007",1.50\n"x\ny",2\n'

    def read() -> object:
        own = alignment()
        record = replace(own.record, file_sha256=file_sha256(path))
        export(path, replace(own, record=record), folder / "joined.csv", "here")
        return (folder / "joined.csv").read_bytes()

    return at(path, content, read)


def keys_of_rows(folder: Path) -> Prepared:
    path = folder / "rows.csv"
    align = AlignTerms(keys=("id", "born"), normalise={"born": ("iso_date",), "id": ("digits",)})
    config = PartyConfig(role="label", name="bank", train_data=path)
    terms = JobTerms(name="n", label_party="bank", feature_party="bureau", align=align)
    chosen = DataSet("train", path)
    content = b"id,born,a\n007,1.2.1980,1\nx8,1980-02-03,2\n"
    return at(path, content, lambda: read_source(Federation(config, terms), chosen).keys.values)


def aligned(end: str) -> Callable[[Path], Prepared]:
    """One of the two files of an alignment."""

    def prepare(folder: Path) -> Prepared:
        save(folder, alignment())
        path = folder / f"train{end}"

        def read() -> object:
            found = load(folder, "train")
            return found and (found.record, found.rows.tolist(), found.marks.tolist())

        return at(path, path.read_bytes(), read)

    return prepare


def order_coin(folder: Path) -> Prepared:
    write_coin(folder, "bureau", bytes(16))
    path = folder / "order.json"
    return at(path, path.read_bytes(), lambda: read_coin(folder, "bureau"))


def alignments_log(folder: Path) -> Prepared:
    log_event(folder, "aligning", "train", "bureau", {"keys": 5})
    path = folder / "log.jsonl"
    return at(path, path.read_bytes(), lambda: times_begun(folder, "aligning", "train", "bureau"))


def bucket(folder: Path) -> Prepared:
    kept = Buckets(folder)
    kept.save(3, b"\x05")
    path = folder / "3.bits"
    return at(path, path.read_bytes(), lambda: kept.load(3))


def metrics(folder: Path) -> Prepared:
    run, path = RunDirectory(folder), folder / "metrics.jsonl"
    lines = [json.dumps({"tree": tree, "seconds": 0.5}) + "\n" for tree in range(4)]
    return at(path, "".join(lines).encode(), lambda: run.cut_metrics(3))


def estimator(folder: Path) -> Prepared:
    given, labels = table(40)
    trained = SecureXGBClassifier(
        n_estimators=1, max_depth=1, max_bin=4, feature_party_columns=[1]
    ).fit(given, labels)
    trained.save_model(folder)
    path = folder / DESCRIPTION

    def read() -> object:
        model = SecureXGBClassifier()
        model.load_model(folder)
        return saved_kind(folder), model.classes_

    return at(path, path.read_bytes(), read)


def scores(folder: Path) -> Prepared:
    path = folder / "scores.csv"
    write_predictions(path, ["007", "b"], np.array([0.25, 0.5]), (0, 1))
    return at(path, path.read_bytes(), lambda: read_scores(path, "here"))


def csv(separator: bytes) -> Callable[[Path], Prepared]:
    content = b'id,"a",b,y\n"007",1.5,2,no\nnull,NA,3e2,yes\n'.replace(b",", separator)
    roles = ColumnRoles(label="y", id="id")

    def prepare(folder: Path) -> Prepared:
        path = folder / "rows.csv"
        return at(path, content, lambda: read_side(path, roles, "here"))

    return prepare


def parquet_column(part: str) -> Callable[[Path], Prepared]:
    """Bytes as the text of a column; what is around them is pyarrow's own."""

    def prepare(folder: Path) -> Prepared:
        path = folder / "rows.parquet"

        def read(content: bytes) -> object:
            texts = {"id": [b"1", b"2"], "y": [b"no", b"yes"]} | {part: [b"yes", content]}
            columns = {name: pa.array(values, pa.binary()) for name, values in texts.items()}
            as_text = {
                name: pa.Array.from_buffers(pa.string(), 2, column.buffers())
                for name, column in columns.items()
            }
            pa.parquet.write_table(pa.table({"a": [1.0, 2.0], **as_text}), path)
            roles = ColumnRoles(features=("a",), label="y", id="id")
            return read_side(path, roles, "here")

        return b"no", read

    return prepare


ROWS = (
    Row("model, own splits", model("owner")),
    Row("model, hidden splits", model("hidden")),
    Row("model, header", model_header),
    Row("model, leaf values", model_array("leaf_values.npy")),
    Row("model, thresholds", model_array("thresholds.npy")),
    Row("model, cuts", model_array("cuts.npy")),
    Row("model, sealed", sealed_model),
    Row("header of a sealed file", sealed_header),
    Row("model key", model_key),
    Row("checkpoint, state", checkpoint("state.json")),
    Row("checkpoint, tree", checkpoint("tree-0.npz")),
    Row("checkpoint, header of a tree", checkpoint_header("tree-0.npz")),
    Row("checkpoint, margins", checkpoint("margins-1.npz")),
    Row("checkpoint, ending", checkpoint("ending.npz")),
    Row("run.json", run_record),
    Row("ledger.json", ledger),
    Row("predicted.json", predicted),
    Row("aligned rows, record", aligned(".json")),
    Row("aligned rows, arrays", aligned(".npz")),
    Row("rows to export", exported),
    Row("keys of rows", keys_of_rows),
    Row("order coin", order_coin),
    Row("log of alignments", alignments_log),
    Row("alignment cut off, bits", bucket),
    Row("metrics.jsonl", metrics),
    Row("estimator.json", estimator),
    Row("predictions.csv", scores),
    Row("rows, CSV", csv(b",")),
    Row("rows, CSV with semicolons", csv(b";")),
    Row("rows, ids in Parquet", parquet_column("id")),
    Row("rows, labels in Parquet", parquet_column("y")),
)
