"""Trainings that are killed, and what they leave."""

import json

import pytest

from rtconform.harness.implementations import connect
from rtconform.harness.judging import RequirementFailed
from rtconform.harness.measure import interrupted, training
from rtconform.harness.measure.interrupted import KILLS, Moment

TOY = "py:rtconform.harness.faulty.toy_trainer:toy_trainer"


@pytest.mark.parametrize("profile", KILLS)
def test_moments_are_those_of_the_seed_and_end_with_the_last_epoch(profile):
    """As many as the profile says, each later than the one before."""
    moments = interrupted.moments(5, profile)
    epochs = [moment.epoch for moment in moments]
    assert moments == interrupted.moments(5, profile) != interrupted.moments(6, profile)
    assert len(moments) == KILLS[profile] and epochs == sorted(set(epochs))
    assert epochs[0] >= 1 and epochs[-1] == interrupted.epochs(profile)
    assert all(0.0 <= moment.part < 1.0 for moment in moments)


def test_a_training_is_killed_at_its_moment_and_goes_on(tmp_path):
    """Nothing is left but what was saved before; the second time it is over before the moment comes."""
    pytest.importorskip("mido")
    process = interrupted.in_a_process(connect(TOY, "trainer"))
    values = {**training.config(["DynamicsEngine"], epochs=300), "resume": True}
    assert interrupted.killed(process, values, tmp_path, Moment(2, 0.5))
    assert not (tmp_path / "metrics.json").exists()
    interrupted.check_whole(tmp_path)
    assert not interrupted.killed(process, {**values, "training": {"epochs": 4}}, tmp_path, Moment(301, 0.0))
    assert len(json.loads((tmp_path / "metrics.json").read_text())["models"]["DynamicsEngine"]["history"]) >= 4


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.json", b'{"layers": ['), ("state.safetensors", b"\x40\0\0\0\0\0\0\0{"), ("empty.safetensors", b"")],
)
def test_a_file_that_is_cut_off_is_found(tmp_path, name, content):
    """Under the names that results have; a hidden file is nobody's result."""
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / f".{name}").write_bytes(content)
    interrupted.check_whole(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequirementFailed, match=f"left {name}"):
        interrupted.check_whole(tmp_path)
