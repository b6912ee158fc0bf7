"""The documents do what they say: their commands run, their files compile, their links lead somewhere.

`make`, `tox` and the activation of their environment would set up a machine, so of these it is checked that the target,
the tox environment and the folder exist. Everything else in a `sh` or `console` block is run in a copy of the checkout.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rtconform.reference_models.errors import NotAvailable
from rtconform.reference_models.loaders import library

from .fences import COMMANDS, blocks

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
NOT_COPIED = (".*", "__pycache__", "build", "rtconform-report", "rtconform-selftest", "*.egg-info")
# What CI or a test run sets, and a reader of the documents doesn't.
NOT_INHERITED = ("PYTEST_", "RTCONFORM_", "CI", "NO_COLOR")
KEPT = ("RTCONFORM_CACHE", "RTCONFORM_MARCH")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?!https?://)([^)\s]+)\)")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files of this checkout, without what was built or written in it."""
    return Path(shutil.copytree(ROOT, tmp_path / "rtconform", ignore=shutil.ignore_patterns(*NOT_COPIED)))


@pytest.fixture
def environment(checkout: Path, tools: None) -> dict[str, str]:
    """A reader's environment: the programs of the one that runs this test come first, and ccache serves compilers."""
    import set_up

    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED) or name in KEPT}
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join((programs, os.environ.get("PATH", os.defpath)))
    return {**kept, "PATH": path, **set_up.through_ccache(checkout)}


@each_document
def test_commands_of_a_document_run(document, checkout, environment):
    """Each block of commands, in order, from the top of a checkout, ends with the exit code that it states."""
    for block in blocks(document):
        if block.file:
            (checkout / block.file).write_text(block.text, encoding="utf-8")
        if block.language not in COMMANDS:
            continue
        to_run = [command for command in block.commands if not is_set_up(command)]
        if not to_run or is_missing(block.needs):
            continue
        assert block.exit_code == 0 or len(to_run) == 1, f"{block}: which of the commands ends with {block.exit_code}?"
        script = "set -e\n" + "\n".join(to_run)
        done = subprocess.run(
            ["sh", "-c", script], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == block.exit_code, f"{block}\n{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def is_missing(need: str) -> bool:
    """Whether what a block needs can't be had on this machine."""
    if need == "rtneural":
        try:
            library("eigen")
        except NotAvailable:
            return True
    elif need:
        pytest.fail(f"expected needs=rtneural, found needs={need}")
    return False


def is_set_up(command: str) -> bool:
    """Whether a command sets up the machine; then what it names must exist."""
    words = [word for word in shlex.split(command, comments=True) if not re.match(r"[A-Z_]+=", word)]
    if words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        known = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
        assert set(targets) <= set(known), f"{command}: expected targets of {known}"
        return True
    if words[0] == "tox":
        settings = configparser.ConfigParser(interpolation=None)
        settings.read(ROOT / "tox.ini")
        wanted = words[words.index("-e") + 1].split(",") if "-e" in words else []
        for name in wanted:
            assert settings.has_section(f"testenv:{name}"), f"{command}: tox.ini has no environment {name!r}"
        return True
    if words[0] == ".":
        environment = re.search(r'VENV = TOX / "(\w+)"', (ROOT / "tools" / "set_up.py").read_text(encoding="utf-8"))[1]
        assert words[1:] == [f".tox/{environment}/bin/activate"], f"{command}: set_up.py makes .tox/{environment}"
        return True
    return False


@each_document
def test_links_lead_somewhere(document):
    """Every relative link names a file of the checkout, and every fragment a heading of that file."""
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        name, _, fragment = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), f"{document.name}: {target} leads to nothing"
        if fragment and path.suffix == ".md":
            assert fragment in anchors(path), f"{document.name}: {target} names no heading"


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
