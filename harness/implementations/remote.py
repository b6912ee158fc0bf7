"""The roles over protocol 1: loaders, exporters and trainers that live in a process of their own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from . import wire
from .client import Client
from .errors import BadConnection, ImplementationError, Refused
from .module_ref import ModuleRef
from .protocols import Declaration, with_article
from .roles import (
    MAX_FRAMES,
    ExporterImplementation,
    LoadedModel,
    LoaderImplementation,
    LoaderSession,
    Progress,
    TrainerImplementation,
)

START_SECONDS = 60.0
"""The least that a program is given to start and say hello: one that imports torch needs a while on a busy machine."""

EXPORT_SECONDS = 120.0
TRAIN_SECONDS = 1800.0
"""How long an export and a training may take when the caller doesn't say."""


class RemoteModel(LoadedModel):
    """A model in a session's process; `model_id` is the partner's name for it."""

    def __init__(self, client: Client, reply: Mapping[str, Any], max_frames: int) -> None:
        super().__init__(client.who, reply["input_size"], reply["output_size"], max_frames)
        self.model_id = reply["model"]
        self._client = client
        self._closed = False

    def reset(self) -> None:
        self._client.request("reset", {"model": self.model_id})

    def _process(self, frames: np.ndarray) -> np.ndarray:
        reply = self._client.request("process", {"model": self.model_id, "frames": wire.array_to_wire(frames)})
        return self._client.array("process", reply["outputs"])

    def close(self) -> None:
        if not (self._closed or self._client.over):
            self._closed = True
            self._client.request("unload", {"model": self.model_id})

    def abandon(self) -> None:
        # After an exception the session may be over, and then unloading has nothing to say that is news.
        with suppress(ImplementationError):
            self.close()


class RemoteSession(LoaderSession):
    """A loader's process. `pid` is its id."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.noise = client.noise
        self.pid = client.pid

    def load(self, path: str | Path, max_frames: int = MAX_FRAMES) -> RemoteModel:
        reply = self._client.request("load", {"path": str(Path(path).absolute())})
        model = RemoteModel(self._client, reply, max_frames)
        try:
            self._client.request("prepare", {"model": model.model_id, "max_frames": max_frames})
        except ImplementationError:
            model.abandon()
            raise
        return model

    def close(self) -> None:
        self._client.close()

    def abandon(self) -> None:
        self._client.abandon()


class Remote:
    """A command that is started for each session, and greeted once to learn its declaration."""

    role: str
    declaration: Declaration

    def __init__(self, command: Sequence[str], connection: str, *, timeout: float) -> None:
        self.command = list(command)
        self.timeout = timeout
        with self._talking(connection) as (_, declaration):
            super().__init__(declaration, connection)  # type: ignore[call-arg]

    def _start(self, who: str) -> tuple[Client, Declaration]:
        client = Client(self.command, who=who, timeout=self.timeout)
        try:
            declaration = client.hello(self.role, timeout=max(self.timeout, START_SECONDS))
        except Refused as error:
            client.abandon()
            raise BadConnection(
                who=who, expected=f"{with_article(self.role)} that says hello", found=error.message
            ) from None
        except BaseException:
            client.abandon()
            raise
        client.who = declaration.name
        return client, declaration

    @contextmanager
    def _talking(self, who: str) -> Any:
        client, declaration = self._start(who)
        try:
            yield client, declaration
        except BaseException:
            client.abandon()
            raise
        client.close()


class RemoteLoader(Remote, LoaderImplementation):
    """A loader behind a command; a process for each session."""

    role = "loader"

    def open(self) -> RemoteSession:
        return RemoteSession(self._start(self.declaration.name)[0])


class RemoteExporter(Remote, ExporterImplementation):
    """An exporter behind a command; a process for each export."""

    role = "exporter"

    def export(self, module: ModuleRef, path: str | Path, *, timeout: float | None = None) -> None:
        path = Path(path).absolute()
        request = module.to_request() | {"path": str(path)}
        with self._talking(self.declaration.name) as (client, _):
            client.request("export", request, timeout=EXPORT_SECONDS if timeout is None else timeout)
        self._check_written(path)


class RemoteTrainer(Remote, TrainerImplementation):
    """A trainer behind a command; a process for each training.

    `asked_at` is when the last training was asked for, by time.monotonic(): its process has started and said hello.
    """

    role = "trainer"
    asked_at = 0.0

    def train(
        self,
        config: Mapping[str, Any],
        out_dir: str | Path,
        progress: Progress | None = None,
        *,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        request = {"config": dict(config), "out_dir": str(Path(out_dir).absolute())}
        with self._talking(self.declaration.name) as (client, _):
            seconds = TRAIN_SECONDS if timeout is None else timeout
            self.asked_at = time.monotonic()
            return client.request("train", request, timeout=seconds, progress=progress)["metrics"]
