"""Trainings that are killed: in a process of their own, with SIGKILL, at moments that a seed draws."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..implementations.remote import START_SECONDS, RemoteTrainer
from ..judging import RequirementFailed

KILLS = {"smoke": 2, "ci": 3, "nightly": 5}
"""How often a training is killed on its way."""

EPOCHS_PER_KILL = 3
SHORTEST_SECONDS = 0.02
"""What an epoch is taken to last, where only one was seen."""


@dataclass(frozen=True)
class Moment:
    """A training is killed this part of an epoch's time after the end of an epoch."""

    epoch: int
    part: float


class _Enough(Exception):
    """Ends the conversation with a trainer in the middle of a sentence."""


def in_a_process(trainer: Any) -> RemoteTrainer:
    """The trainer behind a process that can be killed: its own for `cmd:`, else one of the suite's around it."""
    if isinstance(trainer, RemoteTrainer):
        return trainer
    serve = [sys.executable, "-m", "rtconform.harness.implementations.serve", trainer.connection, "--role", "trainer"]
    return RemoteTrainer(serve, trainer.connection, timeout=START_SECONDS)


def epochs(profile: str) -> int:
    """How many epochs a training has that is killed as often as a profile says."""
    return EPOCHS_PER_KILL * KILLS[profile]


def moments(seed: int, profile: str) -> list[Moment]:
    """The moments of a profile in their order; the last is when results are being written."""
    generator = random.Random(seed)
    last = epochs(profile)
    chosen = [*sorted(generator.sample(range(1, last), KILLS[profile] - 1)), last]
    return [Moment(epoch, generator.random()) for epoch in chosen]


def killed(trainer: RemoteTrainer, values: Mapping[str, Any], folder: Path, moment: Moment) -> bool:
    """Trains until a moment, then kills the trainer and all that it started. False if the training was over before."""
    last_seen = 0.0

    def watch(line: Mapping[str, Any]) -> None:
        nonlocal last_seen
        now = time.monotonic()
        if line.get("epoch", 0) >= moment.epoch:
            time.sleep(moment.part * (now - last_seen if last_seen else SHORTEST_SECONDS))
            raise _Enough
        last_seen = now

    try:
        trainer.train(values, folder, watch)
    except _Enough:
        return True
    return False


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
