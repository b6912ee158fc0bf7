"""The first step after what may have changed something: load, reset, a pause of the audio."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from .. import signals
from ..implementations.host import Latency
from .step import Step
from .step_outputs import check_by_oracle

FRAMES = 8
"""Frames after each event, of which the first is timed for the event, and all are checked."""

PAUSE_SECONDS = 0.1
"""As long as many buffers: what spins or is kept ready for the next call has given up by then."""


def first_steps(loader: Any, step: Step, seed: int) -> dict[str, Latency]:
    """Samples of the steps after each event, in a fresh process of the loader. No frame is given twice.

    Raises RequirementFailed where outputs are not the oracle's.
    """
    __tracebackhide__ = True
    after_load, after_reset, after_pause = np.split(signals.noise(3 * FRAMES, step.width, seed=seed), 3)
    taken = {}
    with loader.open() as session:
        models = {name: session.load(case.path, max_frames=1) for name, case in step.models.items()}
        taken["load"] = session.measure_latency(models, step.flow, after_load)
        for model in models.values():
            model.reset()
        taken["reset"] = session.measure_latency(models, step.flow, after_reset)
        time.sleep(PAUSE_SECONDS)
        taken["pause"] = session.measure_latency(models, step.flow, after_pause)
    continued = [taken["reset"].outputs, taken["pause"].outputs]
    numeric_class = loader.declaration.numeric_class
    check_by_oracle(step, after_load, taken["load"].outputs, numeric_class, seed, "after load")
    check_by_oracle(
        step,
        np.concatenate([after_reset, after_pause]),
        {name: np.concatenate([outputs[name] for outputs in continued]) for name in models},
        numeric_class,
        seed,
        "after reset and a pause",
    )
    return taken
