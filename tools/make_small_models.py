"""Writes fixtures/models/small: one small model with random weights per layer type, for judging loaders quickly.

    python tools/make_small_models.py

The sizes are such that mistakes show: not square, not multiples of a vector's width, every bias distinct and not zero,
weights uniform in ±3/√H. The same script writes the same bytes.
"""

import json
import zlib
from collections.abc import Callable

import numpy as np

from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import Model, dumps, grammar as g

FOLDER = FIXTURES / "models" / "small"
GAIN = 3.0


class Weights:
    """Random arrays of one model; the seed is the model's name, so that a new model changes no other."""

    def __init__(self, name: str) -> None:
        self.random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))

    def uniform(self, *shape: int, fan_in: int) -> np.ndarray:
        limit = GAIN / np.sqrt(fan_in)
        return ((2.0 * self.random.random(shape) - 1.0) * limit).astype(np.float32)

    def between(self, low: float, high: float, *shape: int) -> np.ndarray:
        return (low + (high - low) * self.random.random(shape)).astype(np.float32)

    def dense(self, inputs: int, outputs: int, activation: str = "", kind: str = "dense") -> g.Dense:
        kernel, bias = self.uniform(inputs, outputs, fan_in=inputs), self.uniform(outputs, fan_in=inputs)
        return g.Dense(kernel, bias, activation, kind)

    def lstm(self, inputs: int, hidden: int) -> g.Lstm:
        shapes = ((inputs, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,))
        return g.Lstm(*(self.uniform(*shape, fan_in=hidden) for shape in shapes))

    def gru(self, inputs: int, hidden: int) -> g.Gru:
        shapes = ((inputs, 3 * hidden), (hidden, 3 * hidden), (2, 3 * hidden))
        return g.Gru(*(self.uniform(*shape, fan_in=hidden) for shape in shapes))

    def conv1d(
        self, inputs: int, outputs: int, taps: int, dilation: int = 1, groups: int = 1, activation: str = ""
    ) -> g.Conv1d:
        fan_in = taps * inputs // groups
        kernel = self.uniform(taps, inputs // groups, outputs, fan_in=fan_in)
        return g.Conv1d(kernel, self.uniform(outputs, fan_in=fan_in), dilation, groups, activation)

    def prelu(self, size: int, shared: bool = False) -> g.Prelu:
        return g.Prelu(self.between(0.05, 0.95, 1 if shared else size), size)

    def batchnorm(self, size: int, affine: bool = True, epsilon: float = 1e-3) -> g.BatchNorm:
        gamma, beta = (self.between(0.5, 2.0, size), self.between(-1.0, 1.0, size)) if affine else (None, None)
        # One channel with a variance near epsilon shows an epsilon that is not the file's.
        variance = self.between(0.1, 3.0, size)
        variance[size // 2] = 1e-4
        return g.BatchNorm(gamma, beta, self.between(-0.5, 0.5, size), variance, np.float32(epsilon))

    def conv2d(
        self, features: int, inputs: int, outputs: int, taps: int, window: int, dilation: int, stride: int, padding: str
    ) -> g.Conv2d:
        fan_in = taps * window * inputs
        kernel = self.uniform(taps, window, inputs, outputs, fan_in=fan_in)
        return g.Conv2d(kernel, self.uniform(outputs, fan_in=fan_in), features, dilation, stride, padding)

    def batchnorm2d(self, features: int, filters: int) -> g.BatchNorm2d:
        norm = self.batchnorm(filters)
        return g.BatchNorm2d(norm.gamma, norm.beta, norm.mean, norm.variance, norm.epsilon, features)


def _activation_behind_dense(name: str) -> Callable[[Weights], tuple[g.Layer, ...]]:
    return lambda w: (w.dense(3, 5), g.Activation(name, 5))


MODELS: dict[str, Callable[[Weights], tuple[g.Layer, ...]]] = {
    "dense": lambda w: (w.dense(3, 5),),
    "dense-one": lambda w: (w.dense(1, 1),),
    "dense-wide": lambda w: (w.dense(3, 17, "tanh"), w.dense(17, 7)),
    "dense-activations": lambda w: (
        w.dense(3, 5, "tanh"),
        w.dense(5, 7, "relu"),
        w.dense(7, 4, "sigmoid"),
        w.dense(4, 6, "elu"),
    ),
    "dense-softmax": lambda w: (w.dense(3, 7, "softmax"),),
    "time-distributed-dense": lambda w: (w.dense(3, 5, "tanh", "time-distributed-dense"), w.dense(5, 3)),
    "lstm": lambda w: (w.lstm(3, 5),),
    "lstm-one": lambda w: (w.lstm(3, 1),),
    "lstm-wide": lambda w: (w.lstm(3, 17),),
    "lstm-dense": lambda w: (w.lstm(3, 7), w.dense(7, 2, "tanh")),
    "lstm-stacked": lambda w: (w.lstm(3, 5), w.lstm(5, 7), w.lstm(7, 4)),
    "gru": lambda w: (w.gru(3, 5),),
    "gru-one": lambda w: (w.gru(3, 1),),
    "gru-wide": lambda w: (w.gru(3, 17),),
    "gru-stacked": lambda w: (w.gru(3, 5), w.gru(5, 7)),
    "conv1d": lambda w: (w.conv1d(3, 5, taps=4),),
    "conv1d-dilated": lambda w: (
        w.conv1d(3, 5, taps=3, dilation=2),
        w.conv1d(5, 7, taps=2, dilation=5, activation="tanh"),
    ),
    "conv1d-groups": lambda w: (w.conv1d(6, 4, taps=3, dilation=2, groups=2),),
    "conv1d-groups-wide": lambda w: (w.conv1d(6, 10, taps=2, dilation=3, groups=2, activation="relu"),),
    "conv2d": lambda w: (w.conv2d(7, 2, 3, taps=2, window=3, dilation=2, stride=1, padding="valid"),),
    "conv2d-same": lambda w: (w.conv2d(7, 1, 3, taps=3, window=4, dilation=1, stride=2, padding="same"),),
    # RTNeural reads behind a frame that has fewer features than the kernel.
    "conv2d-narrow": lambda w: (w.conv2d(1, 2, 3, taps=2, window=3, dilation=1, stride=1, padding="same"),),
    "conv2d-strided": lambda w: (w.conv2d(9, 2, 3, taps=2, window=2, dilation=3, stride=3, padding="valid"),),
    "conv2d-same-filters": lambda w: (w.conv2d(6, 2, 3, taps=2, window=5, dilation=2, stride=1, padding="same"),),
    "conv2d-same-sparse": lambda w: (w.conv2d(7, 1, 2, taps=1, window=1, dilation=1, stride=3, padding="same"),),
    "conv2d-one-feature": lambda w: (w.conv2d(3, 1, 2, taps=2, window=3, dilation=1, stride=1, padding="valid"),),
    "prelu": lambda w: (w.dense(3, 5), w.prelu(5)),
    "prelu-shared": lambda w: (w.dense(3, 5), w.prelu(5, shared=True)),
    "batchnorm": lambda w: (w.dense(3, 5), w.batchnorm(5)),
    "batchnorm-not-affine": lambda w: (w.dense(3, 5), w.batchnorm(5, affine=False)),
    "batchnorm-epsilon-zero": lambda w: (w.dense(3, 5), w.batchnorm(5, epsilon=0.0)),
    "batchnorm2d": lambda w: (
        w.conv2d(5, 1, 3, taps=1, window=3, dilation=1, stride=1, padding="valid"),
        w.batchnorm2d(3, 3),
    ),
    "batchnorm2d-wide": lambda w: (
        w.conv2d(6, 1, 3, taps=1, window=3, dilation=1, stride=1, padding="valid"),
        w.batchnorm2d(4, 3),
    ),
    **{f"activation-{name}": _activation_behind_dense(name) for name in g.ACTIVATIONS},
}


KERAS_MODELS: dict[str, Callable[[Weights], tuple[g.Layer, ...]]] = {
    "keras-lstm": lambda w: (w.dense(3, 5, "elu", "time-distributed-dense"), w.lstm(5, 7), w.dense(7, 2)),
    "keras-conv1d-gru": lambda w: (w.conv1d(3, 5, taps=3, dilation=2), w.gru(5, 4), w.dense(4, 3, "sigmoid")),
}

NEUTRAL_MODELS: dict[str, Callable[[Weights], tuple[g.Layer, ...]]] = {
    "neutral-keys": lambda w: (w.conv1d(3, 5, taps=2), w.lstm(5, 4), g.Activation("elu", 4), w.dense(4, 3, "elu")),
}
NEUTRAL_KEYS = (
    {"padding": "causal", "strides": [1], "stride": 1, "use_bias": True},
    {"bidirectional": False, "go_backwards": False, "proj_size": 0},
    {"alpha": 1, "strides": 1},
    {"alpha": 1.0, "stride": [1]},
)
"""By layer: settings of other formats, with the values that change nothing."""

BARE_MODELS: dict[str, Callable[[Weights], tuple[g.Layer, ...]]] = {
    "bare-dense-conv1d": lambda w: (w.dense(3, 5), w.conv1d(5, 4, taps=2), w.dense(4, 2, "tanh")),
}


def without_what_may_be_missing(text: str) -> str:
    """The same model without the keys that have a default: an empty activation, a single group."""
    document = json.loads(text)
    for layer in document["layers"]:
        if not layer.get("activation"):
            layer.pop("activation", None)
        if layer.get("groups") == 1:
            del layer["groups"]
    return json.dumps(document) + "\n"


def with_neutral_keys(text: str) -> str:
    """The same model with settings spelt out that the format has no place for, as they are anyway."""
    document = json.loads(text)
    for layer, keys in zip(document["layers"], NEUTRAL_KEYS, strict=True):
        layer.update(keys)
    return json.dumps(document) + "\n"


def as_keras_writes(text: str) -> str:
    """The same model as files of Keras' users have it: the cells' own tanh named, and keys that nobody reads.

    One of these texts looks like JSON to those who search instead of read.
    """
    document = json.loads(text) | {"author": 'somebody, "type": "dense", {them: us}, [and more]'}
    for index, layer in enumerate(document["layers"]):
        layer["name"] = f"layer_{index}"
        if layer["type"] in ("lstm", "gru"):
            layer["activation"] = "tanh"
    return json.dumps(document) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    everything = {**MODELS, **KERAS_MODELS, **NEUTRAL_MODELS, **BARE_MODELS}
    for name, layers_of in everything.items():
        layers = layers_of(Weights(name))
        text = dumps(Model(layers[0].input_size, layers))
        text = as_keras_writes(text) if name in KERAS_MODELS else text
        text = with_neutral_keys(text) if name in NEUTRAL_MODELS else text
        text = without_what_may_be_missing(text) if name in BARE_MODELS else text
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    print(f"{len(everything)} models in {FOLDER}")


if __name__ == "__main__":
    main()
