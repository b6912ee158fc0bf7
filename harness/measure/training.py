"""Training runs seen from outside: which models a trainer is asked for, with which config, once for all who look."""

from __future__ import annotations

import atexit
import copy
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .. import five_models
from ..implementations.remote import START_SECONDS, RemoteTrainer
from ..judging import check
from ..paths import FIXTURES
from . import training_sets
from .trained import Trained

BASE: Mapping[str, Any] = json.loads(Path(__file__).with_name("training.json").read_text(encoding="utf-8"))
TIMEOUT_SECONDS = 900.0
QUICK = "DynamicsEngine"
"""The model that trains in no time, for what shows in any training."""

QUICK_EPOCHS = 3
BUMPY_EPOCHS = 10
BUMPY_RATES = (0.05, 0.02, 0.1)
"""Learning rates at which the validation loss goes up and down, tried in turn."""

NEVER_AN_IMPROVEMENT = 0.99
"""No epoch after the first takes that much of the loss away."""

WORSE = 1.01
"""By how much a loss is above another that it can't be mistaken for: far more than rounding makes."""

_runs: dict[tuple[str, str], Mapping[str, Trained]] = {}


def models_of(trainer: Any) -> list[str]:
    """The models that a trainer trains: those of the five that it declares as features, all if it declares none."""
    declared = [name for name in five_models.specs() if name in trainer.declaration.features]
    return declared or list(five_models.specs())


def names(trainer: Any, profile: str) -> list[str]:
    """The models that a profile trains: one recurrent and one feed-forward for smoke, else all that the trainer can."""
    known = models_of(trainer)
    if profile != "smoke" or set(five_models.SMOKE) <= set(known):
        return [name for name in known if profile != "smoke" or name in five_models.SMOKE]
    groups = ([name for name in known if is_recurrent(name) == recurrent] for recurrent in (True, False))
    return [group[-1] for group in groups if group]


def is_recurrent(name: str) -> bool:
    """Whether the specification of a model has a recurrent layer."""
    return any(layer["type"] in ("lstm", "gru") for layer in five_models.specs()[name]["layers"])


def quick_name(trainer: Any) -> str:
    """The model of a trainer by which it is shown what shows in any training."""
    known = models_of(trainer)
    return QUICK if QUICK in known else known[-1]


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


def quick_config(trainer: Any, *, other_seed: bool = False, **training: Any) -> dict[str, Any]:
    """The config of a short training of the trainer's quick model."""
    return config([quick_name(trainer)], other_seed=other_seed, **{"epochs": QUICK_EPOCHS, **training})


def trained(trainer: Any, values: Mapping[str, Any], variant: str) -> Mapping[str, Trained]:
    """What a trainer makes of a config, by model; run once per trainer and variant and kept for the session."""
    key = (trainer.connection, variant)
    if key not in _runs:
        _runs[key] = train(trainer, values, temporary_folder())
    return _runs[key]


def train(trainer: Any, values: Mapping[str, Any], folder: Path) -> Mapping[str, Trained]:
    """What a trainer makes of a config in a folder, by model."""
    lines: list[Mapping[str, Any]] = []
    metrics = trainer.train(values, folder, lines.append, timeout=TIMEOUT_SECONDS).get("models", {})
    return {name: Trained(name, folder, metrics.get(name, {}), lines) for name in values["models"]}


def quick(trainer: Any, variant: str = "quick", *, other_seed: bool = False, **training: Any) -> Trained:
    """A short training of the trainer's quick model; the run of no variant is the one that all compare with."""
    values = quick_config(trainer, other_seed=other_seed, **training)
    return trained(trainer, values, variant)[quick_name(trainer)]


def in_a_process(trainer: Any) -> RemoteTrainer:
    """The trainer behind a process of its own: for `cmd:` it has one, else it is one of the suite's around it.

    Strings have other hashes there, and so sets of them another order, whatever the suite was started with.
    """
    if isinstance(trainer, RemoteTrainer):
        return trainer
    python = ["env", "PYTHONHASHSEED=random", sys.executable]
    serve = [*python, "-m", "rtconform.harness.implementations.serve", trainer.connection, "--role", "trainer"]
    return RemoteTrainer(serve, trainer.connection, timeout=START_SECONDS)


def again(trainer: Any) -> Trained:
    """The run of no variant once more, in another process."""
    key = (trainer.connection, "again")
    if key not in _runs:
        _runs[key] = train(in_a_process(trainer), quick_config(trainer), temporary_folder())
    return _runs[key][quick_name(trainer)]


def stopping(patience: int) -> dict[str, Any]:
    """Settings with which training stops after 1 + `patience` epochs, since no epoch after the first is better enough.

    There are two epochs more than that.
    """
    stopping = {"enabled": True, "patience": patience, "min_delta": NEVER_AN_IMPROVEMENT}
    return {"epochs": patience + 3, "early_stopping": stopping}


def stopped(trainer: Any, patience: int) -> Trained:
    """The quick run that stops early."""
    return quick(trainer, f"patience {patience}", **stopping(patience))


def first_epoch(trainer: Any, name: str) -> Trained:
    """A model after one epoch of what it is trained for."""
    return trained(trainer, config([name], epochs=1), f"first epoch of {name}")[name]


def bumpy(trainer: Any) -> tuple[dict[str, Any], Trained] | None:
    """(config, run) of a training of the quick model whose last epoch is not its best; None if there was none.

    A run is cut short at an epoch that was worse than one before, which a trainer that gives the same twice repeats.
    """
    for rate in BUMPY_RATES:
        epochs = BUMPY_EPOCHS
        for attempt in ("first", "cut"):
            values = quick_config(trainer, epochs=epochs, learning_rate=rate)
            run = trained(trainer, values, f"bumpy {rate} {attempt}")[quick_name(trainer)]
            losses = run.validation_losses
            worse = [index for index in range(1, len(losses)) if losses[index] > WORSE * min(losses[:index])]
            if losses[-1] > WORSE * min(losses):
                return values, run
            if not worse:
                break
            epochs = worse[-1] + 1
    return None


def with_sets(values: Mapping[str, Any], paths: Mapping[str, Path]) -> dict[str, Any]:
    """The same config on other copies of its data sets, by their names."""
    values = copy.deepcopy(dict(values))
    for name, path in paths.items():
        values["datasets"][name]["path"] = str(path)
    return values


def only_set(values: Mapping[str, Any]) -> tuple[str, str, Path]:
    """(name, kind, path) of the data set of a config for one model."""
    ((name, dataset),) = values["datasets"].items()
    return name, dataset["kind"], Path(dataset["path"])


def shuffled(values: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The same config on copies of its data sets with shuffled labels."""
    sets = values["datasets"].items()
    return with_sets(values, {name: _shuffled_set(each["kind"], Path(each["path"]), seed) for name, each in sets})


def relabelled(values: Mapping[str, Any], items: Iterable[str]) -> dict[str, Any]:
    """The config of one model on a copy of its data set in which some items have other labels.

    Raises RequirementFailed for items that are called otherwise than in the data set's table.
    """
    name, kind, path = only_set(values)
    items = frozenset(items)
    unknown = sorted(items - training_sets.compositions(kind, path).keys())
    check(not unknown, "items are called otherwise than in the table of the data set", items=unknown[:5])
    return with_sets(values, {name: _relabelled_set(kind, path, items)})


# The same copies for all trainers: known-bads that share a good one share its runs too.


@cache
def _shuffled_set(kind: str, path: Path, seed: int) -> Path:
    target = temporary_folder() / path.name
    training_sets.shuffle_labels(kind, path, target, seed)
    return target


@cache
def _relabelled_set(kind: str, path: Path, items: frozenset[str]) -> Path:
    target = temporary_folder() / path.name
    training_sets.change_labels(kind, path, target, items)
    return target


@cache
def set_with_twins(kind: str, path: Path) -> tuple[Path, Mapping[str, str]]:
    """(a copy of a data set in which some items come twice, {item: its twin})."""
    target = temporary_folder() / path.name
    return target, training_sets.add_twins(kind, path, target)


@cache
def damaged_set(fault: str, kind: str, path: Path) -> tuple[Path, str]:
    """(a damaged copy of a data set, the name of the item or of the folder at fault)."""
    target = temporary_folder() / f"damaged-{fault}"
    return target, training_sets.damage(fault, kind, path, target)


def temporary_folder() -> Path:
    """A folder that goes when the process does."""
    folder = Path(tempfile.mkdtemp(prefix="rtconform-training-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
