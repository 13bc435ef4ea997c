"""``party.toml``: read, refused with a sentence, written with every key explained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from securexgb.errors import UsageError
from securexgb.terms.party import PartyConfig
from securexgb.terms.toml import comments


@pytest.mark.parametrize("role", ["label", "feature"])
def test_the_template_is_a_valid_file_that_explains_every_key(role: Any, tmp_path: Path) -> None:
    text = PartyConfig.template(role, "bank")
    path = tmp_path / "party.toml"
    path.write_text(text)
    config = PartyConfig.from_file(path, environment={})
    assert config.role == role
    assert config.key == tmp_path / "keys/own.key"
    for name in PartyConfig.model_fields:
        assert f"# {comments(PartyConfig)[name]}\n" in text, name
        assert f"{name} =" in text or f"[{name}]" in text


def test_the_table_of_serving_is_one_once_its_marks_are_taken_away(tmp_path: Path) -> None:
    text = PartyConfig.template("label", "bank")
    head, tables = text.split("# [serve]\n")
    keys = re.sub(r"^# (?=\[|\w+ = \S)", "", f"# [serve]\n{tables}", flags=re.MULTILINE)
    path = tmp_path / "party.toml"
    path.write_text(head + keys + "rows_a_day = 5\n")
    serve = PartyConfig.from_file(path, environment={}).serve
    assert serve is not None
    assert serve.budgets.rows_a_day == 5
    assert (serve.features, serve.audit) == (
        tmp_path / "features.parquet",
        tmp_path / "audit.sqlite",
    )


def test_a_mark_of_the_byte_order_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "party.toml"
    path.write_bytes(b"\xef\xbb\xbf" + PartyConfig.template("label", "bank").encode())
    assert PartyConfig.from_file(path, environment={}).name == "bank"


def test_flag_beats_environment_beats_file(tmp_path: Path) -> None:
    path = tmp_path / "party.toml"
    path.write_text('role = "feature"\nname = "bureau"\nconnect = "a:1"\ntimeout_seconds = 5\n')
    environment = {"SECUREXGB_CONNECT": "b:2", "SECUREXGB_TIMEOUT_SECONDS": "7.5"}
    config = PartyConfig.from_file(path, {"connect": "c:3", "listen": None}, environment)
    assert (config.connect, config.timeout_seconds) == ("c:3", 7.5)
    columns = {"SECUREXGB_FEATURE_COLUMNS": "x,y"}
    assert PartyConfig.from_file(path, environment=columns).feature_columns == ("x", "y")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45", 45), ('"45"', 45), ('"90s"', 90), ('"30m"', 1800), ('"1.5h"', 5400), ('" 2 h "', 7200)],
)
def test_a_time_to_wait_has_a_unit(tmp_path: Path, text: str, seconds: float) -> None:
    path = tmp_path / "party.toml"
    path.write_text(f'role = "feature"\nname = "bureau"\nwait = {text}\n')
    assert PartyConfig.from_file(path, environment={}).wait_seconds == seconds


def test_the_first_contact_may_take_as_long_as_any_other_wait(tmp_path: Path) -> None:
    path = tmp_path / "party.toml"
    path.write_text('role = "feature"\nname = "bureau"\ntimeout_seconds = 7\n')
    assert PartyConfig.from_file(path, environment={}).wait_seconds == 7


@pytest.mark.parametrize("text", ['"soon"', '"30 d"', '"-1m"', "0", "true", '"200h"'])
def test_what_is_no_time_to_wait_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "party.toml"
    path.write_text(f'role = "feature"\nname = "bureau"\nwait = {text}\n')
    with pytest.raises(UsageError, match="wait"):
        PartyConfig.from_file(path, environment={})


def test_collateral_is_a_path_or_an_address(tmp_path: Path) -> None:
    path = tmp_path / "party.toml"
    for text, place in (
        ("c.json", tmp_path / "c.json"),
        ("/folder", Path("/folder")),
        ("https://pccs.example.org:8081", "https://pccs.example.org:8081"),
    ):
        path.write_text(f'role = "feature"\nname = "bureau"\ndealer_collateral = "{text}"\n')
        assert PartyConfig.from_file(path, environment={}).dealer_collateral == place


def test_the_variable_with_the_model_s_key_is_no_path(tmp_path: Path) -> None:
    path = tmp_path / "party.toml"
    path.write_text('role = "feature"\nname = "bureau"\nmodel_key = "k"\n')
    config = PartyConfig.from_file(path, environment={"SECUREXGB_MODEL_KEY": "ab" * 32})
    assert config.model_key == tmp_path / "k"


def test_one_evaluation_file_is_a_set_called_eval(tmp_path: Path) -> None:
    path = tmp_path / "party.toml"
    path.write_text('role = "feature"\nname = "bureau"\neval_data = "e.csv"\n')
    assert PartyConfig.from_file(path, environment={}).eval_data == {"eval": tmp_path / "e.csv"}
    path.write_text('role = "feature"\nname = "bureau"\n[eval_data]\na = "/e.csv"\nb = "f.csv"\n')
    sets = PartyConfig.from_file(path, environment={}).eval_data
    assert sets == {"a": Path("/e.csv"), "b": tmp_path / "f.csv"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("role = 'label'", "name is missing"),
        ("role = 'dealer'\nname = 'x'", "role: input should be 'label' or 'feature'"),
        ("role = 'label'\nname = 'Big Bank'", "'Big Bank' cannot be a party's name"),
        ("role = 'label'\nname = 'x'\nport = 3", "there is no key 'port'"),
        ("role = 'label'\nname = 'x'\nlisten = 'here'", "'here' is no address"),
        ("role = 'label'\nname = 'x'\nlisten = 'a:1'\nconnect = 'a:2'", "are both given"),
        ("role = 'feature'\nname = 'x'\nlabel_column = 'y'", "are the label party's"),
        ("role = 'label'\nname = 'x'\ntimeout_seconds = 0", "greater than 0"),
        ("role = ", "is not TOML"),
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(
    text: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "party.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        PartyConfig.from_file(path, environment={})
    assert sentence in str(caught.value)
    assert "party.toml" in str(caught.value)
