"""What came of the mutants: killed, equivalent, survived; and whether that is what was written down.

mutants.toml lists, with a reason, what no requirement can tell from the original (`equivalent`), and what one could but
none does (`survivor`). Only the first are left out of the rate. Any other survivor is a fault of the suite, and so is
an entry that no mutant answers to, or whose mutant is killed: the list can't rot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import toml
from ..verdicts import Verdict
from .mutants import LIST
from .mutation import Mutant

LEAST_RATE = 0.98
"""Of the mutants that are not equivalent, so many have to be killed."""

KINDS = ("equivalent", "survivor")
Key = tuple[str, str, str, str, int]


@dataclass(frozen=True)
class Counts:
    """Of the mutants of a kind."""

    mutants: int
    killed: int
    equivalent: int

    @property
    def survived(self) -> int:
        return self.mutants - self.killed - self.equivalent

    @property
    def rate(self) -> float:
        """The part that is killed of what is not equivalent."""
        return self.killed / max(self.mutants - self.equivalent, 1)


@dataclass(frozen=True)
class Score:
    """`faults` are what makes the self-test fail."""

    total: Counts
    by_file: Mapping[str, Counts]
    by_operator: Mapping[str, Counts]
    outcomes: Sequence[Mapping[str, Any]]
    faults: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """JSON values, for the file that reports read."""
        return {
            "least_rate": LEAST_RATE,
            "total": asdict(self.total) | {"survived": self.total.survived, "rate": round(self.total.rate, 4)},
            "by_file": {name: asdict(counts) for name, counts in self.by_file.items()},
            "by_operator": {name: asdict(counts) for name, counts in self.by_operator.items()},
            "faults": list(self.faults),
            "mutants": list(self.outcomes),
        }


def explained(path: Path = LIST) -> dict[Key, tuple[str, str]]:
    """{key of a mutant: (equivalent or survivor, the reason)}.

    An entry names a file, a function, a reason, and `changes`: [original, mutated] or [original, mutated, n] for the
    n-th such change in the function.
    """
    document = toml.loads(path.read_text(encoding="utf-8"))
    found = {}
    for kind in KINDS:
        for entry in document.get(kind, ()):
            for original, mutated, *nth in entry["changes"]:
                key = (entry["file"], entry["function"], original, mutated, nth[0] if nth else 1)
                found[key] = (kind, entry["reason"])
    return found


def evaluate(
    outcomes: Iterable[Mapping[str, Any]], known: Mapping[Key, tuple[str, str]], existing: Iterable[Mutant]
) -> Score:
    """Compares what became of mutants with what is written down; `existing` are all that there are."""
    judged, faults = [], []
    for outcome in outcomes:
        killed = Verdict(outcome["verdict"]).is_failure
        kind, reason = known.get(_key(outcome), ("", ""))
        judged.append({**outcome, "outcome": "killed" if killed else kind or "unexplained", "reason": reason})
        title = (
            f"{outcome['file']}:{outcome['line']} {outcome['function']}: {outcome['original']} → {outcome['mutated']}"
        )
        if outcome["verdict"] == Verdict.SUITE_ERROR.value:
            faults.append(f"{title}: {outcome['item']} is {outcome['verdict']}: {outcome['found']}")
        elif killed and kind:
            faults.append(f"{title}: listed as {kind}, and killed by {outcome['item']}")
        elif not killed and not kind:
            faults.append(f"{title}: survived {outcome['items']} items, unexplained: {outcome['command']}")
    keys = {mutant.key for mutant in existing}
    faults += [f"{LIST.name}: no mutant {' / '.join(map(str, key))}" for key in known if key not in keys]
    total = _counts(judged)
    if total.rate < LEAST_RATE:
        faults.append(
            f"{total.rate:.1%} of the mutants that are not equivalent were killed, less than {LEAST_RATE:.0%}"
        )
    return Score(total, _by(judged, "file"), _by(judged, "operator"), judged, faults)


def _key(outcome: Mapping[str, Any]) -> Key:
    return tuple(outcome[name] for name in ("file", "function", "original", "mutated", "nth"))


def _counts(judged: Sequence[Mapping[str, Any]]) -> Counts:
    found = Counter(outcome["outcome"] for outcome in judged)
    return Counts(len(judged), found["killed"], found["equivalent"])


def _by(judged: Sequence[Mapping[str, Any]], name: str) -> dict[str, Counts]:
    values = dict.fromkeys(outcome[name] for outcome in judged)
    return {value: _counts([outcome for outcome in judged if outcome[name] == value]) for value in values}


def table(score: Score) -> str:
    """One line per file and per operator: mutants, killed, equivalent, survived, rate."""
    rows = [*score.by_file.items(), *score.by_operator.items(), ("all", score.total)]
    width = max(len(name) for name, _ in rows)
    head = f"{'':<{width}}  mutants  killed  equivalent  survived    rate"
    lines = [
        f"{name:<{width}}  {c.mutants:>7}  {c.killed:>6}  {c.equivalent:>10}  {c.survived:>8}  {c.rate:>6.1%}"
        for name, c in rows
    ]
    return "\n".join([head, *lines])
