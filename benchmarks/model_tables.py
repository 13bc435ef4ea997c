"""What monotone.py, objectives.py and published.py found, as tables of docs/benchmarks.md."""

from __future__ import annotations

from statistics import mean, stdev

from lines import Results, at, table
from plots import number

SAME = 1e-3
"""Margins of the same splits differ by less, in units of a logarithm: leaves by some 10^-4."""


def objectives(results: Results) -> str:
    """By table and objective: losses, and their relative difference over the draws."""
    rows: list[list[object]] = []
    for line in results["objectives"]:
        more = ", ".join(f"{name} {value:g}" for name, value in line["settings"].items())
        gaps, pairs = line["gaps"], list(zip(line["gaps"], line["margin_gaps"], strict=True))
        same = [abs(gap) for gap, margin in pairs if margin < SAME]
        spread = "" if len(gaps) < 2 else f" ± {stdev(gaps) / len(gaps) ** 0.5:.1e}"
        rows.append([line["table"], f"{line['rows']:,} x {line['columns']}"])
        rows[-1] += [", ".join(filter(None, (line["objective"], more)))]
        rows[-1] += [f"{line['xgboost_loss']:.4f}", f"{mean(gaps):+.1e}{spread}"]
        rows[-1] += [f"{len(same)} of {len(gaps)}", f"{max(same):.1e}" if same else ""]
    head = (
        "table", "rows x columns", "objective", "loss of xgboost", "ours, relative to it",
        "draws with its splits", "largest of these, relative",
    )  # fmt: skip
    return table(head, rows)


def monotone(results: Results) -> str:
    """By data set: moves that break the order, AUCs, and what directions cost."""
    rows: list[list[object]] = []
    for line in results["monotone"]:
        gaps, ours, free = line["gaps"], line["with"], line["without"]
        text = f"{mean(gaps):+.4f}"
        if len(gaps) > 1:
            text += f" ± {stdev(gaps) / len(gaps) ** 0.5:.4f}"
        rows.append([line["data"], line["rows"], f"{line['trees']}, {line['depth']}"])
        rows[-1] += [f"{ours['broken']} of {ours['moves']:,}"]
        rows[-1] += [f"{100 * free['broken'] / free['moves']:.1f} %"]
        rows[-1] += [f"{ours['auc']:.4f}", f"{line['xgboost_with']:.4f}", f"{free['auc']:.4f}"]
        rows[-1] += [f"{text}, {len(gaps)} draws" if len(gaps) > 1 else text]
        rows[-1] += [f"{line['more_rounds_a_level']:.1f}", f"{100 * line['more_bytes']:.2f} %"]
    head = (
        "data", "rows", "trees, depth", "moves that break the order", "without directions",
        "AUC", "xgboost's", "without directions, AUC", "ours less xgboost's", "more rounds a level",
        "more bytes",
    )  # fmt: skip
    return table(head, rows)


def published(results: Results) -> str:
    """By shape: what a tree takes."""
    paths = (
        "mean.total_seconds", "median.total_seconds", "mean.online_megabytes",
        "mean.offline_megabytes", "median.rounds", "mean.label_cpu_seconds",
    )  # fmt: skip
    rows: list[list[object]] = []
    for line in results["published"]:
        columns = f"{line['label_columns']} + {line['feature_columns']}"
        rows.append([line["rows"], columns, line["depth"]])
        rows[-1] += [number(at(line, path)) for path in paths]
        rows[-1] += [number(max(line["peak_rss_mb"].values()))]
    head = (
        "rows", "columns", "depth", "s a tree", "median", "MB online", "offline", "rounds",
        "CPU s a party", "peak MB",
    )  # fmt: skip
    return table(head, rows)
