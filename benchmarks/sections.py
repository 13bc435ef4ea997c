"""The parts of docs/benchmarks.md that hold figures: one function a section."""

from __future__ import annotations

from collections.abc import Mapping

from fits import Fit, Prices
from lines import Line, Results, at, grouped, middle, table
from plots import Panel, bars, lines, number

GOALS = {"W1": (0.6, 15.0), "W2": (3.0, 200.0), "W3": (6.0, 400.0), "1M": (40.0, None)}
"""Seconds and megabytes a tree without a dealer, at most; with one, two thirds."""
NETWORK_GOAL, PAILLIER_GOAL, MEMORY_GOAL_MB = 25.0, 20.0, 2500.0
WORKS = tuple(GOALS)
OTHERS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (
        "SecretFlow 1.14 SS-XGB on Cheetah",
        "the winning candidate's index, to both",
        {"W1": "14.5 s, 153 MB", "W2": "322 s, 1,564 MB"},
    ),
    (
        "SecretFlow SS-XGB on SEMI2K, 64 bits",
        "one party deals the triples: no protection against it",
        {"W1": "3.0 s, 468 MB", "W2": "115 s, 20,230 MB", "W3": "195 s, 33,100 MB"},
    ),
    (
        "SS-XGB written for MP-SPDZ, with a trusted dealer",
        "nothing more",
        {"W1": "5.4 s, 1,072 MB", "W2": "322 s, 45,000 MB"},
    ),
    (
        "SecretFlow SGB (SecureBoost), OU-2048",
        "histograms, node membership, leaf values",
        {"W1": "0.98 s, 3.2 MB", "W2": "7.4 s, 20 MB", "W3": "11.9 s, 58 MB"},
    ),
    (
        "FATE 2.2 SecureBoost, Paillier-1024",
        "histograms, node membership, leaf values",
        {"W1": "23 s", "W2": "121 s"},
    ),
    (
        "plain xgboost, one thread",
        "everything",
        {"W1": "0.0007 s", "W2": "0.005 s", "W3": "0.017 s"},
    ),
)
"""Measured earlier on a machine of the same kind, two processes on loopback."""


def machine(results: Results) -> str:
    """One sentence."""
    (line,) = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in line["libraries"].items())
    return (
        f"{line['processor']}, {line['cores']} cores, {line['memory_gb']} GB; "
        f"{line['system']}; Python {line['python']}, {versions}"
    )


def days(results: Results) -> str:
    measured = (group for name, group in results.items() if name != "thorough")
    found = sorted({line["date"] for group in measured for line in group if "date" in line})
    if not found:
        return "?"
    return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"


def source(results: Results, question: str) -> str:
    """When and on what, for the line below a table; earlier lines do not name a processor."""
    found = results.get(question, ())
    if not any("date" in line for line in found):
        return ""
    processors = [at(line, "processor") for line in found]
    named = sorted({one for one in processors if one})
    if named and None in processors:
        named.append("one not noted")
    on = f" on {' and '.join(named)}" if named else ""
    return f"\n*Measured {days({question: found})}{on}.*\n"


def comparison(results: Results) -> str:
    """This package, its goals, and other systems."""
    by = grouped(results["training"], "work", "method")
    rows: list[list[object]] = []
    for name, share in (("two parties", 1.0), ("dealer", 2 / 3)):
        goals = [_goal(work, share) for work in WORKS]
        rows.append([f"goal: securexgb, {name}", "", *goals])
        figures = [_figure(by.get((work, name), [])) for work in WORKS]
        rows.append([f"**securexgb, {name}**", "nothing more", *figures])
    paillier = _figure(by.get(("W1", "two parties, Paillier-2048"), []))
    rows.append(["goal: securexgb, Paillier-2048", "", f"<= {PAILLIER_GOAL:g} s"])
    rows.append(["**securexgb, Paillier-2048**", "nothing more", paillier])
    rows += [[name, leaks, *(found.get(work) for work in WORKS)] for name, leaks, found in OTHERS]
    head = ("a tree of", "what it leaks beyond our threat model", *WORKS)
    return table(head, [row + [None] * (len(head) - len(row)) for row in rows])


def _goal(work: str, share: float) -> str:
    seconds, megabytes = GOALS[work]
    goal = f"<= {number(seconds * share)} s"
    return goal if megabytes is None else f"{goal}, {number(megabytes * share)} MB"


def _figure(runs: list[Line]) -> str | None:
    if not runs:
        return None
    seconds, sent = middle(runs, "mean.total_seconds"), middle(runs, "mean.megabytes")
    return f"**{number(seconds)} s, {number(sent)} MB**"


def training(results: Results) -> str:
    """All runs, a row for each work and way."""
    rows = []
    for (work, method), runs in grouped(results["training"], "work", "method").items():
        figures = [f"mean.{name}_seconds" for name in ("total", "waited", "online", "offline")]
        sizes = [f"mean.{name}megabytes" for name in ("", "online_", "offline_")]
        sides = ["mean.label_cpu_seconds", "mean.feature_cpu_seconds"]
        rows.append(
            [
                work,
                method,
                f"{len(runs)} x {runs[0]['trees']}",
                *(middle(runs, path) for path in figures),
                middle(runs, "median.total_seconds"),
                *(middle(runs, path) for path in sizes),
                round(middle(runs, "mean.rounds")),
                ", ".join(number(middle(runs, path)) for path in sides),
            ]
        )
    head = (
        "work", "correlations", "runs x trees", "s a tree", "waiting", "online", "offline",
        "median s", "MB a tree", "online", "offline", "rounds", "CPU s: label, feature",
    )  # fmt: skip
    return table(head, rows)


SPLITS_BARS = {"W1": (1.10, 1.15), "W2": (1.20, 1.35), "W3": (1.27, 1.45), "1M": (1.35, 1.6)}
"""Of hidden splits against owned ones, by work: megabytes and seconds of a tree, at most."""


def splits(results: Results) -> str:
    """What hidden splits cost in place of owned ones, in alternating runs."""
    rows = []
    runs = grouped(results["splits"], "work", "splits")
    for work, (size_bar, time_bar) in SPLITS_BARS.items():
        owned, hidden = runs.get((work, "owner"), []), runs.get((work, "hidden"), [])
        if not owned or not hidden:
            continue
        row: list[object] = [work, f"{len(hidden)} x {hidden[0]['trees']}"]
        for path in ("mean.megabytes", "mean.total_seconds", "mean.rounds", "peak_rss_mb.label"):
            before, after = middle(owned, path), middle(hidden, path)
            row += [before, after, after / before]
        rows.append([*row, f"{size_bar:.2f}, {time_bar:.2f}"])
    head = (
        "work", "runs x trees", "MB: owned", "hidden", "ratio", "s: owned", "hidden", "ratio",
        "rounds: owned", "hidden", "ratio", "peak MB: owned", "hidden", "ratio", "goals: MB, s",
    )  # fmt: skip
    return table(head, rows)


def versus(results: Results) -> str:
    """An older revision against today's, in alternating runs."""
    rows = []
    for line in results["versus"]:
        row: list[object] = [line["work"], line["profile"] or "loopback", line["splits"]]
        for name in ("seconds", "cpu", "megabytes", "online_megabytes"):
            row.append(f"{number(line['old'][name])}, {number(line['new'][name])}")
            row.append(line[f"{name}_ratio"])
        row.append(f"{line['rounds_old']:.0f}, {line['rounds_new']:.0f}")
        after = line["new"]
        row.append(after["first_tree_seconds"] / after["median_tree_seconds"])
        rows.append([*row, line["processor"], line["date"]])
    head = (
        "work", "link", "splits", "s a tree: then, now", "ratio", "CPU s a party", "ratio",
        "MB", "ratio", "MB online", "ratio", "rounds", "first tree / median", "on", "day",
    )  # fmt: skip
    return table(head, rows)


def rivals(results: Results) -> str:
    """Seconds a tree of ours and of SecretFlow's SGB, which opens what we do not."""
    measured = [line for line in results["rivals"] if "skipped" not in line]
    names = (
        "work", "splits", "ours_seconds", "ours_later_seconds", "sgb_seconds", "times_faster",
        "times_faster_later",
    )  # fmt: skip
    rows = [[line[name] for name in names] for line in measured]
    head = (
        "work", "splits", "s a tree: ours", "ours, beyond a first", "SGB, beyond a first",
        "times faster", "times faster, both beyond a first",
    )  # fmt: skip
    return table(head, rows) if rows else "No interpreter here had it.\n"


def training_plot(results: Results) -> str:
    rows = {}
    for (work, method), runs in grouped(results["training"], "work", "method").items():
        total = max(middle(runs, "mean.total_seconds"), 1e-9)
        if total < 60:
            rows[f"{work}, {method}"] = _parts(runs)
    return bars(rows, "s")


def _parts(runs: list[Line]) -> dict[str, float]:
    return {
        "online": middle(runs, "mean.online_seconds"),
        "waiting for correlations": middle(runs, "mean.waited_seconds"),
    }


def once(results: Results) -> str:
    """What a job pays once, and what processes need."""
    rows = []
    for (work, method), runs in grouped(results["training"], "work", "method").items():
        paths = [
            f"{when}.{what}"
            for what in ("total_seconds", "megabytes")
            for when in ("before_first_tree", "first_tree")
        ]
        peaks = [middle(runs, f"peak_rss_mb.{side}") for side in ("label", "feature")]
        dealer = None
        if at(runs[0], "dealer_cpu_seconds_a_tree") is not None:
            dealer = middle(runs, "dealer_cpu_seconds_a_tree")
            peaks.append(middle(runs, "peak_rss_mb.dealer"))
        row = [work, method, *(middle(runs, path) for path in paths)]
        rows.append([*row, ", ".join(map(number, peaks)), dealer])
    head = (
        "work", "correlations", "s before the first tree", "s of the first tree",
        "MB before the first tree", "MB of it", "peak MB: label, feature, dealer",
        "dealer's CPU s a tree",
    )  # fmt: skip
    return table(head, rows)


def accuracy(results: Results) -> str:
    rows = []
    for line in results["accuracy"]:
        shape = f"{line['trees']}, {line['depth']}, {line['bins']}"
        secure, plain = line["auc"], line["xgboost_auc"]
        rows.append(
            [line["work"], line["rows"], line["test_rows"], shape, f"{secure:.5f}", f"{plain:.5f}"]
        )
    head = ("data", "rows", "test rows", "trees, depth, bins", "AUC, securexgb", "AUC, xgboost")
    return table(head, rows)


def bins(results: Results) -> str:
    """By data set: AUC on xgboost's own cuts, and the change by others."""
    versions = sorted({line["xgboost"] for line in results["binning"]})
    rows: list[list[object]] = []
    for (data, count), measured in grouped(results["binning"], "data", "bins").items():
        first = measured[0]
        by = {line["xgboost"]: f"{line['xgboost_auc']:.4f}" for line in measured}
        rows.append([data, f"{first['rows']:,} x {first['columns']}", count])
        rows[-1] += [by.get(version) for version in versions]
        for rule in ("quantiles", "capped"):
            change, uncut = at(first, f"change.{rule}"), at(first, f"without_cut.{rule}")
            text = "" if change is None else f"{change['mean']:+.4f} ± {change['error']:.4f}"
            rows[-1].append(f"{text}, {uncut} without a cut" if uncut else text)
    own = [f"AUC, own cuts of xgboost {version}" for version in versions]
    return table(("data", "rows x columns", "bins", *own, "plain quantiles", "our cuts"), rows)


def exports(results: Results) -> str:
    """By model: the largest difference of margins in each reader, of both kinds of splits."""
    readers = list(dict.fromkeys(f"{x['reader']} {x['version']}" for x in results["exports"]))
    rows: list[list[object]] = []
    for (data, rows_read), measured in grouped(results["exports"], "data", "rows").items():
        first = measured[0]
        by = dict.fromkeys(readers, 0.0)
        for line in measured:
            reader = f"{line['reader']} {line['version']}"
            by[reader] = max(by[reader], line["largest_difference"])
        row = [data, rows_read, f"{first['trees']}, {first['depth']}"]
        rows.append([*row, f"{first['largest_margin']:.4g}", *(f"{by[r]:.1e}" for r in readers)])
        rows[-1].append(max(line["rows_beyond"] for line in measured))
    head = ("model", "rows read", "trees, depth", "largest margin", *readers, "rows beyond 10⁻⁵")
    return table(head, rows)


def network(results: Results) -> str:
    """By work and link."""
    rows = []
    for (work, name), runs in grouped(results["network"], "work", "profile.name").items():
        check = at(runs[0], "check")
        link = at(runs[0], "profile")
        seconds, rounds = middle(runs, "mean.total_seconds"), middle(runs, "mean.rounds")
        latency = 1e-3 * link["milliseconds"] * rounds
        wire = 8 * middle(runs, "mean.megabytes") / 2 / link["megabits"]
        rows.append(
            [
                work,
                f"{name}: {link['megabits']:g} Mbit/s, {link['milliseconds']:g} ms each way",
                f"{number(check['megabits_per_second'])} Mbit/s, "
                f"{number(check['milliseconds_each_way'])} ms",
                seconds,
                middle(runs, "mean.waited_seconds"),
                round(rounds),
                middle(runs, "mean.megabytes"),
                f"{number(latency)} + {number(wire)}",
                seconds / (latency + wire),
                round(sum(at(runs[0], "megabytes_on_the_links"))),
            ]
        )
    head = (
        "work", "link", "measured on bare TCP", "s a tree", "waiting", "rounds a tree",
        "payload MB a tree", "least s: rounds + bytes", "times the least",
        "MB on the wire, whole job",
    )  # fmt: skip
    return table(head, rows)


def estimates(results: Results) -> str:
    """By work, link and metrics: what came over what was estimated."""
    rows = []
    keys = "work", "method", "profile.name", "metrics"
    for (work, method, link, metrics), runs in grouped(results["estimates"], *keys).items():
        ratios = (f"{middle(runs, f'{name}.ratio'):.3f}" for name in ("rounds", "megabytes"))
        seconds = [
            figure
            for of in ("cpu_seconds", "seconds")
            for figure in (
                middle(runs, f"{of}.estimated"), middle(runs, f"{of}.came"),
                f"{middle(runs, f'{of}.ratio'):.2f}",
            )
        ]  # fmt: skip
        rows.append([work, method, link or "loopback", metrics or "none", *ratios, *seconds])
    head = (
        "work", "correlations", "link", "metrics", "rounds", "MB", "CPU s of a party: estimated",
        "came", "ratio", "s: estimated", "came", "ratio",
    )  # fmt: skip
    return table(head, rows)


def network_plot(results: Results) -> str:
    """Every work on loopback, then over its links."""
    rows = {}
    on_loopback = grouped(results["training"], "work", "method")
    for (work,), found in grouped(results["network"], "work").items():
        if runs := on_loopback.get((work, found[0]["method"])):
            rows[f"{work}, loopback"] = _parts(runs)
        for (name,), runs in grouped(found, "profile.name").items():
            rows[f"{work}, {name}"] = _parts(runs)
    return bars(rows, "s")


def netem(results: Results) -> str:
    """Why a relay."""
    answer = results["network"][0]["netem"]
    if answer == "available":
        return "a network namespace with netem would have been possible here"
    return f"a network namespace with netem was not to be had here (tc says: {answer})"


def memory(results: Results) -> str:
    rows = [
        [
            line["rows"],
            *(at(line, f"rss_before_mb.{side}") for side in ("label", "feature")),
            *(at(line, f"peak_rss_mb.{side}") for side in ("label", "feature")),
            at(line, "mean.total_seconds"),
        ]
        for line in results["memory"]
    ]
    head = ("rows", "MB before: label", "feature", "peak MB: label", "feature", "s for the tree")
    return table(head, rows)


def memory_plot(results: Results) -> str:
    measured = {
        f"{side} party": [(line["rows"], at(line, f"peak_rss_mb.{side}")) for line in
                          results["memory"]]
        for side in ("label", "feature")
    }  # fmt: skip
    most = max(line["rows"] for line in results["memory"])
    limit = {"limit": [(0.0, MEMORY_GOAL_MB), (float(most), MEMORY_GOAL_MB)]}
    return lines([Panel("Peak memory", "rows", "MB", measured, limit)], 1)


LABELS = {
    "rows": "rows",
    "columns": "columns of each side",
    "bins": "bins",
    "depth": "depth",
}


def _driver(name: str, value: int) -> float:
    """What the cost is a straight line in: by depth, the number of leaves."""
    return float(1 << value) if name == "depth" else float(value)


def _curves(points: list[Line], kinds: Mapping[str, str]) -> dict[str, list[tuple[float, float]]]:
    return {
        label: [(line["value"], at(line, path)) for line in points] for label, path in kinds.items()
    }


def growth_seconds_plot(results: Results) -> str:
    kinds = {"total": "total", "online": "online", "offline work": "offline"}
    paths = {label: f"mean.{kind}_seconds" for label, kind in kinds.items()}
    panels = []
    for (name,), points in grouped(results["growth"], "varied").items():
        fit = _fit(name, points, "mean.total_seconds")
        values = [line["value"] for line in points]
        line = {"line": [(x, max(fit(_driver(name, x)), 0.0)) for x in values]}
        curves = _curves(points, paths)
        panels.append(Panel(f"W1 by {name}", LABELS[name], "s a tree", curves, line))
    return lines(panels)


def growth_bytes_plot(results: Results) -> str:
    paths = {"online": "mean.online_megabytes", "offline": "mean.offline_megabytes"}
    model = {"online, cost model": "model.online_megabytes"}
    panels = []
    for (name,), points in grouped(results["growth"], "varied").items():
        drawn = _curves(points, paths), _curves(points, model)
        panels.append(Panel(f"W1 by {name}", LABELS[name], "MB a tree", *drawn))
    return lines(panels)


def _fit(name: str, points: list[Line], path: str) -> Fit:
    return Fit.of([_driver(name, p["value"]) for p in points], [at(p, path) for p in points])


def growth(results: Results) -> str:
    """The fits, a row for each dimension."""
    unit = {
        "rows": (1000.0, "1,000 rows"),
        "columns": (1.0, "one column at each side"),
        "bins": (1.0, "one bin"),
        "depth": (1.0, "one leaf"),
    }
    rows: list[list[object]] = []
    for (name,), points in grouped(results["growth"], "varied").items():
        factor, what = unit[name]
        total = _fit(name, points, "mean.total_seconds")
        online = _fit(name, points, "mean.online_seconds")
        sent, modelled = (
            _fit(name, points, path)
            for path in ("mean.offline_megabytes", "model.online_megabytes")
        )
        values = f"{points[0]['value']:,} to {points[-1]['value']:,}"
        off = max(
            abs(at(p, "mean.online_megabytes") / at(p, "model.online_megabytes") - 1)
            for p in points
        )
        rows.append(
            [
                name,
                values,
                what,
                f"{number(1e3 * factor * total.slope)} ms",
                f"{number(1e3 * factor * online.slope)} ms",
                f"{number(1e3 * factor * modelled.slope)} kB",
                f"{number(1e3 * factor * sent.slope)} kB",
                f"{100 * total.off:.0f} %",
                f"{100 * off:.2f} %",
            ]
        )
    head = (
        "varied", "from, to", "what is added", "s total", "s online", "MB online", "MB offline",
        "seconds off the line", "online MB off the model",
    )  # fmt: skip
    return table(head, rows)


def complexity(results: Results) -> str:
    """For each way of training W1 as it is, and by what factor doubling something multiplies it."""
    rows: list[list[object]] = []
    for (training,), points in grouped(results["complexity"], "training").items():
        base = next(p for p in points if p["doubled"] == "nothing")
        for point in points:
            figures = [
                at(point, path) / (1.0 if point is base else at(base, path)) for path in _DOUBLED
            ]
            shown = [number(figure) if point is base else f"x {figure:.2f}" for figure in figures]
            rows.append([training, point["doubled"], *shown])
    head = (
        "training", "doubled", "rounds", "MB online, declared", "measured", "MB offline",
        "s CPU a party",
    )  # fmt: skip
    return table(head, rows)


_DOUBLED = (
    "median.rounds",
    "model.online_megabytes",
    "mean.online_megabytes",
    "mean.offline_megabytes",
    "mean.label_cpu_seconds",
)


def prices(results: Results) -> Prices:
    return Prices.of(list(results["growth"]))


def consumed(results: Results) -> str:
    """What one tree of the base consumes, and what that cost in bytes without a dealer."""
    shape = {"rows": 10_000, "label_columns": 10, "bins": 16, "depth": 3}
    points = results["growth"]
    base = next((p for p in points if shape.items() <= p.items()), points[0])
    each = {
        line["correlation"]: line["bytes_each"]
        for line in results["operations"]
        if "correlation" in line
    }
    rows: list[list[object]] = []
    for kind, count in base["model"]["correlations"].items():
        size = each.get(kind)
        rows.append([kind, count, size, None if size is None else count * size / 1e6])
    made = sum(float(str(row[3])) for row in rows if row[3] is not None)
    rest = max(at(base, "mean.offline_megabytes") - made, 0.0)
    rows.append(["products with the matrices, and rounding", base["model"]["vectors"], None, rest])
    return table(("kind", "elements a tree", "bytes each, both parties", "MB"), rows)


def protocols(results: Results) -> str:
    """Both sources of a protocol in one row."""
    named = [line for line in results["operations"] if "protocol" in line]
    rows = []
    for (name,), found in grouped(named, "protocol").items():
        by = {line["source"]: line for line in found}
        local, two = by["insecure-local"], by.get("two-party", {})
        size = local["online_bytes"] / local["count"]
        row = [f"`{name}`", f"{local['count']:,} {local['unit']}", round(local["rounds"]), size]
        rows.append([*row, local["per_second"], at(two, "per_second")])
    head = ("protocol", "on", "rounds", "bytes each", "a second, protocol alone", "a second, all")
    return table(head, rows)


def correlations(results: Results) -> str:
    two = {line["correlation"]: line for line in results["operations"] if "correlation" in line}
    dealt = {line["kind"]: line for line in results["dealer"]}
    rows = [
        [
            kind,
            at(two.get(kind, {}), "per_second"),
            at(two.get(kind, {}), "bytes_each"),
            at(dealt.get(kind, {}), "per_second"),
            at(dealt.get(kind, {}), "dealer_cpu_ms_per_million"),
        ]
        for kind in dict.fromkeys([*two, *dealt])
    ]
    head = (
        "kind", "two parties: elements a second", "bytes each", "dealer: elements a second",
        "its CPU ms a million",
    )  # fmt: skip
    return table(head, rows)


def kernels(results: Results) -> str:
    rows = [
        [f"`{line['kernel']}`", f"{number(line['per_second'] / 1e6)} million {line['unit']}"]
        for line in results["operations"]
        if "kernel" in line
    ]
    return table(("kernel, one thread", "a second"), rows)


def channel(results: Results) -> str:
    rows = [
        [line["bytes"], line["median_us"], line["p99_us"], line["mb_per_second"]]
        for line in results["channel"]
    ]
    return table(("bytes each way", "median us", "99 % us", "MB/s each way"), rows)


def alignment(results: Results) -> str:
    rows = []
    for line in results["alignment"]:
        sizes = f"{line['rows']:,} and {line['other_rows']:,}"
        figures = [line["seconds"], line["cpu_seconds"], line["megabytes"]]
        peer = [line.get(f"peer_{name}", "") for name in ("cpu_seconds", "megabytes")]
        ratio = f"{line['cpu_ratio']:.0f}" if "cpu_ratio" in line else ""
        load = line.get("load_before", "")
        peak = f"{line['peak_rss_mb']:.0f}"
        rows.append([sizes, line["common"], load, *figures, peak, *peer, ratio])
    head = ("ids", "common", "load", "s", "CPU s, both", "MB, both", "peak MB of a side",
            "beside it: CPU s", "its MB", "times more CPU")  # fmt: skip
    return table(head, rows)


def confinement(results: Results) -> str:
    """What a tree costs with the dealer bare, confined, and confined and attested."""
    found = [line for line in results["confinement"] if "seconds" in line]
    rows = []
    for line in found:
        over = [f"{100 * line['over'][how]:+.1f} %" for how in ("confined", "attested")]
        cpu = [f"{100 * line['over_cpu'][how]:+.1f} %" for how in ("confined", "attested")]
        seconds = [line["seconds"][how] for how in ("bare", "confined", "attested")]
        peak = f"{line['dealer_peak_rss_mb']['attested']:.0f}"
        shape = [f"{line['work']}, {line['method']}", line["rounds"], line["load_before"]]
        again = f"{line['appraisals_a_tree']:.1f}"
        rows.append([*shape, *seconds, *over, *cpu, again, peak])
    head = ("work", "rounds", "load", "bare s", "confined s", "attested s", "confined", "attested",
            "confined, cpu", "attested, cpu", "challenges a tree", "dealer MB")  # fmt: skip
    return table(head, rows)
