"""Both files: read, refused, written, and the terms' digest."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.boost.params import TrainingParams
from securexgb.config import JobTerms, PartyConfig
from securexgb.errors import UsageError


def terms(**changes: Any) -> JobTerms:
    return JobTerms(
        **({"name": "churn", "label_party": "bank", "feature_party": "bureau"} | changes)
    )


@pytest.mark.parametrize("role", ["label", "feature"])
def test_the_template_is_a_valid_file_that_explains_every_key(role: Any, tmp_path: Path) -> None:
    text = PartyConfig.template(role, "bank")
    path = tmp_path / "party.toml"
    path.write_text(text)
    config = PartyConfig.from_file(path, environment={})
    assert config.role == role
    assert config.key == tmp_path / "keys/own.key"
    for name, field in PartyConfig.model_fields.items():
        assert f"# {field.description}\n" in text, name
        assert f"{name} =" in text


def test_flag_beats_environment_beats_file(tmp_path: Path) -> None:
    path = tmp_path / "party.toml"
    path.write_text('role = "feature"\nname = "bureau"\nconnect = "a:1"\ntimeout_seconds = 5\n')
    environment = {"SECUREXGB_CONNECT": "b:2", "SECUREXGB_TIMEOUT_SECONDS": "7.5"}
    config = PartyConfig.from_file(path, {"connect": "c:3", "listen": None}, environment)
    assert (config.connect, config.timeout_seconds) == ("c:3", 7.5)
    columns = {"SECUREXGB_FEATURE_COLUMNS": "x,y"}
    assert PartyConfig.from_file(path, environment=columns).feature_columns == ("x", "y")


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


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        JobTerms.from_file(tmp_path / "job.toml")


def test_terms_survive_the_file_and_every_key_is_explained(tmp_path: Path) -> None:
    training = TrainingParams(max_depth=3, eval_metric=("auc",), base_score=0.25)
    before = terms(training=training, id_column='customer \\ "id"\x7f', predictions_to="both")
    path = tmp_path / "job.toml"
    path.write_text(before.to_toml())
    after = JobTerms.from_file(path)
    assert after == before
    assert after.full_digest == before.full_digest
    table = tomllib.loads(before.to_toml())["training"]
    for field in dataclasses.fields(TrainingParams):
        assert field.name in table or f"# {field.name} =" in before.to_toml()


def test_the_default_needs_no_dealer() -> None:
    method = terms().method
    assert (method.algorithm, method.offline, method.he) == ("hybrid", "two-party", "bfv")
    assert not method.has_dealer
    assert terms(offline="dealt").method.has_dealer
    assert terms(offline="dealt", algorithm="ss").method.has_dealer


def test_every_term_changes_the_digest() -> None:
    variants = [
        terms(),
        terms(name="other"),
        terms(feature_party="office"),
        terms(id_column="id"),
        terms(coins="seeded"),
        terms(predictions_to="feature"),
        terms(prediction_decimals=3),
        terms(prediction="ckks"),
        terms(dealer={"name": "third"}),
        terms(offline="dealt"),
        terms(offline="dealt", algorithm="ss"),
        terms(he="paillier"),
        terms(he="paillier", paillier_bits=2048),
        terms(offline="dealt", dealer={"evidence": ["dev"], "policy_sha256": "ab" * 32}),
        terms(
            offline="dealt", dealer={"evidence": ["dev", "sgx-dcap"], "policy_sha256": "ab" * 32}
        ),
        terms(offline="dealt", dealer={"evidence": ["dev"], "policy_sha256": "ac" * 32}),
        *(
            terms(training={field: value})
            for field, value in [("max_depth", 5), ("gamma", 0.5), ("eval_metric", ["auc"])]
        ),
    ]
    assert len({variant.digest for variant in variants}) == len(variants)
    assert terms(training={"gamma": 1}).digest == terms(training={"gamma": 1.0}).digest
    assert len(terms().digest) == 10
    assert terms().full_digest.startswith(terms().digest)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"training": {"max_deep": 3}}, "no training parameter 'max_deep'"),
        ({"training": {"max_depth": 99}}, "max_depth must be at least 1"),
        ({"feature_party": "bank"}, "three names"),
        ({"algorithm": "ss"}, "needs a dealer, who masks the matrices"),
        ({"algorithm": "fate"}, "'hybrid' or 'ss'"),
        ({"offline": "cached"}, "'two-party' or 'dealt'"),
        ({"he": "elgamal"}, "'bfv' or 'paillier'"),
        ({"prediction": "bfv"}, "'transfers' or 'ckks'"),
        ({"prediction": "ckks", "predictions_to": "both"}, "which holds the key"),
        ({"paillier_bits": 1024}, "2048, 3072 or 4096"),
        ({"dealer": {"evidence": "dev", "policy_sha256": "ab" * 32}}, 'offline "two-party" has'),
        ({"extra": 1}, "no key 'extra'"),
        ({"dealer": {"evidence": "sgx-dcap"}}, "exactly where evidence is demanded"),
        ({"dealer": {"policy_sha256": "ab" * 32}}, "exactly where evidence is demanded"),
        ({"dealer": {"evidence": ["none", "dev"], "policy_sha256": "ab" * 32}}, "stands alone"),
        ({"dealer": {"evidence": "sgx-epid"}}, "sgx-dcap"),
        ({"dealer": {"evidence": []}}, "at least 1"),
        ({"dealer": {"evidence": "dev", "policy_sha256": "ab"}}, "policy_sha256"),
        ({"security": {"statistical_bits": 20}}, "40"),
    ],
)
def test_wrong_terms_are_refused(changes: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    values = {"name": "churn", "label_party": "bank", "feature_party": "bureau"} | changes
    training = values.pop("training", None)
    security, dealer = values.pop("security", None), values.pop("dealer", None)
    lines = [f"{key} = {value!r}" for key, value in values.items()]
    for name, table in (("training", training), ("security", security), ("dealer", dealer)):
        if table is not None:
            lines += [f"[{name}]", *(f"{key} = {value!r}" for key, value in table.items())]
    path = tmp_path / "job.toml"
    path.write_text("\n".join(lines))
    with pytest.raises(UsageError) as caught:
        JobTerms.from_file(path)
    assert sentence in str(caught.value)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_any_job_name_survives_the_file(name: str) -> None:
    job = terms(name=name)
    assert tomllib.loads(job.to_toml())["name"] == name
