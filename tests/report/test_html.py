"""The page is self-contained and well-formed, shows what it must, and no more."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from securexgb.attestation.verdict import Verdict
from securexgb.boost.leak import Leak
from securexgb.report.figures import bar_chart, line_chart
from securexgb.report.html import render_html
from securexgb.report.metrics import binary_metrics, regression_metrics
from securexgb.report.record import Costs, RunReport, report_json

VOID = {"meta", "rect", "path", "polyline"}


class Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def make(**changes) -> RunReport:
    draws = np.random.default_rng(1)
    labels = (draws.random(200) < 0.4).astype(float)
    scores = np.clip(labels * 0.3 + draws.random(200) * 0.6, 0, 1)
    facts = {
        "title": "Loan defaults <2026>",
        "side": "bank",
        "role": "label",
        "job": "loans",
        "digest": "abcdefghij",
        "created": "2026-11-20T10:00:00Z",
        "terms": {"params": {"max_depth": 3}, "name": "loans"},
        "ledger": [
            {
                "reveal": "SPLIT_OWNER",
                "meaning": "which party owns each split",
                "to": "both",
                "values": 70,
            }
        ],
        "costs": Costs(400, 10, 20, 30, 0.5, 0.4, 1.6, 2.0, 100.0),
        "numbers": "gradients: 20 + 18 bits a row, 16 a sum",
        "offline_source": "dealt",
        "dealer_evidence": "none",
        "dealer": Verdict.unattested().to_dict(),
        "versions": {"securexgb": "0.1.0"},
        "metrics": binary_metrics(labels, scores),
        "metrics_of": "test.csv",
        "learning_curve": {"valid auc": [0.6, 0.7]},
        "importance": {"income": 3.0, "age": 1.0},
        "missing_rates": {"income": 0.25},
    }
    return RunReport(**{**facts, **changes})


def test_page_is_well_formed_and_self_contained():
    page = render_html(make())
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert not parser.tags & {"script", "link", "img", "iframe"}
    assert not re.search(r"(src|href)=|https?://|url\(", page)
    assert "Loan defaults &lt;2026&gt;" in page


@pytest.mark.parametrize(
    ("assurance", "sentence"),
    [
        ("none", "a matter of contract, not of evidence"),
        ("dev", "dev: a rehearsal"),
        ("hardware", "the maker of the processor vouches"),
    ],
)
def test_the_assurance_and_what_was_not_checked_are_stated(assurance, sentence):
    verdict = Verdict(
        assurance, "sgx-dcap", measurement="ab" * 32, policy_sha256="cd" * 32,
        advisories=("INTEL-SA-00615",), checked=("This was.",), not_checked=("That was not.",),
    )  # fmt: skip
    report = make(dealer=verdict.to_dict())
    page = render_html(report)
    for text in (sentence, "ab" * 32, "cd" * 32, "INTEL-SA-00615", "This was.", "That was not."):
        assert text in page
    assert report_json(report)["dealer"]["assurance"] == assurance


def test_a_run_without_a_dealer_says_so():
    report = make(dealer=None)
    assert "there is no dealer" in render_html(report)
    assert report_json(report)["dealer"] is None


def test_page_shows_ledger_costs_evidence_versions_and_digest():
    page = render_html(make())
    for text in (
        "which party owns each split",
        "70",
        "rounds",
        "400",
        "abcdefghij",
        "none: the dealer",
        "securexgb",
        "0.1.0",
        "params.max_depth",
        "25.0%",
        "income",
    ):
        assert text in page


def test_page_and_json_show_what_the_leak_meter_says():
    leaks = [Leak("training rows", 10, 5, 64).to_mapping()]
    page = render_html(make(leaks=leaks))
    assert "up to 30 bits about 10 labels" in page
    assert '<p class="warning">training rows: 30 bits' in page
    assert report_json(make(leaks=leaks))["leaks"] == leaks


def test_page_shows_both_classes_by_score_and_what_the_index_counts():
    page = render_html(make(stability_index=0.02, positive="positive class: 'bad', 3 % of rows"))
    for text in (
        "Both classes by score",
        "The greatest distance of the two lines is KS, ",
        "in 20 equal steps",
        "mean predicted",
        "a band with less than 0.01% of the rows counts as if it held that share",
        "positive class: &#x27;bad&#x27;, 3 % of rows",
    ):
        assert text in page
    assert "The stability index" not in render_html(make())


def test_a_side_without_predictions_has_no_quality_section():
    page = render_html(make(metrics=None, role="feature", learning_curve={}))
    assert "ROC" not in page
    assert "Learning curve" not in page


def test_regression_and_empty_ledger():
    page = render_html(make(metrics=regression_metrics(np.ones(2), np.zeros(2)), ledger=[]))
    assert "rmse" in page
    assert "not defined" in page
    assert "Nothing was opened" in page


def test_json_is_strict():
    facts = report_json(make(importance={"income": float("nan")}))
    text = json.dumps(facts, allow_nan=False)
    assert json.loads(text)["importance"]["income"] is None
    assert facts["metrics"]["auc"] > 0.5


@pytest.mark.parametrize("points", [[(0.0, 0.5)], [(0.0, 1.0), (1.0, 1.0)]])
def test_charts_of_flat_data(points):
    assert "nan" not in line_chart({"x": points}, x_label="x", y_label="y")


def test_empty_charts_vanish():
    assert line_chart({}, x_label="x", y_label="y") == ""
    assert bar_chart({}) == ""
    assert "rect" in bar_chart({"a": 0.0})
