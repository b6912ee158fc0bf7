"""From samples of timed steps to a verdict on the deadline."""

import math

import numpy as np
import pytest

from rtconform.harness.measure import deadline
from rtconform.harness.measure.deadline import Judgement
from rtconform.harness.verdicts import Verdict

STEPS = 4608
MS = 1_000_000


def samples(**late):
    """Steps of 0.2 ms, as many as make a PASS; each keyword changes the last twenty entries of one array."""
    arrays = {name: np.full(STEPS, MS // 5) for name in ("wall_ns", "cpu_ns", "control_ns")}
    arrays |= {"waits": np.zeros(STEPS, int)}
    for name, value in late.items():
        arrays[name][-20:] = value
    return arrays


def judged(**late):
    return Judgement.of(samples(**late), 10.0)


def test_steps_within_the_deadline_pass():
    """At the deadline is not late."""
    assert judged().verdict is Verdict.PASS
    assert judged(wall_ns=10 * MS, cpu_ns=10 * MS).verdict is Verdict.PASS


def test_steps_that_run_for_too_long_fail():
    """Twenty of 4608 are more than one in a thousand, surely."""
    assert judged(wall_ns=12 * MS, cpu_ns=12 * MS).verdict is Verdict.FAIL


def test_steps_that_wait_by_themselves_fail():
    """Little processor time is no excuse for a step that gave the processor up."""
    late = judged(wall_ns=12 * MS, waits=1)
    assert (late.misses, late.excused, late.verdict) == (20, 0, Verdict.FAIL)


def test_steps_that_the_processor_was_taken_from_are_excused():
    """They speak against a PASS all the same."""
    late = judged(wall_ns=12 * MS)
    assert (late.misses, late.excused, late.verdict) == (20, 20, None)


def test_steps_of_nothing_that_are_late_as_often_excuse_the_loader():
    """Whatever it is that hits both."""
    late = judged(wall_ns=12 * MS, cpu_ns=12 * MS, control_ns=12 * MS)
    assert (late.control, late.verdict) == (20, None)


def test_a_control_that_is_shorter_than_a_step_is_judged_by_its_delay():
    """Steps of 9.6 ms have room for 0.4 ms, and steps that are late without one have none."""
    delayed = {"wall_ns": np.full(STEPS, 9_600_000), "control_ns": np.full(STEPS, 5 * MS)}
    delayed["control_ns"][:30] += MS // 2
    near = Judgement.of(samples() | delayed, 10.0)
    assert (near.misses, near.control, near.verdict) == (0, 30, Verdict.PASS)
    far = Judgement.of(samples() | delayed | {name: np.full(STEPS, 12 * MS) for name in ("wall_ns", "cpu_ns")}, 10.0)
    assert (far.control, far.verdict) == (0, Verdict.FAIL)


def test_the_sentence_has_all_counts():
    """Those of the machine only where there are any."""
    assert str(judged(wall_ns=12 * MS)).startswith("20 of 4608 steps missed 10 ms, 20 of them because the processor")
    assert "so were 20 steps that do nothing" in str(judged(wall_ns=12 * MS, control_ns=12 * MS))
    assert "nothing" not in str(judged())


def test_the_bound_on_a_percentile_holds_as_often_as_it_says():
    """The true p90 of even noise is 0.9; of 2000 bounds at 99 % confidence, some 20 may lie below it."""
    draws = np.random.default_rng(5).random((2000, 300))
    bounds = np.array([deadline.upper_bound_of_percentile(draw, 90) for draw in draws])
    below = int((bounds < 0.9).sum())
    assert 5 <= below <= 35
    assert np.median(bounds) < 0.96, "and it is no wider than it has to be"


@pytest.mark.parametrize(("count", "expected"), [(4602, math.inf), (4603, 4602), (6636, 6634)])
def test_the_bound_needs_as_many_samples_as_a_pass(count, expected):
    """With 4603 it is the largest, with 6636 the second largest."""
    assert deadline.upper_bound_of_percentile(range(count), 99.9) == expected


@pytest.mark.parametrize(
    ("ms", "buffer"), [(0.1, 16), (1 / 3, 16), (0.34, 32), (10.0, 512), (170.0, 8192), (171.0, None)]
)
def test_the_smallest_buffer_lasts_for_longer_than_the_step(ms, buffer):
    """At 48 kHz: 16 samples are a third of a millisecond."""
    assert deadline.smallest_buffer(ms) == buffer


class Script:
    """A timed run whose steps are known beforehand: every `period`-th is late."""

    deadline_ms = 10.0

    def __init__(self, period):
        self.period, self.taken = period, 0

    def __len__(self):
        return self.taken

    def take(self, steps):
        self.taken += -(-max(steps, 0) // 128) * 128

    def samples(self):
        wall = np.full(self.taken, MS)
        wall[self.period - 1 :: self.period] = 12 * MS
        zeros = np.zeros(self.taken, int)
        return {"wall_ns": wall, "cpu_ns": wall, "control_ns": zeros, "waits": zeros}


@pytest.mark.parametrize(
    ("period", "verdict", "most"),
    [
        (10**6, Verdict.PASS, 4736),
        (4000, Verdict.PASS, 20_000),
        (1, Verdict.FAIL, 128),
        (200, Verdict.FAIL, 2048),
        (1000, Verdict.INCONCLUSIVE, 20_224),
    ],
)
def test_steps_are_taken_until_they_decide(period, verdict, most):
    """No more than that takes; a rate at the limit itself can't be decided."""
    run = Script(period)
    assert deadline.judge(run).verdict is verdict
    assert len(run) <= most
