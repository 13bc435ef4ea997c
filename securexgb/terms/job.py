"""``job.toml``: the contract of two sides; what is computed, and who learns what.

Both sides hold the same terms; their digest is compared before the first message.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, InstanceOf, PlainSerializer, model_validator

from securexgb.boost.leak import Floors
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Prediction, Request
from securexgb.errors import UsageError
from securexgb.mpc.reveals import Audience
from securexgb.offline.method import Algorithm, Method, Offline, PaillierBits, Scheme
from securexgb.terms.alignment import AlignTerms
from securexgb.terms.cluster import ClusterTerms
from securexgb.terms.serving import ServeTerms
from securexgb.terms.toml import Column, Name, TomlFile, read_toml, to_toml, validate

DIGEST_LETTERS = 10


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _training(value: object) -> object:
    return TrainingParams.from_mapping(value) if isinstance(value, Mapping) else value


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Evidence = Literal["none", "sgx-dcap", "tdx-dcap", "sev-snp", "dev"]
Evidences = Annotated[tuple[Evidence, ...], BeforeValidator(_listed), Field(min_length=1)]
Training = Annotated[
    InstanceOf[TrainingParams],
    BeforeValidator(_training),
    PlainSerializer(TrainingParams.to_mapping),
]


class DealerTerms(TomlFile):
    """The dealer that both sides accept."""

    name: Name = "dealer"
    """The name in the dealer's certificate."""
    evidence: Evidences = ("none",)
    """What may prove which program it runs: sgx-dcap, tdx-dcap, sev-snp; dev proves nothing,
    for rehearsals; none: both sides trust its operator."""
    policy_sha256: Sha256 | None = None
    """Hash of the policy that both sides hold: `securexgb dealer policy` prints it."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        is_trusted = self.evidence == ("none",)
        if not is_trusted and "none" in self.evidence:
            raise UsageError('evidence "none" stands alone: it accepts any dealer')
        if is_trusted != (self.policy_sha256 is None):
            raise UsageError("policy_sha256 is there exactly where evidence is demanded")
        return self


class SecurityTerms(TomlFile):
    """The security that the protocols aim at."""

    computational_bits: Literal[128] = 128
    """Work factor of every cipher."""
    statistical_bits: Literal[40] = 40
    """For the whole job, not a value."""


class ColumnDigests(TomlFile):
    """SHA-256 of the sorted names of a side's columns, one a line; None: any columns."""

    label: Sha256 | None = None
    """Of the label party's columns, labels, weights and ids not among them."""
    feature: Sha256 | None = None
    """Of the feature party's columns, ids not among them."""


class JobTerms(TomlFile):
    """The contract between the two sides; each field is a key of ``job.toml``."""

    format: Literal[1] = 1
    """Version of this file."""
    name: Annotated[str, Field(min_length=1, max_length=80)]
    """The job's name."""
    label_party: Name
    """Name of the side with the labels."""
    feature_party: Name
    """Name of the side with columns only."""
    algorithm: Algorithm = "hybrid"
    """hybrid: histograms by homomorphic encryption between the two parties (HEP-XGB); ss: by
    matrices that a dealer masks (SS-XGB), for small data."""
    offline: Offline = "two-party"
    """Correlated randomness: two-party: made by the two parties alone, no third side (with
    hybrid); dealt: by a dealer, faster."""
    he: Scheme = "bfv"
    """The scheme of hybrid: bfv is fast, paillier is for small data and for auditors who know
    it."""
    paillier_bits: PaillierBits = 3072
    """Length of a Paillier modulus, where he is paillier."""
    id_column: Column | None = None
    """Column of the rows' ids, known to both sides; they are compared by digest."""
    align: AlignTerms | None = None
    """How the rows that both sides have are found: `securexgb align`. Left out: both files hold
    the same rows in the same order."""
    positive_label: Annotated[str, Field(min_length=1)] | int | float | None = None
    """The class that a classification counts as 1, as the label party's data have it; left out:
    the greater of the two, by number or alphabet."""
    columns_sha256: ColumnDigests = ColumnDigests()
    """Which columns each side may learn from, by a digest of their names that `check` prints;
    another column, or one fewer, is refused. Left out: whichever a side names."""
    coins: Literal["drawn", "seeded"] = "drawn"
    """Public coins for samples: drawn by both for each run, or from random_state."""
    predictions_to: Literal["label", "feature", "both"] = "label"
    """Who learns predictions."""
    prediction_decimals: Annotated[int, Field(ge=0, le=6)] = 4
    """Margins are rounded to so many decimals before they are opened; what that hides and what
    not is measured in docs/operations.md."""
    prediction: Prediction = "transfers"
    """How scores are computed: transfers: exact; ckks: under homomorphic encryption, for the
    label party alone, to hundredths of a margin."""
    export_to: Literal["none", "label", "feature", "both"] = "none"
    """Who may get the whole model, as a file for xgboost, by `model export` at both sides: all
    thresholds, leaf values and the base, the names of the other side's columns, and of those of its
    categories that splits name. The other side then learns which nodes split, and with hidden
    splits its own splits. none: nobody."""
    min_training_rows: Annotated[int, Field(ge=1)] = Floors.training_rows
    """Training on fewer rows is refused where splits are owned, or importance or the model may be
    opened: on few rows these tell the feature party the labels."""
    min_evaluation_rows: Annotated[int, Field(ge=1)] = Floors.evaluation_rows
    """Evaluating fewer rows is refused: a metric of few rows tells the feature party their
    labels."""
    serve: ServeTerms | None = None
    """Scores of single rows on request: `securexgb serve`. Left out: nothing is served."""
    cluster: ClusterTerms | None = None
    """Rows on several machines a side. Left out: on one."""
    dealer: DealerTerms = DealerTerms()
    """The dealer that both sides accept."""
    security: SecurityTerms = SecurityTerms()
    """What the protocols aim at."""
    training: Training = TrainingParams()
    """Names and meanings are xgboost's; every value is public."""

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
        if self.prediction == "ckks" and self.training.traits.is_multi:
            raise UsageError(
                f'prediction "ckks" is for one score a row, and {self.training.objective} has one '
                'for each class: choose prediction "transfers"'
            )
        if self.prediction == "ckks" and self.cluster is not None:
            raise UsageError(
                'prediction "ckks" computes on the rows of one process, and [cluster] divides them '
                'among shards: choose prediction "transfers"'
            )
        if self.positive_label is not None and not self.training.traits.is_binary:
            raise UsageError(
                f"positive_label is for two classes, and the objective is "
                f"{self.training.objective}: leave it out"
            )
        can_hide = method.can_hide and self.prediction == "transfers"
        if self.training.splits == "hidden" and not can_hide:
            raise UsageError(
                'splits = "hidden" goes with he = "bfv" (or ss) and prediction = "transfers": '
                'choose these, or splits = "owner"'
            )
        self.__dict__["training"] = self.training.decided(can_hide=can_hide)
        return self

    @staticmethod
    def from_file(path: Path) -> JobTerms:
        """Read ``job.toml``; UsageError for what it cannot hold."""
        return validate(JobTerms, read_toml(path), str(path))

    @staticmethod
    def from_mapping(values: Mapping[str, Any], source: str) -> JobTerms:
        """From keys and values; UsageError, naming ``source``, for what it cannot hold."""
        return validate(JobTerms, values, source)

    def to_toml(self) -> str:
        """The file, with a comment for every key."""
        return "# The terms of a job: the same file at both sides.\n" + to_toml(
            self,
            {
                "align": AlignTerms(keys=("national_id",)),
                "serve": ServeTerms(),
                "cluster": ClusterTerms(shards=4),
            },
        )

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
    def model_recipient(self) -> Audience:
        """Who gets the whole model; UsageError where nobody may."""
        if self.export_to == "none":
            raise UsageError(
                'the terms say export_to = "none": nobody may get the whole model. It takes both '
                "sides' word before the training: agree on export_to in job.toml, and train"
            )
        return self.export_to

    @property
    def shards(self) -> int:
        """How many ranges of rows there are; 0: none, each side works in one process."""
        return 0 if self.cluster is None else self.cluster.shards

    @property
    def id_columns(self) -> tuple[str, ...]:
        """What the ids of a row are made of: the id column, or else the keys of the alignment."""
        if self.id_column is not None:
            return (self.id_column,)
        return () if self.align is None else self.align.keys

    @property
    def floors(self) -> Floors:
        """The least rows that the two sides work on."""
        floors = Floors(self.min_training_rows, self.min_evaluation_rows)
        return floors.of(self.training, may_export=self.export_to != "none")

    @property
    def digest(self) -> str:
        """The first ten letters of the digest, for people."""
        return self.full_digest[:DIGEST_LETTERS]

    def name_of(self, role: Literal["label", "feature"]) -> str:
        return self.label_party if role == "label" else self.feature_party
