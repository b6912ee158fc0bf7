"""Trainings that end before their time and go on later."""

import pytest

from rtconform.harness.judging import Inconclusive, check, check_refused
from rtconform.harness.measure import interrupted, training

pytestmark = pytest.mark.shares("trainer")


@pytest.fixture
def straight(trainer):
    """(config, run) of a training without interruption whose best epoch is not its last."""
    found = training.bumpy(trainer)
    if found is None:
        raise Inconclusive("the last epoch was the best at every learning rate that was tried")
    return found


def changed(values, *, resume=False, **settings):
    """The config with other settings, and with resume if it is asked for."""
    return {**values, **({"resume": True} if resume else {}), "training": {**values["training"], **settings}}


def train(trainer, values, folder):
    return training.train(trainer, values, folder).popitem()[1]


def check_same(run, expected, what):
    """The same weights, and the same history."""
    check(
        run.validation_losses == expected.validation_losses, f"{what} has another history", **histories(run, expected)
    )
    check(run.digest == expected.digest, f"{what} gives other weights", **histories(run, expected))


def histories(run, expected):
    return {"expected": expected.validation_losses, "got": run.validation_losses}


def check_stopped(trainer, straight, tmp_path):
    """Stopped at the best epoch, which is then behind; the epochs before are not trained again."""
    values, expected = straight
    best = expected.validation_losses.index(min(expected.validation_losses)) + 1
    before = train(trainer, changed(values, epochs=best), tmp_path)
    check(before.epochs_reported, "progress tells of no epoch; a trainer that resumes reports each")
    after = train(trainer, changed(values, resume=True), tmp_path)
    again = sorted(set(before.epochs_reported) & set(after.epochs_reported))
    check(not again, f"the resumed training trained epochs again: {again}", stopped_after=best)
    check_same(after, expected, "a training that was stopped and resumed")


def check_nothing_there(trainer, straight, tmp_path):
    """An empty folder."""
    values, expected = straight
    check_same(
        train(trainer, changed(values, resume=True), tmp_path), expected, "a training that had nothing to resume"
    )


def check_not_asked(trainer, straight, tmp_path):
    """The folder of an earlier run, without the key."""
    values, _ = straight
    first = train(trainer, changed(values, epochs=2), tmp_path)
    second = train(trainer, changed(values, epochs=2), tmp_path)
    what = "a training that was not asked to resume did not begin anew"
    check(second.epochs_reported == first.epochs_reported, what, reported=second.epochs_reported)
    check_same(second, first, "a training in the folder of an earlier one")


SITUATIONS = {"stopped": check_stopped, "nothing-there": check_nothing_there, "not-asked": check_not_asked}


@pytest.mark.requirement("TRN-RESUME")
@pytest.mark.parametrize("situation", SITUATIONS)
def test_resumed_is_uninterrupted(trainer, straight, situation, tmp_path):
    """After a stop; in an empty folder; and in the folder of an earlier run, without being asked to."""
    SITUATIONS[situation](trainer, straight, tmp_path)


@pytest.mark.requirement("TRN-RESUME-REFUSES")
def test_the_checkpoint_of_another_configuration_is_refused(trainer, straight, tmp_path):
    """Another learning rate; the earlier result stays."""
    values, _ = straight
    train(trainer, changed(values, epochs=1), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    other = changed(values, resume=True, epochs=2, learning_rate=0.0003)
    check_refused("the checkpoint of another configuration was taken up", trainer.train, other, tmp_path)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    check(after == before, "the earlier result has changed", files=sorted(after))


@pytest.mark.requirement("TRN-KILLED")
def test_a_killed_training_can_be_resumed(trainer, tmp_path, rtc_config):
    """SIGKILL between two epochs, before the first and while the results are written; then the uninterrupted result."""
    values = training.quick_config(trainer, epochs=interrupted.epochs(rtc_config.profile))
    expected = training.trained(trainer, values, "not killed")[training.quick_name(trainer)]
    killed = interrupted.Training(trainer, values, tmp_path)
    for moment in interrupted.moments(rtc_config.seed, rtc_config.profile):
        killed.killed(moment)
    if not killed.kills:
        raise Inconclusive("the training was over before it could be killed")
    check_same(killed.finished().popitem()[1], expected, f"a training that was killed {killed.kills} times")
