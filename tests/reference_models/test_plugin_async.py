"""Inference on a worker thread: every frame once and in order, overload counted, start and stop in any state."""

import os
import shutil
import time

import numpy as np
import pytest

from rtconform.harness import expected
from rtconform.reference_models import loaders
from rtconform.reference_models._plugin_core import AsyncInference, ModelReloader, MultiModelProcessor
from rtconform.reference_models.specs import FIXTURES, load_specs

from . import plugin_builds

SPECS = load_specs()
NAMES = list(SPECS.models)
PATIENCE_SECONDS = 20.0


@pytest.fixture(scope="module")
def loader():
    """Library and name of the loader that is used by default."""
    return str(loaders.library("checked")), "rtneural-checked"


@pytest.fixture(scope="module")
def scripted():
    """A loader that takes its time if the environment says so."""
    flags = ("-O1", "-shared", "-fPIC")
    return str(plugin_builds.compiled("scripted_loader.cpp", *flags)), "scripted"


@pytest.fixture
def processor(loader):
    """The five stored models."""
    return MultiModelProcessor(*loader, [str(FIXTURES / "models")])


@pytest.fixture(scope="module")
def audio():
    """Features `[96, 128]` of a recording."""
    return expected.recording()[:96]


def results_of(inference, count):
    """The next `count` results."""
    results = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(results) < count and time.monotonic() < deadline:
        results += inference.poll()
        time.sleep(0.0005)
    assert len(results) == count
    return results


def driven(inference, audio, first_id=0, **options):
    """The results of frames that are handed over as fast as they are taken."""
    results = []
    for offset, frame in enumerate(audio):
        while inference.submit(first_id + offset, frame, **options) == "full":
            results += inference.poll()
            time.sleep(0.0002)
    return results + results_of(inference, len(audio) - len(results))


def test_results_are_those_of_the_plain_step_bit_for_bit(loader, processor, audio):
    """In the order of submission, each with its id and the caller's own time."""
    plain = MultiModelProcessor(*loader, [str(FIXTURES / "models")]).process(audio)
    inference = AsyncInference(processor)
    inference.start()
    results = driven(inference, audio, first_id=100, sample=12345)
    inference.stop()
    assert [result["id"] for result in results] == list(range(100, 100 + len(audio)))
    assert {result["sample"] for result in results} == {12345}
    for name in NAMES:
        outputs = np.stack([result["outputs"][name] for result in results])
        np.testing.assert_array_equal(outputs, plain["outputs"][name])
    assert all(0 <= result["waited_ns"] <= result["took_ns"] for result in results)


def test_a_frame_can_clear_the_state_before_it(loader, processor, audio):
    """As when the transport jumps: what follows is as after loading."""
    plain = MultiModelProcessor(*loader, [str(FIXTURES / "models")]).process(audio[:10])
    inference = AsyncInference(processor)
    inference.start()
    driven(inference, audio)
    results = driven(inference, audio[:1], reset=True) + driven(inference, audio[1:10])
    for name in NAMES:
        outputs = np.stack([result["outputs"][name] for result in results])
        np.testing.assert_array_equal(outputs, plain["outputs"][name])


def test_unread_results_block_nothing_until_capacity_is_reached(processor, audio):
    """Up to capacity every frame is taken although nobody polls; then none is, until results are picked up."""
    inference = AsyncInference(processor, capacity=8)
    inference.start()
    said = [inference.submit(i, audio[i]) for i in range(12)]
    assert said == ["accepted"] * 8 + ["full"] * 4
    assert [result["id"] for result in results_of(inference, 8)] == list(range(8))
    assert inference.submit(12, audio[12]) == "accepted"
    assert results_of(inference, 1)[0]["id"] == 12
    counters = inference.counters()
    assert {key: counters[key] for key in ("accepted", "refused", "polled", "pending")} == {
        "accepted": 9,
        "refused": 4,
        "polled": 9,
        "pending": 0,
    }


def test_overload_refuses_frames_and_loses_none_that_it_took(scripted, monkeypatch, audio):
    """A worker that takes three times as long as frames come: bounded, counted, in order."""
    period_seconds = 0.005
    monkeypatch.setenv("RTC_TEST_SLEEP_MS", str(int(3000 * period_seconds)))
    slow = MultiModelProcessor(*scripted, [str(FIXTURES / "models")])
    inference = AsyncInference(slow, capacity=4, deadline_ms=10.0)
    inference.start()
    accepted, results = [], []
    for frame_id in range(60):
        if inference.submit(frame_id, audio[0]) == "accepted":
            accepted.append(frame_id)
        results += inference.poll()
        time.sleep(period_seconds)
    results += results_of(inference, len(accepted) - len(results))
    counters = inference.counters()
    assert [result["id"] for result in results] == accepted
    assert counters["refused"] == 60 - len(accepted) > 0
    assert (counters["accepted"], counters["polled"], counters["pending"]) == (len(accepted), len(accepted), 0)
    assert counters["late"] == sum(result["late"] for result in results) == len(accepted)


def test_a_frame_of_another_size_or_that_is_not_finite(processor, audio):
    """The first is refused, the second gives fallbacks."""
    inference = AsyncInference(processor)
    inference.start()
    assert inference.submit(0, audio[0, :64]) == "wrong size"
    assert inference.submit(1, np.full(128, np.nan, np.float32)) == "accepted"
    (result,) = results_of(inference, 1)
    assert all(result["fallback"].values())
    assert inference.counters()["accepted"] == 1


@pytest.mark.parametrize("pending", [0, 1, 8])
def test_start_and_stop_in_any_state(processor, audio, pending):
    """Twice each, with frames pending or results unread, and on: nothing accepted is ever lost."""
    inference = AsyncInference(processor, capacity=8)
    inference.stop()
    for i in range(pending):
        inference.submit(i, audio[i])
    assert inference.poll() == []
    assert inference.counters()["pending"] == pending
    inference.start()
    inference.start()
    assert inference.is_running
    inference.stop()
    inference.stop()
    assert not inference.is_running
    inference.start()
    assert [result["id"] for result in results_of(inference, pending)] == list(range(pending))
    inference.stop()


@pytest.mark.parametrize("moment", ["before start", "idle", "pending", "unread", "stopped"])
def test_it_can_be_dropped_at_any_moment(loader, audio, moment):
    """The destructor stops the worker whatever it is at."""
    inference = AsyncInference(MultiModelProcessor(*loader, [str(FIXTURES / "models")]))
    if moment != "before start":
        inference.start()
    if moment in ("pending", "unread"):
        for i in range(10):
            inference.submit(i, audio[i])
    if moment == "unread":
        time.sleep(0.1)
    if moment == "stopped":
        inference.stop()
    before = len(os.listdir("/proc/self/task"))
    running = inference.is_running
    del inference
    assert len(os.listdir("/proc/self/task")) == before - running


def test_it_says_whether_the_worker_is_real_time(processor):
    """What the system allowed, or that nobody asked."""
    inference = AsyncInference(processor)
    assert inference.worker_priority == "not started"
    inference.start()
    assert inference.worker_priority == "real-time" or inference.worker_priority.startswith(
        "ordinary: the system refuses"
    )
    ordinary = AsyncInference(processor, real_time_priority=False)
    assert ordinary.worker_priority == "not started"


def test_nobody_else_runs_the_processor_meanwhile(processor, audio):
    """From Python it is refused, for it would be a race."""
    inference = AsyncInference(processor)
    inference.start()
    with pytest.raises(ValueError, match="an AsyncInference runs it"):
        processor.process(audio)
    inference.stop()
    processor.process(audio)


def until(condition):
    """Waits for a condition to hold; whether it came to hold."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def watched(loader, tmp_path, audio):
    """A folder of models, a processor that plays it, and a reloader that watches."""
    for model in SPECS.models.values():
        shutil.copy(FIXTURES / "models" / model.file, tmp_path)
    processor = MultiModelProcessor(*loader, [str(tmp_path)])
    reloader = ModelReloader(processor, interval_ms=20)
    yield tmp_path, processor, reloader
    reloader.close()


def test_a_changed_file_is_loaded_without_being_asked(watched):
    """Written anew in place or renamed into place; twice; files that weren't touched are left alone."""
    folder, processor, _ = watched
    file = folder / SPECS.models["GroovePredictor"].file
    content = file.read_bytes()
    for version, text in ((2, content + b"\n"), (3, content)):
        file.with_suffix(".new").write_bytes(text)
        file.with_suffix(".new").rename(file)
        assert until(lambda: processor.status()["GroovePredictor"]["version"] == version)  # noqa: B023
    assert {name: status["version"] for name, status in processor.status().items()} == {
        **dict.fromkeys(NAMES, 1),
        "GroovePredictor": 3,
    }


def test_a_broken_or_vanished_file_leaves_what_plays(watched):
    """The status says what is wrong; once the file is good again, it plays."""
    folder, processor, _ = watched
    file = folder / SPECS.models["DynamicsEngine"].file
    content = file.read_bytes()
    file.write_bytes(content[:1000])
    assert until(lambda: processor.status()["DynamicsEngine"]["reason"])
    assert processor.status()["DynamicsEngine"]["state"] == "loaded"
    assert "still plays" in processor.status()["DynamicsEngine"]["reason"]
    file.unlink()
    assert until(lambda: "can't be read" in processor.status()["DynamicsEngine"]["reason"])
    assert processor.status()["DynamicsEngine"]["state"] == "loaded"
    file.write_bytes(content)
    assert until(lambda: processor.status()["DynamicsEngine"]["version"] == 2)
    assert processor.status()["DynamicsEngine"]["reason"] == ""


def test_any_thread_can_ask_for_a_reload(watched):
    """Of one model, or of all."""
    _, processor, reloader = watched
    reloader.request(["HarmonyPredictor"])
    assert until(lambda: processor.status()["HarmonyPredictor"]["version"] == 2)
    reloader.request()
    assert until(lambda: {status["version"] for status in processor.status().values()} == {2, 3})
