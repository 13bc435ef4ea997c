"""Writes the generated tables into docs/: ``python -m tests.generate_tables``.

A table stands between the lines ``<!-- generated: name -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
from pathlib import Path

from securexgb.report.parameters import parameter_rows
from securexgb.report.protocols import TYPICAL, markdown, protocol_rows, reveal_rows, tree_rows

DOCS = Path(__file__).parent.parent / "docs"


def tables() -> dict[str, str]:
    """Every generated text by its name."""
    return {
        "protocols": f"Figures for {TYPICAL}.\n\n{markdown(protocol_rows())}",
        "trees": markdown(tree_rows()),
        "reveals": markdown(reveal_rows()),
        "parameters": markdown(parameter_rows()),
    }


def regenerated(text: str) -> str:
    """The page with all its tables made anew."""
    for name, table in tables().items():
        pattern = rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, lambda m, t=table: f"{m[1]}\n{t}\n{m[2]}", text, flags=re.DOTALL)  # type: ignore[misc]
    return text


def main() -> None:
    for page in sorted(DOCS.glob("*.md")):
        page.write_text(regenerated(page.read_text()))


if __name__ == "__main__":
    main()
