"""The training config is read strictly: what it can't mean is refused at its JSON path."""

import pytest

from rtconform.reference_models.errors import ConfigError
from rtconform.reference_models.specs import load_specs
from rtconform.reference_models.training.config import default_config, plan


def refusal(config):
    """The message with which a config is refused."""
    with pytest.raises(ConfigError) as caught:
        plan(config)
    return str(caught.value)


def test_the_defaults_are_the_documented_ones():
    """Adam 1e-3, batches of 64, 50 epochs, a fifth held out, patience 10, min_delta 1e-3, and each model's loss."""
    made = plan({})
    assert [model.spec.name for model in made.models] == list(load_specs().models)
    for model in made.models:
        assert (model.optimizer, model.learning_rate, model.batch_size, model.epochs) == ("adam", 1e-3, 64, 50)
        assert model.sequence_length >= 16 and model.loss == model.spec.loss
    assert made.validation_fraction == 0.2
    assert (made.models[0].early_stopping.patience, made.models[0].early_stopping.min_delta) == (10, 1e-3)
    assert plan(default_config()) == made


def test_a_config_says_only_what_differs():
    """Values are merged key by key; models that are left out are not trained; a model's own value wins."""
    made = plan(
        {
            "training": {"batch_size": 8, "early_stopping": {"patience": 3}},
            "models": {"GroovePredictor": {"epochs": 2}},
            "datasets": {"grooves": {"path": "/data/groove"}},
            "seed": 9,
        }
    )
    (model,) = made.models
    assert (model.spec.name, model.epochs, model.batch_size, model.learning_rate) == ("GroovePredictor", 2, 8, 1e-3)
    assert (model.early_stopping.patience, model.early_stopping.min_delta, made.seed) == (3, 1e-3, 9)
    assert model.dataset == {**default_config()["datasets"]["grooves"], "path": "/data/groove"}


@pytest.mark.parametrize(
    ("config", "parts"),
    [
        ({"trainig": {}}, ["$.trainig", "unknown key", "'training'"]),
        ({"training": {"learning_rte": 1}}, ["$.training.learning_rte", "'learning_rate'"]),
        ({"training": {"early_stopping": {"Patience": 1}}}, ["$.training.early_stopping.Patience", "'patience'"]),
        ({"training": {"zzz": 1}}, ["$.training.zzz", "known are", "epochs"]),
        ({"models": {"EmotionRecogniser": {}}}, ["$.models.EmotionRecogniser", "'EmotionRecognizer'"]),
        ({"models": {}}, ["$.models", "at least one of EmotionRecognizer"]),
        ({"models": []}, ["$.models", "an object", "[]"]),
        ({"training": {"epochs": 0}}, ["$.training.epochs", "at least 1", "found 0"]),
        ({"training": {"epochs": 2.5}}, ["$.training.epochs", "whole number", "found 2.5"]),
        ({"training": {"epochs": True}}, ["$.training.epochs", "found True"]),
        ({"training": {"sequence_length": 8}}, ["$.training.sequence_length", "at least 16", "found 8"]),
        ({"training": {"learning_rate": -1}}, ["$.training.learning_rate", "above 0", "found -1"]),
        ({"training": {"learning_rate": float("nan")}}, ["$.training.learning_rate", "found nan"]),
        ({"training": {"learning_rate": "0.1"}}, ["$.training.learning_rate", "found '0.1'"]),
        ({"training": {"validation_fraction": 1}}, ["$.training.validation_fraction", "below 1"]),
        ({"training": {"optimizer": "sgd"}}, ["$.training.optimizer", "adam, adamw", "'sgd'"]),
        ({"training": {"clip_norm": 0}}, ["$.training.clip_norm", "above 0, or null for none", "found 0"]),
        ({"training": {"schedule": "cosine"}}, ["$.training.schedule", "an object", "'cosine'"]),
        ({"training": {"schedule": {"kind": "cos"}}}, ["$.training.schedule.kind", "did you mean 'cosine'?"]),
        ({"training": {"workers": -1}}, ["$.training.workers", "from 0 to 128"]),
        ({"training": {"workers": 500}}, ["$.training.workers", "from 0 to 128", "found 500"]),
        ({"training": {"threads": 1_000_000}}, ["$.training.threads", "from 1 to 1024", "found 1000000"]),
        ({"training": {"epochs": 2**64}}, ["$.training.epochs", "9223372036854775807"]),
        ({"training": {"precision": "bf32"}}, ["$.training.precision", "float32, bf16, fp16"]),
        ({"training": {"carry_state": "yes"}}, ["$.training.carry_state", "true or false"]),
        ({"resume": "yes"}, ["$.resume", "true or false"]),
        ({"evaluation": {"resamples": 10}}, ["$.evaluation.resamples", "at least 100"]),
        ({"training": {"optimizer": "Adam"}}, ["$.training.optimizer", "did you mean 'adam'?"]),
        ({"training": {"checkpointing": {"best": 1}}}, ["$.training.checkpointing.best", "true or false"]),
        ({"models": {"GroovePredictor": {"loss": "mae"}}}, ["$.models.GroovePredictor.loss", "mse, bce, kl_div"]),
        ({"models": {"GroovePredictor": {"loss": "bce"}}}, ["$.models.GroovePredictor.loss", "[-1, 1]"]),
        ({"models": {"MelodyTransformer": {"loss": "kl_div"}}}, ["$.models.MelodyTransformer.loss", "sigmoid"]),
        ({"models": {"GroovePredictor": {"input_size": 32}}}, ["$.models.GroovePredictor.input_size", "64", "32"]),
        ({"models": {"GroovePredictor": {"dataset": "groves"}}}, ["$.models.GroovePredictor.dataset", "'grooves'"]),
        ({"datasets": {"audio": "folder"}}, ["$.datasets.audio", "'folder'"]),
        ({"device": "gpu"}, ["$.device", "auto, cpu, cuda, mps"]),
        ({"seed": -1}, ["$.seed", "at least 0"]),
        ({"seed": 2**63}, ["$.seed", "from 0 to 9223372036854775807", "found 9223372036854775808"]),
        ({"datasets": {"mine": {"max_items": 2**70}}}, ["$", "at most 64 bits", "Integer"]),
        ({"datasets": {"\ud800": {}}}, ["$", "texts in Unicode", "surrogates"]),
        ([], ["$", "an object"]),
    ],
)
def test_faults_are_refused_where_they_are(config, parts):
    """The message has the JSON path, what was expected and found, and the nearest valid name."""
    message = refusal(config)
    assert message.startswith(parts[0] + ":") and all(part in message for part in parts), message
