"""What takes too long for every change: ``make thorough``.

Steps one after the other, each with a time limit; one that fails does not stop the next, and the
exit code is 1 if any did. The last result of each step is a line of ``benchmarks/results/
thorough.jsonl``, what ``benchmarks/faults.py`` counts lies beside it, and the tables of
``docs/reliability.md`` are drawn from these lines, never typed.
``--only STEP`` does one step, as in ``make thorough STEPS="faults exports"``.

Needs the standard library, and an interpreter with the developer's packages, from which it makes
the others' environments under ``target/thorough``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "target" / "thorough"
RECORD = ROOT / "benchmarks" / "results" / "thorough.jsonl"
SURVIVED = ROOT / "benchmarks" / "results" / "faults.jsonl"
HOSTILE = ROOT / "benchmarks" / "results" / "hostile.jsonl"
PAGE = ROOT / "docs" / "reliability.md"
MINORS = (11, 12, 13, 14)
"""CPython 3.x of these are looked for."""
PLACES = ("/usr/bin", "/usr/local/bin", "/opt/python*/bin", "~/.pyenv/versions/*/bin",
          "~/.local/share/uv/python/*/bin")  # fmt: skip
EXTRAS = ("ckks", "oracle", "paillier", "report", "serve")
"""What a user may add to an installation."""
XGBOOSTS = ("3.0", "3.1", "3.2")
"""The newest of each of these, beside the lowest and the newest that the ranges allow."""
PARSERS = ("tests/channel", "tests/attestation", "tests/terms", "tests/model", "tests/storage",
           "tests/dealer", "tests/jobs/test_files.py")  # fmt: skip
VALUES = (
    "tests/arith",
    "tests/mpc",
    "tests/costs",
    "tests/kernels",
    "tests/boost",
    "tests/he",
    "tests/offline",
    "tests/benchmarks",
    "tests/examples",
    "tests/estimator",
)
FAULTS = ("tests/processes/test_resume.py", "tests/processes/test_failures.py",
          "tests/cluster/test_whole_path.py", "tests/cluster/test_lost_worker.py",
          "tests/cli/test_faults.py", "tests/cli/test_books.py", "tests/storage",
          "tests/channel/test_grpc.py", "tests/dealer/test_service.py")  # fmt: skip
EXPORTS = ("tests/reference", "tests/model/test_export.py", "tests/jobs/test_simulation.py")
NEWEST_PACKAGES = "tests/test_dependencies.py::test_every_package_has_its_line"
HELD_PARTY, HELD_DEALER = (3, 6), (None,)
"""How victims of attackers with the pinned key may end: a dealer goes on."""
LONG = ("--hypothesis-profile", "thorough", "--timeout", "3600")
_SUMMARY = re.compile(r"^=*\s*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s.*$", re.MULTILINE)
_SHOWN_LINES = 30


class Failed(Exception):
    """A step failed; says how."""


class Absent(Exception):
    """What a step is about is not on this machine."""


@dataclass
class Bench:
    """One step's means: its log, what is left of its time, and what it says."""

    log: Path
    ends: float
    part: Sequence[str]
    figures: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str | Path, cwd: Path = ROOT, quiet: bool = False) -> str:
        """Run to the end, its output into the log; Failed for a bad exit or no time left."""
        shown = " ".join(Path(part).name for part in map(str, command[:1])) + " …"
        environment = os.environ | {"PYTHONPATH": str(ROOT) if cwd == ROOT else ""}
        with self.log.open("a+") as log:
            start = log.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                code = process.wait(max(1.0, self.ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            log.seek(start)
            output = log.read()
        if code is None:
            raise Failed(f"{shown} was not done when the step's time was up")
        if code and not quiet:
            raise Failed(f"{shown} ended with {code}: {output.strip().splitlines()[-1:]}")
        return output

    def suite(self, python: Path, *arguments: str) -> None:
        """Run pytest and note its counts; Failed unless all passed."""
        tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--numprocesses", "auto")
        output = self.run(python, *tests, "--dist", "worksteal", *arguments, quiet=True)
        counts = _SUMMARY.findall(output)
        if not counts:
            raise Failed("pytest did not come to its end")
        self.figures.append(counts[-1])
        if re.search(r"\b(failed|errors?)\b", counts[-1]) or "passed" not in counts[-1]:
            raise Failed("a test failed")


def main() -> int:
    """Run the steps, then write the record and the page."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reader.add_argument("--only", action="append", choices=sorted(STEPS), help="this step alone")
    reader.add_argument("--page", action="store_true", help="only draw the page from the record")
    reader.add_argument("--part", nargs="+", default=(), help="these tests where all are run")
    options = reader.parse_args()
    failed = False
    if not options.page:
        shutil.rmtree(WORK / "logs", ignore_errors=True)
        (WORK / "logs").mkdir(parents=True)
        for name in options.only or STEPS:
            line = performed(name, options.part)
            failed |= line["result"] == "failed"
            keep(line)
            PAGE.write_text(drawn(PAGE.read_text()))  # the next step's tests compare it
    else:
        PAGE.write_text(drawn(PAGE.read_text()))
    return int(failed)


def performed(name: str, part: Sequence[str]) -> dict[str, Any]:
    """Do one step, tell how it went, and give its line of the record."""
    minutes, job = STEPS[name]
    began = time.monotonic()
    bench = Bench(WORK / "logs" / f"{name}.log", began + 60 * minutes, part)
    print(f"{name}: at most {minutes} minutes", flush=True)
    try:
        job(bench)
        result = "passed"
    except Absent as error:
        result = "absent"
        bench.figures.append(str(error))
    except Failed as error:
        result = "failed"
        bench.figures.append(str(error))
        last = bench.log.read_text().splitlines()[-_SHOWN_LINES:]
        print("\n".join(line[:200] for line in last))
    seconds = round(time.monotonic() - began)
    print(f"{name}: {result} in {seconds} s; {'; '.join(bench.figures)}", flush=True)
    return {
        "step": name,
        "result": result,
        "figures": bench.figures,
        "seconds": seconds,
        "versions": bench.versions,
        "revision": revision(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine(),
    }


def wheel(bench: Bench) -> None:
    """The wheel that all environments install, built once, for every Python and old machines."""
    shutil.rmtree(WORK / "wheels", ignore_errors=True)
    places = (f"VENV={WORK / 'wheel-tools'}", f"DIST={WORK / 'wheels'}")
    bench.run("make", "wheel", *places, f"PYTHON={sys.executable}")
    found = built_wheel()
    if "-abi3-manylinux2014_x86_64" not in found.name:
        raise Failed(f"{found.name} is not for every Python, or not for machines of 2014")
    bench.figures.append(f"{found.stat().st_size / 2**20:.1f} MB, abi3, glibc 2.17")


def carried(bench: Bench) -> None:
    """As docs/installation.md has it: without a compiler, from a folder of wheels alone."""
    for minor in MINORS:
        found = find_python(minor)
        if found is None:
            continue
        folder, place = WORK / "carried" / str(minor), WORK / "venvs" / f"carried3.{minor}"
        for old in (folder, place):
            shutil.rmtree(old, ignore_errors=True)
        bench.run(found, "-m", "venv", place)
        pip = (place / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check")
        bench.run(*pip, "download", "--only-binary", ":all:", "--dest", folder, built_wheel())
        bench.run(*pip, "install", "--no-index", "--find-links", folder, "securexgb")
        listed = bench.run(*pip, "list", "--format", "freeze").split()
        bench.run(place / "bin" / "securexgb", "simulate", "--trees", "2", cwd=WORK)
        bench.figures.append(f"3.{minor}: {len(listed)} packages, trains")
        if any(line.startswith(("xgboost", "nvidia")) for line in listed):
            raise Failed("a bare installation brings xgboost")


def built_wheel() -> Path:
    for found in (WORK / "wheels").glob("securexgb-*.whl"):
        return found
    raise Failed("there is no wheel: its step comes first")


def lowest(bench: Bench) -> None:
    """All tests with the lowest version of every direct dependency."""
    python = environment(bench, "lowest", sys.executable, "lowest-direct")
    # Of packages that only old versions bring docs/dependencies.md has no line.
    whole(bench, python, "--deselect", NEWEST_PACKAGES)


def interpreter(minor: int) -> Callable[[Bench], None]:
    """All tests, and a demonstration by the wheel, with CPython 3.``minor``."""

    def job(bench: Bench) -> None:
        found = find_python(minor)
        if found is None:
            raise Absent(f"no CPython 3.{minor} on this machine")
        python = environment(bench, f"python3.{minor}", found, "highest")
        bench.run(python, "-I", "-m", "securexgb", "simulate", "--trees", "2", cwd=WORK)
        whole(bench, python)

    return job


def whole(bench: Bench, python: Path, *options: str) -> None:
    """The whole suite, or the part of it that was asked for, which the figures then say."""
    if bench.part:
        bench.figures.append("a part: " + ", ".join(bench.part))
    bench.suite(python, *options, *bench.part)


def parsers(bench: Bench) -> None:
    """Frames, greetings, evidence, collateral, policies, settings, model files, tables, dealing."""
    bench.suite(Path(sys.executable), "-m", "hypothesis", *LONG, *PARSERS)


def readers(bench: Bench) -> None:
    """A million bad files and messages, of every kind that is read."""
    output = bench.run(sys.executable, "-m", "tests.readers.many", quiet=True)
    found = json.loads(output.splitlines()[-1])
    bench.figures.append(
        f"{found['inputs']:,} bad ones for {found['readers']} readers: {found['refused']:,} "
        f"refused, {found['read']:,} read"
    )
    if found["wrong"]:
        raise Failed(f"seed {found['seed']}: {found['wrong']}")


def values(bench: Bench) -> None:
    """Protocols, number formats, kernels, schemes and correlations on random values."""
    bench.suite(Path(sys.executable), "-m", "hypothesis", *LONG, *VALUES)


def faults(bench: Bench) -> None:
    """Kills, cuts and full disks at many moments, and every failure of the usual tests."""
    bench.suite(Path(sys.executable), *LONG, *FAULTS)


def links(bench: Bench) -> None:
    """What a training survives without a person: stalls, resets, real proxies, a side that dies."""
    output = bench.run(sys.executable, "benchmarks/faults.py")
    lines = [line for line in output.splitlines() if line.startswith('{"fault"')]
    SURVIVED.write_text("".join(f"{line}\n" for line in lines))
    entries = [json.loads(line) for line in lines]
    keys = ("runs", "injected", "same_model")
    runs, injected, good = (sum(entry[key] for entry in entries) for key in keys)
    bench.figures.append(
        f"{injected} faults; {good} of {runs} ended with the unbroken model or order"
    )
    if good < runs:
        raise Failed("a training or an alignment was lost, or what it ended with is another")


def attackers(bench: Bench) -> None:
    """What a side with the pinned key can do to a victim's memory, time and exit code."""
    output = bench.run(sys.executable, "benchmarks/hostile.py")
    lines = [line for line in output.splitlines() if line.startswith('{"question": "hostile"')]
    HOSTILE.write_text("".join(f"{line}\n" for line in lines))
    entries = [json.loads(line) for line in lines]
    peak = max(entry["peak_rss_mb"] for entry in entries)
    bench.figures.append(f"{len(entries)} attacks, at most {peak:.0f} MB")
    ends = {"party": HELD_PARTY, "dealer": HELD_DEALER}
    if wrong := [one["attack"] for one in entries if one["exit_code"] not in ends[one["victim"]]]:
        raise Failed("a victim ended as it should not: " + ", ".join(wrong))


def exports(bench: Bench) -> None:
    """Both halves as xgboost's model, and training as its oracle, in several versions of it."""
    python = environment(bench, "exports", sys.executable, "highest")
    wanted = [f"=={bound('xgboost')}", *(f"=={minor}.*" for minor in XGBOOSTS), "<4"]
    seen = []
    for version in wanted:
        bench.run(tools(bench), "pip", "install", "-qU", "--python", python, f"xgboost{version}")
        found = installed(bench, python)["xgboost"]
        if found not in seen:
            seen.append(found)
            bench.figures.append(f"xgboost {found}:")
            bench.suite(python, *EXPORTS)
    bench.versions["xgboost"] = ", ".join(seen)


STEPS: dict[str, tuple[int, Callable[[Bench], None]]] = {
    "wheel": (30, wheel),
    "carried": (30, carried),
    "lowest": (60, lowest),
    **{f"python3.{minor}": (60, interpreter(minor)) for minor in MINORS},
    "parsers": (45, parsers),
    "readers": (60, readers),
    "values": (60, values),
    "faults": (60, faults),
    "links": (180, links),
    "hostile": (20, attackers),
    "exports": (45, exports),
}
"""Minutes that each may take, and what it does, in this order."""


def tools(bench: Bench) -> Path:
    """uv, which resolves lowest versions and makes environments; installed where it is not."""
    place = WORK / "tools"
    found = place / "bin" / "uv"
    if not found.exists():
        bench.run(sys.executable, "-m", "venv", place)
        bench.run(place / "bin" / "python", "-m", "pip", "install", "--quiet", "uv")
    return found


def environment(bench: Bench, name: str, base: Path | str, resolution: str) -> Path:
    """The Python of a fresh environment with the wheel and what its tests need."""
    uv, place, pins = tools(bench), WORK / "venvs" / name, WORK / f"{name}.txt"
    python = place / "bin" / "python"
    shutil.rmtree(place, ignore_errors=True)
    bench.run(uv, "venv", "-q", "--python", base, place)
    options = ("--python", python, "--resolution", resolution, "--extra", "test")
    bench.run(uv, "pip", "compile", "-q", *options, ROOT / "pyproject.toml", "-o", pins)
    bench.run(uv, "pip", "install", "-q", "--python", python, "-r", pins)
    bench.run(uv, "pip", "install", "-q", "--python", python, "--no-deps", built_wheel())
    bench.versions = {
        name: version for name, version in installed(bench, python).items() if name in declared()
    }
    bench.versions["python"] = bench.run(python, "-c", _VERSION).strip()
    return python


def installed(bench: Bench, python: Path) -> dict[str, str]:
    listed = bench.run(tools(bench), "pip", "list", "-q", "--python", python, "--format", "json")
    return {entry["name"]: entry["version"] for entry in json.loads(listed)}


def requirements() -> list[str]:
    """Direct dependencies of a run, its extras among them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(text for name in EXTRAS for text in extras[name])]


def declared() -> set[str]:
    return {re.split("[<>=!~]", requirement, maxsplit=1)[0] for requirement in requirements()}


def bound(name: str) -> str:
    """The lowest version that the ranges allow."""
    (line,) = [text for text in requirements() if text.startswith(f"{name}>=")]
    return line.removeprefix(f"{name}>=").split(",")[0]


_VERSION = "import platform; print(platform.python_implementation(), platform.python_version())"


def find_python(minor: int) -> Path | None:
    """A CPython 3.``minor`` that starts: on the path, or where others put theirs."""
    name = f"python3.{minor}"
    places = [Path(place) for place in os.get_exec_path()]
    for pattern in PLACES:
        full = Path(pattern).expanduser()
        places += sorted(Path(full.anchor).glob(str(full.relative_to(full.anchor))))
    for place in places:
        if not (place / name).exists():
            continue
        asked = subprocess.run(
            [place / name, "-c", _VERSION], capture_output=True, text=True, check=False
        )
        if asked.stdout.startswith(f"CPython 3.{minor}."):
            return place / name
    return None


def revision() -> str:
    """The commit; with a mark where files differ from it, but for what this program writes."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout

    changed = [line[3:] for line in git("status", "--porcelain").splitlines()]
    own = {str(path.relative_to(ROOT)) for path in (RECORD, SURVIVED, HOSTILE, PAGE)}
    return git("rev-parse", "--short", "HEAD").strip() + ("+" if set(changed) - own else "")


def machine() -> str:
    """In words, without its name."""
    script = "from securexgb import _kernels; print(*_kernels.simd_paths())"
    paths = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ).stdout.split()  # fmt: skip
    gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} cores, {gigabytes:.0f} GB, kernels: {', '.join(paths)}"


def keep(line: dict[str, Any]) -> None:
    """Put a step's line in the place of its last one."""
    lines = {old["step"]: old for old in recorded()} | {line["step"]: line}
    ordered = [lines[name] for name in STEPS if name in lines]
    RECORD.write_text("".join(json.dumps(entry) + "\n" for entry in ordered))


def recorded(record: Path = RECORD) -> list[dict[str, Any]]:
    text = record.read_text() if record.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def drawn(page: str) -> str:
    """The page with its tables drawn anew from the record."""
    lines = recorded()
    drawings = (
        ("results", results(lines)),
        ("versions", versions(lines)),
        ("links", survived(recorded(SURVIVED))),
        ("hostile", hostile()),
    )
    for name, table in drawings:
        pattern = rf"(<!-- thorough: {name} -->\n).*?(<!-- end -->)"
        page = re.sub(pattern, lambda m, t=table: f"{m[1]}\n{t}\n{m[2]}", page, flags=re.DOTALL)
    return page


def results(lines: Iterable[dict[str, Any]]) -> str:
    lines = list(lines)
    if not lines:
        return "Not run yet.\n"
    rows = [
        (
            entry["step"], entry["result"], "; ".join(entry["figures"]).replace(":;", ":"),
            f"{entry['seconds'] / 60:.0f}", f"{entry['date']}, {entry['revision']}",
            entry["machine"],
        )
        for entry in lines
    ]  # fmt: skip
    machines = sorted({row[-1] for row in rows})
    head = ("step", "result", "figures", "minutes", "date, revision")
    return table(head, [row[:-1] for row in rows]) + "\n\nOn: " + "; ".join(machines) + ".\n"


def survived(lines: Sequence[dict[str, Any]]) -> str:
    if not lines:
        return "Not run yet.\n"
    keys = ("runs", "injected", "survived", "lost", "same_model", "tries", "seconds_more")
    head = ("fault", "runs", "faults", "survived", "lost", "same model or order", "tries",
            "seconds more")  # fmt: skip
    return table(
        head, [(entry["fault"], *(str(entry[key]) for key in keys)) for entry in lines]
    ) + (
        f"\n\nWith `timeout_seconds = {lines[0]['timeout_seconds']}` and "
        f'`retries = {lines[0]["retries"]}`; "seconds more" is the median beyond an unbroken '
        "training or alignment.\n"
    )


def versions(lines: Iterable[dict[str, Any]]) -> str:
    told = [entry for entry in lines if len(entry["versions"]) > 2]
    if not told:
        return "Not run yet.\n"
    names = sorted({name for entry in told for name in entry["versions"]} - {"python"})
    rows = [
        (name, *(entry["versions"].get(name, "") for entry in told)) for name in ["python", *names]
    ]
    return table(("package", *(entry["step"] for entry in told)), rows) + "\n"


def hostile() -> str:
    """What attackers with a certificate did to their victims, by benchmarks/hostile.py."""
    text = HOSTILE.read_text() if HOSTILE.exists() else ""
    rows = [
        (
            entry["victim"], entry["attack"], f"{entry['seconds']:.1f}",
            f"{entry['peak_rss_mb']:.0f}",
            "serves on" if entry["exit_code"] is None else str(entry["exit_code"]),
        )
        for entry in map(json.loads, text.splitlines())
    ]  # fmt: skip
    return table(("victim", "attack", "seconds", "peak MB", "exit code"), rows) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
