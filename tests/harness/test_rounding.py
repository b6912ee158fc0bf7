"""What rounding costs: chords, notes and emotions compared as a player would, and errors period by period."""

import numpy as np
import pytest

from rtconform.harness import expected, five_models
from rtconform.harness.measure import rounding
from rtconform.harness.selection import ModelCase, five_cases

EXACT = np.random.default_rng(7).random((6, 128))


def changed(place, value):
    """A float32 copy with one value changed."""
    got = EXACT.astype(np.float32)
    got[place] = value
    return got


def test_another_chord_is_one_that_became_likelier():
    """Not one that became as likely as it can without being the likeliest; NaN is no chord."""
    first = int(EXACT[2].argmax())
    other = (first + 1) % 128
    for value, is_other in ((EXACT[2].max() * 0.999, False), (EXACT[2].max() * 1.001, True), (np.nan, True)):
        assert rounding.other_chords(EXACT, changed((2, other), value)).nonzero()[0].tolist() == [2] * is_other


def test_notes_are_the_same_in_any_order():
    """The likeliest may become the eighth; one of eight is lost if it becomes the ninth, or NaN."""
    order = np.argsort(-EXACT[4])
    eighth, ninth = EXACT[4, order[7]], EXACT[4, order[8]]
    for value, part in (((eighth + ninth) / 2, 0.0), (ninth * 0.999, 0.125), (np.nan, 0.125)):
        assert rounding.other_notes(EXACT, changed((4, order[0]), value)).tolist() == [0, 0, 0, 0, part, 0]


def test_valence_and_arousal_are_the_halves():
    """Each the mean of 32 outputs."""
    embedding = np.repeat(np.float32([[0.5, -0.25], [0.0, 1.0]]), 32, axis=1)
    assert rounding.emotion(embedding).tolist() == [[0.5, -0.25], [0.0, 1.0]]


def test_errors_are_told_period_by_period():
    """An error in the second of three, spread over its values; NaN stays NaN."""
    errors = rounding.period_errors(EXACT, changed(2, EXACT[2] + 0.5), 2)
    assert errors == pytest.approx([0.0, 0.5 / np.sqrt(2), 0.0], abs=1e-6)
    assert np.isnan(rounding.period_errors(EXACT, changed((5, 0), np.nan), 2)).tolist() == [False, False, True]


def test_periods_are_of_the_data_flow_or_of_noise(tmp_path):
    """The beginning of what one of the five gets, over and over; the oracle's state goes on from period to period."""
    case = next(case for case in five_cases() if case.name == "emotionrecognizer")
    frames, outputs = expected.over_periods(case, 5, 3, seed=1)
    assert np.array_equal(frames, np.tile(expected.recording()[:5], (3, 1)))
    assert not np.array_equal(outputs[:5], outputs[5:10])
    alone = tmp_path / case.path.name
    alone.write_bytes((five_models.FOLDER / case.path.name).read_bytes())
    noise, _ = expected.over_periods(ModelCase("mine", alone), 5, 3, seed=1)
    assert noise.shape == frames.shape and not np.array_equal(noise[:5], frames[:5])
    assert np.array_equal(noise[:5], noise[10:])
