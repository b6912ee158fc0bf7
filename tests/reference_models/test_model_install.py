"""Models take the place of those that play all at once, when all of them are good, or not at all."""

import ast
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rtconform.reference_models.loaders import Toolchain

from .bridge_scene import ENOUGH, EXPORT_SMALL, FILES, SMALL, STORED, content, scene, until

__all__ = ["scene"]

fcntl, resource = pytest.importorskip("fcntl"), pytest.importorskip("resource")

EXPORT_ALL = f"export(*{list(FILES)})\n"


def test_all_five_are_installed(scene):
    """By default all are required; the callback has their digests, and what played is gone."""
    assert scene.run(EXPORT_ALL, required_models=[]) == ("succeeded", "")
    assert scene.plays_new(list(FILES)) and [*scene.installed[0]] == list(FILES)


@pytest.mark.parametrize("name", FILES)
def test_each_of_the_five_is_required(scene, name):
    """Without it none of the others is installed."""
    state, reason = scene.run(EXPORT_ALL + f"(EXPORTS / {FILES[name]!r}).unlink()", required_models=[])
    path = scene.exports / FILES[name]
    assert state == "failed"
    assert reason == f"nothing was installed: {path}: expected the trainer to leave {name} here, found no file"
    assert scene.plays_as_before()


def test_models_that_are_not_required_may_be_left_out(scene):
    """What was trained is installed; the others play on."""
    assert (
        scene.run("export('DynamicsEngine', 'HarmonyPredictor')", required_models=["DynamicsEngine"])[0] == "succeeded"
    )
    assert scene.plays_new(["DynamicsEngine", "HarmonyPredictor"])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("data[:len(data) // 2]", r"$: expected"),
        ("b''", "$: expected a JSON value, found the end of the text"),
        ("data.replace(b'tanh', b'linear').replace(b'relu', b'linear')", "$.layers[0].activation: expected"),
        ("data + b'x'", "$: expected nothing behind the end"),
    ],
    ids=["truncated", "empty", "unknown-activation", "trailing"],
)
def test_one_bad_model_keeps_all_from_being_installed(scene, name, damage, said):
    """Wherever it stands, required or not; the reason names the file, the place in it, and what was expected."""
    trainer = f"path = EXPORTS / {FILES[name]!r}\ndata = path.read_bytes()\npath.write_bytes({damage})\n"
    state, reason = scene.run(EXPORT_ALL + trainer)
    assert state == "failed"
    assert reason.startswith(f"nothing was installed: {scene.exports / FILES[name]}: {said}")
    assert scene.plays_as_before()


def test_a_model_of_another_kind_is_not_installed(scene):
    """HarmonyPredictor has the outer sizes of EmotionRecognizer."""
    trainer = "shutil.copyfile(STORED / 'harmonypredictor.json', EXPORTS / 'emotionrecognizer.json')"
    state, reason = scene.run(EXPORT_ALL + trainer)
    path = scene.exports / "emotionrecognizer.json"
    assert (state, reason) == (
        "failed",
        f"nothing was installed: {path}: $.layers: expected 4 layers as EmotionRecognizer has, found 3",
    )
    assert scene.plays_as_before()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        ("path.mkdir()", "a file, found a folder"),
        ("os.mkfifo(path)", "a file, found a pipe or a device"),
        ("path.symlink_to('/dev/zero')", "a file, found a pipe or a device"),
        ("path.touch(), os.truncate(path, (1 << 30) + 1)", "at most 1 GiB, found more"),
    ],
    ids=["folder", "pipe", "device", "huge"],
)
def test_what_is_no_model_file_is_not_installed(scene, make, said):
    """Nor waited for, nor read for ever."""
    trainer = f"path = EXPORTS / 'melodytransformer.json'\npath.unlink()\n{make}\n"
    state, reason = scene.run(EXPORT_ALL + trainer)
    assert state == "failed" and f"melodytransformer.json: expected {said}" in reason
    assert scene.plays_as_before()


def test_models_of_an_earlier_run_are_not_taken_for_new(scene):
    """A trainer that exits with 0 and exported nothing has failed, whatever lies in its folder."""
    scene.exports.mkdir()
    for name in FILES.values():
        shutil.copy(STORED / name, scene.exports)
    state, reason = scene.run("")
    assert state == "failed" and reason.endswith("here, found only the file that was here before")
    assert scene.plays_as_before()

    keeps_times = "for n in SMALL: os.system(f'cp -p {STORED}/{n.lower()}.json {EXPORTS}')\n"
    assert scene.run(f"SMALL = {SMALL}\n" + keeps_times) == ("succeeded", "")  # the same bytes, times and all
    assert scene.plays_new(SMALL)


@pytest.mark.parametrize("becomes", ["shutil.rmtree(models)", "shutil.rmtree(models), models.touch()"])
def test_a_folder_that_cannot_be_written_to_is_told(scene, becomes):
    """It was there when the training began."""
    state, reason = scene.run(EXPORT_SMALL + f"models = pathlib.Path({str(scene.models)!r})\n{becomes}\n")
    assert state == "failed" and not scene.installed
    assert reason.startswith(f"nothing was installed: {scene.models}/.") and "expected to write a file here" in reason


def test_a_full_disk_is_told(scene):
    """Here a limit on the size of files; half a copy is not left lying about."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The trainer inherits the limit, so that it exports by a link.
    bridge = scene.bridge("EXPORTS.symlink_to(STORED)\n")
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        bridge.start()
        assert bridge.wait(ENOUGH)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    state, reason = bridge.status()
    assert state == "failed" and "expected room for a copy of" in reason
    assert scene.plays_as_before()


def test_what_was_replaced_is_put_back_when_a_later_file_cannot_be(scene):
    """The last of the five has a folder in its place; the first wasn't there at all."""
    (scene.models / "emotionrecognizer.json").unlink()
    (scene.models / "groovepredictor.json").unlink()
    (scene.models / "groovepredictor.json").mkdir()
    scene.before = content(scene.models)
    state, reason = scene.run(EXPORT_ALL)
    assert state == "failed"
    assert reason == f"nothing was installed: {scene.models / 'groovepredictor.json'}: expected a file, found a folder"
    assert scene.plays_as_before()


@pytest.mark.parametrize("way", ["released", "cancelled"])
def test_bridges_to_one_folder_take_turns(scene, way):
    """While another holds the folder nothing is installed; a training that is cancelled does not wait for that."""
    other = os.open(scene.models, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    bridge = scene.bridge(EXPORT_SMALL)
    try:
        bridge.start()
        until(lambda: bridge.status()[0] == "installing", "the end of the trainer")
        assert not bridge.wait(0.3) and scene.plays_as_before()
        if way == "cancelled":
            bridge.cancel()
            assert bridge.wait(ENOUGH) and bridge.status() == ("cancelled", "")
            assert scene.plays_as_before()
    finally:
        os.close(other)
    if way == "released":
        assert bridge.wait(ENOUGH) and bridge.status() == ("succeeded", "")
        assert scene.plays_new(SMALL)


FAILING_RENAME = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The n-th rename of this process fails if the n-th character of FAILING is a '1'. */
int rename(const char *from, const char *to) {
    static unsigned n;
    const char *failing = getenv("FAILING");
    if (n++ < strlen(failing) && failing[n - 1] == '1') {
        errno = EIO;
        return -1;
    }
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}
"""
RUNS = """
import pathlib, sys
from tests.reference_models.bridge_scene import EXPORT_SMALL, FILES, Scene, content
scene = Scene(pathlib.Path(sys.argv[1]))
state, reason = scene.run(f"export(*{list(FILES)})")
assert state == "failed" and not scene.installed, (state, reason)
print(reason)
left = {name: data.decode(errors="ignore")[:60] for name, data in content(scene.models).items()}
print({name: text for name, text in left.items() if scene.before.get(name) != text.encode()})
scene.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="puts a function in front of the C library's")
@pytest.mark.parametrize(
    ("failing", "file"), [("1", "emotion"), ("01", "melody"), ("001", "harmony"), ("00001", "groove")]
)
def test_a_rename_that_fails_half_way_is_undone(tmp_path, failing, file):
    """Every file is what it was, and no other is left."""
    reason, left = _with_failing_renames(tmp_path, failing)
    assert reason.startswith(f"nothing was installed: {tmp_path}/models/{file}")
    assert reason.endswith(".json: expected a file that can be replaced, found: Input/output error")
    assert left == "{}"


@pytest.mark.skipif(sys.platform != "linux", reason="puts a function in front of the C library's")
def test_what_cannot_be_put_back_is_not_lost(tmp_path):
    """When undoing fails too, the reason says where the old file is."""
    reason, left = _with_failing_renames(tmp_path, "0011")
    assert "; " in reason and "emotionrecognizer.json could not be put back (Input/output error), what played" in reason
    old = reason.rpartition(" is in ")[2]
    assert (tmp_path / "models" / old).read_text() == "what plays in the place of emotionrecognizer.json"
    assert sorted(ast.literal_eval(left)) == [Path(old).name, "emotionrecognizer.json"]


def _with_failing_renames(folder, failing):
    """Reason and damage of a run in a process whose renames fail as told."""
    library = folder / "failing_rename.so"
    (folder / "failing_rename.c").write_text(FAILING_RENAME)
    compiler = Toolchain.of_this_machine().compiler
    subprocess.run(
        [*compiler, "-x", "c", "-shared", "-fPIC", str(folder / "failing_rename.c"), "-o", str(library)], check=True
    )
    environment = {**os.environ, "LD_PRELOAD": str(library), "FAILING": failing, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUNS, str(folder)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
