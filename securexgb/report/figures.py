"""Figures of a report as inline SVG: a line chart and a bar chart, no scripts, no fonts loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, MARGIN = 420, 260, 44
COLOURS = ("#1f5fa8", "#c2571a", "#3b7d3b", "#7a3f98", "#666666")
MOST_BARS = 20
Points = Sequence[tuple[float, float]]


def line_chart(
    lines: Mapping[str, Points], *, x_label: str, y_label: str, is_unit_square: bool = False
) -> str:
    """One polyline for each entry of ``lines``, with axes, end values and a legend.

    ``is_unit_square``: both axes go from 0 to 1, and y = x is drawn, dashed.
    """
    points = [point for line in lines.values() for point in line]
    if not points:
        return ""
    low_x, high_x = _range([x for x, _ in points], is_unit_square)
    low_y, high_y = _range([y for _, y in points], is_unit_square)

    def place(x: float, y: float) -> str:
        across = MARGIN + (x - low_x) / (high_x - low_x) * (WIDTH - 2 * MARGIN)
        up = HEIGHT - MARGIN - (y - low_y) / (high_y - low_y) * (HEIGHT - 2 * MARGIN)
        return f"{across:.1f},{up:.1f}"

    body = [_axes(x_label, y_label, (low_x, high_x), (low_y, high_y))]
    if is_unit_square:
        body.append(_polyline([place(0.0, 0.0), place(1.0, 1.0)], "#999999", is_dashed=True))
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        body.append(_polyline([place(x, y) for x, y in line], colour))
        body.append(_text(WIDTH - MARGIN, MARGIN - 8 + 14 * number, name, "end", colour))
    return _figure(body, HEIGHT)


def bar_chart(bars: Mapping[str, float]) -> str:
    """Horizontal bars, the longest first, at most 20 of them."""
    chosen = sorted(bars.items(), key=lambda bar: -bar[1])[:MOST_BARS]
    if not chosen:
        return ""
    longest = chosen[0][1] or 1.0
    label_width = 150
    body = []
    for row, (name, value) in enumerate(chosen):
        top = 8 + 20 * row
        length = max(value, 0.0) / longest * (WIDTH - label_width - 70)
        body.append(_text(label_width - 6, top + 12, name[:24], "end"))
        body.append(
            f'<rect x="{label_width}" y="{top}" width="{length:.1f}" height="15" '
            f'fill="{COLOURS[0]}"/>'
        )
        body.append(_text(label_width + int(length) + 6, top + 12, f"{value:.4g}"))
    return _figure(body, 16 + 20 * len(chosen))


def _range(values: Sequence[float], is_unit: bool) -> tuple[float, float]:
    if is_unit:
        return 0.0, 1.0
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _figure(body: Sequence[str], height: int) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" font-family="sans-serif" font-size="11">{"".join(body)}</svg>'
    )


def _polyline(places: Sequence[str], colour: str, *, is_dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="4 4"' if is_dashed else ""
    return (
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.6"{dashes} '
        f'points="{" ".join(places)}"/>'
    )


def _text(x: int, y: int, text: str, anchor: str = "start", colour: str = "#333333") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _axes(
    x_label: str, y_label: str, x_range: tuple[float, float], y_range: tuple[float, float]
) -> str:
    left, right, top, bottom = MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN
    return (
        f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#333333"/>'
        + _text(left, bottom + 14, f"{x_range[0]:.4g}")
        + _text(right, bottom + 14, f"{x_range[1]:.4g}", "end")
        + _text((left + right) // 2, bottom + 30, x_label, "middle")
        + _text(left - 4, bottom, f"{y_range[0]:.4g}", "end")
        + _text(left - 4, top + 4, f"{y_range[1]:.4g}", "end")
        + _text(left, top - 12, y_label)
    )
