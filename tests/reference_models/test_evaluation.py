"""Evaluation says what a musician would ask for, beside what is easy, with intervals that mean something."""

import numpy as np
import pytest

from rtconform.reference_models.data import Items, Splits
from rtconform.reference_models.specs import load_specs
from rtconform.reference_models.training.evaluation import evaluate
from rtconform.reference_models.training.evaluation.baselines import fit_linear
from rtconform.reference_models.training.evaluation.bootstrap import compare
from rtconform.reference_models.training.evaluation.measures import LINEAR_BASELINES, MEASURES

from .training_scene import SPECS, items


def measured(name, measure, outputs, targets):
    """The value of one measure for outputs and targets `[F, out]`."""
    (found,) = [each for each in MEASURES[name] if each.name == measure]
    return float(found.value(found.statistics(found.predicted(outputs), found.truth(targets)).sum(axis=0)))


def constant(name, measure, targets):
    """The value of the best constant for just these targets."""
    (found,) = [each for each in MEASURES[name] if each.name == measure]
    truth = found.truth(targets)
    sums = found.statistics(np.broadcast_to(found.constant(truth), truth.shape), truth).sum(axis=0)
    return float(found.value(sums))


def mean(sums):
    """Of sums and counts."""
    return sums[..., 0] / sums[..., 1]


def frames(name, count=200, seed=0):
    """Targets `[F, out]` as a data set has them."""
    generator, size = np.random.default_rng(seed), SPECS[name].output_size
    if name == "HarmonyPredictor":
        return np.eye(size)[generator.integers(0, 8, count)]
    if name == "MelodyTransformer":
        return (generator.random((count, size)) < 0.02).astype(float)
    low, high = SPECS[name].output_range
    return generator.uniform(low, high, (count, size))


def test_every_model_is_measured():
    """By at least two numbers and beside a linear baseline."""
    assert set(MEASURES) == set(LINEAR_BASELINES) == set(load_specs().models)
    assert all(len(measures) > 1 for measures in MEASURES.values())


@pytest.mark.parametrize("name", MEASURES)
def test_the_truth_is_the_best(name):
    """What is asked for scores the best that a measure has, and better than any constant."""
    targets = frames(name)
    best = {"r2": 1.0, "rmse": 0.0, "mae": 0.0, "accuracy": 1.0, "1": 1.0, "3": 1.0, "5": 1.0}
    for measure in MEASURES[name]:
        found, reference = measured(name, measure.name, targets, targets), constant(name, measure.name, targets)
        assert (found > reference) == measure.higher_is_better
        kind = measure.name.rpartition("_")[2]
        assert kind == "entropy" or found == pytest.approx(best[kind], abs=1e-6)


def test_units_are_those_of_the_instrument():
    """An eighth of the velocity range is 15.9 MIDI velocities; half the scale of timing is a quarter of a sixteenth."""
    dynamics = np.full((3, 16), 0.5)
    louder, later = dynamics.copy(), dynamics.copy()
    louder[:, :8] += 0.125
    later[:, 8:12] += 0.25
    assert measured("DynamicsEngine", "velocity_mae", louder, dynamics) == pytest.approx(127 / 8)
    assert measured("DynamicsEngine", "timing_mae", later, dynamics) == pytest.approx(0.25)
    groove = np.zeros((3, 32))
    louder, later = groove.copy(), groove.copy()
    louder[:, 16:] += 0.25
    later[:, :16] += 0.5
    assert measured("GroovePredictor", "velocity_mae", louder, groove) == pytest.approx(127 / 8)
    assert measured("GroovePredictor", "timing_mae", later, groove) == pytest.approx(0.25)


def test_only_hits_have_a_timing():
    """Where nothing is hit, no timing is right or wrong."""
    targets = np.zeros((2, 32))
    targets[:, 17:] = -1.0
    outputs = targets.copy()
    outputs[:, 1:16] = 1.0
    assert measured("GroovePredictor", "timing_mae", outputs, targets) == 0.0


def test_distributions_are_scored_as_in_the_textbook():
    """-log of the probability of the chord; the notes of a frame in equal shares; silent frames don't count."""
    chords = np.full((4, 64), 0.5 / 63)
    chords[:, 5] = 0.5
    assert measured("HarmonyPredictor", "chord_cross_entropy", chords, np.eye(64)[[5] * 4]) == pytest.approx(np.log(2))
    assert measured("HarmonyPredictor", "chord_accuracy", chords, np.eye(64)[[5, 5, 5, 6]]) == 0.75
    notes, sounding = np.full((3, 128), 1e-12), np.zeros((3, 128))
    notes[:, [60, 64]] = 0.9, 0.9
    sounding[:2, [60, 64]] = 1.0
    assert measured("MelodyTransformer", "note_cross_entropy", notes, sounding) == pytest.approx(np.log(2))
    assert measured("MelodyTransformer", "note_top_5", notes, sounding) == 1.0


@pytest.mark.parametrize("name", MEASURES)
def test_no_other_constant_is_better(name):
    """The constant that is called the best is so, up to the one frame that keeps every note and chord possible."""
    targets, generator = frames(name), np.random.default_rng(1)
    for measure in MEASURES[name]:
        best = constant(name, measure.name, targets)
        for _ in range(20):
            row = targets[generator.integers(0, len(targets), 30)].mean(axis=0)
            other = measured(name, measure.name, np.broadcast_to(row, targets.shape), targets)
            assert other <= best + 1e-2 if measure.higher_is_better else other >= best - 1e-2, measure.name


def test_the_linear_baselines_find_what_is_linear():
    """A linear map is found whole; a chord that is told by one input is nearly always named."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(400, 6)) * [1, 10, 0.1, 1, 1, 0] + 3
    of = np.repeat(np.arange(20), 20)
    targets = inputs @ generator.normal(size=(6, 2)) + 1
    assert np.abs(fit_linear(inputs, targets, of, "ridge")(inputs) - targets).max() < 0.02
    named = np.eye(3)[inputs[:, :3].argmax(axis=1)]
    outputs = fit_linear(inputs, named, of, "logistic")(inputs)
    assert outputs.sum(axis=1) == pytest.approx(1)
    assert (outputs.argmax(axis=1) == named.argmax(axis=1)).mean() > 0.95


def test_noise_is_held_small():
    """Of targets that have nothing to do with many inputs, ridge makes little more than their mean."""
    generator = np.random.default_rng(0)
    inputs, targets = generator.normal(size=(120, 100)), generator.normal(size=(120, 1))
    of, fresh = np.repeat(np.arange(12), 10), generator.normal(size=(500, 100))
    assert fit_linear(inputs, targets, of, "ridge")(fresh).std() < 0.6


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Recordings differ from one another, frames of one don't: the interval heeds the recordings."""
    generator, covered, widths = np.random.default_rng(0), 0, []
    for trial in range(300):
        means = generator.normal(0.0, 1.0, 25)
        sums = {"model": np.stack([50 * means, np.full(25, 50.0)], axis=1)}
        found = compare(sums, mean, higher_is_better=True, resamples=200, seed=trial)["model"]
        covered += found["low"] <= 0.0 <= found["high"]
        widths.append(found["high"] - found["low"])
    assert 0.88 <= covered / 300 <= 0.98
    assert np.mean(widths) == pytest.approx(2 * 1.96 / 5, rel=0.1)


def test_gains_are_paired_and_point_the_right_way():
    """A model that is a little better on every recording is clearly better, however different recordings are."""
    base = np.random.default_rng(0).uniform(1, 9, 12)
    sums = {"model": np.stack([base - 0.1, np.ones(12)], axis=1), "constant": np.stack([base, np.ones(12)], axis=1)}
    found = compare(sums, mean, higher_is_better=False, resamples=300, seed=0)
    gain = found["gain_over_constant"]
    assert gain["low"] == pytest.approx(0.1) == gain["high"]
    assert found["model"]["high"] > found["constant"]["low"]


@pytest.mark.parametrize("name", MEASURES)
def test_a_whole_evaluation(name):
    """The truth wins over both; the training mean is the constant; the same seed gives the same numbers."""
    training, held_out = items(name, 32, pieces=2), items(name, 12, first=500, pieces=2)
    if name == "MelodyTransformer":
        training, held_out = (
            Items(each.ids, each.inputs, np.round(each.targets), each.item_of, each.content_hashes)
            for each in (training, held_out)
        )
    splits = Splits(training, held_out)
    found = evaluate(name, held_out.targets, splits, resamples=200, seed=1)
    assert (found["recordings"], found["frames"]) == (12, 12 * 32)
    assert set(found["metrics"]) == {measure.name for measure in MEASURES[name]}
    for measure, entry in found["metrics"].items():
        for who in ("model", "constant", "linear", "gain_over_constant", "gain_over_linear"):
            assert entry[who]["low"] <= entry[who]["value"] <= entry[who]["high"], (measure, who)
        assert entry["gain_over_constant"]["value"] >= 0, measure
    assert evaluate(name, held_out.targets, splits, resamples=200, seed=1) == found


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["EmotionRecognizer", "MelodyTransformer", "GroovePredictor"])
def test_data_that_tell_nothing_are_no_error(name):
    """All labels the same, no note, no hit: what can't be said is no number, and nothing fails."""
    training, held_out = items(name, 6), items(name, 3, first=500)
    empty = -1.0 if name == "GroovePredictor" else 0.0
    silent = [
        Items(each.ids, each.inputs, np.full_like(each.targets, empty), each.item_of, each.content_hashes)
        for each in (training, held_out)
    ]
    found = evaluate(name, held_out.targets, Splits(*silent), resamples=100, seed=1)
    measure = {"EmotionRecognizer": "valence_r2", "MelodyTransformer": "note_top_1", "GroovePredictor": "timing_mae"}
    assert not np.isfinite(found["metrics"][measure[name]]["model"]["value"])
