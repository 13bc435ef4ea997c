"""Putting a side's report together from its run, and writing it as HTML and JSON."""

from __future__ import annotations

import platform
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from securexgb import __version__
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.importance import importance
from securexgb.cli.bits import bits_line, bits_warnings
from securexgb.cli.ledgers import revealed_in
from securexgb.cli.runs import RunDirectory, timestamp
from securexgb.federation.session import Federation
from securexgb.mpc.party import Party
from securexgb.report.html import render_html
from securexgb.report.record import BinaryMetrics, Costs, RegressionMetrics, RunReport, report_json

__all__ = ["Quality", "costs_of", "costs_table", "versions", "write_report"]

PACKAGES = ("numpy", "grpcio", "cryptography", "protobuf", "pydantic", "pyarrow")


@dataclass(frozen=True)
class Quality:
    """What may be said of the predictions, at a side that has both them and the labels."""

    metrics: BinaryMetrics | RegressionMetrics | None = None
    rows_from: str = ""
    stability_index: float | None = None


def versions() -> dict[str, str]:
    """Version of securexgb, of Python and of the libraries that matter."""
    found = {"securexgb": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def costs_of(party: Party, total_seconds: float) -> Costs:
    """What this side's protocols have cost so far."""
    traffic, account = party.channel.traffic, party.source.account
    return Costs(
        rounds=party.rounds,
        bytes_sent=traffic.bytes_sent,
        bytes_received=traffic.bytes_received,
        offline_bytes=account.dealer_bytes + account.channel_bytes,
        offline_seconds=account.seconds,
        waited_seconds=account.waited_seconds,
        online_seconds=max(total_seconds - account.waited_seconds, 0.0),
        total_seconds=total_seconds,
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def costs_table(costs: Costs) -> list[tuple[str, object]]:
    """The costs as rows for people."""
    return [
        ("rounds", costs.rounds),
        ("MB sent", costs.bytes_sent / 1e6),
        ("MB received", costs.bytes_received / 1e6),
        ("MB offline", costs.offline_bytes / 1e6),
        ("seconds offline", costs.offline_seconds),
        ("seconds waited for it", costs.waited_seconds),
        ("seconds online", costs.online_seconds),
        ("seconds total", costs.total_seconds),
    ]


def write_report(
    federation: Federation,
    run: RunDirectory,
    half: ModelHalf,
    facts: dict[str, Any],
    quality: Quality,
    remarks: Sequence[str] = (),
) -> RunReport:
    """Write report.html and report.json of a run.

    ``facts``: what ``train`` has kept in run.json: costs, offline source, dealer's evidence
    and the verdict on it, missing rates, what the leak meter says. The ledger is the run's, of
    all its sessions.
    """
    curve = {
        f"{data} {metric}": values
        for data, metrics in half.history.items()
        for metric, values in metrics.items()
    }
    counts = importance(half)
    report = RunReport(
        title=f"{federation.terms.name}: report of {federation.config.name}",
        side=federation.config.name,
        role=federation.role,
        job=federation.terms.name,
        digest=federation.digest,
        created=timestamp(),
        terms=federation.terms.model_dump(mode="json"),
        ledger=revealed_in(run),
        leaks=facts["leaks"],
        costs=Costs(**facts["costs"]),
        numbers=bits_line(half.numbers),
        offline_source=facts["offline_source"],
        dealer_evidence=facts["dealer_evidence"],
        dealer=facts["dealer"],
        versions=versions(),
        warnings=(*remarks, *bits_warnings(half.numbers)),
        metrics=quality.metrics,
        metrics_of=quality.rows_from,
        stability_index=quality.stability_index,
        learning_curve=curve,
        importance={name: float(count) for name, count in zip(half.columns, counts, strict=True)},
        missing_rates=facts["missing_rates"],
    )
    run.write("report.html", render_html(report))
    run.write_json("report.json", report_json(report))
    return report
