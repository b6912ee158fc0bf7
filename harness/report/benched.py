"""A benchmark as text for a terminal, as Markdown with all rows, as data, and as a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..bench.benchmark import LOAD, Benchmark, document
from ..bench.rows import COLD_STEP, WHOLE_STEP
from . import bench_picture, markdown
from .text import digits, visible

DATA, SUMMARY, PICTURE = "bench.json", "bench.md", "bench.svg"
FILES = (DATA, SUMMARY, PICTURE)
NONE = "-"


def write(benchmark: Benchmark, folder: Path) -> None:
    """Writes data, summary and picture into a folder, which is made if need be. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    data = json.dumps(document(benchmark), ensure_ascii=False, allow_nan=False)
    (folder / DATA).write_text(data + "\n", encoding="utf-8")
    (folder / SUMMARY).write_text(render_markdown(benchmark), encoding="utf-8")
    (folder / PICTURE).write_text(bench_picture.render(benchmark), encoding="utf-8")


def render_terminal(benchmark: Benchmark) -> str:
    """The five models in 80 columns where names allow it; single layers are in the summary."""
    tables = [_aligned(*table(benchmark)) for table in (_overview, _models)]
    return "\n\n".join([*tables, *notes(benchmark)])


def render_markdown(benchmark: Benchmark) -> str:
    """The whole file as text."""
    tables = [table(benchmark) for table in (_overview, _models, _layers)]
    titles = ("The five models", "Each model alone, in µs", "Single layers by size, in µs")
    blocks = ["## rtconform bench"]
    for title, (header, rows) in zip(titles, tables, strict=True):
        blocks += [f"### {title}", markdown.table(header, rows)] if rows else []
    blocks.append("\n".join(f"* {markdown.plain(note)}" for note in notes(benchmark)))
    return "\n\n".join(blocks) + "\n"


def notes(benchmark: Benchmark) -> Iterator[str]:
    """What has to be known besides the tables: how it was measured, the machine's limit, who is missing and why."""
    yield (
        f"Medians of {len(benchmark.rounds)} rounds with new processes, interleaved on one core; × is the ratio to "
        f"{visible(benchmark.base)}, and between which ends it lies in 95 of 100 cases. Loaders in Python are timed "
        "from Python. cold: other memory is read before each step; load: all five files."
    )
    limits = [
        f"{_us(time)} µs stored in {bits} bits" for bits in benchmark.limits if (time := benchmark.limit_ns(bits))
    ]
    if limits:
        yield f"The machine's own limit, reading the weights of the five models once: {', '.join(limits)}."
    for name, reason in benchmark.left_out.items():
        yield f"{visible(name)} is left out: {visible(reason)}"
    reasons: dict[tuple[str, str], list[str]] = {}
    for (name, row), reason in benchmark.unfit.items():
        reasons.setdefault((name, reason), []).append(row)
    for (name, reason), rows in reasons.items():
        yield f"{visible(name)} has no {', '.join(map(visible, rows))}: {visible(reason)}"


Table = tuple[tuple[str, ...], list[list[str]]]


def _overview(benchmark: Benchmark) -> Table:
    rows = []
    for name in benchmark.by_speed():
        memory = benchmark.memory.get(name)
        ratio = benchmark.ratio(name, WHOLE_STEP)
        rows.append(
            [
                visible(name),
                _us(benchmark.median_ns(name, WHOLE_STEP)),
                NONE if ratio is None else f"{ratio.ratio:.2f} ({ratio.lower:.2f}–{ratio.upper:.2f})",
                _us(benchmark.median_ns(name, COLD_STEP)),
                _us(benchmark.median_ns(name, LOAD), 1e6),
                NONE if memory is None else f"{memory.live_bytes / 2**20:.2f}",
                NONE if memory is None else f"{memory.peak_bytes / 2**20:.1f}",
            ]
        )
    return ("", "step µs", "×", "cold µs", "load ms", "live MiB", "peak MiB"), rows


def _models(benchmark: Benchmark) -> Table:
    """A row per loader, a column per model."""
    models = [row.name for row in benchmark.rows if row.kind == "model"]
    rows = [
        [visible(name), *(_us(benchmark.median_ns(name, model)) for model in models)] for name in benchmark.by_speed()
    ]
    return ("µs", *models), rows


def _layers(benchmark: Benchmark) -> Table:
    """A row per layer and size, a column per loader."""
    names = benchmark.by_speed()
    rows = [
        [f"{row.kind} {row.size}", *(_us(benchmark.median_ns(name, row.name)) for name in names)]
        for row in benchmark.rows
        if row.size
    ]
    return ("", *map(visible, names)), rows


def _us(nanoseconds: float | None, unit: float = 1e3) -> str:
    return NONE if nanoseconds is None else digits(nanoseconds / unit)


def _aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    pad: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(header) - 1)]
    return "\n".join(
        "  ".join(side(cell, width) for side, cell, width in zip(pad, row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    )
