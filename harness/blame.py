"""Blame: which stage of a broken chain broke it, found by putting the judge's own in its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from .implementations.errors import BadConnection, ImplementationError, NotAvailable
from .judging import BrokenChain, RequirementFailed
from .rtneural_json import InvalidModel

Run = Callable[[frozenset[str]], float]
"""Runs the chain with these stages replaced: its error in budgets, or the exception of what is wrong with it."""


@dataclass(frozen=True)
class Swap:
    """The chain with some stages replaced, and what came of it; `wrong` is None if it holds."""

    replaced: tuple[str, ...]
    error_in_budgets: float | None
    wrong: Exception | None

    def record(self) -> dict[str, Any]:
        return {
            "replaced": self.replaced,
            "holds": self.wrong is None,
            "error_in_budgets": self.error_in_budgets,
            "found": "" if self.wrong is None else str(self.wrong),
        }


def check_chain(stages: Mapping[str, str], run: Run) -> None:
    """Raises BrokenChain unless the chain holds; `stages` are {stage: implementation} in its order.

    To blame are the smallest sets of stages whose replacement heals it: one stage; several that are wrong together; or
    several that heal it each, and so only don't fit each other. Raises RuntimeError if even the judge's own chain is
    broken, and NotAvailable as it comes.
    """
    names = list(stages)
    tried: dict[frozenset[str], Swap] = {}

    def holds(replaced: Collection[str]) -> bool:
        key = frozenset(replaced)
        if key not in tried:
            tried[key] = _swap(tuple(name for name in names if name in key), run)
        return tried[key].wrong is None

    if holds(()):
        return
    first = next(name for place, name in enumerate(names, 1) if not holds(names[place:]))
    healing: list[tuple[str, ...]] = []
    for size in range(1, len(names) + 1):
        if healing := [chosen for chosen in combinations(names, size) if holds(chosen)]:
            break
    if not healing:
        whole = tried[frozenset(names)].wrong
        raise RuntimeError(f"the judge's own chain doesn't hold: {whole}") from whole
    wrong = tried[frozenset()].wrong
    blame = {
        "stages": dict(stages),
        "healed_by": healing,
        "first_divergence": first,
        "swaps": [swap.record() for swap in tried.values()],
    }
    raise BrokenChain(_sentence(stages, healing, first), wrong, blame) from wrong


def _swap(replaced: tuple[str, ...], run: Run) -> Swap:
    try:
        return Swap(replaced, run(frozenset(replaced)), None)
    except (BadConnection, NotAvailable):
        raise
    except (ImplementationError, RequirementFailed, InvalidModel) as error:
        evidence = getattr(error, "evidence", {})
        return Swap(replaced, evidence.get("error_in_budgets"), error)


def _sentence(stages: Mapping[str, str], healing: Sequence[Sequence[str]], first: str) -> str:
    def named(chosen: Iterable[str]) -> str:
        return " and ".join(f"{stage} ({stages[stage]})" for stage in chosen)

    if len(healing) > 1:
        each = " or ".join(named(chosen) for chosen in healing)
        unfit = "no stage is to blame alone, since they don't fit each other"
        return f"{unfit}; replacing {each} heals the chain, which parts from what is right at {first}"
    return f"{named(healing[0])} {'is' if len(healing[0]) == 1 else 'are together'} to blame"
