"""`rtconform train` tells people and programs how far it is."""

import json
import subprocess
import sys

import jsonschema_rs
import pytest

from rtconform.harness.paths import PACKAGE

SCHEMA = json.loads((PACKAGE / "harness" / "train-progress-1.schema.json").read_text(encoding="utf-8"))
STRANGER = """
import json, pathlib, shutil

class Trainer:
    declares = {"name": "stranger", "version": "1"}

    def train(self, config, out_dir, progress):
        import numpy
        progress({"model": "DynamicsEngine", "epoch": 1, "loss": float("nan"), "more": numpy.float32(0.5)})
        progress({"model": "DynamicsEngine", "epoch": 2, "loss": 0.25})
        pathlib.Path(out_dir).mkdir(exist_ok=True)
        shutil.copy(STORED, out_dir)
        return {"models": {"DynamicsEngine": {}}}
"""


@pytest.fixture
def trained(rtconform, tmp_path):
    """`trained(*options)`: what a training of two epochs by a trainer that only copies a stored model says."""
    stored = PACKAGE / "fixtures" / "models" / "dynamicsengine.json"
    (tmp_path / "stranger.py").write_text(STRANGER.replace("STORED", repr(str(stored))))

    def train(*options):
        return rtconform("train", "--trainer", "py:stranger:Trainer", "--out", "out", *options)

    return train


def test_programs_read_a_line_for_each_epoch(trained):
    """Nothing else is on standard output; every line is JSON as published, also where a loss is no number."""
    done = trained("--progress", "json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines == [
        {"model": "DynamicsEngine", "epoch": 1, "loss": None, "more": 0.5},
        {"model": "DynamicsEngine", "epoch": 2, "loss": 0.25},
    ]
    for line in lines:
        jsonschema_rs.Draft202012Validator(SCHEMA).validate(line)
    assert "DynamicsEngine: trained" in done.stderr and "Written to" in done.stderr


def test_people_read_what_came_of_it(trained):
    """As before: progress on standard error, results on standard output."""
    done = trained()
    assert done.stdout.startswith("DynamicsEngine: trained\nWritten to ")
    assert done.stderr == "model DynamicsEngine, epoch 1, loss nan, more 0.5\n"


def test_the_reference_trainer_says_what_its_history_says(rtconform, tmp_path):
    """Model, epoch and both losses of every epoch, to the last bit."""
    pytest.importorskip("torch")
    done = rtconform("train", "--model", "GroovePredictor", "--epochs", "3", "--out", "out", "--progress", "json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    history = json.loads((tmp_path / "out" / "metrics.json").read_text())["models"]["GroovePredictor"]["history"]
    assert lines == [{"model": "GroovePredictor", **epoch} for epoch in history] and len(lines) == 3
    for line in lines:
        jsonschema_rs.Draft202012Validator(SCHEMA).validate(line)


def test_an_unknown_kind_of_progress_is_refused(trained):
    """Before anything is trained."""
    done = trained("--progress", "xml")
    assert done.returncode == 2 and "'text', 'json'" in done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (None, "expected a JSON file that can be read, found: No such file"),
        (b'{"datasets": {"mine": {"path": "a\\u0000b"}}}', "$.datasets.mine.path: expected a path"),
        (b'{"datasets": {"mine": {"path": "~nobody-of-this-name/b"}}}', "home directory"),
    ],
)
def test_a_config_that_cannot_be_read_is_refused_in_a_sentence(trained, content, words, tmp_path):
    """It names the file."""
    if content is not None:
        (tmp_path / "config.json").write_bytes(content)
    done = trained("--config", "config.json")
    assert done.returncode == 2 and words in done.stderr and "config.json" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_config_may_have_a_byte_order_mark(trained, tmp_path):
    """As some editors write it."""
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf{}")
    assert trained("--config", "config.json").returncode == 0


def test_without_export_the_golden_of_an_earlier_export_goes_with_it(trained, tmp_path):
    """Those of other models stay, and so does that of a file that is still there."""
    (tmp_path / "without.json").write_text('{"export": {"enabled": false}}')
    assert trained().returncode == 0
    manifest = tmp_path / "out" / "golden" / "manifest.json"
    assert list(json.loads(manifest.read_text())["goldens"]) == ["dynamicsengine"]
    assert trained("--config", "without.json").returncode == 0
    assert list(json.loads(manifest.read_text())["goldens"]) == ["dynamicsengine"]
    stranger = tmp_path / "stranger.py"
    stranger.write_text(
        stranger.read_text().replace("shutil.copy(", "(pathlib.Path(out_dir) / 'dynamicsengine.json').unlink() #")
    )
    assert trained("--config", "without.json").returncode == 0
    assert json.loads(manifest.read_text())["goldens"] == {}
    assert [path.name for path in manifest.parent.iterdir()] == [manifest.name]


def test_a_machine_that_fails_needs_no_traceback(trained, tmp_path):
    """What a trainer says of a full disk, and the exit code of a training that failed."""
    stranger = tmp_path / "stranger.py"
    stranger.write_text(stranger.read_text().replace("shutil.copy(", "raise OSError('no room for x') #"))
    done = trained()
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == "rtconform: stranger: no room for x"
    assert "Traceback" not in done.stderr


def test_each_line_comes_at_once(tmp_path):
    """A program that reads them while the training goes on gets each when its epoch ends."""
    (tmp_path / "waiting.py").write_text(
        "import pathlib, time\n"
        "class Trainer:\n"
        "    declares = {'name': 'waiting', 'version': '1'}\n"
        "    def train(self, config, out_dir, progress):\n"
        "        progress({'model': 'A', 'epoch': 1, 'loss': 1.0})\n"
        "        input()\n"
        "        raise RuntimeError('enough')\n"
    )
    command = [sys.executable, "-m", "rtconform", "train", "--trainer", "py:waiting:Trainer", "--out", "out"]
    with subprocess.Popen(
        [*command, "--progress", "json"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert json.loads(child.stdout.readline()) == {"model": "A", "epoch": 1, "loss": 1.0}
        child.communicate("\n")
    assert child.returncode == 1
