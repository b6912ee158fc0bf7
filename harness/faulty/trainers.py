"""Trainers that are wrong in one way each: a thin shell around a good one, found by its registered name.

The good one trains once per configuration; what a shell spoils is the configuration on its way in or the files on
their way out. What is wrong inside of a training is in toy_*.py.
"""

from __future__ import annotations

import copy
import json
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


@cache
def _good_run(config: str) -> tuple[tempfile.TemporaryDirectory[str], str]:
    """The folder and the metrics (JSON) of the good trainer for a configuration (JSON)."""
    folder = tempfile.TemporaryDirectory(prefix="rtconform-faulty-")
    return folder, json.dumps(connect(GOOD, "trainer").train(json.loads(config), folder.name))


def _folder_after_an_epoch(config: Mapping[str, Any], name: str) -> Path:
    """What a model is after one epoch of a config."""
    short = {**config, "models": {name: config["models"][name]}}
    used = short["models"][name]["dataset"]
    short["datasets"] = {key: dataset for key, dataset in config["datasets"].items() if key == used}
    folder, _ = _good_run(json.dumps({**short, "training": {"epochs": 1}}))
    return Path(folder.name)


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
        return json.loads(metrics)

    def changed(self, config: dict[str, Any]) -> dict[str, Any]:
        return config

    def spoil(self, layers: list[dict[str, Any]]) -> None:
        """Changes the layers of an exported model."""


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
            if dataset["kind"] in kinds and Path(dataset["path"]).exists():
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


class TrnRecurrentWeightsEmpty(Shell):
    """The cell remembers, but nothing comes back from the outputs: the recurrent weights are zero."""

    def spoil(self, layers: list[dict[str, Any]]) -> None:
        for layer in layers:
            if layer["type"] == "lstm":
                layer["weights"][1] = [[0.0] * len(row) for row in layer["weights"][1]]


class TrnRecurrentWeightsFrozen(Shell):
    """The recurrent weights stay as they were, whatever else is learnt."""

    def train(self, config: Mapping[str, Any], out_dir: str) -> dict[str, Any]:
        metrics = super().train(config, out_dir)
        for name in config["models"]:
            path = Path(out_dir) / f"{name.lower()}.json"
            document, first = (
                json.loads(path.read_text(encoding="utf-8")),
                json.loads((_folder_after_an_epoch(config, name) / path.name).read_text(encoding="utf-8")),
            )
            for layer, before in zip(document["layers"], first["layers"], strict=True):
                if layer["type"] == "lstm":
                    layer["weights"][1] = before["weights"][1]
            path.write_text(json.dumps(document), encoding="utf-8")
        return metrics


class TrnWrongCount(Shell):
    """One unit less in the first hidden layer."""

    def spoil(self, layers: list[dict[str, Any]]) -> None:
        first, second = layers[0], layers[1]
        first["shape"][-1] -= 1
        first["weights"] = [[row[:-1] for row in first["weights"][0]], first["weights"][1][:-1]]
        second["weights"][0] = second["weights"][0][:-1]


class TrnWrongCheckpoint(Shell):
    """The state dicts that it leaves are those of the first epoch, whatever was exported and judged."""

    def train(self, config: Mapping[str, Any], out_dir: str) -> dict[str, Any]:
        metrics = super().train(config, out_dir)
        for name in config["models"]:
            shutil.copy(_folder_after_an_epoch(config, name) / f"{name.lower()}.safetensors", out_dir)
        return metrics


__getattr__: Callable[[str], Callable[[], Any]] = factories(globals(), "trn")
