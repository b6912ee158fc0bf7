"""A training that is stopped anywhere and gone on with comes to what it would have come to, or says why not."""

import json
import multiprocessing
import random
import time

import pytest
import torch

from rtconform.reference_models.errors import ConfigError
from rtconform.reference_models.training.trainer import train

from .training_scene import fake_data, groove, one_thread, quick_processes, silent

__all__ = ["fake_data", "one_thread", "quick_processes"]

DYNAMICS = {"models": {"DynamicsEngine": {}}, "training": {"epochs": 30, "early_stopping": {"enabled": False}}}
KILLS = 5
ENOUGH = 120.0


class Stop(Exception):
    """Ends a training from its progress."""


def after(epochs):
    """Progress that stops the training after so many more epochs."""
    seen = []

    def progress(state):
        seen.append(state)
        if len(seen) == epochs:
            raise Stop

    return progress


def resumed(config):
    return {**config, "resume": True}


def result(folder):
    """What may not depend on how often a training was stopped."""
    metrics = json.loads((folder / "metrics.json").read_text())
    weights = {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
    return metrics["models"], metrics["config_sha256"], weights


OPTIONS = {
    "plain": {},
    "adamw-cosine-clipped": {
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "clip_norm": 0.1,
        "schedule": {"kind": "cosine"},
    },
    "plateau": {"schedule": {"kind": "plateau", "patience": 0, "factor": 0.1}, "learning_rate": 0.02},
    "step": {"schedule": {"kind": "step", "every": 2}},
    "bf16": {"precision": "bf16"},
    "stopping-early": {"epochs": 9, "early_stopping": {"patience": 3, "min_delta": 0.2}},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_stopped_and_resumed_is_uninterrupted(fake_data, options, tmp_path):
    """Weights, losses, learning rates and the evaluation are the same to the last bit, whatever state there is."""
    config = groove(**{"epochs": 6, **options})
    train(config, tmp_path / "whole", silent)
    for epochs in (1, 2):
        with pytest.raises(Stop):
            train(resumed(config), tmp_path / "parts", after(epochs))
    seen = []
    train(resumed(config), tmp_path / "parts", seen.append)
    assert seen[0]["epoch"] == 4
    assert result(tmp_path / "parts") == result(tmp_path / "whole")


@pytest.mark.parametrize("name", ["EmotionRecognizer"])
def test_carried_state_is_resumed(fake_data, name, tmp_path):
    """With recordings in order and their state carried, too."""
    fake_data["pieces"] = 2
    config = {"models": {name: {}}, "training": {"epochs": 3, "batch_size": 16, "carry_state": True}}
    train(config, tmp_path / "whole", silent)
    with pytest.raises(Stop):
        train(config, tmp_path / "parts", after(1))
    train(resumed(config), tmp_path / "parts", silent)
    assert result(tmp_path / "parts") == result(tmp_path / "whole")


def test_more_epochs_go_on_from_the_end(fake_data, tmp_path):
    """A finished run is prolonged; resumed as it was, it trains nothing and leaves the same."""
    train(groove(epochs=6), tmp_path / "whole", silent)
    train(groove(epochs=4), tmp_path / "parts", silent)
    before = result(tmp_path / "parts")
    seen = []
    train(resumed(groove(epochs=4)), tmp_path / "parts", seen.append)
    assert seen == [] and result(tmp_path / "parts") == before
    train(resumed(groove(epochs=6)), tmp_path / "parts", seen.append)
    assert [state["epoch"] for state in seen] == [5, 6]
    assert result(tmp_path / "parts") == result(tmp_path / "whole")


def test_without_checkpoints_it_starts_afresh(fake_data, tmp_path):
    """Resume in an empty folder is a plain run; a plain run drops all checkpoints that were there, before it trains."""
    seen = []
    train(resumed(groove(epochs=2, checkpointing={"every": 1})), tmp_path, seen.append)
    assert [state["epoch"] for state in seen] == [1, 2] and len(list(tmp_path.glob("*.pt"))) == 3
    without = groove(epochs=2, learning_rate=0.01, checkpointing={"latest": False})
    with pytest.raises(Stop):
        train(without, tmp_path, after(1))
    assert not list(tmp_path.glob("*.pt"))
    seen.clear()
    train(resumed(without), tmp_path, seen.append)
    assert [state["epoch"] for state in seen] == [1, 2]


def test_numbered_checkpoints_are_resumed_from(fake_data, tmp_path):
    """One each so many epochs; where there is no latest one, the furthest counts."""
    config = groove(epochs=6, checkpointing={"latest": False, "every": 2})
    train(config, tmp_path / "whole", silent)
    with pytest.raises(Stop):
        train(config, tmp_path / "parts", after(5))
    names = sorted(path.name for path in (tmp_path / "parts").glob("*.pt"))
    assert names == ["groovepredictor.checkpoint-0002.pt", "groovepredictor.checkpoint-0004.pt"]
    seen = []
    train(resumed(config), tmp_path / "parts", seen.append)
    assert [state["epoch"] for state in seen] == [5, 6]
    assert result(tmp_path / "parts")[2] == result(tmp_path / "whole")[2]


CHANGES = {
    r"\$\.models\.GroovePredictor\.learning_rate: expected 0\.001, .* found 0\.01;": groove(learning_rate=0.01),
    r"\$\.models\.GroovePredictor\.optimizer: expected 'adam', .* found 'adamw'": groove(optimizer="adamw"),
    r"\$\.models\.GroovePredictor\.batch_size: expected 16, .* found 8": groove(batch_size=8),
    r"\$\.training\.schedule\.kind: expected 'none', .* found 'step'": groove(schedule={"kind": "step"}),
    r"\$\.training\.early_stopping\.patience: expected 10, .* found 2": groove(early_stopping={"patience": 2}),
    r"\$\.training\.precision: expected 'float32', .* found 'bf16'": groove(precision="bf16"),
    r"\$\.training\.threads: expected 1, .* found 2": groove(threads=2),
    r"\$\.seed: expected 2, .* found 3": {**groove(), "seed": 3},
    r"\$\.models\.GroovePredictor\.epochs: expected at least 4, .* found 3": groove(epochs=3),
}


@pytest.fixture
def finished(fake_data, tmp_path):
    """The folder of a finished run."""
    train(groove(), tmp_path / "out", silent)
    return tmp_path / "out"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(("said", "config"), CHANGES.items(), ids=[f"{n}" for n in range(len(CHANGES))])
def test_a_checkpoint_of_another_config_is_refused(finished, said, config):
    """By the path of what differs, with both values and the file; nothing that was there is lost."""
    before = contents(finished)
    with pytest.raises(ConfigError, match=f"^{said}.*") as raised:
        train(resumed(config), finished, silent)
    assert str(finished / "groovepredictor.checkpoint.pt") in str(raised.value)
    assert contents(finished) == before


def test_a_checkpoint_of_other_data_or_another_version_is_refused(finished, fake_data, monkeypatch):
    """What was trained on, and with what, is part of what it was made with."""
    before = contents(finished)
    fake_data["shuffled"] = True
    with pytest.raises(ConfigError, match=r"^the sha256 of the data in \$\.datasets\.grooves: expected"):
        train(resumed(groove()), finished, silent)
    fake_data["shuffled"] = False
    monkeypatch.setattr("rtconform.reference_models.training.checkpoint.FORMAT", 2)
    with pytest.raises(ConfigError, match=r"^the format of checkpoints: expected 1, .* found 2"):
        train(resumed(groove()), finished, silent)
    assert contents(finished) == before


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "another-pickle"])
def test_a_damaged_checkpoint_is_refused(finished, damage):
    """By the name of the file, with what to do; nothing in it is run."""
    path = finished / "groovepredictor.checkpoint.pt"
    if damage == "another-pickle":
        torch.save({"made_with": print}, path)
    else:
        whole = path.read_bytes()
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no checkpoint"}[damage])
    before = contents(finished)
    with pytest.raises(ConfigError, match=r"^\$\.resume: expected a checkpoint in .*groovepredictor\.checkpoint\.pt"):
        train(resumed(groove()), finished, silent)
    assert contents(finished) == before


def test_killed_at_any_moment_and_resumed_is_uninterrupted(tmp_path):
    """Five times in a row SIGKILL ends the process, wherever it is; what the sixth leaves is what one run leaves."""
    start = multiprocessing.get_context("forkserver")
    moments = random.Random(6)
    parts, latest = tmp_path / "parts", tmp_path / "parts" / "dynamicsengine.checkpoint.pt"

    def running(config, folder):
        process = start.Process(target=train, args=(config, folder))
        process.start()
        return process

    def changed(since):
        return latest.stat().st_mtime_ns if latest.exists() else since

    whole = running(DYNAMICS, tmp_path / "whole")
    whole.join(ENOUGH)
    assert whole.exitcode == 0
    for _ in range(KILLS):
        process, before = running(resumed(DYNAMICS), parts), changed(0)
        until = time.monotonic() + ENOUGH
        while changed(before) == before and process.is_alive() and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(moments.uniform(0.0, 0.05))
        process.kill()
        process.join(ENOUGH)
        assert process.exitcode == -9, "it was done before it was killed"
    last = running(resumed(DYNAMICS), parts)
    last.join(ENOUGH)
    assert last.exitcode == 0
    assert result(parts)[:2] == result(tmp_path / "whole")[:2]
    for name in ("dynamicsengine.safetensors", "dynamicsengine.json"):
        assert (parts / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not [path for path in parts.iterdir() if path.name.startswith(".")]
