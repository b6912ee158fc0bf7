"""The strict validator: every fault of a file, or the model that it holds."""

import os

from .dialects import note_extras, reject_foreign
from .faults import Findings, InvalidModel, Report, describe
from .grammar import Layer, Model
from .layers import read_layer
from .numbers import DecimalsNeeded
from .parse import decode, parse, read_bytes
from .raw_layer import RawLayer, size_of


def read(path: str | os.PathLike) -> Model:
    """The model in a file.

    Raises InvalidModel, which holds all faults, if the file can't be read or breaks the format anywhere.
    """
    report = validate_file(path)
    if report.model is None:
        raise InvalidModel(report.faults, os.fspath(path))
    return report.model


def validate_file(path: str | os.PathLike) -> Report:
    """All faults of a file, of any content and size; never an exception."""
    findings = Findings()
    text = _read_text(path, findings)
    return _report(text, findings)


def validate_bytes(data: bytes) -> Report:
    """All faults of the content of a file; never an exception."""
    findings = Findings()
    return _report(decode(data, findings), findings)


def _read_text(path: str | os.PathLike, findings: Findings) -> str | None:
    # A function of its own, so that the bytes are gone when the tree is built: memory stays below 8 times the file.
    data = read_bytes(path, findings)
    return None if data is None else decode(data, findings)


def _report(text: str | None, findings: Findings) -> Report:
    if text is None:
        return Report(tuple(findings.faults))
    try:
        return _validate_text(text, Findings(), keep_decimals=False)
    except DecimalsNeeded:
        return _validate_text(text, Findings(), keep_decimals=True)


def _validate_text(text: str, findings: Findings, *, keep_decimals: bool) -> Report:
    tree = parse(text, findings, keep_decimals=keep_decimals)
    if tree is None and findings.faults:
        return Report(tuple(findings.faults))
    model = None if reject_foreign(tree, findings) else _model(tree, findings)
    return Report(tuple(findings.faults), tuple(findings.notes), None if findings.faults else model)


def _model(tree: dict, findings: Findings) -> Model | None:
    note_extras(tree, findings)
    if "in_shape" in tree:
        input_size = size_of(tree["in_shape"], "$.in_shape", findings)
    else:
        findings.fault("$.in_shape", "an array that ends in the input size, such as [null, null, 3]", "no such key")
        input_size = None
    layers = tree.get("layers")
    if type(layers) is not list or not layers:
        found = describe(layers) if "layers" in tree else "no such key"
        findings.fault(
            "$.layers",
            "an array of at least one layer",
            found,
            "a model without layers has no output" if layers == [] else "",
        )
        return None
    if type(tree.get("in_shape")) is list and len(tree["in_shape"]) == 4 and input_size:
        findings.note(
            "$.in_shape", f"four entries: RTNeural multiplies the last two, so a frame has {input_size} inputs"
        )
    read_layers = _layers(layers, input_size, findings)
    return None if findings.faults or input_size is None else Model(input_size, tuple(read_layers))


def _layers(layers: list, input_size: int | None, findings: Findings) -> list[Layer | None]:
    result = []
    size = input_size
    for index, members in enumerate(layers):
        path = f"$.layers[{index}]"
        if not isinstance(members, dict):
            findings.fault(path, "a layer object with type, shape and weights", describe(members))
            size = None
            continue
        if "shape" in members:
            output_size = size_of(members["shape"], f"{path}.shape", findings)
        else:
            findings.fault(f"{path}.shape", "an array that ends in the layer's output size", "no such key")
            output_size = None
        result.append(read_layer(RawLayer(members, path, size, output_size, findings, set())))
        size = output_size
    return result
