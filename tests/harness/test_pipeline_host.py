"""rtc-host with pipelines, driven by raw lines of JSON."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtconform.harness import five_models

from . import raw_host
from .raw_host import FAULTY, FAULTY_PIPELINES, Host, integers, needs_host, noise, packed, running, unpacked

pytestmark = needs_host

NAMES = list(five_models.specs())
SIZES = [model["output_size"] for model in five_models.specs().values()]
CAPACITY = 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The five stored models."""
    for model in five_models.specs().values():
        shutil.copy(five_models.FOLDER / model["file"], tmp_path)
    return tmp_path


@pytest.fixture
def host() -> Iterator[Host]:
    with running(FAULTY_PIPELINES, "good-native-pipeline", role="pipeline") as host:
        yield host


def opened(host: Host, folder: Path) -> int:
    return host.do("open", dir=str(folder))["pipeline"]


def drained(host: Host, pipeline: int, count: int) -> dict[str, Any]:
    """Polls until there are so many results; their ids, and outputs `[count, all]`."""
    ids, rows = [], []
    give_up = time.monotonic() + 30
    while len(ids) < count and time.monotonic() < give_up:
        reply = host.do("poll", pipeline=pipeline, most=CAPACITY)
        ids += reply["ids"]
        rows.append(unpacked(reply["outputs"]))
        time.sleep(0.001)
    return {"ids": ids, "outputs": np.concatenate(rows)}


def live(pipeline: int, frames: np.ndarray, count: int, **more: Any) -> dict[str, Any]:
    """A request for a run at full speed with never more pending than there is room for."""
    plain = {"first_id": 0, "period_ns": 0, "most_pending": CAPACITY, "poll_every_ns": 100_000, "watch": False}
    plain |= {"outputs": "digests", "actions": [], "action_every_ns": 0, "least_actions": 0}
    return {"pipeline": pipeline, "frames": packed(frames), "count": count, "least_count": count, **plain, **more}


def mixed(word: np.ndarray) -> np.ndarray:
    """MurmurHash3's finaliser of 64-bit words."""
    word = (word ^ word >> np.uint64(33)) * np.uint64(0xFF51AFD7ED558CCD)
    word = (word ^ word >> np.uint64(33)) * np.uint64(0xC4CEB9FE1A85EC53)
    return word ^ word >> np.uint64(33)


def digests(outputs: np.ndarray) -> np.ndarray:
    """Of each model's outputs in rows `[N, all]`: `[N, models]`."""
    columns = []
    for values in np.split(outputs, np.cumsum(SIZES)[:-1], axis=1):
        state = mixed(np.full(len(values), values.shape[1], np.uint64))
        for bits in np.ascontiguousarray(values).view(np.uint32).T:
            state = mixed(state ^ bits.astype(np.uint64))
        columns.append(state)
    return np.stack(columns, axis=1)


class TestOperations:
    def test_hello_says_what_the_pipeline_declares(self, host: Host) -> None:
        """The identity comes from rtc_pipeline_api, the build info from its extension."""
        implementation = host.do("hello", protocol=1)["implementation"]
        assert implementation.pop("build")["compiler"].startswith("g++ ")
        assert implementation == {
            "name": "good-native-pipeline",
            "version": "1.0",
            "role": "pipeline",
            "numeric_class": "f32",
            "features": ["measure"],
        }

    def test_open_describes_the_pipeline(self, host: Host, folder: Path) -> None:
        """The models in the order of results; each pipeline has an id of its own."""
        reply = host.do("open", dir=str(folder))
        assert [(model["name"], model["output_size"]) for model in reply["models"]] == list(
            zip(NAMES, SIZES, strict=True)
        )
        assert (reply["frame_size"], reply["capacity"]) == (128, CAPACITY)
        assert host.do("open", dir=str(folder))["pipeline"] != reply["pipeline"]

    def test_frames_become_results(self, host: Host, folder: Path) -> None:
        """Submitted in one request, polled in others: ids in order, no fallbacks, version 1."""
        pipeline = opened(host, folder)
        assert host.do("submit", pipeline=pipeline, first_id=7, frames=packed(noise(5, 128)))["accepted"] == 5
        time.sleep(0.3)
        first = host.do("poll", pipeline=pipeline, most=2)
        assert first["ids"] == [7, 8] and first["outputs"]["shape"] == [2, sum(SIZES)]
        assert first["fallback"] == [[0] * 5] * 2 and first["version"] == [[1] * 5] * 2
        assert drained(host, pipeline, 3)["ids"] == [9, 10, 11]
        counters = host.do("counters", pipeline=pipeline)
        assert [counters[name] for name in ("submitted", "refused", "polled", "pending")] == [5, 0, 5, 0]

    def test_submit_ends_where_there_is_no_room(self, host: Host, folder: Path) -> None:
        """One more than the capacity: the last is refused, and counted."""
        pipeline = opened(host, folder)
        frames = packed(noise(CAPACITY + 5, 128))
        assert host.do("submit", pipeline=pipeline, first_id=0, frames=frames)["accepted"] == CAPACITY
        counters = host.do("counters", pipeline=pipeline)
        assert [counters[name] for name in ("submitted", "refused", "polled", "pending")] == [33, 1, 0, 32]

    def test_reload_says_which_file_was_refused(self, host: Host, folder: Path) -> None:
        """The phase, the place in the file and the message; the status keeps the version and has the reason."""
        pipeline = opened(host, folder)
        assert host.do("reload", pipeline=pipeline, model=1)["accepted"]
        (folder / "melodytransformer.json").write_text('{"in_shape": [null, null, 64], "layers": 7}')
        reply = host.do("reload", pipeline=pipeline, model=None)
        assert not reply["accepted"] and reply["error"]["phase"] == "validate"
        assert "melodytransformer.json" in reply["error"]["message"]
        status = host.do("status", pipeline=pipeline)["models"]
        assert [model["version"] for model in status] == [2, 2, 2, 2, 2]
        assert status[1]["state"] == "loaded" and "melodytransformer.json" in status[1]["reason"]
        assert status[0] == {"state": "loaded", "version": 2, "reason": ""}

    def test_a_closed_pipeline_is_gone(self, host: Host, folder: Path) -> None:
        """With frames pending; the other goes on."""
        first, second = opened(host, folder), opened(host, folder)
        host.do("submit", pipeline=first, first_id=0, frames=packed(noise(8, 128)))
        host.do("close", pipeline=first)
        error = host.ask("poll", pipeline=first, most=1)["error"]
        assert error["message"] == f"There is no pipeline {first}; open are: {second}."
        host.do("submit", pipeline=second, first_id=0, frames=packed(noise(1, 128)))
        assert drained(host, second, 1)["ids"] == [0]

    @pytest.mark.parametrize(
        ("op", "fields", "message"),
        [
            ("load", {"path": "x"}, 'Unknown operation "load"'),
            ("open", {}, 'Field "dir" of the request "open" is missing'),
            ("poll", {"pipeline": 9, "most": 1}, "There is no pipeline 9; open are: 1."),
            ("poll", {"pipeline": 1, "most": 0}, "an integer from 1 to 65536, found 0"),
            ("submit", {"pipeline": 1, "first_id": 0, "frames": packed(noise(2, 64))}, "the shape [frames, 128]"),
            ("reload", {"pipeline": 1, "model": 5}, "an integer from 0 to 4, found 5"),
            ("run_live", live(1, noise(0, 128), 3), "at least 1 frame, found 0"),
            ("run_live", live(1, noise(1, 128), 0), "an integer from 1 to 1000000, found 0"),
            ("run_live", live(1, noise(1, 128), 3, watch=1), "true or false, found 1"),
            ("run_live", live(1, noise(1, 128), 3, outputs="some"), 'expected "all" or "digests"'),
            ("run_live", live(1, noise(1, 128), 3, actions=7), "expected a list"),
            (
                "run_live",
                live(1, noise(1, 128), 3, actions=[7]),
                'an object: actions[0] of the request "run_live"',
            ),
            ("run_live", live(1, noise(1, 128), 3, actions=[{"puts": []}]), 'Field "model" of actions[0]'),
            (
                "measure_pipeline_memory",
                {"dir": "x", "frames": packed(noise(1, 128)), "cycles": 1},
                "close all pipelines",
            ),
        ],
    )
    def test_a_bad_request_is_answered_and_forgotten(
        self, host: Host, folder: Path, op: str, fields: dict[str, Any], message: str
    ) -> None:
        """What was expected and what was found, and the next request is served."""
        opened(host, folder)
        error = host.ask(op, **fields)["error"]
        assert message in error["message"]
        assert (error["phase"], error["class"]) == ("internal", "BadRequest")
        host.do("environment", at_start=False)

    def test_a_library_of_loaders_has_no_pipelines(self) -> None:
        """And the other way round; both say so."""
        for library, role in ((FAULTY, "pipeline"), (FAULTY_PIPELINES, "loader")):
            with running(library, "", role=role) as host:
                assert f"knows no {role} for" in host.ask("hello", protocol=1)["error"]["message"]


class TestLiveRun:
    def test_results_are_those_of_submit_and_poll(self, host: Host, folder: Path) -> None:
        """Frames come over and over by their ids; outputs as if submitted by hand, and digests that are theirs."""
        frames = noise(16, 128)
        byhand = opened(host, folder)
        host.do("submit", pipeline=byhand, first_id=3, frames=packed(np.roll(frames, -3, axis=0)))
        outputs = drained(host, byhand, 16)["outputs"]
        kept = host.do("run_live", **live(opened(host, folder), frames, 16, first_id=3, outputs="all"))
        assert integers(kept["ids"]).tolist() == list(range(3, 19))
        assert np.array_equal(unpacked(kept["outputs"]), outputs)
        digested = host.do("run_live", **live(opened(host, folder), frames, 16, first_id=3))
        assert np.array_equal(integers(digested["digests"]), digests(outputs))

    def test_times_and_counts_belong_together(self, host: Host, folder: Path) -> None:
        """A row for each frame and each result; results come after their frames; the period is kept."""
        reply = host.do("run_live", **live(opened(host, folder), noise(4, 128), 20, period_ns=2_000_000))
        at, got = (integers(reply[name]).astype(np.int64) for name in ("submit_at_ns", "result_at_ns"))
        assert len(at) == len(got) == 20 and (got > at).all()
        assert at[-1] >= 19 * 2_000_000
        assert integers(reply["accepted"]).tolist() == [1] * 20
        assert reply["counters"] == {"submitted": 20, "refused": 0, "polled": 20, "pending": 0}
        assert reply["polls"] >= 20 and reply["offences"] == [] and reply["reloads"] == []

    def test_without_a_limit_frames_are_refused(self, host: Host, folder: Path) -> None:
        """What was accepted comes out, in order."""
        reply = host.do("run_live", **live(opened(host, folder), noise(4, 128), 3000, most_pending=0))
        accepted = np.flatnonzero(integers(reply["accepted"]))
        assert integers(reply["ids"]).tolist() == accepted.tolist()
        assert 0 < reply["counters"]["refused"] == 3000 - len(accepted)

    def test_files_are_put_in_place_and_reloaded(self, host: Host, folder: Path) -> None:
        """In turn: another's file, a cut one, none, the good one; the status follows, and results name versions."""
        path, good, wrong = folder / "groovepredictor.json", folder / "good", folder / "dynamicsengine.json"
        shutil.copy(path, good)
        puts = [{"from": str(good)}, {"from": str(wrong)}, {"from": str(good), "bytes": 99}, {"from": None}]
        actions = [{"puts": [{"to": str(path), **put}], "model": 4} for put in puts]
        reply = host.do("run_live", **live(opened(host, folder), noise(4, 128), 3000, actions=actions))
        reloads = reply["reloads"]
        assert [reload["action"] for reload in reloads[:5]] == [0, 1, 2, 3, 0]
        assert [reload["accepted"] for reload in reloads[:5]] == [True, False, False, False, True]
        assert [reload["error"]["phase"] for reload in reloads[1:4]] == ["validate", "parse", "read"]
        assert [reload["version"][4] for reload in reloads[:5]] == [2, 2, 2, 2, 3]
        versions = integers(reply["version"])
        assert set(np.diff(versions[:, 4].astype(int))) == {0, 1} and (versions[:, :4] == 1).all()
        assert not list(folder.glob("*.part"))

    def test_a_file_that_cannot_be_put_in_place_is_said(self, host: Host, folder: Path) -> None:
        """It is the caller's mistake, not the pipeline's."""
        actions = [{"puts": [{"to": str(folder / "x"), "from": str(folder / "nowhere")}], "model": 0}]
        error = host.ask("run_live", **live(opened(host, folder), noise(4, 128), 3000, actions=actions))["error"]
        assert error["class"] == "HostError" and "nowhere" in error["message"]
        host.do("environment", at_start=False)

    @pytest.mark.parametrize(
        ("name", "kind", "function"),
        [
            ("pip-allocates-in-submit", "malloc", "malloc"),
            ("pip-reload-on-audio-thread", "free", "free"),
            ("pip-locks-in-poll", "lock", "pthread_mutex_lock"),
        ],
    )
    def test_a_watched_run_sees_what_is_forbidden(self, folder: Path, name: str, kind: str, function: str) -> None:
        """On the audio thread alone: the honest pipeline computes and reloads meanwhile, and nothing is seen."""
        reloads = {"actions": [{"puts": [], "model": 3}], "action_every_ns": 1_000_000, "watch": True}
        for pipeline, offends in ((name, True), ("good-native-pipeline", False)):
            with running(FAULTY_PIPELINES, pipeline, role="pipeline") as host:
                host.do("plain_memory")
                reply = host.do("run_live", **live(opened(host, folder), noise(4, 128), 400, **reloads))
            seen = {(offence["kind"], offence["function"]) for offence in reply["offences"]}
            assert ((kind, function) in seen) == offends
            assert len(reply["reloads"]) > 0

    def test_waiting_is_counted_by_the_kernel(self, folder: Path) -> None:
        """A submit that sleeps gives its processor up in each call; an honest one in none."""
        for name, waits in (("pip-blocks-audio", True), ("good-native-pipeline", False)):
            with running(FAULTY_PIPELINES, name, role="pipeline") as host:
                reply = host.do("run_live", **live(opened(host, folder), noise(4, 128), 50))
            counted = integers(reply["submit_waits"])
            assert (counted > 0).all() if waits else (counted == 0).mean() > 0.9

    @pytest.mark.parametrize("most_pending", [CAPACITY, 1])
    def test_lost_results_end_the_run(self, folder: Path, most_pending: int) -> None:
        """After ten seconds without one, be it at the end or because there is no room for more."""
        with running(FAULTY_PIPELINES, "pip-lost-result", role="pipeline") as host:
            reply = host.do("run_live", **live(opened(host, folder), noise(4, 128), 40, most_pending=most_pending))
        frames = 40 if most_pending > 1 else 37
        assert len(integers(reply["submit_at_ns"])) == frames
        assert integers(reply["ids"]).tolist() == [n for n in range(frames) if n != 36]

    def test_a_run_goes_on_until_actions_are_done(self, host: Host, folder: Path) -> None:
        """Frames without a limit that matters, as long as they last; then no fewer than the least."""
        actions = {"actions": [{"puts": [], "model": 3}, {"puts": [], "model": 4}], "action_every_ns": 20_000_000}
        most = live(opened(host, folder), noise(4, 128), 100_000, least_count=50, least_actions=5, **actions)
        reply = host.do("run_live", **most)
        assert 5 <= len(reply["reloads"]) < 50
        ids = integers(reply["ids"]).tolist()
        assert ids == list(range(len(ids))) and 50 <= len(ids) < 100_000
        assert len(integers(host.do("run_live", **{**most, "least_actions": 0})["ids"])) >= 50


class TestMemory:
    def measured(self, name: str, folder: Path) -> dict[str, Any]:
        with running(FAULTY_PIPELINES, name, role="pipeline") as host:
            return host.do("measure_pipeline_memory", dir=str(folder), frames=packed(noise(4, 128)), cycles=3)

    def test_weights_and_queues_are_counted(self, folder: Path) -> None:
        """1.15 million float32 weights at work, and at most twice as many while all are reloaded; nothing is left."""
        reply = self.measured("good-native-pipeline", folder)
        weights = 4 * 1_149_744
        assert weights < reply["live_bytes"] < 1.3 * weights
        assert 2 * weights < reply["reload_peak_bytes"]
        assert np.ptp(reply["after_reload_bytes"]) == 0
        assert max(np.diff(reply["after_close_bytes"])) == 0

    def test_what_a_reload_leaves_is_seen(self, folder: Path) -> None:
        """A set of models each time."""
        grown = np.diff(self.measured("pip-leaks-old-models", folder)["after_reload_bytes"])
        assert (grown > 4 * 1_149_744).all()


def test_a_pipeline_that_breaks_the_header_is_told(tmp_path: Path) -> None:
    """What it left out or said, and what pipeline.h wants instead."""
    source = Path(__file__).with_name("null_pipeline.c").read_text(encoding="utf-8")
    for old, new, message in (
        (
            "RTC_PIPELINE_ABI_VERSION,",
            "7,",
            "has ABI version 7; version 1 is expected. Rebuild it with this pipe",
        ),
        ('"null-pipeline"', "NULL", "leaves name NULL, which pipeline.h forbids"),
        ("return RTC_FULL;", "return 9;", "submit() returned 9; pipeline.h has RTC_OK (0) and RTC_FULL (2)"),
        ("return 0; /* poll */", "return 3; /* poll */", "poll() returned 3"),
        ("RTC_MODEL_DISABLED", "9", "status() filled in the state 9"),
        ("error->phase = RTC_PHASE_READ;", "", "reload() returned an error with the phase 0"),
    ):
        assert old in source
        path = tmp_path / f"pipeline{len(list(tmp_path.iterdir()))}.c"
        path.write_text(source.replace(old, new), encoding="utf-8")
        with running(raw_host.compiled(path, tmp_path), "", role="pipeline") as host:
            asked = [host.ask("hello", protocol=1), host.ask("open", dir="x")]
            asked.append(host.ask("submit", pipeline=1, first_id=0, frames=packed(noise(1, 128))))
            asked += [host.ask("poll", pipeline=1, most=1), host.ask("status", pipeline=1)]
            asked.append(host.ask("reload", pipeline=1, model=0))
        errors = [reply["error"] for reply in asked if not reply["ok"]]
        assert any(message in error["message"] and error["class"] == "ContractBreach" for error in errors), (
            new,
            errors,
        )
