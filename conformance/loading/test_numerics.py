"""The numbers that a loader gives, against the float64 oracle and against goldens."""

import dataclasses

import numpy as np
import pytest

from rtconform.harness import expected, golden, signals
from rtconform.harness.judging import Inconclusive, check, check_outputs
from rtconform.harness.rtneural_json import evaluate, first_passing_class, numeric_class

FRAMES = 64
NIGHTLY_FRAMES = 4096
SMOKE_FRAMES = 200


def run_once(loader, case, frames):
    """The outputs `[T, out]` of a fresh model over frames `[T, in]`."""
    __tracebackhide__ = True
    with loader.open() as session, session.load(case.path) as model:
        expected_size, got = case.model.output_size, model.output_size
        check(got == expected_size, "the output size is not the file's", expected=expected_size, got=got)
        return model.process(frames, block=FRAMES)


@pytest.fixture
def judge(loader, rtc_config, measure):
    """`judge(case, frames, what)`: raises at the first output that differs; with a label it records the error."""

    def run(case, frames, what, label=""):
        __tracebackhide__ = True
        budget = expected.budget_of(case, frames, loader.declaration.numeric_class, rtc_config.seed)
        outputs = run_once(loader, case, frames)
        judgement = budget.judge(outputs)
        evidence = {"model": str(case.path)}
        if label:
            error = float(np.max(np.abs(outputs - budget.reference), initial=0.0))
            in_budgets = judgement.error_in_budgets
            measure("error", model=label, frames=len(frames), largest_error=error, error_in_budgets=in_budgets)
        if not judgement.ok and len(frames) <= FRAMES:  # over recordings, a budget per class takes too long
            passing = first_passing_class(case.model, frames, outputs, rtc_config.seed)
            evidence["would_pass_as"] = passing or "no numeric class"
        check_outputs(judgement, what, **evidence)
        if budget.chaotic:
            raise Inconclusive("Rounding alone decides the outputs, by the measure of the class: they can't be judged")

    return run


@pytest.mark.requirement("NUM-ORACLE")
@pytest.mark.models("stored")
def test_outputs_equal_the_oracle(judge, model_case, rtc_config):
    """Noise, state carried, every output of every frame."""
    count = NIGHTLY_FRAMES if rtc_config.profile == "nightly" else FRAMES
    frames = signals.noise(count, model_case.model.input_size, seed=rtc_config.seed)
    judge(model_case, frames, "differs from the float64 oracle", label=model_case.name)


@pytest.mark.requirement("NUM-SIGNALS")
@pytest.mark.models("small")
def test_other_signals_equal_the_oracle(judge, model_case, rtc_config):
    """One after the other, without a reset."""
    size, seed = model_case.model.input_size, rtc_config.seed
    parts = (
        signals.impulses(size + 31, size, spacing=1),
        signals.burst_then_silence(400, size, burst=40, seed=seed),
        signals.ramp(96, size, low=-3.0, high=3.0),
        signals.alternating(96, size, seed=seed),
    )
    judge(model_case, np.concatenate(parts), "differs from the float64 oracle over impulses, silence, ramps and levels")


@pytest.mark.requirement("NUM-GOLDEN")
@pytest.mark.models("stored")
def test_outputs_equal_the_golden(loader, model_case, rtc_config):
    """What PyTorch gave in float64 for this file, which must also still be the file that it was given."""
    stored = golden.find(model_case.path)
    if stored is None:
        pytest.skip("no golden is stored for this file; `rtconform golden add` makes one")
    budget = expected.budget_of(model_case, stored.inputs, loader.declaration.numeric_class, rtc_config.seed)
    reference = stored.outputs
    if numeric_class(loader.declaration.numeric_class).weights != "none":
        # What rounding the weights changes, which PyTorch didn't do, is the oracle's to say.
        reference = reference + budget.reference - evaluate(model_case.model, stored.inputs)
    outputs = run_once(loader, model_case, stored.inputs)
    cause = golden.changed(stored, model_case.path)
    check_outputs(
        dataclasses.replace(budget, reference=reference).judge(outputs),
        "differs from the golden that PyTorch gave in float64",
        model=str(model_case.path),
        **({"cause": cause} if cause else {}),
    )
    check(not cause, cause, model=str(model_case.path))


@pytest.mark.requirement("NUM-RECORDING")
@pytest.mark.models("five")
@pytest.mark.shares("model_case")
def test_real_recordings_stay_within_the_budget(judge, loader, model_case, rtc_config):
    """The features of real recordings, each model fed with what the oracle says that it gets in the data flow."""
    if not expected.is_one_of_five(model_case):
        pytest.skip("only the five models have a data flow")
    frames = expected.flow_inputs(model_case)
    frames = frames[:SMOKE_FRAMES] if rtc_config.profile == "smoke" else frames
    what = "differs from the float64 oracle over real recordings"
    judge(model_case, frames, what, label=f"{model_case.name} (recording)")


@pytest.mark.requirement("NUM-ACTIVATION-RANGE")
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "elu", "softmax"])
def test_activations_hold_over_their_range(judge, loader, activation, tmp_path):
    """A grid over [-12, 12] through an activation layer alone."""
    frames = signals.grid(-12.0, 12.0, frames=1501, channels=3)
    case = expected.activation_case(activation, channels=3, folder=tmp_path)
    judge(case, frames, f"{activation} differs from the float64 oracle")


@pytest.mark.requirement("NUM-SOFTMAX-LARGE")
def test_softmax_of_large_logits_is_finite(judge, loader, tmp_path, rtc_config):
    """Logits of ±100, one of them the largest by far."""
    frames = signals.noise(FRAMES, 5, seed=rtc_config.seed, amplitude=100.0)
    case = expected.activation_case("softmax", channels=5, folder=tmp_path)
    outputs = run_once(loader, case, frames)
    bad = int(np.count_nonzero(~np.isfinite(outputs)))
    check(bad == 0, f"{bad} of {outputs.size} probabilities are not finite", logits="±100")
    judge(case, frames, "softmax of large logits differs from the float64 oracle")
