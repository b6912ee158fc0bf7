"""What rtc-host measures from inside, driven by raw lines of JSON: offences, latency, memory and side effects."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from . import raw_host
from .raw_host import FAULTY, FAULTY_STATIC, Host, needs_host, noise, packed, running, unpacked

pytestmark = needs_host


def piece(source: str, begin: int, end: int) -> dict[str, Any]:
    """A part of a model's input frame."""
    return {"from": source, "begin": begin, "end": end}


def kilobytes(host: Host, what: str) -> int:
    """Of the host's memory, by the system's own accounts, such as what was used since they were cleared."""
    lines = Path(f"/proc/{host.process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def as_a_musician() -> None:
    """Real-time priority by RLIMIT_RTPRIO alone; for root, without the capability to do as it likes."""
    drop_from_bounding_set, capability_sys_nice = 24, 23
    ctypes.CDLL(None).prctl(drop_from_bounding_set, capability_sys_nice, 0, 0, 0)
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_RTPRIO, (2, 2))


class TestLatency:
    FLOW = (
        {"model": "first", "inputs": [piece("audio", 1, 4)]},
        {"model": "second", "inputs": [piece("first", 2, 4), piece("audio", 0, 1)]},
    )

    PLAIN: ClassVar[dict[str, Any]] = {
        "warmup": 0,
        "reset_every": 0,
        "control_ns": 0,
        "others": [],
        "cache_bytes": 0,
        "recall_resident": False,
    }
    PER_STEP = ("wall_ns", "cpu_ns", "preemptions", "waits", "stolen_ns", "null_ns", "control_ns")

    def asked(self, path: Path, host: Host, audio: np.ndarray) -> dict[str, Any]:
        """A request over two models, loaded as 1 and 2, nothing special about it."""
        models = {name: host.loaded(path) for name in ("first", "second")}
        return {"models": models, "flow": self.FLOW, "audio": packed(audio), **self.PLAIN}

    def measured(self, loader: str, path: Path, audio: np.ndarray, **how: Any) -> dict:
        with running(FAULTY, loader) as host:
            return host.do("measure_latency", **{**self.asked(path, host, audio), **how})

    def outputs(self, path: Path, audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the flow gives, by way of process."""
        with running(FAULTY) as host:
            first = host.run(host.loaded(path), audio[:, 1:])
            return first, host.run(host.loaded(path), np.hstack([first[:, 2:], audio[:, :1]]))

    def test_a_step_is_the_flow_over_one_frame(self, path: Path) -> None:
        """Slices of the audio and of earlier outputs make up the inputs; the warm-up is run and not timed."""
        audio = noise(11, 4)
        reply = self.measured("good-native", path, audio, warmup=3)
        assert [len(reply[key]) for key in self.PER_STEP] == [8] * len(self.PER_STEP)
        assert all(time > 0 for time in reply["wall_ns"])
        first, second = self.outputs(path, audio)
        assert np.array_equal(unpacked(reply["outputs"]["first"]), first)
        assert np.array_equal(unpacked(reply["outputs"]["second"]), second)

    def test_state_is_reset_as_often_as_asked(self, path: Path) -> None:
        """Every five frames, the first one included; the state that was left there before doesn't matter."""
        audio = noise(11, 4)
        with running(FAULTY) as host:
            request = self.asked(path, host, audio)
            host.do("measure_latency", **request)
            reply = host.do("measure_latency", **{**request, "reset_every": 5})
        expected = np.concatenate([self.outputs(path, audio[begin : begin + 5])[1] for begin in (0, 5, 10)])
        assert np.array_equal(unpacked(reply["outputs"]["second"]), expected)

    def test_other_models_between_the_steps_change_nothing(self, path: Path) -> None:
        """Nor does what is read between them."""
        audio = noise(11, 4)
        with running(FAULTY) as host:
            request = self.asked(path, host, audio)
            other = host.loaded(path)
            reply = host.do("measure_latency", **{**request, "others": [other], "cache_bytes": 1 << 20})
            moved = host.run(other, noise(1, 3))
        assert np.array_equal(unpacked(reply["outputs"]["second"]), self.outputs(path, audio)[1])
        with running(FAULTY) as host:
            assert not np.array_equal(moved, host.run(host.loaded(path), noise(1, 3)))

    def test_resident_memory_is_recalled(self, path: Path, tmp_path: Path) -> None:
        """All of it, that of a model outside the flow too, and no page that was never used."""
        idle = raw_host.written(tmp_path / "idle.json", raw_host.model(1000, raw_host.dense(1000, 1000)))
        with running(FAULTY) as host:
            request = self.asked(path, host, noise(2, 4))
            host.loaded(idle)
            host.do("measure_latency", **request)
            before, used = kilobytes(host, "Rss"), {}
            for recall in (False, True):
                Path(f"/proc/{host.process.pid}/clear_refs").write_text("1", encoding="ascii")
                host.do("measure_latency", **{**request, "recall_resident": recall})
                used[recall] = kilobytes(host, "Referenced")
            after = kilobytes(host, "Rss")
        assert used[False] < before - 4000 < used[True], "the weights of the idle model take 4 MB"
        assert abs(used[True] - after) < 500 and abs(after - before) < 500

    def test_a_step_of_nothing_is_drawn_out(self, path: Path) -> None:
        """To the length that is asked for; the step of nothing itself ends before."""
        reply = self.measured("good-native", path, noise(11, 4), control_ns=500_000)
        assert min(reply["control_ns"]) >= 500_000
        assert len(reply["wake_ns"]) >= 3, "a thread was woken each millisecond of the 5.5 meanwhile"
        assert min(reply["null_ns"]) < 500_000

    def test_sleep_is_in_the_wall_time_only_and_marked_as_waiting(self, path: Path) -> None:
        """Two models sleep for 12 ms each, which no machine can make shorter; a thread that sleeps uses no CPU."""
        reply = self.measured("lat-sleeps-12ms", path, noise(4, 4))
        assert min(reply["wall_ns"]) >= 24_000_000
        assert sum(reply["cpu_ns"]) < sum(reply["wall_ns"])
        assert all(count >= 2 for count in reply["waits"])
        assert reply["wake_ns"] == []

    def test_a_reset_is_timed_with_the_step_behind_it(self, path: Path) -> None:
        """Each of two models spins for 3 ms in reset."""
        reply = self.measured("lat-slow-reset", path, noise(6, 4), reset_every=3)
        assert min(reply["wall_ns"][0], reply["wall_ns"][3]) >= 6_000_000

    def test_steps_run_on_a_thread_that_has_loaded_nothing(self, path: Path) -> None:
        """Each of two models spins for 3 ms in its first block on such a thread."""
        assert self.measured("lat-slow-on-audio-thread", path, noise(2, 4))["wall_ns"][0] >= 6_000_000

    @pytest.mark.parametrize("enter", [None, as_a_musician], ids=["as-it-is", "as-a-musician"])
    def test_real_time_priority_ends_with_the_measurement(self, path: Path, enter: Callable[[], None] | None) -> None:
        """Also for who may raise the priority by a limit, as audio users do, and not by a capability."""
        with running(FAULTY, enter=enter) as host:
            reply = host.do("measure_latency", **self.asked(path, host, noise(4, 4)))
            policy = os.sched_getscheduler(host.process.pid) & ~os.SCHED_RESET_ON_FORK
        if reply["priority"] != "real-time":
            pytest.skip("this user may not use real-time priority")
        assert policy == os.SCHED_OTHER

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"audio": packed(noise(0, 4))}, "expected at least 1 frame, found 0"),
            ({"warmup": 11}, "expected an integer from 0 to 10, found 11"),
            ({"others": [1]}, 'Model 1 stands in "flow" and in "others"'),
            ({"others": [3]}, 'Model 3 of "others" of the request "measure_latency" isn\'t prepared'),
            ({"others": [4]}, "There is no model 4"),
            ({"others": 4}, "expected a list of ids"),
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
        request = self.asked(path, host, noise(11, 4))
        host.do("load", path=str(path))
        error = host.ask("measure_latency", **{**request, **change})["error"]
        assert message in error["message"]
        assert error["class"] == "BadRequest"


class TestBlocks:
    def test_each_block_is_timed(self, path: Path) -> None:
        """The last one may be shorter; outputs are those of any other blocks."""
        with running(FAULTY) as host:
            model = host.loaded(path)
            reply = host.do("measure_blocks", model=model, frames=packed(noise(10, 3)), block=4)
            assert len(reply["wall_ns"]) == len(reply["cpu_ns"]) == len(reply["waits"]) == 3
            assert np.array_equal(unpacked(reply["outputs"]), host.run(host.loaded(path), noise(10, 3)))

    def test_a_block_longer_than_prepared_is_refused(self, path: Path) -> None:
        """With the longest that is allowed."""
        with running(FAULTY) as host:
            error = host.ask("measure_blocks", model=host.loaded(path), frames=packed(noise(4, 3)), block=9999)["error"]
        assert "found 9999" in error["message"]


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

    @pytest.mark.parametrize("way", ["new", "aligned", "mapping", "pieces", "system_call", "memory_file", "segment"])
    def test_every_way_to_hold_memory_counts(self, held_memory: Path, path: Path, way: str) -> None:
        """A megabyte per model, and nothing when it is given back."""
        one, seven = (self.measured(way, path, copies, library=held_memory) for copies in (1, 7))
        assert abs(seven["live_bytes"] - one["live_bytes"] - 6 * 2**20) < 6 * 16_384
        assert one["leak_bytes_per_cycle"] == 0

    def test_a_segment_that_is_never_detached_leaks(self, held_memory: Path, path: Path) -> None:
        """All of it, in each cycle."""
        assert self.measured("segment_kept", path, library=held_memory)["leak_bytes_per_cycle"] == 2**20

    def test_memory_that_is_kept_or_lost_is_seen(self, path: Path) -> None:
        """The JSON tree kept after load; one KiB lost in each load, as malloc rounds it."""
        honest, doubles, leaks = (self.measured(name, path) for name in ("good-native", "mem-doubles", "mem-leak"))
        assert doubles["live_bytes"] > honest["live_bytes"] + 4096
        assert 1024 <= leaks["leak_bytes_per_cycle"] <= 1048

    def test_what_is_loaded_besides_is_counted_too(self, path: Path, tmp_path: Path) -> None:
        """Of three cycles' lists each has its turn; a refused file is passed over, and what it left counts."""
        wrong = raw_host.written(tmp_path / "wrong.json", "{}")
        names = [str(tmp_path / f"{number}.json") for number in range(4)]
        for name in names:
            shutil.copy(path, name)
        leaks = {}
        for loader in ("good-native", "mem-leak-on-refusal", "mem-keeps-by-path"):
            with running(FAULTY, loader) as host:
                others = [[name, str(wrong)] for name in names]
                reply = host.do("measure_memory", paths=[str(path)], cycles=3, others=others)
            leaks[loader] = reply["leak_bytes_per_cycle"]
        assert leaks["good-native"] == 0
        assert leaks["mem-leak-on-refusal"] == 1024
        assert leaks["mem-keeps-by-path"] > 1024

    @pytest.mark.parametrize("what", ["descriptor", "thread"])
    def test_files_and_threads_that_are_left_are_counted(self, path: Path, what: str) -> None:
        """One for each cycle after the first."""
        honest, leaks = (self.measured(name, path) for name in ("good-native", f"mem-leak-{what}"))
        assert (honest["descriptors_left"], honest["threads_left"]) == (0, 0)
        assert leaks[f"{what}s_left"] == 20

    def test_a_great_leak_ends_the_cycles(self, held_memory: Path, path: Path) -> None:
        """Before the machine's memory is at an end: 80 models of a megabyte are enough in three cycles."""
        with running(held_memory, "segment_kept") as host:
            paths = [str(path)] * 80
            assert host.do("measure_memory", paths=paths, cycles=1000)["leak_bytes_per_cycle"] == 80 * 2**20

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
        host.do("environment", at_start=False)

    def test_an_exception_on_another_thread_is_a_breach(self, breaching: Path) -> None:
        """As on the host's own."""
        with running(breaching, "process-throws") as host:
            parts = [{"model": host.loaded(Path("any")), "frames": packed(noise(9, 1))} for _ in range(2)]
            error = host.ask("process_together", parts=parts, block=7, passes=2)["error"]
        assert error["class"] == "ContractBreach"


def ignore_arithmetic_errors() -> None:
    signal.signal(signal.SIGFPE, signal.SIG_IGN)


class TestEnvironment:
    def changes(self, loader: str, path: Path, enter: Callable[[], None] | None = None) -> dict:
        with running(FAULTY, loader, enter) as host:
            before = host.do("environment", at_start=False)
            host.run(host.loaded(path), noise(4, 3))
            after = host.do("environment", at_start=False)
        return {key: (before[key], after[key]) for key in before if key != "seq" and before[key] != after[key]}

    def test_a_good_loader_changes_nothing(self, path: Path) -> None:
        """Exception flags that ordinary arithmetic raises are no mode."""
        assert self.changes("good-native", path) == {}

    def test_changes_are_seen(self, path: Path) -> None:
        """Each in a field of its own, and in no other."""
        assert list(self.changes("run-leaks-fpenv", path)) == ["fpenv"]
        assert self.changes("run-changes-locale", path) == {"locale": ("C", "C.UTF-8")}
        assert self.changes("run-changes-folder", path) == {"cwd": (str(Path.cwd()), "/")}
        assert list(self.changes("run-changes-thread-locale", path)) == ["thread_locale"]
        assert self.changes("run-changes-cpp-locale", path) == {"cpp_locale": ("C 1234.5", "* 1234,5")}
        assert self.changes("run-changes-umask", path)["umask"][1] == "077"
        assert list(self.changes("run-handles-terminate", path)) == ["terminate_handler"]
        (before, after), *others = self.changes("run-replaces-standard-error", path).values()
        assert (before[:2], others) == (after[:2], []) and before[2] != after[2]
        before, after = self.changes("run-changes-environment-variable", path)["variables"]
        assert {name for name in after if after[name] != before.get(name)} == {"RTC_FAULTY_LOADED"}
        before, after = self.changes("run-blocks-signals", path)["blocked_signals"]
        assert int(signal.SIGFPE) in set(after) - set(before)
        before, after = self.changes("run-handles-signal", path)["signals"]
        assert (after.keys() - before.keys(), before.keys() - after.keys()) == ({str(int(signal.SIGFPE))}, set())

    def test_what_opening_the_library_changed_is_seen(self, path: Path) -> None:
        """Its static constructors run before the first request does."""
        library = FAULTY.with_name("librtc_faulty_fast_math.so")
        with running(library, "run-fast-math") as host:
            before, after = (host.do("environment", at_start=at_start) for at_start in (True, False))
        assert {key for key in before if before[key] != after[key]} == {"seq", "fpenv"}

    def test_another_handler_of_the_same_signal_is_seen(self, path: Path) -> None:
        """Here in the place of ignoring it, which is how the process began."""
        before, after = self.changes("run-handles-signal", path, ignore_arithmetic_errors)["signals"]
        changed = {number for number in before | after if before.get(number) != after.get(number)}
        assert (changed, before.keys()) == ({str(int(signal.SIGFPE))}, after.keys())
