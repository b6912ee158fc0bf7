"""MLBridge stays small and comes to an end, whatever a trainer writes and whoever holds its outputs open."""

import os
import signal
import sys

import pytest

from .bridge_scene import ENOUGH, EXPORT_SMALL, SMALL, scene, until

__all__ = ["scene"]

MIB = 1 << 20
GRANDCHILD = """
child = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {}"
grandchild = subprocess.Popen([sys.executable, "-S", "-c", child], start_new_session={})
"""
SLEEPS, WRITES = "time.sleep(1000)", "\\nwhile True: os.write(1, b'x' * 60000)"


def resident():
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("stream", [1, 2], ids=["output", "error"])
@pytest.mark.parametrize(
    "line", ["b'{' * 65536", "b'[[1], ' * 9000", "b'\\0' * 65535 + b'\\n'"], ids=["endless", "json", "lines"]
)
def test_a_flood_takes_little_memory(scene, stream, line):
    """1 GiB without a newline, or in lines that are no progress."""
    flood = f"piece = {line}\nfor _ in range({1 << 30} // len(piece)):\n    rest = piece\n"
    flood += f"    while rest: rest = rest[os.write({stream}, rest):]\n"
    bridge = scene.bridge(flood + EXPORT_SMALL)
    before, peak = resident(), 0
    bridge.start()
    while not bridge.wait(0.01):
        peak = max(peak, resident())
    assert bridge.status() == ("succeeded", "")
    assert len(bridge.log()) <= 200 and {len(line) for line in bridge.log()} <= {1000}
    assert peak - before < 32 * MIB


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_log_keeps_the_last_lines(scene, stream):
    """As many as the options say, of either output: in what order two pipes are read is nobody's promise."""
    bridge = scene.bridge(f"for n in range(100_000): print(n, file=sys.{stream})\nsys.exit(1)", log_lines=3)
    bridge.start()
    assert bridge.wait(ENOUGH)
    assert bridge.log() == ["99997", "99998", "99999"]


def test_no_line_of_progress_is_lost(scene):
    """Long and short ones, in one write or in many, and at any place of the pieces in which they are read."""
    trainer = "for n in range(20_000): print(json.dumps({'epoch': n, 'loss': n / 7, 'pad': 'x' * (n % 97)}))\n"
    assert scene.run(trainer + EXPORT_SMALL)[0] == "succeeded"
    assert scene.progress == [("", n, n / 7, None) for n in range(20_000)]


@pytest.mark.parametrize("does", [SLEEPS, WRITES], ids=["sleeps", "writes"])
@pytest.mark.parametrize("code", [0, 1])
def test_what_the_trainer_left_behind_ends_with_it(scene, does, code):
    """A grandchild that holds the outputs open, deaf to SIGTERM, neither holds up the end nor lives on."""
    state, reason = scene.run(EXPORT_SMALL + GRANDCHILD.format(does, False) + f"time.sleep(0.1)\nos._exit({code})")
    assert state == ("failed" if code else "succeeded"), reason
    assert scene.plays_as_before() if code else scene.plays_new(SMALL)


@pytest.mark.parametrize("does", [SLEEPS, WRITES], ids=["sleeps", "writes"])
def test_who_leaves_the_session_does_not_hold_up_the_end(scene, does):
    """It can't be found any more, and goes on holding, or writing to, a pipe that nobody reads."""
    state, reason = scene.run(
        EXPORT_SMALL + GRANDCHILD.format(does, True) + "print(grandchild.pid, file=open('pid', 'w'), flush=True)\n"
        "time.sleep(0.2)",
        working_folder=str(scene.root),
    )
    pid = int((scene.root / "pid").read_text())
    try:
        assert (state, reason) == ("succeeded", "")
        if does == WRITES:
            until(lambda: pid not in scene.processes(), "SIGPIPE for one that writes to nobody")
    finally:
        if pid in scene.processes():
            os.kill(pid, signal.SIGKILL)


def test_cancelling_reaches_a_trainer_that_floods(scene):
    """It is heard between two reads, however fast the trainer writes."""
    bridge = scene.bridge("while True: say(epoch=1, loss=1)")
    bridge.start()
    until(lambda: len(scene.progress) > 1000, "progress")
    bridge.cancel()
    assert bridge.wait(ENOUGH) and bridge.status()[0] == "cancelled"
