"""Drawn requirements: the simplest failure is told, one seed fixes what is drawn, and machines share the examples."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import assume, strategies as st

from rtconform.harness import drawn
from rtconform.harness.config import Config, InvalidConfig
from rtconform.harness.implementations.errors import Crashed
from rtconform.harness.judging import Inconclusive, RequirementFailed

CI = Config(profile="ci")


def numbers_drawn(config: Config) -> list[int]:
    """All that is drawn when nothing fails."""
    seen: list[int] = []
    drawn.check(config, lambda data: seen.append(data.draw(st.integers(0, 10**9))))
    return seen


def fail_from(bound: int):
    """A judge that refuses numbers from a bound on."""

    def judge(data: st.DataObject) -> None:
        number = data.draw(st.integers(0, 10**6))
        if number >= bound:
            raise RequirementFailed("too large", number=number)

    return judge


def test_the_simplest_failure_is_raised():
    """Not the first that was found."""
    with pytest.raises(RequirementFailed) as failure:
        drawn.check(CI, fail_from(1234))
    assert failure.value.evidence == {"number": 1234}


def test_smoke_tells_the_first_failure():
    """Looking for a simpler one takes longer than that profile has."""
    with pytest.raises(RequirementFailed) as failure:
        drawn.check(Config(profile="smoke"), fail_from(1234))
    assert failure.value.evidence["number"] > 1234


def test_an_implementation_that_is_gone_is_not_tried_again():
    """The crash is told as it came, and nothing is drawn after it."""
    calls: list[int] = []

    def judge(data: st.DataObject) -> None:
        calls.append(data.draw(st.integers(0, 10**6)))
        if len(calls) == 7:
            raise Crashed(who="it", op="load", signal="SIGSEGV", returncode=-11)

    with pytest.raises(Crashed):
        drawn.check(CI, judge)
    assert len(calls) == 7


def test_a_failure_that_comes_and_goes_is_told():
    """Hypothesis alone would call it flaky."""
    calls: list[int] = []

    def judge(data: st.DataObject) -> None:
        calls.append(data.draw(st.integers(0, 10**6)))
        if len(calls) == 7:
            raise RequirementFailed("once")

    with pytest.raises(RequirementFailed, match="once"):
        drawn.check(CI, judge)


def test_one_seed_draws_the_same_and_another_something_else():
    """And each profile has its number of examples."""
    first = numbers_drawn(CI)
    assert len(first) == drawn.EXAMPLES["ci"]
    assert numbers_drawn(CI) == first != numbers_drawn(dataclasses.replace(CI, seed=CI.seed + 10))


def test_shards_draw_examples_of_their_own():
    """A quarter of them each."""
    parts = [numbers_drawn(dataclasses.replace(CI, shard=f"{i}/4")) for i in range(1, 5)]
    assert [len(part) for part in parts] == [25, 25, 25, 25]
    # Every run begins with the simplest, 0.
    assert len({number for part in parts for number in part[1:]}) > 90


def test_nothing_to_judge_is_inconclusive():
    """A pass would say that something held."""
    with pytest.raises(Inconclusive, match="nothing was drawn"):
        drawn.check(CI, lambda data: assume(data.draw(st.just(False))))


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "1/0", "a/b", "1/2/3"])
def test_senseless_shards_are_refused(shard):
    """With what was expected."""
    with pytest.raises(InvalidConfig, match=f"shard: expected .*{shard!r}"):
        Config().overridden(shard=shard)


def test_shards_have_every_item_once_and_the_drawn_ones_all():
    """What three machines select of the numerics class, against what one does."""

    def items(*options: str) -> list[str]:
        command = [sys.executable, "-m", "rtconform", "run", "--loader", "numpy-runtime", "--class", "numerics"]
        collected = subprocess.run(
            [*command, *options, "--", "--collect-only"], capture_output=True, text=True, check=False
        )
        return [line.rpartition("::")[2] for line in collected.stdout.splitlines() if "::" in line]

    whole = items()
    parts = [items("--shard", f"{i}/3") for i in (1, 2, 3)]
    everywhere = {name for name in whole if "DRAWN" in name or "EVERY-NUMBER" in name}
    assert len(whole) > 100 and len(everywhere) == 6
    assert all(everywhere < set(part) for part in parts)
    shared = sorted(name for part in parts for name in part if name not in everywhere)
    assert shared == sorted(set(whole) - everywhere)
