"""``securexgb check``: everything that can be known before a job starts, one line each.

First what concerns this side alone, then, with the other side running ``check`` too,
the link, the terms, the dealer, the rows, and what the training would open. All failures
are listed; the exit code is the first one's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from securexgb.boost.layout import Layout
from securexgb.boost.leak import before_training
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.proposals import proposed_lines
from securexgb.cli.options import ConfigOption, JobOption, SetOption, federation_of
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.errors import SecureXGBError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.alignment import column_counts, same_names, same_rows
from securexgb.jobs.files import load_rows, load_sets, needed_file
from securexgb.jobs.forecast import Job, forecast
from securexgb.jobs.ledgers import verdict_of
from securexgb.jobs.reports import versions
from securexgb.jobs.rows import Rows
from securexgb.report.text import (
    bits_facts,
    bits_line,
    bits_warnings,
    leaks_text,
    table,
    uncut_sentence,
    verdict_line,
    verdict_text,
)

LEAST_DISK_BYTES = 1 << 30


class _Warning(str):
    """A detail that deserves attention and stops nothing."""


@dataclass
class _Checks:
    """What was checked, and the first thing that failed."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    first: SecureXGBError | None = None

    def run(self, name: str, step: Callable[[], str]) -> None:
        try:
            detail = step()
            status = "warning" if isinstance(detail, _Warning) else "ok"
            self.rows.append((name, status, detail))
        except SecureXGBError as error:
            self.rows.append((name, "FAILED", str(error)))
            self.first = self.first or error


def check(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    local: Annotated[
        bool, typer.Option("--local", help="Only what this side can check alone.")
    ] = False,
    form: FormatOption = Format.text,
) -> None:
    """Check files, keys, terms, data, machine, and the link to the other side."""
    federation = federation_of(config, job, setting)
    found: dict[str, Rows] = {}
    checks = _Checks()
    facts = dict[str, Any](
        digest=federation.digest, dealer=None, leaks=[], peer_columns=None, proposed={}
    )
    checks.run("terms", lambda: f"digest {federation.digest}, {federation.role} party")
    checks.run("versions", lambda: ", ".join(f"{n} {v}" for n, v in versions().items()))
    checks.run("keys", lambda: _keys(federation))
    checks.run("dealer", lambda: _dealer(federation))
    checks.run("data", lambda: _data(federation, found))
    checks.run("enough rows", lambda: _enough_rows(federation, found))
    checks.run("columns", lambda: _columns(found))
    if federation.role == "label":
        checks.run("scales", lambda: _scales(federation, found, facts))
    checks.run("numbers", lambda: _numbers(federation, found, facts))
    checks.run("disk", lambda: _disk(federation))
    checks.run("memory", lambda: _memory(federation, found))
    if not local and checks.first is None:
        note(f"waiting for {federation.peer_name}")
        checks.run("link, dealer, rows", lambda: _link(federation, found, facts))
    if "training data" in found:
        checks.run("cost", lambda: _cost(federation, found["training data"], facts))
    facts["checks"] = [
        {"check": name, "status": status, "detail": detail} for name, status, detail in checks.rows
    ]
    text = table(checks.rows, ("check", "status", "detail"))
    if facts["proposed"]:
        lines = "\n".join(f"{name} = {value}" for name, value in facts["proposed"].items())
        text += f"\n\nproposed for [training] of job.toml, at both sides:\n{lines}"
    if facts["leaks"]:
        text += f"\n\nat worst:\n{leaks_text(facts['leaks'])}"
        facts["leaks"] = [leak.to_mapping() for leak in facts["leaks"]]
    if facts["dealer"] is not None:
        text += f"\n\nthe dealer:\n{verdict_text(facts['dealer'])}"
        facts["dealer"] = facts["dealer"].to_dict()
    result(facts, text, form)
    if checks.first is not None:
        raise checks.first


def _keys(federation: Federation) -> str:
    credentials = federation.endpoint().credentials
    credentials.own.check(federation.config.name, "this side's own certificate")
    credentials.peer.check(federation.peer_name, "the certificate pinned for the other side")
    return (
        f"own {credentials.own.fingerprint[:16]}… until {credentials.own.not_after:%Y-%m-%d}, "
        f"{credentials.peer.name} {credentials.peer.fingerprint[:16]}… "
        f"until {credentials.peer.not_after:%Y-%m-%d}"
    )


def _dealer(federation: Federation) -> str:
    """What is known of the dealer before it is asked."""
    if not federation.has_dealer:
        return "none: the two sides make their correlations alone"
    requirement, path = federation.dealer_requirement(), federation.config.dealer_certificate
    if requirement is None:
        certificate = federation.dealer_certificate()
        return f"{certificate.name} {certificate.fingerprint[:16]}…; evidence demanded: none"
    pinned = federation.dealer_certificate().fingerprint[:16] + "…" if path.exists() else "not"
    return (
        f"evidence demanded: {', '.join(requirement.policy.accept)}, "
        f"policy {requirement.policy.sha256.hex()[:16]}…; certificate pinned: {pinned}"
    )


def _data(federation: Federation, found: dict[str, Rows]) -> str:
    settings = federation.config
    path = needed_file(settings.train_data, "train_data", settings.name)
    rows = load_rows(federation, path)
    found["training data"] = rows
    for name, more in settings.eval_data.items():
        needed_file(more, f"eval_data.{name}", settings.name)
    found |= load_sets(federation, rows.column_names, rows.classes)
    return "; ".join(
        f"{name}: {own.count:,} rows, {len(own.column_names)} columns"
        for name, own in found.items()
    )


def _scales(federation: Federation, found: dict[str, Rows], facts: dict[str, Any]) -> str:
    """Whether the exponents of the terms fit this side's labels and weights; which would."""
    params = federation.terms.training
    sets = [rows.outcomes for rows in found.values() if rows.outcomes is not None]
    if not sets:
        return "not known without labels"
    facts["proposed"] = proposed_lines(params, sets[0], sets[1:])
    objective_of(params).check_scales(sets[0])
    others = [name for name in facts["proposed"] if name != "metric_exponent"]
    remark = f"{', '.join(others)} could be smaller, for more precise numbers" if others else "fit"
    if "metric_exponent" in facts["proposed"]:
        remark += "; metric_exponent is not set, so metrics are opened to 4 decimals"
        if not params.traits.classifies:
            remark += " of 2^target_exponent"
    return remark


def _numbers(federation: Federation, found: dict[str, Rows], facts: dict[str, Any]) -> str:
    """The bits of the job's gradients."""
    params = federation.terms.training
    if "training data" not in found:
        return "not known without data"
    if "target_exponent" in facts["proposed"] and params.target_exponent is None:
        return "not known without target_exponent"
    data = found["training data"]
    columns = (max(len(data.column_names), 1), 0)
    numbers = _layout(params, data, columns).numbers(params)
    facts["gradient_bits"] = bits_facts(numbers)
    warnings = bits_warnings(numbers)
    return _Warning("; ".join([bits_line(numbers), *warnings])) if warnings else bits_line(numbers)


def _layout(params: TrainingParams, data: Rows, columns: tuple[int, int]) -> Layout:
    """The training's shapes; that rows have weights the feature party sees by the terms alone."""
    is_weighted = data.weights is not None or params.weight_exponent is not None
    return Layout.of(params, data.count, columns, is_weighted)


def _enough_rows(federation: Federation, found: dict[str, Rows]) -> str:
    floors = federation.terms.floors
    if "training data" in found:
        training_rows, sets = _row_counts(found)
        floors.check(training_rows, sets)
    return (
        f"the terms ask for {floors.training_rows:,} to train on and "
        f"{floors.evaluation_rows:,} to evaluate"
    )


def _row_counts(found: dict[str, Rows]) -> tuple[int, list[tuple[str, int]]]:
    """Of the training data, and of each evaluation set."""
    (_, training), *sets = [(name, own.count) for name, own in found.items()]
    return training, sets


def _columns(found: dict[str, Rows]) -> str:
    """Columns of the training data that no split can use; their names stay at this side."""
    if "training data" not in found:
        return "not read"
    return uncut_sentence(found["training data"].columns_without_cut)


def _disk(federation: Federation) -> str:
    root = federation.config.run_directory
    existing = next(path for path in (root, *root.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < LEAST_DISK_BYTES:
        raise UsageError(f"{existing} has {free / 1e9:.1f} GB free: make room for run files")
    if not os.access(existing, os.W_OK):
        raise UsageError(f"{existing} cannot be written to: change run_directory in party.toml")
    return f"{free / 1e9:.0f} GB free for {root}"


def _memory(federation: Federation, found: dict[str, Rows]) -> str:
    """Free memory against the masked bucket matrix, the largest array of a job with ss."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if "training data" not in found or federation.terms.algorithm != "ss":
        return f"{free / 1e9:.1f} GB free"
    data = found["training data"]
    bins = federation.terms.training.max_bin + 1
    needed = 8 * data.count * len(data.column_names) * bins
    if needed > free:
        raise UsageError(
            f"{federation.config.name}: about {needed / 1e9:.1f} GB are needed and "
            f"{free / 1e9:.1f} GB are free: use fewer rows, columns or bins, or a larger machine"
        )
    return f"{free / 1e9:.1f} GB free, about {needed / 1e9:.1f} GB needed"


def _cost(federation: Federation, data: Rows, facts: dict[str, Any]) -> str:
    """What a tree costs and how much memory this side needs; see ``jobs.forecast``."""
    params, own = federation.terms.training, len(data.column_names)
    peer: int | None = facts["peer_columns"]
    columns = (own, own if peer is None else peer)[:: 1 - 2 * federation.config.rank]
    layout = _layout(params, data, (columns[0], columns[1]))
    found = forecast(Job(params, layout, federation.terms.method), federation.config.rank)
    facts["forecast"] = asdict(found)
    text = found.text()
    if peer is None:
        text += "; reckoned with as many columns at the other side as here"
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if found.memory_bytes > whole / 2:
        return _Warning(
            f"{text}. That is more than half of this machine's {whole / 1e9:.0f} GB: use fewer "
            "bins, columns or levels, or a larger machine"
        )
    return text


def _link(federation: Federation, found: dict[str, Rows], facts: dict[str, Any]) -> str:
    with federation.session("check") as party:
        sets = list(found.items())
        same_names(party, sets)
        same_rows(party, sets, federation.terms.id_column)
        facts["dealer"] = verdict_of(party)
        columns = column_counts(party, len(found["training data"].column_names))
        facts["peer_columns"] = columns[1 - party.rank]
        params, data = federation.terms.training, found["training data"]
        facts["leaks"] = before_training(
            params, _layout(params, data, columns), _row_counts(found)[1]
        )
        return (
            f"{federation.peer_name} has the same terms, version and rows; "
            f"{verdict_line(facts['dealer'])}"
        )
