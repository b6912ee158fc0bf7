"""What is said about a file: whether it meets a spec, and the message that fits a screen."""

import copy
import dataclasses

import pytest

from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import (
    check_spec,
    format_report,
    grammar as g,
    read,
    validate_bytes,
    validate_file,
)
from rtconform.harness.rtneural_json.specs import compare

from .models import stored_tree, validate

SMALL = FIXTURES / "models" / "small"

SPEC = {
    "input_size": 3,
    "layers": [
        {"type": "lstm", "input": 3, "output": 7, "activation": ""},
        {"type": "dense", "input": 7, "output": 2, "activation": "tanh"},
    ],
}


def test_a_model_meets_its_spec():
    """Also when the activation is a layer of its own, or the dense layer is time-distributed."""
    lstm, dense = read(SMALL / "lstm-dense.json").layers
    separate = dataclasses.replace(dense, activation="", type="time-distributed-dense")
    assert compare(g.Model(3, (lstm, dense)), SPEC) == ()
    assert compare(g.Model(3, (lstm, separate, g.Activation("tanh", 2))), SPEC) == ()


def test_differences_from_a_spec_are_faults():
    """Another activation, another width, a missing layer, each at its place."""
    lstm, dense = read(SMALL / "lstm-dense.json").layers
    changed = dataclasses.replace(dense, activation="sigmoid")
    fault = compare(g.Model(3, (lstm, changed)), SPEC)[0]
    assert (fault.json_path, fault.expected, fault.found) == (
        "$.layers[1].activation",
        'the text "tanh"',
        'the text "sigmoid"',
    )
    assert [f.json_path for f in compare(g.Model(3, (lstm,)), SPEC)] == ["$.layers"]
    wide = {**SPEC, "input_size": 4, "layers": copy.deepcopy(SPEC["layers"])}
    wide["layers"][0] |= {"input": 4, "output": 8}
    assert [f.json_path for f in compare(g.Model(3, (lstm, dense)), wide)] == [
        "$.in_shape",
        "$.layers[0].weights",
        "$.layers[0].shape",
    ]


def test_unknown_specs_are_refused_with_the_nearest_name():
    """A misspelt spec is an error that helps."""
    with pytest.raises(ValueError, match="did you mean EmotionRecognizer"):
        check_spec(read(SMALL / "dense.json"), "emotionrecogniser")
    assert check_spec(read(SMALL / "dense.json"), "EmotionRecognizer")


def test_the_message_fits_a_screen():
    """A file with many faults gets the first ones and a count; one with none is summed up."""
    model = stored_tree("lstm-stacked")
    for layer in model["layers"]:
        layer["weights"][0] = layer["weights"][0][1:]
        layer["weights"][1] = layer["weights"][1][1:]
        layer["weights"][2] = layer["weights"][2][1:]
    message = format_report(validate(model), "model.json").splitlines()
    assert message[0] == "model.json: INVALID: 9 faults"
    assert message[1] == "  $.layers[0].weights[0] (validate)"
    assert len(message) <= 25
    shown = sum(line.startswith("  $") for line in message)
    assert message[-1] == f"  … and {9 - shown} more faults"
    valid = format_report(validate_file(SMALL / "lstm-dense.json"), "lstm.json")
    assert valid == "lstm.json: valid RTNeural JSON: 3 → lstm 7 → dense 2 tanh, 324 parameters"


def test_text_of_the_file_reaches_the_terminal_harmless():
    """Control characters and lone surrogates in names are escaped."""
    report = validate_bytes(
        b'{"in_shape": [3], "layers": [{"type": "\\u001b[31m\\ud800", "shape": [3], "weights": []}]}'
    )
    message = format_report(report, "model.json")
    assert "\x1b" not in message
    message.encode("utf-8")
