"""Pipelines in a process of their own, by the suite's client: libraries, and Python objects behind serve."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rtconform.harness import five_models
from rtconform.harness.implementations import (
    Action,
    BadConnection,
    LivePlan,
    MeasuringPipelineSession,
    ProtocolViolation,
    Put,
    Raised,
    RemotePipelineSession,
    TimedOut,
    connect,
)

from .raw_host import FAULTY_PIPELINES, needs_host, noise

GOOD = f"abi:{FAULTY_PIPELINES}#good-native-pipeline"
SERVE = f"cmd:{sys.executable} -m rtconform.harness.implementations.serve"
REFERENCE = f"{SERVE} reference-pipeline --role pipeline"
NAMES = list(five_models.specs())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The five stored models."""
    for model in five_models.specs().values():
        shutil.copy(five_models.FOLDER / model["file"], tmp_path)
    return tmp_path


@pytest.fixture(params=[pytest.param(GOOD, marks=needs_host, id="library"), pytest.param(REFERENCE, id="served")])
def session(request: pytest.FixtureRequest, folder: Path) -> Iterator[RemotePipelineSession]:
    with connect(request.param, "pipeline").open(folder) as session:
        yield session


def polled(session: RemotePipelineSession, count: int) -> list[dict]:
    """So many results, or those that came within ten seconds."""
    results, give_up = [], time.monotonic() + 10
    while len(results) < count and time.monotonic() < give_up:
        results += session.poll()
    return results


class TestSession:
    def test_it_gives_what_the_python_object_gives(self, session: RemotePipelineSession, folder: Path):
        """The same form, and numbers that differ by rounding alone."""
        frames = noise(6, 128)
        assert all(session.submit(n, frame) for n, frame in enumerate(frames))
        results = polled(session, 6)
        with connect("reference-pipeline", "pipeline").open(folder) as own:
            for n, frame in enumerate(frames):
                own.submit(n, frame)
            expected = own.poll()
        for result, due in zip(results, expected, strict=True):
            assert {key: result[key] for key in ("id", "fallback", "version")} == {
                key: due[key] for key in ("id", "fallback", "version")
            }
            for name in NAMES:
                np.testing.assert_allclose(result["outputs"][name], due["outputs"][name], rtol=0, atol=2e-6)

    def test_reload_and_status_go_by_names(self, session: RemotePipelineSession, folder: Path):
        """A good file, one that is refused, and a name that there is none of."""
        assert session.reload("GroovePredictor") is True
        (folder / "groovepredictor.json").write_text("{")
        assert session.reload() is False
        status = session.status()
        assert list(status) == NAMES
        assert {name: status[name]["version"] for name in NAMES} == dict.fromkeys(NAMES, 2)
        assert (
            "groovepredictor.json" in status["GroovePredictor"]["reason"] and status["DynamicsEngine"]["reason"] == ""
        )
        with pytest.raises(KeyError, match="no model is called 'Groove'; there are EmotionRecognizer, "):
            session.reload("Groove")

    def test_where_there_is_no_room_it_says_so(self, session: RemotePipelineSession):
        """And the counters add up, before and after the results are read."""
        frames = noise(session.capacity + 3, 128)
        assert session.submit_all(0, frames) == session.capacity
        assert not session.submit(900, frames[0])
        counters = session.counters()
        assert (counters["refused"], counters["pending"]) == (2, session.capacity)
        assert [result["id"] for result in polled(session, session.capacity)] == list(range(session.capacity))
        assert session.counters()["pending"] == 0 and session.submit(901, frames[0])

    def test_another_one_beside_it_has_its_own_end(self, session: RemotePipelineSession, folder: Path):
        """In the same process, which goes on when it is closed."""
        other = session.beside(folder)
        assert other.pid == session.pid
        other.submit(1, noise(1, 128)[0])
        assert [result["id"] for result in polled(other, 1)] == [1] and session.poll() == []
        other.close()
        other.close()
        session.submit(2, noise(1, 128)[0])
        assert [result["id"] for result in polled(session, 1)] == [2]

    def test_frames_of_another_size_are_the_callers_mistake(self, session: RemotePipelineSession):
        """Nothing is sent."""
        with pytest.raises(ValueError, match=r"audio must have the shape \[128\] per frame, not \[64\]"):
            session.submit(0, np.zeros(64, np.float32))
        assert session.counters()["submitted"] == 0


def test_any_python_pipeline_can_be_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Names and sizes are those of a first result; it has no capacity of its own, and is given one."""
    monkeypatch.chdir(Path(__file__).with_name("strangers"))
    (tmp_path / "Emotion").touch()
    served = connect(f"{SERVE} py:echo_pipeline:EchoPipeline --role pipeline", "pipeline")
    with served.open(tmp_path) as session:
        assert session.models == {"Emotion": 4} and session.capacity == 64
        session.submit(7, np.arange(128, dtype=np.float32))
        (result,) = session.poll()
        assert result["outputs"]["Emotion"].tolist() == [0, 1, 2, 3] and result["version"] == {"Emotion": 1}
        assert session.reload() is True and session.status()["Emotion"]["version"] == 2


def test_a_program_that_is_no_pipeline_is_refused():
    """A loader behind cmd: says that it is one; a library without a pipeline says that it has none."""
    with pytest.raises(ProtocolViolation, match="an implementation with the role pipeline"):
        connect(f"{SERVE} numpy-runtime --role loader", "pipeline")
    if FAULTY_PIPELINES.is_file():
        with pytest.raises(BadConnection, match="knows no pipeline"):
            connect(f"abi:{FAULTY_PIPELINES.with_name('librtc_faulty.so')}", "pipeline")


@needs_host
class TestMeasuring:
    def test_a_live_run_comes_back_whole(self, folder: Path):
        """Arrays by frame and by result, outputs by model, the reloads with what they came to."""
        good = folder / "good"
        shutil.copy(folder / "dynamicsengine.json", good)
        actions = [
            Action("DynamicsEngine", [Put(folder / "dynamicsengine.json", good)]),
            Action("DynamicsEngine", [Put(folder / "dynamicsengine.json", good, 10)]),
        ]
        with connect(GOOD, "pipeline").open(folder) as session:
            assert isinstance(session, MeasuringPipelineSession)
            plan = LivePlan(600, first_id=5, most_pending=8, keep_outputs=True, actions=actions)
            run = session.run_live(noise(7, 128), plan)
        assert run.ids.tolist() == list(range(5, 605)) and run.accepted.all()
        assert run.outputs["DynamicsEngine"].shape == (600, 16) and run.digests is None
        assert run.version.shape == (600, 5) and (np.diff(run.version[:, 3]) >= 0).all()
        first, second = run.reloads[:2]
        assert (first.action, first.accepted, first.error, first.version[3]) == (0, True, None, 2)
        assert (second.action, second.accepted, second.error["phase"], second.version[3]) == (1, False, "parse", 2)
        assert run.counters["polled"] == 600 and run.memory["peak_bytes"] >= run.memory["before_bytes"] > 0

    def test_memory_is_counted_in_a_process_of_its_own(self, folder: Path):
        """An entry per cycle, and the weights are in it."""
        memory = connect(GOOD, "pipeline").measure_memory(folder, noise(4, 128), cycles=2)
        assert len(memory.after_reload_bytes) == len(memory.after_close_bytes) == 2
        assert memory.live_bytes > 4 * 1_149_744

    def test_a_hang_in_close_is_a_time_out(self, folder: Path):
        """What the suite makes of every call that doesn't return."""
        pipeline = connect(f"abi:{FAULTY_PIPELINES}#pip-shutdown-hang", "pipeline", timeout=1.0)
        session = pipeline.open(folder)
        session.submit(0, noise(1, 128)[0])
        with pytest.raises(TimedOut, match="close"):
            session.close()
        session.abandon()

    def test_a_failing_pipeline_raises_what_it_breaks(self, folder: Path):
        """A breach of pipeline.h comes over the wire with the host's words."""
        with connect(GOOD, "pipeline").open(folder) as session:
            session._pipeline = {"pipeline": 99}
            with pytest.raises(Raised, match="There is no pipeline 99"):
                session.poll()
            session._pipeline = {"pipeline": 1}
