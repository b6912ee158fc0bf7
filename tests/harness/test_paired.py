"""The statistics of a comparison, on data whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from rtconform.harness.measure import paired
from rtconform.harness.measure.paired import Finding, Interval

FLOOR = 1.03
TRIES = 400
ROWS = 6


def quiet(random: np.random.Generator, rounds: int) -> np.ndarray:
    """Errors of the logarithm of a ratio, over rounds, as on an idle machine."""
    return random.normal(0.0, 0.007, rounds)


def disturbed(random: np.random.Generator, rounds: int) -> np.ndarray:
    """The same, with every sixth round hit on one side."""
    return quiet(random, rounds) + (random.random(rounds) < 1 / 6) * random.normal(0.0, 0.1, rounds)


def overloaded(random: np.random.Generator, rounds: int) -> np.ndarray:
    """So much noise that nothing can be proven."""
    return random.normal(0.0, 0.12, rounds)


def interval_of(logs: np.ndarray, error: float) -> Interval:
    return paired.interval(np.ones(len(logs)), np.exp(logs), error, seed=0)


def comparisons(ratios: tuple[float, ...], errors, tries: int = TRIES // 10) -> Iterator[Finding]:
    """Verdicts of whole comparisons, two ways and a row per true ratio, that look as often as they may.

    The usual times have errors of their own, half as large again as those of the shortest.
    """
    random = np.random.default_rng(2)
    looks = paired.looks(paired.LOOKS[-1])
    share = paired.error_per_end(len(ratios), len(looks))
    for _ in range(tries):
        logs = [[np.log(ratio) + size * errors(random, looks[-1]) for size in (1.0, 1.0, 1.5, 1.5)] for ratio in ratios]
        for look in looks:
            rows = [[interval_of(way[:look], share) for way in row] for row in logs]
            verdict = paired.overall([paired.judged(row[:2], row[2:], FLOOR) for row in rows])
            if verdict is not Finding.OPEN:
                break
        yield verdict


class TestShortest:
    def test_whatever_the_machine_adds_is_left_out(self) -> None:
        """Most steps are hit, none in all passes; passes begin with cold caches."""
        random = np.random.default_rng(0)
        times = np.full((16, 64), 1000.0) + (random.random((16, 64)) < 0.6) * random.exponential(5000.0, (16, 64))
        times[:, : paired.SETTLE] += 3000.0
        assert paired.shortest(times) == 1000.0

    def test_what_only_some_frames_cost_counts(self) -> None:
        """A layer with a stride works in every fourth frame only: that is part of the step."""
        times = np.full((4, 40), 100.0)
        times[:, ::4] = 500.0
        assert paired.shortest(times) == 200.0

    def test_of_a_short_pass_less_is_left_out(self) -> None:
        """A quarter: something has to be left."""
        assert paired.shortest(np.array([[9.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]])) == 1.0


class TestUsual:
    def test_what_comes_and_goes_counts(self) -> None:
        """100 more in every third call: the shortest times don't have it, the usual ones nearly all of it."""
        times = np.full((16, 64), 50.0)
        times.ravel()[::3] += 100.0
        assert paired.shortest(times) == 50.0
        assert 75.0 < paired.usual(times) < 50.0 + 100.0 / 3

    def test_what_hits_fewer_than_one_step_in_twenty_does_not(self) -> None:
        """That is mostly the machine, in passes that begin with cold caches."""
        random = np.random.default_rng(0)
        times = 1000.0 + (random.random((16, 64)) < 0.04) * random.exponential(5000.0, (16, 64))
        times[:, : paired.SETTLE] += 3000.0
        assert paired.usual(times) == 1000.0

    def test_frames_that_cost_more_are_none_of_the_slowest(self) -> None:
        """They do in each pass."""
        times = np.full((4, 40), 100.0)
        times[:, ::4] = 500.0
        assert paired.usual(times) == 200.0


class TestInterval:
    @pytest.mark.parametrize(
        ("error", "freedom", "value"), [(0.01, 5, 3.365), (0.0005, 7, 5.408), (0.0005, 15, 4.073), (0.025, 1000, 1.962)]
    )
    def test_student_t_is_as_tabulated(self, error: float, freedom: int, value: float) -> None:
        assert paired.student_t(error, freedom) == pytest.approx(value, rel=2e-3)

    @pytest.mark.parametrize("errors", [quiet, disturbed])
    @pytest.mark.parametrize("rounds", [8, 24])
    def test_an_end_is_wrong_as_rarely_as_it_says(self, errors, rounds: int) -> None:
        """At an error of 5 %, of both ends of many intervals; more would be seen with a probability of 99.9 %."""
        random = np.random.default_rng(1)
        ends = [interval_of(errors(random, rounds), 0.05) for _ in range(TRIES)]
        wrong = sum((each.lower > 1.0) + (each.upper < 1.0) for each in ends)
        assert 1 <= wrong <= 2 * TRIES * 0.05 + 3.1 * np.sqrt(2 * TRIES * 0.05 * 0.95)

    def test_one_round_out_of_many_moves_little(self) -> None:
        """A round in which the machine hit one side for all of its time."""
        logs = quiet(np.random.default_rng(3), 12)
        hit = logs.copy()
        hit[4] = 1.0
        before, after = interval_of(logs, 0.01), interval_of(hit, 0.01)
        assert abs(after.ratio - before.ratio) < 0.005
        assert after.upper < 1.03

    def test_one_seed_gives_one_interval(self) -> None:
        """And swapped builds the reciprocal."""
        a, b = np.exp(quiet(np.random.default_rng(4), 8)), np.full(8, 1.1)
        there, again, back = (paired.interval(*pair, 0.01, 7) for pair in ((a, b), (a, b), (b, a)))
        assert there == again
        assert there.lower == pytest.approx(1.0 / back.upper)

    def test_too_few_rounds_are_refused(self) -> None:
        with pytest.raises(ValueError, match="at least four rounds, found 3"):
            interval_of(np.zeros(3), 0.01)


class TestAgreement:
    SLOWER, FASTER = Interval(1.08, 1.05, 1.11), Interval(0.9, 0.88, 0.92)
    SAME, LEANS_UP, LEANS_DOWN = Interval(1.0, 0.99, 1.01), Interval(1.05, 0.9, 1.2), Interval(1.0, 0.9, 1.1)

    @pytest.mark.parametrize(
        ("ways", "finding"),
        [
            ((SLOWER,), Finding.SLOWER),
            ((SLOWER, SLOWER), Finding.SLOWER),
            ((SLOWER, LEANS_UP), Finding.SLOWER),
            ((SLOWER, LEANS_DOWN), Finding.OPEN),
            ((SLOWER, SAME), Finding.OPEN),
            ((SAME, SAME), Finding.NO_SLOWER),
            ((SAME, LEANS_DOWN), Finding.NO_SLOWER),
            ((LEANS_UP, SAME), Finding.OPEN),
            ((LEANS_UP, LEANS_UP), Finding.OPEN),
            ((FASTER, FASTER), Finding.FASTER),
            ((FASTER, SAME), Finding.NO_SLOWER),
            ((FASTER, LEANS_DOWN), Finding.NO_SLOWER),
        ],
    )
    def test_one_way_decides_when_the_other_does_not_contradict(self, ways, finding: Finding) -> None:
        assert paired.agreed(ways, FLOOR) is finding
        assert paired.agreed(ways[::-1], FLOOR) is finding

    @pytest.mark.parametrize(
        ("shortest", "usual", "finding"),
        [
            ((SAME, SAME), (SAME, LEANS_UP), Finding.NO_SLOWER),
            ((SAME, SAME), (SLOWER, LEANS_UP), Finding.OPEN),
            ((FASTER, FASTER), (LEANS_UP, SLOWER), Finding.OPEN),
            ((SAME, SAME), (SLOWER, SLOWER), Finding.SLOWER),
            ((SLOWER, SLOWER), (SAME, SAME), Finding.SLOWER),
            ((LEANS_UP, LEANS_UP), (SAME, SAME), Finding.OPEN),
        ],
    )
    def test_what_the_shortest_times_hide_acquits_nobody(self, shortest, usual, finding: Finding) -> None:
        """Where all ways prove it of the usual times, it accuses."""
        assert paired.judged(shortest, usual, FLOOR) is finding

    @pytest.mark.parametrize(
        ("rows", "finding"),
        [
            ((Finding.OPEN, Finding.SLOWER, Finding.FASTER), Finding.SLOWER),
            ((Finding.OPEN, Finding.NO_SLOWER, Finding.FASTER), Finding.OPEN),
            ((Finding.NO_SLOWER, Finding.FASTER), Finding.FASTER),
            ((Finding.NO_SLOWER,), Finding.NO_SLOWER),
        ],
    )
    def test_the_worst_row_decides(self, rows, finding: Finding) -> None:
        assert paired.overall(rows) is finding


class TestWholeComparisons:
    @pytest.mark.parametrize("errors", [quiet, disturbed])
    def test_equal_builds_are_found_equal(self, errors) -> None:
        """Never accused, and nearly always acquitted."""
        verdicts = list(comparisons((1.0,) * ROWS, errors))
        assert Finding.SLOWER not in verdicts
        assert verdicts.count(Finding.NO_SLOWER) >= 0.95 * len(verdicts)

    @pytest.mark.parametrize("errors", [quiet, disturbed])
    def test_a_tenth_of_the_largest_layer_is_found(self, errors) -> None:
        """It is 7 % of its model and 4.5 % of the step, and nothing of the other models."""
        verdicts = list(comparisons((1.045, 1.0, 1.07, 1.0, 1.0, 1.0), errors))
        assert verdicts.count(Finding.SLOWER) >= 0.95 * len(verdicts)

    def test_at_the_floor_itself_nobody_is_accused(self) -> None:
        """The worst case for false alarms, which may come in one comparison of a hundred."""
        assert list(comparisons((FLOOR,) * ROWS, quiet)).count(Finding.SLOWER) <= 3

    def test_noise_leads_to_no_verdict(self) -> None:
        """Neither way, whatever is true."""
        for ratio in (1.0, 1.07):
            verdicts = list(comparisons((ratio,) * ROWS, overloaded, tries=10))
            assert verdicts.count(Finding.OPEN) >= 9
