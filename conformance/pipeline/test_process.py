"""What a pipeline may not do to the process that it lives in."""

from functools import partial

import numpy as np
import pytest

from rtconform.harness import expected, five_models
from rtconform.harness.judging import check
from rtconform.harness.measure import pipeline as driving
from rtconform.harness.measure.pipeline import PACE
from rtconform.harness.measure.side_effects import check_process_state, noise_of


def calls(session, folder):
    """A whole life beside another pipeline, with what is rare in it: a frame of NaN, and a file that is refused.

    Gives, after each call, its name in a message.
    """
    audio = expected.recording()[:PACE]
    yield "opening the library, or open"
    other = session.beside(folder)
    for frame_id, frame in enumerate(audio):
        other.submit(frame_id, frame)
    yield "submit"
    driving.drain(other, len(audio))
    yield "poll"
    other.submit(len(audio), np.full_like(audio[0], np.nan))
    driving.drain(other, 1)
    yield "submit or poll of a frame of NaN"
    other.reload()
    other.status()
    yield "reload or status"
    name = next(iter(five_models.specs()))
    (folder / five_models.specs()[name]["file"]).write_text("{", encoding="utf-8")
    other.reload(name)
    yield "the reload of a broken file"
    other.close()
    yield "close"


@pytest.mark.requirement("PIP-SILENT")
def test_nothing_is_printed(pipeline, tmp_path):
    """From the start of the process to its end standard output stays empty."""
    folder = driving.model_folder(tmp_path)
    noise = noise_of(partial(pipeline.open, folder), partial(calls, folder=folder))
    if noise is None:
        pytest.skip("in process there is no standard output of its own; docs/PLUG_IN.md puts a wall around it")
    check(not noise, "the pipeline wrote to standard output", noise=noise[:3])


@pytest.mark.requirement("PIP-PROCESS-STATE")
def test_process_state_is_left_alone(pipeline, tmp_path):
    """Floating-point mode, locales, working directory, signals, environment, streams and handlers, after each call."""
    folder = driving.model_folder(tmp_path)
    with pipeline.open(folder) as session:
        check_process_state(session, partial(calls, folder=folder))
