"""Where the marks of a picture go: axes, dots, bars and histograms as percentages of a picture's width.

The page draws them in SVG with percentages only, so that a picture follows the width of its column and its text keeps
its size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .measured import ErrorFigure, MemoryFigure, TrainingFigure
from .text import digits
from .timings import StepFigure

BINS = 72


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` across a picture; what lies outside stands on its edge."""

    low: float
    high: float
    logarithmic: bool = False
    ticks: tuple[float, ...] = ()

    def at(self, value: float) -> float:
        """Percent of the width."""
        low, high, value = (self._scaled(x) for x in (self.low, self.high, min(max(value, self.low), self.high)))
        return round(100 * (value - low) / (high - low), 2)

    def outside(self, value: float) -> bool:
        return not self.low <= value <= self.high

    def labels(self) -> list[tuple[float, str, str]]:
        """(percent, text, SVG text-anchor) per tick."""
        return [(self.at(tick), digits(tick), self._anchor(tick)) for tick in self.ticks]

    def _anchor(self, tick: float) -> str:
        at = self.at(tick)
        return "start" if at < 4 else "end" if at > 96 else "middle"

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def decades(values: Iterable[float], at_least: tuple[float, float]) -> Axis:
    """A logarithmic axis over whole decades that holds all finite values above zero and the range `at_least`."""
    shown = [value for value in values if 0 < value < math.inf]
    low = math.floor(math.log10(min([at_least[0], *shown])))
    high = math.ceil(math.log10(max([at_least[1], *shown])))
    step = math.ceil((high - low) / 6)
    return Axis(10.0**low, 10.0**high, True, tuple(10.0**power for power in range(low, high + 1, step)))


def linear(values: Iterable[float], at_least: float, parts: int = 4) -> Axis:
    """An axis from zero to a round number above all finite values and `at_least`."""
    top = max([at_least, *(value for value in values if value < math.inf)])
    step = next(round_step for round_step in _round_steps(top / parts) if round_step * parts >= top)
    return Axis(0.0, step * parts, False, tuple(step * part for part in range(parts + 1)))


def error_axis(figures: Sequence[ErrorFigure]) -> Axis:
    return decades((ratio for figure in figures for ratio in figure.in_budgets), (0.01, 10))


def latency_axis(figures: Sequence[StepFigure]) -> Axis:
    """ms, from below the quickest step to above the deadline."""
    values = [value for figure in figures for value in (min(figure.samples), figure.wall.max, figure.deadline)]
    return decades(values, (min(values), max(values) * 1.001))


def memory_axis(figures: Sequence[MemoryFigure]) -> Axis:
    """MiB."""
    values = [value / 2**20 for figure in figures for value in (figure.held, figure.peak or 0)]
    return linear(values, max(figure.limit for figure in figures) / 2**20)


def histogram(samples: Sequence[float], axis: Axis) -> list[tuple[float, float, float]]:
    """(left, width, height), all in percent, of the bins that hold samples.

    Heights go with the root of the counts, so that a single late step can be seen beside thousands.
    """
    counts = [0] * BINS
    for sample in samples:
        counts[min(int(axis.at(sample) / 100 * BINS), BINS - 1)] += 1
    tallest = max(counts)
    width = 100 / BINS
    return [
        (round(place * width, 2), round(width, 2), round(100 * math.sqrt(count / tallest), 1))
        for place, count in enumerate(counts)
        if count
    ]


def training_bars(figure: TrainingFigure) -> list[tuple[str, float, float]]:
    """(name, loss, loss divided by that of the best constant on the same labels)."""
    bars = [
        ("trained", figure.validation, figure.constant),
        ("trained on shuffled labels", figure.shuffled, figure.shuffled_constant),
    ]
    if figure.stateless is not None:
        bars.append(("state cleared at each frame", figure.stateless, figure.constant))
    return [(name, loss, loss / constant if constant > 0 else math.inf) for name, loss, constant in bars]


def training_axis(figures: Sequence[TrainingFigure]) -> Axis:
    """Losses divided by the best constant's; what is more than four times as bad stands on the edge."""
    ratios = [min(ratio, 4.0) for figure in figures for _, _, ratio in training_bars(figure)]
    return linear(ratios, 1.2)


def _round_steps(at_least: float) -> Iterable[float]:
    power = 10.0 ** math.floor(math.log10(at_least))
    return (factor * power for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 10))
