"""An implementation as the judge holds it: the same few calls however it was connected.

Subclasses in `python` (in process) and `remote` (a child process) fill in the underscored methods. What must hold for
every connection is here: how frames are cut into blocks, and that the outputs have the shape and type they must have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from .errors import ProtocolViolation, WrongSize
from .module_ref import ModuleRef
from .protocols import Declaration

MAX_FRAMES = 4096
"""The longest block that the C ABI allows, in frames."""

Blocks = int | Sequence[int] | None
"""How a signal is cut: None for blocks as long as allowed, a length, or lengths that are used in turn."""

Progress = Callable[[Mapping[str, Any]], None]


class Implementation:
    """Something connected: who it says it is, and how it was reached.

    `connection` is the text that the user gave.
    """

    def __init__(self, declaration: Declaration, connection: str) -> None:
        self.declaration = declaration
        self.connection = connection

    def __repr__(self) -> str:
        return f"<{self.declaration.identity} by {self.connection}>"


class Closing:
    """A context manager that closes what it holds, or abandons it after an exception."""

    def close(self) -> None:
        """Give everything back. A second call does nothing."""

    def abandon(self) -> None:
        """Give everything back without a word about what goes wrong in it."""
        self.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()


class LoadedModel(Closing, ABC):
    """A model in a loader. `input_size` and `output_size` are floats per frame, `max_frames` the longest block."""

    def __init__(self, who: str, input_size: int, output_size: int, max_frames: int) -> None:
        self.who = who
        self.input_size = input_size
        self.output_size = output_size
        self.max_frames = max_frames

    @abstractmethod
    def reset(self) -> None:
        """Set all state to what it was after loading."""

    def process(self, frames: np.ndarray, block: Blocks = None) -> np.ndarray:
        """Run frames `[T, input_size]` through the model and return `[T, output_size]`, float32, state carried.

        `block` says how the frames are cut into calls; a length of 0 makes a call with no frames.
        Raises WrongSize for frames of another size, ValueError for blocks that cannot be, and any ImplementationError.
        """
        frames = np.ascontiguousarray(frames, dtype="<f4")
        if frames.ndim != 2:
            raise ValueError(f"frames must have the shape [T, {self.input_size}], not {list(frames.shape)}")
        if frames.shape[1] != self.input_size:
            raise WrongSize(who=self.who, op="process", shape=frames.shape, input_size=self.input_size)
        return np.concatenate([self._checked(frames[a:b]) for a, b in cut(len(frames), block, self.max_frames)])

    def _checked(self, frames: np.ndarray) -> np.ndarray:
        outputs = self._process(frames)
        expected = (len(frames), self.output_size)
        if outputs.dtype != np.float32 or outputs.shape != expected:
            raise ProtocolViolation(
                who=self.who,
                op="process",
                expected=f"float32 outputs of shape {list(expected)} for {len(frames)} frames",
                found=f"{outputs.dtype} of shape {list(outputs.shape)}",
            )
        return outputs

    @abstractmethod
    def _process(self, frames: np.ndarray) -> np.ndarray:
        """One call of the implementation's own process on one block."""


class LoaderSession(Closing, ABC):
    """A loader at work. For abi: and cmd: it is a process of its own, so that no case can touch the next.

    `noise` collects (op, text) for what the implementation printed to standard output inside a call; None in process,
    where it has no standard output of its own.
    """

    noise: list[tuple[str, str]] | None = None

    @abstractmethod
    def load(self, path: str | Path, max_frames: int = MAX_FRAMES) -> LoadedModel:
        """Load a file and prepare it for blocks of up to `max_frames`. Raises Refused and every ImplementationError."""


class LoaderImplementation(Implementation, ABC):
    """A connected loader."""

    @abstractmethod
    def open(self) -> LoaderSession:
        """Start a session, to be used in a `with` statement."""


class ExporterImplementation(Implementation, ABC):
    """A connected exporter."""

    @abstractmethod
    def export(self, module: ModuleRef, path: str | Path, *, timeout: float | None = None) -> None:
        """Export a module to a file. Raises Refused with phase "unsupported", and every ImplementationError."""

    def _check_written(self, path: Path) -> None:
        if not path.is_file():
            raise ProtocolViolation(
                who=self.declaration.name,
                op="export",
                expected=f"a file at {path}",
                found="no refusal, and no file either",
            )


class TrainerImplementation(Implementation, ABC):
    """A connected trainer."""

    @abstractmethod
    def train(
        self,
        config: Mapping[str, Any],
        out_dir: str | Path,
        progress: Progress | None = None,
        *,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Train and return the metrics; `progress` gets a mapping now and then.

        Raises Refused with phase "config" for a config that makes no sense, and every ImplementationError.
        """


class PipelineSession(Closing, ABC):
    """A pipeline at work on a folder of models; the methods are those of `protocols.LivePipeline`.

    `capacity` is how many frames can be pending, handed over and not yet polled; None if there is always room. `noise`
    is as that of a loader.
    """

    capacity: int | None = None
    noise: list[tuple[str, str]] | None = None

    @abstractmethod
    def submit(self, frame_id: int, audio: np.ndarray) -> bool:
        """Hand over one frame of 128 float32 features; False where there was no room."""

    @abstractmethod
    def poll(self) -> list[dict[str, Any]]:
        """The results since the last poll, checked for their form; outputs are float32 arrays."""

    @abstractmethod
    def reload(self, name: str | None = None) -> bool | None:
        """Read one model's file again, or all. False if a file was refused, None if the pipeline doesn't say."""

    @abstractmethod
    def status(self) -> dict[str, dict[str, Any]]:
        """Per model its state, the reason for it, and the version that plays."""

    @abstractmethod
    def beside(self, models_dir: str | Path) -> PipelineSession:
        """Another pipeline of the same implementation in the same process, on a folder of its own."""


class PipelineImplementation(Implementation, ABC):
    """A connected pipeline."""

    @abstractmethod
    def open(self, models_dir: str | Path) -> PipelineSession:
        """Start on the models in a folder, to be used in a `with` statement."""


def cut(frames: int, block: Blocks, max_frames: int) -> Iterator[tuple[int, int]]:
    """The (begin, end) pairs that cut a signal into blocks, the last shortened to fit; no frames are one empty block.

    Raises ValueError for a length below 0 or above `max_frames`, and for lengths that never get anywhere.
    """
    lengths = [max_frames] if block is None else [block] if isinstance(block, int) else list(block)
    if not lengths or min(lengths) < 0 or max(lengths) > max_frames or (frames and max(lengths) == 0):
        raise ValueError(f"block must be lengths from 0 to {max_frames}, one of them above 0, not {block!r}")
    if frames == 0:
        yield 0, 0
    begin = 0
    for length in cycle(lengths):
        if begin >= frames:
            return
        end = min(begin + length, frames)
        yield begin, end
        begin = end
