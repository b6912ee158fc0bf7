"""A small trainer that is right: NumPy, one model of the five, checkpoints, exact resume.

The wrong ones differ from it in one method each. It shares no code with any trainer that is judged, which makes it a
second good implementation as well.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save

from ..five_models import specs
from . import toy_data
from .toy_data import ConfigError, Item
from .toy_network import Adam, Arrays, Network

MODEL = "DynamicsEngine"
STEM = MODEL.lower()
KIND = "midi-folder"
CHECKPOINT = f"{STEM}.checkpoint.safetensors"
FREE = ("resume", "training.epochs", "training.workers")
"""What may differ between a checkpoint and the run that goes on from it."""

Progress = Callable[[Mapping[str, Any]], None]


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


KEYS: Mapping[str, tuple[Any, Callable[[Any], bool], str]] = {
    "training.epochs": (50, _whole(1), "a whole number of at least 1"),
    "training.learning_rate": (0.001, lambda v: isinstance(v, float) and 0 < v < 1, "a number between 0 and 1"),
    "training.batch_size": (4, _whole(1), "a whole number of at least 1"),
    "training.workers": (0, _whole(0), "a whole number of at least 0"),
    "training.early_stopping.enabled": (True, _flag, "true or false"),
    "training.early_stopping.patience": (10, _whole(1), "a whole number of at least 1"),
    "training.early_stopping.min_delta": (0.001, lambda v: isinstance(v, float) and 0 <= v < 1, "a number from 0 to 1"),
    "seed": (2, _whole(0), "a whole number of at least 0"),
    "device": ("cpu", lambda v: v in ("cpu", "auto"), "cpu or auto"),
    "resume": (False, _flag, "true or false"),
}
"""Each key with its default, its check, and what is expected."""


@dataclass
class State:
    """All that decides how a training goes on, after `epoch` epochs."""

    network: Network
    adam: Adam
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: Arrays = field(default_factory=list)
    best_loss: float = math.inf
    reference: float = math.inf
    waited: int = 0


class ToyTrainer:
    """The Trainer role for DynamicsEngine alone."""

    name = "toy-trainer"
    features: Sequence[str] = (
        *(MODEL, "best_weights", "early_stopping", "resume", "workers"),
        *("provenance", "model_card"),
    )

    @property
    def declares(self) -> dict[str, Any]:
        return {"name": self.name, "version": "1.0", "role": "trainer", "features": [*self.features]}

    def train(self, config: Mapping[str, Any], out_dir: str, progress: Progress | None = None) -> dict[str, Any]:
        plan, source = self.plan(config)
        items, left_out = self.read(source)
        if not items:
            raise ConfigError(f"{source}: expected files to train on, found none that can be used: {left_out[:3]}")
        plan["data"] = toy_data.digest(items)
        training, validation = self.split(items, plan)
        folder = Path(out_dir)
        state = self.resumed(plan, folder) or State(self.initial(plan), Adam(plan["training.learning_rate"]))
        folder.mkdir(parents=True, exist_ok=True)
        while state.epoch < plan["training.epochs"] and not self.is_over(plan, state):
            self.one_epoch(plan, state, training, validation)
            self.save_checkpoint(plan, state, folder, lambda: (progress or (lambda _: None))(self.line(state)))
        return self.written(config, state, folder, training, validation, left_out)

    # The config

    def plan(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
        """(the value of each of KEYS, the data set's folder). Raises ConfigError."""
        given = self.given(config)
        for key, value in given.items():
            if key not in KEYS:
                raise ConfigError(f"$.{key}: unknown key; known are {', '.join(KEYS)}")
            if not KEYS[key][1](value):
                raise ConfigError(f"$.{key}: expected {KEYS[key][2]}, found {value!r}")
        return {key: given.get(key, default) for key, (default, *_) in KEYS.items()}, self.source(config)

    def given(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The config without models and data sets, as {dotted key: value}."""
        return _flat({key: value for key, value in config.items() if key not in ("models", "datasets")})

    def source(self, config: Mapping[str, Any]) -> Path:
        """The folder of the data set that the model names. Raises ConfigError."""
        models, datasets = config.get("models", {}), config.get("datasets", {})
        for name in models:
            if name != MODEL:
                raise ConfigError(f"$.models.{name}: expected {MODEL}, the only one that is trained here")
        wanted = models.get(MODEL, {}).get("dataset")
        if wanted not in datasets:
            raise ConfigError(f"$.models.{MODEL}.dataset: expected one of {', '.join(datasets)}, found {wanted!r}")
        if datasets[wanted].get("kind") != KIND:
            raise ConfigError(f"$.datasets.{wanted}.kind: expected {KIND!r}, found {datasets[wanted].get('kind')!r}")
        for where, entries, known in (("models", models, ("dataset",)), ("datasets", datasets, ("kind", "path"))):
            for name, entry in entries.items():
                self.check_keys(f"$.{where}.{name}", entry, known)
        return Path(str(datasets[wanted].get("path")))

    def check_keys(self, where: str, entry: Mapping[str, Any], known: Sequence[str]) -> None:
        """Raises ConfigError for an entry of models or datasets with a key that isn't known."""
        for key in entry:
            if key not in known:
                raise ConfigError(f"{where}.{key}: unknown key; known are {', '.join(known)}")

    # The data

    def read(self, source: Path) -> tuple[list[Item], list[tuple[str, str]]]:
        """(items, [(name, why it was left out)]). Raises ConfigError."""
        items, left_out = [], []
        for name, entry in toy_data.read_table(source).items():
            emotion = self.label(entry, f"{source}, {name}")
            try:
                content = (source / name).read_bytes()
                items.append(toy_data.item(name, content, entry.get("composition", name), *emotion))
            except (OSError, ValueError) as error:
                left_out.append((name, str(error)))
        return items, left_out

    def label(self, entry: Any, where: str) -> tuple[float, float]:
        return toy_data.read_label(entry, where)

    def split(self, items: Sequence[Item], plan: Mapping[str, Any]) -> tuple[list[Item], list[Item]]:
        return toy_data.split(items, self.families(items), plan["seed"])

    def families(self, items: Sequence[Item]) -> dict[str, str]:
        return toy_data.families(items)

    # The training

    def initial(self, plan: Mapping[str, Any]) -> Network:
        return Network.drawn(specs()[MODEL]["layers"], np.random.default_rng(plan["seed"]))

    def one_epoch(
        self, plan: Mapping[str, Any], state: State, training: Sequence[Item], validation: Sequence[Item]
    ) -> None:
        state.epoch += 1
        inputs, targets = (array.reshape(-1, array.shape[-1]) for array in self.arrays(training))
        losses = []
        order = self.order(plan, state, len(inputs))
        for begin in range(0, len(inputs), plan["training.batch_size"] * toy_data.FRAMES):
            batch = order[begin : begin + plan["training.batch_size"] * toy_data.FRAMES]
            loss, gradients = state.network.gradients(inputs[batch], targets[batch])
            state.adam.step(state.network.weights, gradients)
            losses.append(loss)
        loss = self.evaluated(state.network, *self.held_out(validation))
        state.history.append({"epoch": state.epoch, "loss": float(np.mean(losses)), "validation_loss": loss})
        if loss < state.best_loss:
            state.best, state.best_loss = copy.deepcopy(state.network.weights), loss
        improved = loss < state.reference * (1.0 - plan["training.early_stopping.min_delta"])
        if improved or state.reference == math.inf:
            state.reference, state.waited = loss, 0
        else:
            state.waited += 1

    def order(self, plan: Mapping[str, Any], state: State, count: int) -> np.ndarray:
        """The order of an epoch's frames, from nothing but the seed and the epoch's number."""
        return np.random.default_rng([plan["seed"], state.epoch]).permutation(count)

    def evaluated(self, network: Network, inputs: np.ndarray, targets: np.ndarray) -> float:
        return network.loss(inputs, targets)

    def is_over(self, plan: Mapping[str, Any], state: State) -> bool:
        return plan["training.early_stopping.enabled"] and state.waited >= plan["training.early_stopping.patience"]

    def held_out(self, validation: Sequence[Item]) -> tuple[np.ndarray, np.ndarray]:
        return self.arrays(validation)

    def arrays(self, items: Sequence[Item]) -> tuple[np.ndarray, np.ndarray]:
        """(inputs `[N, T, in]`, targets `[N, T, out]`) of some items."""
        pairs = ([of.inputs for of in items], [of.targets for of in items])
        # safetensors writes an array's bytes as they lie, and those of equal frames needn't lie in the order of frames.
        return tuple(np.ascontiguousarray(np.concatenate(arrays)) for arrays in pairs)

    def line(self, state: State) -> dict[str, Any]:
        """What progress says of the last epoch."""
        return {"model": MODEL, **state.history[-1]}

    # Checkpoints

    def save_checkpoint(self, plan: Mapping[str, Any], state: State, folder: Path, report: Callable[[], None]) -> None:
        """The checkpoint first: what has been reported is never lost."""
        self.write(folder / CHECKPOINT, self.packed(plan, state))
        report()

    def packed(self, plan: Mapping[str, Any], state: State) -> bytes:
        groups = {"weights": state.network.weights, "best": state.best}
        groups |= {"first": state.adam.first, "second": state.adam.second}
        arrays = {f"{name}.{index}": array for name, group in groups.items() for index, array in enumerate(group)}
        names = ("epoch", "history", "best_loss", "reference", "waited")
        values = {name: getattr(state, name) for name in names} | {"plan": _digest(plan), "steps": state.adam.steps}
        return save(arrays, {"state": json.dumps(values)})

    def resumed(self, plan: Mapping[str, Any], folder: Path) -> State | None:
        """The state of the checkpoint in the folder, if one is there and asked for. Raises ConfigError."""
        path = folder / CHECKPOINT
        if not plan["resume"] or not path.is_file():
            return None
        values, arrays = _unpacked(path)
        self.check_same(values.pop("plan"), plan, path)
        groups = {
            name: [arrays[f"{name}.{index}"] for index in range(len(arrays) // 4)]
            for name in ("weights", "best", "first", "second")
        }
        network = self.initial(plan)
        network.weights = groups["weights"]
        adam = Adam(plan["training.learning_rate"], values.pop("steps"), groups["first"], groups["second"])
        return State(network, adam, best=groups["best"], **values)

    def check_same(self, digest: str, plan: Mapping[str, Any], path: Path) -> None:
        if digest != _digest(plan):
            raise ConfigError(
                f"$.resume: expected the config that {path} was made with, found another; train without resume, "
                "or into another folder"
            )

    # The files

    def written(
        self,
        config: Mapping[str, Any],
        state: State,
        folder: Path,
        training: Sequence[Item],
        validation: Sequence[Item],
        left_out: Sequence[tuple[str, str]],
    ) -> dict[str, Any]:
        """Writes what a training leaves, and returns the metrics."""
        network = Network(state.network.activations, self.chosen(state))
        inputs, targets = self.held_out(validation)
        exported = json.dumps({"in_shape": [None, None, toy_data.SIZE], "layers": network.layers()}).encode()
        sides = {"training": training, "validation": validation}
        metrics = {
            "validation_loss": state.best_loss,
            "history": state.history,
            "items": {side: [of.name for of in items] for side, items in sides.items()},
            "left_out": [*left_out],
            "export_sha256": self.digest(exported),
            "content_sha256": {side: [of.content for of in items] for side, items in sides.items()},
        }
        self.write(folder / f"{STEM}.json", exported)
        self.write(folder / f"{STEM}.validation.safetensors", save({"inputs": inputs, "targets": targets}))
        metrics = self.reported(metrics)
        document = {"models": {MODEL: metrics}, "config": self.stated(config), "git": None}
        self.write(folder / f"{STEM}.card.md", self.card(metrics).encode())
        self.write(folder / "metrics.json", json.dumps(document).encode())
        return document

    def digest(self, exported: bytes) -> str:
        return hashlib.sha256(exported).hexdigest()

    def stated(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """The config as the metrics have it."""
        return config

    def card(self, metrics: Mapping[str, Any]) -> str:
        """The model card."""
        loss, digest = metrics["validation_loss"], metrics["export_sha256"]
        return f"# {MODEL}\n\nValidation loss {loss:.6g}; the sha256 of the file is {digest}.\n"

    def chosen(self, state: State) -> Arrays:
        """The weights that are kept."""
        return state.best

    def reported(self, metrics: dict[str, Any]) -> dict[str, Any]:
        return metrics

    def write(self, path: Path, data: bytes) -> None:
        """Whole or not at all."""
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        with open(descriptor, "wb") as stream:
            stream.write(data)
        Path(name).replace(path)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def _digest(plan: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in plan.items() if key not in FREE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _unpacked(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(values, arrays) of a checkpoint."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as stream:
        return json.loads(stream.metadata()["state"]), load_file(path)


def toy_trainer() -> ToyTrainer:
    """The factory that a connection names."""
    return ToyTrainer()
