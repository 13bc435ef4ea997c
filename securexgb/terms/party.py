"""``party.toml``: one side's private settings; where its files, keys and addresses are.

Nobody else sees the file. What both sides agree on is in ``terms.job``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from securexgb.channel.keys import check_name
from securexgb.errors import UsageError
from securexgb.terms.cluster import ClusterSettings
from securexgb.terms.serving import ServeSettings
from securexgb.terms.toml import (
    Address,
    Column,
    Name,
    Place,
    TomlFile,
    read_toml,
    to_toml,
    validate,
)

ENVIRONMENT = "SECUREXGB_"
MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")
"""What a CSV field may say for "no value", in every column but that of the ids."""
_LISTS = ("feature_columns", "categorical_columns", "key_columns", "missing_texts")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def _duration(value: object) -> object:
    """Seconds of a text with the unit s, m or h; a number as it is."""
    if isinstance(value, bool):
        raise ValueError("it must be a time: seconds, or 90s, 30m, 2h")
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", value)
    if found is None:
        raise ValueError(f"{value!r} is no time: write seconds, or 90s, 30m, 2h")
    return float(found[1]) * _SECONDS[found[2] or "s"]


def _named_paths(value: object) -> object:
    """One path alone is the set called "eval"."""
    return {"eval": value} if isinstance(value, (str, Path)) else value


Sets = Annotated[dict[str, Path], BeforeValidator(_named_paths)]
Duration = Annotated[float, BeforeValidator(_duration), Field(gt=0, le=604_800)]


class PartyConfig(TomlFile):
    """This side's private settings; each field is a key of ``party.toml``.

    Relative paths count from the file's folder. A flag beats ``SECUREXGB_<KEY>`` in the
    environment, which beats the file.
    """

    role: Literal["label", "feature"]
    """label: this side holds the labels; feature: it holds columns only."""
    name: Name
    """This side's name, as in the terms and in its certificate."""

    key: Path = Path("keys/own.key")
    """Own private key: stays on this machine, mode 600."""
    certificate: Path = Path("keys/own.pem")
    """Own certificate: give it to the other side."""
    peer_certificate: Path = Path("keys/peer.pem")
    """The other side's certificate, pinned."""
    dealer_certificate: Path = Path("keys/dealer.pem")
    """The dealer's certificate, pinned; a dealer has a new one at each start. Where the terms
    demand evidence the file may be missing: the evidence decides."""

    listen: Address | None = None
    """Where this side listens, host:port. One side listens, the other dials."""
    connect: Address | None = None
    """Where the other side listens, host:port, if this side dials."""
    dealer_address: Address | None = None
    """Where the dealer listens, host:port."""
    dealer_policy: Path | None = None
    """The policy that the dealer's evidence must meet; its hash is in the terms."""
    dealer_collateral: Place | None = None
    """Intel's or AMD's statements for the evidence: a file, a folder of files, or the https
    address of a service that you choose."""
    dealer_collateral_cache: Path = Path("collateral")
    """A folder for what that address answers: it is asked once a day, and may be down while
    what it said is valid."""
    model_key: Path | None = None
    """A file with a key of 64 hex digits: this side's half is then encrypted. The environment
    variable SECUREXGB_MODEL_KEY may hold the digits instead."""
    timeout_seconds: Annotated[float, Field(gt=0, le=86400)] = 60.0
    """How long the other side, or the dealer, may be silent within a job."""
    wait: Duration | None = None
    """How long to wait until the other side comes: seconds, or text such as "90s", "30m", "2h".
    Left out: timeout_seconds."""
    retries: Annotated[int, Field(ge=0, le=10_000)] = 0
    """How often in a row a training tries again by itself after a lost link, dealer or other side;
    a new tree makes the count begin again."""

    train_data: Path | None = None
    """This side's training rows, CSV or Parquet."""
    eval_data: Sets = Field(default={})
    """Evaluation rows: a file, or a table of files by name, equal at both sides."""
    predict_data: Path | None = None
    """Rows to predict."""
    label_column: Column | None = None
    """Column of labels; label party only."""
    weight_column: Column | None = None
    """Column of weights; label party only."""
    base_margin_column: Column | None = None
    """Column of the margins that rows begin with, log odds or a regression's values, where the
    terms say base_margin_bound; rows to predict have it too; label party only."""
    feature_columns: tuple[Column, ...] | None = None
    """Columns to learn from; left out: all others."""
    categorical_columns: tuple[Column, ...] = ()
    """Those of them that hold categories, as text or numbers, where the terms say
    enable_categorical; dictionaries of text in a Parquet file are among them unnamed."""
    id_column: Column | None = None
    """Column of the rows' ids, where it has another name than in the terms."""
    key_columns: tuple[Column, ...] | None = None
    """Columns by which rows are aligned, in the order of the terms' keys, where they have other
    names than there."""
    missing_texts: tuple[str, ...] = MISSING
    """What a field of a CSV file may say for "no value", an empty one included."""
    aligned_directory: Path = Path("aligned")
    """Where `align` keeps which rows both sides have; `train`, `evaluate` and `predict` read it."""
    run_directory: Path = Path("run")
    """Where runs leave their files."""
    cluster: ClusterSettings | None = None
    """This side's shards, where the terms divide the rows into some."""
    serve: ServeSettings | None = None
    """This side's replica of `securexgb serve`, where the terms allow it."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.listen is not None and self.connect is not None:
            raise UsageError("listen and connect are both given: one side listens, one dials")
        own = (self.label_column, self.weight_column, self.base_margin_column)
        if self.role == "feature" and any(own):
            raise UsageError(
                "labels, weights and base margins are the label party's, this is the feature party"
            )
        places = [*vars(self).values(), *self.eval_data.values()]
        if any(isinstance(place, Path) and "\0" in str(place) for place in places):
            raise UsageError("a path has a character that no file's name can have")
        return self

    @property
    def rank(self) -> int:
        """0 for the label party, 1 for the feature party."""
        return 0 if self.role == "label" else 1

    @property
    def wait_seconds(self) -> float:
        """How long the other side may take to come."""
        return self.timeout_seconds if self.wait is None else self.wait

    def with_whole_paths(self) -> PartyConfig:
        """The same for a process that is started in another folder."""
        return self.model_copy(update=_rebased(self, Path.cwd()))

    @staticmethod
    def from_file(
        path: Path,
        overrides: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> PartyConfig:
        """Read ``party.toml``; ``overrides`` (flags; None is not given) beat the environment."""
        values = read_toml(path)
        known = PartyConfig.model_fields
        surroundings = os.environ if environment is None else environment
        for name in known:
            text = surroundings.get(ENVIRONMENT + name.upper())
            if text is not None and name != "model_key":  # that variable holds the key itself
                values[name] = text.split(",") if name in _LISTS else text
        values |= {k: v for k, v in (overrides or {}).items() if v is not None}
        config = validate(PartyConfig, values, str(path))
        return config.model_copy(update=_rebased(config, path.parent))

    @staticmethod
    def template(role: Literal["label", "feature"], name: str) -> str:
        """The commented ``party.toml`` that ``securexgb init`` writes."""
        example: dict[str, Any] = {"role": role, "name": check_name(name)}
        example |= {"dealer_address": "127.0.0.1:7400", "train_data": "train.csv", "retries": 10}
        if role == "label":
            example |= {"listen": "0.0.0.0:7300", "label_column": "label"}
        else:
            example |= {"connect": "label-party.example:7300"}
        config = validate(PartyConfig, example, "template")
        head = f"# Settings of {name}, the {role} party. Private: nobody else needs this file.\n"
        left_out = {
            "serve": ServeSettings(features=Path("features.parquet")),
            "cluster": ClusterSettings(
                shards="shard-{number}.example:7310", links="shard-{number}.example:7301"
            ),
        }
        return head + to_toml(config, left_out)


def _rebased(config: PartyConfig, folder: Path) -> dict[str, Any]:
    """Every relative path of the settings, from the file's folder."""
    return _moved(config, folder)


def _moved(settings: TomlFile, folder: Path) -> dict[str, Any]:
    moved: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Path):
            moved[name] = folder / value
        elif name == "eval_data":
            moved[name] = {key: folder / path for key, path in value.items()}
        elif name == "models":
            moved[name] = tuple(folder / path for path in value)
        elif isinstance(value, TomlFile):
            moved[name] = value.model_copy(update=_moved(value, folder))
    return moved
