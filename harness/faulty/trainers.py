"""Trainers that are wrong in one way each: a thin shell around a good one, found by its registered name.

The good one trains once per configuration; what a shell spoils is the configuration on its way in or the files on
their way out.
"""

from __future__ import annotations

import copy
import json
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..implementations import connect
from ..paths import FIXTURES
from .naming import factories

GOOD = "reference-trainer"
KNOWN_KEYS = ("epochs", "learning_rate")


@cache
def _good_run(config: str) -> tuple[tempfile.TemporaryDirectory[str], str]:
    """The folder and the metrics (JSON) of the good trainer for a configuration (JSON)."""
    folder = tempfile.TemporaryDirectory(prefix="rtconform-faulty-")
    return folder, json.dumps(connect(GOOD, "trainer").train(json.loads(config), folder.name))


def is_quick(config: Mapping[str, Any]) -> bool:
    """Whether it trains one model only; the longer runs stay as they are, so that all shells share them."""
    return len(config["models"]) == 1


class Shell:
    """Passes everything on."""

    name = "good-trainer"

    @property
    def spoils(self) -> bool:
        """Whether it changes exported models, which are large."""
        return type(self).spoil is not Shell.spoil

    @property
    def declares(self) -> dict[str, Any]:
        return {"name": self.name, "version": "1.0", "role": "trainer"}

    def train(self, config: Mapping[str, Any], out_dir: str) -> dict[str, Any]:
        folder, metrics = _good_run(json.dumps(self.changed(copy.deepcopy(dict(config)))))
        shutil.copytree(folder.name, out_dir, dirs_exist_ok=True)
        for path in Path(out_dir).glob("*.json") if self.spoils else ():
            document = json.loads(path.read_text(encoding="utf-8"))
            if "layers" in document:
                self.spoil(document["layers"])
                path.write_text(json.dumps(document), encoding="utf-8")
        return self.reported(json.loads(metrics))

    def changed(self, config: dict[str, Any]) -> dict[str, Any]:
        return config

    def spoil(self, layers: list[dict[str, Any]]) -> None:
        """Changes the layers of an exported model."""

    def reported(self, metrics: dict[str, Any]) -> dict[str, Any]:
        return metrics


class TrnConstant(Shell):
    """Outputs that no input moves."""

    def spoil(self, layers: list[dict[str, Any]]) -> None:
        kernel = layers[-1]["weights"][0]
        layers[-1]["weights"][0] = [[0.0] * len(row) for row in kernel]


class TrnIgnoresData(Shell):
    """Always trains on the data sets that it knows, whatever it is given."""

    def changed(self, config: dict[str, Any]) -> dict[str, Any]:
        known = {path.name: path for path in (FIXTURES / "datasets").iterdir()}
        kinds = {"audio-folder": "audio", "midi-folder": "midi", "chord-json": "chords", "groove-midi": "groove"}
        for dataset in config["datasets"].values():
            if Path(dataset["path"]).exists():
                dataset["path"] = str(known[kinds[dataset["kind"]]])
        return config


class TrnStateEachFrame(Shell):
    """A recurrent layer that keeps nothing: its forget gate is shut and its recurrent weights are zero."""

    def spoil(self, layers: list[dict[str, Any]]) -> None:
        for layer in layers:
            if layer["type"] == "lstm":
                _, recurrent, bias = layer["weights"]
                hidden = len(recurrent)
                layer["weights"][1] = [[0.0] * len(row) for row in recurrent]
                layer["weights"][2] = [*bias[:hidden], *[-100.0] * hidden, *bias[2 * hidden :]]


class TrnWrongCount(Shell):
    """One unit less in the first hidden layer."""

    def spoil(self, layers: list[dict[str, Any]]) -> None:
        first, second = layers[0], layers[1]
        first["shape"][-1] -= 1
        first["weights"] = [[row[:-1] for row in first["weights"][0]], first["weights"][1][:-1]]
        second["weights"][0] = second["weights"][0][:-1]


class TrnUnseeded(Shell):
    def changed(self, config: dict[str, Any]) -> dict[str, Any]:
        return config | {"seed": secrets.randbelow(2**31)} if is_quick(config) else config


class TrnIgnoresSeed(Shell):
    def changed(self, config: dict[str, Any]) -> dict[str, Any]:
        return config | {"seed": 1} if is_quick(config) else config


class TrnIgnoresConfig(Shell):
    def changed(self, config: dict[str, Any]) -> dict[str, Any]:
        if (
            is_quick(config)
            and config.get("training", {}).keys() <= set(KNOWN_KEYS)
            and config.get("training", {}).get("epochs", 1) > 0
        ):
            config["training"] = {"epochs": 3}
        return config


class TrnLeaksValidation(Shell):
    def reported(self, metrics: dict[str, Any]) -> dict[str, Any]:
        for model in metrics["models"].values():
            model["items"]["validation"].append(model["items"]["training"][0])
        return metrics


class TrnWrongCheckpoint(Shell):
    """The state dicts that it leaves are those of the first epoch, whatever was exported and judged."""

    def train(self, config: Mapping[str, Any], out_dir: str) -> dict[str, Any]:
        metrics = super().train(config, out_dir)
        first, _ = _good_run(json.dumps({**config, "training": {**config.get("training", {}), "epochs": 1}}))
        for name in config["models"]:
            shutil.copy(Path(first.name) / f"{name.lower()}.safetensors", out_dir)
        return metrics


class TrnTakesAnything(Shell):
    """Drops keys that it doesn't know, and corrects values that can't be."""

    def changed(self, config: dict[str, Any]) -> dict[str, Any]:
        training = {key: value for key, value in config.get("training", {}).items() if key in KNOWN_KEYS}
        if "epochs" in training:
            training["epochs"] = max(training["epochs"], 1)
        for dataset in config["datasets"].values():
            if not Path(dataset["path"]).exists():
                dataset["path"] = str(FIXTURES / "datasets" / "midi")
        return config | {"training": training}


__getattr__: Callable[[str], Callable[[], Any]] = factories(globals(), "trn")
