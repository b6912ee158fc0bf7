"""Whole round trips per second in this process: drawn by Hypothesis, written, read back, loaded, run, judged.

Needs RTNeural's loaders. A hundred per second are aimed at, shown and not asserted.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

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


def test_round_trips(benchmark, load, tmp_path):
    """200 models of one to four small layers, other ones in each round."""
    file = tmp_path / "model.json"
    numbers = count(1)

    def round_trips() -> None:
        @seed(next(numbers))
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

        trip()

    benchmark(round_trips)
    if benchmark.enabled:
        benchmark.extra_info["shown"] = f"{EXAMPLES / benchmark.stats.stats.median:.0f} round trips per second"
