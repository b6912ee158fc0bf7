"""The folder of a training: held against others, left as it was by a refused run, without what is out of date."""

import builtins
import errno
import multiprocessing
import os
import resource
import threading

import pytest

from rtconform.reference_models.errors import ConfigError, WriteFailed
from rtconform.reference_models.training import output
from rtconform.reference_models.training.output import LOCK, held
from rtconform.reference_models.training.trainer import train

from .training_scene import fake_data, groove, one_thread, silent

__all__ = ["fake_data", "one_thread"]

ENOUGH = 60.0


def hold(folder, ready):
    """Holds a folder until it is killed."""
    with held(folder):
        ready.set()
        threading.Event().wait()


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_second_training_into_a_folder_is_refused(fake_data, tmp_path):
    """At once, while the first goes on to its end; afterwards the folder is free and holds no lock."""
    refusals = []

    def meanwhile(state):
        if not refusals:
            with pytest.raises(ConfigError, match="no other training writes to") as refusal:
                train({**groove(), "seed": 7}, tmp_path, silent)
            refusals.append(str(refusal.value))

    metrics = train(groove(), tmp_path, meanwhile)
    assert refusals and str(tmp_path) in refusals[0] and "another folder" in refusals[0]
    assert metrics["models"]["GroovePredictor"]["epochs"] == 4 and not (tmp_path / LOCK).exists()
    train(groove(epochs=1), tmp_path, silent)


def test_a_killed_process_holds_nothing(tmp_path):
    """Its lock ends with it, though the file is still there."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(ENOUGH)
    with pytest.raises(ConfigError, match="no other training"), held(tmp_path):
        pass
    process.kill()
    process.join(ENOUGH)
    assert (tmp_path / LOCK).exists()
    with held(tmp_path):
        pass
    assert not (tmp_path / LOCK).exists()


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    """Who waited for a file that its holder then removed would hold nothing."""
    lock = output._lock

    def late(stream, folder):
        monkeypatch.setattr(output, "_lock", lock)
        (folder / LOCK).unlink()
        lock(stream, folder)

    monkeypatch.setattr(output, "_lock", late)
    with held(tmp_path), pytest.raises(ConfigError, match="no other training"), held(tmp_path):
        pass


def test_without_file_locks_a_training_goes_on(tmp_path, monkeypatch):
    """Not every system and not every file system has them."""
    find = builtins.__import__

    def without(name, *arguments, **more):
        if name == "fcntl":
            raise ImportError(name)
        return find(name, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without)
        with held(tmp_path), held(tmp_path):
            pass

    def unsupported(stream, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", unsupported)
    with held(tmp_path), held(tmp_path):
        pass


def test_only_an_empty_folder_of_its_own_making_is_removed(tmp_path):
    """What was there before stays, and so does what something was left in."""
    with held(tmp_path / "new" / "er"):
        assert (tmp_path / "new" / "er").is_dir()
    assert not (tmp_path / "new").exists() and tmp_path.exists()
    with held(tmp_path / "new" / "er"):
        (tmp_path / "new" / "file").touch()
    assert (tmp_path / "new" / "file").exists() and not (tmp_path / "new" / "er").exists()


@pytest.mark.parametrize("name", ["file/x", "file", "x" * 300])
def test_a_folder_that_cannot_be_written_to_is_refused_first(fake_data, name, tmp_path, monkeypatch):
    """Before any data is read."""
    (tmp_path / "file").touch()
    monkeypatch.setattr("rtconform.reference_models.training.trainer.load", lambda *_: pytest.fail("data was read"))
    with pytest.raises(ConfigError, match=r"expected a folder that can be made and written to, found: .*another"):
        train(groove(), tmp_path / name, silent)


def test_a_file_that_cannot_be_written_is_named(fake_data, tmp_path):
    """With the reason and what to do; what was whole before still is, and nothing half-written is left."""
    train(groove(epochs=1), tmp_path, silent)
    before = content(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(WriteFailed, match=r"groovepredictor\.safetensors: .*File too large.*make room"):
            train(groove(), tmp_path, silent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    del before["groovepredictor.checkpoint.pt"]
    assert content(tmp_path) == before


def test_without_export_nothing_of_an_earlier_export_is_left(fake_data, tmp_path):
    """Beside other weights it would pass for theirs. A refused run removes nothing, nor does one of another model."""
    train(groove(epochs=1), tmp_path, silent)
    before = content(tmp_path)
    without = {**groove(epochs=1), "export": {"enabled": False}, "seed": 7}
    with pytest.raises(ConfigError, match=r"^\$\.seed"):
        train({**without, "resume": True}, tmp_path, silent)
    assert content(tmp_path) == before
    train({**without, "models": {"DynamicsEngine": {}}}, tmp_path, silent)
    assert (tmp_path / "groovepredictor.json").exists()
    train(without, tmp_path, silent)
    assert not {"groovepredictor.json", "groovepredictor.card.md"} & set(content(tmp_path))
    assert "groovepredictor.safetensors" in content(tmp_path)
