"""A loader at work in one round of the benchmark: loads models, and times steps of them.

A loader that can measure is timed in C++ inside its own process; one in Python from Python, by its own `process`. A
program that can't measure is not timed at all: what it takes would be the time of the conversation with it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..implementations import LoaderImplementation, MeasuringSession
from ..implementations.python import PythonSession
from ..measure.hosts import ShiftedLoader, is_library
from ..measure.step import Step
from ..rtneural_json import numeric_classes

Timed = tuple[np.ndarray, Mapping[str, np.ndarray]]
"""Wall time `[N]` of each step in ns, and the outputs `[N, out]` of each model."""


PASS_SECONDS = 30.0
"""No pass of a loader that is at work takes as long."""


class Runner(ABC):
    """A loader's session, and the models loaded in it, by name."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._models: dict[str, Any] = {}

    def load(self, name: str, path: Path) -> None:
        """Raises every ImplementationError."""
        self._models[name] = self._session.load(path, max_frames=1)

    @abstractmethod
    def run(self, step: Step, audio: np.ndarray, cache_bytes: int = 0) -> Timed:
        """Steps over audio `[N, width]` from reset; before each, so many bytes of other memory are read.

        Raises every ImplementationError.
        """

    @property
    @abstractmethod
    def pid(self) -> int:
        """The process that does the work; 0 is this one."""


class MeasuringRunner(Runner):
    """Timed in C++, inside the loader's own process."""

    _session: MeasuringSession

    def run(self, step: Step, audio: np.ndarray, cache_bytes: int = 0) -> Timed:
        models = {name: self._models[name] for name in step.models}
        options = {"reset_every": len(audio), "cache_bytes": cache_bytes, "timeout": PASS_SECONDS}
        timed = self._session.measure_latency(models, step.flow, audio, **options)
        return timed.wall_ns, timed.outputs

    @property
    def pid(self) -> int:
        return self._session.pid


class PythonRunner(Runner):
    """Timed in this process, as somebody who calls it from Python would see it."""

    _session: PythonSession

    def run(self, step: Step, audio: np.ndarray, cache_bytes: int = 0) -> Timed:
        process: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
        for name in step.models:
            self._models[name].reset()
            process[name] = partial(self._models[name].process, block=1)
        other_memory = np.ones(cache_bytes // 8, np.uint64)
        times, rows = [], []
        for frame in audio:
            other_memory.sum()
            begin = time.perf_counter_ns()
            rows.append(step.run(process, frame[None]))
            times.append(time.perf_counter_ns() - begin)
        return np.array(times), {name: np.concatenate([row[name] for row in rows]) for name in step.models}

    @property
    def pid(self) -> int:
        return 0


def why_not_timed(loader: LoaderImplementation) -> str:
    """Why this loader can't be timed, or its answers not be judged, or "". Raises ImplementationErrors of its start."""
    if (found := loader.declaration.numeric_class) not in numeric_classes():
        return f"no numeric class is called {found!r}; expected one of {', '.join(numeric_classes())}"
    with loader.open() as session:
        if isinstance(session, (MeasuringSession, PythonSession)):
            return ""
    return "it can't be timed inside its own process: it isn't abi: or py:, nor a program with the feature measure"


def shifted(loader: LoaderImplementation, seed: str) -> LoaderImplementation:
    """The loader with its heap beginning elsewhere in each process, where that can be had."""
    return ShiftedLoader(loader, seed) if is_library(loader) else loader


@contextmanager
def at_work(loader: LoaderImplementation) -> Iterator[Runner]:
    """A runner, in a new process if the loader has one; for loaders of which `why_not_timed` says nothing."""
    with loader.open() as session:
        yield (PythonRunner if isinstance(session, PythonSession) else MeasuringRunner)(session)
