"""Rules of the source code that keep secrets in: read from its syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import securexgb
from securexgb import errors

ROOT = Path(securexgb.__file__).parent

MASKED = {
    "mpc/circuits/chains.py",
    "mpc/convert.py",
    "mpc/digits.py",
    "mpc/garbled/execute.py",
    "mpc/left_bits.py",
    "mpc/multiplex.py",
    "mpc/trees/halves.py",
    "mpc/trees/leaf_sums.py",
    "mpc/numbers/lift.py",
    "mpc/multiply.py",
    "mpc/packed.py",
}
"""Files whose messages are masked words; tests/mpc/test_uniform.py measures each of them."""
ALIGNING = {"align/count.py", "align/intersect.py", "align/limits.py"}
"""Files whose messages are of alignment: counts, coins, encodings under masks, points, hashes; its
argument is docs/alignment.md, and tests/align compares transcripts."""
OPENING = {"mpc/open.py"}
ROUNDING = {"mpc/numbers/round_to.py"}
"""Opens to one party by masked entries, by name; tests/mpc/test_uniform.py measures these."""
ENCRYPTED = {"hybrid/conversions.py"}
"""Files that pass public keys and ciphertexts, those of results masked; see tests/hybrid."""
PUBLIC = {
    "align/ids.py": "row counts and keyed digests of ids, see its docstring",
    "boost/booster.py": "whether a party wants to stop: one byte, every tree",
    "boost/importance.py": "rounds that a side predicts with, whether it has the per cents",
    "boost/metrics/whole.py": "whether a side has the auc of all rows",
    "boost/predict.py": "what is to be predicted: model id, trees, rows, recipient",
    "boost/splits/opened.py": "what is to be exported: model id, rounds, recipient",
    "jobs/export.py": "names of columns, and of categories that splits name, to whom a model goes",
    "jobs/data/columns.py": "numbers of columns, which of the terms' names a side does not have",
    "cluster/head.py": "a random name of the session of its shards",
    "jobs/agreement.py": "public facts of a job: shapes, parameters, a nonce",
    "jobs/resuming/choice.py": "runs of a job: names, model ids, how many trees, whether finished",
    "jobs/resuming/common_model.py": "ids of the models of a job that a side has",
    "jobs/training.py": "that a side has kept all trees: an empty message",
    "jobs/aligning/session.py": "coins and terms of an alignment, a digest of the order it found",
    "jobs/aligning/tables.py": "a digest of the order of an alignment that both sides have",
    "jobs/estimating/link.py": "zeros whose way is timed, and seconds that it took",
    "jobs/alignment.py": "names of the evaluation sets; how many columns each side holds",
    "jobs/evaluation.py": "what is to be measured: model id, trees, rows, metrics",
    "serve/scoring/session.py": "for how many rows a side keeps correlations in stock",
    "jobs/ledgers.py": "how many values of each kind were opened to whom: both sides saw them be",
}
"""Files that send public facts, and which ones: a new one has to be argued for here."""
TOLD = {"serve/scoring/messages.py"}
"""Keys of rows that are asked for, counted as REQUESTED_KEYS, and which of them are scored."""
BEFORE_A_PARTY = {"federation/coins.py", "federation/dealer.py", "federation/session.py"}
WITHIN_A_COMPANY = {"cluster/link.py", "cluster/worker.py"}
"""A head and its own shards: nothing of it goes to the other company."""
LINKS = ("channel/", "offline/", "dealer/", "_pb/")
NO_SIDE_EFFECTS = ("mpc/", "boost/", "arith/")


@cache
def files() -> dict[str, ast.Module]:
    """Every source file of the package by its path in it."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
        for path in ROOT.rglob("*.py")
        if "_pb" not in path.parts
    }


def methods(tree: ast.Module) -> Iterator[str]:
    """Names of all methods that are called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


def names(tree: ast.Module) -> set[str]:
    """All names read and imported."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
    return found


def imports(tree: ast.Module) -> set[str]:
    """Top-level names of all imported modules."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@cache
def called() -> dict[str, frozenset[str]]:
    """What methods each file calls."""
    return {path: frozenset(methods(tree)) for path, tree in files().items()}


def callers(method: str) -> set[str]:
    return {path for path, found in called().items() if method in found}


def test_shares_are_sent_by_few_files() -> None:
    assert callers("exchange") == MASKED | ALIGNING | OPENING
    aligning = {"align/intersect.py", "align/vole.py"}
    assert callers("pass_words") == OPENING | ROUNDING | ENCRYPTED | aligning
    assert callers("in_round") == {"mpc/party.py", "mpc/together.py"}


def test_public_facts_are_sent_by_files_that_say_which() -> None:
    assert callers("exchange_bytes") == set(PUBLIC)
    assert callers("pass_bytes") == TOLD


def test_nobody_above_the_channels_sends_or_receives() -> None:
    """mpc.party is the one door; federation agrees on coins, and which link is whose, before there
    is a party."""
    for method in ("send", "receive"):
        found = {path for path in callers(method) if not path.startswith(LINKS)}
        assert found <= {"mpc/party.py"} | BEFORE_A_PARTY | WITHIN_A_COMPANY, method


def test_opening_without_a_name_is_impossible() -> None:
    """The bare openings stay in their file; all others name a member of Reveal."""
    for path, tree in files().items():
        own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        if path not in OPENING:
            assert not ({"_open", "_open_to"} - own) & names(tree), path
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in ("open_shared", "open_to", "rounded_to", "open_numbers_to"):
                last = node.args[-1]
                assert isinstance(last, ast.Attribute), (path, node.lineno)
                assert isinstance(last.value, ast.Name), (path, node.lineno)
                assert last.value.id == "Reveal", (path, node.lineno)


def test_the_words_of_shares_are_put_together_in_the_opening_alone() -> None:
    """Nobody decodes a share: ``decode`` is for opened words."""
    for path, tree in files().items():
        if path.startswith("mpc/"):
            assert "decode" not in names(tree), path


BANNED_MODULES = {"random", "pickle", "cPickle", "shelve", "marshal", "dill", "cloudpickle"}
BANNED_CALLS = {"eval", "exec", "compile", "__import__", "print", "input"}


def test_no_weak_randomness_no_pickle_no_eval_no_print() -> None:
    for path, tree in files().items():
        assert not imports(tree) & BANNED_MODULES, path
        called = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        allowed = {"print"} if path.startswith("cli/") else set()
        assert not called & BANNED_CALLS - allowed, path
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) != ("np", "random"), (path, node.lineno)
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), (path, node.value.lineno)
                assert node.value.value is False, (path, node.value.lineno)


def test_protocols_and_algorithm_have_no_side_effects() -> None:
    """No clock, no environment, no network, no log in what both parties must do alike."""
    for path, tree in files().items():
        if path.startswith(NO_SIDE_EFFECTS):
            banned = {"grpc", "asyncio", "socket", "logging", "subprocess", "time"}
            assert not imports(tree) & banned, path
            assert "sleep" not in set(methods(tree)), path
        if path.startswith("mpc/"):
            assert not imports(tree) & {"os", "json", "secrets", "pathlib"}, path


WRITING = {
    "storage/whole.py": "what a run leaves, for the user alone",
    "cli/options.py": "new settings and terms, to be edited and sent",
    "dealer/attesters/files.py": "a kernel's interface",
    "dealer/server.py": "the dealer's certificate",
}


def test_what_a_run_leaves_is_written_in_one_place() -> None:
    """There files are 0600 and directories 0700; tests/processes walk what a run left."""
    for method in ("write_text", "write_bytes", "mkdir"):
        assert callers(method) <= set(WRITING), method
    for path, tree in files().items():
        modes = [
            node.args[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "open"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ]
        assert not set("".join(map(str, modes))) & set("wax+"), path


def test_nothing_is_mutated_at_module_level() -> None:
    """Module-level names hold constants; the registry of protocols is the one exception."""
    for path, tree in files().items():
        if not path.startswith(("mpc/", "boost/")):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                pytest.fail(f"{path}:{node.lineno} rebinds a module-level name")


ASSERTED: dict[str, list[str]] = {}
"""What code of ours must have given to code of ours: without the check it would fail a line later,
or compute on wrong shapes; nothing would be sent that is not masked."""


def test_what_guards_masks_and_messages_is_never_asserted() -> None:
    """``assert`` vanishes under -O. What may stay there tells the type checker what a value is,
    or is listed above; the guards themselves are broken in tests/security/guards.py."""
    guarding = ("he/", "correlations/", "offline/", "mpc/", "hybrid/", "dealer/", "channel/")
    for path, tree in files().items():
        if not path.startswith(guarding):
            continue
        tests = [ast.unparse(node.test) for node in ast.walk(tree) if isinstance(node, ast.Assert)]
        others = [
            test
            for test in tests
            if not test.endswith(" is not None") and not test.startswith("isinstance(")
        ]
        assert others == ASSERTED.get(path, []), path


@pytest.mark.parametrize(
    "path",
    [
        "estimator/model.py", "estimator/tables.py", "boost/params.py", "federation/dealer.py",
        "federation/session.py",
        "jobs/alignment.py", "jobs/data/files.py", "terms/job.py", "terms/party.py",
        "terms/toml.py",
    ],
)  # fmt: skip
def test_what_users_give_is_never_asserted(path: str) -> None:
    """``assert`` vanishes under -O; users' mistakes raise errors with a sentence."""
    lines = [node.lineno for node in ast.walk(files()[path]) if isinstance(node, ast.Assert)]
    assert not lines


def test_no_message_says_what_its_help_says_again() -> None:
    """The line after an error is for what its message leaves out."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    starts = {re.split(r"[:;,.]", kind.help)[0].lower() for kind in kinds if kind.help}
    assert len(starts) >= 8
    said = {
        (path, start)
        for path, tree in files().items()
        if path != "errors.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for start in starts
        if start in node.value.lower()
    }
    assert not said
