"""A replica's side: which key opens its half, and how it is had.

Where the settings name a key service, the key is asked for with evidence, model by model, and is
held in memory alone; the half on disk stays encrypted. Elsewhere the key is that of ``model_key``
or of the environment, as for every other command.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn, TypeVar

import grpc
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from google.protobuf.message import DecodeError

from securexgb._pb import keyservice_pb2 as pb
from securexgb.channel.keys import Certificate, Credentials
from securexgb.dealer.attesters.choose import attester_for
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.dealer.claims import attest
from securexgb.dealer.evidence import Attester
from securexgb.dealer.identity import key_hash
from securexgb.errors import (
    CertificateRefused,
    DataError,
    EvidenceRefused,
    MalformedFrame,
    PeerError,
    PeerTimeout,
    SecureXGBError,
    UnknownModel,
    UsageError,
)
from securexgb.federation.session import Federation
from securexgb.serve.release.wrapping import (
    CHALLENGE,
    MESSAGE_BYTES,
    RELEASE,
    Asking,
    Wanted,
    unwrap,
)
from securexgb.storage.sealed import ModelKey, find_key, read_about
from securexgb.storage.whole import make_directory, read_whole, write_new
from securexgb.terms.serving import ServeSettings

Heard = TypeVar("Heard", pb.Question, pb.Wrapped)


def key_for(federation: Federation, half: Path) -> ModelKey | None:
    """What opens the half in this file; None for a side without keys.

    With a key service: UsageError for a half that is not encrypted; PeerError where the service
    does not answer; EvidenceRefused where it refuses this replica, UnknownModel where it keeps no
    key for the job.
    """
    settings = federation.config.serve
    if settings is None or settings.key_service is None:
        return find_key(federation.config.model_key)
    about = read_about(read_whole(half), half.name)
    if about is None:
        raise UsageError(
            f"{half} is not encrypted, and [serve] names a key service: train with a model_key, "
            "and let the key service keep that key"
        )
    wanted = Wanted(federation.terms.full_digest, str(about.get("model_id", "")))
    credentials = federation.endpoint().credentials
    seconds = federation.config.timeout_seconds
    return ModelKey(released_key(settings, credentials, wanted, attester_of(settings), seconds))


def attester_of(settings: ServeSettings) -> Attester:
    """What vouches for this replica, by its settings."""

    def rehearsal() -> Attester:
        path = settings.evidence_key
        if not path.exists():
            make_directory(path.parent)
            write_new(path, DevAttester.new_key())
        return DevAttester.from_pem(read_whole(path), str(path))

    return attester_for(settings.evidence, rehearsal)


def released_key(
    settings: ServeSettings,
    credentials: Credentials,
    wanted: Wanted,
    attester: Attester,
    seconds: float,
) -> bytes:
    """Ask the key service once; errors as ``key_for``'s."""
    if settings.key_service is None:
        raise ValueError("no key service is named")
    where = f"the key service at {settings.key_service}"
    pinned = Certificate.parse(
        read_whole(settings.key_service_certificate), str(settings.key_service_certificate)
    )
    pinned.check(pinned.name, f"the pinned certificate of {where}")
    tls = grpc.ssl_channel_credentials(pinned.pem, credentials.key, credentials.own.pem)
    options = (
        ("grpc.ssl_target_name_override", pinned.name),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.enable_http_proxy", 0),
    )
    with grpc.secure_channel(settings.key_service, tls, options=options) as channel:
        try:
            ask = pb.Ask(job=wanted.job, model=wanted.model).SerializeToString()
            question = heard(
                pb.Question, channel.unary_unary(CHALLENGE)(ask, timeout=seconds), where
            )
            asking = Asking(
                wanted,
                question.nonce,
                question.policy_sha256,
                key_hash(pinned.pem),
                key_hash(credentials.own.pem),
            )
            private = X25519PrivateKey.generate()
            answer = channel.unary_unary(RELEASE)(
                _proof(asking, private, attester).SerializeToString(), timeout=seconds
            )
            return unwrap(heard(pb.Wrapped, answer, where).sealed, private, asking)
        except grpc.RpcError as error:
            _explain(error, where, wanted)


def heard(kind: type[Heard], content: bytes, where: str) -> Heard:
    """What a key service answered; MalformedFrame for bytes that are no such message."""
    try:
        return kind.FromString(content)
    except DecodeError:
        raise MalformedFrame(f"{where} answers with bytes that are no message") from None


def _proof(asking: Asking, private: X25519PrivateKey, attester: Attester) -> pb.Proof:
    public = private.public_key().public_bytes_raw()
    made = attest(attester, asking.binding(public))
    return pb.Proof(
        nonce=asking.nonce,
        public_key=public,
        type=made.type,
        body=made.body,
        claims=made.claims,
        endorsements=made.endorsements,
    )


def _explain(error: grpc.RpcError, where: str, wanted: Wanted) -> NoReturn:
    code, said = error.code(), "".join(c for c in error.details() or "" if c.isprintable())[:200]
    match code:
        case grpc.StatusCode.PERMISSION_DENIED:
            raise EvidenceRefused(f"{where} refuses this replica's evidence ({said})") from None
        case grpc.StatusCode.NOT_FOUND:
            raise UnknownModel(
                f"{where} keeps no key for the job {wanted.job[:10]}: `securexgb keyservice keep` "
                "gives it one"
            ) from None
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            raise PeerTimeout(f"{where} does not answer in time") from None
        case grpc.StatusCode.UNAUTHENTICATED:
            raise CertificateRefused(f"{where} does not know this side's certificate") from None
        case grpc.StatusCode.UNAVAILABLE:
            raise PeerError(
                f"{where} cannot be reached, or one of the two certificates is not the pinned one: "
                f"{said}"
            ) from None
        case grpc.StatusCode.INTERNAL:
            raise DataError(f"{where} cannot use the key that it keeps: see its log") from None
    raise SecureXGBError(f"{where} answers {code.name}: {said}") from None
