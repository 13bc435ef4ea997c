"""``[cluster]`` of both files: over how many shards of rows two companies work, and where one of
them has the processes that do it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from securexgb.channel.probe import split_address
from securexgb.errors import UsageError
from securexgb.terms.toml import Address, TomlFile

MOST_SHARDS = 256
_NUMBER = "{number}"

Places = Address | Annotated[tuple[Address, ...], Field(min_length=1, max_length=MOST_SHARDS)]
"""Of every shard: a list by number, or one address with {number} in its host."""


class ClusterTerms(TomlFile):
    """Rows are divided into shards, and each side has a process, or several machines, for each:
    `securexgb shard`. Trees do not depend on it. Left out: one process a side."""

    shards: Annotated[int, Field(ge=1, le=MOST_SHARDS)]
    """Ranges of rows of about equal sizes, in the common order."""


class ClusterSettings(TomlFile):
    """Where this side's shards run."""

    engine: Literal["none", "dask"] = "none"
    """none: processes of `securexgb shard`; dask: actors on this side's own Dask cluster."""
    scheduler: Annotated[str, Field(min_length=1)] | None = None
    """The scheduler of that cluster, tls://host:port; tcp:// on the head's own machine alone."""
    scheduler_ca: Path | None = None
    """The certificate by which those of that cluster are signed; it and the two next come together.
    Left out: what Dask's own settings name (distributed.comm.tls)."""
    scheduler_certificate: Path | None = None
    """What the head shows to that cluster, signed likewise."""
    scheduler_key: Path | None = None
    """The private key of that certificate."""
    shards: Places | None = None
    """Where own shards listen for the head, host:port: one address with {number} in its host, or a
    list by number. Without an engine."""
    links: Places | None = None
    """Where own shards listen for the other side's, written likewise, where this side listens."""
    bind: Annotated[str, Field(min_length=1)] | None = None
    """The address of its machine at which a shard takes connections, 0.0.0.0 for all; left out: the
    host in shards or links."""
    relay: Address | None = None
    """Where `securexgb relay` listens for the other side, which has it as connect, host:port: for
    the head and all shards of this side."""
    head: Address | None = None
    """Where the relay finds the head; left out: at listen."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.engine == "dask") != (self.scheduler is not None):
            raise UsageError('engine = "dask" and the address of its scheduler come together')
        files = {self.scheduler_ca, self.scheduler_certificate, self.scheduler_key}
        if files != {None}:
            if None in files:
                raise UsageError(
                    "scheduler_ca, scheduler_certificate and scheduler_key come together"
                )
            if not (self.scheduler or "").startswith("tls://"):
                raise UsageError("certificates are for a scheduler that is written as tls://")
        if self.engine != "none" and self.shards is not None:
            raise UsageError(f'shards says where processes listen, and engine is "{self.engine}"')
        for name, places in (("shards", self.shards), ("links", self.links)):
            if isinstance(places, str) and _NUMBER not in places.rpartition(":")[0]:
                raise UsageError(
                    f"{name} is one address without {_NUMBER} in its host: each shard has its own; "
                    "give a list by number"
                )
        return self

    def own_shard(self, number: int) -> tuple[str, int]:
        """Where own shard ``number`` listens for its head."""
        return _place(self.shards, number, "shards")

    def own_link(self, number: int) -> tuple[str, int]:
        """Where own shard ``number`` listens for the other side's."""
        return _place(self.links, number, "links")

    def bound(self, place: tuple[str, int]) -> str:
        """Where a shard takes connections that others find at ``place``."""
        return written(self.bind or place[0], place[1])


def written(host: str, port: int) -> str:
    """An address in one piece."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _place(places: Places | None, number: int, name: str) -> tuple[str, int]:
    if places is None:
        raise UsageError(f"[cluster] in party.toml does not say {name}, where own shards listen")
    if isinstance(places, str):
        return split_address(places.replace(_NUMBER, str(number)))
    if number >= len(places):
        raise UsageError(
            f"[cluster] in party.toml has {len(places)} addresses as {name}, none for shard "
            f"{number}: give one for each"
        )
    return split_address(places[number])
