"""The picture of stored benchmark runs: a panel per benchmark, with its times from the oldest run to the newest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rtconform.harness.report.html import style
from rtconform.harness.report.pictures import Axis, linear
from rtconform.harness.report.text import digits

PAGE = "history.html"
MOST_RUNS = 40
WIDTH, HEIGHT = 420, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 412, 10, 160


@dataclass(frozen=True)
class Run:
    """One file of the store: what pytest-benchmark measured at one time, on one machine."""

    number: int
    """The one that its file's name begins with, as `pytest-benchmark compare` takes it."""
    when: str
    commit: str
    machine: str
    benchmarks: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Mark:
    """One run in a panel: where it stands, and its times in ms."""

    run: Run
    x: float
    times: dict[str, float]
    moved: bool
    """Whether the run before was made on another machine."""


@dataclass(frozen=True)
class Panel:
    """One benchmark through all runs."""

    name: str
    what: str
    shown: str
    marks: tuple[Mark, ...]
    axis: Axis

    def y(self, milliseconds: float) -> float:
        return round(BOTTOM - self.axis.at(milliseconds) / 100 * (BOTTOM - TOP), 1)

    @property
    def line(self) -> str:
        """The medians as an SVG path, interrupted where the machine changes."""
        return " ".join(
            f"{'M' if place == 0 or mark.moved else 'L'}{mark.x} {self.y(mark.times['median'])}"
            for place, mark in enumerate(self.marks)
        )

    @property
    def change(self) -> str:
        """The newest median against the one before, where both are of one machine."""
        if len(self.marks) < 2 or self.marks[-1].moved:
            return ""
        before, now = (mark.times["median"] for mark in self.marks[-2:])
        return f"{now / before - 1:+.1%} against run {self.marks[-2].run.number}"


def draw(store: Path) -> Path | None:
    """Writes the page of all runs below the folder, beside them; returns its path, or None if there are no runs."""
    found = runs(store)[-MOST_RUNS:]
    if not found:
        return None
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["digits"] = digits
    frame = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM}
    text = environment.get_template("history.html.j2").render(
        runs=found, panels=list(panels(found)), style=style(), frame=frame, most=MOST_RUNS
    )
    page = store / PAGE
    page.write_text(text, encoding="utf-8")
    return page


def runs(store: Path) -> list[Run]:
    """All runs below a folder of pytest-benchmark's storage, the oldest first."""
    documents = [
        (path, json.loads(path.read_text(encoding="utf-8"))) for path in store.rglob("[0-9][0-9][0-9][0-9]_*.json")
    ]
    documents.sort(key=lambda found: found[1]["datetime"])
    return [_run(int(path.name.partition("_")[0]), document) for path, document in documents]


def panels(found: Sequence[Run]) -> Iterator[Panel]:
    """A panel per benchmark, in the order in which the newest run has them."""
    for name in dict.fromkeys(name for run in reversed(found) for name in run.benchmarks):
        having = [run for run in found if name in run.benchmarks]
        step = (RIGHT - LEFT) / len(having)
        marks = tuple(
            Mark(run, round(LEFT + step * (place + 0.5), 1), _milliseconds(run.benchmarks[name]), _moved(having, place))
            for place, run in enumerate(having)
        )
        newest = having[-1].benchmarks[name]["extra_info"]
        axis = linear((mark.times["hd15iqr"] for mark in marks), at_least=0.001)
        yield Panel(name, newest.get("what", ""), newest.get("shown", ""), marks, axis)


def _run(number: int, document: dict[str, Any]) -> Run:
    machine, commit = document["machine_info"], document["commit_info"]
    cpu = machine.get("cpu", {})
    return Run(
        number=number,
        when=document["datetime"][:16].replace("T", " "),
        commit=(commit.get("id") or "unversioned")[:9] + (" and changes" if commit.get("dirty") else ""),
        machine=f"{cpu.get('brand_raw') or machine['machine']}, {cpu.get('count', '?')} cores, "
        f"{machine['python_implementation']} {machine['python_version']}, {machine['system']}",
        benchmarks={each["name"].removeprefix("test_").replace("_", " "): each for each in document["benchmarks"]},
    )


def _moved(having: Sequence[Run], place: int) -> bool:
    return place > 0 and having[place].machine != having[place - 1].machine


def _milliseconds(benchmark: dict[str, Any]) -> dict[str, float]:
    wanted = ("min", "ld15iqr", "q1", "median", "q3", "hd15iqr", "max")
    return {name: 1000 * benchmark["stats"][name] for name in wanted}
