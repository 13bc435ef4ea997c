"""The page in docs/ is what the lines in results/ make, and the plots beside it are."""

import xml.etree.ElementTree as ET

import pytest


def test_page_and_plots_are_those_that_the_lines_make():
    import lines
    import report

    results = lines.read(report.RESULTS)
    assert (report.DOCS / "benchmarks.md").read_text() == report.page(results)
    assert (report.DOCS / "accuracy.md").read_text() == report.accuracy(results)
    threats = (report.DOCS / "threat-model.md").read_text()
    assert threats == report.threat_model(results, threats)
    assert "| attack | owned splits | hidden splits |" in threats
    dealer = (report.DOCS / "dealer.md").read_text()
    assert dealer == report.dealer(results, dealer)
    assert "| work | rounds | load | bare s |" in dealer
    served = (report.DOCS / "serving.md").read_text()
    assert served == report.serving(results, served)
    assert "| who asks knows | trees |" in served
    drawn = report.plots(results)
    for name, plot in drawn.items():
        assert (report.DOCS / name).read_text() == plot, "run python benchmarks/report.py"
        assert f"]({name})" in (served if name.startswith("serving-") else report.page(results))
    kept = {
        path.name
        for kind in ("benchmarks", "serving")
        for path in report.DOCS.glob(f"{kind}-*.svg")
    }
    assert kept == set(drawn)


def test_page_of_nothing():
    import report

    page = report.page({"nothing": [{"date": "2026-01-02"}]})
    assert "Not measured yet." in page


def test_every_standard_work_is_run_with_and_without_a_dealer():
    import run
    import works

    for name in works.WORKS:
        runs = [command for command in run.PLAN["training"] if f"--work {name}" in command]
        assert any("dealt" in command for command in runs), name
        assert any("dealt" not in command for command in runs), name


def test_plots_are_well_formed():
    import plots

    panel = plots.Panel("a < b", "x", "y", {"one": [(1, 2.0), (3, 0.5)]}, {"two": [(0, 1), (3, 1)]})
    for drawn in (plots.lines([panel] * 3), plots.bars({"W1 & more": {"a": 1.0, "b": 2.5}}, "s")):
        assert ET.fromstring(drawn).tag.endswith("svg")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.01234, "0.0123"), (12.345, "12.3"), (99.96, "100"),
                        (123456.0, "123,456")]
)  # fmt: skip
def test_numbers_have_three_digits(value, text):
    from plots import number

    assert number(value) == text


def test_lines_through_points():
    from fits import Fit, Prices

    fit = Fit.of([1, 2, 4], [5.0, 7.0, 11.0])
    assert (fit.fixed, fit.slope, fit.off) == pytest.approx((3.0, 2.0, 0.0))
    points = [
        {
            "model": {"rounds": rounds, "online_megabytes": size},
            "mean": {"online_seconds": 0.001 * rounds + 0.02 * size},
        }
        for rounds, size in ((100, 1.0), (200, 1.5), (300, 9.0))
    ]
    prices = Prices.of(points)
    assert (prices.a_round, prices.a_megabyte) == pytest.approx((0.001, 0.02))
