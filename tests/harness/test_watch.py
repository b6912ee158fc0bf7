"""What rtc-host sees of reset and process: each detector on loaders that do one forbidden thing, and on good ones."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from . import raw_host, sandbox
from .raw_host import FAULTY, Host, needs_host, noise, packed, running, section, unpacked

pytestmark = needs_host

MAY_TOUCH = (
    "rt-alloc-first-block",
    "rt-alloc-each-block",
    "rt-alloc-in-reset",
    "rt-alloc-in-empty-block",
    "rt-printf",
    "run-prints",
)
"""Whether malloc and stdio touch fresh pages for these differs from machine to machine."""

TRAP = "RTCONFORM_SYSCALL_TRAP"


@pytest.fixture(params=["dispatch", "seccomp"])
def trap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two ways to trap system calls, forced."""
    if platform.machine() != "x86_64":
        pytest.skip("system calls are trapped on x86-64 only")
    if not sandbox.kernel_has(request.param):
        pytest.skip(f"the kernel has no {request.param}")
    monkeypatch.setenv(TRAP, request.param)
    return request.param


def watched(host: Host, path: Path, blocks: Sequence[int] = (7,), frames: int = 20) -> dict:
    """The reply to watching frames of noise through a fresh model, and another reset and an empty block behind them."""
    host.do("plain_memory")
    loaded = host.do("load", path=str(path))
    model, signal = loaded["model"], noise(frames, loaded["input_size"])
    host.do("prepare", model=model, max_frames=20)
    reply = host.do("watch", sections=[section(model, signal, blocks), section(model, signal[:0], [0])])
    return {**reply, "model": model, "frames": signal, "outputs": unpacked(reply["outputs"][0])}


def brief(reply: dict) -> list[tuple]:
    """(kind, function, count, first call) of each offence."""
    return [(o["kind"], o["function"], o["count"], o["first_call"]) for o in reply["offences"]]


@pytest.fixture(scope="module")
def forbidden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of tests/harness/forbidden_calls.cpp, which opens one that lies where its RUNPATH says."""
    folder = tmp_path_factory.mktemp("forbidden")
    beside = folder / "beside"
    beside.mkdir()
    (folder / "beside.c").write_text("int beside = 1;\n")
    raw_host.compiled(folder / "beside.c", beside)
    return raw_host.compiled("forbidden_calls.cpp", folder, "-Wl,--enable-new-dtags,-rpath,$ORIGIN/beside")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of tests/harness/forbidden_kernel.cpp."""
    if platform.machine() != "x86_64":
        pytest.skip("it is written for x86-64")
    return raw_host.compiled("forbidden_kernel.cpp", tmp_path_factory.mktemp("kernel"))


class TestKnownBads:
    @pytest.mark.parametrize(
        ("loader", "expected"),
        [
            ("good-native", []),
            ("rt-alloc-first-block", [("malloc", "malloc", 1, 1)]),
            ("rt-alloc-each-block", [("malloc", "malloc", 3, 1), ("free", "free", 2, 2)]),
            ("rt-alloc-in-reset", [("malloc", "malloc", 1, 4)]),
            ("rt-alloc-in-empty-block", [("malloc", "malloc", 1, 5)]),
            ("rt-lock", [("lock", "pthread_mutex_lock", 3, 1)]),
            ("rt-printf", [("io", "fprintf", 3, 1)]),
            ("run-prints", [("io", "printf", 3, 1)]),
            ("rt-sleep", [("sleep", "nanosleep", 3, 1)]),
            ("rt-raw-syscall", [("syscall", "system call getppid", 3, 1)]),
            ("rt-page-fault", [("page_fault", "page fault", 3, 1)]),
        ],
    )
    def test_an_offence_has_kind_function_count_and_first_call(
        self, path: Path, trap: str, loader: str, expected: list
    ) -> None:
        """Calls 1 to 3 are three blocks of up to 7 frames, 0 and 4 reset, and 5 is an empty block. The outputs are as
        without a watch.
        """
        with running(FAULTY, loader) as host:
            reply = watched(host, path)
        with running(FAULTY, loader) as host:
            assert np.array_equal(reply["outputs"], host.run(host.loaded(path), reply["frames"]))
        found = brief(reply)
        if loader in MAY_TOUCH:
            found = [offence for offence in found if offence[0] != "page_fault"]
        assert (found, reply["unseen"], reply["system_call_trap"]) == (expected, {}, trap)

    def test_each_block_is_a_call(self, path: Path) -> None:
        """Of the sizes given, in their order."""
        with running(FAULTY, "run-prints") as host:
            reply = watched(host, path, [5, 1, 2])
        assert reply["noise"] == "".join(f"processing {size} frames\n" for size in (5, 1, 2, 5, 1, 2, 4))

    def test_models_take_turns(self, path: Path) -> None:
        """Calls are numbered through the sections, whichever model has its turn; each has its own state and outputs."""
        with running(FAULTY, "rt-alloc-on-switch") as host:
            one, other = host.loaded(path), host.loaded(path)
            turns = [section(model, noise(6, 3), [3]) for model in (one, one, other, one)]
            reply = host.do("watch", sections=turns)
            (first, *others) = (unpacked(outputs) for outputs in reply["outputs"])
            host.do("reset", model=other)
            assert np.array_equal(first, host.run(other, noise(6, 3)))
        assert all(np.array_equal(first, outputs) for outputs in others)
        assert ("malloc", "malloc", 2, 7) in brief(reply)

    def test_a_thread_of_its_own_calls(self, path: Path) -> None:
        """What prepare made for the thread that it ran on isn't there."""
        with running(FAULTY, "rt-alloc-on-audio-thread") as host:
            assert ("malloc", "malloc", 1) in [found[:2] + found[3:] for found in brief(watched(host, path))]

    def test_a_breach_is_reported_across_the_threads(self, path: Path, tmp_path: Path) -> None:
        """As if the main thread had met it, and the process can be watched again."""
        with running(raw_host.compiled("breaching_loaders.cpp", tmp_path), "process-throws") as host:
            asked = [section(host.loaded(path), noise(2, 1), [2])]
            for _ in range(2):
                error = host.ask("watch", sections=asked)["error"]
                assert error["class"] == "ContractBreach"
                assert "An exception left process()" in error["message"]

    @pytest.mark.parametrize(
        ("calls", "expected"),
        [
            (999, []),
            (1000, [("malloc", "malloc", 1, 1000)]),
            (2000, [("malloc", "malloc", 2, 1000), ("free", "free", 1, 2000)]),
        ],
    )
    def test_what_is_rare_has_the_number_of_its_call(self, path: Path, calls: int, expected: list) -> None:
        """And is seen only in as many calls as it takes."""
        with running(FAULTY, "rt-alloc-now-and-then") as host:
            reply = watched(host, path, [1], calls)
        assert [offence for offence in brief(reply) if offence[0] != "page_fault"] == expected

    def test_the_stack_leads_from_the_call_into_the_library(self, path: Path) -> None:
        """Innermost first, and none of the host's own frames."""
        with running(FAULTY, "rt-alloc-first-block") as host:
            (offence,) = (o for o in watched(host, path)["offences"] if o["kind"] == "malloc")
        assert offence["stack"][0].startswith("libstdc++.so.6(_Znwm+0x")
        assert all(frame.startswith("librtc_faulty.so+0x") for frame in offence["stack"][1:])
        assert len(offence["stack"]) > 1


class TestForbiddenThings:
    def check(self, library: Path, path: Path, loader: str, expected: tuple[str, str], trap: str) -> None:
        with running(library, loader) as host:
            reply = watched(host, path)
        assert (reply["unseen"], reply["system_call_trap"]) == ({}, trap)
        assert reply["outputs"].all()
        assert (*expected, 1) in [(o["kind"], o["function"], o["first_call"]) for o in reply["offences"]]

    @pytest.mark.parametrize("loader", ["nothing", "try_locks", "clock_is_read", "environment_is_read", "jumps"])
    def test_what_is_allowed_is_not_seen(self, forbidden: Path, path: Path, trap: str, loader: str) -> None:
        """Reading the clock is no system call, and a lock that is only tried holds nobody up."""
        with running(forbidden, loader) as host:
            reply = watched(host, path)
        assert reply["outputs"].all()
        assert brief(reply) == []

    @pytest.mark.parametrize(
        ("loader", "expected"),
        [
            ("news_aligned", ("malloc", "aligned_alloc")),
            ("reallocates_array", ("malloc", "realloc")),
            ("takes_pages", ("malloc", "pvalloc")),
            ("trims", ("free", "malloc_trim")),
            ("moves_break", ("mmap", "sbrk")),
            ("maps", ("mmap", "munmap")),
            ("advises", ("syscall", "system call madvise")),
            ("advises_about_file", ("syscall", "system call fadvise64")),
            ("touches", ("page_fault", "page fault")),
            ("has_deep_stack", ("page_fault", "page fault")),
            ("spins", ("lock", "pthread_spin_lock")),
            ("waits", ("lock", "pthread_cond_clockwait")),
            ("shared_locks", ("lock", "pthread_rwlock_rdlock")),
            ("timed_locks", ("lock", "pthread_mutex_clocklock")),
            ("shared_timed_locks", ("lock", "pthread_rwlock_clockrdlock")),
            ("timed_semaphores", ("lock", "sem_clockwait")),
            ("barriers", ("lock", "pthread_barrier_wait")),
            ("c11_locks", ("lock", "mtx_lock")),
            ("c11_wakes", ("lock", "cnd_signal")),
            ("calls_once", ("syscall", "system call futex")),
            ("first_use", ("lock", "__cxa_guard_acquire")),
            ("draws_lots", ("lock", "rand")),
            ("tells_time", ("lock", "localtime")),
            ("polls", ("sleep", "poll")),
            ("selects", ("sleep", "select")),
            ("waits_for_events", ("sleep", "epoll_wait")),
            ("c11_sleeps", ("sleep", "thrd_sleep")),
            ("yields", ("sleep", "sched_yield")),
            ("errors", ("io", "open")),
            ("errors_in_folder", ("io", "openat")),
            ("reads_at", ("io", "pread")),
            ("reads_file", ("io", "fopen64")),
            ("reads_line", ("io", "fgets")),
            ("reads_character", ("io", "getc")),
            ("prints_into_buffer", ("io", "std::filebuf::xsputn")),
            ("prints", ("io", "fwrite")),
            ("prints_wide", ("io", "putwc")),
            ("prints_wide_into_buffer", ("io", "std::wfilebuf::xsputn")),
            ("puts_wide_text", ("io", "fputws")),
            ("puts_wide_character", ("io", "fputwc")),
            ("formats_wide", ("io", "fwprintf")),
            ("logs", ("io", "syslog")),
            ("threads", ("thread", "pthread_create")),
            ("tasks", ("thread", "pthread_create")),
            ("c11_threads", ("thread", "thrd_create")),
            ("opens_library", ("library", "dlopen")),
            ("opens_its_own", ("library", "dlopen")),
            ("looks_up", ("library", "dlsym")),
            ("throws_again", ("throw", "throw")),
            ("throws_kept", ("throw", "throw")),
            ("passes_on", ("throw", "rethrow")),
            ("runs_out_of_memory", ("throw", "throw")),
            ("goes_past_the_end", ("throw", "throw")),
        ],
    )
    def test_what_is_forbidden_is_seen_and_works_all_the_same(
        self, forbidden: Path, path: Path, trap: str, loader: str, expected: tuple[str, str]
    ) -> None:
        """By name, in the first block; each gives 1 where what it did came out as it does without a watch."""
        self.check(forbidden, path, loader, expected, trap)

    @pytest.mark.parametrize(
        ("loader", "expected"),
        [
            ("raw_getpid", "system call getpid"),
            ("raw_write", "system call write"),
            ("raw_unknown", "system call number 9999"),
            ("raw_32_bits", "system call by int 0x80"),
            ("libc_getppid", "system call getppid"),
            ("blocks_signals", "system call rt_sigprocmask"),
            ("blocks_all_signals", "system call gettid"),
            ("changes_signal_stack", "system call sigaltstack"),
            ("raises", "system call tgkill"),
        ],
    )
    def test_system_calls_are_seen_however_they_are_made(
        self, kernel: Path, path: Path, trap: str, loader: str, expected: str
    ) -> None:
        """What concerns signals too, that of the trap among them, of which the library may even have blocked one."""
        self.check(kernel, path, loader, ("syscall", expected), trap)

    @pytest.mark.parametrize(
        ("loader", "function"),
        [("forks", "fork"), ("starts_program", "posix_spawnp"), ("runs_command", "system")],
    )
    def test_processes_are_seen_by_name(self, kernel: Path, path: Path, trap: str, loader: str, function: str) -> None:
        """And start."""
        self.check(kernel, path, loader, ("thread", function), trap)

    @pytest.mark.parametrize(
        ("loader", "by_dispatch", "by_seccomp"),
        [
            ("raw_forks", "system call fork", "system call wait4"),
            ("forks_in_place", "system call vfork", "system call exit_group"),
        ],
    )
    def test_what_seccomp_lets_pass_is_seen_by_what_follows(
        self, kernel: Path, path: Path, trap: str, loader: str, by_dispatch: str, by_seccomp: str
    ) -> None:
        """Who starts a process past libc waits for it, and one in the same memory is watched like its parent."""
        self.check(kernel, path, loader, ("syscall", by_dispatch if trap == "dispatch" else by_seccomp), trap)


class TestTraps:
    """The two ways to trap system calls, and none."""

    def reply(self, path: Path, loader: str, *missing: sandbox.Missing) -> dict:
        with running(FAULTY, loader, sandbox.entering(*missing)) as host:
            return watched(host, path)

    @pytest.mark.parametrize("trap", ["dispatch"], indirect=True)
    def test_dispatch_is_lifted_again(self, path: Path, trap: str) -> None:
        """The same process can be watched twice, and goes on."""
        with running(FAULTY, "rt-raw-syscall") as host:
            before = host.do("environment", at_start=False)
            replies = [watched(host, path) for _ in range(2)]
            assert host.run(replies[0]["model"], replies[0]["frames"]).any()
            assert host.do("environment", at_start=False)["signals"] == before["signals"]
        assert brief(replies[0]) == brief(replies[1]) == [("syscall", "system call getppid", 3, 1)]

    @pytest.mark.parametrize("trap", ["seccomp"], indirect=True)
    def test_after_seccomp_a_process_only_unloads_and_quits(self, path: Path, trap: str) -> None:
        """What else would be measured in it would be measured with all its system calls trapped."""
        with running(FAULTY) as host:
            model = watched(host, path)["model"]
            refused = host.ask("process", model=model, frames=packed(noise(3, 3)))["error"]
            assert refused["class"] == "BadRequest"
            assert "only unload and quit" in refused["message"]
            host.do("unload", model=model)
            host.do("quit")
            assert host.process.wait(10) == 0

    @pytest.mark.parametrize("trap", ["seccomp"], indirect=True)
    def test_seccomp_stands_in_for_dispatch(self, path: Path, trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the kernel says that it has no dispatch, and nobody says what to use."""
        monkeypatch.delenv(TRAP)
        reply = self.reply(path, "rt-raw-syscall", sandbox.DISPATCH)
        assert (reply["system_call_trap"], reply["unseen"]) == ("seccomp", {})
        assert brief(reply) == [("syscall", "system call getppid", 3, 1)]

    def test_without_either_the_reason_is_given(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """And nothing is said to have been seen."""
        monkeypatch.delenv(TRAP, raising=False)
        reply = self.reply(path, "rt-raw-syscall", sandbox.DISPATCH, sandbox.SECCOMP)
        assert (reply["system_call_trap"], brief(reply)) == ("none", [])
        assert "neither Syscall User Dispatch" in reply["unseen"]["syscall"]

    @pytest.mark.parametrize(
        ("value", "reason"), [("none", "is none"), ("ptrace", "neither dispatch nor seccomp nor none")]
    )
    def test_a_way_that_is_none_sees_nothing_and_says_so(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, value: str, reason: str
    ) -> None:
        """A good loader is accused of nothing then either, and other detectors go on."""
        monkeypatch.setenv(TRAP, value)
        for loader, expected in (("rt-raw-syscall", []), ("rt-lock", [("lock", "pthread_mutex_lock", 3, 1)])):
            reply = self.reply(path, loader)
            assert reason in reply["unseen"]["syscall"]
            assert brief(reply) == expected

    def test_page_faults_that_nobody_counts_are_not_overlooked(self, path: Path) -> None:
        """In a sandbox whose getrusage says nothing but zeros."""
        reply = self.reply(path, "rt-page-fault", sandbox.USAGE)
        assert "doesn't count page faults" in reply["unseen"]["page_fault"]
        assert brief(reply) == []
