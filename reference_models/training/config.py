"""The training config: what a JSON file says, merged over the defaults of config.json, as a plan.

Every refusal is a ConfigError that starts with the JSON path of the fault and says what was expected and found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from ..errors import ConfigError
from ..specs import ModelSpec, load_specs
from .schema import PER_MODEL, check_config, nearest, refuse

DEFAULTS_FILE = Path(__file__).resolve().parents[1] / "config.json"


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes: not at all, along a cosine to 0 in the last epoch, or by `factor`.

    By `factor` either after each `every` epochs (step), or after `patience` epochs without a better validation loss
    (plateau).
    """

    kind: str
    factor: float
    patience: int
    every: int


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs without an improvement of more than `min_delta`, relative to the best loss."""

    enabled: bool
    patience: int
    min_delta: float


@dataclass(frozen=True)
class Checkpointing:
    """What is written while a model is trained: best weights, latest checkpoint, one each `every` epochs (0: none)."""

    best: bool
    latest: bool
    every: int


@dataclass(frozen=True)
class ModelPlan:
    """How one model is trained; `dataset` is the config's entry, `dataset_path` its JSON path for messages.

    With `carry_state` the sequences of a recording follow each other and the state goes on from one to the next;
    without, sequences are shuffled and each starts from zero state.
    """

    spec: ModelSpec
    loss: str
    optimizer: str
    learning_rate: float
    weight_decay: float
    clip_norm: float | None
    epochs: int
    batch_size: int
    sequence_length: int
    carry_state: bool
    schedule: Schedule
    precision: str
    early_stopping: EarlyStopping
    dataset: dict
    dataset_path: str

    @property
    def stem(self) -> str:
        """What the names of its files begin with."""
        return self.spec.name.lower()


@dataclass(frozen=True)
class Plan:
    """A whole config, checked. `log_seconds` is the least time between two progress lines.

    `config` is the JSON value with every default filled in, without `resume`, which changes no result, and
    `config_sha256` that of its bytes with sorted keys. Each of the
    `parallel_models` that are trained at once has `threads` threads and `workers` processes that fetch its batches;
    of these only `threads` can change a result. `resamples` is that of the bootstrap.
    """

    config: dict
    config_sha256: str
    models: tuple[ModelPlan, ...]
    validation_fraction: float
    checkpointing: Checkpointing
    log_seconds: float
    export: bool
    evaluation: bool
    resamples: int
    threads: int
    workers: int
    parallel_models: int
    device: str
    resume: bool
    seed: int


def default_config() -> dict:
    """The default config: all five models on the bundled data."""
    return json.loads(DEFAULTS_FILE.read_text(encoding="utf-8"))


def plan(config: Mapping[str, object]) -> Plan:
    """The checked plan of a config, which needs to say only what differs from the defaults.

    The models named under "models" are trained, all five if there is no such key. Raises ConfigError.
    """
    check_config(config)
    defaults = default_config()
    merged = _merged(defaults, config)
    if "models" in config:
        merged["models"] = {name: _merged(defaults["models"][name], entry) for name, entry in config["models"].items()}
    if not merged["models"]:
        refuse("$.models", f"at least one of {', '.join(load_specs().models)}", {})
    resume = merged.pop("resume")
    training = merged["training"]
    return Plan(
        config=merged,
        config_sha256=_sha256(merged),
        models=tuple(_model_plan(name, merged) for name in load_specs().models if name in merged["models"]),
        validation_fraction=training["validation_fraction"],
        checkpointing=Checkpointing(**training["checkpointing"]),
        log_seconds=training["logging"]["seconds"],
        export=merged["export"]["enabled"],
        evaluation=merged["evaluation"]["enabled"],
        resamples=merged["evaluation"]["resamples"],
        threads=training["threads"],
        workers=training["workers"],
        parallel_models=training["parallel_models"],
        device=merged["device"],
        resume=resume,
        seed=merged["seed"],
    )


def _sha256(config: dict) -> str:
    """The config's hash. Raises ConfigError for what couldn't be written to metrics.json after all the training."""
    try:
        return hashlib.sha256(orjson.dumps(config, option=orjson.OPT_SORT_KEYS)).hexdigest()
    except TypeError as error:
        raise ConfigError(
            f"$: expected a config of texts in Unicode and whole numbers of at most 64 bits, found one of which "
            f"orjson says: {error}; correct it"
        ) from None


def _merged(default: object, given: object) -> object:
    if not isinstance(default, Mapping) or not isinstance(given, Mapping):
        return given
    return {**default, **{key: _merged(default.get(key), entry) for key, entry in given.items()}}


def _model_plan(name: str, config: dict) -> ModelPlan:
    spec, path = load_specs().models[name], f"$.models.{name}"
    entry, datasets, training = config["models"][name], config["datasets"], config["training"]
    for key in ("input_size", "output_size"):
        if entry[key] != getattr(spec, key):
            refuse(f"{path}.{key}", f"{getattr(spec, key)}, the size of {name}", entry[key])
    if entry["loss"] == "bce" and spec.output_range != (0, 1):
        refuse(f"{path}.loss", f"a loss for outputs in {list(spec.output_range)}: mse", "bce")
    if entry["loss"] == "kl_div" and spec.layers[-1].activation != "softmax":
        refuse(f"{path}.loss", f"a loss for {spec.layers[-1].activation} outputs, which are no distribution", "kl_div")
    if entry["dataset"] not in datasets:
        near = nearest(entry["dataset"], datasets)
        refuse(f"{path}.dataset", f"one of $.datasets: {', '.join(datasets)}{near}", entry["dataset"])
    return ModelPlan(
        spec=spec,
        loss=entry["loss"],
        schedule=Schedule(**training["schedule"]),
        precision=training["precision"],
        early_stopping=EarlyStopping(**training["early_stopping"]),
        dataset=dict(datasets[entry["dataset"]]),
        dataset_path=f"$.datasets.{entry['dataset']}",
        **{key: entry.get(key, training[key]) for key in PER_MODEL},
    )
