"""Whole round trips per second in this process: drawn by Hypothesis, written, read back, loaded, run, judged.

    python -m pytest tests/benchmarks/bench_round_trips.py

Needs pytest-benchmark, and RTNeural's loaders. Times have no place in the ordinary tests: no run collects this file
unless it is named.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, seed, settings, strategies as st

from rtconform.harness import _native, strategies as rtc
from rtconform.harness.drawn import RULES
from rtconform.harness.rtneural_json import budget, dumps, identical, validate_bytes
from rtconform.reference_models import loaders
from rtconform.reference_models.errors import NotAvailable

SMALL = (1, 2, 3, 4, 5, 7, 8, 9)
FRAMES = (1, 2, 16, 17)
EXAMPLES = 200
LEAST_PER_SECOND = 100


@pytest.fixture
def load():
    """A function from the path of a file to a model in this process, on rtneural-checked."""
    try:
        path, _, name = loaders.rtneural_checked().removeprefix("abi:").partition("#")
    except NotAvailable as error:
        pytest.skip(str(error))
    library = _native.Library(path)

    def of(file: Path) -> _native.Model:
        model = library.load(name, str(file))
        model.prepare(64)
        return model

    return of


def test_round_trips_per_second(benchmark, load, tmp_path):
    """200 in a round, of one to four small layers each."""
    file = tmp_path / "model.json"
    tried = []

    def round_trips(number: int) -> None:
        @seed(number)
        @settings(RULES, max_examples=EXAMPLES, phases=[Phase.generate])
        @given(st.data())
        def trip(data: st.DataObject) -> None:
            model = data.draw(rtc.models(widths=SMALL))
            frames = data.draw(rtc.signals(model.input_size, lengths=FRAMES))
            text = dumps(model).encode()
            assert identical(validate_bytes(text).model, model)
            file.write_bytes(text)
            allowed = budget(model, frames)
            judgement = allowed.judge(load(file).process(frames))
            assert judgement.ok or allowed.chaotic, judgement
            tried.append(1)

        trip()

    numbers = iter(range(1, 10_000))
    benchmark.pedantic(round_trips, setup=lambda: ((next(numbers),), {}), rounds=10)
    times = np.array(benchmark.stats.stats.data)
    rates = len(tried) / len(times) / times
    benchmark.extra_info["round_trips_per_second"] = [round(rate) for rate in sorted(rates)]
    print(f"\n{np.median(rates):.0f} round trips per second, {rates.min():.0f} to {rates.max():.0f} by round")
    assert np.median(rates) >= LEAST_PER_SECOND
