"""The house stands as it was drawn: arrows, sizes, names, and what may not be in a file."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("conformance", "harness", "reference_models", "rtconform")
NATIVE = (".c", ".cpp", ".h", ".hpp", ".cc")
MOST_LINES = 400
HEAVY = ("torch", "librosa", "scipy", "jinja2", "pytest", "jsonschema_rs", "hypothesis", "numpy")
# Bracketed so that this file does not hold what it looks for. The home of one called "me" is nobody's.
MACHINE_PATH = re.compile(
    r"/hom[e]/(?!me/)\w|/roo[t]/\w|/User[s]/\w|/wor[k]/(?:main|shared)|/op[t]/(?:wheels|pypi)|[A-Z]:\\User[s]"
)
REGISTRY_HOST = re.compile(
    r"\bpyp[i]\.org|pythonhoste[d]\.org|download\.pytorc[h]\.org|anacond[a]\.org|(?:deb|snapshot|security)\.debia[n]\.org"
    r"|npmj[s]\.(?:org|com)|proxy\.golan[g]\.org|artifactregistr[y]|\.pk[g]\.dev"
)


def tracked() -> list[Path]:
    """The files of the repository, as git knows them."""
    command = ["git", "ls-files", "-z"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the tracked files are known by git alone, and git says: {error}")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def native_files(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in NATIVE)


def package_of(path: Path) -> list[str]:
    """The package that a module's relative imports start from, as rtconform names it."""
    parts = path.relative_to(ROOT).parent.parts
    return list(parts) if parts[0] == "rtconform" else ["rtconform", *parts]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything that a file imports, by statement or by a literal given to import_module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = package_of(path) if node.level else []
            base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__", "files")):
            yield from (
                (node.lineno, argument.value)
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )


def trespasses(folders: tuple[str, ...], forbidden: tuple[str, ...]) -> list[str]:
    within = tuple(f"rtconform.{name}" for name in forbidden)
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in python_files(*folders)
        for line, name in imports(path)
        if name in (*within, *forbidden) or name.startswith(tuple(f"{root}." for root in (*within, *forbidden)))
    ]


def includes(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line, name, and whether it stands in quotes, of each #include."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := re.match(r"\s*#\s*include\s*([<\"])([^>\"]+)", line):
            yield number, match.group(2), match.group(1) == '"'


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [("harness", ("reference_models", "conformance")), ("reference_models", ("harness", "conformance"))],
)
def test_the_judge_and_the_defendants_share_no_python(folder, forbidden):
    """A mistake shared by exporter and oracle would hide itself."""
    assert trespasses((folder,), forbidden) == []


def test_nothing_imports_the_conformance_tests():
    """Not even they themselves: there are no helper modules in conformance/."""
    assert trespasses((*PACKAGES, "tests", "tools"), ("conformance",)) == []


def test_arrows_hold_in_the_entry_points():
    """The judge finds implementations by name: our own are the only entry points, and none of them is the judge."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table = text.partition('[project.entry-points."rtconform.implementations"]\n')[2].partition("\n[")[0]
    targets = re.findall(r'^[\w-]+ = "([^"]+)"$', table, flags=re.MULTILINE)
    assert targets
    assert [target for target in targets if not target.startswith("rtconform.reference_models.")] == []


def test_a_trespass_would_be_seen(tmp_path, monkeypatch):
    """The check is tried on imports that it must find, relative, absolute, by name, and inside a function."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    folder = tmp_path / "harness" / "report"
    folder.mkdir(parents=True)
    (folder / "bad.py").write_text(
        "from ...reference_models import models\n"
        "def f():\n    import rtconform.reference_models.export\n"
        "importlib.import_module('rtconform.reference_models.loaders')\n"
        "from ..reference_models_report import fine\n"
    )
    assert {line.rpartition(" ")[2] for line in trespasses(("harness",), ("reference_models",))} == {
        "rtconform.reference_models.models",
        "rtconform.reference_models.loaders",
        "rtconform.reference_models.export",
    }


def test_cpp_of_the_reference_models_includes_only_the_two_interfaces_of_ours():
    """Its C++ may include rtconform/loader.h and rtconform/pipeline.h, nothing else of the judge's."""
    bad = []
    for path in native_files("reference_models"):
        for line, name, quoted in includes(path):
            inside = quoted and (path.parent / name).resolve().is_relative_to(ROOT / "reference_models")
            of_the_judge = "harness" in Path(name).parts or (
                name.startswith("rtconform/") and name not in ("rtconform/loader.h", "rtconform/pipeline.h")
            )
            leaves = quoted and not inside and (path.parent / name).exists()
            if of_the_judge or leaves:
                bad.append(f"{path.relative_to(ROOT)}:{line} includes {name}")
    assert bad == []


def test_cpp_of_the_judge_includes_nothing_of_the_reference_models():
    """Quoted includes stay within harness/, and no angle-bracketed one names the other side."""
    bad = [
        f"{path.relative_to(ROOT)}:{line} includes {name}"
        for path in native_files("harness")
        for line, name, quoted in includes(path)
        if "reference_models" in name
        or name.startswith("RTNeural")
        or (
            quoted and (target := path.parent / name).exists() and not target.resolve().is_relative_to(ROOT / "harness")
        )
    ]
    assert bad == []


def test_inside_the_packages_imports_are_relative():
    """The checkout, the editable install and the wheel then mean the same module by the same name."""
    bad = []
    for path in python_files("harness", "reference_models"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            roots = {name.partition(".")[0] for name in names}
            if roots & set(PACKAGES):
                bad.append(f"{path.relative_to(ROOT)}:{node.lineno} imports {', '.join(names)}")
    assert bad == []


def test_a_module_is_one_idea():
    """No file of code is longer than 400 lines."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked()
        if path.suffix in {".py", *NATIVE}
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        pytest.param("machine path", MACHINE_PATH, id="machine-path"),
        pytest.param("registry host", REGISTRY_HOST, id="registry-host"),
    ],
)
def test_no_file_knows_one_machine(what, pattern):
    """pip and apt are used as their own configuration says, on whatever machine this is."""
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number} {match.group()}"
            for number, line in enumerate(text.splitlines(), 1)
            if (match := pattern.search(line))
        ]
    assert found == [], f"a {what} stands in a file"


def test_the_command_line_starts_without_heavy_imports():
    """`rtconform --help` answers at once, also where torch is installed."""
    program = "import json, sys, rtconform.harness.cli; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "rtconform.harness.cli" in loaded
    assert sorted(loaded & set(HEAVY)) == []


def test_no_module_is_imported_under_two_names():
    """A whole test session is collected, as by `pytest` under its own name, which doesn't look for modules where it is
    started; each of our files may stand behind one name alone.
    """
    program = (
        "import collections, json, os, pytest, sys\n"
        "sys.path.remove('')\n"
        "code = pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', 'conformance', 'tests'])\n"
        "names = collections.defaultdict(list)\n"
        "for name, module in list(sys.modules.items()):\n"
        "    file = os.path.realpath(getattr(module, '__file__', None) or '/')\n"
        "    if file.startswith(os.getcwd()) and '/site-packages/' not in file:\n"
        "        names[file].append(name)\n"
        "print('\\n' + json.dumps([int(code), names]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *said, last = done.stdout.splitlines()
    code, ours = json.loads(last)
    assert code == 0, "\n".join(said[-30:])
    assert str(ROOT / "harness" / "verdicts.py") in ours
    assert {file: known for file, known in ours.items() if len(known) > 1} == {}
