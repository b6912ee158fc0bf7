"""What a training makes of its data: the split, the labels of both sides, and what can't be used."""

import numpy as np
import pytest

from rtconform.harness import five_models
from rtconform.harness.implementations.errors import Refused
from rtconform.harness.judging import Inconclusive, check, check_refused, check_same_bits
from rtconform.harness.measure import training, training_sets

pytestmark = pytest.mark.shares("trainer")


@pytest.mark.requirement("TRN-SPLIT")
@pytest.mark.parametrize("name", list(five_models.specs()))
def test_training_and_validation_share_nothing(runs, name):
    """The names of the items on both sides."""
    items = runs(name).items
    common = sorted(set(items["training"]) & set(items["validation"]))
    check(not common, f"{name}: {len(common)} items are on both sides of the split", items=common[:5])


@pytest.mark.requirement("TRN-SPLIT-CONTENT")
@pytest.mark.parametrize("what", ["composition", "content"])
def test_what_is_one_piece_stays_on_one_side(trainer, what):
    """A data set in which some items come twice, the second time under a name and a composition that tell nothing.

    That one of two with the same content is left out is as good.
    """
    values = training.quick_config(trainer, epochs=1)
    name, kind, path = training.only_set(values)
    if not training_sets.LAYOUTS[kind].renders:
        pytest.skip(f"a data set of kind {kind} states no compositions")
    folder, twins = training.set_with_twins(kind, path)
    piece_of = training_sets.compositions(kind, folder)
    if what == "content":
        piece_of = {**dict(zip(twins, twins, strict=True)), **{twin: item for item, twin in twins.items()}}
    run = training.trained(trainer, training.with_sets(values, {name: folder}), "twins")[training.quick_name(trainer)]
    sides = {}
    for side, items in run.items.items():
        for item in items:
            sides.setdefault(piece_of.get(item, item), set()).add(side)
    apart = sorted(piece for piece, where in sides.items() if len(where) > 1)
    check(
        not apart, f"{len(apart)} pieces that are one by their {what} are on both sides of the split", pieces=apart[:5]
    )


@pytest.mark.requirement("TRN-ITEMS-FIXED")
def test_held_out_items_are_the_same_in_every_run(trainer):
    """Inputs and targets of two runs of one configuration, in two processes, bit by bit."""
    one, other = training.quick(trainer), training.again(trainer)
    for what, first, second in zip(("inputs", "targets"), one.held_out, other.held_out, strict=True):
        flat = [array.astype("f4").reshape(-1, array.shape[-1]) for array in (second, first)]
        check_same_bits(*flat, f"two runs of one configuration hold out other {what}")


@pytest.mark.requirement("TRN-SPLIT")
def test_what_is_left_as_held_out_are_the_items_of_validation(trainer):
    """What no label of theirs changes, and one of a training item does, is none of them."""
    first, validation, learnt = one_epoch(trainer), *(relabelled(trainer, side) for side in ("validation", "training"))
    if sides(first) != sides(learnt):
        raise Inconclusive("other labels of the training items gave another split")
    own, foreign = changed_sequences(first, validation), changed_sequences(first, learnt)
    check(own.any(), "the held-out items stay the same when all labels of the validation side change")
    check(not (foreign & ~own).any(), "held-out items change with the labels of the training side alone")


@pytest.mark.requirement("TRN-VALIDATION-BLIND")
def test_labels_that_are_held_out_change_no_weights(trainer):
    """One epoch, so that no choice of the best one is left to the validation loss."""
    first, other = one_epoch(trainer), relabelled(trainer, "validation")
    check(sides(first) == sides(other), "other labels of the validation items gave another split")
    check(other.digest == first.digest, "other labels of the validation items gave other weights")


@pytest.mark.requirement("TRN-VALIDATION-BLIND")
def test_labels_that_are_held_out_change_no_later_epoch(trainer):
    """The training losses of each epoch, where they are told of; the weights, where the same epoch is the best.

    One item has another label, which is not enough to make another epoch the best.
    """
    first, other = training.quick(trainer), relabelled(trainer, "validation", count=1, epochs=training.QUICK_EPOCHS)
    told = [[entry.get("loss") for entry in run.history] for run in (first, other)]
    for epoch, (expected, got) in enumerate(zip(*told, strict=False), 1):
        what = f"other labels of the validation items gave another training loss in epoch {epoch}"
        check(got == expected, what, expected=expected, got=got)
    if best_epoch(first) == best_epoch(other) and len(first.history) == len(other.history):
        what = f"other labels of the validation items gave other weights after {len(first.history)} epochs"
        check(other.digest == first.digest, what)
    elif None in (*told[0], *told[1]):
        raise Inconclusive("another epoch is the best, and the history has no training losses")


@pytest.mark.requirement("TRN-TRAINING-LABELS")
def test_labels_of_training_items_change_the_weights(trainer):
    """The same with the other side of the split."""
    check(
        relabelled(trainer, "training").digest != one_epoch(trainer).digest,
        "other labels of the training items gave the same weights",
    )


def one_epoch(trainer):
    return training.quick(trainer, "one epoch", epochs=1)


def relabelled(trainer, side, *, count=None, epochs=1):
    """A run on a copy of the data set in which all items of one side, or so many, have other labels."""
    first = one_epoch(trainer)
    items = first.items[side][:count]
    values = training.relabelled(training.quick_config(trainer, epochs=epochs), items)
    return training.trained(trainer, values, f"{len(items)} of {side} relabelled, {epochs} epochs")[first.name]


def sides(run):
    return {side: set(names) for side, names in run.items.items()}


def best_epoch(run):
    return run.validation_losses.index(min(run.validation_losses))


def changed_sequences(one, other):
    """Of which held-out sequences of a run another one has other inputs or targets `[N]`; of all if it has more."""
    pairs = list(zip(one.held_out, other.held_out, strict=True))
    if any(first.shape != second.shape for first, second in pairs):
        return np.ones(len(pairs[0][0]), bool)
    return np.any([(first != second).any(axis=(1, 2)) for first, second in pairs], axis=0)


@pytest.fixture
def damaged(trainer):
    """`damaged(fault)`: (config, the name at fault) for a damaged copy of the quick model's data set."""

    def make(fault):
        values = training.quick_config(trainer, epochs=1)
        name, kind, path = training.only_set(values)
        if fault == "missing-file" and not training_sets.LAYOUTS[kind].has_files:
            pytest.skip(f"the items of kind {kind} are no files")
        folder, culprit = training.damaged_set(fault, kind, path)
        return training.with_sets(values, {name: folder}), culprit

    return make


@pytest.mark.requirement("TRN-REFUSE-DATA")
@pytest.mark.parametrize("fault", training_sets.FOLDER_FAULTS)
def test_data_that_nothing_can_be_learnt_from_are_refused_by_name(trainer, damaged, fault, earlier):
    """The refusal names the folder, and an earlier result stays."""
    values, name = damaged(fault)
    refusal = check_refused(f"a data set with {fault} was trained on", trainer.train, values, earlier.folder)
    check(name in refusal.message, f"the refusal doesn't name the folder {name!r}", message=refusal.message)
    earlier.check_untouched()


@pytest.mark.requirement("TRN-ACCOUNTS-FOR-ITEMS")
@pytest.mark.parametrize("fault", training_sets.ITEM_FAULTS)
def test_an_item_that_cannot_be_used_is_accounted_for(trainer, damaged, fault, earlier):
    """Either all is refused and the item named, or it is among what was left out and on neither side."""
    values, name = damaged(fault)
    try:
        run = training.train(trainer, values, earlier.folder).popitem()[1]
    except Refused as refusal:
        check(name in refusal.message, f"the refusal doesn't name the item {name!r}", message=refusal.message)
        earlier.check_untouched()
        return
    used = [side for side, names in run.items.items() if name in names]
    check(not used, f"{name} has {fault} and was used for {', '.join(used)}")
    check(name in run.left_out, f"{name} has {fault} and is not among what was left out", left_out=run.left_out)
