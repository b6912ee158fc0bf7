"""The layers of RTNeural JSON in plain NumPy: frames `[T, in]` to `[T, out]`, state carried from call to call.

Weights stand in the file's own order, `[in][out]`. The semantics are those of RTNeural's layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


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


class Layer:
    """What all layers have: the weight arrays as they stand in the file, and a state that `reset` clears."""

    def __init__(self, weights: Sequence[np.ndarray], activation: str = "") -> None:
        self.weights = list(weights)
        self.activation = activation
        self.activate = ACTIVATIONS[activation]

    def reset(self) -> None:
        """Clears the state; most layers have none."""

    def process(self, x: np.ndarray) -> np.ndarray:
        """The outputs `[T, out]` for frames `[T, in]`."""
        return self.activate(x)


class Dense(Layer):
    """kernel [in, out], bias [out]."""

    def process(self, x: np.ndarray) -> np.ndarray:
        kernel, bias = self.weights
        return self.activate(x @ kernel + bias)


class Prelu(Layer):
    """alpha [1, size], or [1, 1] for all channels: y = x above zero, else alpha · x."""

    def process(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, self.weights[0] * x)


class BatchNorm(Layer):
    """gamma, beta, mean, variance [channels], or only the last two; each stands for `repeats` groups of channels."""

    def __init__(self, weights: Sequence[np.ndarray], epsilon: float, repeats: int = 1) -> None:
        super().__init__(weights)
        self.epsilon, self.repeats = epsilon, repeats
        mean, variance = weights[-2:]
        gamma, beta = weights[:2] if len(weights) == 4 else (np.ones_like(mean), np.zeros_like(mean))
        self._scale = np.tile(gamma / np.sqrt(variance + variance.dtype.type(epsilon)), repeats)
        self._mean, self._beta = np.tile(mean, repeats), np.tile(beta, repeats)

    def process(self, x: np.ndarray) -> np.ndarray:
        return self._scale * (x - self._mean) + self._beta


class _Convolution(Layer):
    """Keeps the last frames, which the kernel reaches back to; they are zero after a reset."""

    def __init__(self, weights: Sequence[np.ndarray], activation: str, inputs: int, dilation: int) -> None:
        super().__init__(weights, activation)
        self.inputs, self.dilation = inputs, dilation
        self._offsets = [index * dilation for index in range(len(weights[0]))]
        self.reset()

    def reset(self) -> None:
        self._history = np.zeros((self._offsets[-1], self.inputs), self.weights[0].dtype)

    def _taps(self, x: np.ndarray) -> list[np.ndarray]:
        """For each index of the kernel, the frames `[T, in]` that it meets; the last meets the newest."""
        frames = np.concatenate([self._history, x])
        self._history = frames[len(x) :]
        return [frames[offset : offset + len(x)] for offset in self._offsets]


class Conv1d(_Convolution):
    """kernel [K, in / groups, out], bias [out]; causal, stride 1."""

    def __init__(self, weights: Sequence[np.ndarray], activation: str, inputs: int, dilation: int, groups: int) -> None:
        super().__init__(weights, activation, inputs, dilation)
        self.groups = groups

    def process(self, x: np.ndarray) -> np.ndarray:
        kernel, bias = self.weights
        outputs = np.broadcast_to(bias, (len(x), len(bias))).copy()
        for weights, tap in zip(kernel, self._taps(x), strict=True):
            inputs, channels = weights.shape
            grouped = weights.reshape(inputs, self.groups, channels // self.groups)
            taps = tap.reshape(len(x), self.groups, inputs)
            outputs += np.einsum("tgi,igo->tgo", taps, grouped).reshape(outputs.shape)
        return self.activate(outputs)


class Conv2d(_Convolution):
    """kernel [Kt, Kf, filters in, filters out], bias [filters out]; a frame is laid out [features][filters].

    Causal and dilated over time; over the features strided, with `before` zeros in front of them. `zeros` are those in
    front and behind.
    """

    def __init__(
        self,
        weights: Sequence[np.ndarray],
        activation: str,
        features: tuple[int, int],
        dilation: int,
        stride: int,
        before: int,
    ) -> None:
        super().__init__(weights, activation, features[0] * weights[0].shape[2], dilation)
        self.features, self.stride = features, stride
        behind = (features[1] - 1) * stride + weights[0].shape[1] - features[0] - before
        self.zeros = (before, max(behind, 0))

    def process(self, x: np.ndarray) -> np.ndarray:
        kernel, bias = self.weights
        features_in, features_out = self.features
        reach = (features_out - 1) * self.stride + 1
        outputs = np.broadcast_to(bias, (len(x), features_out, len(bias))).copy()
        for row, tap in zip(kernel, self._taps(x), strict=True):
            frames = np.pad(tap.reshape(len(x), features_in, kernel.shape[2]), ((0, 0), self.zeros, (0, 0)))
            for offset, weights in enumerate(row):
                outputs += frames[:, offset : offset + reach : self.stride] @ weights
        return self.activate(outputs.reshape(len(x), features_out * len(bias)))


class Lstm(Layer):
    """kernel [in, 4H], recurrent [H, 4H], bias [4H]; gates i, f, g, o: c' = f·c + i·g, h' = o·tanh(c')."""

    def reset(self) -> None:
        self._state = (np.zeros_like(self.weights[1][:, 0]),) * 2

    def process(self, x: np.ndarray) -> np.ndarray:
        kernel, recurrent, bias = self.weights
        driven = x @ kernel + bias
        h, c = self._state
        outputs = np.empty((len(x), len(h)), x.dtype)
        for t, drive in enumerate(driven):
            i, f, g, o = (drive + h @ recurrent).reshape(4, -1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
            outputs[t] = h
        self._state = (h, c)
        return outputs


class Gru(Layer):
    """kernel [in, 3H], recurrent [H, 3H], bias [2, 3H]; gates z, r, c: h' = (1 - z)·c + z·h.

    c = tanh(W_c x + b0 + r·(U_c h + b1)).
    """

    def reset(self) -> None:
        self._state = np.zeros_like(self.weights[1][:, 0])

    def process(self, x: np.ndarray) -> np.ndarray:
        kernel, recurrent, bias = self.weights
        driven = x @ kernel + bias[0]
        h = self._state
        size = len(h)
        outputs = np.empty((len(x), size), x.dtype)
        for t, drive in enumerate(driven):
            fed_back = h @ recurrent + bias[1]
            z, r = _sigmoid(drive[: 2 * size] + fed_back[: 2 * size]).reshape(2, -1)
            candidate = np.tanh(drive[2 * size :] + r * fed_back[2 * size :])
            h = (1 - z) * candidate + z * h
            outputs[t] = h
        self._state = h
        return outputs
