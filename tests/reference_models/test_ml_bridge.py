"""MLBridge runs a trainer as a child: whatever that does, the bridge hears it, ends it, and leaves nothing behind."""

import json
import signal
import sys
import threading
from pathlib import Path

import pytest

from rtconform.reference_models import _plugin_core

from .bridge_scene import DEAF, ENOUGH, EXPORT_SMALL, FILES, FOREVER, READY, SMALL, content, is_ready, scene

__all__ = ["scene"]


def test_the_trainer_of_the_project_trains_what_plays(scene, tmp_path):
    """Progress has the order and the values of the trainer's own history; then all five play, and reload is due."""
    few = {
        "audio": {"kind": "audio-folder", "path": "bundled:audio", "max_items": 12},
        "melodies": {"kind": "midi-folder", "path": "bundled:midi", "max_items": 12},
        "performances": {"kind": "midi-folder", "path": "bundled:midi", "max_items": 12},
        "chords": {"kind": "chord-json", "path": "bundled:chords", "max_items": 12},
    }
    (tmp_path / "config.json").write_text(json.dumps({"datasets": few}))
    command = [sys.executable, "-m", "rtconform", "train", "--progress", "json", "--epochs", "2"]
    command += ["--config", "config.json", "--out", str(scene.exports)]
    bridge = scene.bridge(command, working_folder=str(tmp_path), required_models=[])
    assert bridge.start() is None and bridge.wait(600)
    assert bridge.status() == ("succeeded", "")

    metrics = json.loads((scene.exports / "metrics.json").read_text())["models"]
    assert metrics.keys() == FILES.keys()
    for name, result in metrics.items():
        history = [(epoch["epoch"], epoch["loss"], epoch["validation_loss"]) for epoch in result["history"]]
        assert [values for model, *values in scene.progress if model == name] == [list(values) for values in history]
    for file in FILES.values():
        assert (scene.models / file).read_bytes() == (scene.exports / file).read_bytes()
    digest = {name: _plugin_core.digest_of_file(str(scene.models / file)).sha256 for name, file in FILES.items()}
    assert scene.installed == [digest]
    assert content(scene.models).keys() == set(FILES.values())


def test_progress_is_told_in_order_before_the_end(scene):
    """What isn't progress is kept as text, in order, and the callbacks come one after the other on one thread."""
    heard = []
    callbacks = {
        name: lambda *_, name=name: heard.append((name, threading.get_ident()))
        for name in ("on_progress", "on_installed", "on_end")
    }
    trainer = (
        "say(model='A', epoch=1, loss=0.5, validation_loss=1)\nprint('half-way', flush=True)\nsay(epoch=2, loss=3)\n"
    )
    bridge = scene.bridge(trainer + EXPORT_SMALL, **callbacks)
    assert bridge.status() == ("idle", "")
    bridge.start()
    assert bridge.wait(ENOUGH) and bridge.status() == ("succeeded", "")
    assert [name for name, _ in heard] == ["on_progress", "on_progress", "on_installed", "on_end"]
    threads = {thread for _, thread in heard}
    assert len(threads) == 1 and threading.get_ident() not in threads
    assert bridge.log() == ["half-way"]

    assert scene.run(trainer + EXPORT_SMALL)[0] == "succeeded"
    assert scene.progress == [("A", 1, 0.5, 1.0), ("", 2, 3.0, None)]


def test_only_whole_epochs_with_a_loss_are_progress(scene):
    """Neither words in place of numbers, nor NaN, nor what only begins like JSON, nor bytes of any kind."""
    lines = [
        b'{"epoch": "1", "loss": 0.5}',
        b'{"epoch": 1}',
        b'{"loss": 1}',
        b'{"epoch": 1.5, "loss": 1}',
        b'{"epoch": -1, "loss": 1}',
        b'{"epoch": 1, "loss": NaN}',
        b'{"epoch": 1, "loss": null}',
        b'{"epoch": 1, "loss": 1e999}',
        b'{"epoch": 99999999999999999999, "loss": 1}',
        b'{"epoch": 1, "epoch": 2, "loss": 1}',
        b'[{"epoch": 1, "loss": 1}]',
        b'{"epoch": 1, "loss": 1} {',
        b'{"epoch": 1, "loss": 1',
        b"[" * 60000,
        b'{"epoch": 1, "loss": 1, "model": "\xff"}',
        bytes(byte for byte in range(256) if byte != 10),
        b"",
    ]
    good = b'\t{"more": [{"a": 1}], "model": "\\ud800", "loss": 1e-3, "epoch": 18446744073709551615}\r'
    (scene.root / "lines").write_bytes(b"\n".join([*lines, good, b"the end, without a newline"]))
    trainer = f"sys.stdout.buffer.write(pathlib.Path({str(scene.root / 'lines')!r}).read_bytes())\n"
    bridge = scene.bridge(trainer + EXPORT_SMALL)
    bridge.start()
    assert bridge.wait(ENOUGH) and bridge.status()[0] == "succeeded"
    assert scene.progress == [("???", 2**64 - 1, 0.001, None)]
    log = bridge.log()
    assert len(log) == len(lines) + 1 and log[-1] == "the end, without a newline"
    assert log[0] == lines[0].decode() and max(map(len, log)) <= 1000
    assert log[-3].count("?") == 1 + 30 + 1 + 128  # itself, control characters but the tab, DEL, and no UTF-8


@pytest.mark.parametrize(
    ("last", "found"),
    [
        ("sys.exit('out of clay')", "exit code 1; its standard error ends with:\nout of clay"),
        ("os._exit(77)", "exit code 77; it wrote nothing to its standard error"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", f"that signal {int(signal.SIGSEGV)} "),
        ("os.kill(os.getpid(), signal.SIGKILL)", f"that signal {int(signal.SIGKILL)} "),
    ],
)
def test_a_trainer_that_fails_changes_nothing(scene, last, found):
    """Although it exported good models first."""
    state, reason = scene.run(EXPORT_SMALL + "say(epoch=1, loss=1)\n" + last)
    assert state == "failed"
    assert reason.startswith(f"expected the trainer to end with exit code 0, found {found}")
    assert scene.plays_as_before() and len(scene.progress) == 1


def test_the_reason_is_the_end_of_a_long_complaint(scene):
    """Ten lines of it, whatever came before, and a line of any length is cut."""
    trainer = "for n in range(5000): print('line', n, file=sys.stderr)\nsys.exit('x' * 100_000)"
    state, reason = scene.run(trainer, log_lines=30)
    assert (state, reason.count("\n")) == ("failed", 10)
    assert reason.splitlines()[1] == "line 4991" and reason.splitlines()[-1] == "x" * 1000


@pytest.mark.parametrize("kind", ["silent", "after-some-output", "closed-outputs", "deaf"])
def test_a_trainer_that_hangs_is_stopped(scene, kind):
    """By SIGTERM, or without mercy if it doesn't listen."""
    first = {
        "silent": "",
        "after-some-output": "say(epoch=1, loss=1)\n",
        "closed-outputs": "os.close(1), os.close(2)\n",
        "deaf": DEAF,
    }[kind]
    state, reason = scene.run(EXPORT_SMALL + first + FOREVER, silence_limit=0.3, grace_period=0.2)
    assert state == "failed"
    assert reason.startswith("expected the trainer to write something every 300 ms, found silence, and stopped it")
    assert scene.plays_as_before()


def test_a_trainer_that_speaks_now_and_then_does_not_hang(scene):
    """Only the pause counts, and not the whole time; on either output."""
    trainer = "for n in range(30): print(n, file=(sys.stdout, sys.stderr)[n % 2], flush=True), time.sleep(0.1)\n"
    assert scene.run(trainer + EXPORT_SMALL, silence_limit=2) == ("succeeded", "")


@pytest.mark.parametrize("first", ["", DEAF], ids=["obedient", "deaf"])
@pytest.mark.parametrize("way", ["cancel", "destroy"])
def test_a_training_can_be_cancelled(scene, first, way):
    """It and what it started are gone then, whether or not they ignore SIGTERM."""
    trainer = first + f"subprocess.Popen([sys.executable, '-S', '-c', {PRELUDE_CHILD + first + FOREVER!r}])\n"
    bridge = scene.bridge(EXPORT_SMALL + trainer + READY + FOREVER, grace_period=0.2)
    bridge.start()
    is_ready(bridge)
    if way == "cancel":
        bridge.cancel()
        assert bridge.wait(ENOUGH) and bridge.status() == ("cancelled", "")
    else:
        bridge.close()
    assert scene.ends == [("cancelled", "")] and scene.plays_as_before()


PRELUDE_CHILD = "import signal, time\n"


def test_a_trainer_that_says_good_when_cancelled_is_cancelled(scene):
    """It is asked by SIGTERM, and exit code 0 after that, with good models, installs nothing."""
    obeys = "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'good bye'), os._exit(0)))\n"
    bridge = scene.bridge(EXPORT_SMALL + obeys + READY + FOREVER)
    bridge.start()
    is_ready(bridge)
    bridge.cancel()
    assert bridge.wait(ENOUGH) and bridge.status() == ("cancelled", "")
    assert bridge.log() == ["ready", "good bye"] and scene.plays_as_before()


def test_cancelling_at_any_moment_installs_all_or_nothing(scene):
    """From before the start to after the end."""
    bridge = scene.bridge(EXPORT_SMALL)
    bridge.cancel()
    outcomes = set()
    for step in range(40):
        for name, data in scene.before.items():
            (scene.models / name).write_bytes(data)
        scene.installed.clear()
        assert bridge.start() is None
        threading.Event().wait(step / 200)
        bridge.cancel()
        assert bridge.wait(ENOUGH)
        state = bridge.status()[0]
        assert scene.plays_new(SMALL) if state == "succeeded" else scene.plays_as_before(), state
        outcomes.add(state)
    assert outcomes <= {"succeeded", "cancelled"} and "cancelled" in outcomes


def test_one_training_at_a_time(scene):
    """A second start is refused and disturbs nothing."""
    bridge = scene.bridge(READY + "while not (EXPORTS / 'go').exists(): time.sleep(0.01)\n" + EXPORT_SMALL)
    assert bridge.start() is None
    is_ready(bridge)
    assert bridge.start() == "expected no training to be going on, found one; cancel it, or wait for its end"
    assert not bridge.wait(0) and bridge.status() == ("running", "")
    scene.exports.mkdir()
    (scene.exports / "go").touch()
    assert bridge.wait(ENOUGH) and bridge.status() == ("succeeded", "")


def test_another_training_can_begin_after_each_end(scene):
    """Failed, hung, cancelled, succeeded, on one bridge; each run has a log of its own."""
    (scene.root / "what").write_text("")
    bridge = scene.bridge(
        f"what = pathlib.Path({str(scene.root / 'what')!r}).read_text()\nprint(what, flush=True)\n"
        "{'fail': lambda: sys.exit(1), 'hang': lambda: time.sleep(1000)}.get(what, lambda: 0)()\n" + EXPORT_SMALL,
        silence_limit=1,
    )
    for what in ("fail", "hang", "well", "hang", "fail", "well"):
        (scene.root / "what").write_text(what)
        assert bridge.start() is None
        assert bridge.wait(ENOUGH) and bridge.log() == [what]
    assert bridge.start() is None
    bridge.cancel()
    assert bridge.wait(ENOUGH)
    assert bridge.start() is None and bridge.wait(ENOUGH)
    states = [state for state, _ in scene.ends]
    assert states == ["failed", "failed", "succeeded", "failed", "failed", "succeeded", "cancelled", "succeeded"]
    assert len(scene.installed) == 3


def test_callbacks_may_use_the_bridge(scene):
    """Start the next run from on_end, ask for the state, cancel; waiting for oneself is refused."""
    said = []

    def on_end(state, _):
        said.append((state, bridge.status()[0], bridge.wait(ENOUGH), bridge.start() if len(said) < 2 else None))

    def on_progress(*_):
        said.append(bridge.start())
        bridge.cancel()

    bridge = scene.bridge("say(epoch=1, loss=1)\n" + READY + FOREVER, on_end=on_end, on_progress=on_progress)
    bridge.start()
    assert bridge.wait(ENOUGH)
    busy = "expected no training to be going on, found one; cancel it, or wait for its end"
    assert said == [busy, ("cancelled", "cancelled", False, None), busy, ("cancelled", "cancelled", False, None)]


def test_the_folder_of_this_test_is_seen_when_something_changes(scene):
    """The checks above compare with this."""
    (Path(scene.models) / ".left-over").touch()
    assert not scene.plays_as_before()
