"""A folder of five models, frame by frame, to live results."""

import numpy as np
import pytest

from rtconform.harness import expected, five_models
from rtconform.harness.judging import check, check_outputs, check_same_bits
from rtconform.harness.measure import pipeline as driving
from rtconform.harness.selection import ModelCase

FRAMES = 96
NAMES = tuple(five_models.specs())
each_model = pytest.mark.parametrize("name", driving.each_model())


def audio_frames(count):
    """The first frames `[count, 128]` of the stored recordings."""
    return expected.recording()[:count]


@pytest.mark.requirement("PIP-FLOW")
@each_model
def test_each_model_is_fed_as_documented(pipeline, name, tmp_path, rtc_config):
    """Each model's results from what the stages before it put out."""
    folder = driving.model_folder(tmp_path)
    audio = audio_frames(FRAMES)
    with pipeline.open(folder) as session:
        results = driving.drive(session, audio)
    driving.check_ids(results, range(FRAMES))
    case = ModelCase(name, folder / five_models.specs()[name]["file"])
    inputs = driving.inputs_of(results, audio, name)
    bound = expected.budget_of(case, inputs, pipeline.declaration.numeric_class, rtc_config.seed)
    check_outputs(bound.judge(driving.outputs_of(results, name)), f"{name} differs from the oracle in the data flow")


@pytest.mark.requirement("PIP-FALLBACK")
@pytest.mark.parametrize("damage", ["missing", driving.BeyondSmoke("truncated")])
@each_model
def test_missing_model_falls_back(pipeline, name, damage, tmp_path):
    """One file gone or cut: its fallback, flagged; the other four as if nothing had happened."""
    folder = driving.model_folder(tmp_path)
    file = folder / five_models.specs()[name]["file"]
    text = file.read_bytes()
    file.unlink() if damage == "missing" else file.write_bytes(text[: len(text) // 2])
    with pipeline.open(folder) as session:
        results = driving.drive(session, audio_frames(8))
        status = session.status()
    driving.check_ids(results, range(8))
    for other in NAMES:
        flagged = {bool(result["fallback"][other]) for result in results}
        check(flagged == {other == name}, f"the fallback flag of {other} is wrong", got=sorted(flagged))
    state = status[name]["state"]
    check(state == "fallback", f"the status of {name} is {state!r}, not 'fallback'", status=status[name])
    check(status[name]["version"] == 0, f"{name} has a version although nothing was loaded", status=status[name])
    check(bool(status[name]["reason"]), f"the status doesn't say why {name} isn't loaded", status=status[name])
    got = driving.outputs_of(results, name)
    fallback = driving.fallback_of(name)
    check(bool((got == fallback).all()), f"the outputs of {name} are not its documented fallback", got=got[0].tolist())


@pytest.mark.requirement("PIP-BAD-FRAME")
@pytest.mark.parametrize("value", ["nan", driving.BeyondSmoke("infinity"), driving.BeyondSmoke("-infinity")])
def test_a_frame_that_is_not_finite_reaches_no_model(pipeline, value, tmp_path):
    """One bad frame among others, its first, a middle or its last feature: all fallback, and the rest as without it."""
    folder = driving.model_folder(tmp_path)
    audio = audio_frames(24)
    bad = np.repeat(audio[:1], 3, axis=0)
    bad[[0, 1, 2], [0, 70, 127]] = float(value)
    with pipeline.open(folder) as session:
        undisturbed = driving.drive(session, audio)
    with pipeline.open(folder) as session:
        results = driving.drive(session, np.concatenate([audio[:8], bad, audio[8:]]))
    driving.check_ids(undisturbed, range(24))
    driving.check_ids(results, range(27))
    of_bad, others = results[8:11], results[:8] + results[11:]
    for name in NAMES:
        flagged = all(result["fallback"][name] for result in of_bad)
        check(flagged, f"{name} has no fallback flag for a frame with {value}")
        got = driving.outputs_of(of_bad, name)
        is_fallback = bool((got == driving.fallback_of(name)).all())
        check(is_fallback, f"the outputs of {name} for a frame with {value} are not its fallback", got=got[0].tolist())
        got, right = (driving.outputs_of(part, name) for part in (others, undisturbed))
        check_same_bits(got, right, f"{name} gives something else after a frame with {value}")
