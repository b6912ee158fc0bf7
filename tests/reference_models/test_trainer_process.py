"""How MLBridge starts a trainer, with what, and that nothing of it stays."""

import json
import os
import signal
import sys

import pytest

from .bridge_scene import ENOUGH, EXPORT_SMALL, FOREVER, READY, STORED, is_ready, scene, until

__all__ = ["scene"]


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
    trainer = (
        f"open({str(said)!r}, 'w').write(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), sys.stdin.read()]))"
    )
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
        (
            {"models_folder": "/nowhere"},
            'models_folder: expected the folder that the plugin plays from, found none at "/nowhere"',
        ),
        ({"export_folder": ""}, "export_folder: expected the folder into which the trainer exports, found none"),
        (
            {"required_models": ["Harmony"]},
            "required_models: expected some of EmotionRecognizer, MelodyTransformer, Harmony",
        ),
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
