"""Keys: which spellings are one, what is refused with which rows, what is told of them."""

from __future__ import annotations

import pytest

from securexgb.align.normalise import normalised, pattern, patterns
from securexgb.align.row_keys import KeyColumn, make_keys, order_check, order_marks
from securexgb.errors import DataError


@pytest.mark.parametrize(
    ("steps", "text", "expected"),
    [
        ((), " Ä\u0301 ", " Ä\u0301 "),
        (("nfc",), "Mu\u0308ller", "Müller"),
        (("strip",), "\u00a0 007\t\n", "007"),
        (("casefold",), "STRAẞE", "strasse"),
        (("digits",), "DE-0012 34", "001234"),
        (("digits",), "٣٤-٥²", "345"),
        (("digits",), "none", ""),
        (("iso_date",), "31.12.1980", "1980-12-31"),
        (("iso_date",), "1.2.1980", "1980-02-01"),
        (("iso_date",), "1980/12/31", "1980-12-31"),
        (("iso_date",), "19801231", "1980-12-31"),
        (("iso_date",), "1980-12-31 00:00:00", "1980-12-31"),
        (("iso_date",), "1980-12-31T00:00:00Z", "1980-12-31"),
        (("iso_date",), "31/12/1980", "31/12/1980"),
        (("iso_date",), "1980-02-30", "1980-02-30"),
        (("iso_date",), "1980-12.31", "1980-12.31"),
        (("iso_date",), "Meyer", "Meyer"),
        (("strip", "iso_date"), " 31.12.1980", "1980-12-31"),
        (("iso_date", "strip"), " 31.12.1980", "31.12.1980"),
        (("nfc", "strip", "casefold"), " MU\u0308LLER ", "müller"),
    ],
)
def test_steps(steps, text, expected):
    assert normalised([text], steps) == [expected]


def test_patterns_say_what_keys_look_like_and_not_what_they_are():
    assert pattern("123456789") == "digits:9"
    assert pattern("AB1234567") == "letters:2+digits:7"
    assert pattern("é 1-ü") == "letters:1+blanks:1+digits:1+signs:1+letters:1"
    assert pattern("") == "empty"
    assert pattern("a1" * 9) == "+".join(["letters:1", "digits:1"] * 3) + "+…"
    found = patterns([*("001" for _ in range(3)), "x"])
    assert found == [("digits:3", 0.75), ("letters:1", 0.25)]


def test_patterns_of_many_keys_are_of_an_even_sample():
    assert patterns(["1"] * 150_000 + ["a"] * 50_000)[0] == ("digits:1", 0.75)


def keys(*columns, duplicates="refuse", steps=()):
    named = [KeyColumn(f"k{n}", texts, steps) for n, texts in enumerate(columns)]
    return make_keys(named, "bank", duplicates)


def test_one_column_is_its_bytes_and_several_have_lengths():
    assert keys(["007", "ü"]).values == [b"007", "ü".encode()]
    first, second = keys(["ab", "a"], ["c", "bc"]).values
    assert first == b"\x02\0\0\0ab\x01\0\0\0c"
    assert second == b"\x01\0\0\0a\x02\0\0\0bc"


def test_nothing_is_normalised_unasked():
    assert len(set(keys(["7", "07", "7 ", "A", "a"]).values)) == 5


@pytest.mark.parametrize(
    ("texts", "steps", "rows"),
    [
        (["a", "", "b", ""], (), "2 empty fields: data rows 2, 4;"),
        ([" ", "a"], ("strip",), "1 empty fields after strip: data rows 1;"),
        (["x"] + ["abc"] * 7, ("digits",), "8 empty fields after digits: data rows 1, 2, 3, 4, 5,"),
    ],
)
def test_empty_keys_are_refused_with_their_rows(texts, steps, rows):
    with pytest.raises(DataError, match=r"bank: key column 'k0' has ") as caught:
        keys(texts, steps=steps)
    assert rows in str(caught.value)


def test_a_field_of_several_may_not_be_empty_either():
    with pytest.raises(DataError, match="key column 'k1' has 1 empty fields: data rows 2"):
        keys(["a", "b"], ["x", ""])


def test_repeated_keys_are_refused_with_their_rows_and_shown_in_a_note_alone():
    with pytest.raises(DataError) as caught:
        keys(["secret", "b", "b", "secret"])
    text = str(caught.value)
    assert "repeats itself in 2 rows: data row 3 has the key of data row 2" in text
    assert text.endswith('all that repeat an earlier row: 3, 4. Leave one row a key, or agree on '
                         'duplicates = "first" in the terms')  # fmt: skip
    assert "secret" not in text
    assert caught.value.__notes__[1] == "data row 4: 'secret', as data row 1"


def test_spellings_that_become_one_are_repeated():
    with pytest.raises(DataError, match="data row 2 has the key of data row 1"):
        keys(["A ", "a"], steps=("strip", "casefold"))


def test_of_repeated_keys_the_first_row_may_be_taken():
    found = keys(["b", "a", "b", "c", "a"], duplicates="first")
    assert found.values == [b"b", b"a", b"c"]
    assert found.rows.tolist() == [0, 1, 3]
    assert found.count == 5
    assert "2 rows have a key that an earlier row has, and are left out: data rows 3, 5" in (
        found.remarks
    )


def test_half_a_character_is_no_key():
    with pytest.raises(DataError, match="key column 'k0' holds half a character in data row 2"):
        keys(["a", "\ud800"])


def test_remarks_name_the_pattern_and_days_that_are_none():
    found = keys(["1980-01-02", "3.4.1990", "31/12/1980"], steps=("iso_date",))
    assert found.remarks == (
        "k0 looks like digits:4+signs:1+digits:2+signs:1+digits:2 (66.7 %), "
        "digits:2+signs:1+digits:2+signs:1+digits:4 (33.3 %)",
        "k0: 1 fields are no day that iso_date knows, and stay as they are: data rows 3",
    )


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            ["1.23457E+15", "1e5", "12"],
            "2 fields look like numbers that a spreadsheet or a program",
        ),
        (["7.0", "a7.0", "10.00"], "1 fields look like numbers that a spreadsheet or a program"),
        ([" 7", "8\u00a0", "9"], "2 fields begin or end with white space"),
        (["7\u200b", "\ufeff8", "a b"], "or hold a character that is not seen: data rows 1, 2"),
    ],
)
def test_what_a_program_or_a_hand_has_done_to_keys_is_told_with_rows(texts, said):
    assert sum(said in remark for remark in keys(texts).remarks) == 1


def test_keys_as_they_should_be_are_not_remarked_on():
    assert len(keys(["AB 12", "00712", "1980-01-02", "1E", "E+5", "Müller, A."]).remarks) == 1


def test_whole_numbers_have_no_leading_zeros_and_that_is_told():
    found = make_keys([KeyColumn("pid", ["7", "8"], (), True)], "bank", "refuse")
    assert "so no key of it begins with a zero" in found.remarks[1]


def test_a_table_is_known_again_by_all_its_keys_in_order():
    digests = {
        keys(["a", "b"]).sha256,
        keys(["b", "a"]).sha256,
        keys(["ab"]).sha256,
        keys(["a", "b", "a"], duplicates="first").sha256,
    }
    assert len(digests) == 4
    assert keys(["a", "b"]).sha256 in digests


def test_the_order_s_digest_and_marks_depend_on_the_coin():
    own = [b"a", b"b"]
    assert order_check(b"1", own) != order_check(b"2", own)
    assert order_check(b"1", own) != order_check(b"1", own[::-1])
    assert (order_marks(b"1", own) != order_marks(b"2", own)).all()
    assert order_marks(b"1", own)[::-1].tolist() == order_marks(b"1", own[::-1]).tolist()
