"""In how many of 100 runs of 100 examples the strategies find each of the cases that are hard to get right.

python -m tests.harness.strategy_statistics [runs]
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import Phase, given, seed, settings, strategies as st

from rtconform.harness import strategies as rtc
from rtconform.harness.drawn import RULES
from rtconform.harness.rtneural_json import Model, grammar as g

Cases = dict[str, Callable[[Any], bool]]
EXAMPLES = 100


def found_by_seed(strategy: st.SearchStrategy, cases: Cases, runs: int) -> Counter:
    """In how many runs of EXAMPLES examples, each with a seed of its own, each case came up."""

    def seen_with(number: int) -> set[str]:
        seen: set[str] = set()

        @seed(number)
        @settings(RULES, max_examples=EXAMPLES, phases=[Phase.generate])
        @given(strategy)
        def look(value):
            seen.update(name for name, holds in cases.items() if name not in seen and holds(value))

        look()
        return seen

    return Counter(name for number in range(runs) for name in seen_with(number))


def some_layer(kind: type, holds: Callable[[Any], bool]) -> Callable[[Model], bool]:
    return lambda model: any(isinstance(layer, kind) and holds(layer) for layer in model.layers)


def widths(model: Model) -> set[int]:
    return {model.input_size, *(layer.output_size for layer in model.layers)}


HARD_MODELS: Cases = {
    **{f"{kind} comes last": lambda m, kind=kind: m.layers[-1].type == kind for kind in g.LAYER_TYPES},
    **{f"a width of {width}": lambda m, width=width: width in widths(m) for width in (1, 3, 5, 7, 9, 15, 17, 31, 33)},
    "a kernel that is not square": some_layer(g.Dense, lambda layer: layer.input_size != layer.output_size),
    "a square kernel": some_layer((g.Dense, g.Recurrent), lambda layer: layer.input_size == layer.output_size),
    "one hidden unit": some_layer(g.Recurrent, lambda layer: layer.output_size == 1),
    "an odd number of hidden units": some_layer(g.Recurrent, lambda layer: layer.output_size % 4 != 0),
    "something behind a recurrent layer": lambda m: any(isinstance(layer, g.Recurrent) for layer in m.layers[:-1]),
    "two layers with state": lambda m: (
        sum(isinstance(layer, (g.Recurrent, g.Conv1d, g.Conv2d)) for layer in m.layers) > 1
    ),
    "a dilated conv1d": some_layer(g.Conv1d, lambda layer: layer.dilation > 1 and layer.kernel_size > 1),
    "a grouped conv1d": some_layer(g.Conv1d, lambda layer: layer.groups > 1),
    "a conv2d with stride": some_layer(g.Conv2d, lambda layer: layer.stride > 1),
    "a conv2d with same padding": some_layer(g.Conv2d, lambda layer: layer.padding == "same"),
    "a prelu of one alpha for many": some_layer(g.Prelu, lambda layer: layer.alpha.size == 1 < layer.size),
    "a prelu of alphas of their own": some_layer(g.Prelu, lambda layer: layer.alpha.size > 1),
    "a norm with gamma and beta": some_layer((g.BatchNorm, g.BatchNorm2d), lambda layer: layer.gamma is not None),
    "a norm without": some_layer((g.BatchNorm, g.BatchNorm2d), lambda layer: layer.gamma is None),
    **{
        f"{name} of its own or fused": lambda m, name=name: any(getattr(x, "activation", "") == name for x in m.layers)
        for name in g.ACTIVATIONS
    },
    "weights that close gates": some_layer(
        g.Recurrent, lambda layer: np.abs(layer.kernel).max() * layer.output_size**0.5 > 2.5
    ),
}

HARD_SIGNALS: Cases = {
    "one frame": lambda x: len(x) == 1,
    "334 frames": lambda x: len(x) == 334,
    "ten thousand frames": lambda x: len(x) == rtc.LONG,
    "one impulse per channel": lambda x: len(x) > 3 and np.count_nonzero(x) == 3,
    "silence behind a burst": lambda x: len(x) > 9 and x[0].any() and not x[-2:].any() and np.count_nonzero(x) > 3,
    "loud": lambda x: np.abs(x).max() > 4,
    "quiet": lambda x: 0 < np.abs(x).max() < 2e-3,
    "the same frame over and over": lambda x: len(x) > 3 and np.array_equal(x[0], x[1]) and x[:3].any(),
}

HARD_SCHEDULES: Cases = {
    **{f"blocks of {n}": lambda b, n=n: b == (n,) for n in (1, 7, 64, 128, 334, 1000)},
    "a prime": lambda b: b in {(3,), (7,), (13,), (31,), (257,)},
    "an empty block": lambda b: 0 in b,
    "a mixture": lambda b: len(set(b)) > 2,
}

SEARCHES = {
    "models": (rtc.models(), HARD_MODELS),
    "signals of 3 channels": (rtc.signals(3, lengths=(*rtc.LENGTHS, rtc.LONG)), HARD_SIGNALS),
    "schedules of 1000 frames": (rtc.block_schedules(1000), HARD_SCHEDULES),
}

if __name__ == "__main__":
    runs = int(sys.argv[1]) if sys.argv[1:] else 100
    for what, (strategy, cases) in SEARCHES.items():
        found = found_by_seed(strategy, cases, runs)
        for name in cases:
            print(f"{found[name]:4} of {runs}  {what}: {name}", flush=True)
