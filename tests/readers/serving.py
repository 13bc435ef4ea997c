"""What comes to a replica of `securexgb serve` from callers, and from its own company."""

from __future__ import annotations

import json
from pathlib import Path

from securexgb.federation.session import Federation
from securexgb.serve.features.files import FileFeatures
from securexgb.serve.features.service import ServiceFeatures
from securexgb.serve.front import oip
from securexgb.serve.front.callers import Callers
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from tests.readers.table import Prepared, Row, at


def _federation(features: str) -> Federation:
    terms = {"name": "a", "label_party": "bank", "feature_party": "bureau", "id_column": "customer"}
    serve = {"features": features, "feature_seconds": 0.5}
    config = {"role": "label", "name": "bank", "serve": serve, "categorical_columns": ["region"]}
    return Federation(
        PartyConfig.model_validate(config),
        JobTerms.from_mapping(terms | {"serve": {}}, "the terms"),
    )


def _call(_: Path) -> Prepared:
    keys = {"name": "key", "datatype": "BYTES", "shape": [2], "data": ["c7", "c8"]}
    margins = {"name": "base_margin", "datatype": "FP64", "shape": [2], "data": [0.5, 1]}
    return json.dumps({"id": "1", "inputs": [keys, margins]}).encode(), oip.parse


def _binary_call(_: Path) -> Prepared:
    given = {"name": "key", "datatype": "BYTES", "shape": [2]}
    given["parameters"] = {"binary_data_size": 12}
    head = json.dumps({"inputs": [given]}).encode()
    return head + b"\2\0\0\0c7\2\0\0\0c8", lambda body: oip.parse(body, str(len(head)))


def _callers(folder: Path) -> Prepared:
    path = folder / "callers.toml"
    content = f'[callers]\nloans = "{"a" * 64}"\ncards = ["{"b" * 64}"]\n'.encode()
    return at(path, content, lambda: Callers(path))


def _features(folder: Path) -> Prepared:
    path = folder / "features.csv"

    def read() -> object:
        features = FileFeatures(_federation(str(path)), path)
        try:
            return features.look_up(["c1"], ["income", "region"], {"region": ("north",)})
        finally:
            features.close()

    return at(path, b"customer,income,region\nc1,1.5,north\nc2,,\n", read)


def _service(_: Path) -> Prepared:
    class Answers(ServiceFeatures):
        content = b""

        def _asked(self, body: bytes, most: int) -> bytes:
            return self.content

    def read(content: bytes) -> object:
        features = Answers(_federation("http://127.0.0.1:1/"), "http://127.0.0.1:1/")
        features.content = content
        return features.look_up(["c1"], ["income", "region"], {"region": ("north",)})

    return b'{"known": [true], "columns": {"income": [1.5], "region": ["north"]}}', read


ROWS = (
    Row("call for scores", _call),
    Row("call for scores with bytes", _binary_call),
    Row("callers.toml", _callers),
    Row("features.csv", _features),
    Row("answer of a service of features", _service),
)
