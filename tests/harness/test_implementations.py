"""Strangers' implementations, connected in each of the three ways, and what connecting says when it can't.

The strangers live in the folder beside this file and import nothing of rtconform.
"""

from __future__ import annotations

import json
import pickle
import re
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
    AbiLoader,
    BadConnection,
    Crashed,
    Declaration,
    Exited,
    MeasuringSession,
    ModuleRef,
    NotAvailable,
    ProtocolViolation,
    Raised,
    Refused,
    adopt,
    connect,
    registered_names,
)
from rtconform.harness.implementations.roles import cut

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
        """Isolated, a py: loader keeps its identity and its outputs to the bit."""
        monkeypatch.setenv("PYTHONPATH", str(STRANGERS))
        here = connect("py:numpy_loader:NumpyLoader", "loader")
        apart = connect("py:numpy_loader:NumpyLoader", "loader", isolate=True)
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
                watched = session.watch(model, FRAMES, block=2)
                latency = session.measure_latency({"Only": model}, flow, audio, steps=30, warmup=5)
                with session.load(model_file) as other:
                    together = session.process_together([(model, FRAMES), (other, FRAMES[:5])], block=2, passes=3)
                model.reset()
                expected = model.process(audio[:, 2:5])
                model.reset()
                assert watched.outputs.tobytes() == model.process(FRAMES).tobytes()
            memory = session.measure_memory([model_file], cycles=3)
            assert session.environment() == before
        assert watched.offences == ()
        assert [outputs.tobytes() for outputs in together.outputs] == [
            watched.outputs.tobytes(),
            watched.outputs[:5].tobytes(),
        ]
        assert together.mismatches == 0
        assert len(latency.wall_ns) == len(latency.cpu_ns) == len(latency.preemptions) == 30 and latency.mismatches == 0
        assert latency.outputs["Only"].tobytes() == expected.tobytes()
        assert 0 < memory.live_bytes <= memory.peak_bytes and memory.leak_bytes_per_cycle == 0

    def test_the_gdb_line_names_the_host_and_the_library(self, c99_library: Path):
        """A crash can be looked into by pasting one line."""
        loader = connect(f"abi:{c99_library}#c99-stranger", "loader")
        assert isinstance(loader, AbiLoader)
        assert loader.gdb_line.startswith("gdb --args ") and "rtc-host" in loader.gdb_line
        assert loader.gdb_line.endswith(f"--library {c99_library} --loader c99-stranger")

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

    def test_an_export_without_a_file_is_a_violation(self, tmp_path: Path):
        """An exporter that neither refuses nor writes has not exported."""
        exporter = adopted("exporter", export=lambda module, path: None)
        with pytest.raises(ProtocolViolation, match="no refusal, and no file either"):
            exporter.export(ModuleRef("nets:two_layers"), tmp_path / "out.json")

    def test_other_exceptions_are_no_refusals(self, tmp_path: Path):
        """Only an exception with the agreed name counts as saying no."""
        exporter = adopted("exporter", export=lambda module, path: {}["weights"])
        with pytest.raises(Raised, match="raised KeyError in export"):
            exporter.export(ModuleRef("nets:two_layers"), tmp_path / "out.json")


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

    def test_metrics_must_be_a_mapping(self, tmp_path: Path):
        """A trainer that returns something else is told."""
        with pytest.raises(ProtocolViolation, match="a mapping of metrics"):
            adopted("trainer", train=lambda config, out_dir: 0.5).train({}, tmp_path)


class TestPipelines:
    def test_a_pipeline_runs_in_process(self, tmp_path: Path):
        """Frames go in, results come out at the next poll, and the session is closed at the end."""
        (tmp_path / "Emotion").touch()
        with connect("py:echo_pipeline:EchoPipeline", "pipeline").open(tmp_path) as session:
            session.submit(7, np.arange(128, dtype=np.float32))
            (result,) = session.poll()
            assert result["id"] == 7 and result["fallback"] == {"Emotion": False}
            assert result["outputs"]["Emotion"].tolist() == [0, 1, 2, 3]
            assert session.poll() == []
            assert session.status() == {"Emotion": {"state": "loaded", "reason": ""}}
            session.reload()
            with pytest.raises(Raised, match="KeyError in reload"):
                session.reload("Nobody")
            live = session._live
        assert live.closed

    def test_a_pipeline_may_reuse_its_buffers(self, tmp_path: Path):
        """Results stay as they were polled."""
        buffer = np.zeros(4, np.float32)

        def poll() -> list[dict[str, Any]]:
            buffer[:] += 1
            return [{"id": 1, "outputs": {"Emotion": buffer}, "fallback": {}}]

        methods = dict.fromkeys(("submit", "reload", "status", "close"), lambda *args: None)
        with adopted("pipeline", open=lambda folder: methods | {"poll": poll}).open(tmp_path) as session:
            first = session.poll()
            session.poll()
        assert first[0]["outputs"]["Emotion"].max() == 1

    def test_a_result_of_another_form_is_a_violation(self, tmp_path: Path):
        """Results are checked for their form."""
        methods = dict.fromkeys(("submit", "reload", "status", "close"), lambda *args: None)
        pipeline = adopted("pipeline", open=lambda folder: methods | {"poll": lambda: [{"id": 1}]})
        with pytest.raises(ProtocolViolation, match="results of the form"), pipeline.open(tmp_path) as session:
            session.poll()

    @pytest.mark.parametrize("text", ["cmd:cat", f"abi:{__file__}"])
    def test_a_pipeline_connects_by_py_only(self, text: str):
        """The other ways are refused with a word on what to do."""
        with pytest.raises(BadConnection, match="py:"):
            connect(text, "pipeline")


def adopted(role: str, **methods: Any):
    return adopt({"declares": {"name": "mine", "version": "1"}, **methods}, role, "py:here:mine")


def odd_model(**members: Any) -> Any:
    """A loader whose model differs from a good one in some members."""
    good = {"input_size": 3, "output_size": 2, "reset": lambda: None, "process": lambda frames: None}
    return adopted("loader", load=lambda path: good | members)


class TestObjects:
    @pytest.mark.parametrize(
        "model", [{"input_size": "3"}, {"output_size": 0}, {"reset": None}, {"process": None}, {"input_size": None}]
    )
    def test_a_model_without_its_members_is_a_violation(self, model: dict[str, Any]):
        """A load that returns something else than a model has not loaded."""
        with (
            odd_model(**model).open() as session,
            pytest.raises(ProtocolViolation, match="a model with integers input_size"),
        ):
            session.load("model.json")

    @pytest.mark.parametrize(
        ("outputs", "found"),
        [
            (np.zeros((9, 2)), "float64 of shape [9, 2]"),
            (np.zeros((8, 2), np.float32), "float32 of shape [8, 2]"),
            (np.zeros(18, np.float32), "float32 of shape [18]"),
            (None, "object of shape []"),
            ([[1.0], [1.0, 2.0]], "list: "),
        ],
    )
    def test_outputs_have_their_shape_and_type(self, outputs: Any, found: str):
        """Outputs are float32, a row for each frame."""
        with odd_model(process=lambda frames: outputs).open() as session:
            model = session.load("model.json")
            with pytest.raises(ProtocolViolation) as caught:
                model.process(FRAMES)
        assert caught.value.found.startswith(found)

    def test_exceptions_in_process_are_values_with_their_traceback(self):
        """What a model raises is reported with the line that raised it."""
        with odd_model(process=lambda frames: frames @ np.zeros(1)).open() as session:
            model = session.load("model.json")
            with pytest.raises(Raised) as raised:
                model.process(FRAMES)
        assert raised.value.class_name == "ValueError" and "frames @ np.zeros(1)" in str(raised.value)

    def test_an_exit_in_process_does_not_end_the_run(self):
        """sys.exit in a py: implementation is the verdict that it is in a child process."""
        with odd_model(reset=lambda: sys.exit(4)).open() as session, pytest.raises(Exited) as exited:
            session.load("model.json").reset()
        assert exited.value.returncode == 4

    def test_a_model_may_write_to_its_input_and_reuse_its_buffer(self):
        """Neither shows outside: the caller's frames stay, and so do earlier outputs."""
        buffer = np.zeros((9, 2), np.float32)

        def process(frames: np.ndarray) -> np.ndarray:
            frames[:] = 0
            buffer[:] += 1
            return buffer

        with odd_model(process=process).open() as session:
            model = session.load("model.json")
            frames = FRAMES.copy()
            first = model.process(frames)
            model.process(frames)
        assert np.array_equal(frames, FRAMES) and first.max() == 1


class TestConnecting:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("nothing-like-this", "expected: py:package.module:factory, abi:path/lib.so, cmd:program"),
            ("mine/build/libmine.so", "did you mean abi:mine/build/libmine.so?"),
            ("numpy_loader:NumpyLoader", "did you mean py:numpy_loader:NumpyLoader?"),
            ("cat --flag", "did you mean cmd:cat --flag?"),
            ("py:numpy_loader", "no factory behind a second colon"),
            ("py:numpy_loader:NumpyLoadr", "did you mean NumpyLoader?"),
            ("py:no_such_module:factory", "no module named no_such_module"),
            ("py:json:dumps.nothing", "dumps.nothing in the module json"),
            ("py:toy_trainer:ToyTrainer", "an object with a method load"),
            ("abi:no/such/lib.so", "no file at"),
            ("abi:.", "a folder at"),
            ("cmd:", "a program after cmd:"),
            ("cmd:python3 'unfinished", "No closing quotation"),
        ],
    )
    def test_texts_that_lead_nowhere_say_what_to_do(self, text: str, message: str):
        """A connection string that can't be followed is answered with what was expected, and the nearest that works."""
        with pytest.raises(BadConnection) as caught:
            connect(text, "loader")
        assert message in str(caught.value)

    def test_an_unknown_role_is_our_own_mistake(self):
        """Roles are a closed list."""
        with pytest.raises(ValueError, match="role must be one of loader, exporter"):
            connect("py:numpy_loader:NumpyLoader", "singer")

    @pytest.fixture
    def registered(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """Write an installed package with entry points and a module stranger_names behind them."""

        def register(source: str, **names: str) -> None:
            info = tmp_path / "stranger-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
            lines = [f"{name.replace('_', '-')} = {target}" for name, target in names.items()]
            (info / "entry_points.txt").write_text("\n".join(["[rtconform.implementations]", *lines]))
            (tmp_path / "stranger_names.py").write_text(source)
            monkeypatch.delitem(sys.modules, "stranger_names", raising=False)
            monkeypatch.syspath_prepend(str(tmp_path))

        yield register
        sys.modules.pop("stranger_names", None)

    def test_a_name_stands_for_a_text(self, registered):
        """An entry point may return a connection string; the name stays what the user gave."""
        registered("def mine(): return 'py:numpy_loader:NumpyLoader'", numpy_mine="stranger_names:mine")
        loader = connect("numpy-mine", "loader")
        assert (loader.connection, loader.resolved) == ("numpy-mine", "py:numpy_loader:NumpyLoader")
        assert loader.declaration.name == "numpy-stranger" and "numpy-mine" in registered_names()

    def test_a_name_stands_for_an_object(self, registered):
        """An entry point may return the implementation itself."""
        registered("from numpy_loader import NumpyLoader as mine", numpy_mine="stranger_names:mine")
        assert connect("numpy-mine", "loader").declaration.identity == "numpy-stranger 0.3 (loader; f32)"

    def test_a_name_that_is_nearly_right_is_told(self, registered):
        """A misspelt name is answered with the one that was meant."""
        registered("", numpy_mine="stranger_names:mine")
        with pytest.raises(BadConnection, match="did you mean numpy-mine"):
            connect("numpy-mein", "loader")

    def test_what_is_not_available_says_why(self, registered):
        """A factory that raises NotAvailable, of whatever module, is not available and no failure."""
        source = "class NotAvailable(Exception): pass\ndef mine(): raise NotAvailable('needs an Atari')"
        registered(source, atari="stranger_names:mine")
        with pytest.raises(NotAvailable, match="atari is not available here: needs an Atari"):
            connect("atari", "loader")

    def test_a_missing_dependency_makes_it_not_available(self, registered):
        """A module that imports what is not installed is told by the name of what is missing."""
        registered("import no_such_dependency", mine="stranger_names:mine")
        with pytest.raises(NotAvailable, match="needs the module no_such_dependency"):
            connect("mine", "loader")

    def test_a_factory_that_fails_is_reported_as_a_failure(self, registered):
        """Any other exception of a factory keeps its own words."""
        registered("def mine(): return 1 / 0", mine="stranger_names:mine")
        with pytest.raises(Raised, match="raised ZeroDivisionError in connect"):
            connect("mine", "loader")

    def test_a_name_cannot_stand_for_another_name(self, registered):
        """Names don't chain, so they can't go in circles."""
        registered("def mine(): return 'mine'", mine="stranger_names:mine")
        with pytest.raises(BadConnection, match="from the entry point mine"):
            connect("mine", "loader")


class TestDeclarations:
    GOOD: Mapping[str, Any] = {"name": "mine", "version": "1", "role": "loader", "layer_types": ["dense"]}

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"name": ""}, "name must be a text that is not empty, not ''"),
            ({"version": 3}, "version must be a text that is not empty, not 3"),
            ({"role": "singer"}, "role must be one of loader, exporter, trainer, pipeline, not 'singer'"),
            ({"layer_types": "dense"}, "layer_types must be a list of texts, not 'dense'"),
            ({"features": [1]}, "features must be a list of texts, not [1]"),
            ({"build": {"flags": None}}, "build must map texts to texts"),
            ({"layer_type": []}, "unknown key 'layer_type'; did you mean 'layer_types'?"),
        ],
    )
    def test_mistakes_are_told_with_what_was_expected(self, change: dict[str, Any], message: str):
        """Each key that makes no sense is named with what it should be."""
        with pytest.raises(ValueError, match=re.escape(message)):
            Declaration.from_dict({**self.GOOD, **change})

    def test_a_declaration_survives_the_wire(self):
        """Written and read again it is the same."""
        declaration = Declaration.from_dict({**self.GOOD, "build": {"compiler": "g++ 12", "source_hash": "abc"}})
        assert Declaration.from_dict(declaration.to_dict()) == declaration

    def test_the_identity_tells_builds_apart(self):
        """Compiler, flags and source hash are part of who it is."""
        build = {"compiler": "g++ 12.2", "flags": "-O3", "source_hash": "0123456789abcdef"}
        identity = Declaration.from_dict({**self.GOOD, "build": build}).identity
        assert identity == "mine 1 (loader; f32; g++ 12.2; -O3; source 0123456789ab)"

    def test_declaring_nothing_shows(self):
        """A loader without layer types is allowed, and visible as one."""
        declaration = Declaration.from_dict({"name": "shy", "version": "1"}, role="loader")
        assert declaration.declares_nothing and "declares no layer types" in declaration.identity

    def test_an_object_without_a_declaration_is_told_what_one_looks_like(self):
        """The message shows a declaration."""
        with pytest.raises(BadConnection, match="'layer_types': \\['dense'\\]"):
            adopt({"load": print}, "loader", "py:here:mine")


class TestCutting:
    def test_lengths_are_used_in_turn(self):
        """A schedule repeats until the signal is used up, and its last block is shortened."""
        assert list(cut(8, (3, 0, 2), 4096)) == [(0, 3), (3, 3), (3, 5), (5, 8)]

    @pytest.mark.parametrize("block", [0, -1, 65, (), (0, 0)])
    def test_impossible_lengths_are_refused(self, block: Any):
        """Lengths that never end, or that no model was prepared for, are refused with the limit."""
        with pytest.raises(ValueError, match="lengths from 0 to 64"):
            list(cut(8, block, 64))


def test_failures_survive_pickling():
    """A failure can be sent from a worker to its controller."""
    error = Crashed(who="mine", op="load", signal="SIGSEGV", returncode=-11, requests=("{}",))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), copy.evidence) == (Crashed, str(error), error.evidence)


def test_the_strangers_import_nothing_of_rtconform():
    """They prove that nobody has to."""
    for path in [*STRANGERS.glob("*.py"), *STRANGERS.glob("*.[ch]")]:
        lines = [line for line in path.read_text().splitlines() if line.startswith(("import ", "from ", "#include"))]
        assert [line for line in lines if "rtconform" in line] in ([], ["#include <rtconform/loader.h>"]), path
