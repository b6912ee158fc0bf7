"""Pipelines that are wrong in one way each: a thin shell around a good one, found by its registered name.

They stand between the judge and the good pipeline, and spoil one of the calls on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..implementations import connect
from .naming import factories

GOOD = "reference-pipeline"


class Shell:
    """Passes everything on."""

    name = "good-pipeline"

    @property
    def declares(self) -> dict[str, Any]:
        return {"name": self.name, "version": "1.0", "role": "pipeline"}

    def open(self, models_dir: str) -> Shell:
        self.folder = Path(models_dir)
        self.inner = connect(GOOD, "pipeline").open(models_dir)
        self.frames = 0
        return self

    def submit(self, frame_id: int, audio: np.ndarray) -> None:
        self.frames += 1
        self.inner.submit(frame_id, audio)

    def poll(self) -> list[Mapping[str, Any]]:
        return [self.result(dict(result)) for result in self.inner.poll()]

    def result(self, result: dict[str, Any]) -> dict[str, Any]:
        return result

    def reload(self, name: str | None = None) -> None:
        self.inner.reload(name)

    def status(self) -> Mapping[str, Mapping[str, str]]:
        return self.inner.status()

    def close(self) -> None:
        self.inner.close()


class PipLostResult(Shell):
    def poll(self) -> list[Mapping[str, Any]]:
        return [result for result in super().poll() if result["id"] % 37 != 36]


class PipDuplicatedResult(Shell):
    def poll(self) -> list[Mapping[str, Any]]:
        return [copy for result in super().poll() for copy in [result] * (2 if result["id"] % 37 == 36 else 1)]


class PipStuckAfterUnread(Shell):
    """Holds one result: what comes while it is unread is lost."""

    def poll(self) -> list[Mapping[str, Any]]:
        return super().poll()[-1:]


class PipWrongSlice(Shell):
    """Swaps valence and arousal in what it reports of the embedding, as blocks of 16 read for blocks of 32 do."""

    def result(self, result: dict[str, Any]) -> dict[str, Any]:
        embedding = result["outputs"]["EmotionRecognizer"]
        halves = np.split(np.asarray(embedding), 4)
        result["outputs"] = {
            **result["outputs"],
            "EmotionRecognizer": np.concatenate([halves[0], halves[2], halves[1], halves[3]]),
        }
        return result


class PipNoFallback(Shell):
    """Zeros for whatever is missing, and no word about it."""

    def result(self, result: dict[str, Any]) -> dict[str, Any]:
        outputs = {
            name: np.zeros_like(values) if result["fallback"][name] else values
            for name, values in result["outputs"].items()
        }
        return {**result, "outputs": outputs, "fallback": dict.fromkeys(outputs, False)}


class PipReloadBadFile(Shell):
    """Starts afresh on every reload, broken files included."""

    def reload(self, name: str | None = None) -> None:
        self.inner.close()
        self.inner = connect(GOOD, "pipeline").open(str(self.folder))


class PipStaleAfterReload(Shell):
    """Says that it reloaded, and goes on with the old model."""

    def reload(self, name: str | None = None) -> None:
        pass


__getattr__ = factories(globals(), "pip")
