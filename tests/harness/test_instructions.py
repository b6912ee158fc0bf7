"""Instructions counted under callgrind, and what is said where they can't be."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rtconform.harness.implementations import NotAvailable, connect
from rtconform.harness.measure import instructions

from . import raw_host
from .raw_host import FAULTY, Host, needs_host, noise, packed, unpacked

pytestmark = needs_host
needs_valgrind = pytest.mark.skipif(
    not (shutil.which("valgrind") or shutil.which("valgrind", path=str(Path(sys.executable).parent))),
    reason="there is no valgrind, which the set-up fetches where it can",
)
FRAMES = noise(8, 3)
LONG_WORK = "for (volatile int left = 100000; left > 0; --left) {}"


def counted(loader: str, path: Path, frames: np.ndarray = FRAMES) -> float:
    return instructions.count(connect(f"abi:{FAULTY}#{loader}", "loader"), [(path, frames)])[0]


@needs_valgrind
def test_counts_are_the_same_in_every_run_and_higher_for_more_work(path: Path) -> None:
    """Exactly the same; a copy of each block to fresh memory is more."""
    first = counted("good-native", path)
    assert counted("good-native", path) == first
    assert counted("rt-alloc-each-block", path) > 1.01 * first


@needs_valgrind
def test_only_process_counts(tmp_path: Path) -> None:
    """A loader that copies a float: neither the parsing of its file nor reset, and nothing of the host but the call."""
    assert 5 < counted_of_copying(tmp_path, "(void)model; }", f"(void)model; {LONG_WORK} }}") < 500


@needs_valgrind
def test_no_counted_answer_is_a_remembered_one(tmp_path: Path) -> None:
    """A loader that works only for frames that it has not seen works for each."""
    remembers = f"""static float seen[1000];
    static int count;
    for (int i = 0; i < count; ++i) if (seen[i] == in[0]) goto known;
    seen[count++] = in[0];
    {LONG_WORK}
known:
    memcpy("""
    assert counted_of_copying(tmp_path, "memcpy(", remembers) > 100_000


def counted_of_copying(folder: Path, old: str, new: str) -> float:
    """Instructions per frame of a loader that copies frames of five, with a change in its source."""
    text = Path(__file__).with_name("identity_loader.c").read_text(encoding="utf-8")
    assert text.count(old) == 1
    source = raw_host.written(folder / "copying.c", text.replace(old, new))
    library = raw_host.compiled(source, folder)
    file = raw_host.written(folder / "five", "5")
    return instructions.count(connect(f"abi:{library}", "loader"), [(file, noise(50, 5))])[0]


@needs_valgrind
def test_a_library_that_dies_under_valgrind_is_not_available(path: Path) -> None:
    """In one sentence, with the signal."""
    with pytest.raises(NotAvailable, match=r"under valgrind it died of SIGSEGV$"):
        counted("ldr-crashes", path)


@pytest.mark.parametrize("written", [None, "events: Ir\n"])
def test_counts_that_are_not_written_are_not_available(tmp_path: Path, written: str | None) -> None:
    """As on a full disk: no reason to lose what was measured before."""
    client = SimpleNamespace(noise=[], pid=7, who="mine", request=lambda *_, **__: {"counted": True})
    session = instructions.CountingSession(client)
    session.folder = tmp_path
    if written is not None:
        (tmp_path / "7.1").write_text(written)
    with pytest.raises(NotAvailable, match=r"callgrind was to write its totals to 7\.1, and did not"):
        session.count_instructions(SimpleNamespace(model_id=1), FRAMES)


def test_without_valgrind_it_says_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(NotAvailable, match="there is none on PATH"):
        counted("good-native", path)


def test_other_connections_are_not_counted(path: Path) -> None:
    """A program's own host has its own ways."""
    loader = connect("py:tests.harness.strangers.numpy_loader:NumpyLoader", "loader")
    with pytest.raises(NotAvailable, match="of abi: loaders only"):
        instructions.count(loader, [(path, FRAMES)])


def test_the_host_says_that_nobody_counts(host: Host, path: Path) -> None:
    """Outside of valgrind; the frames run all the same, one by one from reset."""
    model = host.loaded(path, max_frames=1)
    host.do("process", model=model, frames=packed(FRAMES[:1]))
    reply = host.do("count_instructions", model=model, frames=packed(FRAMES))
    assert reply["counted"] is False
    assert np.array_equal(unpacked(reply["outputs"]), host.run(host.loaded(path), FRAMES))
