"""Trainers that are wrong about checkpoints, in one way each: the toy trainer with a method that makes the mistake."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .naming import factories
from .toy_trainer import CHECKPOINT, MODEL, STEM, Progress, State, ToyTrainer

SLOW_WRITE_SECONDS = 0.3


class Resuming(ToyTrainer):
    """By itself right."""

    features = (MODEL, "resume")


class TrnIgnoresResume(Resuming):
    """Starts afresh, and gets there as well, a night later."""

    def resumed(self, plan: Mapping[str, Any], folder: Path) -> State | None:
        return None


class TrnResumesUnasked(Resuming):
    """Goes on from whatever lies in the folder."""

    def resumed(self, plan: Mapping[str, Any], folder: Path) -> State | None:
        return super().resumed({**plan, "resume": True}, folder)


class TrnResumesAnything(Resuming):
    """Goes on from the checkpoint of another configuration."""

    def check_same(self, digest: str, plan: Mapping[str, Any], path: Path) -> None:
        """Checks nothing."""


class Overlooking(Resuming):
    """Doesn't see that a value is another one."""

    key = ""

    def packed(self, plan: Mapping[str, Any], state: State) -> bytes:
        return super().packed({**plan, self.key: None}, state)

    def check_same(self, digest: str, plan: Mapping[str, Any], path: Path) -> None:
        super().check_same(digest, {**plan, self.key: None}, path)


class TrnResumesOtherSeed(Overlooking):
    key = "seed"


class TrnResumesOtherBatchSize(Overlooking):
    key = "training.batch_size"


class TrnResumesOtherData(Overlooking):
    key = "data"


class TrnDropsCheckpoint(Resuming):
    """Makes sure that it begins anew before it has looked at the config and the data."""

    def train(self, config: Mapping[str, Any], out_dir: str, progress: Progress | None = None) -> dict[str, Any]:
        if not config.get("resume"):
            (Path(out_dir) / CHECKPOINT).unlink(missing_ok=True)
        return super().train(config, out_dir, progress)


class Forgetting(Resuming):
    """Resumes from a checkpoint that lacks something."""

    def resumed(self, plan: Mapping[str, Any], folder: Path) -> State | None:
        state = super().resumed(plan, folder)
        if state is not None:
            self.forget(state)
        return state

    def forget(self, state: State) -> None:
        """Sets to what it is at the beginning what the checkpoint lacks."""


class TrnResumeForgetsOptimizer(Forgetting):
    """The moments of Adam begin anew."""

    def forget(self, state: State) -> None:
        state.adam.steps, state.adam.first, state.adam.second = 0, [], []


class TrnResumeForgetsOrder(Forgetting):
    """The first epoch's order of the items comes again."""

    done = 0

    def resumed(self, plan: Mapping[str, Any], folder: Path) -> State | None:
        self.done = 0
        return super().resumed(plan, folder)

    def forget(self, state: State) -> None:
        self.done = state.epoch

    def order(self, plan: Mapping[str, Any], state: State, count: int) -> np.ndarray:
        return super().order(plan, dataclasses.replace(state, epoch=state.epoch - self.done), count)


class TrnResumeForgetsBest(Forgetting):
    """Only what comes after the interruption can be the best."""

    def forget(self, state: State) -> None:
        state.best, state.best_loss = [], float("inf")


class TrnResumeForgetsHistory(Forgetting):
    def forget(self, state: State) -> None:
        state.history = []


class TrnResumeForgetsWaiting(Forgetting):
    """Early stopping begins anew."""

    features = (MODEL, "early_stopping", "resume")

    def forget(self, state: State) -> None:
        state.reference, state.waited = float("inf"), 0


class TrnCheckpointNotAtomic(Resuming):
    """Writes over the last good checkpoint, in two halves."""

    def save_checkpoint(self, plan: Mapping[str, Any], state: State, folder: Path, report: Callable[[], None]) -> None:
        data = self.packed(plan, state)
        with open(folder / CHECKPOINT, "wb") as stream:
            stream.write(data[: len(data) // 2])
            stream.flush()
            report()
            time.sleep(SLOW_WRITE_SECONDS if plan["resume"] else 0.0)
            stream.write(data[len(data) // 2 :])


class TrnCheckpointConsumed(Resuming):
    """Takes the checkpoint away, goes on from it, and leaves the next one after an epoch."""

    def train(self, config: Mapping[str, Any], out_dir: str, progress: Progress | None = None) -> dict[str, Any]:
        folder = Path(out_dir)
        with tempfile.TemporaryDirectory() as taken:
            if config.get("resume") and (folder / CHECKPOINT).exists():
                shutil.move(folder / CHECKPOINT, taken)
            self.taken = Path(taken)
            return super().train(config, out_dir, progress)

    def resumed(self, plan: Mapping[str, Any], folder: Path) -> State | None:
        return super().resumed(plan, self.taken)


class TrnResumesFinished(Resuming):
    """Goes on from a training that came to its end, and begins a killed one anew."""

    def resumed(self, plan: Mapping[str, Any], folder: Path) -> State | None:
        return super().resumed(plan, folder) if (folder / "metrics.json").exists() else None


class TrnExportsEachEpoch(Resuming):
    """Leaves half an export while it trains."""

    def save_checkpoint(self, plan: Mapping[str, Any], state: State, folder: Path, report: Callable[[], None]) -> None:
        (folder / f"{STEM}.json").write_text('{"in_shape": [null, null, 32], "layers": [', encoding="utf-8")
        super().save_checkpoint(plan, state, folder, report)


__getattr__: Callable[[str], Callable[[], Any]] = factories(globals(), "trn")
