"""Training runs seen from outside: what a trainer wrote, evaluated by the oracle on what it held out."""

from __future__ import annotations

import atexit
import copy
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import five_models
from ..judging import RequirementFailed, check
from ..paths import FIXTURES
from ..rtneural_json import InvalidModel, Model, oracle, read
from .losses import LOSSES, best_constant, skill
from .shuffled_labels import shuffle_labels

BASE: Mapping[str, Any] = json.loads(Path(__file__).with_name("training.json").read_text(encoding="utf-8"))
TIMEOUT_SECONDS = 900.0
QUICK = "DynamicsEngine"
"""The model that trains in no time, for what shows in any training."""

QUICK_EPOCHS = 3


@dataclass(frozen=True)
class Trained:
    """One trained model in the folder that a run wrote; see docs/PLUG_IN.md for the files."""

    name: str
    folder: Path
    metrics: Mapping[str, Any]

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name.lower()}.json"

    @cached_property
    def model(self) -> Model:
        """The exported model; a missing or invalid file is a failure of the requirement that needs it."""
        try:
            return read(self.path)
        except InvalidModel as error:
            what = f"{self.name}: the run left no valid RTNeural JSON file"
            raise RequirementFailed(what, fault=str(error)) from error

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
    def skill(self) -> float:
        return skill(self.losses["model"], self.losses["constant"], self.losses["least"])

    def _loss(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        return LOSSES[five_models.specs()[self.name]["loss"]](outputs, targets)


_runs: dict[tuple[str, str], Mapping[str, Trained]] = {}


def names(profile: str) -> list[str]:
    """The models that a profile trains: one recurrent and one feed-forward for smoke, else all five."""
    return list(five_models.SMOKE if profile == "smoke" else five_models.specs())


def length(profile: str) -> dict[str, int]:
    """The length of a profile's runs, as overrides of the config, which nightly follows.

    The others train for no longer than it takes to see skill, and shuffled labels take it away.
    """
    return {"smoke": {"epochs": 6}, "ci": {"epochs": 20}}.get(profile, {})


def config(models: Iterable[str], *, other_seed: bool = False, **training: Any) -> dict[str, Any]:
    """A training config for some of the models on the stored data sets; `training` overrides the section of that name.

    The seed is fixed, because it decides which items are held out, and with so few of them the skill depends on that.
    """
    values = copy.deepcopy(dict(BASE))
    values["seed"] += other_seed
    values["models"] = {name: values["models"][name] for name in models}
    used = {model["dataset"] for model in values["models"].values()}
    values["datasets"] = {name: values["datasets"][name] for name in used}
    for dataset in values["datasets"].values():
        dataset["path"] = str(FIXTURES / dataset["path"])
    return {**values, "device": "cpu", **({"training": training} if training else {})}


def shuffled(values: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The same config on copies of its data sets with shuffled labels."""
    values = copy.deepcopy(dict(values))
    for dataset in values["datasets"].values():
        dataset["path"] = str(_shuffled_set(dataset["kind"], Path(dataset["path"]), seed))
    return values


@cache
def _shuffled_set(kind: str, path: Path, seed: int) -> Path:
    """A data set with its labels dealt out again, once for all trainers."""
    target = temporary_folder() / path.name
    shuffle_labels(kind, path, target, seed)
    return target


def trained(trainer: Any, values: Mapping[str, Any], variant: str) -> Mapping[str, Trained]:
    """What a trainer makes of a config, by model; run once per trainer and variant and kept for the session."""
    key = (trainer.connection, variant)
    if key not in _runs:
        folder = temporary_folder()
        metrics = trainer.train(values, folder, timeout=TIMEOUT_SECONDS).get("models", {})
        _runs[key] = {name: Trained(name, folder, metrics.get(name, {})) for name in values["models"]}
    return _runs[key]


def quick(trainer: Any) -> Trained:
    """The run over `QUICK` alone that all share who need no more."""
    return trained(trainer, config([QUICK], epochs=QUICK_EPOCHS), "quick")[QUICK]


def temporary_folder() -> Path:
    """A folder that goes when the process does."""
    folder = Path(tempfile.mkdtemp(prefix="rtconform-training-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
