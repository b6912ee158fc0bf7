"""What the evaluators of all layer types share: the activations and the affine map, with their rounding errors."""

from abc import ABC, abstractmethod

import numpy as np

from .arithmetic import EXP, OPERATION, SIGMOID, TANH, Arithmetic


class Evaluator(ABC):
    """A layer that maps chunks of frames in order. `width` is the most floats that it holds per frame and run."""

    width: int

    @abstractmethod
    def __call__(self, x: np.ndarray) -> np.ndarray: ...


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)); where the exponential overflows, 0 is right to 300 digits."""
    return 1.0 / (1.0 + np.exp(-x))


def _softmax(x: np.ndarray, arithmetic: Arithmetic) -> np.ndarray:
    shifted = x - x.max(axis=-1, keepdims=True)
    # Subtracting the maximum rounds the exponent, which is an error of u|x - max| in its exponential.
    powers = np.exp(shifted * arithmetic.factor(x.shape[1:], OPERATION)) * arithmetic.function(x.shape[1:], EXP)
    total = powers.sum(axis=-1, keepdims=True)
    total = total + arithmetic.draw(arithmetic.dot_spread(powers[0], np.ones((x.shape[-1], 1))))
    return powers / total * arithmetic.factor(x.shape[1:], OPERATION)


def _elu(x: np.ndarray, arithmetic: Arithmetic) -> np.ndarray:
    # exp(x) - 1 and expm1(x) are both in use: the first errs by u where the second errs by u|y|.
    rounding = arithmetic.function(x.shape[1:], EXP) - 1.0
    below = np.expm1(np.minimum(x, 0.0)) + rounding * np.exp(np.minimum(x, 0.0))
    # Where exp(x) is nearly 0, what is left is the rounding of the subtraction.
    return np.where(x > 0, x, below * arithmetic.factor(x.shape[1:], OPERATION))


def activate(name: str, x: np.ndarray, arithmetic: Arithmetic) -> np.ndarray:
    """Apply an activation of the grammar to [runs, frames, channels]."""
    if name == "tanh":
        return np.tanh(x) * arithmetic.function(x.shape[1:], TANH)
    if name == "sigmoid":
        return sigmoid(x) * arithmetic.function(x.shape[1:], SIGMOID)
    if name == "relu":
        return arithmetic.bent(lambda inputs: np.maximum(inputs, 0.0), x)
    if name == "softmax":
        return _softmax(x, arithmetic)
    return _elu(x, arithmetic) if name == "elu" else x


def affine(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, arithmetic: Arithmetic) -> np.ndarray:
    """x @ kernel + bias with the rounding of its products and sums."""
    runs, frames, n = x.shape
    y = (arithmetic.rounded(x).reshape(runs * frames, n) @ kernel).reshape(runs, frames, -1) + bias
    return y + arithmetic.draw(np.hypot(arithmetic.dot_spread(x[0], kernel, bias), arithmetic.sum_spread(y[0])))
