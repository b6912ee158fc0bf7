"""Training runs seen from outside: what a trainer wrote, evaluated by the oracle on what it held out."""

from __future__ import annotations

import atexit
import copy
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
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
        """(inputs `[N, T, in]`, targets `[N, T, out]`) that the run held out."""
        from safetensors.numpy import load_file

        path = self.folder / f"{self.name.lower()}.validation.safetensors"
        check(path.is_file(), f"{self.name}: the run left no held-out items", expected=str(path))
        arrays = load_file(path)
        return arrays["inputs"], arrays["targets"].astype(np.float64)

    @cached_property
    def losses(self) -> Mapping[str, float]:
        """Losses on the held-out items: `model`, `stateless` (state cleared at each frame), `constant`, `least`."""
        inputs, targets = self.held_out
        loss = LOSSES[five_models.specs()[self.name]["loss"]]
        constant = np.broadcast_to(best_constant(targets), targets.shape)
        return {
            "model": loss(self._outputs(inputs, reset_each_frame=False), targets),
            "stateless": loss(self._outputs(inputs, reset_each_frame=True), targets),
            "constant": loss(constant, targets),
            "least": loss(targets, targets),
        }

    @property
    def skill(self) -> float:
        return skill(self.losses["model"], self.losses["constant"], self.losses["least"])

    def _outputs(self, inputs: np.ndarray, *, reset_each_frame: bool) -> np.ndarray:
        return np.stack([oracle.evaluate(self.model, item, reset_each_frame=reset_each_frame) for item in inputs])


_runs: dict[tuple[str, str], tuple[Path, Mapping[str, Any]]] = {}


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
    for name, dataset in values["datasets"].items():
        target = temporary_folder() / name
        shuffle_labels(dataset["kind"], Path(dataset["path"]), target, seed)
        dataset["path"] = str(target)
    return values


def trained(trainer: Any, values: Mapping[str, Any], variant: str) -> dict[str, Trained]:
    """What a trainer makes of a config, by model; run once per trainer and variant and kept for the session."""
    key = (trainer.connection, variant)
    if key not in _runs:
        folder = temporary_folder()
        _runs[key] = folder, trainer.train(values, folder, timeout=TIMEOUT_SECONDS)
    folder, metrics = _runs[key]
    return {name: Trained(name, folder, metrics.get("models", {}).get(name, {})) for name in values["models"]}


def quick(trainer: Any) -> Trained:
    """The run over `QUICK` alone that all share who need no more."""
    return trained(trainer, config([QUICK], epochs=QUICK_EPOCHS), "quick")[QUICK]


def temporary_folder() -> Path:
    """A folder that goes when the process does."""
    folder = Path(tempfile.mkdtemp(prefix="rtconform-training-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
