"""What the benchmark times: the step of the five models, each of them alone, and single layers of each type by size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import expected, five_models, signals
from ..measure.machine import largest_cache_bytes
from ..measure.step import Step, alone, gather, step_of
from ..rtneural_json import Model, dumps, grammar as g
from ..selection import ModelCase, five_cases

WHOLE_STEP, COLD_STEP = "five models", "five models, cold"
FRAMES, PASSES = 32, 6
COLD_FRAMES, COLD_PASSES = 12, 1
OTHERWISE = 1.0 / 128
"""By what part a pass's frames are smaller than those of the pass before, so that no answer is a remembered one."""

SIZES = (8, 32, 128)
"""Values per frame that go into a layer, and come out of it."""


@dataclass(frozen=True)
class Row:
    """What is timed by itself: a step, and its inputs `[frames, width]`.

    `kind` is "step", "model", or what a layer is called in LAYERS; `size` is a layer's. Before each step as much other
    memory is read as `cache_bytes` says.
    """

    name: str
    kind: str
    step: Step
    audio: np.ndarray
    passes: int = PASSES
    size: int = 0
    cache_bytes: int = 0

    def inputs(self, number: int) -> np.ndarray:
        """Those of one pass: the same work, but other bits than in any other."""
        return self.audio * np.float32(1.0 - OTHERWISE * number)


def five_rows() -> Iterator[Row]:
    """The step of the stored five models over the bundled recordings' features: warm, cold, and each model alone."""
    step = step_of(five_cases())
    audio = expected.recording()[:FRAMES]
    yield Row(WHOLE_STEP, "step", step, audio)
    yield Row(COLD_STEP, "step", step, audio[:COLD_FRAMES], COLD_PASSES, cache_bytes=largest_cache_bytes())
    values = expected.data_flow(five_models.FOLDER, audio)
    for stage in step.flow:
        name = stage["model"]
        yield Row(name, "model", alone(name, step.models[name]), gather(stage["inputs"], values))


def layer_rows(folder: Path, seed: int) -> Iterator[Row]:
    """One layer of each type and size, written into a folder; noise goes in."""
    for kind, layer_of in LAYERS.items():
        for size in SIZES:
            random = np.random.default_rng([seed, size])
            layer = layer_of(size, random)
            path = folder / f"{kind}-{size}.json"
            path.write_text(dumps(Model(layer.input_size, (layer,))), encoding="utf-8")
            case = ModelCase(path.stem, path)
            yield Row(
                case.name, kind, alone(case.name, case), signals.noise(FRAMES, layer.input_size, seed=seed), size=size
            )


def _even(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Weights as a trained layer has them: about 1/√fan-in, where all but the last axis are the fan-in."""
    reach = 1.0 / np.sqrt(max(int(np.prod(shape[:-1])), 1))
    return random.uniform(-reach, reach, shape).astype(np.float32)


def _conv2d(size: int, random: np.random.Generator) -> g.Layer:
    """Four filters in and out, 3 x 3, as wide as it has to be."""
    return g.Conv2d(_even(random, 3, 3, 4, 4), _even(random, 4), size // 4, padding="same")


def _batchnorm(size: int, random: np.random.Generator) -> g.Layer:
    gamma, beta, mean = (_even(random, size) for _ in range(3))
    return g.BatchNorm(gamma, beta, mean, random.uniform(0.5, 2, size).astype(np.float32), np.float32(1e-5))


def _activation(name: str) -> Callable[[int, np.random.Generator], g.Layer]:
    return lambda size, _: g.Activation(name, size)


LAYERS: dict[str, Callable[[int, np.random.Generator], g.Layer]] = {
    "dense": lambda n, random: g.Dense(_even(random, n, n), _even(random, n)),
    "lstm": lambda n, random: g.Lstm(_even(random, n, 4 * n), _even(random, n, 4 * n), _even(random, 4 * n)),
    "gru": lambda n, random: g.Gru(_even(random, n, 3 * n), _even(random, n, 3 * n), _even(random, 2, 3 * n)),
    "conv1d": lambda n, random: g.Conv1d(_even(random, 3, n, n), _even(random, n), dilation=2),
    "conv2d": _conv2d,
    "prelu": lambda n, random: g.Prelu(_even(random, n), n),
    "batchnorm": _batchnorm,
    **{name: _activation(name) for name in g.ACTIVATIONS},
}
"""By name, what makes a layer of a size; a single activation is a layer too."""
