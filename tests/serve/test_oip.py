"""What a call says, and what is answered, without a server."""

import json
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.errors import UsageError
from securexgb.serve.front import oip
from securexgb.serve.parts import Scores
from securexgb.terms.serving import MOST_ROWS

KEY = {"name": "key", "datatype": "BYTES", "shape": [2], "data": ["c7", "c8"]}


def parsed(**call):
    return oip.parse(json.dumps({"inputs": [KEY]} | call).encode())


def binary(keys, shape=None, **more):
    """A body with the keys behind the JSON, as clients send them by default, and its header."""
    texts = b"".join(struct.pack("<I", len(k)) + k for k in keys)
    given = {"name": "key", "datatype": "BYTES", "shape": shape or [len(keys)]}
    given["parameters"] = {"binary_data_size": len(texts)}
    head = json.dumps({"inputs": [given]} | more).encode()
    return head + texts, str(len(head))


def test_a_call_says_keys_id_and_what_it_wants():
    call = parsed(id="42", parameters={"reasons": True, "priority": 3})
    assert (call.id, call.keys, call.reasons, call.outputs) == ("42", ("c7", "c8"), True, None)
    assert call.base_margins is None
    named = parsed(outputs=[{"name": "status"}, {"name": "score"}, {"name": "status"}])
    assert named.outputs == ("status", "score")
    assert not named.reasons
    assert parsed(outputs=[{"name": "reasons"}]).reasons


@pytest.mark.parametrize("data", [["c7", "c8"], [["c7"], ["c8"]]])
def test_columns_are_taken_as_lists_are(data):
    assert parsed(inputs=[KEY | {"shape": [2, 1], "data": data}]).keys == ("c7", "c8")


def test_binary_texts_are_behind_the_json():
    body, length = binary([b"c7", "zü-8".encode()], [2, 1])
    assert oip.parse(body, length).keys == ("c7", "zü-8")


def test_margins_come_as_numbers_or_as_words():
    margins = {"name": "base_margin", "datatype": "FP64", "shape": [2], "data": [0.5, -2]}
    assert parsed(inputs=[KEY, margins]).base_margins.tolist() == [0.5, -2.0]
    words = np.array([0.5, -2], "<f4").tobytes()
    given = {"name": "base_margin", "datatype": "FP32", "shape": [2, 1]}
    given["parameters"] = {"binary_data_size": 8}
    head = json.dumps({"inputs": [given, KEY]}).encode()
    assert oip.parse(head + words, str(len(head))).base_margins.tolist() == [0.5, -2.0]


WRONG = {
    "no JSON": b"{",
    "no object": b"[]",
    "half a number": b'{"inputs": [' + b"[" * 100_000,
    "not UTF-8": b'{"id": "\xff"}',
    "bare NaN": b'{"inputs": [{"name": "base_margin", "datatype": "FP64", "data": [NaN]}]}',
    "many digits": b'{"inputs": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_what_is_no_json_is_refused(body):
    with pytest.raises(UsageError):
        oip.parse(body)


MARGIN = {"name": "base_margin", "datatype": "FP64", "shape": [2], "data": [0.5, 1]}
REFUSED = [
    ("a list of objects", {"inputs": "key"}),
    ("a list of objects", {"inputs": ["key"]}),
    ("no input", {"inputs": []}),
    ("once", {"inputs": [KEY, KEY]}),
    ("inputs are", {"inputs": [KEY | {"name": "income"}]}),
    ("shape", {"inputs": [KEY | {"shape": [1, 2]}]}),
    ("shape", {"inputs": [KEY | {"shape": [True]}]}),
    ("shape", {"inputs": [KEY | {"shape": None}]}),
    ("1 to 512 rows", {"inputs": [KEY | {"shape": [0], "data": []}]}),
    ("1 to 512 rows", {"inputs": [KEY | {"shape": [MOST_ROWS + 1]}]}),
    ("datatype BYTES", {"inputs": [KEY | {"datatype": "FP64"}]}),
    ("no list of data", {"inputs": [KEY | {"data": "c7"}]}),
    ("3 data", {"inputs": [KEY | {"data": ["a", "b", "c"]}]}),
    ("must be text", {"inputs": [KEY | {"data": ["c7", 8]}]}),
    ("must be text", {"inputs": [KEY | {"data": ["c7", None]}]}),
    ("must be text", {"inputs": [KEY | {"data": ["c7", "\ud800"]}]}),
    ("not empty", {"inputs": [KEY | {"data": ["c7", ""]}]}),
    ("different numbers", {"inputs": [KEY, MARGIN | {"shape": [1], "data": [1]}]}),
    ("a number", {"inputs": [KEY, MARGIN | {"data": [0.5, None]}]}),
    ("a number", {"inputs": [KEY, MARGIN | {"data": [0.5, "1"]}]}),
    ("finite", {"inputs": [KEY, MARGIN | {"data": [0.5, 10**400]}]}),
    ("FP64 or FP32", {"inputs": [KEY, MARGIN | {"datatype": "INT64"}]}),
    ("id", {"id": 7}),
    ("outputs are", {"outputs": [{"name": "probability"}]}),
    ("outputs are", {"outputs": ["score"]}),
    ("list of objects", {"outputs": {}}),
    ("true or false", {"parameters": {"reasons": "yes"}}),
    ("both as JSON and as bytes", {"inputs": [KEY | {"parameters": {"binary_data_size": 0}}]}),
    ("number of bytes", {"inputs": [KEY | {"parameters": {"binary_data_size": -1}}]}),
    ("fewer binary bytes", {"inputs": [KEY | {"parameters": {"binary_data_size": 9}}]}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "call"), REFUSED)
def test_what_is_no_call_is_refused_in_words_without_keys(text, call):
    with pytest.raises(UsageError, match=text) as refused:
        parsed(**call)
    assert "c7" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\x02\0\0\0c7", "as many texts"),
        (b"\x02\0\0\0c7\x02\0\0\0c", "as many texts"),
        (b"\x02\0\0\0c7\x02\0\0", "as many texts"),
        (b"\x02\0\0\0c7\x01\0\0\0c\x01\0\0\0c", "as many texts"),
        (b"\x02\0\0\0c7\x02\0\0\0\xff\xff", "not UTF-8"),
        (b"\x02\0\0\0c7\xff\xff\xff\xff", "as many texts"),
    ],
)
def test_binary_texts_are_as_long_as_they_say(content, text):
    given = {"name": "key", "datatype": "BYTES", "shape": [2]}
    given["parameters"] = {"binary_data_size": len(content)}
    head = json.dumps({"inputs": [given]}).encode()
    with pytest.raises(UsageError, match=text):
        oip.parse(head + content, str(len(head)))


def test_bytes_of_no_input_are_refused():
    body, length = binary([b"c7"])
    with pytest.raises(UsageError, match="4 bytes behind the JSON belong to no input"):
        oip.parse(body + b"more", length)


@pytest.mark.parametrize("length", ["-1", "x", "²", "99999999999", "1e1", ""])
def test_the_length_of_the_json_is_a_number_within_the_body(length):
    with pytest.raises(UsageError, match="Inference-Header-Content-Length"):
        oip.parse(b"{}", length)


@given(st.binary(max_size=200), st.none() | st.text(max_size=6))
def test_any_body_is_a_call_or_is_refused(body, length):
    with suppress(UsageError):
        assert oip.parse(body, length).keys


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["inputs", "outputs", "name", "data", "shape", "datatype", "parameters"]
            ),
            inner | st.sampled_from(["key", "BYTES", [1], ["c"], [[1]]]),
        )
    ),
    max_leaves=8,
)


@given(JSON, JSON, JSON)
def test_any_json_is_a_call_or_is_refused(inputs, outputs, parameters):
    call = {"inputs": inputs, "outputs": outputs, "parameters": parameters}
    with suppress(UsageError):
        assert oip.parse(json.dumps(call).encode()).keys


def scores(values, statuses, why=None, reasons=None):
    values = np.array(values, np.float64)
    return Scores("ab12", values, tuple(statuses), why or (None,) * len(statuses), reasons)


def test_an_answer_has_a_null_where_a_row_has_no_score():
    found = scores([0.25, np.nan], ["scored", "budget here"], (None, "rows a day"))
    told = json.loads(oip.dumped(oip.answer(parsed(id="7"), "credit", found)))
    assert told == {
        "model_name": "credit",
        "model_version": "ab12",
        "id": "7",
        "outputs": [
            {"name": "score", "datatype": "FP64", "shape": [2], "data": [0.25, None]},
            {"name": "status", "datatype": "BYTES", "shape": [2],
             "data": ["scored", "budget here"]},
            {"name": "why", "datatype": "BYTES", "shape": [2], "data": ["", "rows a day"]},
        ],
    }  # fmt: skip


def test_an_answer_of_classes_and_reasons_is_row_after_row():
    reasons = (("income", "age"), ("age",))
    found = scores([[0.1, 0.9], [0.4, 0.6]], ["scored"] * 2, reasons=reasons)
    outputs = oip.answer(parsed(), "credit", found)["outputs"]
    assert outputs[0]["shape"] == [2, 2]
    assert outputs[0]["data"] == [0.1, 0.9, 0.4, 0.6]
    assert outputs[3]["shape"] == [2, 2]
    assert outputs[3]["data"] == ["income", "age", "age", ""]


def test_who_names_outputs_gets_these_alone():
    call = parsed(outputs=[{"name": "status", "parameters": {"binary_data": True}}])
    told = oip.answer(call, "credit", scores([0.5], ["scored"]))
    assert [output["name"] for output in told["outputs"]] == ["status"]
    assert "id" not in told


def test_budgets_refuse_a_call_where_they_refuse_every_row():
    both = ["budget here", "budget there"]
    assert oip.refusal(scores([np.nan] * 2, both, ("bank scores at most 3", None))) == (
        "bank scores at most 3"
    )
    assert "other side" in oip.refusal(scores([np.nan], ["budget there"]))
    assert oip.refusal(scores([np.nan, 0.5], ["budget here", "scored"])) is None
    assert oip.refusal(scores([np.nan], ["unknown there"])) is None
