"""What a run is about: which implementations, and which model files they are tried on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from . import five_models
from .rtneural_json import InvalidModel, Model, read

COMPANIONS = ("manifest.json", "metrics.json", "specs.json")
SMALL = five_models.FOLDER / "small"
LARGE_BYTES = 250_000
SMOKE = ("activation-softmax", "conv1d-dilated", "dense-activations", "dense-wide", "keras-lstm", "lstm")
"""The small models that stand for all of them in the smoke profile."""


class UnusableModels(ValueError):
    """`--models` names nothing that can be judged."""


@dataclass(frozen=True)
class ModelCase:
    """One model file. `name` is what it is called in the names of test items."""

    name: str
    path: Path
    is_users: bool = False

    @property
    def beyond_smoke(self) -> bool:
        """Whether the smoke profile leaves it out; never what the user names."""
        if self.is_users:
            return False
        stored = self.path.parent == SMALL
        return self.path.stem not in SMOKE if stored else self.path.stat().st_size > LARGE_BYTES

    @cached_property
    def model(self) -> Model:
        """The parsed file; read once."""
        return read(self.path)


def short_names(connections: Mapping[str, Sequence[str]]) -> Mapping[str, Mapping[str, str]]:
    """{role: {short name: connection}} for {role: connections}; a short name stands for one implementation only."""
    taken: set[str] = set()
    named: dict[str, dict[str, str]] = {}
    for role, texts in connections.items():
        named[role] = {}
        for text in texts:
            base = name = short_name(text)
            count = 1
            while name in taken:
                count += 1
                name = f"{base}~{count}"
            taken.add(name)
            named[role][name] = text
    return named


def short_name(connection: str) -> str:
    """The registered name, the name behind #, or what the path or the factory is called."""
    kind, _, rest = connection.partition(":")
    if kind == "abi":
        path, _, name = rest.partition("#")
        return name or Path(path).stem.removeprefix("lib")
    if kind == "cmd":
        try:
            words = shlex.split(rest)
        except ValueError:  # which connecting reports
            words = rest.split()
        if served := [word for word in words if word.startswith("py:")]:
            return short_name(served[0])
        scripts = [word for word in words if Path(word).suffix]
        return Path((scripts or words or ["cmd"])[0]).stem
    if kind == "py":
        return rest.rpartition(":")[2].replace("_", "-")
    return connection


def stored_cases(group: str) -> list[ModelCase]:
    """The suite's own model files: `five`, `small` (at least one per layer type), or `stored` (both)."""
    cases = []
    if group in ("small", "stored"):
        cases += [ModelCase(path.stem, path) for path in sorted(SMALL.glob("*.json"))]
    if group in ("five", "stored"):
        cases += five_cases()
    return cases


def five_cases(folder: Path = five_models.FOLDER) -> list[ModelCase]:
    """The five reference models in the order of their data flow; those whose file is in the folder."""
    files = [folder / five_models.specs()[stage["model"]]["file"] for stage in five_models.flow()]
    return [ModelCase(path.stem, path) for path in files if path.is_file()]


def user_cases(path: Path) -> list[ModelCase]:
    """The user's model files: one file, or the *.json of a folder, without those that the suite writes beside models.

    Raises UnusableModels when there is nothing to judge, or when one of the files is not a valid model.
    """
    if path.is_dir():
        files, _ = files_of(path)
        if not files:
            raise UnusableModels(f"Expected RTNeural JSON files in {path}, found none. Name a file or another folder.")
    elif path.is_file():
        files = [path]
    else:
        raise UnusableModels(
            f"Expected a model file or a folder of them at {path}, found none. Name another with --models."
        )
    faults = []
    for file in files:
        try:
            read(file)
        except InvalidModel as error:
            faults.append(f"{file} is not a valid RTNeural JSON file: {error}. See `rtconform validate {file}`.")
    if faults:
        raise UnusableModels("\n".join(faults))
    return [ModelCase(file.stem, file.resolve(), is_users=True) for file in files]


def files_of(folder: Path) -> tuple[list[Path], list[Path]]:
    """(models, companions): the *.json files of a folder, and those that the suite itself writes beside models."""
    files = sorted(file for file in folder.glob("*.json") if file.is_file())
    return [file for file in files if file.name not in COMPANIONS], [file for file in files if file.name in COMPANIONS]
