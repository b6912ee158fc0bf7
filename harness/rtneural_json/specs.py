"""Whether a valid file is the model that it is said to be: comparison with fixtures/models/specs.json."""

import difflib

from .. import five_models
from . import grammar
from .faults import Fault, describe
from .grammar import Model


def check_spec(model: Model, spec_name: str) -> tuple[Fault, ...]:
    """Where a model differs from a spec in sizes, layers and activations; empty if nowhere.

    A fused activation and one in a layer of its own are the same model. Raises ValueError, with the nearest valid name,
    for an unknown spec.
    """
    known = five_models.specs()
    if spec_name not in known:
        near = difflib.get_close_matches(spec_name.lower(), {name.lower() for name in known}, n=1)
        nearest = next((f"; did you mean {name}?" for name in known if near and name.lower() == near[0]), "")
        raise ValueError(f"no spec named {spec_name!r}: expected one of {', '.join(known)}{nearest}")
    return compare(model, known[spec_name])


def compare(model: Model, spec: dict) -> tuple[Fault, ...]:
    """Where a model differs from one record of specs.json."""
    faults = []
    if model.input_size != spec["input_size"]:
        faults.append(Fault("$.in_shape", f"{spec['input_size']} inputs", f"{model.input_size}"))
    found, expected = _stages(model), spec["layers"]
    if len(found) != len(expected):
        wanted = " → ".join(f"{stage['type']} {stage['output']}" for stage in expected)
        has = " → ".join(f"{stage['type']} {stage['output']}" for _, stage in found)
        faults.append(Fault("$.layers", f"{len(expected)} layers: {wanted}", f"{len(found)}: {has}"))
    for (path, have), want in zip(found, expected, strict=False):
        for key in ("type", "input", "output", "activation"):
            if have[key] != want.get(key, ""):
                faults.append(Fault(f"{path}.{_MEMBER[key]}", _worded(key, want.get(key, "")), _worded(key, have[key])))
    return tuple(faults)


_MEMBER = {"type": "type", "input": "weights", "output": "shape", "activation": "activation"}


def _worded(key: str, value: object) -> str:
    if key in ("input", "output"):
        return f"{value} {key}s"
    return "no activation" if key == "activation" and value == "" else describe(value)


def _stages(model: Model) -> list[tuple[str, dict]]:
    """Layers as specs.json lists them, each with its JSON path, separate activations joined to the layer in front."""
    stages: list[tuple[str, dict]] = []
    for index, layer in enumerate(model.layers):
        if isinstance(layer, grammar.Activation) and stages and stages[-1][1]["activation"] == "":
            stages[-1][1]["activation"] = layer.activation
            continue
        kind = "dense" if isinstance(layer, grammar.Dense) else layer.type
        stage = {
            "type": kind,
            "input": layer.input_size,
            "output": layer.output_size,
            "activation": getattr(layer, "activation", ""),
        }
        stages.append((f"$.layers[{index}]", stage))
    return stages
