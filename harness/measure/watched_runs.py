"""What the audio thread may not do, over fresh processes: an offence counts when it comes in two of three."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ..implementations.errors import NotAvailable
from ..judging import check

PROCESSES = 3
"""What happens in two of three processes is the implementation's doing; once, it may be the machine's."""


class WatchedRuns:
    """Runs with `offences` and `unseen`, made when they are needed and kept for the requirements that come later.

    `who` does what it may not, in the words of a failure, and `op` is the operation that watches it.
    """

    def __init__(self, who: str, op: str) -> None:
        self._who = who
        self._op = op
        self._runs: list[Any] = []

    def check(self, kinds: tuple[str, ...], run: Callable[[], Any]) -> None:
        """Raises at offences of these kinds, and NotAvailable where one of them can't be seen here."""
        __tracebackhide__ = True
        seen: Counter[str] = Counter()
        for process in range(PROCESSES):
            if process == len(self._runs):
                self._runs.append(run())
            watched = self._runs[process]
            for kind in watched.unseen.keys() & kinds:
                raise NotAvailable(who=f"the detector of {kind} offences", op=self._op, reason=watched.unseen[kind])
            found = [offence for offence in watched.offences if offence.kind in kinds]
            seen.update(offence.function for offence in found)
            again = [offence for offence in found if seen[offence.function] > 1]
            check(not again, f"{self._who} did what the audio thread may not do", offences=again)
            if process == 1 and not seen:
                return
