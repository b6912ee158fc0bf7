"""The strict validator: what it refuses, in which words, and what it accepts."""

import json
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import (
    InvalidModel,
    format_report,
    malformed,
    read,
    validate_bytes,
    validate_file,
)

from .models import stored_tree, validate

SMALL = FIXTURES / "models" / "small"


def places(report) -> list[str]:
    return [fault.json_path for fault in report.faults]


def only(report):
    """The one fault of a report."""
    assert len(report.faults) == 1, [str(fault) for fault in report.faults]
    return report.faults[0]


@pytest.mark.parametrize("case", malformed.all_cases(), ids=lambda case: case.id)
def test_malformed_files_are_refused_in_their_phase(case):
    """Every file of the corpus has a fault, and none of another phase than it says."""
    report = validate_bytes(case.content())
    assert report.model is None
    assert report.faults
    assert {fault.phase for fault in report.faults} <= case.phases


def test_corpus_changes_one_thing_at_a_time():
    """Every base is valid, and a changed file has one fault: the one that its case is about."""
    for case in malformed.all_cases():
        if case.base:
            assert validate_file(FIXTURES / "models" / case.base).ok
            only(validate_bytes(case.content()))


def test_corpus_writes_its_files(tmp_path):
    """A case is written under its id, and asking for an unknown requirement is an error."""
    case = malformed.cases("LDR-REJECT-TRAILING")[0]
    assert case.write(tmp_path) == tmp_path / f"{case.id}.json"
    assert (tmp_path / f"{case.id}.json").read_bytes() == case.content()
    with pytest.raises(ValueError, match="LDR-REJECT-NOTHING"):
        malformed.cases("LDR-REJECT-NOTHING")


def test_all_faults_are_reported_at_once():
    """One fault hides no other: sizes, values and names of several layers, each with its path."""
    model = stored_tree("lstm-stacked")
    first, second, third = model["layers"]
    first["weights"][0].append(first["weights"][0][0])
    first["weights"][2] *= 2
    second["weights"][1][3] = None
    second["weights"][1][4][2] = True
    second["weights"][2][5] = 1e39
    third["type"] = "lstmm"
    model["layers"].append({"type": "dense", "shape": [4], "weights": [[[1.0]] * 4]})
    faults = {fault.json_path: fault for fault in validate(model).faults}
    assert list(faults) == [
        "$.layers[0].weights[0]",
        "$.layers[0].weights[2]",
        "$.layers[1].weights[1][3]",
        "$.layers[1].weights[1][4][2]",
        "$.layers[1].weights[2][5]",
        "$.layers[2].type",
        "$.layers[3].weights",
    ]
    assert faults["$.layers[0].weights[0]"].expected == "[3][20] (in × 4H)"
    assert faults["$.layers[0].weights[0]"].found == "[4][20]"
    assert "sum of bias_ih and bias_hh" in faults["$.layers[0].weights[2]"].hint
    assert faults["$.layers[1].weights[1][4][2]"].found == "true"
    assert '"lstm"' in faults["$.layers[2].type"].hint


def test_a_flood_of_faults_is_counted():
    """An array of nothing but nulls is said to be that, without a fault for each of them."""
    model = stored_tree("lstm-wide")
    model["layers"][0]["weights"][1] = [[None] * 68 for _ in range(17)]
    report = validate(model)
    assert len(report.faults) == 21
    assert report.faults[-1].found.startswith(f"{17 * 68 - 20} more")


def test_a_flood_of_nan_is_cut_short():
    """Weights that are all NaN are said to be more than fifty, and cost no more memory than that."""
    report = validate_bytes(b'{"in_shape": [' + b"NaN, " * 5000 + b'1], "layers": []}')
    assert len([fault for fault in report.faults if fault.phase == "parse"]) == 51


@pytest.mark.parametrize(
    ("name", "path", "value", "place", "words"),
    [
        ("dense", "in_shape", None, "$.in_shape", "null"),
        ("dense", "in_shape", [None, None], "$.in_shape[1]", "null"),
        ("dense", "in_shape", [None, 0], "$.in_shape[1]", "0"),
        ("dense", "in_shape", [None, 3.0], "$.in_shape[1]", "3"),
        ("dense", "in_shape", [None, True], "$.in_shape[1]", "true"),
        ("dense", "in_shape", ["a", 3], "$.in_shape[0]", '"a"'),
        ("dense", "in_shape", [1, 1, 2**11, 2**11], "$.in_shape", str(2**22)),
        ("dense", "layers", {}, "$.layers", "an empty object"),
        ("dense", "layers", [3], "$.layers[0]", "3"),
        ("dense", "layers/0/shape", [], "$.layers[0].shape", "an empty array"),
        ("dense", "layers/0/weights", None, "$.layers[0].weights", "null"),
        ("dense", "layers/0/weights/0", 1.5, "$.layers[0].weights[0]", "1.5"),
        ("dense", "layers/0/weights/0", [[]], "$.layers[0].weights[0]", "[1][0]"),
        ("dense", "layers/0/weights/1", [[1, 2, 3, 4, 5]], "$.layers[0].weights[1]", "[1][5]"),
        ("conv1d", "layers/0/kernel_size", [], "$.layers[0].kernel_size", "an empty array"),
        ("conv1d", "layers/0/dilation", [0], "$.layers[0].dilation", "an array of 1"),
        ("conv1d", "layers/0/dilation", [2**20], "$.layers[0].dilation", str(3 * 2**20)),
        ("conv1d", "layers/0/groups", [1], "$.layers[0].groups", "an array of 1"),
        ("conv1d", "layers/0/strides", 2, "$.layers[0].strides", "2"),
        ("conv1d", "layers/0/padding", "same", "$.layers[0].padding", '"same"'),
        ("conv1d-groups", "layers/0/groups", 3, "$.layers[0].groups", "3"),
        ("conv2d", "layers/0/padding", "causal", "$.layers[0].padding", '"causal"'),
        ("conv2d", "layers/0/num_features_in", 8, "$.layers[0].num_features_in", "16"),
        ("conv2d", "layers/0/strides", 2, "$.layers[0].shape", "15"),
        ("gru", "layers/0/activation", "relu", "$.layers[0].activation", '"relu"'),
        ("prelu", "layers/1/activation", "tanh", "$.layers[1].activation", '"tanh"'),
        ("prelu", "layers/1/shape", [None, None, 6], "$.layers[1].shape", "6"),
        ("batchnorm", "layers/1/epsilon", -1e-5, "$.layers[1].epsilon", "-1e-05"),
        ("batchnorm", "layers/1/epsilon", "1e-5", "$.layers[1].epsilon", '"1e-5"'),
        ("batchnorm", "layers/1/weights/3/1", -0.5, "$.layers[1].weights[3]", "-0.5"),
        ("batchnorm2d", "layers/1/num_filters_in", [3], "$.layers[1].num_filters_in", "an array of 1"),
        ("activation-tanh", "layers/1/activation", "", "$.layers[1].activation", '""'),
        ("activation-tanh", "layers/1/weights", [[0.1]], "$.layers[1].weights", "1"),
    ],
)
def test_wrong_values_are_named_where_they_stand(name, path, value, place, words):
    """A fault has the JSON path of its cause, and what was found there."""
    model = stored_tree(name)
    *parents, last = path.split("/")
    container = model
    for part in parents:
        container = container[int(part)] if isinstance(container, list) else container[part]
    container[int(last) if isinstance(container, list) else last] = value
    faults = [fault for fault in validate(model).faults if fault.json_path == place]
    assert faults, places(validate(model))
    assert words in faults[0].found


@pytest.mark.parametrize("key", ["in_shape", "layers", "layers/0/type", "layers/0/shape", "layers/0/weights"])
def test_missing_keys_are_named(key):
    """Each required key is asked for by its path."""
    model = stored_tree("dense")
    *parents, last = key.split("/")
    container = model["layers"][0] if parents else model
    del container[last]
    found = {fault.json_path: fault.found for fault in validate(model).faults}
    assert found["$." + key.replace("/0/", "[0].")] == "no such key"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "an empty file"),
        (b'{"in_shape": [1,', "line 1, column 17"),
        (b'{\n"in_shape": [1, -', "line 2, column 18"),
        (b'{"layers": [tr', "line 1, column 15"),
        (b'{"layers', "line 1, column 9"),
        (b'{"in_shape": [1}', "delimiter"),
        (b"{'in_shape': [1]}", "double quotes"),
        (b'{"a": 01}', "delimiter"),
        (b'{"in_shape": [1]} {', "line 1, column 19"),
        (b"{" + b"1" * 10**6 + b"x", "double quotes"),
        (b"[" * 5000, "hundreds of levels"),
        (b'{"a":' * 5000, "hundreds of levels"),
        (b'{"a": "\xff"}', "0xff at offset 7"),
        ("{}".encode("utf-16"), "UTF-16"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"\x89HDF\r\n", "HDF5"),
        (pickle.dumps({"weight": [1.0]}, protocol=2), "pickle"),
    ],
)
def test_texts_that_are_no_json(text, words):
    """One fault of phase parse, with the place by line and column."""
    fault = only(validate_bytes(text))
    assert fault.phase == "parse"
    assert words in fault.found


def test_files_of_torch_and_safetensors_are_named(tmp_path):
    """Weights as PyTorch and safetensors store them are recognised by their first bytes."""
    torch = pytest.importorskip("torch")
    from safetensors.numpy import save

    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "model.pt")
    assert "torch.save" in only(validate_file(tmp_path / "model.pt")).found
    assert "safetensors" in only(validate_bytes(save({"weight": np.zeros((200, 200), np.float32)}))).found


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"rec.weight_ih_l0": [[0.1]], "rec.bias_ih_l0": [0.1]}, "state_dict"),
        ({"weight": [1.0], "bias": [1.0], "eps": 1e-5}, "state_dict"),
        ({"model_data": {}, "state_dict": {}}, "GuitarML"),
        ({"version": "0.5", "architecture": "WaveNet", "config": {}, "weights": []}, "Neural Amp Modeler"),
        ({"class_name": "Sequential", "config": {}}, "Keras"),
        ([1], "an array of 1"),
        (None, "null"),
        ("x", "the text"),
    ],
)
def test_other_formats_are_named(value, words):
    """A file of another format is one fault that says which."""
    assert words in only(validate(value)).found


def test_nan_and_duplicates_hide_no_other_fault():
    """Faults of the parse come with their JSON paths, and the rest of the file is checked as well."""
    text = json.dumps(stored_tree("dense-wide")).replace(
        '"activation": "tanh"', '"activation": "tanh", "activation": "Tanh"'
    )
    model = json.loads(text)
    text = text.replace(str(model["layers"][1]["weights"][1][2]), "NaN")
    report = validate_bytes(text.encode())
    assert [(fault.json_path, fault.phase) for fault in report.faults] == [
        ("$.layers[0].activation", "parse"),
        ("$.layers[1].weights[1][2]", "parse"),
        ("$.layers[0].activation", "validate"),
    ]


def test_dialects_are_accepted_with_a_note():
    """AIDA-X's extra keys, Keras's tanh on an lstm, and lists for scalars are no faults; the first two are noted."""
    model = stored_tree("lstm-dense")
    model |= {"in_skip": 1, "input_batch": [0.0], "output_batch": [0.0], "metadata": {"name": "amp"}, "author": "x"}
    model["layers"][0]["activation"] = "tanh"
    model["layers"][0]["units"] = 7
    report = validate(model)
    assert report.ok
    assert [note.json_path for note in report.notes] == [
        "$",
        "$.in_skip",
        "$",
        "$.layers[0].activation",
        "$.layers[0]",
    ]
    conv = stored_tree("conv1d")
    conv["layers"][0] |= {"kernel_size": 4, "dilation": 1, "strides": 1, "padding": "causal"}
    assert validate(conv).ok
    assert not validate(conv).notes


def test_four_entries_are_multiplied_and_noted():
    """in_shape with four entries stands for the product of the last two."""
    model = stored_tree("dense")
    model["in_shape"] = [None, None, 1, 3]
    report = validate(model)
    assert report.model.input_size == 3
    assert "multiplies" in report.notes[0].message


def test_a_missing_activation_is_none():
    """Files without the key have no fused activation."""
    model = stored_tree("dense")
    del model["layers"][0]["activation"]
    assert validate(model).model.layers[0].activation == ""


def test_paths_that_are_no_files(tmp_path):
    """A missing file, a folder, a pipe, an impossible name: one fault of phase read each."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "pipe", "a\0b", "x" * 5000):
        assert only(validate_file(path)).phase == "read"


def test_read_raises_with_all_faults(tmp_path):
    """read() returns the model, or raises what the report says."""
    assert read(SMALL / "dense.json").output_size == 5
    (tmp_path / "bad.json").write_text('{"in_shape": [], "layers": []}', encoding="utf-8")
    with pytest.raises(InvalidModel, match=r"bad\.json: \$\.in_shape.*and 1 more") as caught:
        read(tmp_path / "bad.json")
    assert len(caught.value.faults) == 2


@given(st.binary(max_size=200))
def test_no_bytes_raise(data):
    """Whatever a file holds, there is a report."""
    assert validate_bytes(data).faults


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["type", "shape", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.data())
def test_no_damaged_model_raises(data):
    """A valid file with any part replaced by any JSON is accepted or refused, never an exception, and never both."""
    model = stored_tree(
        data.draw(st.sampled_from(["lstm-dense", "conv1d-groups", "conv2d", "batchnorm2d", "prelu", "gru"]))
    )
    container, key = model, data.draw(st.sampled_from(sorted(model)))
    while isinstance(container[key], (list, dict)) and container[key] and data.draw(st.booleans()):
        container = container[key]
        keys = sorted(container) if isinstance(container, dict) else range(len(container))
        key = data.draw(st.sampled_from(keys))
    container[key] = data.draw(JSON)
    report = validate(model)
    assert (report.model is None) == bool(report.faults)
    assert len(format_report(report, "model.json").splitlines()) <= 25
