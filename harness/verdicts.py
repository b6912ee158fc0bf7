"""What can be said of one case, of one conformance class, and of a whole run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from .catalogue import TIMED_CLASSES


class Verdict(str, Enum):
    """The outcome of one requirement on one case of one implementation."""

    PASS = "PASS"
    FAIL = "FAIL"
    CRASH = "CRASH"
    TIMEOUT = "TIMEOUT"
    SKIP = "SKIP"
    XFAIL = "XFAIL"
    XPASS = "XPASS"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_AVAILABLE = "NOT AVAILABLE"
    SUITE_ERROR = "SUITE ERROR"

    @property
    def is_failure(self) -> bool:
        """True for the outcomes that a known failure can excuse."""
        return self in (Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT)

    @property
    def is_unexpected(self) -> bool:
        """True for the outcomes that turn a run red."""
        return self.is_failure or self in (Verdict.XPASS, Verdict.SUITE_ERROR)


class ExitCode(int, Enum):
    """What `rtconform run` and pytest return."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_AVAILABLE = 3
    INCONCLUSIVE = 75


@dataclass(frozen=True)
class Outcome:
    """A verdict with what decides how much it weighs."""

    verdict: Verdict
    level: str
    conformance_class: str
    implementation: str
    is_chain: bool = False


def exit_code(
    outcomes: Iterable[Outcome], gating: Iterable[str] | None = None, *, from_settings: bool = False
) -> ExitCode:
    """The exit code of a run: MUST requirements of the gating classes decide (all classes when `gating` is None).

    A fault of the suite itself always counts, and so does an implementation of which nothing was judged because it
    declares nothing. A chain may well be one whose implementations have nothing in common. `from_settings`: the
    implementations are those of the settings, and who of them can't be timed is passed over in a run of the timed
    classes, as long as others are there.
    """
    classes = None if gating is None else set(gating)
    outcomes = [
        outcome
        for outcome in outcomes
        if classes is None or outcome.conformance_class in classes or outcome.verdict is Verdict.SUITE_ERROR
    ]
    judged = {outcome.implementation for outcome in outcomes if outcome.verdict is not Verdict.SKIP}
    verdicts = {
        outcome.verdict for outcome in outcomes if outcome.level == "MUST" or outcome.verdict is Verdict.SUITE_ERROR
    }
    passed_over = TIMED_CLASSES if from_settings else ()
    alone = {o.implementation for o in outcomes if not o.is_chain and o.conformance_class not in passed_over}
    nothing_judged = not alone <= judged or (bool(outcomes) and not judged)
    if nothing_judged or any(verdict.is_unexpected for verdict in verdicts):
        return ExitCode.UNEXPECTED
    if Verdict.NOT_AVAILABLE in verdicts:
        return ExitCode.NOT_AVAILABLE
    if Verdict.INCONCLUSIVE in verdicts:
        return ExitCode.INCONCLUSIVE
    return ExitCode.OK


def standing(outcomes: Iterable[Outcome]) -> str:
    """The one-line judgement of one implementation in one class.

    CONFORMANT needs at least one MUST that passed: an implementation that declares nothing, and so has everything
    skipped, is NOT JUDGED. An unexpected pass is a pass here; what it makes red is the run, whose list is out of date.
    """
    verdicts = [outcome.verdict for outcome in outcomes if outcome.level == "MUST"]
    if any(verdict.is_unexpected and verdict is not Verdict.XPASS for verdict in verdicts):
        return "NOT CONFORMANT"
    if Verdict.NOT_AVAILABLE in verdicts:
        return "NOT AVAILABLE"
    if Verdict.INCONCLUSIVE in verdicts:
        return "INCONCLUSIVE"
    known = verdicts.count(Verdict.XFAIL)
    if known:
        return f"AS EXPECTED ({known} known failure{'s' if known > 1 else ''})"
    return "CONFORMANT" if {Verdict.PASS, Verdict.XPASS} & set(verdicts) else "NOT JUDGED"


def standings(outcomes: Iterable[Outcome]) -> Mapping[str, Mapping[str, str]]:
    """{implementation: {conformance class: standing}} of a run, in order of first appearance."""
    grouped: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        grouped.setdefault(outcome.implementation, {}).setdefault(outcome.conformance_class, []).append(outcome)
    return {
        implementation: {name: standing(members) for name, members in classes.items()}
        for implementation, classes in grouped.items()
    }
