"""Trainings that are killed: in a process of their own, with SIGKILL, at moments that a seed draws."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..implementations.errors import TimedOut
from ..judging import RequirementFailed, check
from . import training
from .trained import Trained

KILLS = {"smoke": 2, "ci": 3, "nightly": 5}
"""How often a training is killed on its way."""

EPOCHS_PER_KILL = 3
SHORTEST_SECONDS = 0.02
"""What an epoch is taken to last, where only one was seen."""


@dataclass(frozen=True)
class Moment:
    """A training is killed this part of an epoch's time after the end of an epoch.

    Epoch 0 is the time from the start to the end of the first epoch that this start trained.
    """

    epoch: int
    part: float


class _Enough(Exception):
    """Ends the conversation with a trainer in the middle of a sentence."""


def epochs(profile: str) -> int:
    """How many epochs a training has that is killed as often as a profile says."""
    return EPOCHS_PER_KILL * KILLS[profile]


def moments(seed: int, profile: str) -> list[Moment]:
    """The moments of a profile in their order; the last is when results are being written.

    Behind the first are two in which a checkpoint is being taken up: in the first and in the second half of a start.
    """
    generator = random.Random(seed)
    last = epochs(profile)
    chosen = [*sorted(generator.sample(range(1, last), KILLS[profile] - 1)), last]
    first, *others = (Moment(epoch, generator.random()) for epoch in chosen)
    return [first, *(Moment(0, (half + generator.random()) / 2) for half in (0, 1)), *others]


class Training:
    """One training that is started again and again, with `resume`, in a process of its own.

    `kills` is how often it was killed, `reached` the last epoch whose end was reported.
    """

    def __init__(self, trainer: Any, values: Mapping[str, Any], folder: Path) -> None:
        self.kills = self.reached = 0
        self._trainer, self._values, self._folder = training.in_a_process(trainer), {**values, "resume": True}, folder
        self._start_seconds = SHORTEST_SECONDS

    def killed(self, moment: Moment) -> None:
        """Starts the training, and kills it and all that it started at a moment, if it isn't over before.

        Raises RequirementFailed if it has lost an epoch that was reported, or left a file that is cut off.
        """
        last_seen = 0.0

        def watch(line: Mapping[str, Any]) -> None:
            nonlocal last_seen
            now = time.monotonic()
            if "epoch" not in line:
                return
            if not last_seen:
                self._start_seconds = now - self._trainer.asked_at
                self._check_kept(line["epoch"])
            self.reached = line["epoch"]
            if self.reached >= moment.epoch:
                time.sleep(moment.part * (now - last_seen if last_seen else SHORTEST_SECONDS))
                raise _Enough
            last_seen = now

        seconds = moment.part * self._start_seconds if moment.epoch == 0 else None
        try:
            self._trainer.train(self._values, self._folder, watch, timeout=seconds)
        except _Enough:
            self.kills += 1
        except TimedOut:
            if seconds is None:
                raise
            self.kills += 1
        check_whole(self._folder)

    def finished(self) -> Mapping[str, Trained]:
        """What it comes to at last, by model; raises as `killed`."""
        runs = training.train(self._trainer, self._values, self._folder)
        for run in runs.values():
            if run.epochs_reported:
                self._check_kept(run.epochs_reported[0])
        check_whole(self._folder)
        return runs

    def _check_kept(self, first: int) -> None:
        what = f"a training that was killed after epoch {self.reached} began again with epoch {first}"
        check(first >= self.reached, what, kills=self.kills)


def check_whole(folder: Path) -> None:
    """Raises RequirementFailed for a JSON or safetensors file that is cut off; hidden files are nobody's result."""
    from safetensors import SafetensorError, safe_open

    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".safetensors":
                with safe_open(path, "numpy"):
                    pass
        except (ValueError, SafetensorError) as error:
            what = f"a killed training left {path.name}, which is not whole"
            raise RequirementFailed(what, fault=str(error), bytes=path.stat().st_size) from error
