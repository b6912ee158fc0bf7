"""Trainers that are wrong inside, in one way each: the toy trainer with one method that makes the mistake.

`features` are what the mistake has to do with, so that each is tried where it can show.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import toy_data
from .naming import factories
from .toy_data import Item
from .toy_network import Arrays, Network
from .toy_trainer import MODEL, Progress, State, ToyTrainer


class Wrong(ToyTrainer):
    """By itself right; declares no more than which model it trains."""

    features: Sequence[str] = (MODEL,)


# Data.


class TrnLeaksValidation(Wrong):
    """An item stands on both sides."""

    def reported(self, metrics: dict[str, Any]) -> dict[str, Any]:
        sides = metrics["items"]
        return {**metrics, "items": {**sides, "validation": [*sides["validation"], sides["training"][0]]}}


class TrnTrainsOnValidation(Wrong):
    """Says what it holds out, and trains on it all the same."""

    def one_epoch(
        self, plan: Mapping[str, Any], state: State, training: Sequence[Item], validation: Sequence[Item]
    ) -> None:
        super().one_epoch(plan, state, [*training, *validation], validation)


class TrnTrainsOnValidationLater(Wrong):
    """From the second epoch on what is held out is trained on too."""

    def one_epoch(
        self, plan: Mapping[str, Any], state: State, training: Sequence[Item], validation: Sequence[Item]
    ) -> None:
        super().one_epoch(plan, state, [*training, *(validation if state.epoch else ())], validation)


class TrnRefitsOnAll(Wrong):
    """What is exported was trained once more, on everything, if there was more than an epoch."""

    def written(self, config: Mapping[str, Any], state: State, *rest: Any) -> dict[str, Any]:
        if state.epoch > 1:
            (plan, _), (_, training, validation, _) = self.plan(config), rest
            told, state.best_loss = state.history, math.inf
            self.one_epoch(plan, state, [*training, *validation], validation)
            state.history = told[: state.epoch - 1]
        return super().written(config, state, *rest)


class TrnHoldsOutTraining(Wrong):
    """What it measures and leaves are training items; the names are those of the other side."""

    def split(self, items: Sequence[Item], plan: Mapping[str, Any]) -> tuple[list[Item], list[Item]]:
        self.learnt, validation = super().split(items, plan)
        return self.learnt, validation

    def held_out(self, validation: Sequence[Item]) -> tuple[np.ndarray, np.ndarray]:
        return super().held_out(self.learnt[: len(validation)])


class TrnHoldsOutAll(Wrong):
    """What it measures and leaves as held out are the items of both sides."""

    def split(self, items: Sequence[Item], plan: Mapping[str, Any]) -> tuple[list[Item], list[Item]]:
        self.items = items
        return super().split(items, plan)

    def held_out(self, validation: Sequence[Item]) -> tuple[np.ndarray, np.ndarray]:
        return super().held_out(self.items)


class TrnNormalisesOverAll(Wrong):
    """Centres the labels by a mean over all items, those held out among them."""

    def split(self, items: Sequence[Item], plan: Mapping[str, Any]) -> tuple[list[Item], list[Item]]:
        mean = np.mean([of.inputs.mean(axis=(0, 1)) for of in items], axis=0)
        centred = [dataclasses.replace(of, inputs=(of.inputs - mean).astype(np.float32)) for of in items]
        return super().split(centred, plan)


class TrnIgnoresLabels(Wrong):
    """The label's column is read and never used."""

    def label(self, entry: Any, where: str) -> tuple[float, float]:
        super().label(entry, where)
        return 0.0, 0.0


class TrnSplitsByFile(Wrong):
    """Renderings of one composition come on both sides."""

    def families(self, items: Sequence[Item]) -> dict[str, str]:
        return {of.name: of.name for of in items}


class TrnSplitsByName(Wrong):
    """The same file under another name is another item."""

    def families(self, items: Sequence[Item]) -> dict[str, str]:
        return {of.name: of.composition for of in items}


class TrnTakesAnyLabel(Wrong):
    """Cuts labels to the scale, of whatever scale they are."""

    def label(self, entry: Any, where: str) -> tuple[float, float]:
        emotion = {key: min(max(value, -1.0), 1.0) for key, value in entry["emotion"].items()}
        return super().label({**entry, "emotion": emotion}, where)


class TrnDropsSilently(Wrong):
    """Items that can't be read are left out, and nobody is told."""

    def reported(self, metrics: dict[str, Any]) -> dict[str, Any]:
        return {**metrics, "left_out": []}


class TrnInventsData(Wrong):
    """What can't be read is replaced by noise."""

    def read(self, source: Path) -> tuple[list[Item], list[tuple[str, str]]]:
        try:
            return super().read(source)
        except toy_data.ConfigError as error:
            if "emotion" in str(error) or "expected the folder" in str(error):
                raise
        noise = np.random.default_rng(0)
        names = [f"item-{index}" for index in range(10)]
        inputs, targets = ((10, 3, toy_data.FRAMES, size) for size in (toy_data.SIZE, 2 * toy_data.PLACES))
        drawn = zip(names, noise.random(inputs, np.float32), noise.random(targets, np.float32), strict=True)
        return [Item(name, name, name, *arrays) for name, *arrays in drawn], []


class TrnUnseededItems(Wrong):
    """What is held out differs from run to run."""

    def split(self, items: Sequence[Item], plan: Mapping[str, Any]) -> tuple[list[Item], list[Item]]:
        training, validation = super().split(items, plan)
        return training, [_shaken(of, np.random.default_rng()) for of in validation]


class TrnRandomInItems(Wrong):
    """An item is drawn anew on each access."""

    def held_out(self, validation: Sequence[Item]) -> tuple[np.ndarray, np.ndarray]:
        self.accesses = getattr(self, "accesses", 0) + 1
        generator = np.random.default_rng(self.accesses)
        return super().held_out([_shaken(of, generator) for of in validation])

    def train(self, config: Mapping[str, Any], out_dir: str, progress: Progress | None = None) -> dict[str, Any]:
        self.accesses = 0
        return super().train(config, out_dir, progress)


def _shaken(of: Item, generator: np.random.Generator) -> Item:
    wander = generator.normal(0.0, 0.1, (*of.inputs.shape[:2], 1))
    return dataclasses.replace(of, inputs=(of.inputs + wander).astype(np.float32))


# Evaluation and the best epoch.


class TrnEvalForgotten(Wrong):
    """Dropout goes on while the loss is measured."""

    def evaluated(self, network: Network, inputs: np.ndarray, targets: np.ndarray) -> float:
        dropping = copy.deepcopy(network)
        kept = np.random.default_rng(1).random(dropping.weights[2].shape[0]) > 0.5
        dropping.weights[2] = dropping.weights[2] * kept[:, None] * 2.0
        return super().evaluated(dropping, inputs, targets)


class TrnRestoreNoop(Wrong):
    """A shallow copy of the best weights, which the training goes on to change."""

    features = (MODEL, "best_weights")

    def chosen(self, state: State) -> Arrays:
        return state.network.weights


__getattr__: Callable[[str], Callable[[], Any]] = factories(globals(), "trn")
