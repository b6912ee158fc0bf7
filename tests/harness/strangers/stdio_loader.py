"""A loader for dense layers as a program, connected as cmd:python3 stdio_loader.py. Standard library only."""

import base64
import json
import math
import struct

from stdio_loop import Refusal, serve


def softmax(values):
    weights = [math.exp(value - max(values)) for value in values]
    return [weight / sum(weights) for weight in weights]


def each(function):
    return lambda values: [function(value) for value in values]


ACTIVATIONS = {
    "": each(lambda x: x),
    "tanh": each(math.tanh),
    "relu": each(lambda x: max(x, 0.0)),
    "sigmoid": each(lambda x: 1 / (1 + math.exp(-x))),
    "elu": each(lambda x: x if x > 0 else math.expm1(x)),
    "softmax": softmax,
}
models = {}


def load(request):
    try:
        with open(request["path"]) as file:
            description = json.load(file)
    except OSError as error:
        raise Refusal("read", str(error)) from error
    except ValueError as error:
        raise Refusal("parse", str(error)) from error
    for index, layer in enumerate(description["layers"]):
        if layer["type"] != "dense":
            raise Refusal("validate", f"unknown layer type {layer['type']!r}", f"$.layers[{index}].type")
        if layer.get("activation", "") not in ACTIVATIONS:
            raise Refusal("validate", f"unknown activation {layer['activation']!r}", f"$.layers[{index}].activation")
    models[len(models)] = description
    sizes = {"input_size": description["in_shape"][-1], "output_size": description["layers"][-1]["shape"][-1]}
    return {"model": len(models) - 1, **sizes}


def process(request):
    description = models[request["model"]]
    rows, columns = request["frames"]["shape"]
    values = struct.unpack(f"<{rows * columns}f", base64.b64decode(request["frames"]["data"]))
    outputs = [step(description, values[row * columns : (row + 1) * columns]) for row in range(rows)]
    flat = [value for output in outputs for value in output]
    width = description["layers"][-1]["shape"][-1]
    data = base64.b64encode(struct.pack(f"<{len(flat)}f", *flat)).decode()
    return {"outputs": {"shape": [rows, width], "data": data}}


def step(description, x):
    for layer in description["layers"]:
        kernel, bias = layer["weights"]
        sums = [sum(a * row[o] for a, row in zip(x, kernel, strict=True)) + b for o, b in enumerate(bias)]
        x = ACTIVATIONS[layer.get("activation", "")](sums)
    return x


if __name__ == "__main__":
    serve(
        {"name": "stdio-stranger", "version": "2", "role": "loader", "numeric_class": "f32", "layer_types": ["dense"]},
        {
            "load": load,
            "prepare": lambda request: None,
            "reset": lambda request: None,
            "process": process,
            "unload": lambda request: models.pop(request["model"]) and None,
        },
    )
