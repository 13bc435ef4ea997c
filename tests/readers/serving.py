"""What comes to a replica of `securexgb serve` from callers, and from its own company."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from securexgb._pb import keyservice_pb2 as pb
from securexgb.attestation.policy import Policy
from securexgb.attestation.trust import AttestationRequirement
from securexgb.channel.keys import create_keys
from securexgb.dealer.identity import key_hash
from securexgb.errors import TrustError
from securexgb.federation.session import Federation
from securexgb.mpc.party import Party
from securexgb.serve.features.files import FileFeatures
from securexgb.serve.features.service import ServiceFeatures
from securexgb.serve.front import oip
from securexgb.serve.front.callers import Callers
from securexgb.serve.gate.audit import AuditSecret, totals, verify_audit
from securexgb.serve.gate.budgets import AuditedGate, Limits
from securexgb.serve.parts import Asked
from securexgb.serve.release.client import heard
from securexgb.serve.release.kept import KeptKeys
from securexgb.serve.release.service import KeyService, _handler
from securexgb.serve.release.settings import KeyServiceSettings
from securexgb.serve.scoring.messages import hear_answer, hear_call
from securexgb.serve.scoring.session import LabelEnd
from securexgb.storage.sealed import ModelKey, read_about
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.terms.serving import Budgets, ServeTerms
from securexgb.testing.harness import insecure_parties
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


def _told(rank: int, hear: Callable[[Party], object]) -> Callable[[bytes], object]:
    """What the other side of a session says first."""

    def read(content: bytes) -> object:
        parties = insecure_parties(0)
        parties[1 - rank].channel.send("#1", content)
        return hear(parties[rank])

    return read


def _asked(_: Path) -> Prepared:
    good = b'{"number": 3, "asked": {"model": "a1", "rows": 2, "keys": ["c7", "c8"]}}'
    return good, _told(1, hear_call)


def _answered(_: Path) -> Prepared:
    good = b'{"number": 3, "marks": ["scored", "budget"], "why": {"1": "rows a day"}}'
    return good, _told(0, hear_answer)


def _stock(_: Path) -> Prepared:
    def read(content: bytes) -> object:
        parties = insecure_parties(0)
        parties[1].channel.send("stock#1", content)
        return LabelEnd(parties[0], 4, 64).stock.rows

    return b"2048", read


def _audit(folder: Path) -> Prepared:
    path, secret = folder / "audit.sqlite", AuditSecret(bytes(32))
    gate = AuditedGate(path, Limits.of(ServeTerms(), Budgets(), "bank"), secret)
    gate.admit(Asked("a1", ("c7", "c8"), ("loans", "loans"), False, bytes(16)))
    gate.close()
    return at(path, path.read_bytes(), lambda: (totals(path), verify_audit(path, secret)))


def _key_service(folder: Path) -> Prepared:
    path = folder / "keyservice.toml"
    return at(path, b'listen = "0.0.0.0:7500"\n', lambda: KeyServiceSettings.from_file(path).listen)


def _sealed_half(_: Path) -> Prepared:
    sealed = ModelKey(bytes(32)).seal(b"content", {"model_id": "a1"})
    return sealed, lambda content: read_about(content, "label.half")


def _question(_: Path) -> Prepared:
    good = pb.Question(nonce=bytes(16), policy_sha256=bytes(32)).SerializeToString()
    return good, lambda content: heard(pb.Question, content, "the key service")


class _Refusing:
    """A caller with the pinned key: what gRPC passes with a request, as far as it is read."""

    def __init__(self, shown: bytes) -> None:
        self._shown = shown

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_pem_cert": [self._shown]}

    def abort(self, _: object, said: str) -> None:
        raise TrustError(said)


def _asked_for_a_key(folder: Path) -> Prepared:
    create_keys("bank", folder / "bank.key", folder / "bank.pem")
    own = (folder / "bank.pem").read_bytes()
    kept = KeptKeys(folder / "kept", ModelKey(bytes(32)))
    kept.keep("A" * 52, bytes(32))
    requirement = AttestationRequirement(
        Policy.from_toml(f'version = 1\naccept = ["dev"]\n[[dev]]\nkey = "{"a" * 64}"\n')
    )
    service = KeyService(kept, requirement, key_hash(own), key_hash(own))
    served = _handler(service.challenge, pb.Ask, key_hash(own)).unary_unary
    good = pb.Ask(job="A" * 52, model="a1").SerializeToString()
    return good, lambda content: served(content, _Refusing(own))


ROWS = (
    Row("audit.sqlite", _audit),
    Row("keyservice.toml", _key_service),
    Row("head of an encrypted half", _sealed_half),
    Row("question of a key service", _question),
    Row("request to a key service", _asked_for_a_key),
    Row("call of a replica", _asked),
    Row("answer of a replica", _answered),
    Row("rows in stock", _stock),
    Row("call for scores", _call),
    Row("call for scores with bytes", _binary_call),
    Row("callers.toml", _callers),
    Row("features.csv", _features),
    Row("answer of a service of features", _service),
)
