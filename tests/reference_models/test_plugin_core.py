"""The five models in C++, one step per frame: numbers, fallbacks, and models exchanged between two steps."""

import json
import shutil

import numpy as np
import pytest

from rtconform.harness import expected, five_models
from rtconform.harness.measure.pipeline import fallback_of
from rtconform.harness.measure.step import gather
from rtconform.harness.rtneural_json import read
from rtconform.harness.rtneural_json.budget import budget
from rtconform.reference_models import loaders
from rtconform.reference_models._plugin_core import MultiModelProcessor, RTNeuralProcessor, model_folders
from rtconform.reference_models.specs import FIXTURES, load_specs

SPECS = load_specs()
NAMES = list(SPECS.models)
EMOTION = "EmotionRecognizer"
each_model = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module", params=loaders.LOADERS)
def each_loader(request):
    """Library and name of each of our loaders."""
    return str(loaders.library(request.param)), f"rtneural-{request.param}"


@pytest.fixture(scope="module")
def loader():
    """Library and name of the loader that is used by default."""
    return str(loaders.library("checked")), "rtneural-checked"


@pytest.fixture
def folder(tmp_path):
    """A copy of the five stored models for a test to damage."""
    for model in SPECS.models.values():
        shutil.copy(FIXTURES / "models" / model.file, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def audio():
    """Features `[96, 128]` of a recording."""
    return expected.recording()[:96]


@pytest.fixture(scope="module")
def undisturbed(loader, audio):
    """What the stored models give for it."""
    return MultiModelProcessor(*loader, [str(FIXTURES / "models")]).process(audio)


def moved(path):
    """Moves a model's last bias, so that it plays something else."""
    document = json.loads(path.read_bytes())
    bias = document["layers"][-1]["weights"][1]
    document["layers"][-1]["weights"][1] = [0.5 - value for value in bias]
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(document))
    fresh.rename(path)


def joined(*runs):
    """Several runs of process() as one."""
    return {
        "ids": np.concatenate([run["ids"] for run in runs]),
        **{
            kind: {name: np.concatenate([run[kind][name] for run in runs]) for name in NAMES}
            for kind in ("outputs", "fallback", "version")
        },
    }


def in_budget(results, audio, folder, name):
    """Whether a model's results are those of its file, fed by the data flow, from cleared state."""
    stage = next(stage for stage in five_models.flow() if stage["model"] == name)
    inputs = gather(stage["inputs"], {"audio": audio, **results["outputs"]})
    return budget(read(folder / SPECS.models[name].file), inputs, seed=1).judge(results["outputs"][name]).ok


def test_every_model_is_fed_as_documented(each_loader, audio):
    """On each loader, the outputs of each model are within the oracle's budget over its documented inputs."""
    processor = MultiModelProcessor(*each_loader, [str(FIXTURES / "models")])
    results = processor.process(audio, first_id=7)
    assert results["ids"].tolist() == list(range(7, 7 + len(audio)))
    for name in NAMES:
        assert in_budget(results, audio, FIXTURES / "models", name), name
        assert not results["fallback"][name].any()
        assert (results["version"][name] == 1).all()


def test_one_frame_after_the_other_is_the_same_as_all_at_once(loader, audio, undisturbed):
    """State carries over, and reset() clears it."""
    processor = MultiModelProcessor(*loader, [str(FIXTURES / "models")])
    for _ in range(2):
        run = joined(*(processor.process(audio[i : i + 1], first_id=i) for i in range(len(audio))))
        for name in NAMES:
            np.testing.assert_array_equal(run["outputs"][name], undisturbed["outputs"][name])
        processor.reset()


def test_specs_are_those_of_python(loader):
    """Sizes and totals come from the data file that Python reads."""
    processor = MultiModelProcessor(*loader, [str(FIXTURES / "models")])
    totals = processor.totals()
    assert list(processor.status()) == [step.model for step in SPECS.flow]
    assert (totals["models"], totals["parameters_torch"]) == (5, SPECS.parameters_torch)
    assert totals["parameters_rtneural"] == SPECS.parameters_rtneural
    sizes = [(FIXTURES / "models" / model.file).stat().st_size for model in SPECS.models.values()]
    assert totals["file_bytes"] == sum(sizes)
    outputs = processor.process(np.zeros((1, 128), np.float32))["outputs"]
    assert {name: array.shape[1] for name, array in outputs.items()} == {
        n: m.output_size for n, m in SPECS.models.items()
    }


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "wrong model", "a folder"])
@each_model
def test_a_file_that_no_model_can_be_made_of_gives_the_fallback(loader, folder, audio, undisturbed, name, damage):
    """The documented outputs, flagged; status and totals say so; the other four play on."""
    file = folder / SPECS.models[name].file
    content = file.read_bytes()
    file.unlink()
    other = "HarmonyPredictor" if name == EMOTION else EMOTION  # of the same outer sizes
    if damage == "a folder":
        file.mkdir()
    elif damage != "missing":
        wrong = (FIXTURES / "models" / SPECS.models[other].file).read_bytes()
        file.write_bytes({"empty": b"", "truncated": content[: len(content) // 2], "wrong model": wrong}[damage])
    processor = MultiModelProcessor(*loader, [str(folder)])
    results = processor.process(audio[:8])
    status = processor.status()
    assert status[name]["state"] == "fallback"
    assert status[name]["version"] == 0
    assert str(file) in status[name]["reason"]
    assert "expected" in status[name]["reason"]
    assert (results["outputs"][name] == fallback_of(name)).all()
    assert processor.totals()["models"] == 4
    for each in NAMES:
        assert (results["fallback"][each] == (each == name)).all()
        if each != name:
            assert status[each]["state"] == "loaded"
            if name != EMOTION:
                np.testing.assert_array_equal(results["outputs"][each], undisturbed["outputs"][each][:8])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_frame_that_is_not_finite_reaches_no_model(loader, audio, undisturbed, value):
    """Its result is all fallback, and the frames behind it are as if it hadn't been there."""
    processor = MultiModelProcessor(*loader, [str(FIXTURES / "models")])
    frames = np.insert(audio, 40, audio[40], axis=0)
    frames[40, 127] = value
    results = processor.process(frames)
    for name in NAMES:
        assert np.flatnonzero(results["fallback"][name]).tolist() == [40]
        np.testing.assert_array_equal(results["outputs"][name][40], fallback_of(name))
        rest = np.delete(results["outputs"][name], 40, axis=0)
        np.testing.assert_array_equal(rest, undisturbed["outputs"][name])


def test_a_model_whose_outputs_are_not_finite_is_left_out(loader, folder, audio):
    """Finite weights that overflow: the fallback instead, until a better file is loaded."""
    file = folder / SPECS.models["HarmonyPredictor"].file
    content = file.read_bytes()
    document = json.loads(content)
    kernel, bias = document["layers"][-1]["weights"]
    document["layers"][-1]["weights"] = [[[3e38] * len(row) for row in kernel], [3e38] * len(bias)]
    file.write_text(json.dumps(document))
    processor = MultiModelProcessor(*loader, [str(folder)])
    results = processor.process(audio[:4])
    assert results["fallback"]["HarmonyPredictor"].all()
    assert (results["outputs"]["HarmonyPredictor"] == fallback_of("HarmonyPredictor")).all()
    assert processor.status()["HarmonyPredictor"]["state"] == "fallback"
    assert "finite" in processor.status()["HarmonyPredictor"]["reason"]
    file.write_bytes(content)
    assert processor.reload(["HarmonyPredictor"]) == dict.fromkeys(NAMES)
    assert not processor.process(audio[:4])["fallback"]["HarmonyPredictor"].any()
    assert processor.status()["HarmonyPredictor"]["state"] == "loaded"


@each_model
def test_a_model_that_is_switched_off_falls_back_and_comes_back_from_reset(loader, audio, name):
    """Its state is that of the beginning when it comes back; what others make of it, too."""
    processor = MultiModelProcessor(*loader, [str(FIXTURES / "models")])
    processor.process(audio[:20])
    processor.set_enabled(name, enabled=False)
    off = processor.process(audio[20:30])
    assert off["fallback"][name].all()
    assert (off["outputs"][name] == fallback_of(name)).all()
    assert processor.status()[name]["state"] == "disabled"
    assert processor.totals()["models"] == 4
    processor.set_enabled(name, enabled=True)
    on = processor.process(audio[30:])
    assert not on["fallback"][name].any()
    assert in_budget(on, audio[30:], FIXTURES / "models", name)
    assert processor.status()[name]["state"] == "loaded"


@each_model
def test_a_reloaded_model_plays_from_reset_at_the_frame_that_is_reported(loader, folder, audio, undisturbed, name):
    """Before it the old model with its history, from it on the new one from cleared state."""
    processor = MultiModelProcessor(*loader, [str(folder)])
    before = processor.process(audio[:40])
    moved(folder / SPECS.models[name].file)
    assert processor.reload([name]) == dict.fromkeys(NAMES)
    after = processor.process(audio[40:], first_id=40)
    for each in NAMES:
        np.testing.assert_array_equal(before["outputs"][each], undisturbed["outputs"][each][:40])
        assert (after["version"][each] == (2 if each == name else 1)).all()
    assert in_budget(after, audio[40:], folder, name)
    assert processor.status()[name]["first_frame"] == 40
    assert processor.status()[name]["version"] == 2


@pytest.mark.parametrize("damage", ["missing", "truncated", "wrong model"])
@each_model
def test_a_bad_file_leaves_what_plays(loader, folder, audio, undisturbed, name, damage):
    """Not a bit changes, nor the version; the status says what is wrong with the file."""
    processor = MultiModelProcessor(*loader, [str(folder)])
    before = processor.process(audio[:40])
    file = folder / SPECS.models[name].file
    other = "HarmonyPredictor" if name == EMOTION else EMOTION
    content = file.read_bytes()
    file.unlink()
    if damage == "truncated":
        file.write_bytes(content[: len(content) // 3])
    elif damage == "wrong model":
        shutil.copy(FIXTURES / "models" / SPECS.models[other].file, file)
    errors = processor.reload([name])
    assert [each for each in NAMES if errors[each]] == [name]
    assert errors[name]["phase"] == {"missing": "read", "truncated": "parse", "wrong model": "validate"}[damage]
    after = processor.process(audio[40:], first_id=40)
    status = processor.status()[name]
    assert (status["state"], status["version"]) == ("loaded", 1)
    assert errors[name]["message"] in status["reason"]
    played = joined(before, after)
    for each in NAMES:
        np.testing.assert_array_equal(played["outputs"][each], undisturbed["outputs"][each])
        assert (played["version"][each] == 1).all()


def test_models_that_are_reloaded_together_begin_with_the_same_frame(loader, folder, audio):
    """Also when a first reload was not taken yet when the second came."""
    processor = MultiModelProcessor(*loader, [str(folder)])
    processor.process(audio[:3])
    processor.reload([EMOTION])
    processor.reload(["GroovePredictor", "MelodyTransformer"])
    results = processor.process(audio[3:9], first_id=3)
    new = {EMOTION, "GroovePredictor", "MelodyTransformer"}
    for name in NAMES:
        assert (results["version"][name] == (2 if name in new else 1)).all()
        assert processor.status()[name]["first_frame"] == (3 if name in new else 0)


def test_files_are_looked_for_in_each_folder_in_turn(loader, folder, audio, tmp_path):
    """The first folder that has a model's file gives it."""
    own = tmp_path / "own"
    own.mkdir()
    groove = SPECS.models["GroovePredictor"].file
    shutil.move(folder / groove, own / groove)
    moved(own / groove)
    processor = MultiModelProcessor(*loader, [str(own), str(folder)])
    assert processor.totals()["models"] == 5
    assert processor.status()["GroovePredictor"]["path"] == str(own / groove)
    assert processor.status()[EMOTION]["path"] == str(folder / SPECS.models[EMOTION].file)
    processor.process(audio[:1])


def test_the_search_path_is_an_argument_or_a_variable(monkeypatch):
    """The argument wins; empty parts are nothing."""
    monkeypatch.setenv("RTCONFORM_MODELS", "/one:/two")
    assert model_folders() == ["/one", "/two"]
    assert model_folders("/three::/four:") == ["/three", "/four"]
    monkeypatch.delenv("RTCONFORM_MODELS")
    assert model_folders() == []


def test_frames_of_another_size_are_refused(loader):
    """With what was expected and what was found."""
    processor = MultiModelProcessor(*loader, [])
    with pytest.raises(ValueError, match=r"expected the shape \(T, 128\), found \(3, 64\)"):
        processor.process(np.zeros((3, 64), np.float32))


def test_one_model_alone(loader, audio):
    """RTNeuralProcessor runs any file that its loader takes, in blocks of any size, and refuses what it doesn't."""
    path = FIXTURES / "models" / "small" / "lstm-dense.json"
    model = read(path)
    frames = np.random.default_rng(3).uniform(-1, 1, (50, model.input_size)).astype(np.float32)
    processor = RTNeuralProcessor(*loader, str(path), max_frames=7)
    first = processor.process(frames)
    assert budget(model, frames, seed=1).judge(first).ok
    processor.reset()
    np.testing.assert_array_equal(processor.process(frames), first)
    with pytest.raises(ValueError, match=r"no-such\.json.*expected.*phase read"):
        RTNeuralProcessor(*loader, "no-such.json")
    with pytest.raises(ValueError, match="expected a loader called nobody, found rtneural-checked"):
        RTNeuralProcessor(loader[0], "nobody", str(path))
