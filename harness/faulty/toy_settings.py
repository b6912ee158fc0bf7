"""Trainers that are wrong about their config, in one way each: the toy trainer with a method that makes the mistake."""

from __future__ import annotations

import math
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..paths import FIXTURES
from . import toy_data
from .naming import factories
from .toy_network import Network
from .toy_trainer import KEYS, MODEL, Progress, State
from .toy_trainers import Wrong


class TrnUnseeded(Wrong):
    """The initial weights are others each time."""

    def initial(self, plan: Mapping[str, Any]) -> Network:
        return super().initial({**plan, "seed": secrets.randbelow(2**31)})


class TrnSeededByHash(Wrong):
    """The seed is made from the hash of a string, which each process has its own of."""

    def initial(self, plan: Mapping[str, Any]) -> Network:
        return super().initial({**plan, "seed": hash((MODEL, plan["seed"])) % 2**31})


class TrnIgnoresSeed(Wrong):
    def plan(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
        plan, source = super().plan(config)
        return {**plan, "seed": 1}, source


class Fixed(Wrong):
    """Keeps some settings as they are by default, whatever the config says."""

    keys: Sequence[str] = ()

    def plan(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
        plan, source = super().plan(config)
        return {**plan, **{key: KEYS[key][0] for key in self.keys}}, source


class TrnIgnoresLearningRate(Fixed):
    keys = ("training.learning_rate",)


class TrnIgnoresEpochs(Wrong):
    def plan(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
        plan, source = super().plan(config)
        return {**plan, "training.epochs": 3}, source


class TrnOneEpochMore(Wrong):
    def plan(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
        plan, source = super().plan(config)
        return {**plan, "training.epochs": plan["training.epochs"] + 1}, source


class TrnIgnoresBatchSize(Fixed):
    keys = ("training.batch_size",)


class TrnNeverStops(Wrong):
    """Early stopping is accepted and ignored."""

    features = (MODEL, "early_stopping")

    def is_over(self, plan: Mapping[str, Any], state: State) -> bool:
        return False


class TrnHasNoPatience(Wrong):
    """The first epoch without an improvement is the last."""

    features = (MODEL, "early_stopping")

    def is_over(self, plan: Mapping[str, Any], state: State) -> bool:
        return super().is_over({**plan, "training.early_stopping.patience": 1}, state)


class TrnAlwaysStops(Fixed):
    """Early stopping can't be switched off."""

    features = (MODEL, "early_stopping")
    keys = ("training.early_stopping.enabled",)


class TrnWorkersMatter(Wrong):
    """Each data worker shuffles what it was given."""

    features = (MODEL, "workers")

    def order(self, plan: Mapping[str, Any], state: State, count: int) -> np.ndarray:
        order = super().order(plan, state, count)
        workers = max(plan["training.workers"], 1)
        return np.concatenate([order[worker::workers] for worker in range(workers)])


class TrnTakesAnything(Wrong):
    """Drops keys that it doesn't know, and takes a default for values that can't be."""

    def given(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in super().given(config).items() if key in KEYS and KEYS[key][1](value)}

    def source(self, config: Mapping[str, Any]) -> Path:
        try:
            source = super().source(config)
        except toy_data.ConfigError:
            source = Path()
        return source if source.is_dir() and source != Path() else FIXTURES / "datasets" / "midi"


class Correcting(Wrong):
    """Makes something that it can work with of a value that can't be."""

    keys: Sequence[str] = ()

    def given(self, config: Mapping[str, Any]) -> dict[str, Any]:
        given = super().given(config)
        return {key: self.corrected(value) if key in self.keys else value for key, value in given.items()}

    def corrected(self, value: Any) -> Any:
        return value


class TrnTakesNan(Correcting):
    """Refuses what is 0 or less, which NaN isn't."""

    keys = ("training.learning_rate",)

    def corrected(self, value: Any) -> Any:
        return 0.001 if isinstance(value, float) and math.isnan(value) else value


class TrnRoundsNumbers(Correcting):
    """Makes a whole number of what should be one."""

    keys = ("seed", "training.batch_size")

    def corrected(self, value: Any) -> Any:
        return int(value) if isinstance(value, float) else value


class TrnTakesNegativeWorkers(Correcting):
    """Has no workers if there are fewer than none."""

    keys = ("training.workers",)

    def corrected(self, value: Any) -> Any:
        return max(value, 0)


class TrnTakesKeysOfEntries(Wrong):
    """Looks for unknown keys in the sections, and not in their models and data sets."""

    def check_keys(self, where: str, entry: Mapping[str, Any], known: Sequence[str]) -> None:
        """Checks nothing."""


class TrnRefusesNamelessly(Wrong):
    """Something is wrong, and nobody learns what."""

    def train(self, config: Mapping[str, Any], out_dir: str, progress: Progress | None = None) -> dict[str, Any]:
        try:
            return super().train(config, out_dir, progress)
        except toy_data.ConfigError:
            raise toy_data.ConfigError("the configuration is not valid") from None


class TrnClearsFirst(Wrong):
    """Makes room for its results before it knows whether there will be any."""

    def train(self, config: Mapping[str, Any], out_dir: str, progress: Progress | None = None) -> dict[str, Any]:
        if not config.get("resume"):
            shutil.rmtree(out_dir, ignore_errors=True)
            Path(out_dir).mkdir(parents=True)
        return super().train(config, out_dir, progress)


__getattr__: Callable[[str], Callable[[], Any]] = factories(globals(), "trn")
