"""The strategies draw valid things only, and find what is hard within a hundred examples, whatever the seed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.errors import InvalidArgument

from rtconform.harness import strategies as rtc
from rtconform.harness.rtneural_json import dumps, identical, validate_bytes

from .strategy_statistics import SEARCHES, found_by_seed

RUNS = 8


@pytest.mark.parametrize("what", SEARCHES)
def test_what_is_hard_is_found(what):
    """Each case within 100 examples in every run; strategy_statistics tells of 100 runs."""
    strategy, cases = SEARCHES[what]
    found = found_by_seed(strategy, cases, RUNS)
    assert {name: found[name] for name in cases if found[name] < RUNS} == {}


@settings(max_examples=200, deadline=None)
@given(rtc.models())
def test_drawn_models_are_valid_and_come_back_to_the_bit(model):
    """Written, read by the strict validator, and compared."""
    report = validate_bytes(dumps(model).encode())
    assert report.faults == () and identical(report.model, model)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_schedules_end(data):
    """Every one moves on, and no block is longer or shorter than asked for."""
    frames, shortest = data.draw(st.integers(1, 5000)), data.draw(st.integers(1, 64))
    schedule = data.draw(rtc.block_schedules(frames, shortest=shortest))
    assert any(schedule) and all(block == 0 or shortest <= block <= 4096 for block in schedule)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: rtc.models(layer_types=["dense", "attention"]), "attention"),
        (lambda: rtc.models(layer_types=[]), "layer_types"),
        (lambda: rtc.models(min_layers=3, max_layers=2), "max_layers=2"),
        (lambda: rtc.models(widths=[0]), r"widths=\[0\]"),
        (lambda: rtc.signals(0), "channels=0"),
        (lambda: rtc.signals(2, lengths=[]), "lengths"),
        (lambda: rtc.block_schedules(0), "frames=0"),
        (lambda: rtc.block_schedules(9, shortest=5, longest=4), "longest=4"),
        (lambda: rtc.module_parts(max_parts=0), "max_parts=0"),
        (lambda: rtc.module_parts(kinds=["Tanh"]), "Linear"),
        (lambda: rtc.module_parts(kinds=["Linear", "RNN"]), "RNN"),
    ],
)
def test_senseless_arguments_are_refused_at_once(make, said):
    """With the value, before anything is drawn."""
    with pytest.raises(InvalidArgument, match=said):
        make()
