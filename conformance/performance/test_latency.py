"""Time per step, in runs whose outputs are checked."""

import pytest

from rtconform.harness.judging import Inconclusive, check
from rtconform.harness.measure import block_costs, deadline
from rtconform.harness.measure.first_steps import EVENTS, first_steps
from rtconform.harness.measure.step import step_of
from rtconform.harness.measure.timed_run import CHUNK, WARM, cold, timed_run
from rtconform.harness.verdicts import Verdict

WHAT_NEXT = "run it when the machine is idle"
RAISE_PRIORITY = ", or allow it real-time priority (docs/PERFORMANCE.md)"
TOO_BUSY = "The machine is too busy for a verdict at 99 % confidence; "
TOO_NEAR = (
    "No late step was the machine's doing; the rate is too near to one in a thousand for a verdict at 99 % confidence. "
    "Find what makes steps late, or run it again"
)


@pytest.fixture
def judge_steps(loader, model_set, rtc_config, measure):
    """`judge_steps(conditions)`: raises unless steps end within the deadline, with the right outputs."""

    def run(conditions):
        __tracebackhide__ = True
        with timed_run(loader, step_of(model_set), conditions, rtc_config.deadline_ms, rtc_config.seed) as timed:
            judgement = deadline.judge(timed)
            how = {"conditions": conditions.name, "priority": timed.priority, "chunk": CHUNK}
            measure("latency", **how, deadline_ms=timed.deadline_ms, **timed.samples())
            check(judgement.verdict is not Verdict.FAIL, str(judgement), conditions=conditions.name)
            timed.check_outputs()
            if conditions is WARM:  # in a row there is nothing between the steps
                in_a_row = deadline.Judgement.of(timed.in_a_row(), timed.deadline_ms)
                check(in_a_row.verdict is not Verdict.FAIL, f"without a pause, {in_a_row}", conditions=conditions.name)
        if judgement.verdict is Verdict.INCONCLUSIVE:
            is_busy = judgement.excused or judgement.control
            next_time = WHAT_NEXT + (RAISE_PRIORITY if timed.priority == "ordinary" else "")
            raise Inconclusive(f"{judgement}. {TOO_BUSY + next_time if is_busy else TOO_NEAR}")

    return run


@pytest.mark.requirement("LAT-STEP")
@pytest.mark.models("five")
def test_steps_end_within_the_deadline(judge_steps):
    """A few steps, which a slow loader has failed by, then more until the bound on the miss rate decides."""
    judge_steps(WARM)


@pytest.mark.requirement("LAT-COLD")
@pytest.mark.models("five")
def test_steps_end_within_the_deadline_when_others_run_in_between(judge_steps):
    """As in a host: other models, and other memory in the caches."""
    judge_steps(cold())


@pytest.mark.requirement("LAT-FIRST")
@pytest.mark.models("five")
def test_the_first_step_ends_within_the_deadline(loader, model_set, rtc_config, measure):
    """After load, reset, pauses and another load, each in two of three fresh processes."""
    deadline_ms = rtc_config.deadline_ms
    taken = first_steps(loader, step_of(model_set), rtc_config.seed)
    times = {f"{event}_ns": samples["wall_ns"].tolist() for event, samples in taken.items()}
    measure("first_step", deadline_ms=deadline_ms, **times)
    for event, samples in taken.items():
        judged = deadline.Judgement.of(samples, deadline_ms)
        what = f"{EVENTS[event]} missed {deadline_ms:g} ms in {judged.misses} of {judged.steps} processes"
        check(judged.misses - judged.excused < 2, what, **times)
        if judged.misses > 1:
            raise Inconclusive(f"{what}, {judged.excused} times because the processor was taken away; {WHAT_NEXT}")


@pytest.mark.requirement("LAT-BLOCKS")
@pytest.mark.models("five")
def test_a_frame_in_a_block_costs_no_more_than_a_frame_alone(loader, model_set, rtc_config, measure):
    """Processor time, so that it is the loader's alone, and time that is waited, over blocks of 1 to 4096 frames."""
    dear = []
    with loader.open() as session:
        for case in model_set:
            with session.load(case.path) as model:
                costs = block_costs.block_costs(session, model, rtc_config.seed)
            measure("blocks", model=case.name, costs=costs)
            dear += [(case.name, cost) for cost in costs if cost.ratio > block_costs.DEAREST]
    what = "; ".join(f"{name}: {cost.ratio:.1f} times as much in blocks of {cost.block}" for name, cost in dear)
    check(not dear, f"a frame costs more in a block than by itself: {what}")
