"""Goldens: whole, found by their model file, and moved only with a reason and a permission."""

import json
import shutil

import numpy as np
import pytest

from rtconform.harness import golden, signals
from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import budget, read

SMALL = FIXTURES / "models" / "small"
STORED = golden.load_goldens()


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A copy of a model with a golden beside it; returns the model's path."""
    pytest.importorskip("torch")
    monkeypatch.delenv("CI", raising=False)
    path = tmp_path / "lstm-dense.json"
    shutil.copy(SMALL / path.name, path)
    golden.add(path, seed=3)
    return path


def contents(folder) -> dict:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def spoil(path, change) -> None:
    """Change the JSON of a file, or the first weight of a model."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def scale_first_weight(model) -> None:
    model["layers"][0]["weights"][0][0][0] *= 1.01


def test_every_stored_model_has_a_golden():
    """The small models, and those of the five that are stored."""
    models = [path for path in [*SMALL.glob("*.json"), *SMALL.parent.glob("*.json")] if path.name != "specs.json"]
    assert {stored.model_path for stored in STORED} == {path.resolve() for path in models}


def test_stored_goldens_are_whole_and_agree_with_the_oracle():
    """Hashes, model files, and float64 PyTorch against the float64 oracle."""
    assert [result.problem for result in golden.check() if not result.ok] == []


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: stored.name)
def test_stored_goldens_carry_enough(stored):
    """At least 64 frames, float32 in and float64 out, the requirement and the versions that made it."""
    assert len(stored.inputs) >= 64
    assert (stored.inputs.dtype, stored.outputs.dtype) == (np.float32, np.float64)
    assert len(stored.outputs) == len(stored.inputs)
    assert stored.record["requirement"] == "NUM-GOLDEN"
    assert set(stored.record["made_with"]) == {"torch", "numpy"}


def test_a_golden_is_found_by_its_model_file(made, tmp_path):
    """In the folder beside the file or in the suite's own; a copy elsewhere has none."""
    found = golden.find(made)
    assert found.model_path == made.resolve()
    assert np.array_equal(found.inputs, signals.noise(64, 3, seed=3))
    assert golden.find(SMALL / "dense.json").name == "dense"
    shutil.copy(made, tmp_path / "other.json")
    assert golden.find(tmp_path / "other.json") is None


def test_a_golden_judges_outputs(made):
    """The outputs are those of the model: the budget around the oracle accepts them."""
    found = golden.find(made)
    assert budget(read(made), found.inputs).judge(found.outputs).ok


def test_given_inputs_are_kept(tmp_path):
    """A user's own signal instead of noise."""
    pytest.importorskip("torch")
    shutil.copy(SMALL / "dense.json", tmp_path)
    frames = signals.ramp(10, 3)
    made = golden.add(tmp_path / "dense.json", tmp_path / "elsewhere", inputs=frames)
    assert np.array_equal(made.inputs, frames)
    assert golden.check(tmp_path / "elsewhere")[0].ok


def test_a_second_golden_of_a_name_is_refused(made):
    """Nothing is replaced by adding."""
    with pytest.raises(golden.GoldenError, match="already"):
        golden.add(made)


def test_a_changed_model_file_is_noticed(made):
    """By its hash, also before anything is computed."""
    found = golden.find(made)
    assert golden.changed(found, made) == ""
    spoil(made, scale_first_weight)
    assert "has changed since" in golden.changed(found, made)
    assert "has changed since" in golden.check(made.parent / "golden")[0].problem


def test_damaged_goldens_are_noticed(made):
    """Another number in the tensors, half a file, a missing model, a broken manifest."""
    folder = made.parent / "golden"
    stored = folder / "lstm-dense.safetensors"
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "not those of the manifest" in golden.check(folder)[0].problem
    stored.write_bytes(whole[:100])
    assert "can't be read" in golden.check(folder)[0].problem
    stored.write_bytes(whole)
    made.rename(made.with_name("gone.json"))
    assert "missing" in golden.check(folder)[0].problem
    spoil(folder / "manifest.json", lambda manifest: manifest["goldens"]["lstm-dense"].pop("file"))
    with pytest.raises(golden.GoldenError, match="lacks file"):
        golden.check(folder)
    (folder / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(golden.GoldenError, match="can't be read"):
        golden.check(folder)


def test_a_folder_without_goldens_says_what_to_do(tmp_path):
    """The command that makes one."""
    with pytest.raises(golden.GoldenError, match="rtconform golden add"):
        golden.check(tmp_path)


def test_regenerating_an_unchanged_golden_does_nothing(made):
    """Not a byte moves, whatever is accepted."""
    folder = made.parent / "golden"
    before = contents(folder)
    assert golden.regenerate(folder, accept="all") == []
    assert contents(folder) == before


def test_a_difference_of_the_cpu_keeps_the_stored_bytes(made, monkeypatch):
    """Below 10⁻¹² of the scale nothing moves; above, it does, and versions or machine are named as the cause."""
    from rtconform.harness import torch_reference

    folder = made.parent / "golden"
    before = contents(folder)
    evaluate = torch_reference.evaluate
    monkeypatch.setattr(torch_reference, "evaluate", lambda *arguments: evaluate(*arguments) * (1 + 5e-13))
    assert golden.regenerate(folder, accept="all") == []
    assert contents(folder) == before
    monkeypatch.setattr(torch_reference, "evaluate", lambda *arguments: evaluate(*arguments) * (1 + 1e-9))
    change = golden.regenerate(folder)[0]
    assert change.difference == pytest.approx(1e-9, rel=1e-3)
    assert "this machine" in change.cause
    spoil(folder / "manifest.json", lambda m: m["goldens"]["lstm-dense"]["made_with"].update(torch="1.0"))
    assert "torch 1.0 became" in golden.regenerate(folder)[0].cause


def test_changes_are_taken_one_by_one(made):
    """What moved and why is returned; the file is replaced once its name is accepted, and then is well."""
    folder = made.parent / "golden"
    before = contents(folder)
    spoil(made, scale_first_weight)
    change = golden.regenerate(folder)[0]
    assert (change.name, change.cause, change.accepted) == ("lstm-dense", "the model file changed", False)
    assert 1e-6 < change.difference < 1
    assert contents(folder) == before
    assert golden.regenerate(folder, accept=["lstm-dense"])[0].accepted
    assert golden.check(folder)[0].ok
    assert golden.regenerate(folder) == []


def test_a_reformatted_model_keeps_its_outputs(made, monkeypatch):
    """Other white space is a change of the file, and of nothing that is stored but its hash, on any CPU."""
    from rtconform.harness import torch_reference

    evaluate = torch_reference.evaluate
    monkeypatch.setattr(torch_reference, "evaluate", lambda *arguments: evaluate(*arguments) * (1 + 5e-13))
    folder = made.parent / "golden"
    before = contents(folder)["lstm-dense.safetensors"]
    spoil(made, lambda model: None)
    change = golden.regenerate(folder, accept="all")[0]
    assert "in its text, not in what it computes" in change.cause
    assert contents(folder)["lstm-dense.safetensors"] == before
    assert golden.check(folder)[0].ok


def test_damaged_goldens_are_made_again_from_their_seed(made):
    """A lost file costs nothing but the regeneration."""
    folder = made.parent / "golden"
    before = contents(folder)
    (folder / "lstm-dense.safetensors").unlink()
    assert golden.regenerate(folder, accept="all")[0].accepted
    assert contents(folder) == before


def test_models_that_are_gone_or_broken_replace_nothing(made):
    """Both are said, and never accepted."""
    folder = made.parent / "golden"
    made.write_text("{}", encoding="utf-8")
    assert "not valid" in golden.regenerate(folder, accept="all")[0].cause
    made.unlink()
    change = golden.regenerate(folder, accept="all")[0]
    assert "missing" in change.cause
    assert not change.accepted


def test_nothing_is_regenerated_in_ci(made, monkeypatch):
    """A machine must not bless its own outputs."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(golden.GoldenError, match="CI"):
        golden.regenerate(made.parent / "golden")


def test_unknown_names_are_refused(made):
    """With the names that there are."""
    with pytest.raises(golden.GoldenError, match=r"lstm-dence.*lstm-dense"):
        golden.regenerate(made.parent / "golden", accept=["lstm-dence"])
