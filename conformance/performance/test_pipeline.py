"""How soon results come, and what a pipeline holds in memory."""

from contextlib import ExitStack

import numpy as np
import pytest

from rtconform.harness import expected
from rtconform.harness.judging import Inconclusive, check
from rtconform.harness.measure import deadline, pipeline as driving
from rtconform.harness.measure.result_times import ResultTimes
from rtconform.harness.verdicts import Verdict

ROWS = 64
WHAT_NEXT = "The machine is too busy for a verdict at 99 % confidence; run it when the machine is idle"
LEAK_TOLERANCE_BYTES = 64
LEFT_TOLERANCE = 1
"""File descriptors or threads after all cycles: one that is opened late and kept is no leak."""

CYCLES = {"smoke": 6, "ci": 20, "nightly": 50}

_counted = {}


@pytest.mark.requirement("PIP-LATENCY")
def test_results_come_within_the_deadline(pipeline, tmp_path, rtc_config, measure):
    """From submit to the poll that has it, one frame at a time; the judge's own pipeline takes turns with it."""
    folder = driving.model_folder(tmp_path)
    with ExitStack() as stack:
        timed = ResultTimes(stack, pipeline, folder, expected.recording()[:ROWS], rtc_config.deadline_ms)
        judgement = deadline.judge(timed)
        samples = timed.samples()
    times = {"result_ns": samples["wall_ns"], "control_ns": samples["control_ns"]}
    measure("result_latency", deadline_ms=rtc_config.deadline_ms, priority=timed.priority, **times)
    found = (
        f"{judgement.misses} of {judgement.steps} results took longer than {judgement.deadline_ms:g} ms; "
        f"of as many of the judge's own pipeline, in turns with them, {judgement.control}"
    )
    check(judgement.verdict is not Verdict.FAIL, found)
    if judgement.verdict is Verdict.INCONCLUSIVE:
        raise Inconclusive(f"{found}. {WHAT_NEXT}")


@pytest.fixture
def memory(pipeline, tmp_path, rtc_config, measure):
    """The host's count of a pipeline at work, over reloads and over closing and opening; one serves all."""
    if pipeline.connection not in _counted:
        folder = driving.model_folder(tmp_path)
        frames = expected.recording()[:ROWS]
        _counted[pipeline.connection] = pipeline.measure_memory(folder, frames, CYCLES[rtc_config.profile])
    return _counted[pipeline.connection]


@pytest.mark.requirement("PIP-MEMORY")
def test_live_memory_stays_within_the_limit(memory, rtc_config, measure):
    """Allocations, mappings and writable static data with all models loaded; the peak of a reload is reported."""
    limit = rtc_config.memory_limit_bytes
    measure("pipeline_memory", limit_bytes=limit, **vars(memory))
    check(memory.live_bytes <= limit, f"{memory.live_bytes:,} bytes are live, {limit:,} are allowed", **vars(memory))


@pytest.mark.requirement("PIP-MEMORY-GROWTH")
@pytest.mark.parametrize("what", ["reload", "close"])
def test_memory_does_not_grow(memory, what):
    """The slope over reloads of all models, and over pipelines opened and closed. The counting is exact."""
    held = memory.after_reload_bytes if what == "reload" else memory.after_close_bytes
    slope = float(np.polyfit(np.arange(len(held)), held, 1)[0])
    check(slope <= LEAK_TOLERANCE_BYTES, f"each {what} leaves {slope:,.0f} bytes behind", held=held)


@pytest.mark.requirement("PIP-MEMORY-HANDLES")
@pytest.mark.parametrize("what", ["reload", "close"])
@pytest.mark.parametrize("handles", ["descriptors", "threads"])
def test_nothing_is_opened_for_good(memory, what, handles, rtc_config):
    """Of what is opened at the first reload or close and kept, there is no more after the last one."""
    left, cycles = vars(memory)[f"{what}_{handles}_left"], CYCLES[rtc_config.profile]
    check(left <= LEFT_TOLERANCE, f"{cycles} times {what} leave {left} {handles} behind")
