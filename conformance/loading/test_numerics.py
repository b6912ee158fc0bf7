"""The numbers that a loader gives, against the float64 oracle and against goldens."""

import dataclasses

import numpy as np
import pytest

from rtconform.harness import expected, golden, signals
from rtconform.harness.judging import check, check_outputs

FRAMES = 64


def run_once(loader, path, frames):
    """The outputs of a fresh model over frames `[T, in]`."""
    with loader.open() as session, session.load(path) as model:
        return model.process(frames, block=FRAMES)


@pytest.mark.requirement("NUM-ORACLE")
@pytest.mark.models("stored")
def test_outputs_equal_the_oracle(loader, model_case, rtc_config, measure):
    """Noise, state carried, every output of every frame."""
    frames = signals.noise(FRAMES, model_case.model.input_size, seed=rtc_config.seed)
    budget = expected.budget_of(model_case, frames, loader.declaration.numeric_class, rtc_config.seed)
    outputs = run_once(loader, model_case.path, frames)
    judgement = budget.judge(outputs)
    measure(
        "error",
        model=model_case.name,
        frames=len(frames),
        largest_error=float(np.max(np.abs(outputs - budget.reference), initial=0.0)),
        error_in_budgets=judgement.error_in_budgets,
    )
    check_outputs(judgement, "differs from the float64 oracle", model=str(model_case.path))


@pytest.mark.requirement("NUM-GOLDEN")
@pytest.mark.models("stored")
def test_outputs_equal_the_golden(loader, model_case, rtc_config):
    """What PyTorch gave in float64 for this file, which must also still be the file that it was given."""
    stored = golden.find(model_case.path)
    if stored is None:
        pytest.skip("no golden is stored for this file; `rtconform golden add` makes one")
    budget = expected.budget_of(model_case, stored.inputs, loader.declaration.numeric_class, rtc_config.seed)
    outputs = run_once(loader, model_case.path, stored.inputs)
    cause = golden.changed(stored, model_case.path)
    check_outputs(
        dataclasses.replace(budget, reference=stored.outputs).judge(outputs),
        "differs from the golden that PyTorch gave in float64",
        model=str(model_case.path),
        **({"cause": cause} if cause else {}),
    )
    check(not cause, cause, model=str(model_case.path))


@pytest.mark.requirement("NUM-RECORDING")
@pytest.mark.models("five")
@pytest.mark.shares("model_case")
def test_real_recordings_stay_within_the_budget(loader, model_case, rtc_config, measure):
    """The features of real recordings, each model fed with what the oracle says that it gets in the data flow."""
    if not expected.is_one_of_five(model_case):
        pytest.skip("only the five models have a data flow")
    frames = expected.flow_inputs(model_case)
    budget = expected.budget_of(model_case, frames, loader.declaration.numeric_class, rtc_config.seed)
    outputs = run_once(loader, model_case.path, frames)
    judgement = budget.judge(outputs)
    measure(
        "error",
        model=f"{model_case.name} (recording)",
        frames=len(frames),
        largest_error=float(np.max(np.abs(outputs - budget.reference), initial=0.0)),
        error_in_budgets=judgement.error_in_budgets,
    )
    check_outputs(judgement, "differs from the float64 oracle over real recordings", model=str(model_case.path))


@pytest.mark.requirement("NUM-ACTIVATION-RANGE")
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "elu", "softmax"])
def test_activations_hold_over_their_range(loader, activation, tmp_path, rtc_config):
    """A grid over [-12, 12] through an activation layer alone."""
    frames = signals.grid(-12.0, 12.0, frames=1501, channels=3)
    case = expected.activation_case(activation, channels=3, folder=tmp_path)
    budget = expected.budget_of(case, frames, loader.declaration.numeric_class, rtc_config.seed)
    check_outputs(budget.judge(run_once(loader, case.path, frames)), f"{activation} differs from the float64 oracle")


@pytest.mark.requirement("NUM-SOFTMAX-LARGE")
def test_softmax_of_large_logits_is_finite(loader, tmp_path, rtc_config):
    """Logits of ±100, one of them the largest by far."""
    frames = signals.noise(FRAMES, 5, seed=rtc_config.seed, amplitude=100.0)
    case = expected.activation_case("softmax", channels=5, folder=tmp_path)
    outputs = run_once(loader, case.path, frames)
    bad = int(np.count_nonzero(~np.isfinite(outputs)))
    check(bad == 0, f"{bad} of {outputs.size} probabilities are not finite", logits="±100")
    budget = expected.budget_of(case, frames, loader.declaration.numeric_class, rtc_config.seed)
    check_outputs(budget.judge(outputs), "softmax of large logits differs from the float64 oracle")
