"""The trainer learns, keeps its best weights, repeats itself bit for bit, and writes what it promises."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch.nn import functional

from rtconform.reference_models.errors import ConfigError, DataError
from rtconform.reference_models.models import build
from rtconform.reference_models.numpy_runtime import read_model
from rtconform.reference_models.training import checkpoint, run, trainer
from rtconform.reference_models.training.batches import Sequences
from rtconform.reference_models.training.config import plan
from rtconform.reference_models.training.loop import Training, evaluate
from rtconform.reference_models.training.losses import check_targets, constant_loss, loss_value
from rtconform.reference_models.training.trainer import reference_trainer, train

from .training_scene import CPU, SPECS, fake_data, groove, one_thread, sequences, silent

__all__ = ["fake_data", "one_thread"]


def loss_of(module, held_out, loss="mse"):
    """The loss of a module, each sequence from zero state."""
    return evaluate(module, loss, held_out, CPU, carry_state=False)


@pytest.mark.parametrize("name", SPECS)
def test_every_model_learns_and_writes_its_files(fake_data, name, tmp_path):
    """The validation loss is that of the exported file over the stored held-out arrays, and below the best constant."""
    config = {"models": {name: {}}, "training": {"epochs": 12, "batch_size": 8}, "evaluation": {"enabled": False}}
    metrics = train(config, tmp_path, silent)
    found, spec = metrics["models"][name], SPECS[name]
    assert found["validation_loss"] < 0.9 * found["constant_loss"]
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    stem = name.lower()
    held_out = load_file(tmp_path / f"{stem}.validation.safetensors")
    model = read_model((tmp_path / f"{stem}.json").read_bytes(), np.float64)
    outputs = np.stack([(model.reset(), model.process(sequence))[1] for sequence in held_out["inputs"]])
    targets = torch.from_numpy(held_out["targets"]).double()
    assert float(loss_value(spec.loss, torch.from_numpy(outputs), targets)) == pytest.approx(
        found["validation_loss"], rel=1e-4
    )
    weights = (tmp_path / f"{stem}.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == found["weights_sha256"]
    assert sum(array.size for array in load_file(tmp_path / f"{stem}.safetensors").values()) == spec.parameters_torch
    assert found["items"]["validation"] == [f"{name}-{1000 + i}" for i in range(16)]
    assert not set(found["items"]["training"]) & set(found["items"]["validation"])


def test_best_epoch_is_the_one_that_is_kept(fake_data, tmp_path):
    """History, best epoch and validation loss belong together; the kept weights give that loss again."""
    found = train(groove(epochs=6), tmp_path, silent)["models"]["GroovePredictor"]
    losses = [epoch["validation_loss"] for epoch in found["history"]]
    assert found["epochs"] == len(losses) == 6
    assert found["validation_loss"] == min(losses) == losses[found["best_epoch"] - 1]


def test_weights_of_the_best_epoch_are_restored():
    """After training on data that leads astray, the module holds the first epoch's weights, not the last one's."""
    module = build("GroovePredictor")
    right = sequences("GroovePredictor", 16)
    wrong = Sequences(right.inputs, -right.targets, right.item_of)
    (model_plan,) = plan(groove(epochs=6, early_stopping={"patience": 3, "min_delta": 0})).models
    training = Training(module, model_plan, wrong, right, seed=1, device=CPU)
    kept = []

    def keep(training):
        if training.is_best:
            kept.append({key: value.clone() for key, value in module.state_dict().items()})

    training.run(keep)
    losses = [epoch.validation_loss for epoch in training.history]
    assert losses[-1] > losses[0] == min(losses) and len(losses) == 4
    assert loss_of(module, right) == pytest.approx(losses[0], rel=1e-6)
    assert all(torch.equal(value, kept[-1][key]) for key, value in module.state_dict().items())
    assert not module.training


def test_patience_counts_improvements_larger_than_min_delta(fake_data, tmp_path):
    """If no improvement is large enough, training ends after 1 + patience epochs; switched off, it runs to the end."""
    stopping = {"patience": 2, "min_delta": 0.99}
    stopped = train(groove(epochs=9, early_stopping=stopping), tmp_path, silent)
    assert stopped["models"]["GroovePredictor"]["epochs"] == 3
    whole = train(groove(epochs=9, early_stopping={**stopping, "enabled": False}), tmp_path, silent)
    assert whole["models"]["GroovePredictor"]["epochs"] == 9


def test_shuffled_labels_teach_nothing(fake_data, tmp_path):
    """With targets that belong to other inputs, the same run doesn't beat the best constant by much."""
    fake_data["shuffled"] = True
    found = train(groove(epochs=12), tmp_path, silent)["models"]["GroovePredictor"]
    assert found["validation_loss"] > 0.95 * found["constant_loss"]


@pytest.mark.parametrize("name", ["EmotionRecognizer", "MelodyTransformer"])
def test_recurrent_weights_learn(fake_data, name, tmp_path):
    """Training moves W_hh, and clearing the state at each frame makes the trained model worse."""

    def weights(epochs):
        config = {"models": {name: {}}, "training": {"epochs": epochs, "batch_size": 8, "learning_rate": 1e-3}}
        train(config, tmp_path, silent)
        return load_file(tmp_path / f"{name.lower()}.safetensors")

    early, late = weights(1), weights(8)
    (recurrent,) = [key for key in late if "weight_hh" in key]
    assert not np.array_equal(early[recurrent], late[recurrent])
    module = build(name).eval()
    module.load_state_dict({key: torch.from_numpy(value) for key, value in late.items()})
    held_out = sequences(name, 16, first=1000)
    with torch.no_grad():
        frames = [module(held_out.inputs[:, t : t + 1])[0] for t in range(16)]
    cleared = float(loss_value(SPECS[name].loss, torch.cat(frames, dim=1), held_out.targets))
    assert cleared > 1.05 * loss_of(module, held_out, SPECS[name].loss)


def test_one_seed_gives_one_result(fake_data, tmp_path):
    """The same config gives the same bytes, alone or beside other models; another seed or rate gives others."""

    def weights(folder, **config):
        metrics = train({**groove(), **config}, tmp_path / folder, silent)
        return metrics["models"]["GroovePredictor"]["weights_sha256"]

    torch.manual_seed(1)
    first = weights("a")
    torch.manual_seed(2)
    assert weights("b") == first
    assert weights("c", models={"GroovePredictor": {}, "DynamicsEngine": {}, "HarmonyPredictor": {}}) == first
    assert weights("d", seed=1) != first
    assert weights("e", models={"GroovePredictor": {"learning_rate": 2e-3}}) != first
    assert (tmp_path / "a" / "groovepredictor.json").read_bytes() == (
        tmp_path / "b" / "groovepredictor.json"
    ).read_bytes()


def test_the_callers_torch_is_left_alone(fake_data, tmp_path):
    """Random state, thread count and the deterministic switch are as they were."""
    torch.manual_seed(4)
    before = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    train(groove(epochs=1, threads=1 + before[1]), tmp_path, silent)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[1:]


def test_progress_is_reported(fake_data, tmp_path, capfd):
    """A callback sees every epoch of every model; without one, stderr gets at most a line per interval and model."""
    seen = []
    train({**groove(), "models": {"GroovePredictor": {}, "DynamicsEngine": {}}}, tmp_path, seen.append)
    assert capfd.readouterr().err == ""
    for name in ("GroovePredictor", "DynamicsEngine"):
        assert [state["epoch"] for state in seen if state["model"] == name] == [1, 2, 3, 4]
    assert {"model", "epoch", "loss", "validation_loss", "learning_rate"} == set(seen[0])
    reference_trainer().train(groove(logging={"seconds": 3600}), tmp_path)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("GroovePredictor: epoch 1, loss ")


def test_a_failing_callback_ends_the_training(fake_data, tmp_path):
    """What the callback raises comes out of train(), and the model beside it stops at its next epoch."""
    seen = []

    def fail(state):
        seen.append(state["epoch"])
        if state["model"] == "GroovePredictor":
            raise KeyboardInterrupt

    models = {"GroovePredictor": {"epochs": 1}, "DynamicsEngine": {"epochs": 500}}
    with pytest.raises(KeyboardInterrupt):
        train({"models": models, "training": {"early_stopping": {"enabled": False}}}, tmp_path, fail)
    assert len(seen) < 500


def test_seed_decides_the_initial_weights(fake_data, tmp_path):
    """After one step on one batch, two seeds differ by more than the order of a sum could explain."""

    def weights(seed):
        train({**groove(epochs=1, batch_size=64), "seed": seed}, tmp_path, silent)
        return load_file(tmp_path / "groovepredictor.safetensors")["0.weight"]

    assert np.abs(weights(0) - weights(1)).max() > 0.05


def test_export_and_checkpoints_can_be_switched_off(fake_data, tmp_path, monkeypatch):
    """Without export no JSON is written; without checkpoints the weights are written once, at the end."""
    written = []
    write = run.write_atomic
    for module in (run, trainer, checkpoint):
        monkeypatch.setattr(module, "write_atomic", lambda path, data: (written.append(path.name), write(path, data)))
    quiet = {**groove(checkpointing={"best": False, "latest": False}), "export": {"enabled": False}}
    train(quiet, tmp_path, silent)
    assert written == [
        *("groovepredictor.safetensors", "groovepredictor.validation.safetensors"),
        *("history.csv", "history.svg", "metrics.json"),
    ]
    written.clear()
    train(groove(), tmp_path, silent)
    assert written.count("groovepredictor.safetensors") > 1 and written.count("groovepredictor.checkpoint.pt") == 4
    assert {"groovepredictor.json", "groovepredictor.card.md"} <= set(written)


def test_bad_configs_write_nothing(tmp_path):
    """A data set that isn't there, or a device that isn't, is a ConfigError at its path before any file is written."""
    out = tmp_path / "out"
    config = {**groove(), "datasets": {"grooves": {"path": str(tmp_path / "absent")}}}
    with pytest.raises(ConfigError, match=r"^\$\.datasets\.grooves: .*absent"):
        train(config, out)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match=r"^\$\.device: expected one of auto, cpu"):
            train({**groove(), "device": "cuda"}, out)
    assert not out.exists()


def test_a_recording_on_both_sides_is_refused(fake_data, tmp_path):
    """If the split leaks, there is no training."""
    fake_data["leak"] = True
    with pytest.raises(DataError, match="both sides"):
        train(groove(), tmp_path)


def test_divergence_is_said(fake_data, tmp_path, monkeypatch):
    """A learning rate that blows the weights up is named, with what to do."""

    def wild(config):
        made = plan(config)
        return replace(made, models=tuple(replace(model, learning_rate=1e37) for model in made.models))

    monkeypatch.setattr(trainer.settings, "plan", wild)
    with pytest.raises(ConfigError, match=r"^\$\.models\.DynamicsEngine\.learning_rate: .*1e\+37 .*lower it"):
        train({"models": {"DynamicsEngine": {}}, "training": {"epochs": 4}}, tmp_path, silent)


def test_inputs_that_are_not_finite_are_refused(fake_data, tmp_path):
    """No NaN reaches a model."""
    fake_data["broken"] = True
    with pytest.raises(DataError, match=r"^\$\.datasets\.grooves: expected finite inputs"):
        train(groove(), tmp_path)


def test_kl_div_takes_logarithms_of_probabilities():
    """The loss is KL(target || output) per frame: 0 for equal distributions, never negative, finite at zeros."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.rand(3, 5, 7, generator=generator).softmax(-1)
    outputs = torch.rand(3, 5, 7, generator=generator).softmax(-1)
    assert float(loss_value("kl_div", targets, targets)) == pytest.approx(0, abs=1e-6)
    expected = (targets * (targets / outputs).log()).sum(-1).mean()
    assert float(expected) > 0
    assert float(loss_value("kl_div", outputs, targets)) == pytest.approx(float(expected), rel=1e-5)
    one_hot = functional.one_hot(torch.tensor([[0, 1]]), 2).float()
    assert np.isfinite(float(loss_value("kl_div", one_hot.flip(-1), one_hot)))


@pytest.mark.parametrize("name", ["mse", "bce", "kl_div"])
def test_no_constant_beats_the_best_constant(name):
    """The mean scores less than the mean of other data, and less than small changes of itself."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.rand(4, 6, 5, generator=generator).double()
    targets = targets / targets.sum(-1, keepdim=True)
    best = constant_loss(name, targets)
    for _ in range(20):
        other = (targets.mean((0, 1)) + 0.02 * torch.rand(5, generator=generator)).clamp(0.01, 0.99)
        other = other / other.sum() if name == "kl_div" else other
        assert float(loss_value(name, other.expand_as(targets).contiguous(), targets)) > best


def test_targets_out_of_reach_are_refused():
    """Targets beyond the output range, and distributions that don't sum to one, are data errors."""
    spec = SPECS["HarmonyPredictor"]
    good = torch.full((1, 2, 64), 1 / 64)
    check_targets("kl_div", spec, good)
    with pytest.raises(DataError, match="sum to 1"):
        check_targets("kl_div", spec, good / 2)
    with pytest.raises(DataError, match="from 0 to 1"):
        check_targets("mse", spec, good - 1)
