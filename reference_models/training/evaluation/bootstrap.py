"""Intervals by the bootstrap: recordings are drawn again and again, with replacement, whole.

Frames of one recording are alike, so a bootstrap over frames would show far narrower intervals than there are (Efron
and Tibshirani, An Introduction to the Bootstrap, chapters 8 and 13: percentile intervals).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

CONFIDENCE = 0.95


def compare(
    sums: Mapping[str, np.ndarray],
    value: Callable[[np.ndarray], np.ndarray],
    *,
    higher_is_better: bool,
    resamples: int,
    seed: int,
) -> dict[str, dict[str, float]]:
    """{who: {value, low, high}} of statistics per recording `[recordings, k]`, and the gains of "model" over others.

    Every resample draws the same recordings for all, so that gains are paired: the difference on the same music.
    """
    recordings = len(sums["model"])
    drawn = np.random.default_rng(seed).multinomial(recordings, np.full(recordings, 1 / recordings), size=resamples)
    points = {who: float(value(each.sum(axis=0))) for who, each in sums.items()}
    resampled = {who: value(drawn @ each) for who, each in sums.items()}
    found = {who: _interval(points[who], resampled[who]) for who in sums}
    sign = 1.0 if higher_is_better else -1.0
    for other in sums:
        if other != "model":
            with np.errstate(invalid="ignore"):  # infinity from infinity, in resamples that mean nothing
                gains = sign * (resampled["model"] - resampled[other])
            found[f"gain_over_{other}"] = _interval(sign * (points["model"] - points[other]), gains)
    return found


def _interval(point: float, resampled: np.ndarray) -> dict[str, float]:
    """Percentiles over the resamples in which the measure means something: R² means nothing of equal labels."""
    tail = 50.0 * (1.0 - CONFIDENCE)
    finite = resampled[np.isfinite(resampled)]
    low, high = np.percentile(finite, [tail, 100.0 - tail]) if len(finite) else (point, point)
    return {"value": point, "low": float(low), "high": float(high)}
