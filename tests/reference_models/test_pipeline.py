"""The pipeline gives one result per frame, whatever happens to its models."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rtconform.reference_models.export import export_model
from rtconform.reference_models.models import build
from rtconform.reference_models.numpy_runtime import read_model
from rtconform.reference_models.pipeline import reference_pipeline
from rtconform.reference_models.specs import load_specs

SPECS = load_specs()
NAMES = list(SPECS.models)


@pytest.fixture(scope="module")
def modules():
    """The five models with fixed random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return {name: build(name).eval() for name in NAMES}


@pytest.fixture(scope="module")
def exported(modules, tmp_path_factory):
    """A folder with the five files."""
    folder = tmp_path_factory.mktemp("models")
    for name, module in modules.items():
        export_model(module, folder / SPECS.models[name].file)
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    """A copy of that folder for a test to damage."""
    for file in exported.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def frames(count, seed=0):
    """Features [count, 128] in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 128)).astype(np.float32)


def run(session, audio, first_id=0):
    """The results of these frames."""
    for index, frame in enumerate(audio):
        session.submit(first_id + index, frame)
    return session.poll()


def outputs(results, name):
    """One model's outputs [frames, out]."""
    return np.stack([result["outputs"][name] for result in results])


def test_outputs_are_those_of_torch_with_carried_state(exported, modules):
    """Over 40 frames every model gives what the torch modules give, wired as the documented flow says."""
    audio = frames(40)
    results = run(reference_pipeline().open(exported), audio)
    with torch.no_grad():
        x = torch.from_numpy(audio)[None]
        e, _ = modules["EmotionRecognizer"](x)
        expected = {
            "EmotionRecognizer": e,
            "MelodyTransformer": modules["MelodyTransformer"](e)[0],
            "HarmonyPredictor": modules["HarmonyPredictor"](torch.cat([e, x[..., :64]], -1))[0],
            "DynamicsEngine": modules["DynamicsEngine"](torch.cat([e[..., :16], e[..., 32:48]], -1))[0],
            "GroovePredictor": modules["GroovePredictor"](e)[0],
        }
    for name in NAMES:
        np.testing.assert_allclose(outputs(results, name), expected[name][0].numpy(), rtol=0, atol=2e-6)
    assert [result["id"] for result in results] == list(range(40))
    assert not any(flag for result in results for flag in result["fallback"].values())


def test_small_probabilities_keep_their_relative_precision():
    """A sigmoid far below zero is right to a few float32 roundings of itself, and overflow makes it a silent zero."""
    layer = {"type": "dense", "activation": "sigmoid", "shape": [None, None, 1], "weights": [[[1.0]], [0.0]]}
    text = json.dumps({"in_shape": [None, None, 1], "layers": [layer]}).encode()
    logits = np.array([[-80.0], [-30.0], [-10.0], [0.0], [10.0]], np.float32)
    with np.errstate(all="raise"):
        found = read_model(text).process(np.vstack([logits, [[-200.0]]]).astype(np.float32))
    np.testing.assert_allclose(found[:-1], 1 / (1 + np.exp(-logits.astype(np.float64))), rtol=1e-6)
    assert found[-1] == 0


def test_each_frame_gives_one_result_once(exported):
    """Results come in order, with the ids given, and are not given again."""
    session = reference_pipeline().open(exported)
    for frame_id in (5, 3, 900):
        session.submit(frame_id, frames(1)[0])
    assert [result["id"] for result in session.poll()] == [5, 3, 900]
    assert session.poll() == []


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_model_is_replaced_by_its_flagged_fallback(folder, name):
    """Only the missing model is flagged; its outputs are the neutral values and the others go on."""
    (folder / SPECS.models[name].file).unlink()
    session = reference_pipeline().open(folder)
    results = run(session, frames(3))
    spec = SPECS.models[name]
    for result in results:
        assert [other for other, flag in result["fallback"].items() if flag] == [name]
        np.testing.assert_array_equal(result["outputs"][name], spec.fallback.values(spec.output_size))
    assert session.status()[name]["state"] == "fallback" and spec.file in session.status()[name]["reason"]
    assert {status["state"] for other, status in session.status().items() if other != name} == {"loaded"}


def test_a_disabled_model_is_not_read(folder):
    """A model that is switched off runs on its fallback and says so, also after a reload."""
    session = reference_pipeline().open(folder, disabled=["GroovePredictor"])
    session.reload()
    assert session.status()["GroovePredictor"] == {"state": "disabled", "reason": "switched off", "version": 0}
    assert run(session, frames(1))[0]["fallback"]["GroovePredictor"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(b'"dense"', b'"Dense"', 1),
        lambda text: text.replace(b'"tanh"', b'"linear"', 1),
        lambda text: text.replace(b"[null,null,64]", b"[null,null,63]", 1),
        lambda text: b'{"in_shape":[null,null,64],"layers":[]}',
    ],
    ids=["empty", "truncated", "unknown type", "unknown activation", "wrong size", "no layers"],
)
def test_a_broken_reload_leaves_the_old_model(folder, damage):
    """After a reload from a damaged file the outputs go on bit for bit, and the status gives the reason."""
    path, audio = folder / SPECS.models["GroovePredictor"].file, frames(20)
    undisturbed = outputs(run(reference_pipeline().open(folder), audio), "GroovePredictor")
    session = reference_pipeline().open(folder)
    first = run(session, audio[:10])
    path.write_bytes(damage(path.read_bytes()))
    session.reload("GroovePredictor")
    second = run(session, audio[10:])
    np.testing.assert_array_equal(outputs(first + second, "GroovePredictor"), undisturbed)
    status = session.status()["GroovePredictor"]
    assert status["state"] == "loaded" and "still runs" in status["reason"]


def test_a_file_of_another_model_is_not_taken(folder):
    """A valid file with other sizes than the spec's is refused with both sizes."""
    files = SPECS.models
    (folder / files["DynamicsEngine"].file).write_bytes((folder / files["GroovePredictor"].file).read_bytes())
    status = reference_pipeline().open(folder).status()["DynamicsEngine"]
    assert status["state"] == "fallback" and "expected 32 inputs and 16 outputs, found 64 and 32" in status["reason"]


def test_a_file_of_a_model_of_the_same_sizes_is_not_taken(folder):
    """EmotionRecognizer and HarmonyPredictor both map 128 to 64; the layers tell them apart, at open and at reload."""
    files, name = SPECS.models, "HarmonyPredictor"
    session = reference_pipeline().open(folder)
    (folder / files[name].file).write_bytes((folder / files["EmotionRecognizer"].file).read_bytes())
    session.reload()
    status = session.status()[name]
    assert (status["state"], status["version"]) == ("loaded", 1)
    assert "$.layers[0]: expected dense of 256 tanh, found dense of 512 tanh" in status["reason"]
    assert reference_pipeline().open(folder).status()[name]["state"] == "fallback"


class Rewriting:
    """A loader whose file is another one before it has read it to the end."""

    def load(self, path):
        model = read_model(Path(path).read_bytes())
        Path(path).write_bytes(Path(path).read_bytes() + b" ")
        return model


def test_a_file_that_changes_while_it_is_read_is_not_taken(folder):
    """What was checked and what was loaded could be two files."""
    status = reference_pipeline(Rewriting()).open(folder).status()["GroovePredictor"]
    assert status["state"] == "fallback" and "changed while it was read" in status["reason"]


def test_versions_count_good_loads_and_stand_in_results(folder):
    """A refused file changes no version, and results say which one gave them, 0 where there never was one."""
    name = "DynamicsEngine"
    path = folder / SPECS.models[name].file
    text = path.read_bytes()
    session = reference_pipeline().open(folder)
    seen = []
    for content in (text, b"{", text):
        path.write_bytes(content)
        session.reload(name)
        (result,) = run(session, frames(1))
        assert session.status()[name]["version"] == result["version"][name]
        seen.append(result["version"])
    assert [versions.pop(name) for versions in seen] == [2, 2, 3]
    assert all(set(versions.values()) == {1} for versions in seen)
    path.unlink()
    (result,) = run(reference_pipeline().open(folder), frames(1))
    assert result["version"][name] == 0 and result["fallback"][name]


def test_a_good_reload_plays_the_new_model(folder):
    """After the file changes and is reloaded, outputs are those of the new weights, from cleared state."""
    session = reference_pipeline().open(folder)
    run(session, frames(5))
    export_model(build("MelodyTransformer"), folder / SPECS.models["MelodyTransformer"].file)
    session.reload()
    after = run(session, frames(5, seed=1))
    fresh = run(reference_pipeline().open(folder), frames(5, seed=1))
    np.testing.assert_array_equal(outputs(after, "MelodyTransformer"), outputs(fresh, "MelodyTransformer"))


def test_a_frame_that_is_not_finite_reaches_no_model(exported):
    """Its result is all fallback, and the frames around it come out as if it had not been there."""
    audio = frames(6)
    bad = audio[0].copy()
    bad[5] = np.nan
    session = reference_pipeline().open(exported)
    results = run(session, [*audio[:3], bad, *audio[3:]])
    assert all(results[3]["fallback"].values())
    clean = run(reference_pipeline().open(exported), audio)
    for name in NAMES:
        np.testing.assert_array_equal(outputs(results[:3] + results[4:], name), outputs(clean, name))


class Moody:
    """A loader whose models fail at the third frame in a chosen way."""

    def __init__(self, failure):
        self.failure = failure

    def load(self, path):
        (spec,) = [spec for spec in SPECS.models.values() if path.endswith(spec.file)]
        return MoodyModel(spec, self.failure)


class MoodyModel:
    """Returns halves until it fails."""

    def __init__(self, spec, failure):
        self.input_size, self.output_size = spec.input_size, spec.output_size
        self._failure, self._count = failure, 0

    def reset(self):
        self._count = 0

    def process(self, frames):
        self._count += 1
        return self._failure(self.output_size) if self._count == 3 else np.full((1, self.output_size), 0.5, np.float32)


def raise_error(size):
    raise ZeroDivisionError("boom")


@pytest.mark.parametrize(
    "failure",
    [raise_error, lambda size: np.full((1, size), np.nan), lambda size: np.zeros((1, size - 1))],
    ids=["raises", "NaN", "too few outputs"],
)
def test_a_model_that_fails_while_running_becomes_its_fallback(folder, failure):
    """Any loader can be used; when its models fail, the frame still has its result, flagged, and no NaN gets on."""
    session = reference_pipeline(Moody(failure)).open(folder)
    results = run(session, frames(4))
    assert [any(result["fallback"].values()) for result in results] == [False, False, True, True]
    assert [result["id"] for result in results] == [0, 1, 2, 3]
    assert all("failed while running" in status["reason"] for status in session.status().values())


def test_misuse_is_refused(exported):
    """Wrong shapes, unknown names and a closed session are errors that say so."""
    session = reference_pipeline().open(exported)
    with pytest.raises(ValueError, match=r"frame 4: expected features of shape \[128\]"):
        session.submit(4, np.zeros(127, np.float32))
    with pytest.raises(KeyError, match="Groove"):
        session.reload("Groove")
    with pytest.raises(KeyError, match="nobody"):
        reference_pipeline().open(exported, disabled=["nobody"])
    session.close()
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.submit(0, frames(1)[0])
