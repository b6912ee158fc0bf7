"""What a loader may not do to the process that it lives in."""

import pytest

from rtconform.harness import signals
from rtconform.harness.implementations.errors import ProtocolViolation
from rtconform.harness.judging import RequirementFailed, check, check_same_bits

FRAMES = 128


@pytest.mark.requirement("RUN-SILENT")
@pytest.mark.models("small")
def test_nothing_is_printed(loader, model_case, rtc_config):
    """Loading, processing and resetting leave standard output empty."""
    frames = signals.noise(FRAMES, model_case.model.input_size, seed=rtc_config.seed)
    if loader.connection.startswith("py:"):
        pytest.skip("in process there is no standard output of its own; docs/PLUG_IN.md puts a wall around it")
    with loader.open() as session:
        try:
            with session.load(model_case.path) as model:
                model.process(frames, block=16)
                model.reset()
        except ProtocolViolation as violation:
            if not violation.line or violation.line.startswith("{"):
                raise
            what = "something else than the protocol came over standard output"
            raise RequirementFailed(what, line=violation.line) from violation
        check(not session.noise, "the loader wrote to standard output", noise=session.noise[:3])


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
def test_process_state_is_left_alone(loader, model_case, rtc_config):
    """Floating-point mode, locale, working directory and handled signals, before and after."""
    frames = signals.noise(FRAMES, model_case.model.input_size, seed=rtc_config.seed)
    with loader.open() as session:
        before = session.environment()
        with session.load(model_case.path) as model:
            loaded = session.environment()
            model.process(frames, block=16)
            model.reset()
        after = session.environment()
    check(loaded == before, "load changed the state of the process", expected=before, got=loaded)
    check(after == before, "process or reset changed the state of the process", expected=before, got=after)
