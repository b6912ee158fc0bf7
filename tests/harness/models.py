"""Models for the tests of the judge: random ones by layer family, and stored ones to be spoilt."""

from __future__ import annotations

import json

import numpy as np

from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import Model, Report, grammar as g, validate_bytes

FAMILIES = ("dense", "lstm", "gru", "conv1d", "mixed")
SIZES = (1, 2, 3, 5, 7, 8, 13, 16, 17, 24, 40)


def random_model(random: np.random.Generator, family: str) -> Model:
    """A model of one to four layers of a family; weights uniform in ±gain/√fan-in, gain between 0.5 and 3."""
    size = first = int(random.choice(SIZES))
    layers = []
    for _ in range(int(random.integers(1, 5))):
        layer = _LAYERS[family if family != "mixed" else str(random.choice(list(_LAYERS)))](random, size)
        layers.append(layer)
        size = layer.output_size
    return Model(first, tuple(layers))


def stored_tree(name: str) -> dict:
    """The JSON of a stored small model, to be spoilt."""
    return json.loads((FIXTURES / "models" / "small" / f"{name}.json").read_text(encoding="utf-8"))


def validate(tree: object) -> Report:
    """The report on a JSON value."""
    return validate_bytes(json.dumps(tree).encode())


def uniform(random: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    gain = random.uniform(0.5, 3.0)
    return (random.uniform(-gain, gain, shape) / np.sqrt(fan_in)).astype(np.float32)


def _activation(random: np.random.Generator, size: int) -> str:
    # A softmax over one output is 1 whatever the weights are: such a model can't be judged.
    return str(random.choice(["", *(name for name in g.ACTIVATIONS if size > 1 or name != "softmax")]))


def dense(random: np.random.Generator, size: int) -> g.Dense:
    out = int(random.choice(SIZES))
    return g.Dense(uniform(random, (size, out), size), uniform(random, (out,), size), _activation(random, out))


def lstm(random: np.random.Generator, size: int) -> g.Lstm:
    hidden = int(random.choice(SIZES))
    shapes = ((size, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,))
    return g.Lstm(*(uniform(random, shape, hidden) for shape in shapes))


def gru(random: np.random.Generator, size: int) -> g.Gru:
    hidden = int(random.choice(SIZES))
    shapes = ((size, 3 * hidden), (hidden, 3 * hidden), (2, 3 * hidden))
    return g.Gru(*(uniform(random, shape, hidden) for shape in shapes))


def conv1d(random: np.random.Generator, size: int) -> g.Conv1d:
    taps, dilation = int(random.integers(1, 6)), int(random.integers(1, 5))
    groups = int(random.choice([n for n in range(1, 9) if size % n == 0]))
    out = groups * int(random.choice(SIZES[:6]))
    kernel = uniform(random, (taps, size // groups, out), taps * size // groups)
    return g.Conv1d(kernel, uniform(random, (out,), size), dilation, groups, _activation(random, out))


def prelu(random: np.random.Generator, size: int) -> g.Prelu:
    return g.Prelu(random.uniform(-0.5, 1.5, int(random.choice([1, size]))).astype(np.float32), size)


def batchnorm(random: np.random.Generator, size: int) -> g.BatchNorm:
    affine = random.random() < 0.7
    gamma, beta, mean = (random.uniform(-2, 2, size).astype(np.float32) for _ in range(3))
    variance = random.uniform(1e-4, 3, size).astype(np.float32)
    return g.BatchNorm(gamma if affine else None, beta if affine else None, mean, variance, np.float32(1e-5))


def activation(random: np.random.Generator, size: int) -> g.Activation:
    return g.Activation(_activation(random, size) or "tanh", size)


_LAYERS = {
    "dense": dense,
    "lstm": lstm,
    "gru": gru,
    "conv1d": conv1d,
    "prelu": prelu,
    "batchnorm": batchnorm,
    "activation": activation,
}
