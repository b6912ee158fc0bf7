"""MLBridge runs a trainer as a child: whatever that does, the bridge hears it, ends it, and leaves nothing behind."""

import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from rtconform.reference_models import _plugin_core

from .bridge_scene import ENOUGH, EXPORT_SMALL, FILES, SMALL, STORED, Scene, content, until

if sys.platform == "win32":
    pytest.skip("MLBridge says on Windows that it isn't available", allow_module_level=True)

FOREVER = "time.sleep(1000)\n"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
READY = "print('ready', flush=True)\n"


@pytest.fixture
def scene(tmp_path):
    """Bridges and their folders; at the end no process may be left."""
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def is_ready(bridge):
    """Waits until the trainer has come to READY."""
    until(lambda: "ready" in bridge.log(), "the trainer")


def test_the_trainer_of_the_project_trains_what_plays(scene, tmp_path):
    """All five models, in the order and with the values of the trainer's own history; then they play, and reload is due."""
    config = {"training": {"batch_size": 256}, "datasets": {}}
    for name, kind in (("audio", "audio-folder"), ("melodies", "midi-folder"), ("chords", "chord-json")):
        config["datasets"][name] = {"kind": kind, "path": f"bundled:{name.replace('melodies', 'midi')}", "max_items": 12}
    (tmp_path / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "rtconform", "train", "--progress", "json", "--epochs", "2"]
    command += ["--config", "config.json", "--out", str(scene.exports)]
    state, reason = scene.run(command, working_folder=str(tmp_path), required_models=[])
    assert (state, reason) == ("succeeded", "")

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
    trainer = "say(model='A', epoch=1, loss=0.5, validation_loss=1)\nprint('half-way', flush=True)\nsay(epoch=2, loss=3)\n"
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


@pytest.mark.parametrize("trainer", [["/nowhere/trainer"], ["no-such-program-anywhere"], [str(STORED)]])
def test_a_program_that_cannot_be_started_is_told(scene, trainer):
    """By name, with the reason of the system."""
    state, reason = scene.run(trainer)
    assert state == "failed" and f'found that "{trainer[0]}" can\'t be: ' in reason
    assert scene.plays_as_before()


def test_a_working_folder_that_is_none_is_told(scene):
    """And not taken for a missing program."""
    state, reason = scene.run(FOREVER, working_folder=str(scene.root / "none"))
    assert state == "failed" and f"its working folder {scene.root / 'none'} is no folder" in reason


def test_the_trainer_finds_its_arguments_folder_and_environment(scene):
    """No shell reads them; additions win; nothing else of the environment changes; there is nothing to read."""
    folder = scene.root / "elsewhere"
    folder.mkdir()
    said = scene.root / "said.json"
    trainer = f"open({str(said)!r}, 'w').write(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), sys.stdin.read()]))"
    (folder / "trainer.py").write_text(f"import json, os, sys\n{trainer}")
    arguments = ["a b", "$HOME", "*", "'", ""]
    command = [sys.executable, "trainer.py", *arguments]
    scene.run(command, working_folder=str(folder), environment={"PATH": "mine", "NEW": "a=b"})
    found, where, environment, read = json.loads(said.read_text())
    assert (found, where, read) == (arguments, str(folder), "")
    given = {"MARK": scene.mark, "EXPORTS": str(scene.exports), "STORED": str(STORED), "PATH": "mine", "NEW": "a=b"}
    by_python = {"LC_CTYPE"}  # which it sets itself in the C locale
    assert {key: environment[key] for key in environment.keys() - by_python} == {
        key: value for key, value in ({**os.environ, **given}).items() if key not in by_python
    }


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_nothing_of_the_host_leaks_into_the_trainer(scene):
    """No file, not even one that is inheritable; no signal that the host ignores or blocks."""
    held = os.open(scene.root, os.O_RDONLY)
    os.set_inheritable(held, True)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN), signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    trainer = """
import stat
kinds = [stat.S_IFMT(os.stat(f"/proc/self/fd/{n}").st_mode) for n in (0, 1, 2)]
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
print(sorted(os.listdir("/proc/self/fd")), kinds == [stat.S_IFCHR, stat.S_IFIFO, stat.S_IFIFO])
print(int(status["SigBlk"], 16), int(status["SigIgn"], 16) & 1 << (signal.SIGTERM - 1), os.getsid(0) == os.getpid())
print(os.get_blocking(1), os.get_blocking(2))
"""
    try:
        bridge = scene.bridge(trainer)
        bridge.start()
        assert bridge.wait(ENOUGH)
    finally:
        os.close(held)
        signal.signal(signal.SIGTERM, before[0])
        signal.pthread_sigmask(signal.SIG_SETMASK, before[1])
    assert bridge.log() == ["['0', '1', '2', '3'] True", "0 0 True", "True True"]  # 3 reads the folder


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
    """Exit code 0 after SIGTERM, with good models, installs nothing."""
    obeys = "signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n"
    bridge = scene.bridge(EXPORT_SMALL + obeys + READY + FOREVER)
    bridge.start()
    is_ready(bridge)
    bridge.cancel()
    assert bridge.wait(ENOUGH) and bridge.status() == ("cancelled", "")
    assert scene.plays_as_before()


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
    states = [state for state, _ in scene.ends]
    assert states == ["failed", "failed", "succeeded", "failed", "failed", "succeeded", "cancelled"]
    assert len(scene.installed) == 2


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


def test_bridges_do_not_disturb_one_another(scene, tmp_path):
    """Ten at once; a child of one holds no pipe of another."""
    bridges = [scene.bridge(READY + (FOREVER if n % 2 else "sys.exit(0)")) for n in range(10)]
    assert [bridge.start() for bridge in bridges] == [None] * 10
    for bridge in bridges[::2]:
        assert bridge.wait(ENOUGH)
    for bridge in bridges[1::2]:
        is_ready(bridge)
        bridge.cancel()
        assert bridge.wait(ENOUGH) and bridge.status()[0] == "cancelled"


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_no_descriptor_and_no_thread_is_left(scene):
    """After runs of every kind."""

    def held():
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    before = held()
    for trainer in ("", "sys.exit(1)", READY + FOREVER, EXPORT_SMALL) * 3:
        bridge = scene.bridge(trainer)
        bridge.start()
        if FOREVER in trainer:
            is_ready(bridge)
            bridge.cancel()
        assert bridge.wait(ENOUGH)
        bridge.close()
    until(lambda: held() == before, "the end of all threads")  # the kernel lists one a moment longer than join waits


def test_a_host_that_ignores_its_children_is_told(scene):
    """With SIGCHLD ignored the kernel throws the exit code away; nobody guesses it."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        state, reason = scene.run(EXPORT_SMALL)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert state == "failed" and "found that this process ignores SIGCHLD" in reason
    assert scene.plays_as_before()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"models_folder": "/nowhere"}, 'models_folder: expected the folder that the plugin plays from, found none at "/nowhere"'),
        ({"export_folder": ""}, "export_folder: expected the folder into which the trainer exports, found none"),
        ({"required_models": ["Harmony"]}, "required_models: expected some of EmotionRecognizer, MelodyTransformer, Harmony"),
    ],
    ids=["no-folder", "no-exports", "unknown-model"],
)
def test_wrong_options_are_refused_at_once(scene, options, said):
    """Before a training of an hour."""
    bridge = scene.bridge(FOREVER, **options)
    assert bridge.start().startswith(said)
    assert bridge.status() == ("idle", "") and bridge.wait(0)


def test_a_trainer_must_not_export_to_where_the_plugin_plays(scene):
    """By whatever path it is the same folder; and a command of nothing is none."""
    (scene.root / "other-name").symlink_to(scene.models)
    bridge = scene.bridge(FOREVER, export_folder=str(scene.root / "other-name"))
    assert bridge.start().startswith("export_folder: expected another folder than models_folder")
    assert scene.bridge([]).start() == "command: expected a program and its arguments, found none"


def test_the_folder_of_this_test_is_seen_when_something_changes(scene):
    """The checks above compare with this."""
    (Path(scene.models) / ".left-over").touch()
    assert not scene.plays_as_before()
