"""The verdict on a deadline: a bound on the rate of missed steps, not a percentile of the samples seen."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..verdicts import Verdict

CONFIDENCE = 0.99
ALLOWED_MISS_RATE = 0.001
MOST_STEPS = 20_000


def bounds(misses: int, steps: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """(lower, upper) one-sided Clopper-Pearson bounds of a rate, each at the given confidence.

    Source: C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934). Raises ValueError unless 0 <= misses <= steps and steps > 0.
    """
    if not 0 <= misses <= steps or steps == 0:
        raise ValueError(f"expected 0 <= misses <= steps and steps > 0, found {misses} misses in {steps} steps")
    alpha = 1.0 - confidence
    upper = 1.0 if misses == steps else _solve(lambda p: at_most(misses, steps, p) - alpha)
    lower = 0.0 if misses == 0 else _solve(lambda p: alpha - (1.0 - at_most(misses - 1, steps, p)))
    return lower, upper


def verdict(misses: int, steps: int, excused: int = 0, control: int = 0) -> Verdict | None:
    """PASS, FAIL or INCONCLUSIVE; None while more steps can still decide.

    A miss that the machine is to blame for (`excused` of the misses) speaks against a PASS, and not for a FAIL. Nor is
    there a FAIL as long as the misses can be told from chance that hits steps which do nothing, but as long, just as
    often: `control` is how many of those were late, one of them for each step.
    """
    blamed = misses - excused
    if bounds(misses, steps)[1] <= ALLOWED_MISS_RATE:
        return Verdict.PASS
    if bounds(blamed, steps)[0] > ALLOWED_MISS_RATE and happens_more_often(blamed, control):
        return Verdict.FAIL
    return None if steps < MOST_STEPS else Verdict.INCONCLUSIVE


def happens_more_often(events: int, control: int, confidence: float = CONFIDENCE) -> bool:
    """Whether events are more frequent than those of a control that was watched for just as long.

    The conditional test of two Poisson rates: were they equal, each event would be the control's with probability
    1/2 (J. Przyborowski, H. Wilenski, "Homogeneity of results in testing samples from Poisson series", Biometrika 31,
    1940).
    """
    return at_most(control, events + control, 0.5) <= 1.0 - confidence


def steps_needed(misses: int) -> int:
    """The steps that make a PASS if there are no more misses, MOST_STEPS at most."""
    low, high = max(misses, 1), MOST_STEPS
    while low < high:
        middle = (low + high) // 2
        if bounds(misses, middle)[1] <= ALLOWED_MISS_RATE:
            high = middle
        else:
            low = middle + 1
    return low


def at_most(successes: int, trials: int, rate: float) -> float:
    """The probability of at most so many successes in a binomial experiment."""
    if rate <= 0.0:
        return 1.0
    if rate >= 1.0:
        return 1.0 if successes >= trials else 0.0
    log_terms = (
        math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        + k * math.log(rate) + (trials - k) * math.log1p(-rate)
        for k in range(successes + 1)
    )  # fmt: skip
    return math.fsum(math.exp(term) for term in log_terms)


def _solve(falling: Callable[[float], float]) -> float:
    """The root in (0, 1) of a function that falls from above zero to below it."""
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (middle, high) if falling(middle) > 0.0 else (low, middle)
    return (low + high) / 2.0
