"""The C++ check of one model file, and the digest that it gives."""

import hashlib
import json
import os
import random
import re

import pytest

from rtconform.harness.rtneural_json import malformed
from rtconform.reference_models import _plugin_core

from .bridge_scene import FILES, SPECS, STORED


def refusal(path, name):
    """The error that a file is refused with."""
    with pytest.raises(_plugin_core.LoadError) as caught:
        _plugin_core.check_model_file(str(path), name)
    return caught.value


@pytest.fixture
def changed(tmp_path):
    """`changed(name, change)`: the stored file of a model after a function had its way with the JSON value."""

    def write(name, change):
        value = json.loads((STORED / FILES[name]).read_text())
        change(value)
        path = tmp_path / FILES[name]
        path.write_text(json.dumps(value))
        return path

    return write


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        ),
        (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ],
    ids=["empty", "one-block", "two-blocks", "896-bits", "a-million"],
)
def test_digests_are_those_of_the_standard(tmp_path, message, digest):
    """The examples that NIST publishes with FIPS 180."""
    (tmp_path / "message").write_bytes(message)
    file = _plugin_core.digest_of_file(str(tmp_path / "message"))
    assert (file.sha256, file.bytes) == (digest, len(message))


def test_digests_are_those_of_hashlib(tmp_path):
    """Every length up to three blocks, and others about the size of the pieces in which a file is read."""
    generator = random.Random(5)
    lengths = [*range(200), *(65536 * n + generator.randrange(-70, 70) for n in (1, 1, 1, 2, 3, 16))]
    for length in lengths:
        data = generator.randbytes(length)
        (tmp_path / "data").write_bytes(data)
        assert _plugin_core.digest_of_file(str(tmp_path / "data")).sha256 == hashlib.sha256(data).hexdigest(), length


@pytest.mark.parametrize("name", FILES)
def test_stored_models_are_what_they_are_called(name):
    """With size and digest of the file."""
    data = (STORED / FILES[name]).read_bytes()
    file = _plugin_core.check_model_file(str(STORED / FILES[name]), name)
    assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("other", FILES)
def test_a_model_does_not_pass_for_another(name, other):
    """Above all not Harmony for Emotion, which have the same outer sizes."""
    if name == other:
        return
    error = refusal(STORED / FILES[other], name)
    same_inputs = SPECS[name].input_size == SPECS[other].input_size
    assert (error.phase, error.json_path != "$.in_shape") == ("validate", same_inputs)
    assert f"as {name} has, found" in error.message


def test_the_message_says_what_differs():
    """Expected, found, where."""
    error = refusal(STORED / "harmonypredictor.json", "EmotionRecognizer")
    assert str(error) == "$.layers: expected 4 layers as EmotionRecognizer has, found 3"


@pytest.mark.parametrize(
    ("name", "change", "path", "said"),
    [
        (
            "GroovePredictor",
            lambda value: value["layers"][1].update(activation="relu"),
            "$.layers[1].activation",
            "the activation tanh as GroovePredictor has, found the activation relu",
        ),
        (
            "HarmonyPredictor",
            lambda value: value["layers"][2].update(activation=""),
            "$.layers[2].activation",
            "the activation softmax as HarmonyPredictor has, found no activation",
        ),
        (
            "DynamicsEngine",
            lambda value: value["layers"][2].update(shape=[None, None, 1], weights=[[[0.5]] * 64, [0.5]]),
            "$.layers[2].shape",
            "16 outputs as DynamicsEngine has, found 1",
        ),
        (
            "EmotionRecognizer",
            lambda value: value["layers"][2].update(
                type="gru", weights=[[[0] * 384] * 256, [[0] * 384] * 128, [[0] * 384] * 2]
            ),
            "$.layers[2].type",
            "the type lstm as EmotionRecognizer has, found gru",
        ),
        (
            "GroovePredictor",
            lambda value: value["layers"].append(
                {"type": "activation", "activation": "tanh", "shape": [None, None, 32], "weights": []}
            ),
            "$.layers",
            "3 layers as GroovePredictor has, found 4",
        ),
    ],
    ids=["activation", "no-activation", "size", "type", "one-more"],
)
def test_good_models_with_other_layers_are_refused(changed, name, change, path, said):
    """Each of the four things that the spec says of a layer, and their number."""
    error = refusal(changed(name, change), name)
    assert (error.phase, error.json_path, error.message) == ("validate", path, f"expected {said}")


def test_an_activation_may_stand_in_a_layer_of_its_own(changed):
    """It is the same model, and RTNeural plays both."""

    def split(value):
        dense = value["layers"][0]
        activation = {"type": "activation", "activation": dense["activation"], "shape": dense["shape"], "weights": []}
        value["layers"][:1] = [dense | {"activation": ""}, activation]

    path = changed("GroovePredictor", split)
    assert _plugin_core.check_model_file(str(path), "GroovePredictor").bytes == path.stat().st_size


@pytest.mark.parametrize("case", malformed.all_cases(), ids=lambda case: case.id)
def test_malformed_files_are_refused(tmp_path, case):
    """In the phase that is due; none of them gets as far as a comparison with the spec."""
    (tmp_path / "file.json").write_bytes(case.content())
    error = refusal(tmp_path / "file.json", "GroovePredictor")
    assert error.phase in case.phases
    assert "GroovePredictor" not in error.message


@pytest.mark.parametrize("cut", [0, 1, 1000, -1])
def test_truncated_files_are_refused(tmp_path, cut):
    """Also without the very last brace."""
    (tmp_path / "file.json").write_bytes((STORED / FILES["DynamicsEngine"]).read_bytes().rstrip()[:cut])
    error = refusal(tmp_path / "file.json", "DynamicsEngine")
    assert (error.phase, error.json_path) == ("parse", "$")
    assert re.search("found the end of the text at line", error.message)


@pytest.mark.parametrize("kind", ["nothing", "folder", "pipe", "huge"])
def test_what_is_no_model_file_is_not_read(tmp_path, kind):
    """And a pipe isn't waited for."""
    path = tmp_path / "model.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "huge":
        path.touch()
        os.truncate(path, (1 << 30) + 1)
    error = refusal(path, "DynamicsEngine")
    found = {"nothing": "no such file", "folder": "a folder", "pipe": "a pipe or a device", "huge": "more than 1 GiB"}
    assert (error.phase, error.json_path) == ("read", "")
    assert error.message == f"expected a readable model file, found {found[kind]}"
