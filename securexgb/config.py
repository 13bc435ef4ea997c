"""The two files of a job: ``party.toml``, private to each side, and ``job.toml``, shared.

``PartyConfig`` says where this side's files, keys and addresses are; nobody else sees it.
``JobTerms`` is the contract: what is computed, with which parameters, and who learns
what. Both sides hold the same terms; their digest is compared before the first message.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from securexgb.boost.leak import Floors
from securexgb.boost.params import TrainingParams, declarations
from securexgb.boost.predict import Prediction, Request
from securexgb.channel.keys import check_name
from securexgb.channel.probe import split_address
from securexgb.errors import SecureXGBError, UsageError
from securexgb.offline.method import Algorithm, Method, Offline, PaillierBits, Scheme

ENVIRONMENT = "SECUREXGB_"
DIGEST_LETTERS = 10


def _address(value: str) -> str:
    split_address(value)
    return value


def _named_paths(value: object) -> object:
    """One path alone is the set called "eval"."""
    return {"eval": value} if isinstance(value, (str, Path)) else value


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _place(value: object) -> object:
    """A path, or an address where it is written as one."""
    return Path(value) if isinstance(value, str) and "://" not in value else value


def _training(value: object) -> object:
    return TrainingParams.from_mapping(value) if isinstance(value, Mapping) else value


Address = Annotated[str, AfterValidator(_address)]
Name = Annotated[str, AfterValidator(check_name)]
Column = Annotated[str, Field(min_length=1)]
Sets = Annotated[dict[str, Path], BeforeValidator(_named_paths)]
Place = Annotated[Path | str, BeforeValidator(_place)]
Evidence = Literal["none", "sgx-dcap", "tdx-dcap", "sev-snp", "dev"]
Training = Annotated[
    InstanceOf[TrainingParams],
    BeforeValidator(_training),
    PlainSerializer(TrainingParams.to_mapping),
]


class _File(BaseModel):
    """What both files have in common: frozen, and nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class PartyConfig(_File):
    """This side's private settings; each field is a key of ``party.toml``.

    Relative paths count from the file's folder. A flag beats ``SECUREXGB_<KEY>`` in the
    environment, which beats the file.
    """

    role: Literal["label", "feature"] = Field(
        description="label: this side holds the labels; feature: it holds columns only."
    )
    name: Name = Field(description="This side's name, as in the terms and in its certificate.")

    key: Path = Field(
        default=Path("keys/own.key"),
        description="Own private key: stays on this machine, mode 600.",
    )
    certificate: Path = Field(
        default=Path("keys/own.pem"), description="Own certificate: give it to the other side."
    )
    peer_certificate: Path = Field(
        default=Path("keys/peer.pem"), description="The other side's certificate, pinned."
    )
    dealer_certificate: Path = Field(
        default=Path("keys/dealer.pem"),
        description="The dealer's certificate, pinned; a dealer has a new one at each start. "
        "Where the terms demand evidence the file may be missing: the evidence decides.",
    )

    listen: Address | None = Field(
        default=None,
        description="Where this side listens, host:port. One side listens, the other dials.",
    )
    connect: Address | None = Field(
        default=None, description="Where the other side listens, host:port, if this side dials."
    )
    dealer_address: Address | None = Field(
        default=None, description="Where the dealer listens, host:port."
    )
    dealer_policy: Path | None = Field(
        default=None,
        description="The policy that the dealer's evidence must meet; its hash is in the terms.",
    )
    dealer_collateral: Place | None = Field(
        default=None,
        description="Intel's or AMD's statements for the evidence: a file, a folder of files, "
        "or the https address of a service that you choose.",
    )
    dealer_collateral_cache: Path = Field(
        default=Path("collateral"),
        description="A folder for what that address answers: it is asked once a day, and may be "
        "down while what it said is valid.",
    )
    model_key: Path | None = Field(
        default=None,
        description="A file with a key of 64 hex digits: this side's half is then encrypted. "
        "The environment variable SECUREXGB_MODEL_KEY may hold the digits instead.",
    )
    timeout_seconds: float = Field(
        default=60.0,
        gt=0,
        le=86400,
        description="The one deadline: how long to wait for the other side.",
    )

    train_data: Path | None = Field(
        default=None, description="This side's training rows, CSV or Parquet."
    )
    eval_data: Sets = Field(
        default={},
        description="Evaluation rows: a file, or a table of files by name, equal at both sides.",
    )
    predict_data: Path | None = Field(default=None, description="Rows to predict.")
    label_column: Column | None = Field(
        default=None, description="Column of labels; label party only."
    )
    weight_column: Column | None = Field(
        default=None, description="Column of weights; label party only."
    )
    feature_columns: tuple[Column, ...] | None = Field(
        default=None, description="Columns to learn from; left out: all others."
    )
    id_column: Column | None = Field(
        default=None,
        description="Column of the rows' ids, where it has another name than in the terms.",
    )
    run_directory: Path = Field(default=Path("run"), description="Where runs leave their files.")

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.listen is not None and self.connect is not None:
            raise UsageError("listen and connect are both given: one side listens, one dials")
        if self.role == "feature" and (self.label_column or self.weight_column):
            raise UsageError("labels and weights are the label party's, this is the feature party")
        return self

    @property
    def rank(self) -> int:
        """0 for the label party, 1 for the feature party."""
        return 0 if self.role == "label" else 1

    @staticmethod
    def from_file(
        path: Path,
        overrides: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> PartyConfig:
        """Read ``party.toml``; ``overrides`` (flags; None is not given) beat the environment."""
        values = _read(path)
        known = PartyConfig.model_fields
        surroundings = os.environ if environment is None else environment
        for name in known:
            text = surroundings.get(ENVIRONMENT + name.upper())
            if text is not None and name != "model_key":  # that variable holds the key itself
                values[name] = text.split(",") if name == "feature_columns" else text
        values |= {k: v for k, v in (overrides or {}).items() if v is not None}
        config = _validate(PartyConfig, values, str(path))
        return config.model_copy(update=_rebased(config, path.parent))

    @staticmethod
    def template(role: Literal["label", "feature"], name: str) -> str:
        """The commented ``party.toml`` that ``securexgb init`` writes."""
        example: dict[str, Any] = {"role": role, "name": check_name(name)}
        example |= {"dealer_address": "127.0.0.1:7400", "train_data": "train.csv"}
        if role == "label":
            example |= {"listen": "0.0.0.0:7300", "label_column": "label"}
        else:
            example |= {"connect": "label-party.example:7300"}
        config = _validate(PartyConfig, example, "template")
        head = f"# Settings of {name}, the {role} party. Private: nobody else needs this file.\n"
        return head + _to_toml(config)


class DealerTerms(_File):
    """The dealer that both sides accept."""

    name: Name = Field(default="dealer", description="The name in the dealer's certificate.")
    evidence: Annotated[tuple[Evidence, ...], BeforeValidator(_listed)] = Field(
        default=("none",),
        min_length=1,
        description="What may prove which program it runs: sgx-dcap, tdx-dcap, sev-snp; dev "
        "proves nothing, for rehearsals; none: both sides trust its operator.",
    )
    policy_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        default=None,
        description="Hash of the policy that both sides hold: `securexgb dealer policy` prints it.",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        is_trusted = self.evidence == ("none",)
        if not is_trusted and "none" in self.evidence:
            raise UsageError('evidence "none" stands alone: it accepts any dealer')
        if is_trusted != (self.policy_sha256 is None):
            raise UsageError("policy_sha256 is there exactly where evidence is demanded")
        return self


class SecurityTerms(_File):
    """The security that the protocols aim at."""

    computational_bits: Literal[128] = Field(
        default=128, description="Work factor of every cipher."
    )
    statistical_bits: Literal[40] = Field(default=40, description="For the whole job, not a value.")


class JobTerms(_File):
    """The contract between the two sides; each field is a key of ``job.toml``."""

    format: Literal[1] = Field(default=1, description="Version of this file.")
    name: Annotated[str, Field(min_length=1, max_length=80)] = Field(description="The job's name.")
    label_party: Name = Field(description="Name of the side with the labels.")
    feature_party: Name = Field(description="Name of the side with columns only.")
    algorithm: Algorithm = Field(
        default="hybrid",
        description="hybrid: histograms by homomorphic encryption between the two parties "
        "(HEP-XGB); ss: by matrices that a dealer masks (SS-XGB), for small data.",
    )
    offline: Offline = Field(
        default="two-party",
        description="Correlated randomness: two-party: made by the two parties alone, no third "
        "side (with hybrid); dealt: by a dealer, faster.",
    )
    he: Scheme = Field(
        default="bfv",
        description="The scheme of hybrid: bfv is fast, paillier is for small data and for "
        "auditors who know it.",
    )
    paillier_bits: PaillierBits = Field(
        default=3072, description="Length of a Paillier modulus, where he is paillier."
    )
    id_column: Column | None = Field(
        default=None,
        description="Column of the rows' ids, known to both sides; they are compared by digest.",
    )
    coins: Literal["drawn", "seeded"] = Field(
        default="drawn",
        description="Public coins for samples: drawn by both for each run, or from random_state.",
    )
    predictions_to: Literal["label", "feature", "both"] = Field(
        default="label", description="Who learns predictions."
    )
    prediction_decimals: int = Field(
        default=4,
        ge=0,
        le=6,
        description="Margins are rounded to so many decimals before they are opened; what that "
        "hides and what not is measured in docs/operations.md.",
    )
    prediction: Prediction = Field(
        default="transfers",
        description="How scores are computed: transfers: exact; ckks: under homomorphic "
        "encryption, for the label party alone, to hundredths of a margin.",
    )
    min_training_rows: int = Field(
        default=Floors.training_rows,
        ge=1,
        description="Training on fewer rows is refused: splits on few rows tell the feature "
        "party their labels.",
    )
    min_evaluation_rows: int = Field(
        default=Floors.evaluation_rows,
        ge=1,
        description="Evaluating fewer rows is refused: a metric of few rows tells the feature "
        "party their labels.",
    )
    dealer: DealerTerms = Field(
        default=DealerTerms(), description="The dealer that both sides accept."
    )
    security: SecurityTerms = Field(
        default=SecurityTerms(), description="What the protocols aim at."
    )
    training: Training = Field(
        default=TrainingParams(),
        description="Names and meanings are xgboost's; every value is public.",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if len({self.label_party, self.feature_party, self.dealer.name}) < 3:
            raise UsageError("the label party, the feature party and the dealer need three names")
        method, _ = self.method, self.request
        if self.dealer.policy_sha256 is not None and not method.has_dealer:
            raise UsageError(
                'evidence is demanded of a dealer, and offline "two-party" has none: choose '
                'offline "dealt", or demand no evidence'
            )
        return self

    @staticmethod
    def from_file(path: Path) -> JobTerms:
        """Read ``job.toml``; UsageError for what it cannot hold."""
        return _validate(JobTerms, _read(path), str(path))

    @staticmethod
    def from_mapping(values: Mapping[str, Any], source: str) -> JobTerms:
        """From keys and values; UsageError, naming ``source``, for what it cannot hold."""
        return _validate(JobTerms, values, source)

    def to_toml(self) -> str:
        """The file, with a comment for every key."""
        return "# The terms of a job: the same file at both sides.\n" + _to_toml(self)

    @cached_property
    def full_digest(self) -> str:
        """SHA-256 of the canonical terms in base32, 52 letters; what the two sides compare."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return base64.b32encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=")

    @property
    def method(self) -> Method:
        """How correlations are made; UsageError for terms that do not go together."""
        return Method(
            algorithm=self.algorithm,
            offline=self.offline,
            he=self.he,
            paillier_bits=self.paillier_bits,
        )

    @property
    def request(self) -> Request:
        """What is asked of a prediction; UsageError for terms that do not go together."""
        return Request(self.predictions_to, self.prediction_decimals, self.prediction)

    @property
    def floors(self) -> Floors:
        """The least rows that the two sides work on."""
        return Floors(self.min_training_rows, self.min_evaluation_rows)

    @property
    def digest(self) -> str:
        """The first ten letters of the digest, for people."""
        return self.full_digest[:DIGEST_LETTERS]

    def name_of(self, role: Literal["label", "feature"]) -> str:
        return self.label_party if role == "label" else self.feature_party


_Model = TypeVar("_Model", bound=_File)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read {path}: {error}; `securexgb init` and `job new` write one"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None


def _validate(model: type[_Model], values: Mapping[str, Any], source: str) -> _Model:
    """The checked model, or one sentence about everything that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        wrong = [_sentence(item["loc"], item["msg"], item["type"]) for item in error.errors()]
        raise UsageError(f"{source}: {'; '.join(wrong)}") from None
    except SecureXGBError as error:
        raise UsageError(f"{source}: {error}") from None


def _sentence(place: tuple[int | str, ...], text: str, kind: str) -> str:
    where = ".".join(str(part) for part in place)
    if kind == "extra_forbidden":
        return f"there is no key {where!r}"
    if kind == "missing":
        return f"{where} is missing"
    text = text.removeprefix("Value error, ")
    return f"{where}: {text[:1].lower()}{text[1:]}" if where else text


def _rebased(config: PartyConfig, folder: Path) -> dict[str, Any]:
    """Every relative path of the settings, from the file's folder."""
    moved: dict[str, Any] = {}
    for name in PartyConfig.model_fields:
        value = getattr(config, name)
        if isinstance(value, Path):
            moved[name] = folder / value
        elif name == "eval_data":
            moved[name] = {key: folder / path for key, path in value.items()}
    return moved


def _to_toml(model: _File) -> str:
    """Every key with its comment; those that are not set are commented out."""
    lines: list[str] = []
    tables: list[str] = []
    for name, entry in type(model).model_fields.items():
        value, comment = getattr(model, name), f"\n# {entry.description}\n"
        if isinstance(value, TrainingParams):
            tables.append(f"{comment}[{name}]\n{_training_toml(value)}")
        elif isinstance(value, _File):
            tables.append(f"{comment}[{name}]{_to_toml(value)}")
        else:
            lines.append(comment + _line(name, value))
    return "".join(lines + tables)


def _training_toml(params: TrainingParams) -> str:
    values = params.to_mapping()
    told = declarations()
    return "".join(f"# {told[name].help}\n{_line(name, values[name])}" for name in values)


def _line(name: str, value: Any) -> str:
    if value is None or value == {}:
        return f"# {name} =\n"
    return f"{name} = {_toml(value)}\n"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    # TOML's basic strings take JSON's escapes, but for the delete character.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
