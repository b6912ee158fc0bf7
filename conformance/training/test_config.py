"""What a configuration says is done, and nothing else decides the result."""

import math

import pytest

from rtconform.harness.implementations.remote import RemoteTrainer
from rtconform.harness.judging import Inconclusive, check, check_refused
from rtconform.harness.measure import training
from rtconform.harness.measure.losses import same_loss
from rtconform.harness.measure.training import QUICK_EPOCHS

pytestmark = pytest.mark.shares("trainer")

MODEL, DATASET = "the model", "the data set"
"""Stand for their names in the paths of FAULTS."""

FAULTS = {
    "unknown-key": (("training", "learning_rat"), 0.001),
    "unknown-section": (("trainnig",), {"epochs": 2}),
    "impossible-value": (("training", "epochs"), -3),
    "wrong-type": (("training", "epochs"), "many"),
    "no-learning-rate": (("training", "learning_rate"), 0),
    "no-batch": (("training", "batch_size"), 0),
    "impossible-seed": (("seed",), -1),
    "unknown-device": (("device",), "abacus"),
    "nan": (("training", "learning_rate"), math.nan),
    "infinity": (("training", "learning_rate"), math.inf),
    "true-for-a-number": (("training", "learning_rate"), True),
    "half-a-seed": (("seed",), 1.5),
    "half-an-item": (("training", "batch_size"), 1.5),
    "negative-workers": (("training", "workers"), -1),
    "unknown-key-of-a-model": (("models", MODEL, "datset"), "melodies"),
    "unknown-key-of-a-dataset": (("datasets", DATASET, "pth"), "no-such-folder"),
    "unknown-model": (("models", "DynamicEngin"), {}),
    "unknown-dataset": (("models", MODEL, "dataset"), "nowhere"),
    "unknown-kind": (("datasets", DATASET, "kind"), "tape"),
    "missing-path": (("datasets", DATASET, "path"), "no-such-folder"),
}
"""(where in the config, what stands there). The refusal names the key, or what a key that is right refers to."""

NO_JSON = ("nan", "infinity")
"""What only Python's own reader of JSON lets through."""

CHANGES = {"learning-rate": {"learning_rate": 0.0003}, "epochs": {"epochs": 1}, "batch-size": {"batch_size": 17}}


@pytest.mark.requirement("TRN-REPRODUCIBLE")
def test_same_seed_gives_the_same_weights(trainer):
    """Two runs with one seed, in two processes, and one with another seed."""
    first, again = training.quick(trainer).digest, training.again(trainer).digest
    check(again == first, "the same configuration and seed gave other weights", expected=first, got=again)
    other = training.quick(trainer, "other seed", other_seed=True).digest
    check(other != first, "another seed gave the same weights")


@pytest.mark.requirement("TRN-WORKERS")
def test_the_number_of_data_workers_changes_no_weights(trainer):
    """None, one and two."""
    first, *others = (training.quick(trainer, f"{count} workers", workers=count) for count in (0, 1, 2))
    for count, other in enumerate(others, 1):
        what = f"{count} data workers give other weights than none"
        check(other.digest == first.digest, what, expected=first.digest, got=other.digest)


@pytest.mark.requirement("TRN-READS-CONFIG")
@pytest.mark.parametrize("change", CHANGES)
def test_configuration_is_read(trainer, change):
    """Another learning rate, fewer epochs, smaller batches."""
    changed = training.quick(trainer, f"other {change}", **CHANGES[change])
    same = changed.digest == training.quick(trainer).digest
    check(not same, "the change in the configuration changed nothing", change=CHANGES[change])


@pytest.mark.requirement("TRN-READS-CONFIG")
@pytest.mark.parametrize("epochs", [1, QUICK_EPOCHS])
def test_there_are_as_many_epochs_as_configured(trainer, epochs):
    """One, after which nobody can have stopped early, and several of those who never do."""
    if epochs > 1 and "early_stopping" in trainer.declaration.features:
        pytest.skip("the training may have stopped early")
    run = training.quick(trainer, "one epoch", epochs=1) if epochs == 1 else training.quick(trainer)
    got = len(run.history)
    check(got == epochs, f"a training of {epochs} epochs has a history of {got}", expected=epochs, got=got)


@pytest.mark.requirement("TRN-EARLY-STOPPING")
@pytest.mark.parametrize("patience", [1, 2])
def test_training_stops_after_epochs_without_improvement(trainer, patience):
    """With an improvement that none can make, the first epoch stays the best."""
    epochs = len(training.stopped(trainer, patience).history)
    what = f"with early stopping on and a patience of {patience} the training had {epochs} epochs"
    check(epochs == 1 + patience, what, expected=1 + patience, settings=training.stopping(patience))


@pytest.mark.requirement("TRN-EARLY-STOPPING")
def test_training_does_not_stop_early_when_it_is_switched_off(trainer):
    """With the same settings, but that they are off."""
    settings = training.stopping(1)
    settings["early_stopping"]["enabled"] = False
    epochs = len(training.quick(trainer, "early stopping off", **settings).history)
    what = f"with early stopping off the training had {epochs} epochs"
    check(epochs == settings["epochs"], what, settings=settings)


@pytest.mark.requirement("TRN-BEST-WEIGHTS")
def test_the_weights_of_the_best_epoch_are_kept(trainer):
    """A training at a high learning rate, which ends with an epoch that isn't its best."""
    found = training.bumpy(trainer)
    if found is None:
        raise Inconclusive("the last epoch was the best at every learning rate that was tried")
    _, run = found
    losses, measured = run.validation_losses, run.losses["model"]
    epoch = min(range(len(losses)), key=lambda index: abs(losses[index] - measured)) + 1
    facts = {"losses": losses, "reported": run.reported_loss, "measured": measured}
    found = f"the exported weights are not those of the best epoch; their loss is nearest to that of epoch {epoch}"
    check(same_loss(measured, min(losses)), found, **facts)
    check(same_loss(run.reported_loss, min(losses)), "the reported loss is not that of the best epoch", **facts)


@pytest.mark.requirement("TRN-REFUSE-CONFIG")
@pytest.mark.parametrize("fault", FAULTS)
def test_bad_configuration_is_refused_by_name(trainer, fault, earlier):
    """The refusal names what is wrong, and an earlier result stays."""
    if fault in NO_JSON and isinstance(trainer, RemoteTrainer):
        pytest.skip("JSON has no such number")
    values = training.quick_config(trainer)
    path, wrong = FAULTS[fault]
    stands_for = {MODEL: training.quick_name(trainer), DATASET: training.only_set(values)[0]}
    *sections, key = (stands_for.get(part, part) for part in path)
    section = values
    for name in sections:
        section = section.setdefault(name, {})
    section[key] = wrong
    refusal = check_refused(f"a config with {fault} was accepted", trainer.train, values, earlier.folder)
    name = wrong if key in ("path", "kind", "dataset") else key
    check(name in refusal.message, f"the refusal doesn't name {name!r}", message=refusal.message)
    earlier.check_untouched()
