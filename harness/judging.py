"""From what a test met to a verdict with its evidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from .implementations import errors
from .verdicts import Verdict


class RequirementFailed(AssertionError):
    """A requirement doesn't hold. `evidence` goes into the record: plain values, arrays, dataclasses."""

    def __init__(self, found: str, **evidence: Any) -> None:
        super().__init__(found)
        self.evidence = evidence


class Inconclusive(Exception):
    """It can't be decided here: the machine is too noisy, or the model's outputs hang on rounding alone."""


class BrokenChain(Exception):
    """A chain doesn't hold. `wrong` is what came of it as it is, `blame` the account of whose fault it is."""

    def __init__(self, sentence: str, wrong: Exception, blame: Mapping[str, Any]) -> None:
        super().__init__(f"{sentence}: {wrong}")
        self.wrong = wrong
        self.blame = blame


VERDICTS = (
    (errors.BadConnection, Verdict.SUITE_ERROR),
    (errors.NotAvailable, Verdict.NOT_AVAILABLE),
    (errors.TimedOut, Verdict.TIMEOUT),
    ((errors.Crashed, errors.Exited), Verdict.CRASH),
    ((errors.ImplementationError, AssertionError), Verdict.FAIL),
    (Inconclusive, Verdict.INCONCLUSIVE),
)
"""What an exception comes to; the first that fits."""


def skip_undeclared(implementation: Any, layer_types: Iterable[str]) -> None:
    """Skips the test when an implementation doesn't declare one of the layer types."""
    import pytest

    declared = implementation.declaration
    undeclared = sorted(set(layer_types) - set(declared.layer_types))
    if undeclared:
        pytest.skip(f"not declared by the {declared.role}: {', '.join(undeclared)}")


def check(holds: bool, found: str, **evidence: Any) -> None:
    """Raises RequirementFailed with what was found unless the condition holds."""
    __tracebackhide__ = True
    if not holds:
        raise RequirementFailed(found, **evidence)


def check_outputs(judgement: Any, what: str, **evidence: Any) -> None:
    """Raises RequirementFailed at the first frame and output where a budget's judgement says that it is broken."""
    __tracebackhide__ = True
    if judgement.ok:
        return
    place = {
        "first_bad_frame": judgement.first_bad_frame,
        "first_bad_output": judgement.first_bad_output,
        "expected": judgement.expected,
        "got": judgement.got,
        "error_in_budgets": judgement.error_in_budgets,
        "error_ulp": judgement.error_ulp,
        "neighbours": judgement.neighbours,
    }
    where = f"first at frame {judgement.first_bad_frame}, output {judgement.first_bad_output}"
    raise RequirementFailed(f"{what}: {where}", **place, **evidence)


def check_same_bits(got: Any, expected: Any, what: str, **evidence: Any) -> None:
    """Raises RequirementFailed at the first frame and output where two float32 arrays `[T, out]` differ in a bit."""
    __tracebackhide__ = True
    check(got.shape == expected.shape, f"{what}: another shape", expected=expected.shape, got=got.shape, **evidence)
    different = (got.view("u4") != expected.view("u4")).nonzero()
    if len(different[0]):
        frame, output = (int(indices[0]) for indices in different)
        raise RequirementFailed(
            f"{what}: first at frame {frame}, output {output}",
            first_bad_frame=frame,
            first_bad_output=output,
            expected=float(expected[frame, output]),
            got=float(got[frame, output]),
            **evidence,
        )


def check_refused(what: str, call: Callable[..., Any], *arguments: Any, **evidence: Any) -> errors.Refused:
    """Makes the call and returns the refusal; raises RequirementFailed when the call succeeds."""
    __tracebackhide__ = True
    try:
        call(*arguments)
    except errors.Refused as refusal:
        return refusal
    raise RequirementFailed(what, **evidence)


def verdict_of(error: BaseException) -> tuple[Verdict, str, dict[str, Any]]:
    """(verdict, what was found, evidence) of the exception that ended a test.

    What the implementation did decides; anything that is neither its doing nor a requirement's is the suite's own
    fault.
    """
    found = str(error) or type(error).__name__
    evidence = dict(getattr(error, "evidence", None) or {})
    if isinstance(error, BrokenChain):
        verdict, _, evidence = verdict_of(error.wrong)
        return verdict, found, {**evidence, "blame": jsonable(error.blame)}
    for kinds, verdict in VERDICTS:
        if isinstance(error, kinds):
            return verdict, found, jsonable(evidence)
    return Verdict.SUITE_ERROR, f"{type(error).__name__}: {found}", jsonable(evidence)


def jsonable(value: Any) -> Any:
    """Plain JSON values: arrays become lists, dataclasses mappings, NaN and infinity their names."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, (str, int, bool)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return jsonable(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    return str(value)
