"""What tests of MLBridge share: a folder that plays, one for exports, trainers of a few lines, and what was heard."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rtconform.harness.paths import FIXTURES
from rtconform.reference_models import _plugin_core
from rtconform.reference_models.specs import load_specs

STORED = FIXTURES / "models"
SPECS = load_specs().models
FILES = {name: spec.file for name, spec in SPECS.items()}
SMALL = ["DynamicsEngine", "GroovePredictor"]
"""Two models that are quickly copied and checked."""

ENOUGH = 60.0
"""Seconds that no step of a test needs."""

FOREVER = "time.sleep(1000)\n"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
READY = "print('ready', flush=True)\n"

PRELUDE = """
import json, os, pathlib, shutil, signal, subprocess, sys, time
EXPORTS, STORED = pathlib.Path(os.environ["EXPORTS"]), pathlib.Path(os.environ["STORED"])

def export(*names):
    EXPORTS.mkdir(exist_ok=True)
    for name in names:
        shutil.copyfile(STORED / f"{name.lower()}.json", EXPORTS / f"{name.lower()}.json")

def say(**values):
    print(json.dumps(values), flush=True)

"""
EXPORT_SMALL = f"export(*{SMALL})\n"


def content(folder: Path) -> dict[str, bytes | None]:
    """All that is in a folder, hidden files too; None for what is no file."""
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


def until(condition: Callable[[], Any], what: str) -> None:
    """Waits for something that has to come."""
    end = time.monotonic() + ENOUGH
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.005)


def is_ready(bridge: Any) -> None:
    """Waits until a trainer has come to READY."""
    until(lambda: "ready" in bridge.log(), "the trainer")


class Scene:
    """One folder of each kind below `root`, and what bridges on them reported. `before` is what played first."""

    def __init__(self, root: Path) -> None:
        self.root, self.exports, self.models = root, root / "exports", root / "models"
        self.models.mkdir()
        for file in FILES.values():
            (self.models / file).write_text(f"what plays in the place of {file}")
        self.before = content(self.models)
        self.mark = uuid.uuid4().hex
        self.progress: list[tuple] = []
        self.installed: list[dict[str, str]] = []
        self.ends: list[tuple[str, str]] = []
        self._bridges: list[Any] = []

    def bridge(self, trainer: str | list[str], **options: Any) -> Any:
        """A bridge to a trainer, given as a command or as Python below PRELUDE; of two models unless options say."""
        if isinstance(trainer, str):
            script = self.root / f"trainer-{len(self._bridges)}.py"
            script.write_text(PRELUDE + trainer)
            trainer = [sys.executable, "-S", str(script)]
        environment = {"MARK": self.mark, "EXPORTS": str(self.exports), "STORED": str(STORED)}
        given = {
            "export_folder": str(self.exports),
            "models_folder": str(self.models),
            "required_models": SMALL,
            "on_progress": lambda *values: self.progress.append(values),
            "on_installed": self.installed.append,
            "on_end": lambda *values: self.ends.append(values),
            **options,
            "environment": {**environment, **options.get("environment", {})},
        }
        bridge = _plugin_core.MLBridge(trainer, **given)
        self._bridges.append(bridge)
        return bridge

    def run(self, trainer: str | list[str], **options: Any) -> tuple[str, str]:
        """State and reason at the end of one run, which on_end was told too."""
        bridge = self.bridge(trainer, **options)
        assert bridge.start() is None
        assert bridge.wait(ENOUGH)
        assert self.ends[-1] == bridge.status()
        return bridge.status()

    def plays_as_before(self) -> bool:
        """Nothing was installed, and nothing lies about."""
        return content(self.models) == self.before and not self.installed

    def plays_new(self, names: list[str]) -> bool:
        """These models play as the trainers export them; the others as before; and nothing lies about."""
        new = {FILES[name]: (STORED / FILES[name]).read_bytes() for name in names}
        return content(self.models) == self.before | new

    def close(self) -> None:
        """Destroys all bridges; asserts that no process is left."""
        for bridge in self._bridges:
            bridge.close()
        if sys.platform == "linux":
            until(lambda: not self.processes() and not zombies(), "the end of all processes that a bridge started")

    def processes(self) -> list[int]:
        """The processes that trainers of this scene are, or started, in whatever session they are."""
        return [pid for pid in _numbers() if f"MARK={self.mark}\0".encode() in _read(pid, "environ")]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Bridges and their folders; at the end no process may be left. Skipped where there is no MLBridge."""
    if sys.platform == "win32":
        pytest.skip("MLBridge isn't available on Windows")
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def zombies() -> list[int]:
    """Children of this process that nobody has waited for."""
    states = {pid: _read(pid, "stat").rpartition(b")")[2].split()[:2] for pid in _numbers()}
    return [pid for pid, state in states.items() if state == [b"Z", str(os.getpid()).encode()]]


def _numbers() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""
