"""Trainings that are killed, and what they leave."""

import pytest

from rtconform.harness.implementations import connect
from rtconform.harness.judging import RequirementFailed
from rtconform.harness.measure import interrupted, training
from rtconform.harness.measure.interrupted import KILLS, Moment

TOY = "py:rtconform.harness.faulty.toy_trainer:toy_trainer"


@pytest.mark.parametrize("profile", KILLS)
def test_moments_are_those_of_the_seed_and_end_with_the_last_epoch(profile):
    """As many as the profile says, each later than the one before, and behind the first one two of a start."""
    moments = interrupted.moments(5, profile)
    epochs = [moment.epoch for moment in moments]
    assert moments == interrupted.moments(5, profile) != interrupted.moments(6, profile)
    assert epochs[1:3] == [0, 0] and moments[1].part < 0.5 <= moments[2].part
    del epochs[1:3]
    assert len(epochs) == KILLS[profile] and epochs == sorted(set(epochs))
    assert epochs[0] >= 1 and epochs[-1] == interrupted.epochs(profile)
    assert all(0.0 <= moment.part < 1.0 for moment in moments)


def test_a_training_is_killed_at_its_moments_and_goes_on(tmp_path):
    """After an epoch, before the next one; and in the end it is whole."""
    pytest.importorskip("mido")
    killed = interrupted.Training(connect(TOY, "trainer"), training.config(["DynamicsEngine"], epochs=9), tmp_path)
    killed.killed(Moment(2, 0.5))
    assert (killed.kills, killed.reached) == (1, 2)
    killed.killed(Moment(0, 0.0))
    assert (killed.kills, killed.reached) == (2, 2)
    assert not (tmp_path / "metrics.json").exists()
    killed.killed(Moment(10, 0.0))
    assert killed.kills == 2
    assert len(killed.finished()["DynamicsEngine"].validation_losses) == 9


@pytest.mark.parametrize(
    ("wrong", "moments"),
    [("trn_checkpoint_consumed", [Moment(2, 0.5), Moment(0, 0.4)]), ("trn_resumes_finished", [Moment(2, 0.5)])],
)
def test_an_epoch_that_is_trained_again_is_found(tmp_path, wrong, moments):
    """Where what it comes to is the same, a night later."""
    pytest.importorskip("mido")
    trainer = connect(f"py:rtconform.harness.faulty.toy_checkpoints:{wrong}", "trainer")
    killed = interrupted.Training(trainer, training.config(["DynamicsEngine"], epochs=30), tmp_path)
    for moment in moments:
        killed.killed(moment)
    with pytest.raises(RequirementFailed, match="killed after epoch 2 began again with epoch 1"):
        killed.finished()


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
