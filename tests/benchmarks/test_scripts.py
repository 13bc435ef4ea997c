"""Every benchmark runs, at sizes of no interest, and a page can be made of what they print."""

import ast
import importlib
import inspect
import json
import subprocess
import sys

import pytest

from tests.benchmarks.conftest import BENCHMARKS
from tests.processes.forked import relayed
from tests.profiles import is_thorough

MODULES = {
    "arrivals", "attacks", "balancer", "bars", "beside", "breakdown_tables", "confined",
    "earlier_scores", "faults", "fits", "formats", "grown", "hostile", "inputs",
    "judged", "killed_alignments", "lattices", "leak_tables", "lines", "locust_scenario",
    "loopback", "measure", "model_tables", "oracle", "parity", "party", "plots",
    "problems", "proxies", "quickest", "relay", "replicas", "report", "run", "sections",
    "serving_tables", "shard_tables", "sgb_party", "shaper", "sharded_head", "spent", "works",
}  # fmt: skip
"""What is no question of the plan: modules of others; faults and hostile, which take long."""
TOO_LONG = ("accuracy.py --shares", "accuracy.py --itself")
"""Commands of the plan that have no tiny form."""
AT_LENGTH = {
    "accuracy", "confinement", "exports", "homomorphic", "leaks", "numbers", "operations", "shards",
    "splits", "versus",
}  # fmt: skip
"""Questions that take long even so, or ask a script once more: they are run in a long run."""
NEVER_RUN = {"faults", "hostile", "killed_alignments"}
"""Scripts that no test runs."""


def scripts(plan, questions):
    """What the commands of these questions run."""
    return {command.split()[0] for question in questions for command in plan[question]}


def start(folder, *arguments):
    return subprocess.run(
        [sys.executable, BENCHMARKS / "run.py", "--tiny", "--results", folder, *arguments],
        env=relayed(BENCHMARKS.parent),
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_script_is_in_the_plan():
    import run

    questions = {path.stem for path in BENCHMARKS.glob("*.py")} - MODULES
    for plan in (run.PLAN, run.TINY):
        assert {f"{question}.py" for question in questions} == scripts(plan, plan)
    assert set(run.TINY) == set(run.PLAN)
    assert set(TOO_LONG) < set(run.PLAN["numbers"])


def test_what_takes_long_calls_functions_as_they_are():
    """These are not run at each change: what they import is there, and takes what they give it."""
    import run

    at_length = scripts(run.TINY, AT_LENGTH) - scripts(run.TINY, run.TINY.keys() - AT_LENGTH)
    for script in sorted(NEVER_RUN | {name.removesuffix(".py") for name in at_length}):
        assert_calls_fit(script)


def assert_calls_fit(script):
    module = importlib.import_module(script)
    calls = [
        (known, call)
        for call in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if inspect.isfunction(known := vars(module).get(call.func.id))
        if not any(isinstance(given, ast.Starred) for given in call.args)
    ]
    assert any(known.__module__ != script for known, _ in calls)
    for known, call in calls:
        named = {word.arg: word.value for word in call.keywords if word.arg is not None}
        inspect.signature(known).bind(*call.args, **named)


@pytest.mark.timeout(600)
def test_all_run(tmp_path):
    import run

    asked = set(run.TINY) - (set() if is_thorough() else AT_LENGTH)
    done = start(tmp_path, *sorted(asked))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.stem for path in tmp_path.glob("*.jsonl")} == asked
    for path in tmp_path.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            assert json.loads(line)
    for name, unmeasured in (("benchmarks.md", 0), ("accuracy.md", len(TOO_LONG))):
        page = (tmp_path / name).read_text()
        assert page.count("Not measured yet.") == unmeasured or not is_thorough()

    def of(question):
        return map(json.loads, (tmp_path / f"{question}.jsonl").read_text().splitlines())

    for line in of("growth"):
        # Exact but for a byte a party and tree, and the gradients, scaled from a sample.
        assert line["mean"]["online_megabytes"] == pytest.approx(
            line["model"]["online_megabytes"], rel=1e-2
        )
    (parts,) = of("breakdown")
    for spent, whole in parts["online"].items():
        found = sum(step[spent] for step in parts["steps"].values())
        assert found == pytest.approx(whole, rel=1e-3)
    assert sum(step["seconds"] for step in parts["steps"].values()) > 0


def test_every_protocol_is_measured():
    from operations import arguments

    from securexgb.mpc.protocol import REGISTRY

    assert set(arguments(64)) == set(REGISTRY)
    lines = (BENCHMARKS / "results" / "operations.jsonl").read_text().splitlines()
    named = {line["protocol"] for line in map(json.loads, lines) if "protocol" in line}
    assert named == set(REGISTRY)  # docs/benchmarks.md speaks of those that there are


def test_old_lines_stay_where_a_benchmark_fails(tmp_path):
    import run

    (tmp_path / "channel.jsonl").write_text("old")
    assert not run.measured("channel", ("channel.py --no-such-flag",), tmp_path)
    assert (tmp_path / "channel.jsonl").read_text() == "old"
