"""The wheel, installed where there is no torch, no compiler and no network, judges a loader that is already built."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rtconform.harness.paths import FIXTURES

# One worker of several builds and installs, once.
pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def installed(wheel, core_wheels, pip, tmp_path_factory):
    """The Python of a new environment with the wheel and what it asks for, and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    # Without the wheels of the set-up, pip gets them where it gets everything.
    offline = ["--no-index", "--find-links", core_wheels] if core_wheels else []
    pip("--python", python, "install", *offline, wheel)
    return python


@pytest.fixture(scope="module")
def cut_off():
    """The command that cuts a program off from every network; skips where that isn't permitted."""
    refusals = []
    for command in (["unshare", "-n"], ["unshare", "-rn"]):
        try:
            done = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("there is no unshare here to cut a program off from the network")
        if done.returncode == 0:
            return command
        refusals.append(done.stderr.strip())
    pytest.skip(f"this user may not cut a program off from the network: {'; '.join(refusals)}")


@pytest.fixture
def bare(installed, cut_off, tmp_path):
    """Runs `python -m rtconform …` outside the checkout, cut off, with nothing on PATH."""
    (tmp_path / "nothing").mkdir()
    unshare = subprocess.run(
        ["sh", "-c", "command -v unshare"], capture_output=True, text=True, check=True
    ).stdout.strip()

    def rtconform(*arguments: object) -> subprocess.CompletedProcess:
        command = [unshare, *cut_off[1:], installed, "-m", "rtconform", *map(str, arguments)]
        variables = {
            "PATH": str(tmp_path / "nothing"),
            "HOME": str(tmp_path),
            "RTCONFORM_CACHE": str(tmp_path / "cache"),
        }
        return subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)

    return rtconform


def test_the_environment_has_no_torch(installed):
    """What `pip install rtconform` brings is the judge alone."""
    program = "import importlib.util as u; print([n for n in ('torch', 'librosa', 'scipy') if u.find_spec(n)])"
    done = subprocess.run([installed, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_of_the_native_reference_models_the_wheel_has_what_is_loaded(wheel):
    """Beside the sources, and no static library or header to link; everything lies in the one package."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    metadata = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    assert {name.partition("/")[0] for name in names} == {"rtconform", metadata}
    built = [name for name in names if Path(name).suffix in {".so", ".pyd", ".a", ".lib", ".dylib"}]
    assert {name.split(".")[0] for name in built if not name.startswith("rtconform/harness/")} == {
        "rtconform/reference_models/_plugin_core",
        "rtconform/reference_models/librtconform_compact",
        "rtconform/reference_models/librtconform_plugin_pipeline",
    }


def test_the_plugin_core_needs_numpy_alone(installed, tmp_path):
    """Half a second of silence at 48 kHz is 18 frames of -1."""
    program = (
        "import numpy; from rtconform.reference_models._plugin_core import AudioFrontEnd\n"
        "features = AudioFrontEnd(48_000).push(numpy.zeros(24_000, numpy.float32))[0]\n"
        "print(features.shape, features.max())"
    )
    done = subprocess.run([installed, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(18, 128) -1.0"


def test_the_installed_command_gives_help(bare):
    done = bare("--help")
    assert done.returncode == 0, done.stderr
    assert "validate" in done.stdout


def test_the_installed_package_validates_files(bare, tmp_path):
    """A file of our own is right, and half of it is wrong in one screen."""
    right = FIXTURES / "models" / "small" / "lstm-dense.json"
    done = bare("validate", right)
    assert done.returncode == 0, done.stdout + done.stderr
    half = tmp_path / "half.json"
    half.write_bytes(right.read_bytes()[:1000])
    done = bare("validate", half)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr


def test_the_installed_package_judges_a_prebuilt_loader(bare, installed):
    """The library of loaders inside the wheel stands for one that somebody built elsewhere."""
    (library,) = installed.parents[1].rglob("librtc_faulty.so")
    done = bare("run", "--loader", f"abi:{library}#good-native", "--class", "numerics", "--profile", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    done = bare("run", "--loader", f"abi:{library}#no-such-loader", "--class", "numerics", "--profile", "smoke")
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stdout + done.stderr
