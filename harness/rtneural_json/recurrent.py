"""LSTM and GRU in float64, all runs of an arithmetic at once, one frame after the other.

What is not perturbed goes first: the hidden states of run 0 give the magnitudes of the rounding errors of the others.
"""

from abc import abstractmethod

import numpy as np

from . import grammar
from .arithmetic import OPERATION, SIGMOID, TANH, Arithmetic
from .elementwise import Evaluator, sigmoid

# An activation, and the product that its value goes into.
_SIGMOID_TIMES = float(np.hypot(SIGMOID, OPERATION))


class _Recurrent(Evaluator):
    """Carries `state`, one [runs, H] array per kind, through chunks of frames."""

    states: int

    def __init__(self, layer: grammar.Recurrent, arithmetic: Arithmetic, reset_each_frame: bool) -> None:
        self.kernel, self.recurrent = layer.kernel.astype(np.float64), layer.recurrent.astype(np.float64)
        self.bias = layer.bias.astype(np.float64)
        self.arithmetic, self.forget = arithmetic, reset_each_frame
        self.hidden = layer.output_size
        self.width = self.kernel.shape[1] * 2
        self.state = [np.zeros((arithmetic.runs, self.hidden)) for _ in range(self.states)]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        runs, frames, n = x.shape
        inputs = self.arithmetic.rounded(x).reshape(runs * frames, n)
        driven = (inputs @ self.kernel).reshape(runs, frames, -1) + self.input_bias
        before, exact = self.state[0][0], self.arithmetic.unperturbed
        outputs, state = self._steps(driven[:exact], [s[:exact] for s in self.state], None)
        if runs > exact:
            hidden = np.vstack([before, outputs[0, :-1]])
            if self.forget:
                hidden = np.zeros_like(hidden)
            noise = self._noise(x[0], hidden, driven[0])
            rounding = self.arithmetic.rounding(hidden)
            perturbed, perturbed_state = self._steps(
                driven[exact:],
                [s[exact:] for s in self.state],
                noise,
                None if rounding is None else rounding[exact:],
            )
            outputs = np.concatenate([outputs, perturbed])
            state = [np.concatenate(pair) for pair in zip(state, perturbed_state, strict=True)]
        self.state = state
        return outputs

    @property
    @abstractmethod
    def input_bias(self) -> np.ndarray: ...

    @abstractmethod
    def _noise(self, x: np.ndarray, hidden: np.ndarray, driven: np.ndarray) -> tuple[np.ndarray, ...]:
        """Perturbations [runs - 1, frames, …], from the inputs, hidden states in front, and W x + b of run 0."""

    @abstractmethod
    def _steps(
        self,
        driven: np.ndarray,
        state: list[np.ndarray],
        noise: tuple[np.ndarray, ...] | None,
        rounding: np.ndarray | None = None,
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Outputs [runs, frames, H] and the state behind the last frame.

        `rounding` is added to the hidden state in front of its kernel.
        """

    def _factor(self, frames: int, columns: int, strength: float | np.ndarray) -> np.ndarray:
        return self.arithmetic.factor((frames, columns), strength)[1:]

    def _function(self, frames: int, columns: int, strength: float | np.ndarray) -> np.ndarray:
        return self.arithmetic.function((frames, columns), strength)[1:]


class Lstm(_Recurrent):
    """i, f, o = σ(·), g = tanh(·), c' = f·c + i·g, h = o·tanh(c')."""

    states = 2

    @property
    def input_bias(self) -> np.ndarray:
        return self.bias

    def _noise(self, x: np.ndarray, hidden: np.ndarray, driven: np.ndarray) -> tuple[np.ndarray, ...]:
        arithmetic, frames, size = self.arithmetic, len(x), self.hidden
        total = driven + hidden @ self.recurrent
        from_input = arithmetic.dot_spread(x, self.kernel, self.bias)
        spread = np.hypot(from_input, arithmetic.dot_spread(hidden, self.recurrent, driven))
        spread = np.hypot(spread, arithmetic.sum_spread(total))
        strengths = np.repeat([_SIGMOID_TIMES, _SIGMOID_TIMES, TANH, _SIGMOID_TIMES], size)
        gates = self._function(frames, 4 * size, strengths)
        return (
            arithmetic.draw(spread)[1:],
            gates,
            self._factor(frames, size, OPERATION),
            self._function(frames, size, TANH),
        )

    def _steps(
        self,
        driven: np.ndarray,
        state: list[np.ndarray],
        noise: tuple[np.ndarray, ...] | None,
        rounding: np.ndarray | None = None,
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        runs, frames, _ = driven.shape
        size = self.hidden
        outputs = np.empty((runs, frames, size))
        h, c = state
        if noise is not None:
            driven = driven + noise[0]
        for t in range(frames):
            if self.forget:
                h, c = np.zeros_like(h), np.zeros_like(c)
            gates = driven[:, t] + (h if rounding is None else h + rounding[:, t]) @ self.recurrent
            candidate = np.tanh(gates[:, 2 * size : 3 * size])
            gates = sigmoid(gates)
            gates[:, 2 * size : 3 * size] = candidate
            if noise is not None:
                gates *= noise[1][:, t]
            c = gates[:, size : 2 * size] * c + gates[:, :size] * gates[:, 2 * size : 3 * size]
            if noise is not None:
                c *= noise[2][:, t]
            h = gates[:, 3 * size :] * np.tanh(c)
            if noise is not None:
                h *= noise[3][:, t]
            outputs[:, t] = h
        return outputs, [h, c]


class Gru(_Recurrent):
    """z, r = σ(W x + b₀ + U h + b₁), c = tanh(W x + b₀ + r · (U h + b₁)), h' = (1 - z)·c + z·h."""

    states = 1

    @property
    def input_bias(self) -> np.ndarray:
        return self.bias[0]

    def _noise(self, x: np.ndarray, hidden: np.ndarray, driven: np.ndarray) -> tuple[np.ndarray, ...]:
        arithmetic, frames, size = self.arithmetic, len(x), self.hidden
        recalled = hidden @ self.recurrent + self.bias[1]
        from_input = np.hypot(arithmetic.dot_spread(x, self.kernel, self.bias[0]), arithmetic.sum_spread(driven))
        # For z and r one sum may run through W x and U h; for h the reset gate keeps them apart.
        start = self.bias[1] + np.concatenate([driven[:, : 2 * size], np.zeros((frames, size))], axis=1)
        from_state = np.hypot(arithmetic.dot_spread(hidden, self.recurrent, start), arithmetic.sum_spread(recalled))
        # The sum that the activation sees is rounded too; its terms bound it well enough.
        from_input = np.hypot(from_input, arithmetic.sum_spread(np.abs(driven) + np.abs(recalled)))
        gates = self._function(frames, 2 * size, np.repeat([SIGMOID, _SIGMOID_TIMES], size))
        candidate = self._function(frames, size, float(np.hypot(TANH, np.sqrt(2) * OPERATION)))
        kept = self._factor(frames, size, OPERATION)
        return (
            arithmetic.draw(from_input)[1:],
            arithmetic.draw(from_state)[1:],
            gates,
            candidate,
            kept,
            self._factor(frames, size, OPERATION),
        )

    def _steps(
        self,
        driven: np.ndarray,
        state: list[np.ndarray],
        noise: tuple[np.ndarray, ...] | None,
        rounding: np.ndarray | None = None,
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        runs, frames, _ = driven.shape
        size = self.hidden
        outputs = np.empty((runs, frames, size))
        (h,) = state
        if noise is not None:
            driven = driven + noise[0]
        for t in range(frames):
            if self.forget:
                h = np.zeros_like(h)
            recalled = (h if rounding is None else h + rounding[:, t]) @ self.recurrent + self.bias[1]
            if noise is not None:
                recalled += noise[1][:, t]
            gates = sigmoid(driven[:, t, : 2 * size] + recalled[:, : 2 * size])
            if noise is not None:
                gates *= noise[2][:, t]
            z, r = gates[:, :size], gates[:, size:]
            candidate = np.tanh(driven[:, t, 2 * size :] + r * recalled[:, 2 * size :])
            if noise is None:
                h = (1.0 - z) * candidate + z * h
            else:
                h = ((1.0 - z) * candidate * noise[3][:, t] + z * h * noise[4][:, t]) * noise[5][:, t]
            outputs[:, t] = h
        return outputs, [h]
