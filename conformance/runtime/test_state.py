"""State from frame to frame: blocks, reset, and several models side by side."""

import numpy as np
import pytest

from rtconform.harness import signals
from rtconform.harness.judging import check, check_same_bits

FRAMES = 334
BLOCK = 16
PASSES = 120
SCHEDULES = {
    "ones": (*[1] * 14, *[32] * 10),
    "sevens": 7,
    "sixty-fours": 64,
    "primes": (2, 3, 5, 7, 11, 13, 17, 19, 23),
    "with-empty-blocks": (5, 0, 31, 0, 0, 64),
}


@pytest.mark.requirement("RUN-BLOCKS")
@pytest.mark.models("small")
def test_blocks_change_no_bit(loader, model_case, rtc_config):
    """One block against ones, odd lengths, primes, and blocks of no frames in between."""
    frames = signals.noise(FRAMES, model_case.model.input_size, seed=rtc_config.seed)
    with loader.open() as session, session.load(model_case.path) as model:
        whole = model.process(frames)
        for name, schedule in SCHEDULES.items():
            model.reset()
            check_same_bits(model.process(frames, block=schedule), whole, f"blocks of {name} change the outputs")


@pytest.mark.requirement("RUN-RESET")
@pytest.mark.models("small")
def test_reset_forgets_everything(loader, model_case, rtc_config):
    """Run, reset, run; then other frames, reset, and the first again."""
    size = model_case.model.input_size
    frames = signals.noise(FRAMES, size, seed=rtc_config.seed)
    with loader.open() as session, session.load(model_case.path) as model:
        first = model.process(frames)
        model.reset()
        check_same_bits(model.process(frames), first, "after reset the same frames give other outputs")
        model.process(signals.noise(FRAMES, size, seed=rtc_config.seed + 1, amplitude=4.0))
        model.reset()
        check_same_bits(model.process(frames), first, "reset keeps something of other, louder frames")


@pytest.mark.requirement("RUN-ISOLATION")
@pytest.mark.models("small")
def test_models_side_by_side_share_nothing(loader, model_case, rtc_config):
    """Two instances of one file that take turns, frame by frame at first."""
    size = model_case.model.input_size
    left, right = (signals.noise(FRAMES, size, seed=rtc_config.seed + n) for n in (0, 1))
    with loader.open() as session, session.load(model_case.path) as one, session.load(model_case.path) as other:
        alone_left = one.process(left)
        alone_right = other.process(right)
        one.reset()
        other.reset()
        turns = np.split(np.arange(FRAMES), np.cumsum(SCHEDULES["ones"])[:-1])
        mixed = [(one.process(left[turn]), other.process(right[turn])) for turn in turns]
    check_same_bits(np.concatenate([pair[0] for pair in mixed]), alone_left, "a second model changes the first")
    check_same_bits(np.concatenate([pair[1] for pair in mixed]), alone_right, "a first model changes the second")


@pytest.mark.requirement("RUN-THREADS")
@pytest.mark.models("small")
def test_models_on_two_threads_share_nothing(loader, model_case, rtc_config):
    """Two instances of one file on two threads at once, over and over."""
    size = model_case.model.input_size
    left, right = (signals.noise(FRAMES, size, seed=rtc_config.seed + n) for n in (0, 1))
    with loader.open() as session, session.load(model_case.path) as one, session.load(model_case.path) as other:
        alone = [one.process(left, block=BLOCK), other.process(right, block=BLOCK)]
        together = session.process_together([(one, left), (other, right)], block=BLOCK, passes=PASSES)
    for got, expected in zip(together.outputs, alone, strict=True):
        check_same_bits(got, expected, "a model on another thread changes the outputs")
    check(together.mismatches == 0, f"{together.mismatches} of {2 * PASSES} passes on two threads gave other outputs")
