"""Writes docs/benchmarks.md with its plots, and docs/accuracy.md, from the JSON lines in results/.

    python benchmarks/report.py

Nothing there is written by hand: figures come from the lines, sentences from template.md and
accuracy_template.md. In docs/threat-model.md it draws one table, of the attacks, and one in
docs/dealer.md, of a confined dealer; two in docs/serving.md. A test compares the pages with what
this makes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import breakdown_tables
import formats
import leak_tables
import lines
import model_tables
import sections
import serving_tables
import shard_tables
from lines import Results

RESULTS = Path(__file__).resolve().parent / "results"
DOCS = Path(__file__).resolve().parent.parent / "docs"
TEMPLATE = Path(__file__).resolve().parent / "template.md"
ACCURACY_TEMPLATE = TEMPLATE.with_name("accuracy_template.md")
PLOTS = {
    "benchmarks-training.svg": sections.training_plot,
    "benchmarks-network.svg": sections.network_plot,
    "benchmarks-memory.svg": sections.memory_plot,
    "benchmarks-growth-seconds.svg": sections.growth_seconds_plot,
    "benchmarks-growth-bytes.svg": sections.growth_bytes_plot,
    "serving-steps.svg": serving_tables.steps_plot,
    "serving-extraction.svg": serving_tables.extraction_plot,
}


def page(results: Results) -> str:
    """The text of docs/benchmarks.md."""

    def made(section: Callable[[Results], str], *needed: str) -> str:
        if any(not results.get(name) for name in needed):
            return "Not measured yet.\n"
        return section(results)

    def measured(section: Callable[[Results], str], *needed: str) -> str:
        return made(section, *needed) + sections.source(results, needed[0])

    has_growth = bool(results.get("growth"))
    prices = sections.prices(results) if has_growth else None
    return TEMPLATE.read_text("utf-8").format(
        days=sections.days(results),
        machine=made(sections.machine, "machine").rstrip(),
        comparison=made(sections.comparison, "training"),
        training=measured(sections.training, "training"),
        once=made(sections.once, "training"),
        splits=measured(sections.splits, "splits"),
        versus=measured(sections.versus, "versus"),
        threads=made(breakdown_tables.threads, "breakdown"),
        steps=made(breakdown_tables.steps, "breakdown"),
        least=measured(breakdown_tables.least, "breakdown"),
        shards=measured(shard_tables.shards, "shards"),
        rivals=measured(sections.rivals, "rivals"),
        accuracy=measured(sections.accuracy, "accuracy"),
        bins=measured(sections.bins, "binning"),
        objectives=measured(model_tables.objectives, "objectives"),
        monotone=measured(model_tables.monotone, "monotone"),
        exports=made(sections.exports, "exports"),
        netem=made(sections.netem, "network").rstrip(),
        network_goal=f"{sections.NETWORK_GOAL:g}",
        network=measured(sections.network, "network"),
        estimates=measured(sections.estimates, "estimates"),
        memory_goal=f"{sections.MEMORY_GOAL_MB:,.0f}",
        memory=measured(sections.memory, "memory"),
        growth=measured(sections.growth, "growth"),
        complexity=measured(sections.complexity, "complexity"),
        published=measured(model_tables.published, "published"),
        a_round="?" if prices is None else f"{1e3 * prices.a_round:.2f}",
        a_megabyte="?" if prices is None else f"{1e3 * prices.a_megabyte:.1f}",
        prices_off="?" if prices is None else f"{100 * prices.off:.0f} %",
        consumed=made(sections.consumed, "growth", "operations"),
        protocols=measured(sections.protocols, "operations"),
        correlations=measured(sections.correlations, "operations", "dealer"),
        kernels=made(sections.kernels, "operations"),
        channel=measured(sections.channel, "channel"),
        alignment=measured(sections.alignment, "alignment"),
        leaks=measured(leak_tables.leaks, "leaks"),
    )


def accuracy(results: Results) -> str:
    """The text of docs/accuracy.md."""
    return formats.page(results, ACCURACY_TEMPLATE.read_text("utf-8"))


def threat_model(results: Results, text: str) -> str:
    """The text of docs/threat-model.md with its measured table made anew."""
    return _with(text, "attacks", results.get("leaks") and leak_tables.short(results))


def dealer(results: Results, text: str) -> str:
    """The text of docs/dealer.md with its measured table made anew."""
    return _with(text, "confinement", results.get("confinement") and sections.confinement(results))


def serving(results: Results, text: str) -> str:
    """The text of docs/serving.md with its measured tables made anew."""
    loads = results.get("serving") and serving_tables.serving(results)
    copies = results.get("extraction") and serving_tables.extraction(results)
    return _with(_with(text, "loads", loads), "extraction", copies)


def _with(text: str, name: str, table: str | Sequence[object] | None) -> str:
    """A page with one table made anew, if it was measured."""
    if not table:
        return text
    made = f"\\1\n{table}\n\\2"
    pattern = rf"(<!-- measured: {name} -->\n).*?(<!-- end -->)"
    return re.sub(pattern, made, text, flags=re.DOTALL)


def plots(results: Results) -> dict[str, str]:
    """The files beside the page by name; those whose figures are there."""
    needed = ("training", "network", "memory", "growth", "growth", "serving", "extraction")
    return {
        name: draw(results)
        for (name, draw), question in zip(PLOTS.items(), needed, strict=True)
        if results.get(question)
    }


def write(results: Path, docs: Path) -> None:
    """The pages and their plots into a folder."""
    found = lines.read(results)
    (docs / "benchmarks.md").write_text(page(found), encoding="utf-8")
    (docs / "accuracy.md").write_text(accuracy(found), encoding="utf-8")
    renewals = (("threat-model.md", threat_model), ("dealer.md", dealer), ("serving.md", serving))
    for name, renewed in renewals:
        written = docs / name
        if written.is_file():
            written.write_text(renewed(found, written.read_text("utf-8")), encoding="utf-8")
    for name, drawn in plots(found).items():
        (docs / name).write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    write(RESULTS, DOCS)
