"""What rounding costs: chords, notes and emotions that a player would hear, and errors that grow.

The truth is the model as it was trained, in float64, whatever the loader's numeric class allows.
"""

from contextlib import ExitStack
from functools import partial

import numpy as np
import pytest

from rtconform.harness import expected, five_models
from rtconform.harness.judging import Inconclusive, check
from rtconform.harness.measure import rounding
from rtconform.harness.measure.step import step_of

OTHER_CHORDS, OTHER_NOTES = 0.02, 0.05
EMOTION, OTHER_EMOTIONS = 0.02, 0.02
"""How far valence and arousal may be off, and in which part of the frames further: where an emotion swings from one end
to the other within a few frames, what comes a tenth of a frame late is off by more, and nobody hears it."""

GROWTH = 1.5
PERIOD, PERIODS, SMOKE_PERIODS = 200, 50, 10
BLOCK = 64

_runs = {}

pytestmark = [pytest.mark.models("five"), pytest.mark.shares("loader")]


def loaded(session, case, models):
    """A model of the file, open as long as `models` is, and as wide as the file says."""
    __tracebackhide__ = True
    model = models.enter_context(session.load(case.path, max_frames=BLOCK))
    size, got = case.model.output_size, model.output_size
    check(got == size, "the output size is not the file's", expected=size, got=got, model=str(case.path))
    return model


@pytest.fixture
def heard(loader, model_set):
    """`heard(name)`: the exact outputs `[T, out]` of one of the five over the recordings, and the loader's.

    The loader's models feed each other, as they do in a plugin: what is lost in EmotionRecognizer is lost for the four
    behind it. One run serves all the requirements.
    """
    step = step_of(model_set)
    if step.models.keys() != five_models.specs().keys():
        pytest.skip("only the five models together have a data flow")
    folder = next(iter(step.models.values())).path.parent
    frames = expected.recording()

    def outputs(name):
        __tracebackhide__ = True
        if (key := (loader.connection, folder)) not in _runs:
            with loader.open() as session, ExitStack() as models:
                opened = {name: loaded(session, case, models) for name, case in step.models.items()}
                processes = {name: partial(model.process, block=BLOCK) for name, model in opened.items()}
                _runs[key] = step.run(processes, frames)
        return expected.flow_outputs(folder)[name], _runs[key][name]

    return outputs


@pytest.mark.requirement("NUM-SAME-CHORD")
def test_the_likeliest_chord_stays(heard, measure):
    """Speech and music."""
    others = rounding.other_chords(*heard("HarmonyPredictor"))
    lost = float(others.mean())
    measure("rounding", of="chords", lost=lost, limit=OTHER_CHORDS, frames=len(others))
    found = f"the likeliest chord is another in {lost:.1%} of the frames"
    check(lost <= OTHER_CHORDS, found, allowed=f"{OTHER_CHORDS:.0%}", first_frame=int(np.argmax(others)))


@pytest.mark.requirement("NUM-SAME-NOTES")
def test_the_likeliest_notes_stay(heard, measure):
    """Speech and music; the order of the notes doesn't matter."""
    others = rounding.other_notes(*heard("MelodyTransformer"))
    lost = float(others.mean())
    measure("rounding", of="notes", lost=lost, limit=OTHER_NOTES, frames=len(others))
    found = f"of the {rounding.NOTES} likeliest notes {lost:.1%} are others"
    check(lost <= OTHER_NOTES, found, allowed=f"{OTHER_NOTES:.0%}", worst_frame=int(np.argmax(others)))


@pytest.mark.requirement("NUM-SAME-EMOTION")
def test_valence_and_arousal_stay(heard, measure):
    """Speech and music; the larger error of the two."""
    exact, got = (rounding.emotion(outputs) for outputs in heard("EmotionRecognizer"))
    errors = np.abs(got - exact).max(axis=1)
    lost = float(np.quantile(errors, 1 - OTHER_EMOTIONS, method="higher"))  # NaN if there is one
    measure("rounding", of="emotion", lost=lost, limit=EMOTION, frames=len(errors))
    frame = int(np.argmax(errors))  # to which NaN is the largest
    found = f"valence or arousal is off by more than {EMOTION} in {np.mean(~(errors <= EMOTION)):.1%} of the frames"
    place = {"worst_frame": frame, "expected": exact[frame].tolist(), "got": got[frame].tolist()}
    check(lost <= EMOTION, found, allowed=f"{OTHER_EMOTIONS:.0%}", **place)


@pytest.mark.requirement("NUM-NO-DRIFT")
def test_errors_do_not_grow(loader, model_set, rtc_config, measure):
    """The same frames again and again, state carried: the last time, errors are what they were the second time."""
    smoke = rtc_config.profile == "smoke"
    left_out = five_models.specs().keys() - five_models.SMOKE if smoke else ()
    models = {name: case for name, case in step_of(model_set).models.items() if name not in left_out}
    undecided = []
    for name, case in models.items():
        frames, exact = expected.over_periods(case, PERIOD, SMOKE_PERIODS if smoke else PERIODS, rtc_config.seed)
        noise = expected.budget_of(case, frames[: 2 * PERIOD], "f32", rtc_config.seed)
        undecided += [name] if noise.chaotic else []
        with loader.open() as session, ExitStack() as opened:
            outputs = loaded(session, case, opened).process(frames, block=BLOCK)
        errors = rounding.period_errors(exact, outputs, PERIOD)
        measure("drift", model=name, rms_errors=errors, float32_noise=noise.rms_bound)
        # What float32 may come to anyhow is no drift, however it is spread over the frames.
        allowed = max(GROWTH * errors[1], noise.rms_bound)
        found = f"the rms error of {name} grows from {errors[1]:.3g} to {errors[-1]:.3g} in {len(frames)} frames"
        check(errors[-1] <= allowed, found, allowed=float(allowed), model=str(case.path), rms_errors=errors)
    if undecided:
        raise Inconclusive(f"Rounding alone decides the outputs of {', '.join(undecided)}: they can't be judged")
