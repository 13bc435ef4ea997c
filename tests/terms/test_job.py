"""``job.toml``: read, refused, written, and the terms' digest."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.boost.params import TrainingParams
from securexgb.errors import UsageError
from securexgb.terms.job import ColumnDigests, DealerTerms, JobTerms, SecurityTerms
from securexgb.terms.toml import comments


def terms(**changes: Any) -> JobTerms:
    return JobTerms(
        **({"name": "churn", "label_party": "bank", "feature_party": "bureau"} | changes)
    )


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        JobTerms.from_file(tmp_path / "job.toml")


@pytest.mark.parametrize("positive", [None, "yes", "1", 1, 0.5])
def test_terms_survive_the_file_and_every_key_is_explained(
    tmp_path: Path, positive: str | float | None
) -> None:
    training = TrainingParams(
        max_depth=3,
        eval_metric=("auc",),
        base_score=0.25,
        monotone_constraints={"delay": 1, 'odd "name"': -1},
    )
    fixed = {"positive_label": positive, "columns_sha256": {"feature": "0a" * 32}}
    before = terms(
        **fixed, training=training, id_column='customer \\ "id"\x7f', predictions_to="both"
    )
    path = tmp_path / "job.toml"
    path.write_text(before.to_toml())
    after = JobTerms.from_file(path)
    assert after == before
    assert after.full_digest == before.full_digest
    assert type(after.positive_label) is type(positive)
    for model in (JobTerms, ColumnDigests, DealerTerms, SecurityTerms):
        assert all(comments(model)[name] for name in model.model_fields)
    table = tomllib.loads(before.to_toml())["training"]
    for field in dataclasses.fields(TrainingParams):
        if field.name == "past":
            continue  # no term: what a training goes on from is said by --continue
        assert field.name in table or f"# {field.name} =" in before.to_toml()


def test_a_mark_of_the_byte_order_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_bytes(b"\xef\xbb\xbf" + terms().to_toml().encode())
    assert JobTerms.from_file(path) == terms()


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
        terms(positive_label="no"),
        terms(positive_label=0),
        terms(columns_sha256={"label": "ab" * 32}),
        terms(columns_sha256={"feature": "ab" * 32}),
        terms(predictions_to="feature"),
        terms(prediction_decimals=3),
        terms(export_to="both"),
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
        ({"columns_sha256": {"label": "age"}}, "columns_sha256.label"),
        (
            {"positive_label": 1, "training": {"objective": "reg:squarederror"}},
            "positive_label is for two classes",
        ),
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
    digests = values.pop("columns_sha256", None)
    lines = [f"{key} = {value!r}" for key, value in values.items()]
    tables = {"training": training, "security": security, "dealer": dealer}
    for name, table in (tables | {"columns_sha256": digests}).items():
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
