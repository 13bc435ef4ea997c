"""``[serve]`` of both files: what two companies agree on for predictions at a service level, and
what each of them sets for its own replicas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from securexgb.errors import UsageError
from securexgb.terms.toml import Address, Column, Name, Place, TomlFile

MOST_ROWS = 512
"""Of one batch."""
Choice = Literal["auto", "sgx-dcap", "tdx-dcap", "sev-snp", "dev", "none"]
Count = Annotated[int, Field(ge=1)]
Groups = dict[Name, dict[Column, float]]


class Budgets(TomlFile):
    """How many rows are scored at most; a row beyond is refused. Days are those of UTC."""

    rows_a_key_a_day: Count | None = None
    """The same key, whoever asks."""
    rows_a_caller_a_day: Count | None = None
    """One caller of the label party."""
    keys_a_day: Count | None = None
    """Different keys."""
    rows_a_day: Count | None = None
    """Of all keys."""
    rows_in_all: Count | None = None
    """Of all keys and days, of one model."""


class ServeTerms(TomlFile):
    """What both sides allow where they score single rows on request: `securexgb serve`."""

    missing_key: Literal["refuse", "score"] = "refuse"
    """A key that one side lacks: refuse: its row gets no score, and who asked learns that the
    other side does not know the key; score: it is scored as a row without any value there."""
    rows_a_key_a_day: Count | None = 100
    """Both sides refuse to score one key more often: repeated scores of changed rows copy the
    model."""
    rows_a_day: Count | None = None
    """Both sides refuse more rows a day, of all keys."""
    reasons_to: Literal["none", "label"] = "none"
    """Who may ask which groups of columns raised or lowered a score most: their numbers are
    opened, nothing of how much."""
    reasons_for: Literal["raised", "lowered"] = "raised"
    """Which groups are strong: those that raised a score most, against their references, or those
    that lowered it most. The reasons of whoever is declined are those of the worse side."""
    reasons: Annotated[int, Field(ge=1, le=8)] = 4
    """How many groups are opened, the strongest first."""
    label_groups: Groups = Field(default_factory=dict)
    """The label party's groups of columns, each with the value that a column has for comparison:
    {income = {salary = 30000.0, bonus = 0.0}}."""
    feature_groups: Groups = Field(default_factory=dict)
    """The feature party's."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        groups = len(self.label_groups) + len(self.feature_groups)
        if (self.reasons_to != "none") != bool(groups):
            raise UsageError("reasons_to and groups of columns come together, or not at all")
        if self.reasons_to != "none" and groups < self.reasons:
            raise UsageError(f"{self.reasons} reasons are opened, of {groups} groups")
        if set(self.label_groups) & set(self.feature_groups):
            raise UsageError("a group of columns has the same name at both sides")
        return self


class ServeSettings(TomlFile):
    """This side's replica of `securexgb serve`."""

    http: Address = "127.0.0.1:8080"
    """Where health and figures are asked for, host:port; at the label party scores, too."""
    models: tuple[Path, ...] = ()
    """Runs whose models are served; left out: every finished run of these terms in run_directory,
    later ones as they come."""
    features: Place | None = None
    """Where a key's columns are looked up: a Parquet or CSV file, loaded once and again when it
    changes, or the http address of an own service."""
    key_column: Column | None = None
    """The keys' column there; left out: the id column."""
    feature_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """How long a look-up may take."""
    batch_rows: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 256
    """Rows of one batch at most: what waits while another is scored goes together."""
    stock_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 2048
    """For so many rows correlations are ready ahead of requests."""
    sessions: Annotated[int, Field(ge=1, le=64)] = 8
    """How many replicas of the other side may be linked at a time, where this side listens."""
    redial_seconds: Annotated[float, Field(ge=10)] = 1800.0
    """After so long a link is opened anew, so that replicas that came later get their share."""
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = 10.0
    """How long the end may take: for half of it, 5 seconds at most, this side scores on and says
    that it is not ready, then what is there is finished."""
    audit: Path = Path("audit.sqlite")
    """Where requests are counted and chained, keys as keyed digests only."""
    budgets: Budgets = Budgets()
    """This side's own bounds, where they are stricter than the terms'."""
    key_service: Address | None = None
    """This company's own key service, host:port: it gives out the key of the model's half to a
    replica whose evidence its policy accepts. Left out: model_key, as elsewhere."""
    key_service_certificate: Path = Path("keys/keyservice.pem")
    """The key service's certificate, pinned."""
    evidence: Choice = "auto"
    """What vouches for this replica there: auto (what this machine has), sgx-dcap, tdx-dcap,
    sev-snp; dev proves nothing, for rehearsals."""
    evidence_key: Path = Path("keys/evidence.key")
    """The key of dev evidence, made where there is none."""
    callers: Path | None = None
    """A TOML file of callers' names and the SHA-256 of their tokens; left out: whoever reaches the
    port may ask. Label party only."""
