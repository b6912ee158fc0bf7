"""Dense layers in NumPy that learn by Adam: as much of a framework as the toy trainer needs, and nobody else's code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = list[np.ndarray]

FORWARD = {"relu": lambda z: np.maximum(z, 0.0), "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z))}
SLOPE = {"relu": lambda y: np.where(y > 0.0, 1.0, 0.0), "sigmoid": lambda y: y * (1.0 - y)}
"""Each activation's derivative, from its output."""

BETAS = (0.9, 0.999)
EPSILON = 1e-8


@dataclass
class Network:
    """`weights` are kernel `[in, out]` and bias `[out]` of each layer in turn, float64."""

    activations: tuple[str, ...]
    weights: Arrays

    @classmethod
    def drawn(cls, layers: Sequence[Mapping[str, Any]], generator: np.random.Generator) -> Network:
        """Weights as PyTorch's Linear draws them: uniform within 1/√in."""
        weights = []
        for layer in layers:
            bound = layer["input"] ** -0.5
            weights.append(generator.uniform(-bound, bound, (layer["input"], layer["output"])))
            weights.append(generator.uniform(-bound, bound, layer["output"]))
        return cls(tuple(layer["activation"] for layer in layers), weights)

    def outputs(self, inputs: np.ndarray) -> Arrays:
        """What each layer puts out for inputs `[..., in]`, the inputs themselves first."""
        values = [inputs]
        for activation, kernel, bias in zip(self.activations, self.weights[::2], self.weights[1::2], strict=True):
            values.append(FORWARD[activation](values[-1] @ kernel + bias))
        return values

    def loss(self, inputs: np.ndarray, targets: np.ndarray) -> float:
        """The mean squared error over all values."""
        return float(np.mean(np.square(self.outputs(inputs)[-1] - targets)))

    def gradients(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[float, Arrays]:
        """(loss, its gradient for each of the weights) for inputs `[N, in]` and targets `[N, out]`."""
        values = self.outputs(inputs)
        error = values[-1] - targets
        loss, down = float(np.mean(np.square(error))), 2.0 * error / error.size
        gradients: Arrays = []
        for index in reversed(range(len(self.activations))):
            down = down * SLOPE[self.activations[index]](values[index + 1])
            gradients = [values[index].T @ down, down.sum(axis=0), *gradients]
            down = down @ self.weights[2 * index].T
        return loss, gradients

    def layers(self) -> list[dict[str, Any]]:
        """The layers as RTNeural JSON writes them, numbers as the float32 nearest to them."""
        return [
            {
                "type": "dense",
                "activation": activation,
                "shape": [None, None, len(bias)],
                "weights": [np.float32(kernel).tolist(), np.float32(bias).tolist()],
            }
            for activation, kernel, bias in zip(self.activations, self.weights[::2], self.weights[1::2], strict=True)
        ]


@dataclass
class Adam:
    """Kingma and Ba, 2015, algorithm 1. `first` and `second` are the moments of each of the weights."""

    learning_rate: float
    steps: int = 0
    first: Arrays = field(default_factory=list)
    second: Arrays = field(default_factory=list)

    def step(self, weights: Arrays, gradients: Arrays) -> None:
        """Changes the weights in place."""
        self.steps += 1
        self.first = self.first or [np.zeros_like(array) for array in weights]
        self.second = self.second or [np.zeros_like(array) for array in weights]
        one, two = (1.0 - beta**self.steps for beta in BETAS)
        for index, gradient in enumerate(gradients):
            self.first[index] = BETAS[0] * self.first[index] + (1.0 - BETAS[0]) * gradient
            self.second[index] = BETAS[1] * self.second[index] + (1.0 - BETAS[1]) * np.square(gradient)
            root = np.sqrt(self.second[index] / two) + EPSILON
            weights[index] -= self.learning_rate * (self.first[index] / one) / root
