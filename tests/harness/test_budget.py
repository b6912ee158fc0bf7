"""The error budget: it accuses no correct float32 implementation, and rejects what is wrong by little."""

import dataclasses

import numpy as np
import pytest

from rtconform.harness import signals
from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import (
    Model,
    budget,
    evaluate,
    first_passing_class,
    grammar as g,
    numeric_class,
    numeric_classes,
    read,
)

from .budget_statistics import WRONG_WEIGHTS, changed, draws, pade_tanh, to_half
from .models import FAMILIES
from .plain_float32 import ORDERS, Plain

PER_FAMILY = 12
LSTM = FIXTURES / "models" / "small" / "lstm-dense.json"


@pytest.fixture(scope="module")
def drawn():
    """Random models of every family with frames and budget."""
    return {family: list(draws(family, PER_FAMILY, seed=1)) for family in FAMILIES}


@pytest.fixture
def lstm():
    """A small model, frames for it, and their budget."""
    model = read(LSTM)
    frames = signals.noise(64, 3, seed=4)
    return model, frames, budget(model, frames)


@pytest.mark.parametrize("family", FAMILIES)
def test_correct_float32_is_never_accused(drawn, family):
    """Whatever the order of its sums, and with room to spare: at most half of the budget is used."""
    for model, frames, allowed in drawn[family]:
        for order in ORDERS:
            judgement = allowed.judge(Plain(model, order).process(frames))
            assert judgement.ok, judgement
            assert judgement.error_in_budgets < 0.6


def test_the_budget_is_tight(drawn):
    """The 99th percentile of error/budget of a correct implementation lies between 0.1 and 1."""
    used = [
        allowed.judge(Plain(model).process(frames)).error_in_budgets
        for family in FAMILIES
        for model, frames, allowed in drawn[family]
    ]
    assert 0.1 < np.percentile(used, 99) < 1
    assert np.median(used) > 0.1


@pytest.mark.parametrize("wrong", ["binary16 weights", "10-bit mantissas", "5-digit weights"])
def test_rounded_weights_are_always_rejected(drawn, wrong):
    """In models of every family, computed otherwise correctly."""
    for family in FAMILIES:
        for model, frames, allowed in drawn[family]:
            rounded = changed(model, WRONG_WEIGHTS[wrong])
            assert not allowed.judge(Plain(rounded).process(frames)).ok


def test_six_digits_are_nearly_always_rejected_and_seven_hardly_ever(drawn):
    """Where outputs can no longer tell: exactness of files is a requirement of its own."""
    verdicts = {"6-digit weights": [], "7-digit weights": []}
    for family in FAMILIES:
        for model, frames, allowed in drawn[family]:
            for name, results in verdicts.items():
                results.append(allowed.judge(Plain(changed(model, WRONG_WEIGHTS[name])).process(frames)).ok)
    assert np.mean(verdicts["6-digit weights"]) < 0.25
    assert np.mean(verdicts["7-digit weights"]) > 0.75


def test_a_rough_tanh_is_rejected_and_a_good_one_is_not():
    """Over a grid of tanh's range: the Padé approximant of many plugins, and NumPy's float32 tanh."""
    model = Model(3, (g.Activation("tanh", 3),))
    frames = signals.grid(-12.0, 12.0, frames=501, channels=3)
    allowed = budget(model, frames)
    assert allowed.judge(Plain(model).process(frames)).ok
    assert not allowed.judge(Plain(model, tanh=pade_tanh).process(frames)).ok


def test_one_wrong_output_at_one_frame_is_found(lstm):
    """The judgement names the frame, the output, and what stands around it."""
    model, frames, allowed = lstm
    outputs = evaluate(model, frames).astype(np.float32)
    outputs[40, 1] *= np.float32(1.0001)
    judgement = allowed.judge(outputs)
    assert not judgement.ok
    assert (judgement.first_bad_frame, judgement.first_bad_output) == (40, 1)
    assert judgement.got == pytest.approx(judgement.expected * 1.0001, rel=1e-6)
    assert 1e-4 / 2**-23 * 0.9 < judgement.error_ulp < 2e-4 / 2**-23 * 1.1
    assert {(v.frame, v.output) for v in judgement.neighbours} == {(40, 0), (39, 1), (41, 1)}


def test_first_bad_is_first_in_time(lstm):
    """A fault that grows is reported where it begins, not where it is largest."""
    model, frames, allowed = lstm
    outputs = evaluate(model, frames).astype(np.float32)
    outputs[20:] += np.float32(1e-3)
    outputs[50] += np.float32(1)
    judgement = allowed.judge(outputs)
    assert judgement.first_bad_frame == 20


def test_a_small_error_everywhere_is_found_by_its_rms(lstm):
    """Errors that the elementwise bound allows one by one are too many together."""
    allowed = lstm[2]
    outputs = allowed.reference + 0.8 * allowed.bound
    judgement = allowed.judge(outputs)
    assert not judgement.ok
    assert judgement.error_in_budgets > 1
    assert judgement.first_bad_frame is not None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_fail(lstm, value):
    """One of them, anywhere, is a failure at its place."""
    model, frames, allowed = lstm
    outputs = evaluate(model, frames)
    outputs[12, 0] = value
    judgement = allowed.judge(outputs)
    assert not judgement.ok
    assert (judgement.first_bad_frame, judgement.first_bad_output) == (12, 0)
    assert judgement.error_in_budgets == np.inf


def test_outputs_of_another_shape_are_refused(lstm):
    """A missing frame is an error of the caller's, with both shapes."""
    with pytest.raises(ValueError, match=r"\[64, 2\].*\[63, 2\]"):
        lstm[2].judge(lstm[2].reference[:-1])


def test_the_same_seed_gives_the_same_budget(lstm):
    """Bit for bit; another seed moves it no further than 16 runs can tell."""
    model, frames, allowed = lstm
    assert np.array_equal(budget(model, frames).bound, allowed.bound)
    other = budget(model, frames, seed=1).bound
    assert not np.array_equal(other, allowed.bound)
    assert np.median(other / allowed.bound) == pytest.approx(1, abs=0.4)


def test_an_exact_model_has_room_for_its_rounding_only():
    """A relu passes its inputs on: nothing but the last bits may differ."""
    model = Model(2, (g.Activation("relu", 2),))
    frames = signals.noise(8, 2, seed=1)
    allowed = budget(model, frames)
    assert allowed.judge(np.maximum(frames, 0)).ok
    assert not allowed.judge(np.maximum(frames, 0) * np.float32(1 + 2e-6)).ok


@pytest.mark.parametrize("bent", [g.Activation("relu", 200), g.Prelu(np.full(200, 0.01, np.float32), 200)])
def test_a_corner_that_is_near_counts(bent):
    """Inputs a few spreads on the flat side of it: who is off by a few more is on the other side, and is correct."""
    random = np.random.default_rng(3)
    dense = g.Dense(random.uniform(-1, 1, (50, 200)).astype(np.float32), np.zeros(200, np.float32))
    frames = signals.noise(1, 50, seed=1)
    sums = budget(Model(50, (dense,)), frames)
    bias = (-sums.reference[0] - 4.0 * sums.spread[0]).astype(np.float32)
    below = dataclasses.replace(dense, bias=bias)  # every sum is now 4 spreads below zero, or less
    spread = budget(Model(50, (below,)), frames).spread
    room = budget(Model(50, (below, bent)), frames).bound / spread
    assert np.percentile(room, 5) > 1 and 2 < np.median(room) < 10


def test_errors_may_add_up_where_a_signal_stands_still():
    """In silence every frame is rounded the same way, and a cell that hardly forgets sums it up over 1,000 frames."""
    random = np.random.default_rng(1)
    wide = g.Dense(
        random.uniform(-1, 1, (2, 40)).astype(np.float32), random.uniform(-1, 1, 40).astype(np.float32), "tanh"
    )
    total = g.Dense(random.uniform(0, 1, (40, 1)).astype(np.float32), np.ones(1, np.float32))
    kernel, bias = np.array([[0.3, 0.0, 0.5, 0.1]], np.float32), np.array([-4.0, 7.0, 0.7, 0.3], np.float32)
    model = Model(2, (wide, total, g.Lstm(kernel, np.zeros((1, 4), np.float32), bias)))
    frames = signals.burst_then_silence(2000, 2, burst=20, seed=1)
    judgement = budget(model, frames).judge(Plain(model).process(frames))
    assert judgement.ok, judgement
    assert judgement.error_in_budgets < 0.6


def test_sums_may_begin_at_a_large_bias():
    """A hundred small terms on top of a large bias are each rounded by its size."""
    random = np.random.default_rng(1)
    kernel = random.uniform(-1e-3, 1e-3, (100, 5)).astype(np.float32)
    model = Model(100, (g.Dense(kernel, np.full(5, 0.7, np.float32)),))
    frames = signals.noise(64, 100, seed=1)
    judgement = budget(model, frames).judge(Plain(model, "bias first").process(frames))
    assert judgement.ok, judgement


def test_silence_behind_a_burst_is_judged_fairly():
    """A gru that comes to rest: the same frame, the same state, the same rounding, a thousand times over."""
    model = read(FIXTURES / "models" / "small" / "gru-one.json")
    frames = signals.burst_then_silence(1000, 3, burst=100, seed=5)
    assert budget(model, frames).judge(Plain(model).process(frames)).error_in_budgets < 0.6


def test_models_near_chaos_are_flagged():
    """Where rounding alone decides the outputs, the judgement says that it means nothing."""
    gain = np.float32(40)
    random = np.random.default_rng(0)
    shapes = ((1, 64), (16, 64), (64,))
    wild = Model(1, (g.Lstm(*(random.uniform(-gain, gain, shape).astype(np.float32) for shape in shapes)),))
    frames = signals.noise(400, 1, seed=1)
    assert budget(wild, frames).chaotic
    assert not budget(read(LSTM), signals.noise(64, 3, seed=1)).chaotic


def test_no_frames_are_within_any_budget(lstm):
    """Nothing to judge is nothing wrong."""
    model = lstm[0]
    assert budget(model, np.zeros((0, 3), np.float32)).judge(np.zeros((0, 2), np.float32)).ok


def test_a_class_holds_the_weights_that_it_has_numbers_for():
    """binary16 ends at 65504, and what is nearer to that than to 65536 is rounded to it."""
    held = {
        weight: {
            name: kind.holds(Model(1, (g.Dense(np.array([[weight]], np.float32), np.zeros(1, np.float32)),)))
            for name, kind in numeric_classes().items()
        }
        for weight in (65519, 65520)
    }
    assert all(held[65519].values())
    assert [name for name, holds in held[65520].items() if not holds] == ["f16"]


def test_numeric_classes_transform_weights_exactly(lstm):
    """A class is judged by its own weights: what is right for f16 is wrong for f32, and the other way round."""
    model, frames, allowed = lstm
    halved = Plain(changed(model, to_half)).process(frames)
    as_half = budget(model, frames, numeric_class="f16")
    assert as_half.judge(halved).ok
    assert not allowed.judge(halved).ok
    assert not as_half.judge(Plain(model).process(frames)).ok


def test_a_failing_implementation_is_told_the_class_that_it_passes(lstm):
    """The strictest one; none for outputs that are simply wrong."""
    model, frames, _ = lstm
    as_int8 = Plain(numeric_class("i8").transform(model)).process(frames)
    assert first_passing_class(model, frames, Plain(model).process(frames)) == "f32"
    assert first_passing_class(model, frames, Plain(changed(model, to_half)).process(frames)) == "f16"
    assert first_passing_class(model, frames, as_int8) == "i8"
    assert first_passing_class(model, frames, -as_int8) is None


def test_int8_rounds_each_output_channel_by_its_own_scale():
    """Kernels become whole multiples of max|w|/127 per channel; biases stay."""
    kernel = np.array([[1.27, 0.1], [-0.634, 12.7], [0.0, -6.36]], np.float32)
    model = Model(3, (g.Dense(kernel, np.array([0.123, 4.567], np.float32)),))
    dense = numeric_class("i8").transform(model).layers[0]
    steps = dense.kernel / (np.abs(kernel).max(axis=0) / 127)
    assert np.abs(steps - np.rint(steps)).max() < 1e-4
    assert np.rint(steps).astype(int).tolist() == [[127, 1], [-63, 127], [0, -64]]
    assert np.array_equal(dense.bias, model.layers[0].bias)


def test_a_channel_of_zeros_stays_zero_in_int8():
    """No scale is divided by zero."""
    model = Model(2, (g.Dense(np.zeros((2, 2), np.float32), np.ones(2, np.float32)),))
    assert not numeric_class("i8").transform(model).layers[0].kernel.any()


def test_unknown_classes_are_refused():
    """With the names that there are, from the strictest on."""
    assert list(numeric_classes()) == ["f32", "f16", "i8", "i8-dynamic"]
    with pytest.raises(ValueError, match=r"'f8'.*f32, f16, i8, i8-dynamic"):
        numeric_class("f8")


def test_a_golden_can_stand_in_for_the_reference(lstm):
    """The budget's bounds around other outputs: those of PyTorch."""
    allowed = lstm[2]
    moved = dataclasses.replace(allowed, reference=allowed.reference + 1e-3)
    assert not moved.judge(allowed.reference).ok
    assert moved.judge(allowed.reference + 1e-3).ok
