"""Percentiles are values that were measured, at the rank that the definition says."""

import pytest
from hypothesis import given, strategies as st

from rtconform.harness.measure.statistics import Percentiles, percentile


@pytest.mark.parametrize(
    ("count", "p", "rank"),
    [
        (1000, 99.9, 999),
        (1000, 99, 990),
        (999, 99.9, 999),
        (10_000, 99.9, 9990),
        (2, 50, 1),
        (3, 50, 2),
        (5, 0, 1),
        (5, 100, 5),
    ],
)
def test_the_rank_is_the_nearest_that_covers_p_percent(count, p, rank):
    """99.9 of 1000 is the 999th sample, although 0.999 × 1000 is more than 999 in binary floating point."""
    assert percentile(range(1, count + 1), p) == rank


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.sampled_from([0, 1, 50, 99, 99.9, 100]))
def test_a_percentile_is_a_sample_that_p_percent_do_not_exceed(samples, p):
    """The definition, on any samples in any order."""
    found = percentile(samples, p)
    assert found in samples
    assert sum(sample <= found for sample in samples) * 100 >= p * len(samples)
    assert sum(sample < found for sample in samples) * 100 < p * len(samples) or found == min(samples)


def test_percentiles_of_one_late_step_among_a_thousand():
    """The late step shows in the largest value, and not yet at p99.9."""
    assert Percentiles.of([*[2.0] * 999, 12.0]) == Percentiles(1000, 2.0, 2.0, 2.0, 12.0)
    assert Percentiles.of([2.0, 4.0]).scaled(0.5) == Percentiles(2, 1.0, 2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("samples", "p", "words"), [([], 50, "at least one sample"), ([1], 101, "found 101"), ([1], -1, "found -1")]
)
def test_what_has_no_percentile_is_refused(samples, p, words):
    """No samples, or no such percentile."""
    with pytest.raises(ValueError, match=words):
        percentile(samples, p)
