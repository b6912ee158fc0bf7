"""`rtconform validate` on files and folders, as a user meets it."""

import json
import shutil

import pytest

from rtconform.harness import five_models
from rtconform.harness.selection import SMALL

FILES = [model["file"] for model in five_models.specs().values()]


@pytest.fixture
def folder(tmp_path):
    """A copy of the five models and of what lies beside them."""
    made = tmp_path / "models"
    made.mkdir()
    for name in (*FILES, "specs.json"):
        shutil.copy(five_models.FOLDER / name, made)
    return made


def test_a_folder_of_the_five_is_checked_model_by_model(rtconform, folder):
    """Each against the spec of its name; other files don't matter."""
    done = rtconform("validate", "--five", folder)
    assert (done.returncode, done.stdout.count("valid RTNeural JSON")) == (0, 5)
    assert "5 files, 0 not valid." in done.stdout


def test_a_missing_and_an_exchanged_model_are_told(rtconform, folder):
    """Both are valid or no file at all, and neither is what its name says."""
    (folder / "melodytransformer.json").unlink()
    shutil.copy(folder / "groovepredictor.json", folder / "dynamicsengine.json")
    done = rtconform("validate", "--five", folder)
    assert (done.returncode, "5 files, 2 not valid." in done.stdout) == (1, True)
    assert "melodytransformer.json: INVALID" in done.stdout
    assert "expected 32 inputs\n      found    64" in done.stdout


def test_without_it_every_file_of_a_folder_is_checked(rtconform, folder):
    """All that end in .json, but for what rtconform itself writes beside models, which is named."""
    (folder / "notes.json").write_text(json.dumps({"a": 1}))
    done = rtconform("validate", folder)
    assert done.returncode == 1
    assert "skipped, which rtconform writes beside models: specs.json" in done.stdout
    assert "notes.json: INVALID" in done.stdout
    assert "6 files, 1 not valid." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--five", "nowhere"), "expected a folder with the five models at nowhere, found none"),
        (("--five", SMALL / "dense.json"), "found a file"),
        (("--five", "--as", "GroovePredictor", "."), "leave --as out"),
        (("--as", "groovepredicter", SMALL / "dense.json"), "did you mean GroovePredictor?"),
        ((".",), "expected RTNeural JSON files in ., found none"),
    ],
)
def test_usage_errors_are_said_in_a_sentence(rtconform, arguments, message):
    """Exit code 2, nothing but the sentence."""
    done = rtconform("validate", *arguments)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
