"""Whether one build is slower than another: ratios of times that were taken side by side, and what they prove.

The unit is a round: fresh processes of both builds, which differ in where their memory lies and so in speed by a
percent or more, however well each is timed. Within a round every frame is timed in several passes, and its shortest
time counts: whatever the machine does, it only ever adds. What a build adds in other frames of each pass hides there
too, so that the mean of nearly all times has a say as well. Over the rounds goes a trimmed mean of the ratios with a
bootstrapped standard error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

import numpy as np

ERROR = 0.01
"""The probability of accusing an equal build, in a whole comparison."""

LOOKS = (8, 12, 16, 24)
"""After so many rounds it is looked whether they suffice, unless the caller wants more or fewer."""

SETTLE = 8
"""Frames at the beginning of each pass that fill the caches again, and don't count; a quarter of a short pass."""

CLOCK_TICK = 1.0
"""The least time of a step, in ns, so that there is a ratio where a clock has not moved."""

TRIMMED = 0.2
"""The part of the rounds that is left out at each end: a round in which the machine hit one side only."""

SLOWEST = 0.05
"""The part of a round's steps that the usual time leaves out: those that the machine hit hardest."""

RESAMPLES = 2000
ONE_DEVIATION = (15.87, 84.13)
"""The percentiles of a normal distribution that lie one standard deviation below and above its mean."""


class Finding(str, Enum):
    """What is proven of B against A, by one way of measuring or by all."""

    SLOWER = "slower"
    FASTER = "faster"
    NO_SLOWER = "no slower"
    OPEN = "can't tell"


@dataclass(frozen=True)
class Interval:
    """A ratio of times, B to A: the estimate, and between which ends it lies."""

    ratio: float
    lower: float
    upper: float

    def proves(self, finding: Finding, floor: float) -> bool:
        """Whether it lies on one side as a whole; ratios from 1 / `floor` to `floor` count as no difference."""
        return _is_on_side(finding, self.lower, self.upper, floor)

    def leans_to(self, finding: Finding, floor: float) -> bool:
        """Whether its estimate does."""
        return _is_on_side(finding, self.ratio, self.ratio, floor)


def shortest(times: np.ndarray) -> float:
    """The time of a step, from times `[passes, frames]` of frames that cost the same in each pass: the shortest.

    A frame does the same work in every pass, so that its shortest time is that of the work; a mean over frames keeps
    what only some of them cost, which a low quantile of all times would hide.
    """
    return max(float(_settled(times).min(axis=0).mean()), CLOCK_TICK)


def usual(times: np.ndarray) -> float:
    """The same with all that the steps took longer than that but for the slowest: what comes and goes is seen too.

    Work that is done in every third call, say, hits another frame in each pass, and no frame in all of them.
    """
    settled = _settled(times)
    longer = np.sort(settled - settled.min(axis=0), axis=None)
    return shortest(times) + float(longer[: math.ceil((1.0 - SLOWEST) * longer.size)].mean())


def interval(base: Sequence[float], candidate: Sequence[float], error: float, seed: int) -> Interval:
    """The ratio of candidate to base from one time of each per round, paired; `error` is that of either end.

    The trimmed mean of the logarithms of ratios, plus and minus Student's t times its bootstrapped standard error, with
    n - 2g - 1 degrees of freedom where g of n rounds are trimmed at each end. The standard error is taken from the
    middle of the bootstrap distribution, since one round that went wrong, drawn often enough, fills its tails. Sources:
    J. W. Tukey, D. H. McLaughlin, "Less vulnerable confidence and significance procedures for location based on a
    single sample", Sankhya A 25 (1963); T. Hesterberg, "What teachers should know about the bootstrap", The American
    Statistician 69 (2015), for the factor that makes up for the narrowness of bootstrap distributions of few samples.

    Raises ValueError for fewer than four rounds.
    """
    logs = np.log(np.asarray(candidate, np.float64) / np.asarray(base, np.float64))
    count = len(logs)
    if count < 4:
        raise ValueError(f"expected at least four rounds, found {count}")
    resampled = logs[np.random.Generator(np.random.PCG64(seed)).integers(0, count, (RESAMPLES, count))]
    low, high = np.percentile(_trimmed_mean(resampled), ONE_DEVIATION)
    deviation = float(high - low) / 2.0 * math.sqrt(count / (count - 1))
    middle = float(_trimmed_mean(logs))
    reach = student_t(error, count - 2 * _trimmed(count) - 1) * deviation
    return Interval(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach))


def student_t(error: float, freedom: int) -> float:
    """What Student's t exceeds with probability `error`. Source: Abramowitz and Stegun, 26.7.5."""
    z = NormalDist().inv_cdf(1.0 - error)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))


def looks(most_rounds: int) -> tuple[int, ...]:
    """The numbers of rounds at which to look when there may be `most_rounds`, the last of them."""
    return (*(look for look in LOOKS if look < most_rounds), most_rounds)


def error_per_end(rows: int, looks: int) -> float:
    """What of ERROR falls to one end of an interval when so many rows are looked at so often (Bonferroni).

    Only lower ends accuse. The two ways of measuring count once: an end that is wrong by one of them accuses nobody
    unless the other leans to the same side, which it does half of the time.
    """
    return ERROR / (rows * looks)


def agreed(intervals: Sequence[Interval], floor: float) -> Finding:
    """What all ways of measuring prove together, of which there is at least one.

    One way decides when no other contradicts it: each of the others has to prove the same, or to lean to that side by
    its estimate. So the noise that hits one way alone can neither accuse a build nor keep a verdict from being reached.
    """
    for finding in (Finding.SLOWER, Finding.FASTER, Finding.NO_SLOWER):
        is_proven = any(each.proves(finding, floor) for each in intervals)
        if is_proven and all(each.leans_to(finding, floor) for each in intervals):
            return finding
    return Finding.OPEN


def judged(shortest: Sequence[Interval], usual: Sequence[Interval], floor: float) -> Finding:
    """What the shortest and the usual times prove together, by all ways of measuring.

    The usual times know the machine's noise. Where they prove B slower and the shortest don't, it is slower only if
    all ways prove it; by some of them, nothing is told, as for a build that is only at times as fast as the other.
    """
    found = agreed(shortest, floor)
    slower = [each.proves(Finding.SLOWER, floor) for each in usual]
    if found is Finding.SLOWER or all(slower):
        return Finding.SLOWER
    return Finding.OPEN if any(slower) else found


def overall(findings: Sequence[Finding]) -> Finding:
    """The verdict of a comparison from those of its rows: one that is slower decides, then one that is open."""
    for finding in (Finding.SLOWER, Finding.OPEN, Finding.FASTER):
        if finding in findings:
            return finding
    return Finding.NO_SLOWER


def _is_on_side(finding: Finding, lower: float, upper: float, floor: float) -> bool:
    return {
        Finding.SLOWER: lower > floor,
        Finding.FASTER: upper < 1.0 / floor,
        Finding.NO_SLOWER: upper < floor,
    }[finding]


def _settled(times: np.ndarray) -> np.ndarray:
    return times[:, min(SETTLE, times.shape[1] // 4) :]


def _trimmed(count: int) -> int:
    return int(TRIMMED * count)


def _trimmed_mean(values: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    count = values.shape[-1]
    cut = _trimmed(count)
    return np.sort(values, axis=-1)[..., cut : count - cut].mean(axis=-1)
