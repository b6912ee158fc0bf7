"""The stored models are better than what needs no network, on the items of the default data that they never saw."""

import numpy as np
import pytest

from rtconform.reference_models.numpy_runtime import read_model
from rtconform.reference_models.specs import FIXTURES
from rtconform.reference_models.training.config import plan
from rtconform.reference_models.training.evaluation import evaluate
from rtconform.reference_models.training.run import load

PLAN = plan({})
# What a model is for, in one number or two: here the intervals are apart as well. Others may be too wide for that.
HEADLINES = {
    "EmotionRecognizer": {"valence_r2", "arousal_r2"},
    "MelodyTransformer": {"note_top_1"},
    "HarmonyPredictor": {"chord_cross_entropy", "chord_accuracy"},
    "DynamicsEngine": {"velocity_mae", "timing_mae"},
    "GroovePredictor": {"velocity_mae", "timing_mae"},
}


def outputs_of(model, items):
    """The outputs `[N, T, out]` over the recordings, each heard from its beginning."""
    heard = []
    for item in range(len(items.ids)):
        model.reset()
        heard += [model.process(sequence) for sequence in items.inputs[items.item_of == item]]
    return np.stack(heard)


@pytest.mark.parametrize("model", PLAN.models, ids=lambda model: model.spec.name)
def test_stored_models_beat_the_best_constant_and_the_linear_baseline(model):
    """By every measure, over the constant with certainty; in the headlines without a common part of the intervals."""
    splits = load(model, PLAN)
    stored = read_model((FIXTURES / "models" / model.spec.file).read_bytes())
    outputs = outputs_of(stored, splits.validation)
    found = evaluate(model.spec.name, outputs, splits, resamples=PLAN.resamples, seed=PLAN.seed)["metrics"]
    for name, entry in found.items():
        assert entry["gain_over_constant"]["low"] > 0, name
        assert entry["gain_over_linear"]["value"] > 0, name
    for name in HEADLINES[model.spec.name]:
        better, worse = ("model", "constant") if found[name]["higher_is_better"] else ("constant", "model")
        assert found[name][better]["low"] > found[name][worse]["high"], name
