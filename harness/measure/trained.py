"""One trained model as its run left it: the files, what the metrics say of it, and the oracle's word on both."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import five_models
from ..judging import RequirementFailed, check
from ..rtneural_json import InvalidModel, Model, grammar, oracle, read
from .losses import LOSSES, best_constant, skill

SIDES = ("training", "validation")


@dataclass(frozen=True)
class Trained:
    """One trained model in the folder that a run wrote; see docs/PLUG_IN.md for the files and the metrics.

    `progress` is what the run said on its way, of all its models.
    """

    name: str
    folder: Path
    metrics: Mapping[str, Any]
    progress: Sequence[Mapping[str, Any]] = ()

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name.lower()}.json"

    @property
    def digest(self) -> str:
        """The sha256 of the exported file."""
        check(self.path.is_file(), "the run left no exported model", expected=str(self.path))
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def model(self) -> Model:
        """The exported model; a missing or invalid file is a failure of the requirement that needs it."""
        try:
            return read(self.path)
        except InvalidModel as error:
            what = f"{self.name}: the run left no valid RTNeural JSON file"
            raise RequirementFailed(what, fault=str(error)) from error

    # What the metrics say

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        """An entry per epoch, with at least its `validation_loss`."""
        history = self.metrics.get("history")
        entries = history if isinstance(history, Sequence) and not isinstance(history, str) else []
        stated = all(isinstance(entry, Mapping) and _is_number(entry.get("validation_loss")) for entry in entries)
        what = f"{self.name}: the metrics have no history with the validation loss of each epoch"
        check(bool(entries) and stated, what, history=history)
        return entries

    @property
    def validation_losses(self) -> list[float]:
        """The validation loss after each epoch."""
        return [entry["validation_loss"] for entry in self.history]

    @property
    def reported_loss(self) -> float:
        """The validation loss of the weights that were kept, as the metrics say it."""
        loss = self.metrics.get("validation_loss")
        check(_is_number(loss), f"{self.name}: the metrics have no validation loss", validation_loss=loss)
        return float(loss)

    @property
    def items(self) -> Mapping[str, Sequence[str]]:
        """The names of the items on both sides of the split."""
        items = self.metrics.get("items")
        sides = items if isinstance(items, Mapping) else {}
        stated = all(sides.get(side) for side in SIDES)
        check(stated, f"{self.name}: a side of the split is empty or not stated", items=items)
        return {side: tuple(sides[side]) for side in SIDES}

    @property
    def left_out(self) -> Mapping[str, str]:
        """{item: why it was not used}."""
        return {str(entry[0]): str(entry[-1]) for entry in self.metrics.get("left_out") or () if entry}

    @property
    def epochs_reported(self) -> list[int]:
        """The epochs of this model in the order in which progress told of them."""
        return [
            line["epoch"] for line in self.progress if line.get("model", self.name) == self.name and "epoch" in line
        ]

    # What the oracle says

    @cached_property
    def held_out(self) -> tuple[np.ndarray, np.ndarray]:
        """(inputs `[N, T, in]`, targets `[N, T, out]`) that the run held out, at least one item."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self.folder / f"{self.name.lower()}.validation.safetensors"
        try:
            arrays = load_file(path)
            inputs, targets = arrays["inputs"], arrays["targets"].astype(np.float64)
        except (OSError, SafetensorError, KeyError) as error:
            what = f"{self.name}: the run left no held-out items that can be read"
            raise RequirementFailed(what, file=str(path), fault=f"{type(error).__name__}: {error}") from error
        sizes, shapes = (self.model.input_size, self.model.output_size), (inputs.shape, targets.shape)
        fits = inputs.ndim == 3 and inputs.shape[0] > 0 and shapes == tuple((*inputs.shape[:2], size) for size in sizes)
        expected = "inputs [N, T, {}] and targets [N, T, {}]".format(*sizes)
        check(fits, f"{self.name}: held-out items of another shape", expected=expected, got=list(map(list, shapes)))
        return inputs, targets

    @cached_property
    def losses(self) -> Mapping[str, float]:
        """Losses on the held-out items: of the `model`, of the best `constant`, and the `least` that there can be."""
        inputs, targets = self.held_out
        constant = np.broadcast_to(best_constant(targets), targets.shape)
        return {
            "model": self._loss(oracle.evaluate(self.model, inputs), targets),
            "constant": self._loss(constant, targets),
            "least": self._loss(targets, targets),
        }

    @cached_property
    def stateless_loss(self) -> float:
        """The loss of the model when its state is cleared at each frame."""
        inputs, targets = self.held_out
        return self._loss(oracle.evaluate(self.model, inputs, reset_each_frame=True), targets)

    @property
    def recurrent_weights(self) -> list[np.ndarray]:
        """The matrices from the state to the gates, `[H, gates · H]`, of each recurrent layer."""
        return [layer.recurrent for layer in self.model.layers if isinstance(layer, grammar.Recurrent)]

    @cached_property
    def change_without_recurrence(self) -> float:
        """How far the outputs move, relative to their rms, when the recurrent weights are zero."""
        inputs, _ = self.held_out
        layers = tuple(
            dataclasses.replace(layer, recurrent=np.zeros_like(layer.recurrent))
            if isinstance(layer, grammar.Recurrent)
            else layer
            for layer in self.model.layers
        )
        outputs = oracle.evaluate(self.model, inputs)
        moved = oracle.evaluate(dataclasses.replace(self.model, layers=layers), inputs) - outputs
        return float(np.sqrt(np.mean(np.square(moved)) / np.mean(np.square(outputs))))

    @property
    def skill(self) -> float:
        return skill(self.losses["model"], self.losses["constant"], self.losses["least"])

    def excess(self, loss: float) -> float:
        """How many times as far from the least loss another loss is as the model's."""
        least = self.losses["least"]
        return (loss - least) / (self.losses["model"] - least)

    def _loss(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        return LOSSES[five_models.specs()[self.name]["loss"]](outputs, targets)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
