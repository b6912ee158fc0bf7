"""rtc-host met without the suite's client: lines of JSON written and read by hand, and small models made by hand."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import itertools
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NATIVE = importlib.util.find_spec("rtconform.harness._native")
FOLDER = Path(NATIVE.origin).parent if NATIVE and NATIVE.origin else Path()
FAULTY = FOLDER / "librtc_faulty.so"
FAULTY_STATIC = FOLDER / "librtc_faulty_static.so"
FAULTY_PIPELINES = FOLDER / "librtc_faulty_pipelines.so"
INCLUDE = Path(__file__).parents[2] / "harness" / "native" / "include"

needs_host = pytest.mark.skipif(not (FOLDER / "rtc-host").is_file(), reason="rtc-host is built on Linux only")


class Ended(Exception):
    """The process ended, with this exit status, instead of answering."""

    def __init__(self, status: int) -> None:
        super().__init__(f"rtc-host ended with {status}")
        self.status = status


class Host:
    """One rtc-host process, and the thread that reads its replies. `running` leaves none behind.

    `enter` is called in the new process before it becomes rtc-host.
    """

    def __init__(
        self, library: Path, name: str | None, enter: Callable[[], None] | None = None, role: str = "loader"
    ) -> None:
        self.process = subprocess.Popen(
            [FOLDER / "rtc-host", "--library", library, *([f"--{role}", name] if name is not None else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=enter,  # noqa: PLW1509 - it makes system calls and nothing else
        )
        self._replies: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._seq = 0

    def _read(self) -> None:
        with self.process.stdout:
            for line in self.process.stdout:
                self._replies.put(line)
        self._replies.put("")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def line(self, text: str, timeout: float = 60.0) -> dict[str, Any]:
        """The reply to one line. Raises Ended, or queue.Empty if there is none in time."""
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Ended(self.process.wait(timeout)) from None
        reply = self._replies.get(timeout=timeout)
        if not reply:
            raise Ended(self.process.wait(timeout))
        return json.loads(reply)

    def ask(self, op: str, timeout: float = 60.0, **fields: Any) -> dict[str, Any]:
        """The reply to a request, its seq checked."""
        self._seq += 1
        reply = self.line(json.dumps({"seq": self._seq, "op": op, **fields}), timeout)
        assert reply["seq"] == self._seq
        return reply

    def do(self, op: str, **fields: Any) -> dict[str, Any]:
        """The reply to a request that must succeed."""
        reply = self.ask(op, **fields)
        assert reply["ok"], reply
        return reply

    def loaded(self, path: Path, max_frames: int = 64) -> int:
        """The id of a model that is loaded and prepared."""
        model = self.do("load", path=str(path))["model"]
        self.do("prepare", model=model, max_frames=max_frames)
        return model

    def run(self, model: int, frames: np.ndarray) -> np.ndarray:
        """The outputs `[T, out]` of one process."""
        return unpacked(self.do("process", model=model, frames=packed(frames))["outputs"])


@contextlib.contextmanager
def running(
    library: Path, name: str | None = "good-native", enter: Callable[[], None] | None = None, role: str = "loader"
) -> Iterator[Host]:
    host = Host(library, name, enter, role)
    try:
        yield host
    finally:
        host.close()


def packed(array: np.ndarray) -> dict[str, Any]:
    """An array `[T, C]` as it travels."""
    data = np.ascontiguousarray(array, "<f4").tobytes()
    return {"shape": list(array.shape), "data": base64.b64encode(data).decode()}


def integers(array: dict[str, Any]) -> np.ndarray:
    """An array of integers from a reply, a list of them where there is one column."""
    values = np.frombuffer(base64.b64decode(array["data"]), "<u8").reshape(array["shape"])
    return values[:, 0] if values.shape[1] == 1 else values


def unpacked(array: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(array["data"]), "<f4").reshape(array["shape"])


def noise(frames: int, channels: int, seed: int = 0) -> np.ndarray:
    """Frames `[frames, channels]`, uniform in ±1."""
    return np.random.default_rng(seed).uniform(-1, 1, (frames, channels)).astype(np.float32)


def section(model: int, frames: np.ndarray, sizes: Sequence[int]) -> dict[str, Any]:
    """A section to watch: frames `[T, in]` in blocks of these sizes in turn; the last may be a shorter one."""
    blocks, turns = [], itertools.cycle(sizes)
    while not blocks or sum(blocks) < len(frames):
        blocks.append(min(next(turns), len(frames) - sum(blocks)))
    return {"model": model, "frames": packed(frames), "blocks": blocks}


def dense(inputs: int, outputs: int, activation: str = "", gain: float = 1.0, seed: int = 1) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    shapes = (inputs, outputs), outputs
    weights = [random.uniform(-gain, gain, shape).astype(np.float32).tolist() for shape in shapes]
    return {"type": "dense", "shape": [None, None, outputs], "weights": weights, "activation": activation}


def lstm(inputs: int, size: int, seed: int = 2) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    shapes = (inputs, 4 * size), (size, 4 * size), 4 * size
    weights = [random.uniform(-1, 1, shape).astype(np.float32).tolist() for shape in shapes]
    return {"type": "lstm", "shape": [None, None, size], "weights": weights}


def conv1d(
    random: np.random.Generator, inputs: int, outputs: int, kernel_size: int, dilation: int = 1, groups: int = 1
) -> dict[str, Any]:
    shapes = (kernel_size, inputs // groups, outputs), (outputs,)
    weights = [random.uniform(-1, 1, shape).astype(np.float32).tolist() for shape in shapes]
    further = {"kernel_size": [kernel_size], "dilation": dilation, "groups": groups, "activation": ""}
    return {"type": "conv1d", "shape": [None, None, outputs], "weights": weights, **further}


def model(inputs: int, *layers: dict[str, Any]) -> dict[str, Any]:
    return {"in_shape": [None, None, inputs], "layers": list(layers)}


def recurrent_model() -> dict[str, Any]:
    """3 inputs, an LSTM of 5, 4 outputs: no width that a vector register would like."""
    return model(3, lstm(3, 5), dense(5, 4, "tanh"))


def expected_outputs(file: dict[str, Any], frames: np.ndarray) -> np.ndarray:
    """Outputs `[T, out]` of an LSTM followed by a dense layer with tanh, in float64."""
    (w, u, b), (kernel, bias) = (map(np.array, layer["weights"]) for layer in file["layers"])
    h = c = np.zeros(len(u))
    outputs = []
    for frame in frames:
        i, f, g, o = np.split(frame @ w + h @ u + b, 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        outputs.append(np.tanh(h @ kernel + bias))
    return np.array(outputs)


def written(path: Path, file: dict[str, Any] | str) -> Path:
    """The path, with the model or the text written to it."""
    path.write_text(file if isinstance(file, str) else json.dumps(file), encoding="utf-8")
    return path


def compiled(source: str | Path, folder: Path, *more: str) -> Path:
    """A shared library made of loader.h and one source, a path or a name here, with more options of the compiler.

    Skips where there is no compiler.
    """
    is_c = Path(source).suffix == ".c"
    compiler = shutil.which("cc" if is_c else "c++")
    if compiler is None:
        pytest.skip("no compiler here")
    library = folder / f"lib{Path(source).stem}.so"
    options = ["-std=c99", "-pedantic"] if is_c else ["-std=c++17"]
    options += ["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", f"-I{INCLUDE}"]
    subprocess.run([compiler, *options, Path(__file__).parent / source, *more, "-o", library], check=True)
    return library
