"""The choice of a run: both sides make the same one, and no work is lost without a word."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.errors import DataError, MalformedFrame, TermsDiffer
from securexgb.jobs.resuming.choice import Choice, Offer, RunOffer, _parse, choose

NAMES = ("bank (label party)", "bureau (feature party)")


def run(name: str, model: str, sessions: str = "", **facts: bool) -> RunOffer:
    """A run whose trees were grown in sessions of one letter each."""
    return RunOffer(name, len(sessions), model, "coins", tuple(sessions), **facts)


def resume(*runs: RunOffer) -> Offer:
    return Offer("resume", runs)


def test_most_trees_in_common_count_and_neither_name_nor_order() -> None:
    """The bureau's clock was a day ahead when the older run began."""
    bank = resume(run("2-new", "n", "aab"), run("1-old", "o", "c"))
    bureau = resume(run("9-old", "o", "cd"), run("2-new", "n", "aa"))
    assert choose((bank, bureau), NAMES) == Choice((0, 1), 2)


def test_of_equal_runs_the_label_party_s_first_counts() -> None:
    bank = resume(run("x", "m", "a"), run("y", "n", "b"))
    bureau = resume(run("y", "n", "b"), run("x", "m", "a"))
    assert choose((bank, bureau), NAMES) == Choice((0, 1), 1)


def test_a_run_that_one_side_never_began_hides_none() -> None:
    """A side died between the agreement and the first file of its new run."""
    bank = resume(run("2", "new"), run("1", "m", "aaa"))
    assert choose((bank, resume(run("1", "m", "aaaa"))), NAMES) == Choice((1, 0), 3)


def test_nothing_anywhere_begins_anew() -> None:
    assert choose((resume(), resume()), NAMES) == Choice()
    assert choose((resume(run("1", "m")), resume(run("1", "other"))), NAMES) == Choice()
    assert choose((Offer("new"), Offer("new")), NAMES) == Choice()
    assert choose((Offer("new"), resume(run("1", "m"))), NAMES) == Choice()


@pytest.mark.parametrize(
    ("bank", "bureau", "says"),
    [
        ([run("1", "m", "aaa")], [], "bureau (feature party) has no run of this job"),
        ([run("1", "m", "aaa")], [run("2", "n", "bb")], "bureau (feature party) has 2 with 2"),
        ([run("1", "m", "aaa")], [RunOffer("1", 3, trouble="no state.json")], "no state.json"),
        ([run("1", "m", "aaa")], [run("1", "m")], "bureau (feature party) has 1 with 0 trees"),
        ([run("1", "m", "aaa", is_finished=True)], [run("1", "m", "aa")], "1 with 2 trees"),
        ([run("1", "m", "aaa", is_finished=True)], [], "bureau (feature party) has no run"),
    ],
)
def test_trees_that_fit_nothing_are_an_error_that_names_both(bank, bureau, says) -> None:
    with pytest.raises(DataError) as caught:
        choose((resume(*bank), resume(*bureau)), NAMES)
    text = str(caught.value)
    assert "no trees in common" in text
    assert "bank (label party) has 1 with 3 trees" in text
    assert says in text


def test_a_run_of_one_side_with_more_trees_is_not_passed_over() -> None:
    bank = resume(run("2", "n", "aaaa"), run("1", "m", "b"))
    bureau = resume(RunOffer("2", 4, trouble="no state.json"), run("1", "m", "b"))
    with pytest.raises(DataError, match="more trees than those of 1, which both have"):
        choose((bank, bureau), NAMES)
    finished = resume(run("2", "n", "aaaa", is_finished=True), run("1", "m", "b"))
    assert choose((finished, resume(run("1", "m", "b"))), NAMES) == Choice((1, 0), 1)


def test_a_finished_run_is_joined_and_never_gone_beyond() -> None:
    whole = run("1", "m", "aab", is_finished=True)
    assert choose((resume(whole), resume(run("1", "m", "aab"))), NAMES) == Choice((0, 0), 3)
    assert choose((resume(whole), resume(whole)), NAMES) == Choice((0, 0), 3, is_over=True)
    newer = run("2", "n", "c")
    assert choose((resume(newer, whole), resume(whole, newer)), NAMES) == Choice((0, 1), 1)


def test_one_side_anew_and_the_other_one_not() -> None:
    with pytest.raises(TermsDiffer, match=r"bank .* starts a new run, and bureau .* has 1 with 1"):
        choose((Offer("new"), resume(run("1", "m", "a"))), NAMES)


names = st.text("abc1-", min_size=1, max_size=5)
offers = st.builds(
    Offer,
    st.sampled_from(["new", "resume"]),
    st.lists(
        st.builds(
            run, names, st.sampled_from("mn"), st.text("ab", max_size=3), is_finished=st.booleans()
        ),
        max_size=3,
    ).map(tuple),
)


@given(offers, offers)
def test_what_is_chosen_loses_nothing(bank: Offer, bureau: Offer) -> None:
    try:
        choice = choose((bank, bureau), NAMES)
    except (DataError, TermsDiffer):
        return
    if choice.places is None:
        if bank.mode == bureau.mode == "resume":
            assert not any(one.trees for offer in (bank, bureau) for one in offer.runs)
        return
    pair = [offer.runs[place] for offer, place in zip((bank, bureau), choice.places, strict=True)]
    assert pair[0].model_id == pair[1].model_id
    for one in pair:
        assert one.sessions[: choice.trees] == pair[0].sessions[: choice.trees]
        assert choice.trees == one.trees if one.is_finished else choice.trees or one.trees <= 1


@given(offers)
def test_offers_survive_the_wire(offer: Offer) -> None:
    assert _parse(json.dumps(asdict(offer)).encode()) == offer


@given(st.binary(max_size=200))
def test_noise_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedFrame):
        _parse(payload)


@pytest.mark.parametrize("change", [{"trees": -1}, {"name": "\x1b[2J"}, {"trouble": "none"}])
def test_what_would_be_shown_is_checked(change) -> None:
    told = asdict(run("1", "m", "a")) | change
    with pytest.raises(MalformedFrame):
        _parse(json.dumps({"mode": "resume", "runs": [told]}).encode())
