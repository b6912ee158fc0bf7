"""A small exporter that is right about the modules of the zoo; the wrong ones differ from it in one method each.

It shares no code with any exporter that is judged, which makes it a second good implementation as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Layer = dict[str, Any]

ACTIVATIONS = {"Tanh": "tanh", "ReLU": "relu", "Sigmoid": "sigmoid", "Softmax": "softmax", "ELU": "elu"}
CONTAINERS = ("Chain", "Sequential", "ModuleList", "OverTime", "Causal", "Reordered")
DROPPED = ("Dropout", "Identity")


class UnsupportedModule(Exception):
    """The format can't express a module; the message begins with its qualified name."""


class ToyExporter:
    """Linear, LSTM, GRU, causal convolutions, batch norms, PReLU and activations in a chain."""

    name = "toy-exporter"

    @property
    def declares(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": "1.0",
            "role": "exporter",
            "layer_types": ["dense", "lstm", "gru", "conv1d", "batchnorm", "prelu", "activation"],
        }

    def export(self, module: Any, path: str) -> None:
        width = self.width_of(module)
        layers: list[Layer] = []
        for name, part in self.leaves(module):
            self.append(layers, name, part)
        if layers[0]["shape"][-1] is None:  # an activation in front of everything
            layers[0]["shape"][-1] = width
        self.write(json.dumps({"in_shape": self.in_shape(width), "layers": layers}), Path(path))

    def leaves(self, module: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """The parts with their qualified names, in the order of the chain; containers are opened, nothing else is."""
        children = dict(module.named_children())
        for name in self.order_of(module, list(children)):
            part = children[name]
            qualified = f"{prefix}{name}"
            if self.is_container(part):
                yield from self.leaves(part, f"{qualified}.")
            else:
                yield qualified, part

    def order_of(self, module: Any, names: list[str]) -> Sequence[str]:
        """The order in which a module calls its parts: the one that they stand in, unless it says otherwise."""
        return getattr(module, "order", names)

    def is_container(self, part: Any) -> bool:
        return type(part).__name__ in CONTAINERS

    def append(self, layers: list[Layer], name: str, part: Any) -> None:
        kind = type(part).__name__.removeprefix("Parametrized")
        if kind == "Linear":
            layers.append(self.dense(part))
        elif kind == "Conv1d":
            self.check_conv(name, part)
            layers.append(self.conv1d(part))
        elif kind == "BatchNorm1d":
            self.check_norm(name, part)
            layers.append(self.batchnorm(part))
        elif kind in ("PReLU", "LeakyReLU"):
            layers.append(self.layer("prelu", layers[-1]["shape"][-1], [self.alphas(kind, part)[None]]))
        elif kind == "LSTM":
            self.check_recurrent(name, part)
            layers += [self.lstm(part, index) for index in range(self.depth(part))]
        elif kind == "GRU":
            self.check_recurrent(name, part)
            layers += [self.gru(part, index) for index in range(self.depth(part))]
        elif kind in ACTIVATIONS:
            self.check_activation(name, part)
            self.activation(layers, ACTIVATIONS[kind], part)
        elif kind not in DROPPED:
            self.unknown(layers, name, part)

    def check_recurrent(self, name: str, part: Any) -> None:
        if part.bidirectional or part.proj_size:
            raise UnsupportedModule(f"{name} ({type(part).__name__}): bidirectional or projected")

    def check_conv(self, name: str, part: Any) -> None:
        if part.stride[0] != 1 or part.padding not in ((0,), "valid"):
            raise UnsupportedModule(f"{name} (Conv1d): stride {part.stride}, padding {part.padding}")

    def check_norm(self, name: str, part: Any) -> None:
        if not part.track_running_stats:
            raise UnsupportedModule(f"{name} (BatchNorm1d): no running statistics")

    def check_activation(self, name: str, part: Any) -> None:
        if getattr(part, "alpha", 1.0) != 1.0 or getattr(part, "dim", -1) != -1:
            raise UnsupportedModule(f"{name} ({part}): the format has no parameters for it")

    def unknown(self, layers: list[Layer], name: str, part: Any) -> None:
        raise UnsupportedModule(f"{name} ({type(part).__name__}): not in the format")

    def depth(self, part: Any) -> int:
        return part.num_layers

    def dense(self, part: Any) -> Layer:
        weight = self.numbers(part.weight)
        bias = np.zeros(part.out_features, np.float32) if part.bias is None else self.numbers(part.bias)
        return self.layer("dense", part.out_features, [weight.T, bias], activation="")

    def lstm(self, part: Any, index: int) -> Layer:
        w_ih, w_hh, b_ih, b_hh = self.recurrent_parts(part, index)
        return self.layer("lstm", part.hidden_size, [w_ih.T, w_hh.T, b_ih + b_hh])

    def gru(self, part: Any, index: int) -> Layer:
        arrays = [self.swap_r_and_z(array) for array in self.recurrent_parts(part, index)]
        w_ih, w_hh, b_ih, b_hh = arrays
        return self.layer("gru", part.hidden_size, [w_ih.T, w_hh.T, np.stack([b_ih, b_hh])])

    def swap_r_and_z(self, array: np.ndarray) -> np.ndarray:
        r, z, n = np.split(array, 3)
        return np.concatenate([z, r, n])

    def recurrent_parts(self, part: Any, index: int) -> list[np.ndarray]:
        weights = [self.numbers(getattr(part, f"weight_{which}_l{index}")) for which in ("ih", "hh")]
        zeros = np.zeros(len(weights[1]), np.float32)
        biases = [self.numbers(getattr(part, f"bias_{w}_l{index}")) if part.bias else zeros for w in ("ih", "hh")]
        return [*weights, *biases]

    def conv1d(self, part: Any) -> Layer:
        bias = np.zeros(part.out_channels, np.float32) if part.bias is None else self.numbers(part.bias)
        further = {"kernel_size": part.kernel_size[0], "dilation": part.dilation[0], "groups": part.groups}
        arrays = [self.numbers(part.weight).transpose(2, 1, 0), bias]
        return self.layer("conv1d", part.out_channels, arrays, activation="", **further)

    def batchnorm(self, part: Any) -> Layer:
        statistics = [self.numbers(part.running_mean), self.numbers(part.running_var)]
        affine = [self.numbers(part.weight), self.numbers(part.bias)] if part.affine else []
        return self.layer("batchnorm", part.num_features, [*affine, *statistics], epsilon=part.eps)

    def alphas(self, kind: str, part: Any) -> np.ndarray:
        """One per channel, or one for all."""
        return np.array([part.negative_slope], np.float32) if kind == "LeakyReLU" else self.numbers(part.weight)

    def numbers(self, tensor: Any) -> np.ndarray:
        array = tensor.detach().numpy()
        if not np.isfinite(array).all():
            raise UnsupportedModule("a weight is not finite")
        return array

    def activation(self, layers: list[Layer], name: str, part: Any) -> None:
        """Fuses into a dense or conv1d layer that has none yet, else stands by itself."""
        if layers and layers[-1].get("activation") == "":
            layers[-1]["activation"] = name
        else:
            size = layers[-1]["shape"][-1] if layers else None
            layers.append(self.layer("activation", size, [], activation=name))

    def layer(self, kind: str, size: int | None, arrays: list[np.ndarray], **further: Any) -> Layer:
        return {"type": kind, "shape": [None, None, size], "weights": [self.text(a) for a in arrays], **further}

    def text(self, array: np.ndarray) -> Any:
        """Nested lists of numbers; a float32 printed as a float64 reads back to the same bits."""
        return array.astype(np.float64).tolist()

    def in_shape(self, width: int) -> list[int | None]:
        return [None, None, width]

    def width_of(self, module: Any) -> int:
        for part in module.modules():
            for attribute in ("in_features", "input_size", "in_channels"):
                if hasattr(part, attribute):
                    return getattr(part, attribute)
        raise UnsupportedModule("no layer has an input size")

    def write(self, text: str, path: Path) -> None:
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


def toy_exporter() -> ToyExporter:
    """The good one."""
    return ToyExporter()
