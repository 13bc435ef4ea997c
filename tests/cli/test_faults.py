"""A machine that refuses files in the midst of a training: full disk, failing disk, no more files.

At whatever call that begins: one sentence with the path and what to do, nothing half written, and a
resumption that ends in the same model. Both sides run here, over a link in memory.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from securexgb.cli.output import explain
from securexgb.cli.predict import predict
from securexgb.cli.train import train
from securexgb.errors import FileError
from securexgb.model.files import load_half
from tests.processes.companies import SIDES
from tests.profiles import moments

SMALL = {"n_estimators": 2, "max_depth": 1, "max_bin": 2}
FAULTS = {
    "write": (errno.ENOSPC, "free space on the disk of"),
    "fsync": (errno.EIO, "the disk of .* fails: look at the system's log"),
    "replace": (errno.EDQUOT, "free space of this user's quota in"),
    "open": (errno.EMFILE, r"raise their number \(ulimit -n\)"),
}
TRIED = moments(3, 1000)

pytestmark = pytest.mark.timeout(120 + 4 * TRIED)


class Machine:
    """Counts one side's calls, and from a given one on refuses all of that name."""

    def __init__(self, monkeypatch, victim: str, call: str = "", number: int = 0) -> None:
        self.calls = Counter[str]()
        self.thread: int | None = None
        self._victim = victim
        for name, (code, _) in FAULTS.items():
            monkeypatch.setattr(os, name, self._watched(name, code, name == call and number))

    def begin(self, side: str) -> None:
        if side == self._victim:
            self.thread = threading.get_ident()

    def _watched(self, name, code, first):
        real = getattr(os, name)

        def called(*arguments, **options):
            if threading.get_ident() == self.thread:
                self.calls[name] += 1
                if first and self.calls[name] >= first:
                    raise OSError(code, os.strerror(code))
            return real(*arguments, **options)

        return called


def leaves(companies) -> np.ndarray:
    halves = [
        load_half(max((companies.root / name).glob(f"run/*/model/{role}.npz")))
        for name, role in SIDES.items()
    ]
    return sum(np.stack([tree.leaf_values for tree in half.trees]) for half in halves)


def can_resume(companies) -> bool:
    return all(list((companies.root / name).glob("run/*/checkpoint")) for name in SIDES)


def test_refused_at_any_call_and_resumed(both, companies, monkeypatch, capsys):
    unbroken = companies("unbroken", **SMALL)
    with monkeypatch.context() as patched:
        machine = Machine(patched, "bank")
        both(unbroken, train, before=machine.begin)
    cases = [(call, n + 1) for call, count in machine.calls.items() for n in range(count)]
    assert len(cases) > 100
    for number, (call, n) in enumerate(random.sample(cases, min(TRIED, len(cases)))):
        victim = random.choice(list(SIDES))
        case = f"{call} {n} of {victim}"
        broken = companies(str(number), **SMALL)
        with monkeypatch.context() as patched:
            machine = Machine(patched, victim, call, n)
            with pytest.raises(FileError, match=FAULTS[call][1]) as caught:
                both(broken, train, before=machine.begin)
        capsys.readouterr()
        assert explain(caught.value) == 2, case
        assert capsys.readouterr().err.count("\n") == 1, case
        assert str(broken.root / victim / "run") in str(caught.value), case
        assert not list(broken.root.rglob("*.part")), case
        both(broken, train, resume=can_resume(broken))
        np.testing.assert_array_equal(leaves(broken), leaves(unbroken), err_msg=case)


@contextmanager
def small_disk(folder: Path, kilobytes: int):
    """A disk of its own for ``folder``; skips where this user may not mount one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full(both, companies):
    """Full from the beginning, then after some of the files; then there is room."""
    unbroken, made = companies("unbroken", **SMALL), companies("broken", **SMALL)
    both(unbroken, train)
    run = made.root / "bank" / "run"
    with small_disk(run, 512):
        ballast = run / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(run).free))
        for freed in (0, 24 << 10):
            os.truncate(ballast, ballast.stat().st_size - freed)
            with pytest.raises(FileError, match="No space left on device; free space on the disk"):
                both(made, train, resume=can_resume(made))
            assert not list(run.rglob("*.part"))
        ballast.unlink()
        both(made, train, resume=can_resume(made))
        np.testing.assert_array_equal(leaves(made), leaves(unbroken))


def test_predictions_without_room_are_not_opened(both, companies):
    made = companies("loans", **SMALL)
    both(made, train)
    ledger = made.run_directory("bank") / "ledger.json"
    before = ledger.read_bytes()
    scores = made.root / "scores"
    with small_disk(scores, 64):
        (scores / "ballast").write_bytes(bytes(shutil.disk_usage(scores).free))
        with pytest.raises(FileError, match=r"scores\.csv: No space left on device; free space"):
            both(made, predict, output=scores / "scores.csv")
        assert ledger.read_bytes() == before
        (scores / "ballast").unlink()
        both(made, predict, output=scores / "scores.csv")
        assert (scores / "scores.csv").exists()
