"""Evaluates RTNeural JSON in plain NumPy, frame by frame with state: dense, lstm, gru and activation layers.

The format and its semantics are those of RTNeural's own loader. The reader is strict: it refuses what RTNeural would
skip, pad with zeros or read out of bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import orjson


class BadModelFile(ValueError):
    """A file that isn't RTNeural JSON as this runtime knows it; the message starts with the JSON path."""


def _sigmoid(x: np.ndarray) -> np.ndarray:
    # The form with tanh needs no care with overflow, but loses all relative precision where the result is small.
    return 1.0 / (1.0 + np.exp(-x))


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}

# The exact shape of each weight array, by (input size, output size).
_SHAPES: dict[str, Callable[[int, int], list[tuple[int, ...]]]] = {
    "dense": lambda i, o: [(i, o), (o,)],
    "lstm": lambda i, h: [(i, 4 * h), (h, 4 * h), (4 * h,)],
    "gru": lambda i, h: [(i, 3 * h), (h, 3 * h), (2, 3 * h)],
    "activation": lambda i, o: [],
}


@dataclass
class _Layer:
    type: str
    activation: str
    weights: list[np.ndarray]
    state: list[np.ndarray] = field(default_factory=list)

    def reset(self) -> None:
        counts = {"lstm": 2, "gru": 1}
        self.state = [np.zeros_like(self.weights[1][:, 0]) for _ in range(counts.get(self.type, 0))]

    def process(self, x: np.ndarray) -> np.ndarray:
        if self.type == "lstm":
            return self._lstm(x)
        if self.type == "gru":
            return self._gru(x)
        if self.type == "dense":
            x = x @ self.weights[0] + self.weights[1]
        return ACTIVATIONS[self.activation](x)

    def _lstm(self, x: np.ndarray) -> np.ndarray:
        """Gates i, f, g, o: c' = f·c + i·g, h' = o·tanh(c')."""
        kernel, recurrent, bias = self.weights
        driven = x @ kernel + bias
        h, c = self.state
        outputs = np.empty((len(x), len(h)), x.dtype)
        for t, drive in enumerate(driven):
            i, f, g, o = (drive + h @ recurrent).reshape(4, -1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
            outputs[t] = h
        self.state = [h, c]
        return outputs

    def _gru(self, x: np.ndarray) -> np.ndarray:
        """Gates z, r, c: h' = (1 - z)·c + z·h, with c = tanh(W_c x + b0 + r·(U_c h + b1))."""
        kernel, recurrent, bias = self.weights
        driven = x @ kernel + bias[0]
        (h,) = self.state
        size = len(h)
        outputs = np.empty((len(x), size), x.dtype)
        for t, drive in enumerate(driven):
            fed_back = h @ recurrent + bias[1]
            z, r = _sigmoid(drive[: 2 * size] + fed_back[: 2 * size]).reshape(2, -1)
            candidate = np.tanh(drive[2 * size :] + r * fed_back[2 * size :])
            h = (1 - z) * candidate + z * h
            outputs[t] = h
        self.state = [h]
        return outputs


class NumpyModel:
    """A model of `input_size` and `output_size` channels that carries its state until `reset()`."""

    def __init__(self, input_size: int, output_size: int, layers: list[_Layer], dtype: type) -> None:
        self.input_size = input_size
        self.output_size = output_size
        self._layers = layers
        self._dtype = dtype
        self.reset()

    @property
    def arrays(self) -> list[list[np.ndarray]]:
        """The weight arrays of each layer, in the file's order and shapes."""
        return [layer.weights for layer in self._layers]

    def reset(self) -> None:
        """Clears the state of every layer."""
        for layer in self._layers:
            layer.reset()

    def process(self, frames: np.ndarray) -> np.ndarray:
        """The outputs `[T, output_size]` for frames `[T, input_size]`."""
        values = np.asarray(frames, self._dtype)
        with np.errstate(over="ignore"):  # a sigmoid's exp() may reach infinity, and its reciprocal is the right 0
            for layer in self._layers:
                values = layer.process(values)
        return values


def _channels(shape: object, path: str) -> int:
    usable = isinstance(shape, list) and 1 <= len(shape) <= 3 and type(shape[-1]) is int and shape[-1] > 0
    if not usable:
        raise BadModelFile(f"{path}: expected [null, null, channels], found {shape!r}")
    return shape[-1]


def _array(value: object, shape: tuple[int, ...], dtype: type, path: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        raise BadModelFile(f"{path}: expected shape {list(shape)}, found rows of different lengths") from None
    if array.shape != shape:
        raise BadModelFile(f"{path}: expected shape {list(shape)}, found {list(array.shape)}")
    if array.dtype.kind not in "fiu":
        raise BadModelFile(f"{path}: expected numbers only, found something else among them")
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    if not np.isfinite(single).all():
        raise BadModelFile(f"{path}: expected finite float32 values, found one that overflows")
    return single.astype(dtype)


def _layer(entry: object, inputs: int, dtype: type, path: str) -> tuple[_Layer, int]:
    if not isinstance(entry, dict):
        raise BadModelFile(f"{path}: expected an object, found {type(entry).__name__}")
    kind, activation = entry.get("type"), entry.get("activation", "")
    if not isinstance(kind, str) or kind not in _SHAPES:
        raise BadModelFile(f"{path}.type: expected one of {', '.join(_SHAPES)}, found {kind!r}")
    allowed = [""] if kind in ("lstm", "gru") else [name for name in ACTIVATIONS if name or kind == "dense"]
    if activation not in allowed:
        raise BadModelFile(f"{path}.activation: expected one of {allowed}, found {activation!r}")
    outputs = _channels(entry.get("shape"), f"{path}.shape")
    if kind == "activation" and outputs != inputs:
        raise BadModelFile(f"{path}.shape: expected {inputs} channels, found {outputs}")
    weights, shapes = entry.get("weights"), _SHAPES[kind](inputs, outputs)
    if not isinstance(weights, list) or len(weights) != len(shapes):
        found = len(weights) if isinstance(weights, list) else type(weights).__name__
        raise BadModelFile(f"{path}.weights: expected {len(shapes)} arrays, found {found}")
    arrays = [_array(weights[i], shape, dtype, f"{path}.weights[{i}]") for i, shape in enumerate(shapes)]
    return _Layer(kind, activation, arrays), outputs


def read_model(text: bytes, dtype: type = np.float32) -> NumpyModel:
    """Reads RTNeural JSON; weights are rounded to float32, then computed with in `dtype`.

    Raises BadModelFile with the JSON path, what was expected and what was found.
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadModelFile(f"$: not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("layers"), list) or not document["layers"]:
        raise BadModelFile('$.layers: expected an object with a non-empty list "layers"')
    size = inputs = _channels(document.get("in_shape"), "$.in_shape")
    layers = []
    for index, entry in enumerate(document["layers"]):
        layer, size = _layer(entry, size, dtype, f"$.layers[{index}]")
        layers.append(layer)
    return NumpyModel(inputs, size, layers, dtype)
