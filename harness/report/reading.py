"""What the records of a run say, in the order in which people ask: verdict, standings, failures, each requirement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..records import Run
from ..verdicts import ExitCode, Verdict, standings
from .text import counted, visible

SUITE = "the suite"
"""What stands for the implementation where a requirement concerns none."""

WORST_FIRST = (
    Verdict.SUITE_ERROR,
    Verdict.CRASH,
    Verdict.TIMEOUT,
    Verdict.FAIL,
    Verdict.XPASS,
    Verdict.NOT_AVAILABLE,
    Verdict.INCONCLUSIVE,
    Verdict.XFAIL,
    Verdict.PASS,
    Verdict.SKIP,
)
WORDS = {
    Verdict.SUITE_ERROR: ("fault of the suite", "faults of the suite"),
    Verdict.CRASH: ("crash", "crashes"),
    Verdict.TIMEOUT: ("timeout", "timeouts"),
    Verdict.FAIL: ("failure", "failures"),
    Verdict.XPASS: ("unexpected pass", "unexpected passes"),
    Verdict.NOT_AVAILABLE: ("not available", "not available"),
    Verdict.INCONCLUSIVE: ("inconclusive", "inconclusive"),
    Verdict.XFAIL: ("known failure", "known failures"),
    Verdict.PASS: ("pass", "passes"),
    Verdict.SKIP: ("skip", "skips"),
}


@dataclass(frozen=True)
class Group:
    """The results of one requirement on one implementation: its cases, the worst first."""

    requirement: str
    implementation: str
    results: tuple[Mapping[str, Any], ...]

    @property
    def first(self) -> Mapping[str, Any]:
        return self.results[0]

    @property
    def worst(self) -> Verdict:
        return Verdict(self.first["verdict"])

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How often each verdict was given, the worst first."""
        return count(self.results)

    @property
    def why(self) -> str:
        """The real failure behind the requirement."""
        return self.first["why"]


@dataclass(frozen=True)
class ClassMatrix:
    """One conformance class: requirement × implementation. Cells stand in the order of `implementations`."""

    name: str
    implementations: tuple[str, ...]
    standings: tuple[str, ...]
    rows: tuple[tuple[Group | None, ...], ...]


@dataclass(frozen=True)
class Line:
    """One implementation in one conformance class: its standing and how often each verdict was given."""

    implementation: str
    conformance_class: str
    standing: str
    counts: Mapping[Verdict, int]


def count(results: Iterable[Mapping[str, Any]]) -> Mapping[Verdict, int]:
    """{verdict: number of results}, the worst first, without those that did not occur."""
    counter = Counter(Verdict(result["verdict"]) for result in results)
    return {verdict: counter[verdict] for verdict in WORST_FIRST if counter[verdict]}


def in_words(counts: Mapping[Verdict, int]) -> str:
    """As in: 2 failures, 1 skip."""
    return ", ".join(counted(number, *WORDS[verdict]) for verdict, number in counts.items())


def verdict_line(run: Run) -> tuple[str, str]:
    """(word, sentence) about the whole run: what the exit code means here."""
    counts = count(run.results)
    code = run.footer["exit_code"]
    said = in_words(counts) or "no results"
    if set(counts) <= {Verdict.SKIP}:
        return "NOT JUDGED", f"nothing was judged, because nothing was declared: {said}"
    if code == ExitCode.OK:
        return ("AS EXPECTED" if Verdict.XFAIL in counts else "PASSED"), f"nothing unexpected: {said}"
    if code == ExitCode.NOT_AVAILABLE:
        return "NOT AVAILABLE", f"something that is required is missing on this machine: {said}"
    if code == ExitCode.INCONCLUSIVE:
        return "INCONCLUSIVE", f"some of it could not be decided, for the reasons given: {said}"
    return "FAILED", said


def owner(result: Mapping[str, Any]) -> str:
    return visible(result["implementation"]) or SUITE


def groups(run: Run) -> list[Group]:
    """All results by requirement and implementation, in the order of the run."""
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for result in run.results:
        grouped.setdefault((result["requirement"], owner(result)), []).append(result)
    return [
        Group(requirement, implementation, tuple(sorted(results, key=_severity)))
        for (requirement, implementation), results in grouped.items()
    ]


def only(all_groups: Iterable[Group], *verdicts: Verdict) -> list[Group]:
    """The groups with just the results of these verdicts; MUST before SHOULD, the worst first."""
    chosen = []
    for group in all_groups:
        results = tuple(result for result in group.results if Verdict(result["verdict"]) in verdicts)
        if results:
            chosen.append(Group(group.requirement, group.implementation, results))
    return sorted(chosen, key=lambda group: (group.first["level"] != "MUST", WORST_FIRST.index(group.worst)))


def unexpected(all_groups: Iterable[Group]) -> list[Group]:
    """The groups with just the results that turn a run red."""
    return only(all_groups, *(verdict for verdict in Verdict if verdict.is_unexpected))


def matrices(run: Run) -> list[ClassMatrix]:
    """One matrix per conformance class, in the order of the run."""
    judged = standings(run.outcomes)
    by_class: dict[str, list[Group]] = {}
    for group in groups(run):
        by_class.setdefault(group.first["class"], []).append(group)
    found = []
    for name, members in by_class.items():
        columns = tuple(dict.fromkeys(group.implementation for group in members))
        cells = {(group.requirement, group.implementation): group for group in members}
        rows = dict.fromkeys(group.requirement for group in members)
        found.append(
            ClassMatrix(
                name,
                columns,
                tuple(judged["" if column == SUITE else column][name] for column in columns),
                tuple(tuple(cells.get((row, column)) for column in columns) for row in rows),
            )
        )
    return found


def lines(found: Iterable[ClassMatrix]) -> list[Line]:
    """The standings of all matrices, each implementation's together, in the order of the run."""
    said = []
    for matrix in found:
        for column, (implementation, standing) in enumerate(zip(matrix.implementations, matrix.standings, strict=True)):
            results = [result for row in matrix.rows if row[column] for result in row[column].results]
            said.append(Line(implementation, matrix.name, standing, count(results)))
    order = {name: place for place, name in enumerate(dict.fromkeys(line.implementation for line in said))}
    return sorted(said, key=lambda line: order[line.implementation])


def _severity(result: Mapping[str, Any]) -> int:
    return WORST_FIRST.index(Verdict(result["verdict"]))
