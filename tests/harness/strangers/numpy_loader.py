"""A loader in NumPy for dense and lstm layers, connected as py:numpy_loader:NumpyLoader."""

import json

import numpy as np


def sigmoid(x):
    return np.float32(1) / (np.float32(1) + np.exp(-x))


ACTIVATIONS = {
    "": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, np.float32(0)),
    "sigmoid": sigmoid,
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "softmax": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
}


class NumpyLoader:
    declares = {"name": "numpy-stranger", "version": "0.3", "layer_types": ["dense", "lstm"], "features": []}

    def load(self, path):
        with open(path) as file:
            description = json.load(file)
        return Model(description)


class Model:
    def __init__(self, description):
        self.layers = [make_layer(index, layer) for index, layer in enumerate(description["layers"])]
        self.input_size = description["in_shape"][-1]
        self.output_size = description["layers"][-1]["shape"][-1]

    def reset(self):
        for layer in self.layers:
            layer.reset()

    def process(self, frames):
        outputs = [self.step(frame) for frame in frames]
        return np.array(outputs, np.float32).reshape(len(frames), self.output_size)

    def step(self, frame):
        for layer in self.layers:
            frame = layer.step(frame)
        return frame


class Dense:
    def __init__(self, layer):
        self.kernel, self.bias = (np.array(values, np.float32) for values in layer["weights"])
        self.activation = ACTIVATIONS[layer.get("activation", "")]

    def reset(self):
        pass

    def step(self, x):
        return self.activation(x @ self.kernel + self.bias)


class Lstm:
    def __init__(self, layer):
        self.kernel, self.recurrent, self.bias = (np.array(values, np.float32) for values in layer["weights"])
        self.reset()

    def reset(self):
        self.h = self.c = np.zeros(len(self.recurrent), np.float32)

    def step(self, x):
        i, f, g, o = np.split(x @ self.kernel + self.h @ self.recurrent + self.bias, 4)
        self.c = sigmoid(f) * self.c + sigmoid(i) * np.tanh(g)
        self.h = sigmoid(o) * np.tanh(self.c)
        return self.h


class UnknownLayer(Exception):
    phase = "validate"

    def __init__(self, index, kind):
        super().__init__(f"unknown layer type {kind!r}")
        self.json_path = f"$.layers[{index}].type"


def make_layer(index, layer):
    kinds = {"dense": Dense, "lstm": Lstm}
    if layer["type"] not in kinds:
        raise UnknownLayer(index, layer["type"])
    return kinds[layer["type"]](layer)
