"""Training runs, judged by the files that they leave."""

import hashlib

import pytest

from rtconform.harness import five_models
from rtconform.harness.judging import check, check_refused
from rtconform.harness.measure import training
from rtconform.harness.measure.training import QUICK, QUICK_EPOCHS
from rtconform.harness.rtneural_json.specs import check_spec

pytestmark = pytest.mark.shares("trainer")

RECURRENT = ("EmotionRecognizer", "MelodyTransformer")
LEAST_SKILL = 0.05
"""What beating the best constant means: this much of the way from it to a perfect prediction."""

KEPT_SKILL = 0.5
"""How much of the skill may survive shuffled labels: a model may still learn what all items have in common."""

LEAST_LOSS_OF_STATE = 0.05
"""How much worse, relative to its loss, a recurrent model must become when its state is cleared at each frame."""

all_models = pytest.mark.parametrize("name", list(five_models.specs()))
recurrent_models = pytest.mark.parametrize("name", RECURRENT)


@pytest.fixture
def runs(trainer, rtc_config):
    """`runs(name)` and `runs(name, shuffled=True)`: the trained model, from one run over all models of the profile."""
    models = training.names(rtc_config.profile)

    def trained(name, shuffled=False):
        if name not in models:
            pytest.skip(f"the {rtc_config.profile} profile trains {', '.join(models)}")
        values = training.config(models, **training.length(rtc_config.profile))
        if shuffled:
            return training.trained(trainer, training.shuffled(values, rtc_config.seed), "shuffled")[name]
        return training.trained(trainer, values, "default")[name]

    return trained


def digest(trained):
    """A hash of the exported weights."""
    check(trained.path.is_file(), "the run left no exported model", expected=str(trained.path))
    return hashlib.sha256(trained.path.read_bytes()).hexdigest()


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
        stateless_loss=trained.stateless_loss if name in RECURRENT else None,
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
    losses, stateless = trained.losses, trained.stateless_loss
    excess = (stateless - losses["least"]) / (losses["model"] - losses["least"])
    found = f"{name}: clearing the state changes the loss by a factor of {excess:.3f}"
    check(excess >= 1.0 + LEAST_LOSS_OF_STATE, found, losses=losses, stateless=stateless)


@pytest.mark.requirement("TRN-REPRODUCIBLE")
def test_same_seed_gives_the_same_weights(trainer):
    """Two runs with one seed, one with another."""
    first = digest(training.quick(trainer))
    values = training.config([QUICK], epochs=QUICK_EPOCHS)
    again = digest(training.trained(trainer, values, "seeded again")[QUICK])
    check(again == first, "the same configuration and seed gave other weights", expected=first, got=again)
    other = training.config([QUICK], other_seed=True, epochs=QUICK_EPOCHS)
    check(digest(training.trained(trainer, other, "other seed")[QUICK]) != first, "another seed gave the same weights")


@pytest.mark.requirement("TRN-READS-CONFIG")
@pytest.mark.parametrize("change", [{"learning_rate": 0.0003}, {"epochs": 1}], ids=["learning-rate", "epochs"])
def test_configuration_is_read(trainer, change):
    """Another learning rate, and fewer epochs."""
    first = training.quick(trainer)
    values = training.config([QUICK], **{"epochs": QUICK_EPOCHS, **change})
    changed = training.trained(trainer, values, f"changed {change}")[QUICK]
    check(digest(changed) != digest(first), "the change in the configuration changed nothing", change=change)


@pytest.mark.requirement("TRN-SPLIT")
@all_models
def test_training_and_validation_share_nothing(runs, name):
    """The names of the items on both sides."""
    items = runs(name).metrics.get("items", {})
    sides = {side: set(items.get(side, ())) for side in ("training", "validation")}
    check(all(sides.values()), f"{name}: a side of the split is empty or not stated", items=items)
    common = sorted(sides["training"] & sides["validation"])
    check(not common, f"{name}: {len(common)} items are on both sides of the split", items=common[:5])


@pytest.mark.requirement("TRN-REFUSE-CONFIG")
@pytest.mark.parametrize("fault", ["unknown-key", "impossible-value", "missing-path"])
def test_bad_configuration_is_refused_by_name(trainer, fault, tmp_path):
    """The refusal names the key or path, and an earlier result stays."""
    values = training.config([QUICK])
    name = {"unknown-key": "learning_rat", "impossible-value": "epochs", "missing-path": "no-such-folder"}[fault]
    if fault == "unknown-key":
        values["training"] = {"learning_rat": 0.001}
    elif fault == "impossible-value":
        values["training"] = {"epochs": -3}
    else:
        values["datasets"]["melodies"]["path"] = str(tmp_path / name)
    earlier = tmp_path / "out" / f"{QUICK.lower()}.json"
    earlier.parent.mkdir()
    earlier.write_text("{}")
    refusal = check_refused(f"a config with {fault} was accepted", trainer.train, values, earlier.parent)
    check(name in refusal.message, f"the refusal doesn't name {name!r}", message=refusal.message)
    check(earlier.read_text() == "{}", "the result of an earlier run has changed")
