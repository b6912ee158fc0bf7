"""The kill matrix as a page: what caught which known-bad, drawn from the data that the self-test wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .html import environment, style

DATA = "kill-matrix.json"
PAGE = "kill-matrix.html"

CELL = 19
"""Side of a cell, in px; labels have 11 px letters of one width."""

LETTER = 6.7
MARGIN = 12

MEANINGS = {
    "kill": "caught, as declared",
    "consequence": "also fired, a consequence that was declared",
    "undeclared": "fired undeclared: a fault of the suite",
    "missed": "should have caught it: a fault of the suite",
    "quiet": "tried, nothing found",
}
"""The kinds of marks; where there is none, nothing was tried."""


@dataclass(frozen=True)
class Mark:
    """One cell that was tried: its centre in px, and what became of it."""

    x: float
    y: float
    kind: str
    said: str


@dataclass(frozen=True)
class Row:
    """A requirement, or without an id the name of a conformance class above its requirements; `y` is its middle."""

    label: str
    y: float
    marks: tuple[Mark, ...] = ()
    is_class: bool = False
    is_covered: bool = True


@dataclass(frozen=True)
class Column:
    label: str
    x: float
    is_good: bool
    mistake: str


@dataclass(frozen=True)
class Panel:
    """The requirements and implementations of one role; sizes in px."""

    role: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    left: float
    top: float
    implementations: Sequence[Mapping[str, Any]]

    @property
    def width(self) -> float:
        return self.left + CELL * len(self.columns) + MARGIN

    @property
    def height(self) -> float:
        return self.top + CELL * len(self.rows) + MARGIN

    @property
    def good(self) -> int:
        return sum(column.is_good for column in self.columns)


def write(folder: Path) -> Path:
    """Writes the page beside the data that lies in a folder, and returns its path."""
    document = json.loads((folder / DATA).read_text(encoding="utf-8"))
    (folder / PAGE).write_text(render(document), encoding="utf-8")
    return folder / PAGE


def render(document: Mapping[str, Any]) -> str:
    """The whole page, which may load nothing. `document` is as kill-matrix-1.schema.json says."""
    bad = [entry for entry in document["implementations"] if entry["mistake"]]
    return (
        environment()
        .get_template("kill_matrix.html.j2")
        .render(
            document=document,
            style=style(),
            panels=list(panels(document)),
            meanings=MEANINGS,
            cell=CELL,
            caught=sum(bool(entry["fired"]) for entry in bad),
            bad=len(bad),
            good=len(document["implementations"]) - len(bad),
        )
    )


def panels(document: Mapping[str, Any]) -> Iterator[Panel]:
    """One per role: what concerns another role is never tried."""
    entries = document["implementations"]
    for role in dict.fromkeys(entry["role"] for entry in entries):
        mine = sorted((entry for entry in entries if entry["role"] == role), key=lambda entry: bool(entry["mistake"]))
        tried = {identifier for entry in mine for identifier in (*entry["tried"], *entry["killed_by"])}
        concerned = [entry for entry in document["requirements"] if entry["role"] == role and entry["id"] in tried]
        if concerned:
            yield _panel(role, concerned, mine)


def _panel(role: str, requirements: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> Panel:
    left = LETTER * max(len(requirement["id"]) for requirement in requirements) + 2 * MARGIN
    top = LETTER * max(len(entry["id"]) for entry in entries) + 2 * MARGIN
    columns = tuple(
        Column(entry["id"], left + CELL * (place + 0.5), not entry["mistake"], entry["mistake"])
        for place, entry in enumerate(entries)
    )
    rows: list[Row] = []
    for place, requirement in enumerate(requirements):
        if not place or requirement["class"] != requirements[place - 1]["class"]:
            rows.append(Row(requirement["class"], top + CELL * (len(rows) + 0.5), is_class=True))
        y = top + CELL * (len(rows) + 0.5)
        cells = [(column, cell(requirement["id"], entry)) for column, entry in zip(columns, entries, strict=True)]
        marks = tuple(
            Mark(column.x, y, kind, f"{column.label}, {requirement['id']}: {said}")
            for column, (kind, said) in cells
            if kind
        )
        is_covered = requirement["level"] != "MUST" or any(mark.kind == "kill" for mark in marks)
        rows.append(Row(requirement["id"], y, marks, is_covered=is_covered))
    return Panel(role, tuple(rows), columns, left, top, entries)


def cell(requirement: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    """(kind, words) of one requirement on one implementation; the kind is empty where nothing was tried."""
    verdict = entry["fired"].get(requirement)
    if requirement in entry["killed_by"]:
        kind = "kill" if verdict else "missed"
    elif verdict:
        kind = "consequence" if requirement in entry["may_fire"] else "undeclared"
    else:
        kind = "quiet" if requirement in entry["tried"] else ""
    return kind, f"{verdict}, {MEANINGS[kind]}" if verdict else MEANINGS.get(kind, "")
