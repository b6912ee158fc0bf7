"""The bound on the rate of missed deadlines."""

import pytest

from rtconform.harness.measure import miss_rate
from rtconform.harness.verdicts import Verdict


@pytest.mark.parametrize(("misses", "steps"), [(0, 4603), (1, 6636), (2, 8403)])
def test_steps_needed_for_a_pass_are_the_least_that_prove_it(misses, steps):
    """One step less proves nothing."""
    assert miss_rate.steps_needed(misses) == steps
    assert miss_rate.verdict(misses, steps) is Verdict.PASS
    assert miss_rate.verdict(misses, steps - 1) is None


@pytest.mark.parametrize(("misses", "steps"), [(0, 10), (3, 50), (10, 5000), (50, 50)])
def test_bounds_are_where_the_binomial_tail_has_the_stated_size(misses, steps):
    """By the definition of Clopper and Pearson: the tails at the bounds have one percent."""
    lower, upper = miss_rate.bounds(misses, steps)
    assert lower <= misses / steps <= upper
    if upper < 1.0:
        assert miss_rate.at_most(misses, steps, upper) == pytest.approx(0.01, rel=1e-6)
    if lower > 0.0:
        assert 1.0 - miss_rate.at_most(misses - 1, steps, lower) == pytest.approx(0.01, rel=1e-6)


def test_many_misses_fail_early():
    """A loader that sleeps in every step needs no 4,603 of them."""
    assert miss_rate.verdict(331, 331) is Verdict.FAIL


def test_excused_steps_never_fail_a_loader_and_never_pass_it():
    """The machine's own doing leads to INCONCLUSIVE, after as many steps as are allowed."""
    assert miss_rate.verdict(50, 10_000, excused=50) is None
    assert miss_rate.verdict(50, miss_rate.MOST_STEPS, excused=50) is Verdict.INCONCLUSIVE


def test_misses_that_hit_steps_of_nothing_as_often_fail_nobody():
    """Nor those that may be chance; more than that are the loader's."""
    assert miss_rate.verdict(50, 10_000, control=50) is None
    assert miss_rate.verdict(50, 10_000, control=35) is None
    assert miss_rate.verdict(50, 10_000, control=20) is Verdict.FAIL


@pytest.mark.parametrize(("events", "control", "more"), [(6, 0, False), (7, 0, True), (0, 0, False), (20, 10, False)])
def test_how_many_events_are_more_than_those_of_the_control(events, control, more):
    """Seven against none: each would be the control's with probability 1/2, and 2^-7 is less than a hundredth."""
    assert miss_rate.happens_more_often(events, control) is more


@pytest.mark.parametrize(("misses", "steps"), [(-1, 10), (11, 10), (0, 0)])
def test_impossible_counts_are_refused(misses, steps):
    """With both numbers in the message."""
    with pytest.raises(ValueError, match=f"{misses} misses in {steps} steps"):
        miss_rate.bounds(misses, steps)
