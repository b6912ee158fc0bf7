"""Evaluates RTNeural JSON in plain NumPy, frame by frame with state: every layer type of the format.

The reader is strict: it refuses what RTNeural would skip, pad with zeros or read out of bounds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from .numpy_layers import ACTIVATIONS, BatchNorm, Conv1d, Conv2d, Dense, Gru, Layer, Lstm, Prelu

MAX_SIZE = 2**20
"""More than any layer has; a hostile file must not allocate gigabytes."""


NEUTRAL = {
    "alpha": (1, 1.0),
    "bidirectional": (False,),
    "go_backwards": (False,),
    "padding": ("causal",),
    "proj_size": (0,),
    "stride": (1, [1]),
    "strides": (1, [1]),
    "use_bias": (True,),
}
"""Settings of other formats that a layer here has no place for, unless conv2d has it, and what they have to be."""


class BadModelFile(ValueError):
    """A file that isn't RTNeural JSON as this runtime knows it; the message starts with the JSON path."""


@dataclass
class _Entry:
    """A layer's JSON object, where it stands, and the sizes in front of it and behind it."""

    members: Mapping[str, Any]
    path: str
    inputs: int
    outputs: int
    dtype: type

    def refuse(self, key: str, expected: object, found: object) -> BadModelFile:
        return BadModelFile(f"{self.path}.{key}: expected {expected}, found {found}")

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number above zero, or the last of a list, as Keras writes it."""
        value = self.members.get(key, default)
        if isinstance(value, list) and value:
            value = value[-1]
        if type(value) is not int or not 1 <= value <= MAX_SIZE:
            raise self.refuse(key, "a whole number above zero", repr(value))
        return value

    def activation(self, *names: str) -> str:
        """The activation, which must be one of these; of all and none if none is named."""
        kind, names = self.members.get("activation", ""), names or tuple(ACTIVATIONS)
        if not isinstance(kind, str) or kind not in names:
            raise self.refuse("activation", f"one of {names}", repr(kind))
        return kind

    def epsilon(self) -> float:
        value = self.members.get("epsilon")
        if type(value) not in (int, float) or not 0 <= value < 3e38:
            raise self.refuse("epsilon", "a number of at least zero", repr(value))
        return value

    def arrays(self, *shapes: tuple[int, ...]) -> list[np.ndarray]:
        """The arrays of `weights`, which must have just these shapes."""
        weights = self.members.get("weights")
        if not isinstance(weights, list) or len(weights) != len(shapes):
            found = len(weights) if isinstance(weights, list) else type(weights).__name__
            raise self.refuse("weights", f"{len(shapes)} arrays", found)
        return [self._array(weights[i], shape, f"weights[{i}]") for i, shape in enumerate(shapes)]

    def _array(self, value: object, shape: tuple[int, ...], key: str) -> np.ndarray:
        try:
            array = np.asarray(value)
        except ValueError:
            raise self.refuse(key, f"shape {list(shape)}", "rows of different lengths") from None
        if array.shape != shape:
            raise self.refuse(key, f"shape {list(shape)}", list(array.shape))
        leaves = value
        for _ in shape[1:]:
            leaves = chain.from_iterable(leaves)
        if not {int, float}.issuperset(map(type, leaves)):  # NumPy takes True for 1
            raise self.refuse(key, "numbers only", "something else among them")
        with np.errstate(over="ignore"):
            single = array.astype(np.float32)
        if not np.isfinite(single).all():
            raise self.refuse(key, "finite float32 values", "one that overflows")
        return single.astype(self.dtype)

    def same_size(self) -> int:
        if self.outputs != self.inputs:
            raise self.refuse("shape", f"{self.inputs} channels", self.outputs)
        return self.inputs


def _dense(entry: _Entry) -> Layer:
    return Dense(entry.arrays((entry.inputs, entry.outputs), (entry.outputs,)), entry.activation())


def _conv1d(entry: _Entry) -> Layer:
    size, dilation, groups = entry.whole("kernel_size"), entry.whole("dilation"), entry.whole("groups", 1)
    if entry.inputs % groups or entry.outputs % groups:
        raise entry.refuse("groups", f"a divisor of {entry.inputs} and {entry.outputs} channels", groups)
    _limit_history(entry, size, dilation, entry.inputs)
    arrays = entry.arrays((size, entry.inputs // groups, entry.outputs), (entry.outputs,))
    return Conv1d(arrays, entry.activation(), entry.inputs, dilation, groups)


def _limit_history(entry: _Entry, size: int, dilation: int, inputs: int) -> None:
    if (size - 1) * dilation * inputs > 16 * MAX_SIZE:
        raise entry.refuse("dilation", "a history that fits into memory", (size - 1) * dilation)


def _conv2d(entry: _Entry) -> Layer:
    time, reach = entry.whole("kernel_size_time"), entry.whole("kernel_size_feature")
    dilation, stride = entry.whole("dilation"), entry.whole("strides")
    filters_in, filters_out = entry.whole("num_filters_in"), entry.whole("num_filters_out")
    features_in, padding = entry.whole("num_features_in"), entry.members.get("padding")
    if padding not in ("same", "valid"):
        raise entry.refuse("padding", '"same" or "valid"', repr(padding))
    if features_in * filters_in != entry.inputs:
        raise entry.refuse("num_features_in", f"{entry.inputs} / num_filters_in", features_in)
    covered = features_in if padding == "same" else features_in - reach + 1
    features_out = -(-covered // stride)
    if features_out < 1 or features_out * filters_out != entry.outputs:
        raise entry.refuse("shape", f"{features_out} features of {filters_out} filters", entry.outputs)
    before = max((features_out - 1) * stride + reach - features_in, 0) // 2 if padding == "same" else 0
    _limit_history(entry, time, dilation, entry.inputs)
    arrays = entry.arrays((time, reach, filters_in, filters_out), (filters_out,))
    return Conv2d(arrays, entry.activation(), (features_in, features_out), dilation, stride, before)


def _recurrent(cell: type[Layer], gates: int, bias: Callable[[int], tuple[int, ...]]) -> Callable[[_Entry], Layer]:
    def read(entry: _Entry) -> Layer:
        entry.activation("", "tanh")  # which Keras writes, and means the cell's own
        width = gates * entry.outputs
        return cell(entry.arrays((entry.inputs, width), (entry.outputs, width), bias(width)))

    return read


def _prelu(entry: _Entry) -> Layer:
    entry.activation("")
    size, weights = entry.same_size(), entry.members.get("weights")
    shared = isinstance(weights, list) and len(weights) == 1 and np.shape(weights[0]) == (1, 1)
    return Prelu(entry.arrays((1, 1 if shared else size)))


def _batchnorm(entry: _Entry) -> Layer:
    entry.activation("")
    return _normalised(entry, entry.same_size(), 1)


def _batchnorm2d(entry: _Entry) -> Layer:
    entry.activation("")
    filters, features = entry.whole("num_filters_in"), entry.whole("num_features_in")
    if filters * features != entry.same_size():
        raise entry.refuse("num_features_in", f"{entry.inputs} / num_filters_in", features)
    return _normalised(entry, filters, features)


def _normalised(entry: _Entry, size: int, repeats: int) -> Layer:
    weights = entry.members.get("weights")
    arrays = entry.arrays(*[(size,)] * (2 if isinstance(weights, list) and len(weights) == 2 else 4))
    epsilon = np.float32(entry.epsilon())
    if (arrays[-1] + entry.dtype(epsilon) <= 0).any():
        raise entry.refuse(f"weights[{len(arrays) - 1}]", "variance + epsilon above zero", arrays[-1].min())
    return BatchNorm(arrays, epsilon, repeats)


def _activation(entry: _Entry) -> Layer:
    entry.same_size()
    return Layer(entry.arrays(), entry.activation(*filter(None, ACTIVATIONS)))


READERS: dict[str, Callable[[_Entry], Layer]] = {
    "dense": _dense,
    "time-distributed-dense": _dense,
    "conv1d": _conv1d,
    "conv2d": _conv2d,
    "gru": _recurrent(Gru, 3, lambda width: (2, width)),
    "lstm": _recurrent(Lstm, 4, lambda width: (width,)),
    "prelu": _prelu,
    "batchnorm": _batchnorm,
    "batchnorm2d": _batchnorm2d,
    "activation": _activation,
}


class NumpyModel:
    """A model of `input_size` and `output_size` channels and its `layers`; it carries their state until `reset()`."""

    def __init__(self, input_size: int, output_size: int, layers: list[Layer], dtype: type) -> None:
        self.input_size = input_size
        self.output_size = output_size
        self.layers = layers
        self._dtype = dtype
        self.reset()

    def reset(self) -> None:
        """Clears the state of every layer."""
        for layer in self.layers:
            layer.reset()

    def process(self, frames: np.ndarray) -> np.ndarray:
        """The outputs `[T, output_size]` for frames `[T, input_size]`."""
        values = np.asarray(frames, self._dtype)
        with np.errstate(over="ignore"):  # a sigmoid's exp() may reach infinity, and its reciprocal is the right 0
            for layer in self.layers:
                values = layer.process(values)
        return values


def _channels(shape: object, path: str) -> int:
    """The last entry; of four entries the last two multiplied."""
    entries = shape[-2:] if isinstance(shape, list) and len(shape) == 4 else (shape or [None])[-1:]
    if not isinstance(shape, list) or not all(type(size) is int and 0 < size <= MAX_SIZE for size in entries):
        raise BadModelFile(f"{path}: expected [null, null, channels], found {shape!r}")
    return int(np.prod(entries))


def _layer(members: object, inputs: int, dtype: type, path: str) -> tuple[Layer, int]:
    if not isinstance(members, dict):
        raise BadModelFile(f"{path}: expected an object, found {type(members).__name__}")
    kind = members.get("type")
    if not isinstance(kind, str) or kind not in READERS:
        raise BadModelFile(f"{path}.type: expected one of {', '.join(READERS)}, found {kind!r}")
    outputs = _channels(members.get("shape"), f"{path}.shape")
    for key, neutral in NEUTRAL.items():
        is_read = kind == "conv2d" and key in ("strides", "padding")
        if key in members and not is_read and orjson.dumps(members[key]) not in map(orjson.dumps, neutral):
            raise BadModelFile(f"{path}.{key}: expected nothing, or {neutral[0]!r}, found {members[key]!r}")
    return READERS[kind](_Entry(members, path, inputs, outputs, dtype)), outputs


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadModelFile("$: not JSON that all readers take for the same: an object has a name twice")
    return members


def _members(value: object) -> int:
    """How many members the objects of a document have, not counting those in arrays of arrays."""
    if isinstance(value, dict):
        return len(value) + sum(map(_members, value.values()))
    return sum(_members(entry) for entry in value if isinstance(entry, dict)) if isinstance(value, list) else 0


def read_model(text: bytes, dtype: type = np.float32) -> NumpyModel:
    """Reads RTNeural JSON; weights are rounded to float32, then computed with in `dtype`.

    Raises BadModelFile with the JSON path, what was expected and what was found.
    """
    try:
        document = orjson.loads(text)
        # orjson lets the last of two members of one name win. Where no string holds a colon, each member has one.
        if text.count(b":") != _members(document):
            json.loads(text, object_pairs_hook=_unique)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise BadModelFile(f"$: not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("layers"), list) or not document["layers"]:
        raise BadModelFile('$.layers: expected an object with a non-empty list "layers"')
    size = inputs = _channels(document.get("in_shape"), "$.in_shape")
    layers = []
    for index, entry in enumerate(document["layers"]):
        layer, size = _layer(entry, size, dtype, f"$.layers[{index}]")
        layers.append(layer)
    return NumpyModel(inputs, size, layers, dtype)
