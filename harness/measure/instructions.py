"""Instructions that a loader executes per step, counted by valgrind's callgrind: what no noise can touch.

rtc-host runs under callgrind as it is, with counting switched on for the frames alone. valgrind 3.19 knows no AVX-512:
a library that uses it dies there of an illegal instruction.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..implementations import Crashed, ImplementationError, LoaderImplementation, MeasuringSession, NotAvailable, wire
from ..implementations.host import CommandLoader
from ..implementations.remote import RemoteModel
from .hosts import HostedLoader, is_library

SECONDS = 600.0
"""For one request: loading a model takes ten times as long under valgrind."""

TOTAL = re.compile(r"^totals: (\d+)", re.MULTILINE)


class CountingSession(MeasuringSession):
    """A loader's process under callgrind, which writes its files to `folder`."""

    folder: Path
    _counts = 0

    def count_instructions(self, model: RemoteModel, frames: np.ndarray) -> int:
        """Instructions executed by process() over frames `[T, in]`, one by one from reset. Raises NotAvailable."""
        values = {"model": model.model_id, "frames": wire.array_to_wire(frames)}
        reply = self._client.request("count_instructions", values, timeout=SECONDS)
        if not reply["counted"]:
            raise NotAvailable(who=self._client.who, reason="rtc-host can't talk to callgrind on this processor")
        self._counts += 1
        file = self.folder / f"{self.pid}.{self._counts}"
        try:
            return int(TOTAL.search(file.read_text(encoding="utf-8")).group(1))
        except (OSError, AttributeError):
            reason = f"callgrind was to write its totals to {file.name}, and did not"
            raise NotAvailable(who=self._client.who, reason=reason) from None


class CountingLoader(HostedLoader):
    """A library's loader in an rtc-host that runs under callgrind."""

    def __init__(self, loader: CommandLoader, valgrind: str, folder: Path) -> None:
        options = ["--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/%p"]
        super().__init__(loader, [valgrind, *options], timeout=SECONDS)
        self._folder = folder

    def open(self) -> CountingSession:
        session = CountingSession(self._start(self.declaration.name)[0])
        session.folder = self._folder
        return session


def count(loader: LoaderImplementation, models: Sequence[tuple[Path, np.ndarray]]) -> list[float]:
    """Instructions per frame of each model, a file and frames `[T, in]` for it.

    Raises NotAvailable with the reason where they can't be counted.
    """
    if not is_library(loader):
        raise NotAvailable(who=loader.declaration.name, reason="instructions are counted of abi: loaders only")
    with tempfile.TemporaryDirectory(prefix="rtconform-") as folder:
        try:
            with CountingLoader(loader, _valgrind(loader), Path(folder)).open() as session:
                return [_per_frame(session, path, frames) for path, frames in models]
        except NotAvailable:
            raise
        except Crashed as error:
            reason = f"under valgrind it died of {error.signal}"
            if error.signal == "SIGILL":
                reason += ", as valgrind 3.19 does not know AVX-512; build it for x86-64-v3"
            raise NotAvailable(who=loader.declaration.name, reason=reason) from None
        except ImplementationError as error:
            reason = f"under valgrind: {str(error).splitlines()[0]}"
            raise NotAvailable(who=loader.declaration.name, reason=reason) from None


def _per_frame(session: CountingSession, path: Path, frames: np.ndarray) -> float:
    with session.load(path, max_frames=1) as model:
        return session.count_instructions(model, frames) / len(frames)


def _valgrind(loader: LoaderImplementation) -> str:
    """The program on PATH, or beside this Python, where the set-up of a checkout puts it."""
    found = shutil.which("valgrind") or shutil.which("valgrind", path=str(Path(sys.executable).parent))
    if found is None:
        reason = "counting instructions takes valgrind, and there is none on PATH (Debian: apt-get install valgrind)"
        raise NotAvailable(who=loader.declaration.name, reason=reason)
    return found
