"""What rtc-host sees of reset and process: each detector on loaders that do one forbidden thing, and on good ones."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

from . import raw_host
from .raw_host import FAULTY, Host, needs_host, noise, packed, running, unpacked

pytestmark = needs_host

MAY_TOUCH = ("rt-alloc-first-block", "rt-alloc-each-block", "rt-printf", "run-prints")
"""Whether malloc and stdio touch fresh pages for these differs from machine to machine."""


def watched(host: Host, path: Path, block: int = 7) -> dict:
    """The reply to watching 20 frames of noise through a fresh model."""
    host.do("plain_memory")
    loaded = host.do("load", path=str(path))
    model, frames = loaded["model"], noise(20, loaded["input_size"])
    host.do("prepare", model=model, max_frames=20)
    reply = host.do("watch", model=model, frames=packed(frames), block=block)
    return {**reply, "model": model, "frames": frames, "outputs": unpacked(reply["outputs"])}


def brief(reply: dict) -> list[tuple]:
    """(kind, function, count, first call) of each offence."""
    return [(o["kind"], o["function"], o["count"], o["first_call"]) for o in reply["offences"]]


@pytest.fixture(scope="module")
def forbidden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of tests/harness/forbidden_calls.cpp."""
    if platform.machine() != "x86_64":
        pytest.skip("system calls are trapped on x86-64 only")
    return raw_host.compiled("forbidden_calls.cpp", tmp_path_factory.mktemp("forbidden"))


class TestKnownBads:
    @pytest.mark.parametrize(
        ("loader", "expected"),
        [
            ("good-native", []),
            ("rt-alloc-first-block", [("malloc", "malloc", 1, 1)]),
            ("rt-alloc-each-block", [("malloc", "malloc", 3, 1), ("free", "free", 2, 2)]),
            ("rt-lock", [("lock", "pthread_mutex_lock", 3, 1)]),
            ("rt-printf", [("io", "fprintf", 3, 1)]),
            ("run-prints", [("io", "printf", 3, 1)]),
            ("rt-sleep", [("sleep", "nanosleep", 3, 1)]),
            ("rt-raw-syscall", [("syscall", "system call getppid", 3, 1)]),
            ("rt-page-fault", [("page_fault", "page fault", 3, 1)]),
        ],
    )
    def test_an_offence_has_kind_function_count_and_first_call(self, path: Path, loader: str, expected: list) -> None:
        """Three blocks of at most 7 frames are calls 1 to 3; call 0 is reset. The outputs are as without a watch."""
        with running(FAULTY, loader) as host:
            reply = watched(host, path)
            host.do("reset", model=reply["model"])
            assert np.array_equal(reply["outputs"], host.run(reply["model"], reply["frames"]))
        found = brief(reply)
        if loader in MAY_TOUCH:
            found = [offence for offence in found if offence[0] != "page_fault"]
        assert found == expected

    def test_the_stack_leads_from_the_call_into_the_library(self, path: Path) -> None:
        """Innermost first, and none of the host's own frames."""
        with running(FAULTY, "rt-alloc-first-block") as host:
            (offence,) = watched(host, path)["offences"]
        assert offence["stack"][0].startswith("libstdc++.so.6(_Znwm+0x")
        assert all(frame.startswith("librtc_faulty.so+0x") for frame in offence["stack"][1:])
        assert len(offence["stack"]) > 1


class TestForbiddenThings:
    @pytest.mark.parametrize("loader", ["nothing", "try_locks", "clock_is_read"])
    def test_what_is_allowed_is_not_seen(self, forbidden: Path, path: Path, loader: str) -> None:
        """Reading the clock is no system call, and a lock that is only tried holds nobody up."""
        with running(forbidden, loader) as host:
            reply = watched(host, path)
        assert reply["outputs"].all()
        assert brief(reply) == []

    @pytest.mark.parametrize(
        ("loader", "expected"),
        [
            ("raw_getpid", ("syscall", "system call getpid")),
            ("raw_write", ("syscall", "system call write")),
            ("raw_unknown", ("syscall", "system call number 9999")),
            ("libc_getppid", ("syscall", "system call getppid")),
            ("libc_poll", ("syscall", "system call poll")),
            ("errors", ("io", "open")),
            ("forks", ("syscall", "system call clone")),
            ("blocks_signals", ("syscall", "system call rt_sigprocmask")),
            ("raises", ("syscall", "system call tgkill")),
            ("maps", ("mmap", "munmap")),
            ("threads", ("thread", "pthread_create")),
            ("waits", ("lock", "pthread_cond_clockwait")),
            ("shared_locks", ("lock", "pthread_rwlock_rdlock")),
            ("timed_locks", ("lock", "pthread_mutex_clocklock")),
            ("reads_file", ("io", "fopen64")),
            ("opens_library", ("malloc", "malloc")),
            ("touches", ("page_fault", "page fault")),
            ("throws_again", ("throw", "throw")),
        ],
    )
    def test_what_is_forbidden_is_seen_and_works_all_the_same(
        self, forbidden: Path, path: Path, loader: str, expected: tuple[str, str]
    ) -> None:
        """By name, in the first block; each gives 1 where what it did came out as it does without a watch."""
        with running(forbidden, loader) as host:
            reply = watched(host, path)
            assert reply["system_calls_unseen"] == ""
            assert host.run(reply["model"], reply["frames"]).all()
        assert reply["outputs"].all()
        assert (*expected, 1) in [(o["kind"], o["function"], o["first_call"]) for o in reply["offences"]]
