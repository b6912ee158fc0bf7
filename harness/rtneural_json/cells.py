"""One evaluator per layer type: [runs, frames, in] -> [runs, frames, out] in float64, state kept between calls."""

from collections.abc import Callable

import numpy as np

from . import grammar
from .arithmetic import OPERATION, Arithmetic
from .elementwise import Evaluator, activate, affine
from .recurrent import Gru, Lstm


class _Dense(Evaluator):
    def __init__(self, layer: grammar.Dense, arithmetic: Arithmetic, reset_each_frame: bool) -> None:
        self.kernel, self.bias = layer.kernel.astype(np.float64), layer.bias.astype(np.float64)
        self.activation, self.arithmetic = layer.activation, arithmetic
        self.width = layer.output_size

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return activate(self.activation, affine(x, self.kernel, self.bias, self.arithmetic), self.arithmetic)


class _Activation(Evaluator):
    def __init__(self, layer: grammar.Activation, arithmetic: Arithmetic, reset_each_frame: bool) -> None:
        self.name, self.arithmetic, self.width = layer.activation, arithmetic, layer.size

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return activate(self.name, x, self.arithmetic)


class _Prelu(Evaluator):
    def __init__(self, layer: grammar.Prelu, arithmetic: Arithmetic, reset_each_frame: bool) -> None:
        self.alpha, self.arithmetic, self.width = layer.alpha.astype(np.float64), arithmetic, layer.size

    def __call__(self, x: np.ndarray) -> np.ndarray:
        slopes = self.alpha * self.arithmetic.factor(x.shape[1:], OPERATION)
        return self.arithmetic.bent(lambda inputs: np.where(inputs > 0, inputs, slopes * inputs), x)


class _BatchNorm(Evaluator):
    def __init__(
        self, layer: grammar.BatchNorm | grammar.BatchNorm2d, arithmetic: Arithmetic, reset_each_frame: bool
    ) -> None:
        repeats = getattr(layer, "features", 1)
        size = layer.mean.size
        ones, zeros = np.ones(size), np.zeros(size)
        gamma = ones if layer.gamma is None else layer.gamma.astype(np.float64)
        beta = zeros if layer.beta is None else layer.beta.astype(np.float64)
        variance = layer.variance.astype(np.float64)
        # The sum, the root and the quotient are rounded once, when the layer is loaded: one factor for all frames.
        rounded = variance + float(layer.epsilon)
        scale = (
            gamma
            / np.sqrt(rounded * arithmetic.factor((1, size), OPERATION))
            * arithmetic.factor((1, size), np.sqrt(2) * OPERATION)
        )
        self.scale = np.tile(scale, repeats) if np.ndim(scale) == 1 else np.tile(scale, (1, 1, repeats))
        self.mean, self.beta = np.tile(layer.mean.astype(np.float64), repeats), np.tile(beta, repeats)
        self.arithmetic, self.width = arithmetic, layer.output_size

    def __call__(self, x: np.ndarray) -> np.ndarray:
        # scale · (x - mean) + beta and scale · x + (beta - scale · mean) are both in use; the second rounds more.
        factor = lambda: self.arithmetic.factor(x.shape[1:], OPERATION)  # noqa: E731
        shifted = x * factor() - self.mean * factor()
        return (self.scale * shifted * factor() + self.beta) * factor()


def _history(x: np.ndarray, past: np.ndarray, taps: int, dilation: int) -> tuple[np.ndarray, np.ndarray]:
    """The frames that each tap sees, [runs, frames, taps, in] with the newest last, and the past for the next chunk."""
    frames = x.shape[1]
    padded = np.concatenate([past, x], axis=1)
    seen = np.stack([padded[:, k * dilation : k * dilation + frames] for k in range(taps)], axis=2)
    return seen, padded[:, frames:]


class _Conv1d(Evaluator):
    def __init__(self, layer: grammar.Conv1d, arithmetic: Arithmetic, reset_each_frame: bool) -> None:
        taps, _, out = layer.kernel.shape
        self.kernel = layer.kernel.astype(np.float64)
        self.bias = layer.bias.astype(np.float64)
        self.taps, self.dilation, self.groups = taps, layer.dilation, layer.groups
        self.activation, self.arithmetic, self.forget = layer.activation, arithmetic, reset_each_frame
        self.past = np.zeros((arithmetic.runs, (taps - 1) * layer.dilation, layer.input_size))
        self.width = max(taps * layer.input_size, out)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        runs, frames, _ = x.shape
        if self.forget:
            seen = np.zeros((runs, frames, self.taps, x.shape[2]))
            seen[:, :, -1] = x
        else:
            seen, self.past = _history(x, self.past, self.taps, self.dilation)
        seen = seen.reshape(runs, frames, self.taps, self.groups, -1)
        kernels = np.split(self.kernel, self.groups, axis=2)
        biases = np.split(self.bias, self.groups)
        outputs = [
            affine(
                seen[:, :, :, g].reshape(runs, frames, -1), kernel.reshape(-1, kernel.shape[2]), bias, self.arithmetic
            )
            for g, (kernel, bias) in enumerate(zip(kernels, biases, strict=True))
        ]
        return activate(self.activation, np.concatenate(outputs, axis=2), self.arithmetic)


class _Conv2d(Evaluator):
    def __init__(self, layer: grammar.Conv2d, arithmetic: Arithmetic, reset_each_frame: bool) -> None:
        self.layer, self.arithmetic, self.forget = layer, arithmetic, reset_each_frame
        self.kernel = layer.kernel.astype(np.float64).reshape(-1, layer.filters_out)
        self.bias = layer.bias.astype(np.float64)
        self.taps, self.window = layer.kernel.shape[:2]
        self.past = np.zeros((arithmetic.runs, (self.taps - 1) * layer.dilation, layer.input_size))
        self.width = max(self.kernel.shape[0] * layer.features_out, layer.output_size)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        layer = self.layer
        runs, frames, _ = x.shape
        if self.forget:
            seen = np.zeros((runs, frames, self.taps, x.shape[2]))
            seen[:, :, -1] = x
        else:
            seen, self.past = _history(x, self.past, self.taps, layer.dilation)
        seen = seen.reshape(runs, frames, self.taps, layer.features_in, layer.filters_in)
        seen = np.pad(seen, ((0, 0), (0, 0), (0, 0), self._padding(), (0, 0)))
        windows = [
            seen[:, :, :, f * layer.stride : f * layer.stride + self.window].reshape(runs, frames, -1)
            for f in range(layer.features_out)
        ]
        stacked = np.stack(windows, axis=2).reshape(runs, frames * layer.features_out, -1)
        y = affine(stacked, self.kernel, self.bias, self.arithmetic).reshape(runs, frames, layer.output_size)
        return activate(layer.activation, y, self.arithmetic)

    def _padding(self) -> tuple[int, int]:
        """Zeros before and behind the features. TensorFlow's "same": as evenly as can be, the odd one behind."""
        layer = self.layer
        covered = (layer.features_out - 1) * layer.stride + self.window
        total = 0 if layer.padding == "valid" else max(covered - layer.features_in, 0)
        return total // 2, total - total // 2


EVALUATORS: dict[type, Callable[..., Evaluator]] = {
    grammar.Dense: _Dense,
    grammar.Activation: _Activation,
    grammar.Prelu: _Prelu,
    grammar.BatchNorm: _BatchNorm,
    grammar.BatchNorm2d: _BatchNorm,
    grammar.Conv1d: _Conv1d,
    grammar.Conv2d: _Conv2d,
    grammar.Lstm: Lstm,
    grammar.Gru: Gru,
}
