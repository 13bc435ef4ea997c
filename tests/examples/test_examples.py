"""Every example runs to its end, its folder named as people type it."""

import re
import subprocess
import sys

import pytest

from tests.processes.forked import PAGELESS, ROOT, relayed
from tests.profiles import is_thorough

ARGUMENTS = {
    "attested_dealer.py": ["work"],
    "estimator.py": [],
    "laboratory.py": [],
    "serving.py": ["work", "--trees", "2", "--rows", "150"],
    "two_clusters.py": ["work", "--trees", "1", "--rows", "200"],
    "two_companies.py": ["work", "--trees", "2", "--rows", "150"],
}
DEALT = [("two_companies.py", ["--offline", "dealt"])] if is_thorough() else []
"""The attested one shows a dealer in every run; this one does at length."""


def test_every_example_is_run_here():
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == set(ARGUMENTS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "more"),
    [*((name, []) for name in ARGUMENTS), *DEALT],
)
def test_example(name, more, tmp_path):
    if name == "serving.py":
        pytest.importorskip("uvicorn", reason="the extra [serve] is not installed")
    if name == "two_clusters.py":
        pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    has_no_page = bool(more) or name in ("attested_dealer.py", "serving.py", "two_clusters.py")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *ARGUMENTS[name], *more],
        env=relayed(*([PAGELESS] * has_no_page), ROOT),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
    if name == "attested_dealer.py":
        assert "assurance dev" in done.stdout
        assert "refused (measurement)" in done.stdout
    if name == "laboratory.py":
        assert "UpToDate" in done.stdout
        assert done.stdout.count("(untrusted_root)") == done.stdout.count("(svn)") == 2
    if name == "serving.py":
        assert done.stdout.count(", scored\n") == 2
        assert "None, unknown here" in done.stdout
        assert "None, unknown there" in done.stdout
        assert "both replicas have ended in order" in done.stdout
    if name == "two_clusters.py":
        passed = re.findall(r"  (\S+): ([\d.]+) MB in", done.stdout)
        assert [one for one, _ in passed] == ["bank", "shard-0.bank", "shard-1.bank"]
        assert all(float(megabytes) > 0 for _, megabytes in passed)
        assert done.stdout.count("took longest") == 0 < done.stderr.count("took longest")
    if name == "two_companies.py":
        says = "none: the dealer" if more else "there is no dealer"
        check_two_companies(tmp_path / "work", done.stdout, says, has_no_page)


def check_two_companies(folder, stdout, says, has_no_page):
    assert "AUC 0." in stdout
    files = {"bank": "label.npz", "bureau": "feature.npz"}
    for name, half in files.items():
        (run,) = (folder / name / "run").iterdir()
        found = {path.name for path in run.iterdir()}
        assert found >= {
            "job.toml", "log.jsonl", "metrics.jsonl", "ledger.json", "model", "checkpoint",
            "report.json",
        }  # fmt: skip
        assert [path.name for path in (run / "model").iterdir()] == [half]
        other = "arrears" if name == "bank" else "income"
        kept = run / ("report.json" if has_no_page else "report.html")
        assert other not in kept.read_text()
        assert has_no_page or says in kept.read_text()
    predictions = next((folder / "bank" / "run").glob("*/predictions.csv"))
    lines = predictions.read_text().splitlines()
    assert lines[0] == '"id","probability of 1"'
    assert len(lines) == 41  # of 50 in the test each company lacks 5
    assert not list((folder / "bureau").glob("**/predictions.csv"))
