"""Time per step, in a run whose outputs are checked."""

import numpy as np
import pytest

from rtconform.harness import signals
from rtconform.harness.judging import Inconclusive, check, check_same_bits
from rtconform.harness.measure import miss_rate
from rtconform.harness.measure.step import step_of
from rtconform.harness.verdicts import Verdict

AUDIO_FRAMES = 331
WARM_UP = 50


@pytest.mark.requirement("LAT-STEP")
@pytest.mark.models("five")
def test_steps_end_within_the_deadline(loader, model_set, rtc_config, measure):
    """A few steps, which a slow loader has failed by, then more until the bound on the miss rate decides."""
    step = step_of(model_set)
    audio = signals.noise(AUDIO_FRAMES, step.width, seed=rtc_config.seed)
    deadline_ns = rtc_config.deadline_ms * 1e6
    wall, cpu, null = [], [], []
    misses = preempted = 0
    with loader.open() as session:
        models = {name: session.load(case.path, max_frames=1) for name, case in step.models.items()}
        process = {name: lambda frames, model=model: model.process(frames, block=1) for name, model in models.items()}
        expected = step.run(process, audio)
        decided = None
        while decided is None:
            steps = max(miss_rate.steps_needed(misses) - len(wall), AUDIO_FRAMES) if wall else AUDIO_FRAMES
            timed = session.measure_latency(models, step.flow, audio, steps, WARM_UP)
            check(timed.mismatches == 0, f"{timed.mismatches} timed steps gave other outputs than the first pass")
            for name, outputs in timed.outputs.items():
                what = f"{name} gave other outputs in the timed run than in the untimed one"
                check_same_bits(outputs, expected[name][: len(outputs)], what)
            wall, cpu, null = [*wall, *timed.wall_ns], [*cpu, *timed.cpu_ns], [*null, *timed.null_ns]
            missed = timed.wall_ns > deadline_ns
            misses += int(np.count_nonzero(missed))
            preempted += int(np.count_nonzero(missed & (timed.preemptions > 0) & (timed.cpu_ns <= deadline_ns)))
            decided = miss_rate.verdict(misses, len(wall), preempted)
    measure("latency", wall_ns=wall, cpu_ns=cpu, null_ns=null, deadline_ms=rtc_config.deadline_ms)
    lower, upper = miss_rate.bounds(misses, len(wall))
    rate = (
        f"{misses} of {len(wall)} steps missed {rtc_config.deadline_ms:g} ms, {preempted} of them because the system "
        f"took the processor away; the rate is {lower:.2g} to {upper:.2g}"
    )
    if decided is Verdict.INCONCLUSIVE:
        allowed = f"{miss_rate.ALLOWED_MISS_RATE} at 99 % confidence"
        raise Inconclusive(f"{rate}. The machine is too busy to show a rate below {allowed}; run it when it is idle")
    check(decided is Verdict.PASS, rate, p50_ms=float(np.median(wall)) / 1e6, max_ms=float(np.max(wall)) / 1e6)
