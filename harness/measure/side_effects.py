"""What calls do to the process beside computing: what came over standard output, and what they changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..implementations import ProtocolViolation
from ..judging import RequirementFailed, check

Calls = Callable[[Any], Iterator[str]]
"""Makes calls to a session, and gives after each its name in a message."""


def noise_of(start: Callable[[], Any], calls: Calls) -> list[tuple[str, str]] | None:
    """The (op, text) that came over standard output from the start of a process to its end; `start` gives its session.

    None in process, where nobody can tell whose it is; then no call is made. Raises RequirementFailed for what came
    in place of the protocol.
    """
    __tracebackhide__ = True
    try:
        with start() as session:
            if session.noise is not None:
                for _ in calls(session):
                    pass
    except ProtocolViolation as violation:
        if not violation.line or violation.line.startswith("{"):
            raise
        what = "something else than the protocol came over standard output"
        raise RequirementFailed(what, line=violation.line) from violation
    return session.noise


def check_process_state(session: Any, calls: Calls) -> None:
    """Raises RequirementFailed at the first call after which the process isn't as before the library was opened."""
    __tracebackhide__ = True
    before = session.environment(at_start=True)
    for call in calls(session):
        changes = before.changes(session.environment())
        check(not changes, f"{call} changed the state of the process", **changes)
