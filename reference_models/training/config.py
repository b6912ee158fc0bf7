"""The training config: what a JSON file may say, checked strictly and merged over the defaults of config.json.

Every refusal is a ConfigError that starts with the JSON path of the fault and says what was expected and found.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from ..specs import ModelSpec, load_specs

DEFAULTS_FILE = Path(__file__).resolve().parents[1] / "config.json"
LOSSES = ("mse", "bce", "kl_div")
DEVICES = ("auto", "cpu", "cuda", "mps")
OPTIMIZERS = ("adam",)
# Shorter ones would train the recurrent models on little more than their state after a reset.
SHORTEST_SEQUENCE = 16

Check = Callable[[object, str], None]


@dataclass(frozen=True)
class ModelPlan:
    """How one model is trained; `dataset` is the config's entry, `dataset_path` its JSON path for messages."""

    spec: ModelSpec
    loss: str
    optimizer: str
    learning_rate: float
    epochs: int
    batch_size: int
    sequence_length: int
    dataset: dict
    dataset_path: str


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` epochs without an improvement of more than `min_delta`, relative to the best loss."""

    enabled: bool
    patience: int
    min_delta: float


@dataclass(frozen=True)
class Plan:
    """A whole config, checked. `log_seconds` is the least time between two progress lines.

    `config` is the JSON value with every default filled in. Each of the `parallel_models` that are trained at once has
    `threads` threads; only the latter can change a result.
    """

    config: dict
    models: tuple[ModelPlan, ...]
    validation_fraction: float
    early_stopping: EarlyStopping
    checkpoint_best: bool
    log_seconds: float
    export: bool
    threads: int
    parallel_models: int
    device: str
    seed: int


def _fail(path: str, expected: str, found: object) -> None:
    raise ConfigError(f"{path}: expected {expected}, found {found!r}")


def _whole(least: int, reason: str = "") -> Check:
    def check(value: object, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            _fail(path, f"a whole number of at least {least}{reason}", value)

    return check


def _number(low: float, high: float = math.inf, *, low_allowed: bool = False) -> Check:
    span = f"from {low}" if low_allowed else f"above {low}"
    span += f" and below {high}" if high < math.inf else ""

    def check(value: object, path: str) -> None:
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not plain or not (low < value < high or (low_allowed and value == low)):
            _fail(path, f"a number {span}", value)

    return check


def _one_of(known: Iterable[str]) -> Check:
    known = tuple(known)

    def check(value: object, path: str) -> None:
        if value not in known:
            _fail(path, f"one of {', '.join(known)}{_nearest(value, known)}", value)

    return check


def _flag(value: object, path: str) -> None:
    if not isinstance(value, bool):
        _fail(path, "true or false", value)


def _text(value: object, path: str) -> None:
    if not isinstance(value, str) or not value:
        _fail(path, "a text", value)


def _dataset(value: object, path: str) -> None:
    if not isinstance(value, Mapping):
        _fail(path, 'an object with "kind" and "path"', value)


# What a model may set for itself, in place of training's value.
_PER_MODEL = {
    "optimizer": _one_of(OPTIMIZERS),
    "learning_rate": _number(0, 1),
    "epochs": _whole(1),
    "batch_size": _whole(1),
    "sequence_length": _whole(SHORTEST_SEQUENCE, " frames, so that recurrent weights learn"),
}
_MODEL = {
    **_PER_MODEL,
    "input_size": _whole(1),
    "output_size": _whole(1),
    "loss": _one_of(LOSSES),
    "dataset": _text,
}
_SCHEMA = {
    "training": {
        **_PER_MODEL,
        "validation_fraction": _number(0, 1),
        "threads": _whole(1),
        "parallel_models": _whole(1),
        "early_stopping": {"enabled": _flag, "patience": _whole(1), "min_delta": _number(0, low_allowed=True)},
        "checkpointing": {"best": _flag},
        "logging": {"seconds": _number(0, low_allowed=True)},
    },
    "models": dict.fromkeys(load_specs().models, _MODEL),
    "datasets": _dataset,
    "export": {"enabled": _flag},
    "device": _one_of(DEVICES),
    "seed": _whole(0),
}


def _nearest(name: object, known: Iterable[str]) -> str:
    known = list(known)
    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.5)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""


def _check(value: object, schema: dict | Check, path: str) -> None:
    if not isinstance(schema, dict):
        schema(value, path)
        return
    if not isinstance(value, Mapping):
        _fail(path, "an object", value)
    for key, entry in value.items():
        if key not in schema:
            near = _nearest(key, schema) or f"; known are {', '.join(schema)}"
            raise ConfigError(f"{path}.{key}: unknown key{near}")
        if path == "$" and key == "datasets":
            _check(entry, dict.fromkeys(entry, _dataset) if isinstance(entry, Mapping) else {}, f"{path}.{key}")
        else:
            _check(entry, schema[key], f"{path}.{key}")


def _merged(default: object, given: object) -> object:
    if not isinstance(default, Mapping) or not isinstance(given, Mapping):
        return given
    return {**default, **{key: _merged(default.get(key), entry) for key, entry in given.items()}}


def default_config() -> dict:
    """The default config: all five models on the bundled data."""
    return json.loads(DEFAULTS_FILE.read_text(encoding="utf-8"))


def plan(config: Mapping[str, object]) -> Plan:
    """The checked plan of a config, which needs to say only what differs from the defaults.

    The models named under "models" are trained, all five if there is no such key. Raises ConfigError.
    """
    _check(config, _SCHEMA, "$")
    defaults = default_config()
    merged = _merged(defaults, config)
    if "models" in config:
        merged["models"] = {name: _merged(defaults["models"][name], entry) for name, entry in config["models"].items()}
    if not merged["models"]:
        _fail("$.models", f"at least one of {', '.join(load_specs().models)}", {})
    training = merged["training"]
    return Plan(
        config=merged,
        models=tuple(_model_plan(name, merged) for name in load_specs().models if name in merged["models"]),
        validation_fraction=training["validation_fraction"],
        early_stopping=EarlyStopping(**training["early_stopping"]),
        checkpoint_best=training["checkpointing"]["best"],
        log_seconds=training["logging"]["seconds"],
        export=merged["export"]["enabled"],
        threads=training["threads"],
        parallel_models=training["parallel_models"],
        device=merged["device"],
        seed=merged["seed"],
    )


def _model_plan(name: str, config: dict) -> ModelPlan:
    spec, path = load_specs().models[name], f"$.models.{name}"
    entry, datasets = config["models"][name], config["datasets"]
    for key in ("input_size", "output_size"):
        if entry[key] != getattr(spec, key):
            _fail(f"{path}.{key}", f"{getattr(spec, key)}, the size of {name}", entry[key])
    if entry["loss"] == "bce" and spec.output_range != (0, 1):
        _fail(f"{path}.loss", f"a loss for outputs in {list(spec.output_range)}: mse", "bce")
    if entry["loss"] == "kl_div" and spec.layers[-1].activation != "softmax":
        _fail(f"{path}.loss", f"a loss for {spec.layers[-1].activation} outputs, which are no distribution", "kl_div")
    if entry["dataset"] not in datasets:
        near = _nearest(entry["dataset"], datasets)
        _fail(f"{path}.dataset", f"one of $.datasets: {', '.join(datasets)}{near}", entry["dataset"])
    values = {key: entry.get(key, config["training"][key]) for key in _PER_MODEL}
    return ModelPlan(
        spec=spec,
        loss=entry["loss"],
        dataset=dict(datasets[entry["dataset"]]),
        dataset_path=f"$.datasets.{entry['dataset']}",
        **values,
    )
