"""Trees equal xgboost's; where rounding decides, exact rational arithmetic is the judge."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost

from securexgb.arith.prg import Prg
from securexgb.boost.splits.interactions import plain_interactions
from securexgb.boost.splits.sample import columns_of_nodes
from securexgb.mpc.party import Party
from securexgb.offline.local import InsecureLocalSource
from securexgb.offline.paillier_products import InsecurePaillierMatrixProducts
from securexgb.offline.producer import ProductsAhead
from securexgb.testing.harness import Backend, insecure_parties, run_both, run_parties
from tests.boost.case import Case, Tree, combined, grow, leaves_below, stopped
from tests.boost.cases import random_case
from tests.boost.oracle import Choices, Oracle, Rows
from tests.mpc.kit import parties_with_pads
from tests.profiles import moments

LEAST_GAIN = 1e-6


def xgboost_tree(case: Case) -> dict[str, Any]:
    """xgboost's tree on the same bins and gradients, as nested JSON."""
    numbers, values = case.numbers, case.bins[:, case.columns].astype(float)
    values[values == case.params.max_bin] = np.nan
    terms, groups = case.params, plain_interactions(case.params.interaction_constraints)
    booster = xgboost.train(
        {
            "tree_method": "hist",
            "max_bin": 256,
            "max_depth": terms.max_depth,
            "eta": terms.learning_rate,
            "lambda": terms.reg_lambda,
            "alpha": terms.reg_alpha,
            "gamma": terms.gamma,
            "min_child_weight": terms.min_child_weight,
            "max_delta_step": terms.max_delta_step,
            "base_score": 0.0,
            "nthread": 1,
        }
        | ({"interaction_constraints": str(groups)} if groups else {}),
        xgboost.DMatrix(values, np.zeros(len(values))),
        1,
        obj=lambda *_: (
            case.gradient / 2.0**numbers.row_gradient_bits,
            case.hessian / 2.0**numbers.row_hessian_bits,
        ),
    )
    tree: dict[str, Any] = json.loads(booster.get_dump(dump_format="json")[0])
    return tree


def our_left(oracle: Oracle, tree: Tree, node: int) -> Rows:
    """Where our node sends each row."""
    split = tree.columns[node], tree.cuts[node], tree.missing_left[node]
    return oracle.goes_left(int(split[0]), int(split[1]), bool(split[2]))


def leaf_of(tree: Tree, node: int) -> float:
    """The common value of all leaves below a node."""
    assert stopped(tree, node)
    return float(leaves_below(tree, node)[0] / 2.0**20)


def compare(case: Case, tree: Tree) -> int:
    """Compare with xgboost; how many nodes were left out because of near-ties."""
    oracle, near_ties = Oracle(case), 0
    todo = [(0, xgboost_tree(case), np.ones(len(case.bins), bool))]
    while todo:
        node, theirs, rows = todo.pop()
        if node < len(tree.columns) and near_threshold(oracle, rows):
            near_ties += 1
            continue
        if "leaf" in theirs:
            assert leaf_of(tree, node) == oracle.leaf(rows)
            assert theirs["leaf"] == oracle.leaf(rows)
            continue
        column = int(case.columns[int(theirs["split"][1:])])
        values = case.bins[:, column]
        goes = np.where(
            values < case.params.max_bin,
            values < theirs["split_condition"],
            theirs["missing"] == theirs["yes"],
        )
        left = our_left(oracle, tree, node)
        if column == tree.columns[node] and np.array_equal(goes & rows, left & rows):
            assert tree.missing_left[node] == (theirs["missing"] == theirs["yes"])
            children = {child["nodeid"]: child for child in theirs["children"]}
            todo.append((2 * node + 1, children[theirs["yes"]], rows & left))
            todo.append((2 * node + 2, children[theirs["no"]], rows & ~left))
            continue
        ours, others = (oracle.gain(rows, side) for side in (left, goes))
        doubt = float(oracle.choices(rows).doubt.max())
        assert abs(float(ours - others)) <= 2 * doubt, (node, float(ours), float(others))
        near_ties += 1
    return near_ties


def near_threshold(oracle: Oracle, rows: Rows) -> bool:
    """Whether rounding decides if the node splits at all."""
    choices, best = oracle.best(rows)
    if best is None:
        return False
    threshold = max(oracle.case.params.gamma, LEAST_GAIN)
    return bool(abs(choices.gain[best] - threshold) <= choices.slack[best])


def allowed_columns(case: Case, node: int, path: frozenset[int]) -> np.ndarray:
    """Those of a node's sample that interaction constraints let it use, as xgboost has it."""
    used = case.columns[node] if case.columns.ndim == 2 else case.columns
    groups = [set(group) for group in case.params.interaction_constraints]
    if not groups or not path:
        return used
    may = set(path).union(*(group for group in groups if path <= group))
    return np.array([column for column in used if int(column) in may], np.int64)


def check_exactly(case: Case, tree: Tree) -> None:
    """Every node of ours against exact gains."""
    oracle = Oracle(case)
    todo = [(0, np.ones(len(case.bins), bool), frozenset[int]())]
    while todo:
        node, rows, path = todo.pop()
        if node >= len(tree.columns):
            assert tree.leaves[node - len(tree.columns)] / 2.0**20 == oracle.leaf(rows)
            continue
        choices, best = oracle.best(rows, allowed_columns(case, node, path))
        threshold = max(case.params.gamma, LEAST_GAIN)
        slack_of_gain = float(choices.slack[best]) if best is not None else 0.0
        if best is None or choices.gain[best] < threshold - slack_of_gain:
            assert leaf_of(tree, node) == oracle.leaf(rows)
        elif choices.gain[best] > threshold + slack_of_gain:
            left = our_left(oracle, tree, node)
            check_choice(oracle, choices, best, rows, left)
            further = path | {int(tree.columns[node])}
            todo += [(2 * node + 1, rows & left, further), (2 * node + 2, rows & ~left, further)]


def check_choice(oracle: Oracle, choices: Choices, best: int, rows: Rows, left: Rows) -> None:
    """Ours is the first of the best, unless others are within the rounding of our scores."""
    doubt = choices.doubt + choices.doubt[best]
    assert choices.gain[best] - float(oracle.gain(rows, left)) <= doubt.max()
    splits = zip(choices.column, choices.cut, choices.missing_left, strict=True)
    sides = [oracle.goes_left(int(f), int(c), bool(m)) & rows for f, c, m in splits]
    rivals = choices.gain[best] - choices.gain <= doubt
    if all(np.array_equal(sides[i], sides[best]) for i in np.flatnonzero(rivals)):
        assert np.array_equal(left & rows, sides[best])


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "missing": {"holes": 0.2},
    "half missing": {"holes": 0.5, "rows": 60},
    "missing refused": {"missing_values": "refused"},
    "depth 1": {"max_depth": 1},
    "depth 4": {"max_depth": 4, "holes": 0.1, "rows": 200},
    "no penalty": {"reg_lambda": 0.0, "min_child_weight": 0.0},
    "large penalty": {"reg_lambda": 50.0},
    "alpha": {"reg_alpha": 2.0, "holes": 0.1},
    "gamma": {"gamma": 4.0},
    "steps": {"max_delta_step": 0.2, "holes": 0.1},
    "steps and gamma": {"max_delta_step": 0.5, "gamma": 1.0, "reg_lambda": 0.0},
    "steps and alpha": {"max_delta_step": 0.2, "reg_alpha": 2.0},
    "huge gamma": {"gamma": 1e9},
    "heavy children": {"min_child_weight": 6.0},
    "no column at the label party": {"columns": (0, 4)},
    "no column at the feature party": {"columns": (4, 0), "holes": 0.1},
    "two bins": {"bins": 2, "columns": (4, 4), "holes": 0.1},
    "many bins": {"bins": 40, "rows": 100},
    "few rows": {"rows": 5, "min_child_weight": 0.0},
    "one row": {"rows": 1, "min_child_weight": 0.0},
}


@pytest.mark.parametrize("seed", range(moments(2, 4)))
@pytest.mark.parametrize("name", CASES)
def test_equals_xgboost_and_the_exact_tree(name: str, seed: int) -> None:
    case = random_case(seed, **CASES[name])
    tree = grow(case)
    assert compare(case, tree) == 0
    check_exactly(case, tree)


@pytest.mark.parametrize(
    "settings",
    [
        {"columns": (5, 5), "rows": 80, "used": [1, 4, 5, 9]},
        {"columns": (3, 3), "rows": 80, "used": [0]},
        {"columns": (3, 3), "rows": 80, "used": [4, 5]},
    ],
    ids=["some of both", "one of one side", "the other side's"],
)
def test_sampled_columns(settings: dict[str, Any]) -> None:
    used = np.array(settings.pop("used"))
    case = replace(random_case(1, **settings), used=used)
    tree = grow(case)
    assert set(tree.columns) <= set(used)
    assert compare(case, tree) == 0
    check_exactly(case, tree)


GROUPS = {
    "apart": [[0, 1], [2, 3, 4]],
    "overlapping": [[0, 2], [2, 4], [0, 1, 4]],
    "columns alone": [[1, 2]],
    "everything": [[0, 1, 2, 3, 4]],
    "many": [[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [1, 3], [2, 4], [3, 4]],
}


@pytest.mark.parametrize("settings", [{}, {"reg_alpha": 1.0}, {"min_child_weight": 8.0}])
@pytest.mark.parametrize("groups", GROUPS)
def test_interaction_constraints_are_xgboosts(groups: str, settings: dict[str, Any]) -> None:
    """Split for split; the grower takes owned splits of any groups, the job does not."""
    case = random_case(0, rows=200, holes=0.1, interaction_constraints=GROUPS[groups], **settings)
    tree = grow(case)
    assert compare(case, tree) == 0
    check_exactly(case, tree)
    hidden = replace(case, params=replace(case.params, splits="hidden"))
    halves = run_parties(lambda party, _: hidden.program(party).half, [None, None])
    leaves = (halves[0].leaf_values + halves[1].leaf_values).view(np.int64)
    np.testing.assert_array_equal(leaves, tree.leaves)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("groups", ["overlapping", "columns alone"])
def test_interaction_constraints_in_shares_and_with_samples_and_directions(
    groups: str, alpha: float
) -> None:
    case = random_case(3, rows=80, interaction_constraints=GROUPS[groups], reg_alpha=alpha)
    params = replace(case.params, colsample_bynode=0.6, splits="hidden")
    used = columns_of_nodes(Prg(bytes(16)), params, case.layout, 0)
    sampled = replace(case, used=used)
    tree = grow(sampled, "shared")
    assert tree.same_as(grow(sampled))
    check_exactly(sampled, tree)
    ways = replace(case, params=replace(case.params, monotone_constraints=(1, 0, -1, 0, 0)))
    assert grow(ways, "shared").same_as(grow(ways))


@pytest.mark.parametrize("splits", ["owner", "hidden"])
@pytest.mark.parametrize("shares", [(0.6, 1.0), (1.0, 0.4), (0.8, 0.7)])
def test_columns_of_a_level_and_of_a_node(
    shares: tuple[float, float], splits: str, backend: Backend
) -> None:
    """Each node's split is the best of its own columns, dummies' columns are among them, too."""
    case = random_case(7, columns=(3, 4), rows=90, holes=0.1, max_depth=3)
    params = replace(
        case.params, colsample_bytree=0.9, colsample_bylevel=shares[0], colsample_bynode=shares[1]
    )
    used = columns_of_nodes(Prg(bytes(16)), params, case.layout, 3)
    owned = replace(case, params=params, used=used)
    tree = grow(owned, backend)
    assert all(column in used[node] for node, column in enumerate(tree.columns))
    if splits == "owner":
        check_exactly(owned, tree)
        return
    hidden = replace(owned, params=replace(params, splits="hidden", importance="gain"))
    halves = run_parties(lambda party, _: hidden.program(party).half, [None, None], backend)
    leaves = (halves[0].leaf_values + halves[1].leaf_values).view(np.int64)
    np.testing.assert_array_equal(leaves, tree.leaves)
    gains = halves[0].amounts + halves[1].amounts
    live = [n for n in range(len(tree.columns)) if not stopped(tree, n)]
    assert set(np.flatnonzero(gains)) == {int(tree.columns[node]) for node in live}


def test_constant_missing_and_equal_columns() -> None:
    case = random_case(2, columns=(3, 3), rows=80)
    case.bins[:, 0] = 3
    case.bins[:, 3] = case.params.max_bin
    case.bins[:, 5] = case.bins[:, 1]  # the first of equal columns wins
    tree = grow(case)
    assert compare(case, tree) == 0
    check_exactly(case, tree)
    assert not {0, 3, 5} & {int(c) for n, c in enumerate(tree.columns) if not stopped(tree, n)}


@pytest.mark.parametrize("value", [3, 8])
def test_no_column_tells_anything(value: int) -> None:
    """All constant, or all missing: no valid split anywhere, one leaf value."""
    case = random_case(3)
    case.bins[:] = value
    assert stopped(grow(case), 0)
    check_exactly(case, grow(case))


def test_a_first_tree_on_few_positives() -> None:
    """base_score 1/2 on 3 % positives: gains are small differences of large scores."""
    case = random_case(4, rows=2000, columns=(3, 3))
    g_unit, h_unit = 1 << case.numbers.row_gradient_bits, 1 << case.numbers.row_hessian_bits
    positive = np.random.default_rng(0).random(2000) < 0.03 * (1 + (case.bins[:, 4] > 5))
    gradient = np.where(positive, -g_unit // 2, g_unit // 2)
    case = replace(case, gradient=gradient, hessian=np.full(2000, h_unit // 4))
    tree = grow(case)
    compare(case, tree)
    check_exactly(case, tree)


@pytest.mark.parametrize(
    "name", ["missing", "alpha", "gamma", "steps", "no column at the label party"]
)
def test_on_shares_bit_for_bit(name: str) -> None:
    case = random_case(7, **CASES[name])
    assert grow(case, "shared").same_as(grow(case, "plaintext"))


def paillier(party: Party) -> None:
    """Products by Paillier with short keys, all else as it is."""
    own, lane = Prg(bytes([party.rank] * 16)), party.channel.stream("products")
    products = InsecurePaillierMatrixProducts(party.rank, lane, own, 1 << 16, 512)
    party.source = InsecureLocalSource(party.rank, party.channel, 0, ProductsAhead(products))


@pytest.mark.parametrize("categorical", [(), (0, 3)], ids=["numbers", "categories"])
@pytest.mark.parametrize("name", ["missing", "depth 4", "few rows"])
def test_every_source_of_products_grows_the_same_tree(
    name: str, categorical: tuple[int, ...]
) -> None:
    """With gradients in the finest units: exact products, and noisy ones that are rounded.

    Of categories each one's own sum is rounded, and not a running one.
    """
    settings = {"rows": 90, **CASES[name], "fine": True, "columns": (2, 2)}
    case = replace(random_case(11, **settings), categorical=categorical)
    case.bins[:, 3] = case.bins[:, 0]  # the same sums by other columns, with other noise
    assert case.numbers.dropped_bits == (4, 2)
    expected = grow(case)
    splits = [node for node in range(len(expected.columns)) if not stopped(expected, node)]
    assert 3 not in expected.columns[splits]
    assert name == "few rows" or 0 in expected.columns[splits]
    with_paillier = insecure_parties(0)
    for party in with_paillier:
        paillier(party)
    for parties in (insecure_parties(0), parties_with_pads(0), with_paillier):
        halves = run_both(lambda party, _: case.program(party), parties, [None, None])
        for party in parties:
            party.channel.close()
        assert combined(halves, case.label_columns).same_as(expected)


@pytest.mark.parametrize("seed", range(3))
def test_rows_finer_than_sums_grow_xgboosts_tree(seed: int) -> None:
    """A sum is off by half a unit of 2^-16 at most: the same splits, and leaves next to it."""
    case = random_case(seed, rows=400, holes=0.1, fine=True)
    tree = grow(case)
    todo = [(0, xgboost_tree(case))]
    while todo:
        node, theirs = todo.pop()
        if "leaf" in theirs:
            assert leaf_of(tree, node) == pytest.approx(theirs["leaf"], abs=1e-4)
            continue
        assert case.columns[int(theirs["split"][1:])] == tree.columns[node]
        assert theirs["split_condition"] == tree.cuts[node] + 1
        children = {child["nodeid"]: child for child in theirs["children"]}
        todo.append((2 * node + 1, children[theirs["yes"]]))
        todo.append((2 * node + 2, children[theirs["no"]]))


def test_another_seed_of_the_shares_gives_the_same_tree() -> None:
    case = random_case(8, rows=60, gamma=1.0)
    assert grow(case, "shared", seed=1).same_as(grow(case, "shared", seed=1))
    first, second = (grow(case, "shared", seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(first.leaves, second.leaves)
    np.testing.assert_array_equal(first.values, second.values)


def test_every_row_gets_the_value_of_its_leaf(backend: Backend) -> None:
    case = random_case(9, rows=70, holes=0.2, gamma=1.0)
    tree, oracle = grow(case, backend), Oracle(case)
    node = np.zeros(70, int)
    for _ in range(case.params.max_depth):
        goes = np.array([our_left(oracle, tree, n)[row] for row, n in enumerate(node)])
        node = 2 * node + np.where(goes, 1, 2)
    np.testing.assert_array_equal(tree.values, tree.leaves[node - len(tree.columns)])


def test_rows_of_no_weight_take_part_in_nothing() -> None:
    """Rows outside the sample have gradient and hessian 0."""
    case = random_case(10, rows=100)
    kept = np.arange(100) % 3 > 0
    zeroed = replace(case, gradient=case.gradient * kept, hessian=case.hessian * kept)
    smaller = replace(
        case, bins=case.bins[kept], gradient=case.gradient[kept], hessian=case.hessian[kept]
    )
    assert smaller.numbers.gradient_bits == zeroed.numbers.gradient_bits
    assert smaller.numbers.dropped_bits == zeroed.numbers.dropped_bits
    one, other = grow(zeroed), grow(smaller)
    np.testing.assert_array_equal(one.leaves, other.leaves)
    np.testing.assert_array_equal(one.values[kept], other.values)
