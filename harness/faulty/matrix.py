"""The kill matrix: which requirement catches which known-bad, and whether that is what was declared.

Rules: a known-bad is caught by every requirement that it declares in `killed_by`, with the evidence that it declares;
nothing fires that is not in `killed_by` or `may_fire`; a good implementation is accused of nothing; and every MUST is
declared and met by at least one known-bad. What can't be judged on this machine is no fault and no success either: it
is listed, and counts as not tried.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import catalogue, messages, toml
from ..implementations.host import find_host
from ..verdicts import Verdict

LIST = Path(__file__).with_name("known_bads.toml")
LIBRARIES = {
    "native": "librtc_faulty.so",
    "native-static": "librtc_faulty_static.so",
    "native-fast-math": "librtc_faulty_fast_math.so",
    "native-pipeline": "librtc_faulty_pipelines.so",
}


@dataclass(frozen=True)
class Entry:
    """One implementation of the self-test, or a chain of several; `mistake` is empty for a good one.

    `connections` are by role: one, or those of the chain, whose id is then that of its implementations with + between.
    `evidence` is a text that the message of a killing failure must hold, so that a broken import is no kill. `classes`
    limits what it is tried on, for those that would take minutes elsewhere.
    """

    id: str
    role: str
    connections: Mapping[str, str]
    mistake: str = ""
    killed_by: tuple[str, ...] = ()
    may_fire: tuple[str, ...] = ()
    evidence: str = ""
    classes: tuple[str, ...] = ()

    def takes_part(self, requirement: catalogue.Requirement) -> bool:
        """Whether it is tried on a requirement: a timed one only if it has something to do with it."""
        if requirement.role != self.role or (self.classes and requirement.conformance_class not in self.classes):
            return False
        return not requirement.is_timed or self.is_good or requirement.id in (*self.killed_by, *self.may_fire)

    @property
    def is_good(self) -> bool:
        return not self.mistake


@dataclass
class Matrix:
    """What fired for each implementation, and what is wrong with that.

    `unavailable` are the requirements that could be judged in no case of an implementation, `tried` the others that it
    has results of.
    """

    entries: Sequence[Entry]
    fired: Mapping[str, Mapping[str, str]]
    tried: Mapping[str, frozenset[str]]
    unavailable: Mapping[str, frozenset[str]]
    faults: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    not_available: list[str] = field(default_factory=list)

    @property
    def untried(self) -> frozenset[str]:
        """The ids of the known-bads that nothing could catch here: all that has to can't be judged."""
        return frozenset(e.id for e in self.entries if not e.is_good and self.unavailable[e.id].issuperset(e.killed_by))

    @property
    def killed(self) -> int:
        bad = [entry.id for entry in self.entries if not entry.is_good]
        return sum(bool(self.fired[name]) and name not in self.untried for name in bad)


def load(path: Path = LIST) -> list[Entry]:
    """The good implementations and the known-bads, in the order of the file, patterns in `may_fire` spelt out."""
    document = toml.loads(path.read_text(encoding="utf-8"))
    entries = []
    for record in (*document["good"], *document["known_bad"]):
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
        given = values.pop("chain", None) or {values["role"]: values.pop("connection")}
        values["connections"] = {role: resolved(connection) for role, connection in given.items()}
        values.setdefault("role", catalogue.CHAIN)
        declared = [name for text in values.get("may_fire", ()) for name in _named(text, values["role"])]
        values["may_fire"] = tuple(name for name in declared if name not in values.get("killed_by", ()))
        entries.append(Entry(**values))
    return entries


def _named(text: str, role: str) -> list[str]:
    """The requirement of that name; those of the role that a pattern such as `NUM-*` stands for.

    A timed one has to be named, since that is what has it tried. Raises ValueError for a pattern that fits none.
    """
    if "*" not in text:
        return [text]
    mine = [r.id for r in catalogue.load().values() if r.role == role and not r.is_timed]
    if found := fnmatch.filter(mine, text):
        return found
    raise ValueError(f"{LIST}: expected the beginning of an id of the role {role} in may_fire, found {text}")


def resolved(connection: str) -> str:
    """`native:NAME`, `native-pipeline:NAME` as the connection to that one of the suite's own wrong implementations."""
    kind, _, name = connection.partition(":")
    if kind not in LIBRARIES:
        return connection
    return f"abi:{find_host().with_name(LIBRARIES[kind])}#{name}"


def evaluate(entries: Sequence[Entry], results: Iterable[Mapping[str, Any]]) -> Matrix:
    """Compares what fired in a run's result records with what was declared."""
    by_implementation: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        by_implementation.setdefault(result["implementation"], []).append(result)
    mine_of = {entry.id: by_implementation.get(entry.id, []) for entry in entries}
    tried = {
        name: frozenset(r["requirement"] for r in mine if r["verdict"] != Verdict.NOT_AVAILABLE.value)
        for name, mine in mine_of.items()
    }
    matrix = Matrix(
        entries,
        fired={name: _fired(mine) for name, mine in mine_of.items()},
        tried=tried,
        unavailable={name: frozenset(r["requirement"] for r in mine) - tried[name] for name, mine in mine_of.items()},
    )
    for entry in entries:
        mine = mine_of[entry.id]
        matrix.faults += _faults(entry, mine, matrix.fired[entry.id], matrix.unavailable[entry.id])
        matrix.undecided += [
            f"{result['item']}: {result['found']}" for result in mine if result["verdict"] == Verdict.INCONCLUSIVE.value
        ]
        missing = {r["requirement"]: r["found"] for r in mine if r["verdict"] == Verdict.NOT_AVAILABLE.value}
        matrix.not_available += [f"{entry.id}: {requirement}: {found}" for requirement, found in missing.items()]
    return matrix


def _fired(results: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """{requirement: worst verdict} of those that an implementation broke."""
    fired: dict[str, str] = {}
    for result in results:
        if Verdict(result["verdict"]).is_failure:
            fired.setdefault(result["requirement"], result["verdict"])
    return fired


def _faults(
    entry: Entry, results: Sequence[Mapping[str, Any]], fired: Mapping[str, str], unavailable: frozenset[str]
) -> list[str]:
    faults = []
    if not results:
        faults.append(f"{entry.id}: nothing was run for it")
    for result in results:
        if Verdict(result["verdict"]) is Verdict.SUITE_ERROR:
            faults.append(f"{entry.id}: {result['item']} is {result['verdict']}: {result['found']}")
    for requirement in entry.killed_by:
        if requirement not in fired and requirement not in unavailable:
            faults.append(f"{entry.id}: {requirement} did not catch it")
    for requirement, verdict in fired.items():
        if requirement not in (*entry.killed_by, *entry.may_fire):
            example = next(r for r in results if r["requirement"] == requirement and r["verdict"] == verdict)
            who = "accused" if entry.is_good else "fired undeclared"
            faults.append(f"{entry.id}: {requirement} {who} ({verdict}): {example['item']}: {example['found']}")
    judged = not unavailable.intersection(entry.killed_by)
    if entry.evidence and judged and not any(_shows(entry, result) for result in results):
        faults.append(f"{entry.id}: no failure of {', '.join(entry.killed_by)} says {entry.evidence!r}")
    return faults


def _shows(entry: Entry, result: Mapping[str, Any]) -> bool:
    killing = result["requirement"] in entry.killed_by and Verdict(result["verdict"]).is_failure
    return killing and entry.evidence in messages.failure_text(result)


def uncovered(matrix: Matrix, requirements: Iterable[catalogue.Requirement]) -> list[str]:
    """The MUSTs among the requirements, of the roles that were tried, that can be judged and catch no known-bad."""
    bad = [entry for entry in matrix.entries if not entry.is_good]
    accounted_for = {
        identifier
        for entry in bad
        for identifier in entry.killed_by
        if identifier in matrix.fired[entry.id] or identifier in matrix.unavailable[entry.id]
    }
    roles = {entry.role for entry in matrix.entries}
    return [
        f"{requirement.id}: no known-bad is caught by it"
        for requirement in requirements
        if requirement.level == "MUST" and requirement.role in roles and requirement.id not in accounted_for
    ]


def document(matrix: Matrix, requirements: Iterable[catalogue.Requirement]) -> dict[str, Any]:
    """The matrix as JSON values, in the form of kill-matrix-1.schema.json."""
    from ... import __version__

    known = list(requirements)
    return {
        "schema": 1,
        "rtconform": __version__,
        "requirements": [{"id": r.id, "level": r.level, "role": r.role, "class": r.conformance_class} for r in known],
        "implementations": [
            {
                "id": entry.id,
                "role": entry.role,
                "mistake": entry.mistake,
                "killed_by": [name for name in entry.killed_by if name not in matrix.unavailable[entry.id]],
                "may_fire": list(entry.may_fire),
                "tried": [r.id for r in known if r.id in matrix.tried[entry.id]],
                "unavailable": [r.id for r in known if r.id in matrix.unavailable[entry.id]],
                "fired": matrix.fired[entry.id],
            }
            for entry in matrix.entries
        ],
        "faults": matrix.faults,
        "undecided": matrix.undecided,
        "not_available": matrix.not_available,
    }


def table(matrix: Matrix) -> str:
    """The matrix as text: one line per known-bad, the killing requirements first, consequences in brackets."""
    width = max(len(entry.id) for entry in matrix.entries)
    lines = []
    for entry in matrix.entries:
        fired = matrix.fired[entry.id]
        killing = [r for r in entry.killed_by if r in fired]
        others = [r for r in fired if r not in entry.killed_by]
        caught = "NOT TRIED" if entry.id in matrix.untried else " ".join(killing)
        text = caught + (f" ({' '.join(others)})" if others else "")
        lines.append(f"{entry.id:<{width}}  {text or ('accused of nothing' if entry.is_good else 'NOT CAUGHT')}")
    return "\n".join(lines)
