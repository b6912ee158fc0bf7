"""Trainings that end before their time and go on later."""

import shutil

import pytest

from rtconform.harness.judging import Inconclusive, check, check_refused
from rtconform.harness.measure import interrupted, training

pytestmark = pytest.mark.shares("trainer")

OTHERS = {"learning rate": {"learning_rate": 0.0003}, "batch size": {"batch_size": 17}, "seed": {"seed": 3}}
"""What a checkpoint is not taken up with."""

MORE_EPOCHS = {"epochs": training.QUICK_EPOCHS + 1}


@pytest.fixture
def straight(trainer):
    """(config, run) of a training without interruption whose best epoch is not its last."""
    found = training.bumpy(trainer)
    if found is None:
        raise Inconclusive("the last epoch was the best at every learning rate that was tried")
    return found


def changed(values, *, resume=False, seed=None, **settings):
    """The config with other settings, with resume if it is asked for, and with another seed."""
    seed = values["seed"] if seed is None else seed
    asked = {"resume": True} if resume else {}
    return {**values, **asked, "seed": seed, "training": {**values["training"], **settings}}


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


def check_waited(trainer, straight, tmp_path):
    """Stopped when it had waited for an improvement, and once more when it had waited long enough."""
    if "early_stopping" not in trainer.declaration.features:
        pytest.skip("not declared by the trainer: early_stopping")
    values = training.quick_config(trainer, **training.stopping(2))
    expected = training.stopped(trainer, 2)
    train(trainer, changed(values, epochs=2), tmp_path)
    what = "a training that was stopped while it waited for an improvement, and resumed,"
    check_same(train(trainer, changed(values, resume=True), tmp_path), expected, what)
    check_same(train(trainer, changed(values, resume=True), tmp_path), expected, f"{what} and resumed once more")


SITUATIONS = {
    "stopped": check_stopped,
    "nothing-there": check_nothing_there,
    "not-asked": check_not_asked,
    "waited": check_waited,
}


@pytest.mark.requirement("TRN-RESUME")
@pytest.mark.parametrize("situation", SITUATIONS)
def test_resumed_is_uninterrupted(trainer, straight, situation, tmp_path):
    """After a stop; in an empty folder; in the folder of an earlier run, without being asked to; and near its end."""
    SITUATIONS[situation](trainer, straight, tmp_path)


@pytest.mark.requirement("TRN-RESUME-REFUSES")
@pytest.mark.parametrize("change", OTHERS)
def test_the_checkpoint_of_another_configuration_is_refused(trainer, change, earlier):
    """Another value; the earlier result stays."""
    other = changed(training.quick_config(trainer, **MORE_EPOCHS), resume=True, **OTHERS[change])
    check_refused(f"the checkpoint of another {change} was taken up", trainer.train, other, earlier.folder)
    earlier.check_untouched()


@pytest.mark.requirement("TRN-RESUME-REFUSES")
def test_the_checkpoint_of_other_data_is_refused(trainer, left_by, tmp_path):
    """The same folder, in which one label has been corrected since."""
    values = training.quick_config(trainer)
    name, _, source = training.only_set(values)
    data = shutil.copytree(source, tmp_path / "data")
    values = training.with_sets(values, {name: data})
    run = train(trainer, values, tmp_path / "first")
    _, _, corrected = training.only_set(training.relabelled(values, run.items["training"][:1]))
    shutil.copytree(corrected, data, dirs_exist_ok=True)
    earlier = left_by(run)
    other = changed(values, resume=True, **MORE_EPOCHS)
    check_refused("the checkpoint of other data was taken up", trainer.train, other, earlier.folder)
    earlier.check_untouched()


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
