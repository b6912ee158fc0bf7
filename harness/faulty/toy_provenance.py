"""Trainers that are wrong about what they made, and from what, in one way each: the toy trainer with one mistake."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .naming import factories
from .toy_trainer import MODEL, ToyTrainer


class Stating(ToyTrainer):
    """By itself right."""

    features = (MODEL, "provenance")


class TrnKeepsNoMetrics(Stating):
    """Returns its metrics, and leaves none beside what it exports."""

    def write(self, path: Path, data: bytes) -> None:
        if path.name != "metrics.json":
            super().write(path, data)


class TrnStatesItsDefaults(Stating):
    """The config that it states is the one that it has for those who give none."""

    def stated(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**config, "training": {"epochs": 50, "learning_rate": 0.001, "batch_size": 4}}


class TrnHashesNames(Stating):
    """The same names, the same hashes, whatever the files hold."""

    def reported(self, metrics: dict[str, Any]) -> dict[str, Any]:
        hashes = {
            side: [hashlib.sha256(name.encode()).hexdigest() for name in names]
            for side, names in metrics["items"].items()
        }
        return {**metrics, "content_sha256": hashes}


class TrnHashesAnotherFile(Stating):
    """The hash is that of the same numbers as they would be written prettily."""

    def digest(self, exported: bytes) -> str:
        return super().digest(json.dumps(json.loads(exported), indent=1).encode())


class Describing(ToyTrainer):
    """By itself right."""

    features = (MODEL, "model_card")


class TrnCardOfTheFirstEpoch(Describing):
    """The card is written when there is something to say for the first time, and stays as it is."""

    def card(self, metrics: Mapping[str, Any]) -> str:
        return super().card({**metrics, "validation_loss": metrics["history"][0]["validation_loss"]})


class TrnCardOfAnotherFile(Describing):
    """The card is that of an earlier export."""

    def card(self, metrics: Mapping[str, Any]) -> str:
        return super().card({**metrics, "export_sha256": hashlib.sha256(b"{}").hexdigest()})


__getattr__: Callable[[str], Callable[[], Any]] = factories(globals(), "trn")
