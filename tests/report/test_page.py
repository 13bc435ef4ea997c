"""The page is self-contained and well-formed, shows what it must, and no more."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from securexgb.attestation.verdict import Verdict
from securexgb.boost.leak import Leak
from securexgb.report import figures
from securexgb.report.metrics import binary_metrics, class_metrics, regression_metrics, stability
from securexgb.report.page import _cell, render_page
from securexgb.report.record import AlignedSet, Costs, RunReport, ScoredRows, report_json
from securexgb.report.tables import tables

VOID = {"meta"}


class Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def judged(name: str, seed: int) -> ScoredRows:
    labels, scores = scored(seed)
    return ScoredRows(name, labels.size, binary_metrics(labels, scores))


def scored(seed: int):
    draws = np.random.default_rng(seed)
    labels = (draws.random(200) < 0.4).astype(float)
    return labels, np.clip(labels * 0.3 + draws.random(200) * 0.6, 0, 1)


TEST = [judged("test.csv", 1)]


PICTURES = {
    "scored": TEST,
    "learning_curve": {"valid auc": [0.6, 0.7]},
    "importance": {"income": 3.0, "age": 1.0},
}


def make(**changes) -> RunReport:
    """Without pictures, which take a second together."""
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
        "missing_rates": {"income": 0.25},
    }
    return RunReport(**{**facts, **changes})


def test_alignments_are_shown_a_column_each():
    facts = {"peer": "bureau", "file": "a<b.csv", "rows": 50, "keys": 49, "peer_keys": 1048}
    facts |= {"time": "2026-11-28T10:00:00Z", "dry_runs": 2, "attempts": 1}
    found = [
        AlignedSet(
            **facts, data_set=name, common=36, align_sha256="ab" * 32, order_sha256=order * 32
        )
        for name, order in (("train", "cd"), ("eval.valid", "ef"))
    ]
    report = make(alignments=found)
    page = render_page(report)
    for text in ("The rows that both sides have", "eval.valid", "a&lt;b.csv", "1,048", "cd" * 8):
        assert text in page
    assert report_json(report)["alignments"][1]["order_sha256"] == "ef" * 32
    assert "both sides have" not in render_page(make())


def test_page_is_well_formed_and_self_contained():
    page = render_page(make(**PICTURES))
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert not parser.tags & {"script", "link", "img", "iframe", "image"}
    assert len(set(parser.ids)) == len(parser.ids)
    # The namespace of an SVG, and a picture's references to itself.
    assert not re.search(r'src=|(?<!:xlink=")https?://|href="(?!#)|url\((?!#)', page)
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
    page = render_page(report)
    for text in (sentence, "ab" * 32, "cd" * 32, "INTEL-SA-00615", "This was.", "That was not."):
        assert text in page
    assert report_json(report)["dealer"]["assurance"] == assurance


def test_a_run_without_a_dealer_says_so():
    report = make(dealer=None)
    assert "there is no dealer" in render_page(report)
    assert report_json(report)["dealer"] is None


def test_page_shows_ledger_costs_evidence_versions_and_digest():
    page = render_page(make())
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
    page = render_page(make(leaks=leaks))
    assert "up to 30 bits about 10 labels" in page
    assert '<p class="warning">training rows: 30 bits' in page
    assert report_json(make(leaks=leaks))["leaks"] == leaks


def test_page_shows_both_classes_by_score_and_what_the_index_counts():
    both = [judged("training rows", 2), *TEST]
    moved = [stability(("training rows", scored(2)[1]), ("test.csv", scored(1)[1]))]
    says = "positive class: 'bad', 3 % of rows"
    report = make(
        **PICTURES | {"scored": both}, stability=moved, labels=says, classes=["good", "bad"]
    )
    page = render_page(report)
    for text in (
        "Both classes by score",
        "The greatest distance of the two lines is KS: ",
        "in 20 equal steps",
        "mean predicted",
        "A band with less than 0.01% of the rows counts as if it held that share",
        "positive class: &#39;bad&#39;, 3 % of rows",
        ">good (negative)</text>",
        ">training rows</text>",
        "positives so far",
    ):
        assert text in page
    assert page.count("<figure>") == page.count("<figcaption>") == 8
    assert "tability" not in render_page(make())


@pytest.mark.parametrize("count", [3, 21])
def test_page_shows_which_class_is_taken_for_which(count):
    draws = np.random.default_rng(3)
    labels = draws.integers(0, count, 300).astype(float)
    p = draws.dirichlet(np.ones(count), 300)
    rows = [ScoredRows("test.csv", 300, class_metrics(labels, p))]
    names = [f"kind <{number}>" for number in range(count)]
    report = make(scored=rows, classes=names, labels="3 classes")
    page = render_page(report)
    assert page.count(">kind &lt;2&gt;</text>") == (
        2 if count == 3 else 0
    )  # both axes, or no picture
    assert "<td>kind &lt;2&gt;</td>" in page
    assert "<image" not in page
    assert "auc against all others" in page
    found = tables(report)
    assert len(found["classes"].rows) == count
    assert sum(row[-1] for row in found["taken_for"].rows) == 300
    unnamed = tables(make(scored=rows))["classes"]  # as the feature party has it, without labels
    assert [row[1] for row in unnamed.rows] == [str(number) for number in range(count)]


def test_a_side_without_predictions_has_no_quality_section():
    page = render_page(make(role="feature"))
    assert "ROC" not in page
    assert "Learning curve" not in page
    assert "svg" not in page.split("</style>")[1]


def test_regression_and_empty_ledger():
    found = ScoredRows("test.csv", 2, regression_metrics(np.ones(2), np.zeros(2)))
    page = render_page(make(scored=[found], ledger=[]))
    assert "rmse" in page
    assert "not defined" in page
    assert "Nothing was opened" in page


def test_json_is_strict():
    facts = report_json(make(scored=TEST, importance={"income": float("nan")}))
    text = json.dumps(facts, allow_nan=False)
    assert json.loads(text)["importance"]["income"] is None
    assert facts["scored"][0]["metrics"]["auc"] > 0.5


def test_names_from_data_are_texts():
    name = """<script>"&$x$' id="y" """.strip()
    report = make(
        importance={name: 1.0}, missing_rates={name: 0.5}, classes=[name, "good"],
        learning_curve={f"{name} auc": [0.5]}, scored=[judged(name, 1)],
        leaks=[Leak(name, 10, 5, 64).to_mapping()],
    )  # fmt: skip
    page = render_page(report)
    parser = Balance()
    parser.feed(page)
    assert "script" not in parser.tags
    assert "y" not in parser.ids
    assert page.count("&lt;script&gt;&#34;&amp;$x$&#39; id=&#34;y&#34;") > 3
    assert """>&lt;script&gt;"&amp;$x$' id="y\"</text>""" in page


def test_the_same_figure_is_the_same_bytes():
    judged_rows = [(one.name, one.metrics) for one in TEST]
    drawn = [figures.to_svg(lambda: figures.roc(judged_rows), "roc") for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith('<svg viewBox="0 0 ')


def test_rows_of_one_class_and_rows_without_labels_have_what_there_is_to_say():
    ones = ScoredRows("ones", 3, binary_metrics(np.ones(3), np.array([0.2, 0.2, 0.9])))
    page = render_page(make(scored=[ones, ScoredRows("later", 9, None)]))
    assert "not defined" in page
    assert "later" not in page
    assert "ROC" not in page
    assert "Calibration" in page


def test_the_tables_have_every_digit_and_name_their_rows():
    found = tables(make(scored=[judged("training rows", 2), *TEST]))
    metrics = TEST[0].metrics
    assert found["metrics"].head == ("metric", "training rows", "test.csv")
    assert {row[0]: row[2] for row in found["metrics"].rows}["auc"] == metrics.auc
    lines = found["calibration"].to_csv().splitlines()
    assert lines[0] == "of,rows,mean predicted,observed rate"
    last = metrics.calibration[-1]
    assert lines[-1] == f"test.csv,{last.rows},{last.predicted},{last.observed}"
    band = found["bands"].rows[-1]
    assert band[7:] == (1.0, 1.0, 0.0)
    assert "stability" not in found


def test_a_constant_metric_and_importances_of_nothing_are_drawn():
    page = render_page(make(learning_curve={"valid auc": [0.5, 0.5]}, importance={"a": 0.0}))
    assert "nan" not in page.lower().replace("finance", "")


def test_columns_whose_long_names_begin_alike_have_a_bar_each():
    values = {f"{'payment_' * 5}{number}{'_month' * 5}": 1.0 for number in range(4)}
    (axes,) = figures.importance(values).axes
    assert len({bar.get_y() for bar in axes.patches}) == 4


def test_only_the_first_and_the_newest_rows_have_a_panel():
    many = [(str(number), None) for number in range(5)]
    assert [name for name, _ in figures._shown(many)] == ["0", "3", "4"]


def test_a_share_of_nothing_has_no_sign():
    assert [_cell(value, True).text for value in (-1e-17, -0.0004, -0.0006)] == [
        "0.0%", "0.0%", "-0.1%",
    ]  # fmt: skip
