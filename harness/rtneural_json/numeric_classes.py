"""Numeric classes: what may be done to weights and arithmetic, as data, and the exact weight transforms."""

import dataclasses
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .grammar import BatchNorm, BatchNorm2d, Layer, Model

_FILE = Path(__file__).with_name("numeric_classes.json")


@dataclass(frozen=True)
class NumericClass:
    """A record of numeric_classes.json.

    unit_roundoff is the largest relative error of one operation. Where rounding spreads the outputs by more than the
    part `chaotic` of their rms, it decides them: nothing can be judged by them.
    """

    name: str
    meaning: str
    weights: str
    inputs: str
    unit_roundoff: float
    chaotic: float

    @property
    def input_step(self) -> float:
        """The step to which a kernel's inputs may be rounded, relative to the largest at a frame; 0 for none."""
        return _INPUT_STEPS[self.inputs]

    def transform(self, model: Model) -> Model:
        """The model with the weights that this class computes with, exactly."""
        change = _WEIGHT_TRANSFORMS[self.weights]
        return (
            model
            if change is None
            else Model(model.input_size, tuple(_changed(layer, change) for layer in model.layers))
        )

    def holds(self, model: Model) -> bool:
        """Whether this class has a number for every weight of a model, and for what its layers make of them."""
        layers = self.transform(model).layers
        are_finite = all(np.isfinite(array).all() for layer in layers for array in layer.arrays.values())
        normalisations = [layer for layer in layers if isinstance(layer, BatchNorm | BatchNorm2d)]
        return are_finite and all((layer.variance + layer.epsilon > 0).all() for layer in normalisations)


@functools.cache
def numeric_classes() -> dict[str, NumericClass]:
    """All classes by name, from the strictest to the most lenient."""
    records = json.loads(_FILE.read_text(encoding="utf-8"))["classes"]
    return {record["name"]: NumericClass(**record) for record in records}


def numeric_class(name: str) -> NumericClass:
    """A class by name. Raises ValueError, with the valid names, if there is none."""
    classes = numeric_classes()
    if name not in classes:
        raise ValueError(f"unknown numeric class {name!r}: expected one of {', '.join(classes)}")
    return classes[name]


def _changed(layer: Layer, change: Callable[[str, np.ndarray], np.ndarray]) -> Layer:
    return dataclasses.replace(layer, **{name: change(name, array) for name, array in layer.arrays.items()})


def _binary16(name: str, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        return array.astype(np.float16).astype(np.float32)


def _int8_per_output_channel(name: str, array: np.ndarray) -> np.ndarray:
    if name not in ("kernel", "recurrent"):
        return array
    # The output channel is the last axis of every kernel. The scale is a float32, as an implementation would store it.
    largest = np.abs(array).max(axis=tuple(range(array.ndim - 1)), keepdims=True)
    scale = (largest / np.float32(127)).astype(np.float32)
    scale = np.where(scale >= np.finfo(np.float32).tiny, scale, np.float32(1))  # a denormal one has few digits
    steps = np.rint(array.astype(np.float64) / scale)
    return (np.clip(steps, -127, 127) * scale).astype(np.float32)


_WEIGHT_TRANSFORMS: dict[str, Callable[[str, np.ndarray], np.ndarray] | None] = {
    "none": None,
    "binary16": _binary16,
    "int8-per-output-channel": _int8_per_output_channel,
}

_INPUT_STEPS = {"none": 0.0, "int8-per-frame": 1 / 127}
