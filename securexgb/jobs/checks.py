"""What can be known before a job starts, one line each: of this side, then of both.

All failures are kept; the first one says how the whole ends.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.attestation.verdict import Verdict
from securexgb.boost.layout import Layout
from securexgb.boost.leak import Leak, before_training
from securexgb.boost.objective.proposals import proposed_lines
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.channel.channel import failure_kind
from securexgb.errors import DataError, SecureXGBError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.aligning.kept import command
from securexgb.jobs.aligning.sets import data_set, read_source
from securexgb.jobs.alignment import same_names, same_rows
from securexgb.jobs.check_lines import CheckLines, Warned
from securexgb.jobs.data.columns import agree_on_columns
from securexgb.jobs.data.files import load_rows, load_sets, needed_file, needed_sets
from securexgb.jobs.estimating.estimate import Estimate, estimate
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.link import FAST, Link, measured
from securexgb.jobs.estimating.words import estimate_sentence, evaluation_warning
from securexgb.jobs.job import TrainingJob, check_hidden
from securexgb.jobs.ledgers import verdict_of
from securexgb.jobs.reports import versions
from securexgb.jobs.resuming.earlier import EarlierRun, effective
from securexgb.jobs.table import NamedTables, Table
from securexgb.mpc.party import Party
from securexgb.report.text import (
    MOST_NAMED,
    bits_line,
    bits_warnings,
    classes_sentence,
    numbering_sentence,
    splits_line,
    uncut_sentence,
    verdict_line,
)
from securexgb.storage.sealed import find_key

LEAST_DISK_BYTES = 1 << 30
CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")
"""Of a container: a number, or "max"."""
LEAVE_OUT = "feature_columns in party.toml"


@dataclass(eq=False)
class Checks(CheckLines):
    """The checks of one side's training, and what they found.

    ``earlier``: the run that the training is to go on from; ``old``: what was read of it.
    ``tables``: reads the data where rows are in shards, without holding them.
    """

    federation: Federation
    earlier: Path | None = None
    old: EarlierRun | None = None
    tables: Callable[[], tuple[Table, NamedTables]] | None = None
    training: Table | None = None
    sets: NamedTables = ()
    proposed: dict[str, int] = field(default_factory=dict)
    numbers: NumberFormat | None = None
    leaks: list[Leak] = field(default_factory=list)
    dealer: Verdict | None = None
    peer_columns: int | None = None
    link: Link = FAST
    estimate: Estimate | None = None

    @property
    def params(self) -> TrainingParams:
        return effective(self.federation, self.old)

    def run_alone(self) -> None:
        """What concerns this side alone."""
        federation = self.federation
        self._run("terms", lambda: f"digest {federation.digest}, {federation.role} party")
        terms = federation.terms
        said = splits_line(terms.training, terms.export_to)
        self._run("splits", lambda: said.removeprefix("splits: "))
        self._run("versions", lambda: ", ".join(f"{n} {v}" for n, v in versions().items()))
        self._run("keys", lambda: keys_line(federation))
        self._run("model key", lambda: model_key_line(federation))
        self._run("dealer", self._dealer)
        if (earlier := self.earlier) is not None:
            self._run("earlier model", lambda: self._earlier(earlier))
        self._run("data", self._data)
        if federation.terms.align is not None:
            self._run("row keys", self._keys_of_rows)
        self._run("enough rows", self._enough_rows)
        self._run("columns", self._columns)
        self._run("column names", self._column_names)
        if federation.role == "label" and self.params.traits.classifies:
            self._run("labels", self._labels)
        if federation.role == "label":
            self._run("scales", self._scales)
        self._run("numbers", self._numbers)
        self._run("training", self._training)
        self._run("disk", self._disk)

    def run_together(self) -> None:
        """With the other side running it too: link, terms, dealer, rows, what would be opened.

        Where this side has failed already the link alone: the other side hears of it at once.
        """
        if (failure := self.first) is not None:
            self._run("link", lambda: self._tell(failure))
        elif (rows := self.training) is not None:
            self._run("link, dealer, rows", lambda: self._link(rows))

    def run_cost(self) -> None:
        """What a training costs, as far as both sides' columns are known."""
        if (rows := self.training) is not None:
            self._run("cost", lambda: self._cost(rows))
            if self.params.is_hidden:
                self._run("hidden splits", lambda: self._hidden(rows))

    def _earlier(self, path: Path) -> str:
        """Whether a training by these terms can go on from a finished run."""
        self.old = EarlierRun.read(self.federation, path)
        return self.old.sentence

    def _dealer(self) -> str:
        """What is known of the dealer before it is asked."""
        federation = self.federation
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

    def _data(self) -> str:
        settings = self.federation.config
        path = needed_file(settings.train_data, "train_data", settings.name)
        needed_sets(settings)
        rows: Table
        if self.tables is not None:
            rows, sets = self.tables()
        else:
            known = None if self.old is None else self.old.categories
            rows = load_rows(self.federation, path, data_set="train", categories=known)
            sets = load_sets(self.federation, rows.column_names, rows.classes, rows.categories)
        if self.old is not None:
            self.old.check(self.federation, rows)
        self.training, self.sets = rows, sets
        return "; ".join(
            f"{name}: {own.count:,} {'aligned ' if own.aligned else ''}rows, "
            f"{len(own.column_names)} columns"
            for name, own in [("training data", rows), *self.sets]
        )

    def _keys_of_rows(self) -> str:
        """What the training rows' keys look like, and whether rows are aligned; at this side
        alone."""
        if self.training is None:
            return "not read"
        chosen = data_set(self.federation, "train", None)
        text = "; ".join(read_source(self.federation, chosen).keys.remarks)
        if self.training.aligned is not None:
            return f"aligned; {text}"
        return Warned(f"not aligned yet: `{command('train')}` at both sides; {text}")

    def _scales(self) -> str:
        """Whether the exponents of the terms fit this side's labels and weights; which would."""
        params = self.params
        train = None if self.training is None else self.training.outcomes
        if train is None:
            return "not known without labels"
        measured = [rows.outcomes for _, rows in self.sets if rows.outcomes is not None]
        objective = objective_of(params)
        for outcomes in (train, *measured):
            objective.check_labels(outcomes.labels)
        self.proposed = proposed_lines(params, train, measured)
        objective.check_scales(train)
        others = ", ".join(name for name in self.proposed if name != "metric_exponent")
        remark = f"{others} could be smaller, for more precise numbers" if others else "fit"
        if "metric_exponent" in self.proposed:
            remark += "; metric_exponent is not set, so metrics are opened to 4 decimals"
            if "rmse" in params.metrics:
                remark += " of 2^target_exponent"
        return remark

    def _numbers(self) -> str:
        """The bits of the job's gradients."""
        rows, params = self.training, self.params
        if rows is None:
            return "not known without data"
        if "target_exponent" in self.proposed and params.target_exponent is None:
            return "not known without target_exponent"
        numbers = self._layout(rows, (max(len(rows.column_names), 1), 0)).numbers(params)
        self.numbers, warnings = numbers, bits_warnings(numbers)
        text = "; ".join([bits_line(numbers), *warnings])
        return Warned(text) if warnings else text

    def _training(self) -> str:
        """What else a training would refuse of this side's data."""
        if self.training is None or self.first is not None:
            return "not looked at: see what failed"
        half = None if self.old is None else self.old.half
        job = TrainingJob(self.params, self.training, tuple(self.sets), old=half)
        job.check(self.federation.config.rank)
        kinds = self.training.categories
        counted = ", ".join(f"{name!r} {len(of)}" for name, of in list(kinds.items())[:MOST_NAMED])
        more = f" and {len(kinds) - MOST_NAMED} more" if len(kinds) > MOST_NAMED else ""
        limit = f"fewer than {self.params.category_limit} each"
        said = f"; categorical columns ({limit}): {counted}{more}" if kinds else ""
        return f"this side's data can be trained on{said}"

    def _layout(self, rows: Table, columns: tuple[int, int]) -> Layout:
        """The training's shapes; weights the feature party sees by the terms alone."""
        is_weighted = rows.weights is not None or self.params.weight_exponent is not None
        return Layout.of(self.params, rows.count, columns, is_weighted)

    def _enough_rows(self) -> str:
        floors = self.federation.terms.floors
        if self.training is not None:
            floors.check(self.training.count, self._set_rows())
        return (
            f"the terms ask for {floors.training_rows:,} to train on and "
            f"{floors.evaluation_rows:,} to evaluate"
        )

    def _set_rows(self) -> list[tuple[str, int]]:
        return [(name, rows.count) for name, rows in self.sets]

    @property
    def _evaluation_rows(self) -> int:
        return sum(count for _, count in self._set_rows())

    def _columns(self) -> str:
        """Columns of the training data that no split can use; their names stay at this side."""
        if self.training is None:
            return "not read"
        text = uncut_sentence(self.training.columns_without_cut)
        numbering = numbering_sentence(self.training.numbering_columns, LEAVE_OUT)
        return Warned(f"{numbering}; {text}") if numbering else text

    def _column_names(self) -> str:
        """The digest by which the terms may fix this side's columns."""
        if self.training is None:
            return "not read"
        fixed = self.federation.terms.columns_sha256
        agreed = fixed.label if self.federation.role == "label" else fixed.feature
        says = "not in the terms" if agreed is None else "as the terms say"
        return f"sha256 {self.training.names_sha256}, {says}"

    def _labels(self) -> str:
        """Which classes there are, and which of two counts as 1."""
        rows = self.training
        if rows is None:
            return "not read"
        is_multi = self.params.traits.is_multi
        return classes_sentence(rows.classes, rows.class_shares, is_multi=is_multi)

    def _disk(self) -> str:
        root = self.federation.config.run_directory
        existing = next(path for path in (root, *root.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if free < LEAST_DISK_BYTES:
            raise UsageError(f"{existing} has {free / 1e9:.1f} GB free: make room for run files")
        if not os.access(existing, os.W_OK):
            raise UsageError(f"{existing} cannot be written to: change run_directory in party.toml")
        return f"{free / 1e9:.0f} GB free for {root}"

    def _cost(self, rows: Table) -> str:
        """What a training costs and how much memory this side needs; see ``jobs.estimating``.
        Refused where this machine has not that much."""
        own, rank = len(rows.column_names), self.federation.config.rank
        peer = own if self.peer_columns is None else self.peer_columns
        job = Job.of(
            self.federation.terms,
            rows.count,
            (own, peer) if rank == 0 else (peer, own),
            self._set_rows(),
            is_weighted=rows.weights is not None,
        )
        job = replace(job, params=self.params)
        found = self.estimate = estimate(job, rank, self.link)
        text = estimate_sentence(found)
        if self.peer_columns is None:
            text += "; reckoned with as many columns at the other side as here"
        needed, whole = max(found.memory.total, found.session_bytes), machine_bytes()
        figures = f"{needed / 1e9:.1f} GB, and this machine has {whole / 1e9:.1f} GB"
        advice = "use fewer bins, columns, levels or rows, or a larger machine"
        if found.memory.total > whole:
            raise UsageError(
                f"{self.federation.config.name}: a training takes some {figures}: {advice}. {text}"
            )
        if needed > whole / 2:
            return Warned(f"{text}. That is more than half: some {figures}: {advice}")
        text += f"; this machine has {whole / 1e9:.1f} GB"
        dear = evaluation_warning(found, self.params)
        return Warned(f"{text}. {dear}") if dear else text

    def _hidden(self, rows: Table) -> str:
        """How likely an error is in what sends rows left; refused where it is too likely."""
        columns = max(len(rows.column_names), self.peer_columns or 0)
        bits, failure = check_hidden(self.params, columns, rows.count + self._evaluation_rows)
        return f"one of {bits:,} bits is wrong with a probability below 2^{math.ceil(failure)}"

    def _tell(self, failure: SecureXGBError) -> str:
        self.federation.decline("check", failure)
        return (
            f"{self.federation.peer_name} has the same terms and version, and was told that this "
            f"side stopped with {failure_kind(failure)}"
        )

    def _link(self, rows: Table) -> str:
        with self.federation.session("check") as party:
            sets = [("training data", rows), *self.sets]
            same_names(party, sets)
            rows_are = self._compared(party, sets)
            self.dealer = verdict_of(party)
            self.link = measured(party)
            columns = agree_on_columns(party, self.params, rows).counts
            self.peer_columns = columns[1 - party.rank]
            layout = self._layout(rows, columns)
            self.leaks = before_training(self.params, layout, self._set_rows())
            peer, verdict = self.federation.peer_name, f"{self.link}; {verdict_line(self.dealer)}"
            if rows_are is None:
                return f"{peer} has the same terms, version and rows; {verdict}"
            return Warned(f"{peer} has the same terms and version; {verdict}; {rows_are}")

    def _compared(self, party: Party, sets: NamedTables) -> str | None:
        """None where both sides hold the same rows; what to do where they are still to be
        aligned."""
        try:
            same_rows(party, sets, self.federation.terms)
        except DataError as error:  # at both sides, after the same message
            waiting = [name for name, rows in sets if rows.aligned is None]
            if self.federation.terms.align is None or not waiting:
                raise
            return f"not aligned yet: {', '.join(waiting)} ({error})"
        return None


def keys_line(federation: Federation) -> str:
    """This side's certificate and the other one's, which must be theirs and valid."""
    credentials = federation.endpoint().credentials
    own, peer = credentials.own, credentials.peer
    own.check(federation.config.name, "this side's own certificate")
    peer.check(federation.peer_name, "the certificate pinned for the other side")
    return (
        f"own {own.fingerprint[:16]}… until {own.not_after:%Y-%m-%d}, "
        f"{peer.name} {peer.fingerprint[:16]}… until {peer.not_after:%Y-%m-%d}"
    )


def model_key_line(federation: Federation) -> str:
    """Whether this side's files are encrypted; the key is read."""
    key = find_key(federation.config.model_key)
    return "none: models and checkpoints are not encrypted" if key is None else "can be used"


def machine_bytes() -> int:
    """Memory of this machine, or what this process's control group may take of it."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        whole = min(whole, int(CONTROL_GROUP.read_text(encoding="ascii")))
    return whole
