"""Strangers' implementations, connected in each of the three ways, and what connecting says when it can't.

The strangers live in the folder beside this file and import nothing of rtconform.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtconform.harness.implementations import (
    BadConnection,
    MeasuringSession,
    ModuleRef,
    Raised,
    Refused,
    Section,
    connect,
    serve,
)

ROOT = Path(__file__).resolve().parents[2]
STRANGERS = Path(__file__).with_name("strangers")
FRAMES = np.random.default_rng(3).normal(size=(9, 3)).astype(np.float32)
WAYS = ("py", "cmd", "abi")


@pytest.fixture(autouse=True)
def _strangers_can_be_imported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(STRANGERS))


@pytest.fixture(scope="session")
def c99_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C99 stranger, compiled against a copy of the header that stands alone in a folder."""
    compiler = shutil.which("cc") or pytest.skip("no C compiler here")
    folder = tmp_path_factory.mktemp("c99")
    header = folder / "include" / "rtconform" / "loader.h"
    header.parent.mkdir(parents=True)
    shutil.copy(ROOT / "harness/native/include/rtconform/loader.h", header)
    library = folder / "libc99_loader.so"
    flags = [
        "-std=c99",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-shared",
        "-fPIC",
        "-I",
        str(folder / "include"),
    ]
    subprocess.run([compiler, *flags, str(STRANGERS / "c99_loader.c"), "-o", str(library), "-lm"], check=True)
    return library


def script(name: str) -> str:
    return "cmd:" + shlex.join([sys.executable, str(STRANGERS / name)])


@pytest.fixture
def loader_by(request: pytest.FixtureRequest):
    """Connect the stranger that goes by one of the three ways."""

    def connected(way: str, **options: Any):
        texts = {"py": "py:numpy_loader:NumpyLoader", "cmd": script("stdio_loader.py")}
        text = f"abi:{request.getfixturevalue('c99_library')}" if way == "abi" else texts[way]
        return connect(text, "loader", **options)

    return connected


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """Two dense layers, 3 → 4 (tanh) → 2."""
    draw = np.random.default_rng(1).normal
    layers = [
        {
            "type": "dense",
            "shape": [None, 4],
            "activation": "tanh",
            "weights": [draw(size=(3, 4)).tolist(), draw(size=4).tolist()],
        },
        {
            "type": "dense",
            "shape": [None, 2],
            "activation": "",
            "weights": [draw(size=(4, 2)).tolist(), draw(size=2).tolist()],
        },
    ]
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"in_shape": [None, 3], "layers": layers}))
    return path


def by_hand(path: Path, frames: np.ndarray) -> np.ndarray:
    (w0, b0), (w1, b1) = (layer["weights"] for layer in json.loads(path.read_text())["layers"])
    return np.tanh(frames.astype(np.float64) @ w0 + b0) @ np.array(w1) + b1


class TestLoaders:
    @pytest.mark.parametrize("way", WAYS)
    def test_a_stranger_computes_through_each_connection(self, way: str, loader_by, model_file: Path):
        """A loader by py:, cmd: and abi: gives the outputs that the file stands for."""
        with loader_by(way).open() as session, session.load(model_file) as model:
            assert (model.input_size, model.output_size) == (3, 2)
            outputs = model.process(FRAMES)
            assert outputs.dtype == np.float32
            np.testing.assert_allclose(outputs, by_hand(model_file, FRAMES), rtol=0, atol=1e-5)

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("block", [1, 2, 9, 4096, (0, 1, 3)])
    def test_blocks_change_nothing(self, way: str, block: Any, loader_by, model_file: Path):
        """However a signal is cut, the outputs are the same."""
        with loader_by(way).open() as session, session.load(model_file) as model:
            assert model.process(FRAMES, block).tobytes() == model.process(FRAMES).tobytes()

    @pytest.mark.parametrize("way", WAYS)
    def test_no_frames_are_a_call_of_their_own(self, way: str, loader_by, model_file: Path):
        """An empty signal reaches the implementation and comes back empty."""
        with loader_by(way).open() as session, session.load(model_file) as model:
            assert model.process(FRAMES[:0]).shape == (0, 2)

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize(("text", "phase"), [(None, "read"), ('{"in_shape":', "parse")])
    def test_files_that_cannot_be_read_or_parsed_are_refused(self, way, text, phase, loader_by, tmp_path: Path):
        """A refusal says how far the load got, by every connection."""
        path = tmp_path / "bad.json"
        if text is not None:
            path.write_text(text)
        with loader_by(way).open() as session, pytest.raises(Refused) as refused:
            session.load(path)
        assert refused.value.phase == phase and refused.value.op == "load"

    @pytest.mark.parametrize("way", WAYS)
    def test_a_refusal_keeps_its_json_path(self, way: str, loader_by, model_file: Path):
        """An unknown layer is refused with the place where it stands."""
        description = json.loads(model_file.read_text())
        description["layers"][1]["type"] = "attention"
        model_file.write_text(json.dumps(description))
        with loader_by(way).open() as session, pytest.raises(Refused) as refused:
            session.load(model_file)
        assert refused.value.phase == "validate"
        assert refused.value.json_path.startswith("$.layers[1]")

    @pytest.mark.parametrize("way", ["cmd", "abi"])
    def test_each_session_is_a_process_of_its_own(self, way: str, loader_by):
        """Two sessions of a loader share no process."""
        loader = loader_by(way)
        with loader.open() as one, loader.open() as other:
            assert one.pid != other.pid

    def test_a_python_loader_can_be_put_into_a_process(self, model_file: Path, monkeypatch: pytest.MonkeyPatch):
        """Served by a program, a py: loader keeps its identity and its outputs to the bit."""
        monkeypatch.setenv("PYTHONPATH", str(STRANGERS))
        text = "py:numpy_loader:NumpyLoader"
        here = connect(text, "loader")
        apart = connect(f"cmd:{sys.executable} -m {serve.__name__} {text} --role loader", "loader")
        assert apart.declaration == here.declaration
        with here.open() as session, apart.open() as isolated:
            outputs = session.load(model_file).process(FRAMES)
            assert isolated.load(model_file).process(FRAMES).tobytes() == outputs.tobytes()
            with pytest.raises(Refused) as refused:
                isolated.load(model_file.with_name("missing.json"))
        assert (refused.value.phase, refused.value.class_name) == ("read", "FileNotFoundError")

    def test_state_carries_until_reset(self, tmp_path: Path):
        """A recurrent stranger goes on where it stopped, and starts anew after reset."""
        draw = np.random.default_rng(2).normal
        weights = [draw(size=(3, 8)).tolist(), draw(size=(2, 8)).tolist(), draw(size=8).tolist()]
        path = tmp_path / "lstm.json"
        path.write_text(
            json.dumps({"in_shape": [None, 3], "layers": [{"type": "lstm", "shape": [None, 2], "weights": weights}]})
        )
        with connect("py:numpy_loader:NumpyLoader", "loader").open() as session:
            model = session.load(path)
            whole = model.process(FRAMES)
            assert model.process(FRAMES).tobytes() != whole.tobytes()
            model.reset()
            parts = np.concatenate([model.process(FRAMES[:4]), model.process(FRAMES[4:])])
            assert parts.tobytes() == whole.tobytes()

    @pytest.mark.parametrize("frames", [np.zeros(3), np.zeros((2, 4)), np.zeros((1, 2, 3))])
    def test_frames_of_another_shape_are_our_own_mistake(self, frames: np.ndarray, model_file: Path):
        """Frames that don't fit the model never reach it."""
        session = connect("py:numpy_loader:NumpyLoader", "loader").open()
        with pytest.raises(ValueError, match=r"\[T, 3\]"):
            session.load(model_file).process(frames)


class TestLibraries:
    def test_a_library_can_be_measured_from_inside(self, c99_library: Path, model_file: Path):
        """rtc-host watches, times and weighs a stranger's library."""
        loader = connect(f"abi:{c99_library}", "loader")
        flow = [{"model": "Only", "inputs": [{"from": "audio", "begin": 2, "end": 5}]}]
        audio = np.tile(FRAMES, (1, 2))
        with loader.open() as session:
            assert isinstance(session, MeasuringSession)
            before = session.environment()
            with session.load(model_file) as model:
                watched = session.watch([Section("noise", model, FRAMES, (2, 0, 7))])
                latency = session.measure_latency({"Only": model}, flow, audio, warmup=5, reset_every=len(audio))
                blocks = session.measure_blocks(model, FRAMES, block=2)
                with session.load(model_file) as other:
                    together = session.process_together([(model, FRAMES), (other, FRAMES[:5])], block=2, passes=3)
                model.reset()
                expected = model.process(audio[:, 2:5])
                model.reset()
                assert watched.outputs[0].tobytes() == model.process(FRAMES).tobytes()
            memory = session.measure_memory([model_file], cycles=3)
            assert session.environment() == before
        assert watched.offences == ()
        assert [outputs.tobytes() for outputs in together.outputs] == [
            watched.outputs[0].tobytes(),
            watched.outputs[0][:5].tobytes(),
        ]
        assert together.mismatches == 0
        assert {len(samples) for name, samples in latency.samples().items() if name != "wake_ns"} == {len(audio) - 5}
        assert latency.outputs["Only"].tobytes() == expected.tobytes()
        assert len(blocks.wall_ns) == len(blocks.cpu_ns) == -(-len(FRAMES) // 2)
        assert 0 < memory.live_bytes <= memory.peak_bytes and memory.leak_bytes_per_cycle == 0

    def test_a_loader_that_a_library_lacks_is_told_with_those_it_has(self, c99_library: Path):
        """A wrong name behind # is answered with the right ones."""
        with pytest.raises(BadConnection, match="it has: c99-stranger"):
            connect(f"abi:{c99_library}#other", "loader")

    def test_a_file_that_is_no_library_is_a_bad_connection(self, tmp_path: Path):
        """The dynamic linker's reason is passed on."""
        path = tmp_path / "lib.so"
        path.write_text("not an object file")
        with pytest.raises(BadConnection, match="can't be opened"):
            connect(f"abi:{path}", "loader")


class TestExporters:
    WAYS = ("py:tiny_exporter:TinyExporter", script("stdio_exporter.py"))

    @pytest.fixture(autouse=True)
    def _torch(self):
        pytest.importorskip("torch")

    @pytest.mark.parametrize("way", WAYS)
    def test_a_stored_module_arrives_with_its_weights(self, way: str, tmp_path: Path):
        """A module travels by the name of its factory, its arguments and a state dict; the file holds its weights."""
        from safetensors.torch import save_file

        weights = tmp_path / "weights.safetensors"
        module = ModuleRef("nets:two_layers", {"hidden": 5}, sys_path=(str(STRANGERS),)).build()
        save_file(module.state_dict(), weights)
        reference = ModuleRef("nets:two_layers", {"hidden": 5}, weights, (str(STRANGERS),))
        connect(way, "exporter").export(reference, tmp_path / "out.json")
        layers = json.loads((tmp_path / "out.json").read_text())["layers"]
        assert [layer["type"] for layer in layers] == ["dense", "activation", "dense"]
        assert np.array_equal(np.float32(layers[0]["weights"][0]), module[0].weight.T.detach().numpy())

    @pytest.mark.parametrize("way", WAYS)
    def test_a_refusal_names_the_module(self, way: str, tmp_path: Path):
        """A module without counterpart is refused by its qualified name, and no file is demanded."""
        reference = ModuleRef("nets:with_gelu", sys_path=(str(STRANGERS),))
        with pytest.raises(Refused) as refused:
            connect(way, "exporter").export(reference, tmp_path / "out.json")
        assert (refused.value.phase, refused.value.class_name) == ("unsupported", "UnsupportedModule")
        assert refused.value.message.startswith("1: GELU")


class TestTrainers:
    WAYS = ("py:toy_trainer:ToyTrainer", script("stdio_trainer.py"))

    @pytest.mark.parametrize("way", WAYS)
    def test_a_training_reports_progress_and_metrics(self, way: str, tmp_path: Path):
        """A trainer writes into the folder it is given, tells how far it is, and returns its metrics."""
        steps: list[Mapping[str, Any]] = []
        config = {"epochs": 20, "learning_rate": 0.25}
        metrics = connect(way, "trainer").train(config, tmp_path / "out", steps.append)
        assert [step["epoch"] for step in steps] == list(range(20))
        assert metrics["loss"] == steps[-1]["loss"] < 1e-6
        assert json.loads((tmp_path / "out" / "toy.json").read_text())["weight"] == pytest.approx(2)

    @pytest.mark.parametrize("way", WAYS)
    def test_a_config_that_makes_no_sense_is_refused(self, way: str, tmp_path: Path):
        """An unknown key is refused in the phase "config"."""
        with pytest.raises(Refused) as refused:
            connect(way, "trainer").train({"epoch": 1}, tmp_path)
        assert refused.value.phase == "config" and "unknown key 'epoch'" in refused.value.message


class TestPipelines:
    def test_a_pipeline_runs_in_process(self, tmp_path: Path):
        """Frames go in, results come out at the next poll, and the session is closed at the end."""
        (tmp_path / "Emotion").touch()
        with connect("py:echo_pipeline:EchoPipeline", "pipeline").open(tmp_path) as session:
            session.submit(7, np.arange(128, dtype=np.float32))
            (result,) = session.poll()
            assert (
                result["id"] == 7 and result["fallback"] == {"Emotion": False} and result["version"] == {"Emotion": 1}
            )
            assert result["outputs"]["Emotion"].tolist() == [0, 1, 2, 3]
            assert session.poll() == [] and session.capacity is None
            assert session.status() == {"Emotion": {"state": "loaded", "reason": "", "version": 1}}
            assert session.reload() is None
            assert session.status()["Emotion"]["version"] == 2
            with pytest.raises(Raised, match="KeyError in reload"):
                session.reload("Nobody")
            other = session.beside(tmp_path)
            other.submit(8, np.zeros(128, np.float32))
            assert session.poll() == [] and [result["id"] for result in other.poll()] == [8]
            live = session._live
        assert live.closed and not other._live.closed


def test_the_strangers_import_nothing_of_rtconform():
    """They prove that nobody has to."""
    for path in [*STRANGERS.glob("*.py"), *STRANGERS.glob("*.[ch]")]:
        lines = [line for line in path.read_text().splitlines() if line.startswith(("import ", "from ", "#include"))]
        assert [line for line in lines if "rtconform" in line] in ([], ["#include <rtconform/loader.h>"]), path
