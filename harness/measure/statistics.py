"""Percentiles of raw samples, by nearest rank."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction


def percentile(samples: Iterable[float], p: float) -> float:
    """The nearest-rank percentile: the smallest sample that at least p percent of all samples don't exceed.

    It is always a value that was measured, never one in between. With fewer than 1000 samples p = 99.9 is the largest.
    The rank is ceil(p n / 100), computed on p as it is written: 99.9 of 1000 samples is the 999th, which binary
    floating point misses.

    Raises ValueError when there are no samples or p lies outside 0 to 100.
    """
    return _ranked(sorted(samples), p)


@dataclass(frozen=True)
class Percentiles:
    """What raw samples come to, in their own unit; `count` is how many there were."""

    count: int
    p50: float
    p99: float
    p99_9: float
    max: float

    @classmethod
    def of(cls, samples: Iterable[float]) -> Percentiles:
        """Raises ValueError when there are no samples."""
        ordered = sorted(samples)
        return cls(len(ordered), *(_ranked(ordered, p) for p in (50, 99, 99.9, 100)))

    def scaled(self, factor: float) -> Percentiles:
        """The same in another unit."""
        return Percentiles(self.count, *(value * factor for value in (self.p50, self.p99, self.p99_9, self.max)))


def _ranked(ordered: Sequence[float], p: float) -> float:
    if not ordered:
        raise ValueError("expected at least one sample, found none")
    if not 0 <= p <= 100:
        raise ValueError(f"expected a percentile from 0 to 100, found {p}")
    rank = math.ceil(Fraction(str(p)) * len(ordered) / 100)
    return ordered[max(rank, 1) - 1]
