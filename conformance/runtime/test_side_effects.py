"""What a loader may not do to the process that it lives in."""

import contextlib
from functools import partial

import numpy as np
import pytest

from rtconform.harness import signals
from rtconform.harness.implementations.errors import Refused
from rtconform.harness.judging import check, check_same_bits
from rtconform.harness.measure.side_effects import check_process_state, noise_of
from rtconform.harness.rtneural_json.spoilt import spoilt

FRAMES = 128

BLOCKS = (1, 0, 16, 111)
"""As the five models run, none, as is usual, and long."""


def calls(session, case, folder, seed):
    """A whole life, with what is rare in it: a block without frames, NaN, and files that are refused.

    Gives, after each call, its name in a message.
    """
    yield "opening the library"
    frames = signals.noise(FRAMES, case.model.input_size, seed=seed)
    with session.load(case.path) as model:
        yield "load"
        model.process(frames, block=BLOCKS)
        yield "process"
        model.process(np.full_like(frames[:16], np.nan))
        yield "process of NaN"
        model.reset()
        yield "reset"
        for path in spoilt(case.path, folder):
            with contextlib.suppress(Refused):
                session.load(path).close()
            yield "the load of a wrong file"
    yield "unload"


@pytest.mark.requirement("RUN-SILENT")
@pytest.mark.models("small")
def test_nothing_is_printed(loader, model_case, tmp_path, rtc_config):
    """From the start of the process to its end standard output stays empty."""
    noise = noise_of(loader.open, partial(calls, case=model_case, folder=tmp_path, seed=rtc_config.seed))
    if noise is None:
        pytest.skip("in process there is no standard output of its own; docs/PLUG_IN.md puts a wall around it")
    check(not noise, "the loader wrote to standard output", noise=noise[:3])


@pytest.mark.requirement("RUN-BUFFERS")
@pytest.mark.models("small")
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_buffers_are_not_overrun(loader, model_case, frames, rtc_config):
    """Buffers that end at a page that can't be touched, aligned to float and no more."""
    signal = signals.noise(frames * 4, model_case.model.input_size, seed=rtc_config.seed)
    with loader.open() as session, session.load(model_case.path, max_frames=frames) as model:
        outputs = model.process(signal, block=frames)
        model.reset()
        check_same_bits(model.process(signal, block=1), outputs, "the outputs depend on where the buffer lies")


@pytest.mark.requirement("RUN-PROCESS-STATE")
@pytest.mark.models("small")
def test_process_state_is_left_alone(loader, model_case, tmp_path, rtc_config):
    """Floating-point mode, locales, working directory, signals, environment, streams and handlers, after each call.

    Compared with what they were before the library was opened, which runs its static constructors.
    """
    with loader.open() as session:
        check_process_state(session, partial(calls, case=model_case, folder=tmp_path, seed=rtc_config.seed))
