"""What a training run left, as the suite reads it."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from rtconform.harness import five_models
from rtconform.harness.judging import RequirementFailed
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
