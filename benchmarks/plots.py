"""Plots as SVG text: panels of lines over linear axes, and stacked horizontal bars.

No library, no script, no font that is not there; equal figures give equal text, so that a
test can compare files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#1f5fa8", "#c2571a", "#3b7d3b", "#7a3f98", "#666666")
WIDTH, HEIGHT = 380, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 44, 40
_BAR, _ROW, _LABELS, _VALUES = 16, 24, 250, 110
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One chart. ``measured`` lines have marks, those of the ``model`` are dashed."""

    title: str
    x_label: str
    y_label: str
    measured: Mapping[str, Points]
    model: Mapping[str, Points]


def lines(panels: Sequence[Panel], columns: int = 2) -> str:
    """The panels side by side, so many to a row. Every axis begins at 0."""
    rows = -(-len(panels) // columns)
    drawn = [
        f'<g transform="translate({WIDTH * (i % columns)} {HEIGHT * (i // columns)})">'
        f"{_panel(panel)}</g>"
        for i, panel in enumerate(panels)
    ]
    return _figure(drawn, WIDTH * min(columns, len(panels)), HEIGHT * rows)


def bars(rows: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """A bar a row, of stacked parts; the sum beside it."""
    names = list(dict.fromkeys(name for parts in rows.values() for name in parts))
    longest = max((sum(parts.values()) for parts in rows.values()), default=0.0) or 1.0
    scale = (2 * WIDTH - _LABELS - _VALUES) / longest
    body = _legend(names, _LABELS, 16, "rect")
    for row, (label, parts) in enumerate(rows.items()):
        top, left = 30 + _ROW * row, float(_LABELS)
        body.append(_text(_LABELS - 8, top + 12, label, "end"))
        for name, value in parts.items():
            colour, length = COLOURS[names.index(name) % len(COLOURS)], value * scale
            body.append(
                f'<rect x="{left:.1f}" y="{top}" width="{length:.1f}" height="{_BAR}" '
                f'fill="{colour}"/>'
            )
            left += length
        body.append(_text(left + 6, top + 12, f"{number(sum(parts.values()))} {unit}"))
    return _figure(body, 2 * WIDTH, 36 + _ROW * len(rows))


def number(value: float) -> str:
    """Three digits that matter, without an exponent."""
    if value == 0 or abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def _panel(panel: Panel) -> str:
    points = [p for line in (*panel.measured.values(), *panel.model.values()) for p in line]
    x_ticks = _ticks(max((x for x, _ in points), default=1.0))
    y_ticks = _ticks(max((y for _, y in points), default=1.0))

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + x / x_ticks[-1] * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - y / y_ticks[-1] * (HEIGHT - TOP - BOTTOM)

    body = [_text(LEFT, 14, panel.title, weight="bold")]
    body += _legend([*panel.measured, *panel.model], LEFT, 30, "line", len(panel.measured))
    for tick in x_ticks:
        x, y = place(tick, 0)
        body.append(f'<path d="M{x:.1f} {y:.1f}v4" stroke="#333333"/>')
        body.append(_text(x, y + 15, _tick(tick), "middle"))
    for tick in y_ticks:
        x, y = place(0, tick)
        body.append(f'<path d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        body.append(_text(x - 5, y + 4, _tick(tick), "end"))
    body.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" {_STROKE}/>')
    body.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, panel.x_label, "middle"))
    body.append(_text(WIDTH - RIGHT, 14, panel.y_label, "end"))
    for i, line in enumerate((*panel.measured.values(), *panel.model.values())):
        is_model = i >= len(panel.measured)
        body.append(_line([place(x, y) for x, y in line], COLOURS[i % len(COLOURS)], is_model))
    return "".join(body)


_STROKE = 'fill="none" stroke="#333333"'


def _line(places: Points, colour: str, is_model: bool) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dashes = ' stroke-dasharray="5 4"' if is_model else ""
    drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dashes}/>'
    if is_model:
        return drawn
    return drawn + "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in places
    )


def _legend(names: Sequence[str], left: int, y: int, kind: str, marked: int = 0) -> list[str]:
    drawn, x = [], float(left)
    for i, name in enumerate(names):
        colour = COLOURS[i % len(COLOURS)]
        dashes = ' stroke-dasharray="5 4"' if kind == "line" and i >= marked else ""
        width = 10 if kind == "rect" else 3
        drawn.append(
            f'<path d="M{x:.0f} {y - 4}h18" stroke="{colour}" stroke-width="{width}"{dashes}/>'
        )
        drawn.append(_text(x + 22, y, name))
        x += 34 + 6.2 * len(name)
    return drawn


def _ticks(most: float) -> list[float]:
    """Round numbers from 0 to past ``most``, at most six steps."""
    if most <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(most))
    steps = (power * factor for factor in (0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5))
    step = next(step for step in steps if most / step <= 6)
    return [step * i for i in range(math.ceil(most / step - 1e-9) + 1)]


def _tick(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:.6g}"


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="#333333">{escape(text)}</text>'
    )


def _figure(body: Sequence[str], width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" font-family="sans-serif" font-size="11">'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>' + "\n".join(body) + "</svg>\n"
    )
