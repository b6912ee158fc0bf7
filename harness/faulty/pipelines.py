"""Pipelines that are wrong in one way each: a thin shell around a good one, found by its registered name.

They stand between the judge and the good pipeline, and spoil one of the calls on its way. Most wrong pipelines are
those of native/pipelines/.
"""

from __future__ import annotations

from collections.abc import Mapping
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
        live = type(self)()
        live.inner = connect(GOOD, "pipeline").open(models_dir)
        return live

    def submit(self, frame_id: int, audio: np.ndarray) -> bool:
        return self.inner.submit(frame_id, audio)

    def poll(self) -> list[Mapping[str, Any]]:
        return [self.result(dict(result)) for result in self.inner.poll()]

    def result(self, result: dict[str, Any]) -> dict[str, Any]:
        return result

    def reload(self, name: str | None = None) -> bool | None:
        return self.inner.reload(name)

    def status(self) -> Mapping[str, Mapping[str, Any]]:
        return self.inner.status()

    def close(self) -> None:
        self.inner.close()


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


class PipStaleAfterReload(Shell):
    """Says that it reloaded, and goes on with the old model."""

    def reload(self, name: str | None = None) -> None:
        pass


__getattr__ = factories(globals(), "pip")
