"""The set-up that `make` and tox run: what it says when something is missing, and what it does only once."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rtconform.reference_models.cache import cache_folder

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools"
MISSING = 3
COMPILER = """#!/bin/sh
[ "$1" = --version ] && { echo "stub 12.2.0"; exit 0; }
if grep -q LIBRARY; then echo "<stdin>:1:10: fatal error: LIBRARY: no such file" >&2; exit 1; fi
"""
NO_COMPILER = (
    "Expected a C++17 compiler, found none by the name of c++, g++, clang++ on PATH; "
    "as root run: apt-get install --no-install-recommends g++."
)
CMAKE = "#!/bin/sh\necho cmake version 3.25.1\n"


@pytest.fixture(autouse=True)
def importable_tools(monkeypatch):
    """The set-up scripts import one another as scripts do: from their own folder."""
    monkeypatch.syspath_prepend(str(TOOLS))


@pytest.fixture
def machine(tmp_path):
    """A machine with nothing on it but what a test puts on its PATH, as a function that runs set_up.py there."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "grep"):
        (programs / name).symlink_to(shutil.which(name))

    def set_up(*arguments: str, **scripts: str) -> subprocess.CompletedProcess:
        for name, text in scripts.items():
            script(programs / name, text)
        bare = {"PATH": str(programs), "RTCONFORM_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
        command = [sys.executable, "-B", TOOLS / "set_up.py", *arguments]
        return subprocess.run(command, env=bare, capture_output=True, text=True, check=False)

    return set_up


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def one_sentence(done: subprocess.CompletedProcess) -> str:
    """The only line on stderr, after checking that the exit code says that something is missing."""
    assert done.returncode == MISSING, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].endswith(".")
    return lines[0]


def test_a_machine_with_everything_passes_the_check():
    """The machine that runs this test built rtconform, so it has what a build needs."""
    done = subprocess.run([sys.executable, TOOLS / "set_up.py", "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "CMake 3" in done.stdout


@pytest.mark.parametrize("arguments", [["--check"], []], ids=["check", "set-up"])
@pytest.mark.parametrize(
    ("library", "header", "package"),
    [
        ("nlohmann::json", "nlohmann/json.hpp", "nlohmann-json3-dev"),
        ("KissFFT", "kissfft/kissfft.hh", "libkissfft-dev"),
    ],
)
def test_missing_headers_without_apt_are_one_sentence(machine, arguments, library, header, package):
    """What was expected, what was found, and the line to run; the set-up itself ends in the same way as the check."""
    compiler = COMPILER.replace("LIBRARY", header.partition("/")[0])
    said = one_sentence(machine(*arguments, **{"c++": compiler, "cc": compiler, "cmake": CMAKE}))
    assert said == (
        f"Expected the headers of {library}, found no <{header}>; "
        f"as root run: apt-get install --no-install-recommends {package}."
    )


def test_a_missing_compiler_is_one_sentence(machine):
    """One sentence, whatever else can't be tried without a compiler."""
    done = machine("--check", cmake=CMAKE)
    assert done.returncode == MISSING
    assert [line for line in done.stderr.splitlines() if "the headers of" not in line] == [NO_COMPILER]


def test_a_compiler_of_another_age_is_quoted(machine):
    """A compiler that can't do C++17 is named, with its own first complaint."""
    old = '#!/bin/sh\necho "cc1plus: error: unrecognized command-line option -std=c++17" >&2; exit 1\n'
    done = machine("--check", **{"c++": old, "cc": old, "cmake": CMAKE})
    assert done.returncode == MISSING
    assert re.search(r"^Expected a C\+\+17 compiler, found \S+/c\+\+, which says: cc1plus: error: unrec", done.stderr)


def test_missing_cmake_is_one_sentence(machine):
    done = machine("--check", **{"c++": "#!/bin/sh\n", "cc": "#!/bin/sh\n"})
    assert one_sentence(done) == (
        "Expected CMake 3.25 or newer, found no cmake on PATH; "
        "as root run: apt-get install --no-install-recommends cmake."
    )


def test_old_cmake_is_one_sentence(machine):
    old = "#!/bin/sh\necho cmake version 3.18.4\n"
    said = one_sentence(machine("--check", **{"c++": "#!/bin/sh\n", "cc": "#!/bin/sh\n", "cmake": old}))
    assert said.startswith("Expected CMake 3.25 or newer, found version 3.18.4 at ")


def test_an_unreachable_network_is_one_sentence(tmp_path):
    """pip and apt-get say much when there is no network; the set-up says what to do."""
    import steps

    with pytest.raises(steps.Missing) as caught:
        steps.run(
            ["sh", "-c", "echo Temporary failure in name resolution; exit 1"], tmp_path / "pip.log", name="pip install"
        )
    assert str(caught.value).startswith("Expected a network for `pip install`, found no answer")
    assert "\n" not in str(caught.value)
    assert steps.fail(caught.value) == MISSING


def test_a_failing_build_shows_its_first_complaint(tmp_path):
    """Not the end of a log, which repeats that something failed."""
    import steps

    with pytest.raises(steps.Failed, match=r"(?s)ended with status 2.*host\.cpp:3: error: no such thing"):
        steps.run(
            ["sh", "-c", "echo building; echo 'host.cpp:3: error: no such thing'; seq 50; exit 2"],
            tmp_path / "build.log",
            name="pip install",
        )


@pytest.fixture
def stub_debian(tmp_path, monkeypatch):
    """apt-get and dpkg-deb that write down how they are called; `apt-get install` works once there was an update."""
    programs = tmp_path / "programs"
    programs.mkdir()
    script(
        programs / "apt-get",
        f"""#!/bin/sh
echo "$@" >> {tmp_path}/calls
case "$*" in
  update) touch {tmp_path}/updated;;
  install*) [ -e {tmp_path}/updated ];;
  download*) echo > tiny_1_all.deb;;
esac
""",
    )
    script(programs / "dpkg-deb", '#!/bin/sh\nmkdir -p "$3/usr/include" && echo > "$3/usr/include/tiny.h"\n')
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return lambda: (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []


def test_root_gets_packages_installed_after_an_update_where_that_is_needed(stub_debian, tmp_path, monkeypatch):
    """A fresh machine has no package lists yet."""
    import debian

    monkeypatch.setattr(debian, "is_root", lambda: True)
    assert debian.install(["tiny"], tmp_path / "apt.log")
    assert stub_debian() == [
        "install --yes --no-install-recommends tiny",
        "update",
        "install --yes --no-install-recommends tiny",
    ]


def test_anyone_else_gets_headers_unpacked_in_the_cache(stub_debian, tmp_path, monkeypatch):
    """No rights are needed, none are asked for, and no trace of the download stays."""
    import debian

    monkeypatch.setattr(debian, "is_root", lambda: False)
    assert not debian.install(["tiny"], tmp_path / "apt.log")
    assert stub_debian() == []
    assert debian.unpack("tiny", tmp_path / "cache" / "debian")
    assert stub_debian() == ["download tiny"]
    assert [path.name for path in (tmp_path / "cache").rglob("*")] == ["debian", "usr", "include", "tiny.h"]


@pytest.fixture
def without_valgrind(tmp_path, monkeypatch):
    """A folder for programs, on a machine on which no valgrind is installed."""
    import valgrind

    programs = tmp_path / "environment"
    programs.mkdir()
    monkeypatch.setattr(valgrind, "_find", lambda folder: shutil.which("valgrind", path=str(folder)))
    return programs


def test_anyone_else_gets_valgrind_unpacked_and_a_script_that_calls_it(
    stub_debian, without_valgrind, tmp_path, monkeypatch
):
    """In the environment, with the place of its other half; a path may have spaces."""
    import debian
    import valgrind

    cache = tmp_path / "my cache"
    program = cache / "usr" / "bin" / "valgrind.bin"
    script(
        tmp_path / "programs" / "dpkg-deb",
        """#!/bin/sh
mkdir -p "$3/usr/bin"
printf '#!/bin/sh\necho "$VALGRIND_LIB" "$@"\n' > "$3/usr/bin/valgrind.bin"
chmod +x "$3/usr/bin/valgrind.bin"
""",
    )
    monkeypatch.setattr(debian, "is_root", lambda: False)
    valgrind.fetch(without_valgrind, cache, tmp_path / "log")
    assert program.is_file()
    assert valgrind.found(without_valgrind) == f"{cache}/usr/libexec/valgrind --version"


def test_valgrind_that_can_not_be_had_is_done_without(without_valgrind, tmp_path, monkeypatch):
    """Neither an apt-get that fails nor none at all ends the set-up."""
    import debian
    import steps
    import valgrind

    def fail(*_) -> None:
        raise steps.Missing("no network")

    for install in (fail, lambda *_: False):
        monkeypatch.setattr(debian, "install", install)
        monkeypatch.setattr(debian, "unpack", lambda *_: False)
        valgrind.fetch(without_valgrind, tmp_path / "cache", tmp_path / "log")
    assert valgrind.found(without_valgrind) == (
        "NOT AVAILABLE; to have instructions counted, as root run: apt-get install --no-install-recommends valgrind"
    )
    assert list(without_valgrind.iterdir()) == []


def test_valgrind_that_was_not_had_is_tried_again(tmp_path, monkeypatch):
    """By the next set-up; what was found isn't."""
    import set_up

    tried = []
    monkeypatch.setattr(set_up, "VENV", tmp_path)
    monkeypatch.setattr(set_up.needs, "get", lambda *_: ["a compiler"])
    for work in ("install_packages", "download_wheels", "install_rtconform", "build_loaders"):
        monkeypatch.setattr(set_up, work, lambda *_: "done")
    monkeypatch.setattr(set_up.valgrind, "fetch", lambda *_: tried.append("again"))
    monkeypatch.setattr(set_up.valgrind, "found", lambda *_: "whatever")
    for is_found, count in ((False, 1), (True, 2), (True, 2)):
        monkeypatch.setattr(set_up.valgrind, "is_found", lambda *_, is_found=is_found: is_found)
        set_up.set_up(tmp_path)
        assert len(tried) == count


def test_work_is_redone_only_when_what_it_was_made_from_changed(tmp_path):
    """Content, names and additions count; time stamps don't."""
    import stamps

    source = tmp_path / "native" / "host.cpp"
    source.parent.mkdir()
    source.write_text("int main() {}")
    before = stamps.digest_of(tmp_path, ["native/**/*"], "g++ 12")
    os.utime(source, (0, 0))
    assert stamps.digest_of(tmp_path, ["native/**/*"], "g++ 12") == before
    changed = [stamps.digest_of(tmp_path, ["native/**/*"], "g++ 13")]
    source.write_text("int main() { }")
    changed.append(stamps.digest_of(tmp_path, ["native/**/*"], "g++ 12"))
    source.rename(source.with_name("main.cpp"))
    changed.append(stamps.digest_of(tmp_path, ["native/**/*"], "g++ 12"))
    source.write_text("int main() {}")
    changed.append(stamps.digest_of(tmp_path, ["native/**/*"], "g++ 12"))
    assert len({before, *changed}) == 5


def test_interrupted_work_is_done_again(tmp_path):
    """A stamp is written when work is finished, and gone while it is under way."""
    import stamps

    path = tmp_path / ".tox" / "stamps.json"
    stamps.Stamps(path).write("packages", "one")
    stamps.Stamps(path).write("rtconform", "two")
    assert stamps.Stamps(path).holds("packages", "one")
    assert not stamps.Stamps(path).holds("packages", "other")
    stamps.Stamps(path).drop("rtconform")
    assert not stamps.Stamps(path).holds("rtconform", "two")
    path.write_text('{"packages": "on')
    assert not stamps.Stamps(path).holds("packages", "one")


def test_the_build_is_stamped_with_all_that_it_reads():
    """Every native file of the package, and the files that say how it is built."""
    import set_up

    stamped = {path for pattern in set_up.BUILD_INPUTS for path in ROOT.glob(pattern)}
    suffixes = {".c", ".cpp", ".h", ".in", ".cmake", ".txt"}
    read = {path for folder in ("harness", "reference_models") for path in (ROOT / folder).rglob("*")}
    assert {path for path in read if "native" in path.parts and path.suffix in suffixes} <= stamped
    assert {ROOT / name for name in ("pyproject.toml", "CMakeLists.txt", "fixtures/models/specs.json")} <= stamped


@pytest.mark.parametrize(
    "variables", [{"RTCONFORM_CACHE": "chosen"}, {"XDG_CACHE_HOME": "xdg"}, {}], ids=["RTCONFORM_CACHE", "XDG", "home"]
)
def test_there_is_one_cache_folder(tmp_path, monkeypatch, variables):
    """The set-up knows it before there is a package to ask, and must mean the same."""
    import places

    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RTCONFORM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, folder in variables.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    assert places.cache_folder() == cache_folder()
    assert places.cache_folder().is_relative_to(tmp_path)


def pinned(name: str) -> dict[str, str]:
    """What a file of requirements pins: lower-case name with dashes -> the exact version for this Python or any."""
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, flags=re.MULTILINE))


def required(table: str) -> set[str]:
    """The distributions that a list in pyproject.toml names, other than rtconform itself."""
    listed = re.search(rf"^{table} = \[(.*?)\]$", (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE | re.DOTALL)
    names = re.findall(r'"([\w-]+)[^"]*?"', listed.group(1))
    return {name for name in names if name != "rtconform"}


def test_every_requirement_of_the_package_is_pinned():
    """What the wheel asks for is in core.txt; extras and build tools are in environment.txt, with the one torch."""
    assert required("dependencies") - set(pinned("core.txt")) == set()
    assert required("dependencies")
    for table in ("onnx", "torch", "train", "requires"):
        assert required(table) - set(pinned("environment.txt")) == set()
    assert "torch" not in pinned("core.txt")
    assert pinned("environment.txt")["torch"] == "2.13.0"
    unpinned = re.findall(
        r"^(?!#|-r (?:core|bootstrap)\.txt$)"
        r"(?![\w.-]+==[\w.]+(?:; (?:python_version [<>=]+ \"3\.11\"|sys_platform != \"win32\"))?$).+$",
        "\n".join(path.read_text() for path in sorted((ROOT / "requirements").glob("*.txt"))),
        flags=re.MULTILINE,
    )
    assert unpinned == []


def test_ci_runs_the_test_command_of_the_readme():
    """Nobody's check differs from everybody's."""
    ci = ROOT / ".ci" / "run"
    assert os.access(ci, os.X_OK)
    assert "make test" in ci.read_text()
    assert re.search(r"^\s*make test\b", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
