"""A comparison of two loaders as text for a terminal, and in Markdown for a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from ..comparison import NOT_ASKED_FOR, Comparison, Line, document, exit_code, more_instructions
from ..measure.paired import ERROR, Finding, Interval
from ..measure.side_by_side import LETTERS
from ..verdicts import ExitCode
from . import markdown
from .terminal import wants_colour
from .text import digits, visible

DATA = "compare.json"
SUMMARY = "compare.md"
LONGEST_NAME = 17
COLOURS = {Finding.SLOWER: "red", Finding.FASTER: "green", Finding.NO_SLOWER: "green", Finding.OPEN: "yellow"}


def prepare(folder: Path) -> None:
    """Makes the folder, and removes what an earlier comparison left there, as if it were this one's. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (DATA, SUMMARY):
        (folder / name).unlink(missing_ok=True)


def write_failure(what: str, folder: Path) -> None:
    """Writes the summary of a comparison that came to no end: `what` a loader did instead. Raises OSError."""
    text = f"## rtconform compare: FAILED\n\nNothing was compared.\n\n{markdown.fenced(what)}\n"
    (folder / SUMMARY).write_text(text, encoding="utf-8")


def write(comparison: Comparison, lines: Sequence[Line], folder: Path) -> None:
    """Writes the data and the summary into a folder that is there. Raises OSError."""
    data = json.dumps(document(comparison, lines), ensure_ascii=False, allow_nan=False)
    (folder / DATA).write_text(data + "\n", encoding="utf-8")
    (folder / SUMMARY).write_text(render_markdown(comparison, lines), encoding="utf-8")


def render_terminal(comparison: Comparison, lines: Sequence[Line], colour: bool | None = None) -> str:
    """The table and the verdict in 80 columns. `colour` None: if standard output is a terminal that wants it."""
    colour = wants_colour() if colour is None else colour
    ways = list(lines[0].intervals)
    rows = [
        [
            _cut(line.name),
            digits(line.base_us, 4),
            digits(line.candidate_us, 4),
            *(_ends(line.intervals[way]) for way in ways),
            _instructions(line),
        ]
        for line in lines
    ]
    header = ["", "A in µs", "B in µs", *ways, "instr."]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    text = [
        f"{letter}  {visible(f'{loader.declaration.name} {loader.declaration.version}: {loader.connection}')}"
        for letter, loader in zip(LETTERS, comparison.loaders, strict=True)
    ]
    text += ["", "How much longer B takes than A, in %", _row(header, widths)]
    for line, row in zip(lines, rows, strict=True):
        word = line.finding.value
        text.append(f"{_row(row, widths)}  {typer.style(word, fg=COLOURS[line.finding]) if colour else word}")
    text += ["", *notes(comparison, lines)]
    word, sentence = verdict(comparison, lines)
    word = typer.style(word, bold=True) if colour else word
    return "\n".join([*text, f"{word}: {sentence}"])


def render_markdown(comparison: Comparison, lines: Sequence[Line]) -> str:
    """The whole file as text."""
    ways = list(lines[0].intervals)
    rows = [
        [
            markdown.plain(line.name),
            digits(line.base_us, 4),
            digits(line.candidate_us, 4),
            *(f"{_ends(line.intervals[way])} %" for way in ways),
            _instructions(line) + (" %" if line.instructions else ""),
            f"**{line.finding.value}**" if line.finding is Finding.SLOWER else line.finding.value,
        ]
        for line in lines
    ]
    word, sentence = verdict(comparison, lines)
    blocks = [
        f"## rtconform compare: {word}",
        markdown.plain(sentence),
        markdown.table(("", "A in µs", "B in µs", *ways, "instructions", "B is"), rows),
        "\n".join(f"* {letter}: {markdown.code(_who(comparison, number))}" for number, letter in enumerate(LETTERS)),
        "\n".join(f"* {markdown.plain(note)}" for note in notes(comparison, lines)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def verdict(comparison: Comparison, lines: Sequence[Line]) -> tuple[str, str]:
    """The verdict in a word or two, and in one sentence, with what to do when there is none."""
    rounds = f"after {len(comparison.rounds)} rounds"
    code = exit_code(comparison, lines)
    if slower := _named(lines, Finding.SLOWER):
        return "REGRESSION", f"B is slower than A, {rounds}: {slower}"
    if code is ExitCode.UNEXPECTED:
        return "REGRESSION", "B executes more instructions than A, and --gate-instructions is on"
    if code is ExitCode.NOT_AVAILABLE:
        return "NOT AVAILABLE", "instructions can't be counted here, and --gate-instructions is on"
    if code is ExitCode.INCONCLUSIVE:
        names = ", ".join(visible(line.name) for line in lines if line.finding is Finding.OPEN)
        return "CAN'T TELL", (
            f"{rounds} the noise hides whether B is slower in: {names}. Run it on a machine that does less, let it "
            "take more rounds (--most-rounds), or let more pass for no difference (--floor-percent)"
        )
    faster = _named(lines, Finding.FASTER)
    return "NO REGRESSION", f"B is not slower than A, {rounds}" + (f"; faster: {faster}" if faster else "")


def notes(comparison: Comparison, lines: Sequence[Line]) -> Iterator[str]:
    """What has to be known besides the table: what counts, what was left out, instructions, outputs."""
    limits = comparison.limits
    floor = f"{digits(100 * limits.relative)} % or {digits(limits.absolute_us)} µs"
    yield f"Less than {floor} is no difference; an equal build is accused in at most {digits(100 * ERROR)} % of cases."
    if fetched := [visible(row.name) for row in comparison.rows if row.cache_bytes]:
        yield f"Timed out of an emptied core's cache, which may not hold all that a step needs: {', '.join(fetched)}."
    for line in lines:
        if line.is_hidden:
            ends = ", ".join(f"{_ends(interval)} % {way}" for way, interval in line.usual.items())
            yield f"The shortest times of {visible(line.name)} don't show what B costs more at times: {ends}."
    for way, reason in comparison.left_out.items():
        yield f"{way} NOT AVAILABLE: {reason}."
    if isinstance(comparison.counts, str) and comparison.counts != NOT_ASKED_FOR:
        yield f"instructions NOT AVAILABLE: {comparison.counts}."
    elif more := more_instructions(comparison, lines):
        names = ", ".join(f"{visible(line.name)} {_instructions(line)} %" for line in more)
        word = "FAILED" if comparison.gates_instructions else "WARNING"
        yield f"{word}: B executes more instructions than A: {names}."
    yield from _outputs(lines)


def _outputs(lines: Sequence[Line]) -> Iterator[str]:
    if all(line.outputs.same_bits for line in lines):
        yield "The outputs of A and B are the same, bit by bit."
    for line in lines:
        apart = line.outputs
        if apart.largest is None:
            yield f"Outputs of {visible(line.name)} DIFFER: where one has numbers, the other has none."
        elif not apart.same_bits:
            said = f"by up to {digits(apart.largest)}, of values up to {digits(apart.scale)}"
            if apart.budgets is not None:
                more = "MORE than rounding allows" if apart.budgets > 1.0 else "as rounding allows"
                said += f", {more} ({digits(apart.budgets, 2)} of it)"
            yield f"Outputs of {visible(line.name)} differ {said}."


def _who(comparison: Comparison, number: int) -> str:
    loader = comparison.loaders[number]
    return f"{visible(loader.declaration.identity)} by {visible(loader.connection)}"


def _named(lines: Sequence[Line], finding: Finding) -> str:
    """The rows of which this was found, with the estimates of the first way."""
    deciding = {
        line.name: line.usual if line.is_hidden else line.intervals for line in lines if line.finding is finding
    }
    return ", ".join(
        f"{visible(name)} {_percent(next(iter(intervals.values())).ratio)} %" for name, intervals in deciding.items()
    )


def _ends(interval: Interval) -> str:
    return f"{_percent(interval.lower)} to {_percent(interval.upper)}"


def _instructions(line: Line) -> str:
    return "-" if line.instruction_ratio is None else _percent(line.instruction_ratio, 2)


def _percent(ratio: float, decimals: int = 1) -> str:
    """A ratio as what is added, in %."""
    added = 100.0 * (ratio - 1.0)
    return f"{added:+.{decimals if abs(added) < 100 else 0}f}"


def _cut(name: str) -> str:
    name = visible(name)
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if not column else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return " ".join([first, *others])
