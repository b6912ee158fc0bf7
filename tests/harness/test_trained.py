"""What a training run left, as the suite reads it."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from rtconform.harness import five_models
from rtconform.harness.judging import RequirementFailed
from rtconform.harness.measure import training
from rtconform.harness.measure.trained import Trained
from rtconform.harness.rtneural_json import evaluate

NAME = "DynamicsEngine"
INPUTS, OUTPUTS = 32, 16
ITEMS = np.random.default_rng(3).normal(size=(4, 6, INPUTS)).astype(np.float32)
TARGETS = np.zeros((4, 6, OUTPUTS), np.float32)


@pytest.fixture
def left(tmp_path):
    """`left(inputs=…, targets=…)`: a run that left the stored model and these held-out items."""
    stem = NAME.lower()
    shutil.copy(five_models.FOLDER / f"{stem}.json", tmp_path)

    def leave(**arrays):
        save_file(arrays, tmp_path / f"{stem}.validation.safetensors")
        return Trained(NAME, tmp_path, {})

    return leave


def test_losses_are_those_of_item_after_item(left):
    """All items at once, each from zero state."""
    run = left(inputs=ITEMS, targets=TARGETS)
    outputs = np.stack([evaluate(run.model, item) for item in ITEMS])
    assert run.losses["model"] == pytest.approx(np.mean(np.square(outputs)), rel=1e-12)
    assert run.losses["least"] == 0.0


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"inputs": ITEMS}, "KeyError: 'targets'"),
        ({"inputs": ITEMS[0], "targets": TARGETS[0]}, "another shape"),
        ({"inputs": ITEMS[:0], "targets": TARGETS[:0]}, "another shape"),
        ({"inputs": ITEMS, "targets": TARGETS[:3]}, "another shape"),
        ({"inputs": ITEMS[:, :, 1:].copy(), "targets": TARGETS}, "another shape"),
    ],
    ids=["no-targets", "one-item", "no-items", "fewer-targets", "narrow"],
)
def test_held_out_items_that_cannot_be_judged_are_failures(left, arrays, told):
    """With what they are, instead of a traceback out of the oracle."""
    with pytest.raises(RequirementFailed) as failure:
        left(**arrays).losses  # noqa: B018
    assert told in f"{failure.value} {json.dumps(failure.value.evidence)}"


@pytest.mark.parametrize("content", [None, b"no tensors"], ids=["missing", "foreign"])
def test_held_out_files_that_cannot_be_read_are_failures(left, content):
    """A file that isn't there, and one of another kind."""
    run = left(inputs=ITEMS, targets=TARGETS)
    path = run.folder / f"{NAME.lower()}.validation.safetensors"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RequirementFailed, match="can be read") as failure:
        run.losses  # noqa: B018
    assert failure.value.evidence["file"] == str(path)


@pytest.mark.parametrize(
    ("fact", "metrics", "told"),
    [
        ("validation_losses", {}, "no history"),
        ("validation_losses", {"history": [0.5, 0.25]}, "no history"),
        ("validation_losses", {"history": [{"validation_loss": "0.5"}]}, "no history"),
        ("validation_losses", {"history": "abc"}, "no history"),
        ("reported_loss", {"validation_loss": float("nan")}, "no validation loss"),
        ("items", {"items": {"training": ["a"]}}, "not stated"),
        ("items", {"items": ["a", "b"]}, "not stated"),
    ],
)
def test_metrics_that_say_too_little_are_failures(tmp_path, fact, metrics, told):
    """With what stands there instead."""
    with pytest.raises(RequirementFailed, match=told):
        getattr(Trained(NAME, tmp_path, metrics), fact)


def test_zero_recurrent_weights_leave_the_cells_their_memory(tmp_path):
    """The outputs move, and by less than they are."""
    name = "EmotionRecognizer"
    shutil.copy(five_models.FOLDER / "emotionrecognizer.json", tmp_path)
    generator = np.random.default_rng(4)
    arrays = {"inputs": generator.normal(size=(3, 8, 128)), "targets": generator.uniform(-1, 1, (3, 8, 64))}
    save_file(
        {key: array.astype("f4") for key, array in arrays.items()},
        tmp_path / "emotionrecognizer.validation.safetensors",
    )
    run = Trained(name, tmp_path, {})
    assert 0.001 < run.change_without_recurrence < 1.0
    assert [matrix.shape for matrix in run.recurrent_weights] == [(128, 512)]


@pytest.mark.parametrize(
    ("features", "profile", "models"),
    [
        ([], "smoke", ["EmotionRecognizer", "DynamicsEngine"]),
        ([], "ci", list(five_models.specs())),
        (["resume"], "ci", list(five_models.specs())),
        (["DynamicsEngine", "resume"], "smoke", ["DynamicsEngine"]),
        (["DynamicsEngine", "MelodyTransformer"], "smoke", ["MelodyTransformer", "DynamicsEngine"]),
        (["DynamicsEngine", "MelodyTransformer"], "ci", ["MelodyTransformer", "DynamicsEngine"]),
        (["HarmonyPredictor"], "nightly", ["HarmonyPredictor"]),
    ],
)
def test_a_trainer_is_asked_for_the_models_that_it_declares(features, profile, models):
    """All five where it names none; for smoke a recurrent one and another."""
    trainer = SimpleNamespace(declaration=SimpleNamespace(features=features))
    assert training.names(trainer, profile) == models
    assert training.quick_name(trainer) == ("DynamicsEngine" if "DynamicsEngine" in models else models[-1])


@pytest.mark.parametrize(
    ("histories", "epochs"),
    [
        ([[5, 4, 3, 4]], [10]),
        ([[5, 4, 4.5, 3], [5, 4, 4.5]], [10, 3]),
        ([[5, 4, 3, 2], [4, 3, 5]], [10, 10]),
        ([[5, 4], [5, 4], [5, 4]], [10, 10, 10]),
    ],
    ids=["at-once", "cut-short", "another-rate", "never"],
)
def test_a_bumpy_run_ends_with_an_epoch_that_is_not_the_best(histories, epochs, monkeypatch):
    """It is cut short where the end was the best, and tried with other rates where nothing went up."""
    asked = []

    def trained(trainer, values, variant):
        asked.append(values["training"]["epochs"])
        losses = histories[len(asked) - 1]
        return {NAME: Trained(NAME, None, {"history": [{"validation_loss": loss} for loss in losses]})}

    monkeypatch.setattr(training, "trained", trained)
    found = training.bumpy(SimpleNamespace(declaration=SimpleNamespace(features=[])))
    assert asked == epochs
    assert (found is None) == (histories[-1] == [5, 4])
