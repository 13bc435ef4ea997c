"""The tables of docs/accuracy.md, from the lines of accuracy.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, median

import bars
from lines import Line, Results, at, grouped, standard_error, table, values_at

BUILDS = {"product": ("numbers", "numbers-largest"), "before": ("numbers-before",)}
"""What builds are called in the tables, and their files of results."""
CHANCES = ("rates", "segments", "long", "weights")
"""Groups of classifications that are compared draw by draw."""
SAME = 2e-3
"""Chances apart by more than this mean another split somewhere."""
SAME_DEVIATIONS = 1e-3


def verdicts(results: Results) -> str:
    """Which sets keep to the bars; of the product alone."""
    rows: list[Sequence[object]] = []
    for group in CHANCES:
        for name in _names(results, group):
            lines = [line for line in dict(_of(results, group, name))["product"] if "apart" in line]
            found = bars.judged(lines)
            cells = ["" if one is None else one.cell for one in found]
            rows.append([group, name, len(lines), *cells, bars.summary(found)])
    for name in _names(results, "flat"):
        lines = dict(_of(results, "flat", name))["product"]
        found = bars.judged([{"apart": {"fitted_mean": _off(line)}} for line in lines])
        cells = ["" if one is None else one.cell for one in found]
        rows.append(["flat", name, len(lines), *cells, bars.summary(found)])
    return table(("group", "set", "draws", *(bar.name for bar in bars.BARS), "bars"), rows)


def events(results: Results, group: str) -> str:
    """Differences to xgboost of a group's classifications, means over draws."""
    rows: list[Sequence[object]] = []
    for name in _names(results, group):
        for build, lines in _of(results, group, name):
            kept = [line for line in lines if "apart" in line]
            if not kept:
                rows.append([*_set(lines, build), "refused", *[""] * 7])
                continue
            same = sum(at(line, "apart.worst_chance") <= SAME for line in kept)
            drawn = f"{len(kept)}" + (f" of {len(lines)}" if len(kept) < len(lines) else "")
            rows.append(
                [
                    *_set(lines, build),
                    drawn,
                    _auc(kept),
                    _mean(kept, "auc", 1.0, 4),
                    _mean(kept, "logloss", 100.0, 2),
                    _mean(kept, "fitted_mean", 100.0, 2),
                    _worst_segment(kept),
                    _mean(kept, "median", 1.0, 3),
                    f"{same} of {len(kept)}",
                ]
            )
    head = (
        "set", "rows, positives, trees", "build", "draws", "AUC, xgboost", "d AUC", "d log-loss, %",
        "d mean p, %", "worst segment, %", "d median logit", "same model",
    )  # fmt: skip
    return table(head, rows)


def _off(line: Line) -> float:
    """How far the chance of the rare class is off, of a rate alone, after the last tree."""
    both = [list(at(line, whose).values())[-1] for whose in ("ours", "xgboost")]
    ours, other = (1 - p for p in both) if line["problem"].startswith("1 -") else both
    return float(ours / other - 1)


def itself(results: Results) -> str:
    """Distances of the product to xgboost, and of xgboost to itself on fewer rows."""
    rows: list[Sequence[object]] = []
    found = [line for line in results["numbers"] if line["group"] == "itself"]
    for (group, name), beside in grouped(found, "of", "problem").items():
        measured = dict(_of(results, group, name)).get("product", ())
        ours = [line for line in measured if "apart" in line]
        both = (ours, beside)
        ratios = [[100 * (_rmse(x) - 1) for x in lines if at(x, "ours.rmse")] for lines in both]
        if ratios[0]:
            cells = ["", "", "", "", *(_distance(of, 3) for of in ratios)]
        else:
            cells = [_apart(of, what, n) for what, n in _DISTANCES for of in both] + ["", ""]
        rows.append([group, name, f"{len(ours)}; {len(beside)}", *cells])
    whom = ("product", "xgboost")
    head = (f"{of}, {who}" for of in ("AUC", "median logit", "RMSE, %") for who in whom)
    return table(("group", "set", "draws", *head), rows)


def segments(results: Results) -> str:
    """Mean chances of segments, first draw, beside xgboost's."""
    rows: list[Sequence[object]] = []
    for name in _names(results, "segments"):
        found = {build: lines[0] for build, lines in _of(results, "segments", name)}
        line = found["product"]
        for number, positives in enumerate(at(line, "ours.positives")):
            chances = [at(line, "xgboost.segments")[number]]
            chances += [at(found.get(build, {}), "ours.segments") for build in BUILDS]
            cells = [chances[0]] + [None if of is None else of[number] for of in chances[1:]]
            rows.append([f"{name}, {line['rows']:,} rows", positives, *map(_chance, cells)])
    return table(("set", "positives", "xgboost", "product", "before"), rows)


def flat(results: Results) -> str:
    """What becomes of a rate, tree after tree."""
    rows: list[Sequence[object]] = []
    for name in _names(results, "flat"):
        found = {build: lines[0] for build, lines in _of(results, "flat", name)}
        whom = {"xgboost": at(found["product"], "xgboost")}
        whom |= {build: at(line, "ours") for build, line in found.items()}
        is_common = name.startswith("1 -")
        for who, after in whom.items():
            cells = [1 - p if is_common else p for p in after.values()]
            rows.append([name, who, *(f"{cell:.3e}" for cell in cells)])
    return table(("rate", "by", "1 tree", "10", "50", "500"), rows)


def regressions(results: Results) -> str:
    """RMSE beside xgboost's."""
    rows: list[Sequence[object]] = []
    for name in _names(results, "regression"):
        for build, lines in _of(results, "regression", name):
            kept = [line for line in lines if "apart" in line]
            if not kept:
                rows.append([*_set(lines, build)[:3], "refused", *[""] * 4])
                continue
            ratios = [100 * (_rmse(line) - 1) for line in kept]
            same = sum(at(line, "apart.worst") <= SAME_DEVIATIONS for line in kept)
            rows.append(
                [
                    *_set(lines, build)[:3],
                    len(kept),
                    _digits(median(at(line, "xgboost.rmse") for line in kept)),
                    _about(ratios, 3),
                    f"{median(at(line, 'apart.worst') for line in kept):.1e}",
                    f"{same} of {len(kept)}",
                ]
            )
    head = (
        "targets", "rows, trees", "build", "draws", "RMSE, xgboost", "d RMSE, %", "worst, sd",
        "same model",
    )  # fmt: skip
    return table(head, rows)


def metrics(results: Results) -> str:
    """What was opened after the best tree."""
    rows: list[Sequence[object]] = []
    for name in _names(results, "metrics"):
        found = {build: lines[0] for build, lines in _of(results, "metrics", name)}
        whom = {"xgboost": at(found["product"], "xgboost")}
        whom |= {build: at(line, "ours") for build, line in found.items()}
        for who, of in whom.items():
            values = (_digits(of["opened"]), _digits(of["true"]))
            rows.append([name, who, *values, of["best"] + 1, of["trees"]])
    return table(("metric", "by", "opened", "of the model", "best tree", "trees grown"), rows)


def shares(results: Results) -> str:
    """Whether the backends agree."""
    rows = [
        [line["problem"], line["rows"], line["trees"], line["digest"], line["opened"]]
        for line in results["numbers"]
        if line["group"] == "shares"
    ]
    return table(("set", "rows", "trees", "splits and leaf values", "predictions"), rows)


def page(results: Results, template: str) -> str:
    """The text of docs/accuracy.md."""

    def made(section: Callable[[Results], str], group: str) -> str:
        found = {line["group"] for line in results.get("numbers", ())}
        return section(results) if group in found else "Not measured yet.\n"

    return template.format(
        bars=made(verdicts, "rates"),
        rates=made(lambda found: events(found, "rates"), "rates"),
        segments=made(segments, "segments"),
        apart=made(lambda found: events(found, "segments"), "segments"),
        flat=made(flat, "flat"),
        long=made(lambda found: events(found, "long"), "long"),
        weights=made(lambda found: events(found, "weights"), "weights"),
        regressions=made(regressions, "regression"),
        itself=made(itself, "itself"),
        metrics=made(metrics, "metrics"),
        shares=made(shares, "shares"),
    )


def _names(results: Results, group: str) -> Iterable[str]:
    lines = _lines(results, "product")
    return dict.fromkeys(line["problem"] for line in lines if line["group"] == group)


def _lines(results: Results, build: str) -> list[Line]:
    return [line for file in BUILDS[build] for line in results.get(file, ())]


def _of(results: Results, group: str, name: str) -> Iterable[tuple[str, list[Line]]]:
    """A problem's lines by build."""
    for build in BUILDS:
        lines = grouped(_lines(results, build), "group", "problem").get((group, name))
        if lines:
            yield build, lines


def _set(lines: Sequence[Line], build: str) -> tuple[object, object, object]:
    """What was trained; once for both builds."""
    if build != "product":
        return "", "", build
    line = lines[0]
    parts = [f"{line['rows']:,}", f"{line['trees']}"]
    if line["positives"] is not None:
        parts.insert(1, f"{round(fmean(x['positives'] for x in lines)):,}")
    return line["problem"], "; ".join(parts), build


def _mean(lines: Sequence[Line], name: str, factor: float, decimals: int) -> str:
    """A mean over draws, and its standard error."""
    values = values_at(lines, f"apart.{name}", factor)
    return _about(values, decimals) if values else ""


_DISTANCES = (("auc", 4), ("median", 3))


def _apart(lines: Sequence[Line], name: str, decimals: int) -> str:
    return _distance(values_at(lines, f"apart.{name}"), decimals)


def _distance(values: Sequence[float], decimals: int) -> str:
    """The mean of the values without their signs."""
    return f"{fmean(map(abs, values)):.{decimals}f}" if values else ""


def _rmse(line: Line) -> float:
    """As a multiple of xgboost's."""
    return float(at(line, "ours.rmse") / at(line, "xgboost.rmse"))


def _about(values: Sequence[float], decimals: int) -> str:
    text = f"{fmean(values):+.{decimals}f}"
    error = standard_error(values)
    return text if error is None else f"{text} ± {error:.{decimals}f}"


def _auc(lines: Sequence[Line]) -> str:
    """xgboost's; a model that is a constant has none."""
    values = values_at(lines, "xgboost.auc")
    return f"{fmean(values):.4f}" if values else ""


def _worst_segment(lines: Sequence[Line]) -> str:
    values = values_at(lines, "apart.segment", 100.0)
    return f"{max(values, key=abs):+.1f}" if values else ""


def _chance(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _digits(value: float) -> str:
    return f"{value:.4g}" if value < 1e4 else f"{value:,.0f}"
