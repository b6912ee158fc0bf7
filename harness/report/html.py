"""The HTML page: one file that needs nothing else, readable without scripts, on paper and in the dark."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import messages
from ..records import Run
from ..verdicts import Verdict
from . import measured, pictures, reading, timings
from .text import counted, digits, memory, milliseconds, one_line, shown, times, visible

TEMPLATES = Path(__file__).with_name("templates")

GLYPHS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.CRASH: "✗",
    Verdict.TIMEOUT: "✗",
    Verdict.SUITE_ERROR: "✗",
    Verdict.XPASS: "!",
    Verdict.XFAIL: "≈",
    Verdict.SKIP: "–",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_AVAILABLE: "∅",
}
TONES = {
    Verdict.PASS: "good",
    Verdict.SKIP: "quiet",
    Verdict.XFAIL: "known",
    Verdict.INCONCLUSIVE: "open",
    Verdict.NOT_AVAILABLE: "open",
}
"""The colour family of each verdict; those not named are "bad"."""

MODELS_SHOWN = 12
"""Models whose errors stand on the page at once; the others open with one click."""

SHOWN_APART = messages.PLACE | messages.PROCESS | {"blame"}


def environment() -> Any:
    """What templates are rendered in: every value is escaped, and what controls instead of showing is visible."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value,
    )
    made.filters |= {
        "glyph": GLYPHS.__getitem__,
        "tone": tone,
        "tone_of_standing": tone_of_standing,
        "words": reading.in_words,
        "digits": digits,
        "digits9": lambda value: digits(value, 9),
        "milliseconds": milliseconds,
        "memory": memory,
        "times": times,
        "shown": shown,
        "one_line": one_line,
        "counted": counted,
        "groupby_in_order": groupby_in_order,
        "syllables": syllables,
    }
    return made


def style() -> str:
    """The style sheet of all pages."""
    return (TEMPLATES / "report.css").read_text(encoding="utf-8")


def render(run: Run) -> str:
    """The whole page as text. Every value from the records is escaped, and the page may load nothing."""
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            style=style(),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            **_judgement(run),
            **_figures(run),
        )
    )


def tone(verdict: Verdict) -> str:
    return TONES.get(Verdict(verdict), "bad")


def tone_of_standing(standing: str) -> str:
    """The colour family of a class's standing or of the whole run's verdict."""
    if standing.startswith("AS EXPECTED"):
        return "known"
    return {
        "CONFORMANT": "good",
        "PASSED": "good",
        "NOT CONFORMANT": "bad",
        "FAILED": "bad",
        "NOT JUDGED": "quiet",
    }.get(standing, "open")


def syllables(verdict: Verdict) -> list[str]:
    """The verdict's word where it may break, for the narrow cells of the matrix on a telephone."""
    return verdict.value.replace("CONCL", "CON|CL").replace("AVAILA", "AVAIL|A").split("|")


def evidence_rows(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, text) of all evidence that has no place of its own on the page."""
    rows = [(name.replace("_", " "), shown(value)) for name, value in evidence.items() if name not in SHOWN_APART]
    return [("blame", "\n".join(messages.blame_lines(evidence["blame"]))), *rows] if "blame" in evidence else rows


def neighbour_table(evidence: Mapping[str, Any]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """(columns, rows) of the outputs around the first bad one; columns are the keys that they have."""
    neighbours = [item for item in evidence.get("neighbours") or () if isinstance(item, Mapping)]
    columns = list(dict.fromkeys(key for item in neighbours for key in item))
    return columns, [[digits(item.get(column, ""), 9) for column in columns] for item in neighbours]


def groupby_in_order(items: Iterable[Any], attribute: str) -> list[tuple[Any, list[Any]]]:
    """[(value, items)] by an attribute's value; values in order of first appearance, where Jinja's groupby sorts."""
    grouped: dict[Any, list[Any]] = {}
    for item in items:
        grouped.setdefault(getattr(item, attribute), []).append(item)
    return list(grouped.items())


def reasons(group: reading.Group) -> list[tuple[str, int]]:
    """(reason, number of cases) of a group's results."""
    return Counter(one_line(result["found"]) for result in group.results).most_common()


def calm(row: Sequence[reading.Group | None]) -> bool:
    """Whether all cells of a row of the matrix are as they should be."""
    return all(group is None or tone(group.worst) in ("good", "quiet") for group in row)


def _judgement(run: Run) -> dict[str, Any]:
    groups, matrices = reading.groups(run), reading.matrices(run)
    word, sentence = reading.verdict_line(run)
    lists = {
        "unexpected": reading.unexpected(groups),
        "known": reading.only(groups, Verdict.XFAIL),
        "undecided": reading.only(groups, Verdict.NOT_AVAILABLE, Verdict.INCONCLUSIVE),
        "skipped": reading.only(groups, Verdict.SKIP),
    }
    anchors = {
        (name, group.requirement, group.implementation): f"{name}-{place}"
        for name, members in lists.items()
        for place, group in enumerate(members, 1)
    }

    def anchor(group: reading.Group) -> str:
        """Where the page tells more about a cell of the matrix; empty when all has passed."""
        keys = ((name, group.requirement, group.implementation) for name in lists)
        return next((anchors[key] for key in keys if key in anchors), "")

    return {
        "word": word,
        "sentence": sentence,
        "matrices": matrices,
        "standings": groupby_in_order(reading.lines(matrices), "implementation"),
        "anchor": anchor,
        "calm": calm,
        "reasons": reasons,
        "evidence_rows": evidence_rows,
        "neighbour_table": neighbour_table,
        **lists,
    }


def _figures(run: Run) -> dict[str, Any]:
    """The measured figures with the axes of their pictures; an empty list where nothing was measured."""
    errors, latencies = measured.errors(run), timings.steps(run)
    memories, trainings = measured.memories(run), measured.trainings(run)
    return {
        "errors": errors,
        "error_axis": pictures.error_axis(errors) if errors else None,
        "models_shown": MODELS_SHOWN,
        "roundings": measured.roundings(run),
        "latencies": latencies,
        "latency_axis": pictures.latency_axis(latencies) if latencies else None,
        "histogram": pictures.histogram,
        "first_steps": timings.first_steps(run),
        "blocks": timings.blocks(run),
        "memories": memories,
        "memory_axis": pictures.memory_axis(memories) if memories else None,
        "trainings": trainings,
        "training_axis": pictures.training_axis(trainings) if trainings else None,
        "training_bars": pictures.training_bars,
        "mib": 2**20,
    }
