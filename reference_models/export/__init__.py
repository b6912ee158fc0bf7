"""The reference exporter: a torch module in eval mode becomes RTNeural JSON, or a refusal that names the module.

What is written is read back and evaluated in float64 against the module's own forward() before the file is kept.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import orjson
import torch
from torch import nn

from ... import __version__
from ..atomic import write_atomic
from ..errors import UnsupportedModule
from ..numpy_runtime import read_model
from .mapping import Call, Layer, fuse_activations, rule_for
from .placing import Refusal
from .probes import Probe, probe
from .trace import describe

__all__ = ["UnsupportedModule", "export_model", "reference_exporter", "render"]

_UNIT_ROUNDOFF = 2.0**-24


class ReferenceExporter:
    """The Exporter role: `declares`, and `export(module, path)`."""

    declares: ClassVar = {
        "name": "reference-exporter",
        "version": __version__,
        "role": "exporter",
        "numeric_class": "f32",
        "layer_types": [
            *("dense", "conv1d", "conv2d", "lstm", "gru", "prelu", "batchnorm", "batchnorm2d", "activation"),
        ],
        "features": ["deterministic", "atomic", "parametrizations"],
    }

    def export(self, module: nn.Module, path: str | os.PathLike[str]) -> None:
        """See `export_model`."""
        export_model(module, path)


def reference_exporter() -> ReferenceExporter:
    """The entry point `reference-exporter`."""
    return ReferenceExporter()


def export_model(module: nn.Module, path: str | os.PathLike[str]) -> None:
    """Writes what `module` computes in eval mode as RTNeural JSON to `path`, atomically; the module stays as it is.

    The module maps `[B, T, in]` (`[T, B, in]` if its recurrent parts aren't batch_first), `[B, in, T]`, the same
    without B, or `[B, filters, T, features]` to outputs in any of these layouts, alone or first in a tuple, and starts
    from zero state. A convolution without padding has no output for the first frames; the file has. Where nothing
    behind a Conv2d tells the number of features, the attribute `example_input_array` does. Equal weights give equal
    bytes. Raises UnsupportedModule with the qualified name of the part that the format can't express, and OSError if
    the file can't be written; the old file is left in both cases.
    """
    write_atomic(path, render(module))


def render(module: nn.Module) -> bytes:
    """The file's bytes for a module; raises UnsupportedModule as `export_model` does."""
    _require_values(module)
    # A copy in float64 that holds the float32 values: the caller's module keeps its mode, dtype and device.
    twin = copy.deepcopy(module, _computed_tensors(module)).cpu().float().double().eval()
    with _default_float64():
        probes = probe(twin)
        layers = _layers(probes[0].run.calls)
        if not layers:
            raise UnsupportedModule(f"{describe('', module)}: nothing to export, RTNeural needs at least one layer")
        text = _text(probes[0].frames.shape[1], layers)
        _check(twin, text, layers, probes)
    return text


def _require_values(module: nn.Module) -> None:
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if torch.nn.parameter.is_lazy(tensor) or tensor.is_meta:
            raise UnsupportedModule(f"{name}: has no values yet; run the module once or load its weights")


def _computed_tensors(module: nn.Module) -> dict[int, torch.Tensor]:
    """Stand-ins for the weights that torch.nn.utils.weight_norm computes, since deepcopy refuses them."""
    values = (value for part in module.modules() for value in vars(part).values())
    return {id(v): v.detach().clone() for v in values if isinstance(v, torch.Tensor) and not v.is_leaf}


@contextmanager
def _default_float64() -> Iterator[None]:
    """For a forward() that makes its own zero state with torch.zeros()."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _layers(calls: tuple[Call, ...]) -> list[Layer]:
    layers = []
    for call in calls:
        try:
            layers += rule_for(call.module).convert(call.module, call)
        except Refusal as refusal:
            raise UnsupportedModule(f"{describe(call.name, call.module)}: {refusal}") from None
    return fuse_activations(layers)


def _text(input_size: int, layers: list[Layer]) -> bytes:
    """One layer per line; orjson writes a float32 array in the shortest decimals that read back to the same bits."""
    lines = [
        orjson.dumps(
            {
                "type": layer.type,
                "activation": layer.activation,
                "shape": [None, None, layer.size],
                **layer.keys,
                "weights": [np.ascontiguousarray(array) for array in layer.weights],
            },
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
        for layer in layers
    ]
    return b'{"in_shape":[null,null,%d],"layers":[\n%s\n]}\n' % (input_size, b",\n".join(lines))


def _check(module: nn.Module, text: bytes, layers: list[Layer], probes: list[Probe]) -> None:
    """Refuses a file whose numbers aren't the module's.

    What may differ is what rounding does: the two LSTM biases become one float32. So the bound is the module's own
    answer to weights that are moved by one unit roundoff each, times a margin, and not a number chosen by hand.
    `module` is moved for good: it is the exporter's own copy, and this is its last use.
    """
    model = read_model(text, np.float64)
    for layer, made in zip(layers, model.layers, strict=True):
        for ours, read in zip(layer.weights, made.weights, strict=True):
            if ours.tobytes() != read.astype(np.float32).tobytes():
                raise UnsupportedModule(f"{layer.type}: weights that don't survive their decimal form")
    _shake(module)
    for tried in probes:
        places = tried.run.signal.index.flatten().numpy()
        expected = tried.run.output.flatten().numpy()
        model.reset()
        found = model.process(tried.frames).flatten()[places]
        with torch.no_grad():
            moved = module(tried.tensor)
        moved = (moved[0] if isinstance(moved, tuple) else moved).flatten().numpy()
        allowed = 32 * np.abs(moved - expected).max() + 1e-12 * (1 + np.abs(expected).max())
        error = np.abs(found - expected)
        if not error.max() <= allowed:
            worst = int(np.nanargmax(error))
            frame, channel = divmod(int(places[worst]), tried.run.signal.channels)
            raise UnsupportedModule(
                f"{_suspects(module)}: forward() gives {expected[worst]:.9g} at frame {frame}, output {channel}, the "
                f"modules as a chain give {found[worst]:.9g}: something happens that no module shows"
            )


def _suspects(module: nn.Module) -> str:
    """The modules that somebody has hooked into, since hooks leave no trace in a chain; the outermost if none is."""
    hooked = [(n, m) for n, m in module.named_modules() if m._forward_hooks or m._forward_pre_hooks]  # noqa: SLF001
    return ", ".join(describe(name, part) for name, part in hooked or [("", module)])


def _shake(module: nn.Module) -> None:
    noise = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in module.parameters():
            signs = noise.integers(0, 2, tuple(parameter.shape)) * 2.0 - 1.0
            parameter.mul_(torch.from_numpy(1.0 + _UNIT_ROUNDOFF * signs))
