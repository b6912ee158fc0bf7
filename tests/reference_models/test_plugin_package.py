"""The plugin core is installed, found by another project, and plays an audio file there."""

import os
import re
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from rtconform.reference_models import loaders
from rtconform.reference_models.specs import FIXTURES, load_specs

from .plugin_builds import CORE

pytestmark = pytest.mark.xdist_group("plugin-package")  # one build serves all

SECONDS = 4


def run(*command):
    """Standard output of a command that has to succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def live_host(tmp_path_factory):
    """The example, built as a stranger's project from what was installed."""
    folder = tmp_path_factory.mktemp("package")
    run("cmake", "-S", CORE, "-B", folder / "core", f"-DCMAKE_INSTALL_PREFIX={folder / 'installed'}")
    run("cmake", "--build", folder / "core", "--target", "install", "-j", "2")
    shutil.copytree(CORE / "example", folder / "example")
    run("cmake", "-S", folder / "example", "-B", folder / "host", f"-DCMAKE_PREFIX_PATH={folder / 'installed'}")
    run("cmake", "--build", folder / "host")
    return folder / "host" / "live_host"


@pytest.fixture
def recording(tmp_path):
    """A few seconds of music as 16 bit PCM in stereo."""
    samples, rate = soundfile.read(FIXTURES / "audio" / "music" / "ode-to-joy.ogg", frames=48_000 * SECONDS)
    samples = samples[: rate * SECONDS]
    path = tmp_path / "music.wav"
    soundfile.write(path, np.stack([samples, samples], axis=1) if samples.ndim == 1 else samples, rate, "PCM_16")
    return path


def test_the_example_plays_a_file_and_reloads_meanwhile(live_host, recording, tmp_path):
    """Each frame gives a result, every model plays, and its file is loaded again and again."""
    models = tmp_path / "models"
    models.mkdir()
    for model in load_specs().models.values():
        shutil.copy(FIXTURES / "models" / model.file, models)
    said = run(live_host, loaders.library("checked"), models, recording, "1")
    frames = 1 + (SECONDS * 22_050 - 2048) // 512
    counted = re.search(r"frames: (\d+) accepted, (\d+) refused, (\d+) polled", said)
    accepted, refused, polled = map(int, counted.groups())
    assert frames - 1 <= accepted + refused <= frames
    assert accepted - polled <= 2
    before, after = said.split("worker: ")
    assert before.count("loaded   version 1") == 5
    assert len(re.findall(r"loaded   version [2-9]", after)) == 5
    assert re.search(r"valence [+-]\d", after)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "usage"),
        (["no-such-library.so", "models", "x.wav"], 1, "expected a shared library with a loader"),
        ([None, "models", "no-such.wav"], 1, "no-such.wav: expected a WAV file"),
    ],
)
def test_mistakes_are_said(live_host, arguments, code, words):
    """In one line, with what was expected."""
    arguments = [str(loaders.library("checked")) if word is None else word for word in arguments]
    done = subprocess.run([live_host, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_project_without_the_package_is_told(tmp_path):
    """CMake's own words."""
    environment = {**os.environ, "CMAKE_PREFIX_PATH": ""}
    command = ["cmake", "-S", str(CORE / "example"), "-B", str(tmp_path / "build")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode != 0
    assert "rtconform_plugin_core" in done.stderr
