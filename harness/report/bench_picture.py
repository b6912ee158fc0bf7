"""The picture of a benchmark: the five-model step of each loader against the machine's limit, and layers by size."""

from __future__ import annotations

from typing import Any

from ..bench.benchmark import Benchmark
from ..bench.rows import COLD_STEP, WHOLE_STEP
from .pictures import Axis, decades

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8c564b", "#7f7f7f", "#bcbd22")
"""Told apart by those who see colours otherwise, too: M. Okabe, K. Ito, "Color Universal Design", 2008; then others."""

WIDTH, LEFT, LINE = 880, 150, 22
PANELS_A_ROW, PANEL, PANEL_HEIGHT = 4, 220, 170
PANEL_LEFT, PANEL_TOP, PANEL_BOTTOM = 44, 20, 22


def render(benchmark: Benchmark) -> str:
    """An SVG as text."""
    from .html import environment

    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(benchmark.by_speed())}
    kinds = list(dict.fromkeys(row.kind for row in benchmark.rows if row.size))
    panels = [_panel(benchmark, kind, place, colours) for place, kind in enumerate(kinds)]
    top = 60 + LINE * len(colours) + 50
    height = top + PANEL_HEIGHT * -(-len(panels) // PANELS_A_ROW)
    values = {
        "width": WIDTH,
        "height": height,
        "steps": _steps(benchmark, colours),
        "panels": panels,
        "panels_top": top,
    }
    return environment().get_template("bench.svg.j2").render(values)


def _steps(benchmark: Benchmark, colours: dict[str, str]) -> dict[str, Any]:
    """A line per loader with a dot for the warm step and a ring for the cold one; dashed lines are the limits."""
    found = {
        name: [_us(benchmark.median_ns(name, row)) for row in (WHOLE_STEP, COLD_STEP)] for name in benchmark.loaders
    }
    limits = {bits: _us(benchmark.limit_ns(bits)) for bits in benchmark.limits}
    known = [time for times in (*found.values(), list(limits.values())) for time in times if time]
    axis = decades(known, (10, 100))

    def x(time: float | None) -> float | None:
        return None if time is None else round(LEFT + (WIDTH - LEFT - 30) * axis.at(time) / 100, 1)

    rows = [
        {"name": name, "colour": colour, "y": 50 + LINE * place, "warm": x(found[name][0]), "cold": x(found[name][1])}
        for place, (name, colour) in enumerate(colours.items())
    ]
    return {
        "rows": rows,
        "limits": [{"x": x(time), "text": f"{bits} bit"} for bits, time in limits.items() if time],
        "ticks": [{"x": x(tick), "text": f"{tick:g} µs"} for tick in axis.ticks],
        "bottom": 50 + LINE * len(rows),
    }


def _panel(benchmark: Benchmark, kind: str, place: int, colours: dict[str, str]) -> dict[str, Any]:
    """Time by size, both logarithmic, with a line per loader."""
    rows = [row for row in benchmark.rows if row.kind == kind]
    lines = {
        name: [(row.size, time) for row in rows if (time := _us(benchmark.median_ns(name, row.name)))]
        for name in colours
    }
    sizes = Axis(min(row.size for row in rows), max(row.size for row in rows) * 1.0001, logarithmic=True)
    times = decades((time for line in lines.values() for _, time in line), (0.1, 1))

    def at(size: float, time: float) -> str:
        x = PANEL_LEFT + (PANEL - PANEL_LEFT - 20) * sizes.at(size) / 100
        return f"{x:.1f},{_height(times, time)}"

    return {
        "kind": kind,
        "x": PANEL * (place % PANELS_A_ROW),
        "y": PANEL_HEIGHT * (place // PANELS_A_ROW),
        "lines": [{"colour": colours[name], "points": [at(*point) for point in line]} for name, line in lines.items()],
        "sizes": [{"at": at(row.size, times.low), "text": row.size} for row in rows],
        "ticks": [{"y": _height(times, tick), "text": f"{tick:g}"} for tick in times.ticks],
    }


def _height(axis: Axis, time: float) -> float:
    return round(PANEL_TOP + (PANEL_HEIGHT - PANEL_TOP - PANEL_BOTTOM) * (1 - axis.at(time) / 100), 1)


def _us(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e3
