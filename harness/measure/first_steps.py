"""The first step after what may have changed something: load, reset, a pause of the audio, another load."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from .. import signals
from .step import Step
from .step_outputs import check_by_oracle

PROCESSES = 3

EVENTS = {
    "after_load": "the first step after load",
    "after_reset": "reset and the first step after it",
    "after_pause": "the first step after a pause",
    "after_long_pause": "the first step after a long pause",
    "after_reload": "the first step after another load, for blocks,",
    "first_block": "the first block, less twice the time of the next,",
}
"""What is timed, in words."""

PAUSES = {"after_pause": 0.1, "after_long_pause": 1.0}
"""In seconds: as long as many buffers, when what spins for the next call has given up, and as between two phrases."""

FRAMES = 4
"""Frames after each event, of which the first is timed for the event, and all are checked."""

PLAYED = 512
"""So many after load, all but the first few unchecked: what grows with the frames before a reset is to be seen."""

BLOCK, MOST = 64, 2
"""The first block of so many frames may take so many times as long as the next, and the deadline more."""

TIMES = ("wall_ns", "cpu_ns", "waits", "control_ns")
"""What `deadline.Judgement` takes."""


def first_steps(loader: Any, step: Step, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """TIMES of each event, one entry per fresh process of the loader. No process is given a frame twice.

    Raises RequirementFailed where outputs are not the oracle's.
    """
    __tracebackhide__ = True
    with ExitStack() as stack:
        processes = [_Process(stack, loader, step, seed + number) for number in range(PROCESSES)]
        for process in processes:
            process.take("after_load", frames=PLAYED)
            process.take("after_reset", reset=True)
        for pause, seconds in PAUSES.items():
            time.sleep(seconds)  # all of them together
            for process in processes:
                process.take(pause)
        for process in processes:
            process.load(max_frames=BLOCK)
            process.take("after_reload")
            process.take_blocks("first_block")
    for process in processes:
        process.check_outputs(loader.declaration.numeric_class)
    taken = [process.taken for process in processes]
    return {event: {name: np.array([each[event][name] for each in taken]) for name in TIMES} for event in EVENTS}


class _Process:
    """A process of the loader, the models of the step, and what they were given since their state was new."""

    def __init__(self, stack: ExitStack, loader: Any, step: Step, seed: int) -> None:
        self.session = stack.enter_context(loader.open())
        self.step, self.seed = step, seed
        self.models: dict[str, Any] = {}
        self.taken: dict[str, Mapping[str, int]] = {}
        self._runs: list[list[tuple[str, np.ndarray, Mapping[str, np.ndarray]]]] = []
        self.load(max_frames=1)

    def load(self, max_frames: int) -> None:
        """In place of models that are there, which are unloaded before."""
        for model in self.models.values():
            model.close()
        cases = self.step.models.items()
        self.models = {name: self.session.load(case.path, max_frames=max_frames) for name, case in cases}
        self._runs.append([])

    def take(self, event: str, frames: int = FRAMES, *, reset: bool = False) -> None:
        """Some steps, of which the first is timed for the event.

        Memory that a hypervisor took back while the process waited is recalled before: no loader could keep it.
        """
        audio = self._noise(event, frames, self.step.width)
        timed = self.session.measure_latency(
            self.models, self.step.flow, audio, reset_every=frames if reset else 0, recall_resident=True
        )
        self.taken[event] = {name: int(getattr(timed, name)[0]) for name in TIMES}
        if reset:
            self._runs.append([])
        checked = {name: outputs[:FRAMES] for name, outputs in timed.outputs.items()}
        self._runs[-1].append((event, audio[:FRAMES], checked))

    def take_blocks(self, event: str) -> None:
        """Two blocks of each model, on inputs of its own; LAT-BLOCKS checks what blocks give."""
        total = dict.fromkeys(TIMES, 0)
        for model in self.models.values():
            blocks = self.session.measure_blocks(model, self._noise(event, 2 * BLOCK, model.input_size), BLOCK)
            for name in ("wall_ns", "cpu_ns"):
                first, following = getattr(blocks, name)
                total[name] += int(first - MOST * following)
            total["waits"] += int(blocks.waits[0])
        self.taken[event] = {name: max(value, 0) for name, value in total.items()}

    def check_outputs(self, numeric_class: str) -> None:
        """Raises RequirementFailed at the first run, from new state on, that the oracle finds wrong."""
        __tracebackhide__ = True
        for run in self._runs:
            events, audio, outputs = zip(*run, strict=True)
            together = {name: np.concatenate([each[name] for each in outputs]) for name in self.models}
            when = ", ".join(event.replace("_", " ") for event in events)
            check_by_oracle(self.step, np.concatenate(audio), together, numeric_class, self.seed, when)

    def _noise(self, event: str, frames: int, width: int) -> np.ndarray:
        """Unlike that of any other event."""
        return signals.noise(frames, width, seed=(self.seed + 1) * 1_000_003 + list(EVENTS).index(event))
