"""What a training has learnt, by the oracle on the items that it held out."""

import numpy as np
import pytest

from rtconform.harness import five_models
from rtconform.harness.judging import Inconclusive, check
from rtconform.harness.measure import training
from rtconform.harness.measure.losses import same_loss
from rtconform.harness.rtneural_json.specs import check_spec

pytestmark = pytest.mark.shares("trainer")

LEAST_SKILL = 0.05
"""What beating the best constant means: this much of the way from it to a perfect prediction."""

KEPT_SKILL = 0.5
"""How much of the skill may survive shuffled labels: a model may still learn what all items have in common."""

LEAST_LOSS_OF_STATE = 0.05
"""How much worse, relative to its loss, a recurrent model must become when its state is cleared at each frame."""

LEAST_CHANGE = 1e-3
"""By which part of their rms outputs must change when the recurrent weights, which are many, are all zero.

The loss says less: the cells keep their memory, and with little to learn from they may do as well alone.
"""

all_models = pytest.mark.parametrize("name", list(five_models.specs()))
recurrent_models = pytest.mark.parametrize("name", [*filter(training.is_recurrent, five_models.specs())])


def check_zeroed(trainer, trained):
    change = trained.change_without_recurrence
    what = f"{trained.name}: recurrent weights of zero change its outputs by {change:.2g} of their rms"
    check(change >= LEAST_CHANGE, what, expected=LEAST_CHANGE)


def check_trained(trainer, trained):
    losses = trained.validation_losses
    if min(losses) == losses[0]:
        raise Inconclusive("the first epoch is the best")
    first = training.first_epoch(trainer, trained.name)
    pairs = zip(first.recurrent_weights, trained.recurrent_weights, strict=True)
    same = all(np.array_equal(one, other) for one, other in pairs)
    check(not same, f"{trained.name}: the recurrent weights are those of the first epoch, to the last bit")


@pytest.mark.requirement("TRN-PARAMETERS")
@all_models
def test_layers_and_parameters_are_those_of_the_specification(runs, name):
    """Layer types, sizes and activations, and the number of parameters."""
    model = runs(name).model
    faults = [str(fault) for fault in check_spec(model, name)]
    check(not faults, f"{name} is not what its specification says", faults=faults)
    expected = five_models.specs()[name]["parameters_rtneural"]
    check(model.parameters == expected, "another number of parameters", expected=expected, got=model.parameters)


@pytest.mark.requirement("TRN-BEATS-CONSTANT")
@all_models
def test_model_beats_the_best_constant(runs, name, measure):
    """Held-out items, the oracle on the exported file, against the best constant for just these items."""
    trained, shuffled = runs(name), runs(name, shuffled=True)
    measure(
        "training",
        model=name,
        loss_name=five_models.specs()[name]["loss"],
        validation_loss=trained.losses["model"],
        constant_loss=trained.losses["constant"],
        shuffled_validation_loss=shuffled.losses["model"],
        shuffled_constant_loss=shuffled.losses["constant"],
        stateless_loss=trained.stateless_loss if training.is_recurrent(name) else None,
    )
    found = f"{name} has a skill of {trained.skill:.3f} over the best constant, expected at least {LEAST_SKILL}"
    check(trained.skill >= LEAST_SKILL, found, losses=trained.losses)


@pytest.mark.requirement("TRN-NEEDS-LABELS")
@all_models
def test_shuffled_labels_take_the_skill_away(runs, name):
    """The same run on copies of the data sets whose labels were dealt out again."""
    trained, shuffled = runs(name), runs(name, shuffled=True)
    found = (
        f"{name} keeps a skill of {shuffled.skill:.3f} with shuffled labels, of {trained.skill:.3f} with the right ones"
    )
    check(shuffled.skill <= KEPT_SKILL * max(trained.skill, LEAST_SKILL), found, losses=shuffled.losses)


@pytest.mark.requirement("TRN-USES-STATE")
@recurrent_models
def test_clearing_the_state_makes_it_worse(runs, name):
    """Held-out items with the state carried, and cleared at each frame."""
    trained = runs(name)
    excess = trained.excess(trained.stateless_loss)
    found = f"{name}: clearing the state changes the loss by a factor of {excess:.3f}"
    check(excess >= 1.0 + LEAST_LOSS_OF_STATE, found, losses=trained.losses, stateless=trained.stateless_loss)


@pytest.mark.requirement("TRN-USES-RECURRENT-WEIGHTS")
@pytest.mark.parametrize("check_recurrence", [check_zeroed, check_trained], ids=["zeroed", "trained"])
@recurrent_models
def test_recurrent_weights_are_trained_and_used(trainer, runs, name, check_recurrence):
    """Set to zero they leave other outputs, and after one epoch they are not yet what they are in the end."""
    check_recurrence(trainer, runs(name))


@pytest.mark.requirement("TRN-REPORTS-LOSS")
@all_models
def test_the_reported_loss_is_that_of_the_exported_model(runs, name):
    """The metrics' word against the oracle's on the held-out items that the run left."""
    trained = runs(name)
    reported, measured = trained.reported_loss, trained.losses["model"]
    what = f"{name} reports another validation loss than its exported model has on the items that it held out"
    check(same_loss(reported, measured), what, reported=reported, measured=measured)
