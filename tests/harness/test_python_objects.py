"""Python objects as implementations: everything odd that they may do is a value, and none of it reaches the judge."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtconform.harness.implementations import Exited, ModuleRef, ProtocolViolation, Raised, adopt

STRANGERS = Path(__file__).with_name("strangers")
TWO_LAYERS = ModuleRef("nets:two_layers", sys_path=(str(STRANGERS),))
FRAMES = np.random.default_rng(3).normal(size=(9, 3)).astype(np.float32)


def adopted(role: str, **methods: Any):
    return adopt({"declares": {"name": "mine", "version": "1"}, **methods}, role, "py:here:mine")


def odd_model(**members: Any) -> Any:
    """A loader whose model differs from a good one in some members."""
    good = {"input_size": 3, "output_size": 2, "reset": lambda: None, "process": lambda frames: None}
    return adopted("loader", load=lambda path: good | members)


class TestLoaders:
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

    def test_what_is_printed_in_process_is_nobody_s_noise(self):
        """None is no empty list: that nothing was heard proves nothing where nobody listens."""
        live = dict.fromkeys(("submit", "poll", "reload", "status", "close"), lambda *_: None)
        with odd_model().open() as session, adopted("pipeline", open=lambda path: live).open("models") as other:
            assert session.noise is None and other.noise is None

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


class TestExporters:
    @pytest.fixture(autouse=True)
    def _torch(self):
        pytest.importorskip("torch")

    def test_an_export_without_a_file_is_a_violation(self, tmp_path: Path):
        """An exporter that neither refuses nor writes has not exported."""
        exporter = adopted("exporter", export=lambda module, path: None)
        with pytest.raises(ProtocolViolation, match="no refusal, and no file either"):
            exporter.export(TWO_LAYERS, tmp_path / "out.json")

    def test_other_exceptions_are_no_refusals(self, tmp_path: Path):
        """Only an exception with the agreed name counts as saying no."""
        exporter = adopted("exporter", export=lambda module, path: {}["weights"])
        with pytest.raises(Raised, match="raised KeyError in export"):
            exporter.export(TWO_LAYERS, tmp_path / "out.json")


class TestTrainers:
    def test_metrics_must_be_a_mapping(self, tmp_path: Path):
        """A trainer that returns something else is told."""
        with pytest.raises(ProtocolViolation, match="a mapping of metrics"):
            adopted("trainer", train=lambda config, out_dir: 0.5).train({}, tmp_path)


class TestPipelines:
    def test_a_pipeline_may_reuse_its_buffers(self, tmp_path: Path):
        """Results stay as they were polled."""
        buffer = np.zeros(4, np.float32)

        def poll() -> list[dict[str, Any]]:
            buffer[:] += 1
            flags, versions = {"Emotion": False}, {"Emotion": 1}
            return [{"id": 1, "outputs": {"Emotion": buffer}, "fallback": flags, "version": versions}]

        methods = dict.fromkeys(("submit", "reload", "status", "close"), lambda *args: None)
        with adopted("pipeline", open=lambda folder: methods | {"poll": poll}).open(tmp_path) as session:
            first = session.poll()
            session.poll()
        assert first[0]["outputs"]["Emotion"].max() == 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"id": "1"}, "results of the form"),
            ({"version": None}, "results of the form"),
            ({"version": {"Emotion": True}}, "whole numbers as versions of the same models"),
            ({"version": {"Harmony": 1}}, "whole numbers as versions of the same models"),
            ({"fallback": {}}, "whole numbers as versions of the same models"),
            ({"outputs": {"Emotion": [0.5]}}, "float32 outputs of Emotion"),
        ],
    )
    def test_a_result_of_another_form_is_a_violation(self, change: dict[str, Any], message: str, tmp_path: Path):
        """Results are checked for their form."""
        result = {"id": 1, "outputs": {"Emotion": np.zeros(4, np.float32)}}
        result |= {"fallback": {"Emotion": False}, "version": {"Emotion": 1}, **change}
        methods = dict.fromkeys(("submit", "reload", "status", "close"), lambda *args: None)
        pipeline = adopted("pipeline", open=lambda folder: methods | {"poll": lambda: [result]})
        with pytest.raises(ProtocolViolation, match=message), pipeline.open(tmp_path) as session:
            session.poll()

    @pytest.mark.parametrize("status", [None, {"state": "loaded", "reason": ""}, {"state": "on"}, {"version": 1}])
    def test_a_status_of_another_form_is_a_violation(self, status: dict[str, Any] | None, tmp_path: Path):
        """State, reason and version of each model."""
        methods = dict.fromkeys(("submit", "poll", "reload", "close"), lambda *args: None)
        pipeline = adopted("pipeline", open=lambda folder: methods | {"status": lambda: {"Emotion": status}})
        with pytest.raises(ProtocolViolation, match="a mapping from model to"), pipeline.open(tmp_path) as session:
            session.status()

    def test_no_room_is_false_and_nothing_else(self, tmp_path: Path):
        """Who returns nothing has taken the frame; a capacity that is none is a violation."""
        methods = dict.fromkeys(("poll", "reload", "status", "close"), lambda *args: None)
        for said, taken in ((False, False), (None, True), (True, True), (0, True)):
            live = methods | {"submit": lambda *args, said=said: said, "capacity": 8}
            with adopted("pipeline", open=lambda folder, live=live: live).open(tmp_path) as session:
                assert session.submit(0, np.zeros(128, np.float32)) is taken and session.capacity == 8
        pipeline = adopted("pipeline", open=lambda folder: live | {"capacity": "many"})
        with pytest.raises(ProtocolViolation, match="a whole number of frames"):
            pipeline.open(tmp_path)
