"""What a training config may say: keys, kinds of values and their bounds, refused at the JSON path of the fault."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping

from ..errors import ConfigError
from ..specs import load_specs

LOSSES = ("mse", "bce", "kl_div")
DEVICES = ("auto", "cpu", "cuda", "mps")
OPTIMIZERS = ("adam", "adamw")
SCHEDULES = ("none", "cosine", "plateau", "step")
PRECISIONS = ("float32", "bf16", "fp16")
# Shorter ones would train the recurrent models on little more than their state after a reset.
SHORTEST_SEQUENCE = 16
GREATEST = 2**63 - 1  # what JSON's readers elsewhere, and torch's seeds, can hold
# More than any machine has; what is asked for by mistake would otherwise take the machine down.
MOST_THREADS, MOST_WORKERS = 1024, 128

Check = Callable[[object, str], None]


def refuse(path: str, expected: str, found: object) -> None:
    """Raises the ConfigError for a value that can't be."""
    raise ConfigError(f"{path}: expected {expected}, found {found!r}")


def nearest(name: object, known: Iterable[str]) -> str:
    """A question in brackets, (did you mean 'X'?), where something is near, else nothing."""
    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.5)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""


def _whole(least: int, reason: str = "", *, most: int = GREATEST) -> Check:
    span = f"of at least {least}" if most == GREATEST else f"from {least} to {most}"

    def check(value: object, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            refuse(path, f"a whole number {span}{reason}", value)
        if value > most:
            refuse(path, f"a whole number from {least} to {most}", value)

    return check


def _number(low: float, high: float = math.inf, *, low_allowed: bool = False, or_null: str = "") -> Check:
    span = f"from {low}" if low_allowed else f"above {low}"
    span += f" and below {high}" if high < math.inf else ""
    span += f", or null {or_null}" if or_null else ""

    def check(value: object, path: str) -> None:
        if or_null and value is None:
            return
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not plain or not (low < value < high or (low_allowed and value == low)):
            refuse(path, f"a number {span}", value)

    return check


def _one_of(known: Iterable[str]) -> Check:
    known = tuple(known)

    def check(value: object, path: str) -> None:
        if value not in known:
            refuse(path, f"one of {', '.join(known)}{nearest(value, known)}", value)

    return check


def _flag(value: object, path: str) -> None:
    if not isinstance(value, bool):
        refuse(path, "true or false", value)


def _text(value: object, path: str) -> None:
    if not isinstance(value, str) or not value:
        refuse(path, "a text", value)


def _dataset(value: object, path: str) -> None:
    if not isinstance(value, Mapping):
        refuse(path, 'an object with "kind" and "path"', value)


# What a model may set for itself, in place of training's value.
PER_MODEL = {
    "optimizer": _one_of(OPTIMIZERS),
    "learning_rate": _number(0, 1),
    "weight_decay": _number(0, 1, low_allowed=True),
    "clip_norm": _number(0, or_null="for none"),
    "epochs": _whole(1),
    "batch_size": _whole(1),
    "sequence_length": _whole(SHORTEST_SEQUENCE, " frames, so that recurrent weights learn"),
    "carry_state": _flag,
}
_MODEL = {
    **PER_MODEL,
    "input_size": _whole(1),
    "output_size": _whole(1),
    "loss": _one_of(LOSSES),
    "dataset": _text,
}
_SCHEMA = {
    "training": {
        **PER_MODEL,
        "validation_fraction": _number(0, 1),
        "schedule": {
            "kind": _one_of(SCHEDULES),
            "factor": _number(0, 1),
            "patience": _whole(0),
            "every": _whole(1),
        },
        "precision": _one_of(PRECISIONS),
        "threads": _whole(1, most=MOST_THREADS),
        "workers": _whole(0, most=MOST_WORKERS),
        "parallel_models": _whole(1),
        "early_stopping": {"enabled": _flag, "patience": _whole(1), "min_delta": _number(0, low_allowed=True)},
        "checkpointing": {"best": _flag, "latest": _flag, "every": _whole(0)},
        "logging": {"seconds": _number(0, low_allowed=True)},
    },
    "models": dict.fromkeys(load_specs().models, _MODEL),
    "datasets": _dataset,
    "evaluation": {"enabled": _flag, "resamples": _whole(100)},
    "export": {"enabled": _flag},
    "device": _one_of(DEVICES),
    "resume": _flag,
    "seed": _whole(0),
}


def check_config(config: object) -> None:
    """Raises ConfigError for the first key that isn't known and the first value that can't be."""
    _check(config, _SCHEMA, "$")


def _check(value: object, schema: dict | Check, path: str) -> None:
    if not isinstance(schema, dict):
        schema(value, path)
        return
    if not isinstance(value, Mapping):
        refuse(path, "an object", value)
    for key, entry in value.items():
        if key not in schema:
            near = nearest(key, schema) or f"; known are {', '.join(schema)}"
            raise ConfigError(f"{path}.{key}: unknown key{near}")
        if path == "$" and key == "datasets":
            _check(entry, dict.fromkeys(entry, _dataset) if isinstance(entry, Mapping) else {}, f"{path}.{key}")
        else:
            _check(entry, schema[key], f"{path}.{key}")
