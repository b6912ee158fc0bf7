"""The end of a run in a terminal: readable in 80 columns, without colour, and in a log file."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..measure.deadline import SAMPLE_RATE
from ..records import Run
from ..verdicts import Verdict
from . import measured, reading, timings
from .text import counted, digits, memory, one_line, times, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

MOST_FAILURES = 20
MOST_MODELS = 12
MOST_REASONS = 8
LOADERS_ABREAST = 3
LONGEST_LINE = 400
STYLES = {"NOT CONFORMANT": "bold red", "FAILED": "bold red", "CONFORMANT": "green", "PASSED": "bold green"}
STYLES_OF_VERDICTS = {
    verdict: "bold red" if verdict.is_unexpected else "yellow" for verdict in Verdict if verdict is not Verdict.PASS
}


def render(run: Run, report: str, colour: bool | None = None) -> str:
    """The summary, without a newline at its end. `colour` None: if standard output is a terminal that wants it."""
    colour = wants_colour() if colour is None else colour
    out = io.StringIO()
    from rich.text import Text

    console = _console(out, colour)
    for part in (
        _standings(run),
        _failures(run),
        _undecided(run),
        _known(run),
        _errors(run),
        _roundings(run),
        _latencies(run),
        _memories(run),
    ):
        for line in part:
            console.print(line, soft_wrap=isinstance(line, Text))
    word, sentence = reading.verdict_line(run)
    console.print(_styled(word, STYLES.get(word, "bold yellow"), f": {sentence}"))
    console.print(_styled("Report: ", "", report), soft_wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def wants_colour() -> bool:
    """Whether standard output shows colours and nobody asked for none (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _console(out: io.StringIO, colour: bool) -> Console:
    from rich.console import Console

    return Console(
        file=out,
        width=_width(),
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def _width() -> int:
    return max(60, min(shutil.get_terminal_size((80, 24)).columns, 120))


def _room() -> int:
    """How long a line may get: a log file has no edge at which reasons would have to be cut."""
    return _width() if sys.stdout.isatty() else LONGEST_LINE


def _standings(run: Run) -> Iterator[RenderableType]:
    identities = {visible(record["name"]): record["identity"] for record in run.implementations}
    by_name: dict[str, list[reading.Line]] = {}
    for line in reading.lines(reading.matrices(run)):
        by_name.setdefault(line.implementation, []).append(line)
    everything = [line for lines in by_name.values() for line in lines]
    widths = [max((len(text) for text in texts), default=0) for texts in zip(*map(_names, everything), strict=True)]
    for name, lines in by_name.items():
        yield _fitted(name, "bold", _identity(identities.get(name)))
        rows = _grid(3)
        for column, width in zip(rows.columns, widths, strict=False):
            column.min_width = width
        rows.columns[-1].no_wrap = False
        for line in lines:
            standing = _styled(line.standing, STYLES.get(line.standing, "yellow"))
            rows.add_row(_names(line)[0], standing, reading.in_words(line.counts))
        yield rows
        yield ""


def _names(line: reading.Line) -> tuple[str, str]:
    return f"  {line.conformance_class}", line.standing


def _identity(identity: Mapping | None) -> str:
    if identity is None:
        return ""
    words = [f"{identity['name']} {identity['version']}", identity["role"], identity["numeric_class"]]
    return f"  {visible(', '.join(words))}"


def _failures(run: Run) -> Iterator[RenderableType]:
    """A line per requirement and implementation, so that one with many failing cases hides none of the others."""
    failed = reading.unexpected(reading.groups(run))
    if not failed:
        return
    total = sum(len(group.results) for group in failed)
    legend = "; +n: so many other cases" if total > len(failed) else ""
    yield _title(f"Unexpected ({counted(total, 'result')}{legend})")
    for group in failed[:MOST_FAILURES]:
        first = group.first
        said = first["known_failure"] if group.worst is Verdict.XPASS else first["found"]
        more = f" +{len(group.results) - 1}" if len(group.results) > 1 else ""
        level = "" if first["level"] == "MUST" else f" ({first['level']})"
        line = f" {visible(first['item'])}{more}{level}: {one_line(said)}"
        yield _fitted(f"  {group.worst.value}", STYLES_OF_VERDICTS[group.worst], line)
    if len(failed) > MOST_FAILURES:
        yield f"  and {len(failed) - MOST_FAILURES} more, in the report"
    yield ""


def _undecided(run: Run) -> Iterator[RenderableType]:
    """What is missing here, could not be decided, or was not declared: a line per implementation and reason."""
    said = Counter(
        (result["verdict"], visible(result["implementation"]), one_line(result["found"]))
        for result in run.results
        if Verdict(result["verdict"]) in (Verdict.NOT_AVAILABLE, Verdict.INCONCLUSIVE, Verdict.SKIP)
    )
    for (verdict, implementation, found), count in list(said.items())[:MOST_REASONS]:
        yield _styled(f"{verdict} ", "yellow", f"{implementation} ({counted(count, 'case')}): {found}")
    if len(said) > MOST_REASONS:
        yield f"and {len(said) - MOST_REASONS} more reasons, in the report"
    if said:
        yield ""


def _known(run: Run) -> Iterator[RenderableType]:
    known = reading.only(reading.groups(run), Verdict.XFAIL)
    if known:
        yield _title("Known failures")
        for group in known:
            cases = counted(len(group.results), "case")
            said = f" {group.requirement}[{group.implementation}] ({cases}): {one_line(group.first['known_failure'])}"
            yield _fitted("  XFAIL", "yellow", said)
        yield ""


def _errors(run: Run) -> Iterator[RenderableType]:
    figures = measured.errors(run)
    if not figures:
        return
    yield _title("Largest error: absolute, and in budgets (1 is the limit)")
    names = list(dict.fromkeys(figure.implementation for figure in figures))
    models = list(dict.fromkeys(figure.model for figure in figures))
    cells = {(figure.model, figure.implementation): figure for figure in figures}
    for start in range(0, len(names), LOADERS_ABREAST):
        abreast = names[start : start + LOADERS_ABREAST]
        table = _grid(1 + len(abreast), "left")
        table.add_row("  model", *abreast)
        for model in models[:MOST_MODELS]:
            row = [cells.get((model, name)) for name in abreast]
            if any(row):
                table.add_row(f"  {model}", *("-" if figure is None else _error_cell(figure) for figure in row))
        yield table
    if others := models[MOST_MODELS:]:
        worst = max(figure.worst for figure in figures if figure.model in others)
        yield f"  and {counted(len(others), 'other model')}, at most {digits(worst)} budgets"
    yield ""


def _error_cell(figure: measured.ErrorFigure) -> RenderableType:
    over = "" if figure.holds else " OVER"
    return _styled(f"{figure.largest_error:.1e} {digits(figure.worst, 2)}{over}", "bold red" if over else "")


def _roundings(run: Run) -> Iterator[RenderableType]:
    figures = measured.roundings(run)
    if figures:
        limits = {figure.of: f"{figure.of} ({digits(figure.limit)})" for figure in figures}
        yield _title("Lost by rounding: other chords, other notes, error of the emotion (limit)")
        table = _grid(1 + len(limits), "right")
        table.add_row("  ", *limits.values())
        cells = {(figure.implementation, figure.of): figure for figure in figures}
        for name in dict.fromkeys(figure.implementation for figure in figures):
            row = [cells.get((name, of)) for of in limits]
            table.add_row(f"  {name}", *("-" if figure is None else _rounding_cell(figure) for figure in row))
        yield table
        yield ""


def _rounding_cell(figure: measured.RoundingFigure) -> RenderableType:
    over = "" if figure.holds else " OVER"
    return _styled(f"{digits(figure.lost, 2)}{over}", "bold red" if over else "")


def _latencies(run: Run) -> Iterator[RenderableType]:
    figures = timings.steps(run)
    if figures:
        yield _title(f"Time of one step of all models, in ms; it may take {digits(figures[0].deadline)}")
        table = _grid(9, "right")
        table.add_row("  ", "", "p50", "p99.9", "max", "late", "of", "fits", "buffer")
        for figure in figures:
            wall = (digits(value) for value in (figure.wall.p50, figure.wall.p99_9, figure.wall.max))
            late = _styled(str(figure.judgement.misses), "" if figure.holds else "bold red")
            room = (times(figure.headroom), str(figure.buffer or "-"))
            name = f"  {figure.implementation}"
            table.add_row(name, figure.conditions, *wall, late, str(figure.judgement.steps), *room)
        yield table
        yield "  fits, buffer: how often the deadline holds a step at p99.9 (99 % confidence),"
        yield f"  and the smallest audio buffer, in samples at {SAMPLE_RATE // 1000} kHz, that does"
        yield from (f"  {line}" for line in _machine(figures))
        yield ""


def _machine(figures: list[timings.StepFigure]) -> Iterator[str]:
    """What was measured without a loader, at its worst."""
    null, wake = max(f.null.p50 for f in figures), max(f.wake.max for f in figures)
    yield f"the machine: nothing takes {null * 1e3:.1f} µs, a thread is woken up to {digits(wake, 2)} ms late"
    again = [f.again for f in figures if f.again]
    if again:
        ends = f"{min(each.lower for each in again):.2f} to {max(each.upper for each in again):.2f}"
        yield f"a loader by itself: {ends} times; priority: {', '.join(dict.fromkeys(f.priority for f in figures))}"


def _memories(run: Run) -> Iterator[RenderableType]:
    figures = measured.memories(run)
    if figures:
        yield _title("Memory of all models")
        table = _grid(4, "right")
        table.add_row("  ", "held", "peak", "limit")
        for figure in figures:
            peak = "-" if figure.peak is None else memory(figure.peak)
            over = _styled("" if figure.holds else "OVER", "bold red")
            table.add_row(f"  {figure.implementation}", memory(figure.held), peak, memory(figure.limit), over)
        yield table
        yield ""


def _grid(columns: int, justify: str = "left") -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    for _ in range(columns - 1):
        grid.add_column(justify=justify, no_wrap=True)
    return grid


def _title(text: str) -> RenderableType:
    return _styled(text, "bold")


def _styled(text: str, style: str, rest: str = "") -> RenderableType:
    from rich.text import Text

    return Text.assemble((text, style), rest)


def _fitted(word: str, style: str, rest: str) -> RenderableType:
    """A line cut at the terminal's width, with an ellipsis."""
    line = _styled(word, style, rest)
    line.truncate(_room(), overflow="ellipsis")
    return line
