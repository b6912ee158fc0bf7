"""What rtc-host measures from inside, driven by raw lines of JSON: offences, latency, memory and side effects."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from . import raw_host
from .raw_host import FAULTY, FAULTY_STATIC, Host, needs_host, noise, packed, running, unpacked

pytestmark = needs_host


def piece(source: str, begin: int, end: int) -> dict[str, Any]:
    """A part of a model's input frame."""
    return {"from": source, "begin": begin, "end": end}


class TestLatency:
    FLOW = (
        {"model": "first", "inputs": [piece("audio", 1, 4)]},
        {"model": "second", "inputs": [piece("first", 2, 4), piece("audio", 0, 1)]},
    )

    def measured(self, loader: str, path: Path, audio: np.ndarray, steps: int, warmup: int) -> dict:
        with running(FAULTY, loader) as host:
            models = {name: host.loaded(path) for name in ("first", "second")}
            values = {"models": models, "flow": self.FLOW, "audio": packed(audio), "steps": steps, "warmup": warmup}
            return host.do("measure_latency", **values)

    def test_a_step_is_the_flow_over_one_frame(self, path: Path) -> None:
        """Slices of the audio and of earlier outputs make up the inputs; state starts anew with each cycle."""
        audio = noise(11, 4)
        reply = self.measured("good-native", path, audio, steps=30, warmup=5)
        assert [len(reply[key]) for key in ("wall_ns", "cpu_ns", "null_ns")] == [30, 30, 30]
        assert all(time > 0 for time in reply["wall_ns"])
        assert reply["mismatches"] == 0
        with running(FAULTY) as host:
            first = host.run(host.loaded(path), audio[:, 1:])
            second = host.run(host.loaded(path), np.hstack([first[:, 2:], audio[:, :1]]))
        assert np.array_equal(unpacked(reply["outputs"]["first"]), first)
        assert np.array_equal(unpacked(reply["outputs"]["second"]), second)

    def test_sleep_is_in_the_wall_time_only(self, path: Path) -> None:
        """Two models sleep for 12 ms each, which no machine can make shorter; a thread that sleeps uses no CPU."""
        reply = self.measured("lat-sleeps-12ms", path, noise(2, 4), steps=4, warmup=0)
        assert min(reply["wall_ns"]) >= 24_000_000
        assert sum(reply["cpu_ns"]) < sum(reply["wall_ns"])

    def test_outputs_are_checked_inside_the_timed_run(self, path: Path) -> None:
        """A loader that answers with zeros from its 1000th quick call on is seen through, by count and by outputs."""
        reply = self.measured("lat-cheats-when-timed", path, noise(10, 4), steps=1500, warmup=100)
        assert 0 < reply["mismatches"] <= 601
        assert not unpacked(reply["outputs"]["first"]).any()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"steps": 0}, "expected an integer from 1"),
            ({"steps": 3}, "expected 1 to steps + warmup = 3 frames, found 11"),
            ({"models": {"first": 1}}, 'Field "second" of "models"'),
            ({"models": {"first": 1, "second": 1}}, '"second" appears twice'),
            ({"models": {"first": 1, "second": 3}}, '"second" isn\'t prepared'),
            ({"flow": []}, "expected a list that isn't empty"),
            ({"flow": [FLOW[1]]}, 'found "first"'),
            ({"flow": [{"model": "first", "inputs": [piece("audio", 0, 5)]}]}, "from 1 to 4, found 5"),
            ({"flow": [{"model": "first", "inputs": [piece("audio", 0, 2)]}]}, "make 2 floats"),
        ],
    )
    def test_a_flow_that_does_not_fit_is_refused(self, host: Host, path: Path, change: dict, message: str) -> None:
        """The message names the place in the flow."""
        models = {name: host.loaded(path) for name in ("first", "second")}
        host.do("load", path=str(path))
        values = {"models": models, "flow": self.FLOW, "audio": packed(noise(11, 4)), "steps": 20, "warmup": 0}
        error = host.ask("measure_latency", **{**values, **change})["error"]
        assert message in error["message"]
        assert error["class"] == "BadRequest"


@pytest.fixture(scope="module")
def held_memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of tests/harness/held_memory.cpp."""
    return raw_host.compiled("held_memory.cpp", tmp_path_factory.mktemp("held"))


class TestMemory:
    def measured(self, loader: str, path: Path, copies: int = 1, library: Path = FAULTY) -> dict:
        with running(library, loader) as host:
            return host.do("measure_memory", paths=[str(path)] * copies)

    def test_live_bytes_grow_with_the_weights(self, tmp_path: Path) -> None:
        """Each copy of a model adds its weights, the few objects around them, and nothing of the file."""
        file = raw_host.written(tmp_path / "big.json", raw_host.model(200, raw_host.dense(200, 300)))
        one, three = (self.measured("good-native", file, copies) for copies in (1, 3))
        weights = 4 * (200 * 300 + 300)
        assert 0 <= (three["live_bytes"] - one["live_bytes"]) / 2 - weights < 4096
        assert one["after_processing_bytes"] == one["live_bytes"]
        assert one["peak_bytes"] > one["live_bytes"] + file.stat().st_size
        assert one["leak_bytes_per_cycle"] == 0
        assert 0 < one["static_bytes"] < one["live_bytes"]

    @pytest.mark.parametrize(
        ("loader", "library"),
        [("mem-keeps-6mb", FAULTY), ("mem-in-mmap", FAULTY), ("mem-in-static", FAULTY_STATIC)],
    )
    def test_memory_counts_wherever_it_is(self, path: Path, loader: str, library: Path) -> None:
        """On the heap, in a mapping of its own, or in the library's writable data."""
        more, honest = self.measured(loader, path, library=library), self.measured("good-native", path)
        assert abs(more["live_bytes"] - honest["live_bytes"] - 6 * 2**20) < 16_384

    @pytest.mark.parametrize("way", ["new", "aligned", "mapping", "memory_file", "segment"])
    def test_every_way_to_hold_memory_counts(self, held_memory: Path, path: Path, way: str) -> None:
        """A megabyte per model, and nothing when it is given back."""
        one, two = (self.measured(way, path, copies, library=held_memory) for copies in (1, 2))
        assert abs(two["live_bytes"] - one["live_bytes"] - 2**20) < 16_384
        assert one["leak_bytes_per_cycle"] == 0

    def test_a_segment_that_is_never_detached_leaks(self, held_memory: Path, path: Path) -> None:
        """All of it, in each cycle."""
        assert self.measured("segment_kept", path, library=held_memory)["leak_bytes_per_cycle"] == 2**20

    def test_memory_that_is_kept_or_lost_is_seen(self, path: Path) -> None:
        """The JSON tree kept after load; one KiB lost in each load, as malloc rounds it."""
        honest, doubles, leaks = (self.measured(name, path) for name in ("good-native", "mem-doubles", "mem-leak"))
        assert doubles["live_bytes"] > honest["live_bytes"] + 4096
        assert 1024 <= leaks["leak_bytes_per_cycle"] <= 1048

    def test_nothing_but_the_loader_is_counted(self, tmp_path: Path) -> None:
        """A loader that allocates 4 bytes holds one smallest block of malloc, whatever dlopen took for itself."""
        library = raw_host.compiled("identity_loader.c", tmp_path)
        measured = self.measured("identity", raw_host.written(tmp_path / "five", "5"), library=library)
        assert 4 <= measured["live_bytes"] - measured["static_bytes"] <= 32

    def test_a_refused_file_is_refused(self, host: Host, tmp_path: Path) -> None:
        """The loader's reason comes through as in load, and nothing stays loaded."""
        error = host.ask("measure_memory", paths=[str(raw_host.written(tmp_path / "bad.json", "{}"))])["error"]
        assert (error["phase"], error["path"]) == ("validate", "$")


class TestTogether:
    @pytest.mark.parametrize(
        ("models", "block", "message"),
        [
            (("first", "first"), 7, "appears twice"),
            (("first", "second"), 65, "prepared for blocks of up to 64 frames, found 65"),
            (("first", "unprepared"), 7, "up to 0 frames, found 7"),
        ],
    )
    def test_what_can_not_be_asked_for_is_refused(
        self, host: Host, path: Path, models: tuple[str, str], block: int, message: str
    ) -> None:
        """Before any thread starts, and the host lives on."""
        known = {"first": host.loaded(path), "second": host.loaded(path)}
        known["unprepared"] = host.do("load", path=str(path))["model"]
        parts = [{"model": known[name], "frames": packed(noise(9, 3))} for name in models]
        error = host.ask("process_together", parts=parts, block=block, passes=2)["error"]
        assert message in error["message"]
        host.do("environment")

    def test_an_exception_on_another_thread_is_a_breach(self, breaching: Path) -> None:
        """As on the host's own."""
        with running(breaching, "process-throws") as host:
            parts = [{"model": host.loaded(Path("any")), "frames": packed(noise(9, 1))} for _ in range(2)]
            error = host.ask("process_together", parts=parts, block=7, passes=2)["error"]
        assert error["class"] == "ContractBreach"


class TestEnvironment:
    def changes(self, loader: str, path: Path) -> dict:
        with running(FAULTY, loader) as host:
            before = host.do("environment")
            host.run(host.loaded(path), noise(4, 3))
            after = host.do("environment")
        return {key: (before[key], after[key]) for key in before if key != "seq" and before[key] != after[key]}

    def test_a_good_loader_changes_nothing(self, path: Path) -> None:
        """Exception flags that ordinary arithmetic raises are no mode."""
        assert self.changes("good-native", path) == {}

    def test_changes_are_seen(self, path: Path) -> None:
        """A floating-point mode left on, another locale, another folder, and a signal that is ignored."""
        assert list(self.changes("run-leaks-fpenv", path)) == ["fpenv"]
        assert self.changes("run-changes-locale", path) == {"locale": ("C", "C.UTF-8")}
        assert self.changes("run-changes-folder", path) == {"cwd": (str(Path.cwd()), "/")}
        assert self.changes("run-handles-signal", path) == {"signals": ([], [signal.SIGFPE])}
