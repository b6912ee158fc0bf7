"""A summary in Markdown, short enough for the comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..records import Run
from ..verdicts import Verdict
from . import measured, reading, timings
from .text import digits, memory, milliseconds, one_line, times, visible

MOST_FAILURES = 30
MOST_ERRORS = 60
LONGEST_FOUND = 600
STEP_COLUMNS = (
    "implementation", "conditions", "p50", "p99", "p99.9", "max", "deadline", "late", "fits", "buffer at 48 kHz",
)  # fmt: skip


def render(run: Run) -> str:
    """The whole file as text."""
    groups = reading.groups(run)
    blocks = [
        _heading(run),
        *_standings(run),
        *_failures(reading.unexpected(groups)),
        *_known(reading.only(groups, Verdict.XFAIL)),
        *_undecided(reading.only(groups, Verdict.NOT_AVAILABLE, Verdict.INCONCLUSIVE)),
        *_measured(run),
        _origin(run),
    ]
    return "\n\n".join(blocks) + "\n"


def _heading(run: Run) -> str:
    word, sentence = reading.verdict_line(run)
    return f"## rtconform: {word}\n\n{sentence[:1].upper()}{sentence[1:]}."


def _standings(run: Run) -> Iterator[str]:
    rows = [
        (code(line.implementation), f"**{line.conformance_class}**", line.standing, reading.in_words(line.counts))
        for line in reading.lines(reading.matrices(run))
    ]
    if rows:
        yield table(("implementation", "class", "standing", "results"), rows)


def _failures(groups: Sequence[reading.Group]) -> Iterator[str]:
    if groups:
        yield "### Unexpected"
    for group in groups[:MOST_FAILURES]:
        first = group.first
        more = "" if len(group.results) == 1 else f", and {reading.counted(len(group.results) - 1, 'case')} more"
        found = visible(first["found"])
        found = found if len(found) <= LONGEST_FOUND else found[:LONGEST_FOUND] + "…"
        known = f"\n\n{plain(first['known_failure'])}" if first["known_failure"] else ""
        yield (
            f"<details><summary><b>{group.worst.value}</b> {_html(first['item'])}{more}</summary>\n\n"
            f"{plain(first['text'])}\n\n{fenced(found)}{known}\n\n"
            f"To see it again:\n\n{fenced(visible(first['command']))}\n\n</details>"
        )
    if len(groups) > MOST_FAILURES:
        yield f"{len(groups) - MOST_FAILURES} more are in the report."


def _known(groups: Sequence[reading.Group]) -> Iterator[str]:
    if groups:
        rows = [
            (
                code(group.requirement),
                code(group.implementation),
                str(len(group.results)),
                plain(group.first["known_failure"]),
            )
            for group in groups
        ]
        yield "### Known failures"
        yield table(("requirement", "implementation", "cases", "reason"), rows)


def _undecided(groups: Sequence[reading.Group]) -> Iterator[str]:
    if groups:
        rows = [
            (
                group.worst.value,
                code(group.requirement),
                code(group.implementation),
                plain(one_line(group.first["found"])),
            )
            for group in groups
        ]
        yield "### Not decided"
        yield table(("verdict", "requirement", "implementation", "reason"), rows)


def _measured(run: Run) -> Iterator[str]:
    for title, columns, rows in (
        ("Largest error", ("model", "implementation", "error", "error / budget"), _errors(run)),
        ("What rounding costs", ("implementation", "of", "lost", "limit"), _roundings(run)),
        ("Time of one step", STEP_COLUMNS, _latencies(run)),
        ("Memory", ("implementation", "held", "peak", "limit"), _memories(run)),
    ):
        if rows:
            yield f"<details><summary>{title}</summary>\n\n{table(columns, rows)}\n\n</details>"


def _errors(run: Run) -> list[tuple[str, ...]]:
    return [
        (
            code(f.model),
            code(f.implementation),
            digits(f.largest_error),
            digits(f.worst) + ("" if f.holds else " **over**"),
        )
        for f in measured.errors(run)[:MOST_ERRORS]
    ]


def _roundings(run: Run) -> list[tuple[str, ...]]:
    return [
        (code(f.implementation), f.of, digits(f.lost) + ("" if f.holds else " **over**"), digits(f.limit))
        for f in measured.roundings(run)
    ]


def _latencies(run: Run) -> list[tuple[str, ...]]:
    return [
        (
            code(f.implementation),
            f.conditions,
            *(milliseconds(value) for value in (f.wall.p50, f.wall.p99, f.wall.p99_9, f.wall.max, f.deadline)),
            f"{f.judgement.misses} of {f.judgement.steps}" + ("" if f.holds else " **late**"),
            times(f.headroom),
            str(f.buffer or "-"),
        )
        for f in timings.steps(run)
    ]


def _memories(run: Run) -> list[tuple[str, ...]]:
    return [
        (
            code(f.implementation),
            memory(f.held) + ("" if f.holds else " **over**"),
            "" if f.peak is None else memory(f.peak),
            memory(f.limit),
        )
        for f in measured.memories(run)
    ]


def _origin(run: Run) -> str:
    machine = run.header["machine"]
    return (
        f"rtconform {plain(run.header['rtconform'])}, requirements {plain(run.header['spec'])}, "
        f"profile {plain(run.header['profile'])}, seed {run.header['seed']}, on {plain(machine['cpu'])}."
    )


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; cells are Markdown already, without line breaks."""
    columns = list(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def code(text: str) -> str:
    """One line of arbitrary text as code, fit for a table's cell."""
    text = " ".join(visible(text).split()).replace("|", "\\|")
    fence = "`" * (_longest_run(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}" if text else ""


def fenced(text: str) -> str:
    """Arbitrary text as a block of code."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def plain(text: str) -> str:
    """Arbitrary text as text, in one line: nothing in it is a link, a mention, HTML or a table's border."""
    text = _html(" ".join(visible(text).split()))
    return re.sub(r"([\\`*_{}\[\]()#+!|~@-])", r"\\\1", text).replace("://", ":\\/\\/")


def _html(text: str) -> str:
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
