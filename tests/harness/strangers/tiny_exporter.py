"""An exporter for a chain of Linear, Tanh and ReLU, connected as py:tiny_exporter:TinyExporter."""

import json

from torch import nn


class UnsupportedModule(Exception):
    pass


class TinyExporter:
    declares = {"name": "tiny-exporter", "version": "1.1", "layer_types": ["dense", "activation"]}

    def export(self, module, path):
        layers = []
        for name, part in module.named_children():
            if isinstance(part, nn.Linear):
                width = part.out_features
                weights = [part.weight.T.tolist(), part.bias.tolist()]
                layers.append({"type": "dense", "activation": "", "shape": [None, width], "weights": weights})
            elif isinstance(part, (nn.Tanh, nn.ReLU)):
                kind = type(part).__name__.lower()
                layers.append({"type": "activation", "activation": kind, "shape": [None, width], "weights": []})
            else:
                raise UnsupportedModule(f"{name}: {type(part).__name__} has no counterpart")
        first = next(part for part in module if isinstance(part, nn.Linear))
        with open(path, "w") as file:
            json.dump({"in_shape": [None, first.in_features], "layers": layers}, file)
