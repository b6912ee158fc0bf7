"""A correct float32 implementation of RTNeural JSON in plain NumPy, frame by frame: what a budget must not accuse.

It shares no line with the oracle. Sums run in one of the orders in use: "sequential" as in a C loop that begins at 0,
"bias first" in one that begins at the bias, "reversed" from the last term to the first, "blas" as in NumPy's product.
"""

from __future__ import annotations

import numpy as np

from rtconform.harness.rtneural_json import Model, grammar as g

ORDERS = ("sequential", "blas", "reversed", "bias first")
ONE = np.float32(1)


class Plain:
    """A model with its state. `tanh` may be replaced by an approximation."""

    def __init__(self, model: Model, order: str = "sequential", tanh=np.tanh) -> None:
        self.model, self.order, self.tanh = model, order, tanh
        self.state = [self._initial(layer) for layer in model.layers]

    @staticmethod
    def _initial(layer: g.Layer) -> list[np.ndarray]:
        if isinstance(layer, g.Conv1d):
            return [np.zeros(((layer.kernel_size - 1) * layer.dilation + 1, layer.input_size), np.float32)]
        return [np.zeros(layer.output_size, np.float32) for _ in range(2)]

    def process(self, frames: np.ndarray) -> np.ndarray:
        """Frames [T, in] to outputs [T, out], float32."""
        outputs = []
        with np.errstate(over="ignore"):
            for frame in frames.astype(np.float32):
                x = frame
                for layer, state in zip(self.model.layers, self.state, strict=True):
                    x = self._layer(layer, state, x)
                outputs.append(x)
        return np.array(outputs)

    def affine(self, x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
        if self.order == "blas":
            return x @ kernel + bias
        terms = x[:, None] * kernel
        if self.order == "bias first":
            return np.cumsum(np.vstack([bias, terms]), axis=0, dtype=np.float32)[-1]
        return np.cumsum(terms[::-1] if self.order == "reversed" else terms, axis=0, dtype=np.float32)[-1] + bias

    def sigmoid(self, x: np.ndarray) -> np.ndarray:
        return ONE / (ONE + np.exp(-x))

    def activate(self, name: str, x: np.ndarray) -> np.ndarray:
        if name == "tanh":
            return self.tanh(x)
        if name == "sigmoid":
            return self.sigmoid(x)
        if name == "relu":
            return np.maximum(x, np.float32(0))
        if name == "elu":
            return np.where(x > 0, x, np.exp(np.minimum(x, np.float32(0))) - ONE)
        if name == "softmax":
            powers = np.exp(x - x.max())
            return powers / powers.sum(dtype=np.float32)
        return x

    def _layer(self, layer: g.Layer, state: list[np.ndarray], x: np.ndarray) -> np.ndarray:
        if isinstance(layer, g.Dense):
            return self.activate(layer.activation, self.affine(x, layer.kernel, layer.bias))
        if isinstance(layer, g.Activation):
            return self.activate(layer.activation, x)
        if isinstance(layer, g.Prelu):
            return np.where(x > 0, x, layer.alpha * x)
        if isinstance(layer, g.BatchNorm):
            return self._norm(layer, x)
        return {g.Lstm: self._lstm, g.Gru: self._gru, g.Conv1d: self._conv1d}[type(layer)](layer, state, x)

    def _norm(self, layer: g.BatchNorm, x: np.ndarray) -> np.ndarray:
        scale = ONE / np.sqrt(layer.variance + layer.epsilon)
        if layer.gamma is None:
            return scale * (x - layer.mean)
        return layer.gamma * scale * (x - layer.mean) + layer.beta

    def _lstm(self, layer: g.Lstm, state: list[np.ndarray], x: np.ndarray) -> np.ndarray:
        i, f, c, o = np.split(self.affine(state[0], layer.recurrent, self.affine(x, layer.kernel, layer.bias)), 4)
        state[1] = self.sigmoid(f) * state[1] + self.sigmoid(i) * self.tanh(c)
        state[0] = self.sigmoid(o) * self.tanh(state[1])
        return state[0]

    def _gru(self, layer: g.Gru, state: list[np.ndarray], x: np.ndarray) -> np.ndarray:
        xz, xr, xh = np.split(self.affine(x, layer.kernel, layer.bias[0]), 3)
        hz, hr, hh = np.split(self.affine(state[0], layer.recurrent, layer.bias[1]), 3)
        z, r = self.sigmoid(xz + hz), self.sigmoid(xr + hr)
        state[0] = (ONE - z) * self.tanh(xh + r * hh) + z * state[0]
        return state[0]

    def _conv1d(self, layer: g.Conv1d, state: list[np.ndarray], x: np.ndarray) -> np.ndarray:
        state[0] = np.vstack([state[0][1:], x])
        seen = state[0][:: layer.dilation]
        inputs, outputs = layer.input_size // layer.groups, layer.output_size // layer.groups
        parts = []
        for n in range(layer.groups):
            taps = np.ascontiguousarray(seen[:, n * inputs : (n + 1) * inputs]).ravel()
            kernel = np.ascontiguousarray(layer.kernel[:, :, n * outputs : (n + 1) * outputs]).reshape(-1, outputs)
            parts.append(self.affine(taps, kernel, layer.bias[n * outputs : (n + 1) * outputs]))
        return self.activate(layer.activation, np.concatenate(parts))
