"""A trainer of a stranger's, in a process of its own, through all that is asked of trainers."""

import ast
import sys
from pathlib import Path

import pytest

from rtconform.harness import catalogue

from .test_run import results, rtconform

__all__ = ["rtconform"]

SCRIPT = Path(__file__).parent / "strangers" / "plain_trainer.py"


def test_it_is_a_plain_script():
    """It imports the libraries that its work needs, the thirty lines of the protocol, and nothing of ours."""
    imports = [
        node for node in ast.walk(ast.parse(SCRIPT.read_text())) if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    names = {name.name for node in imports if isinstance(node, ast.Import) for name in node.names}
    names |= {node.module for node in imports if isinstance(node, ast.ImportFrom)}
    thirds = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    assert thirds == {"mido", "numpy", "safetensors", "stdio_loop", "torch"}


def test_it_passes_the_training_class(rtconform, tmp_path):
    """Every requirement on training is met but the one on data workers, which it doesn't have."""
    pytest.importorskip("torch")
    pytest.importorskip("mido")
    done = rtconform("run", "--trainer", f"cmd:{sys.executable} {SCRIPT}", "--class", "training", "--profile", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = results(tmp_path)
    passed = {item.partition("[")[0] for item, verdict in verdicts.items() if verdict == "PASS"}
    assert set(verdicts.values()) == {"PASS", "SKIP"}
    assert passed == {r.id for r in catalogue.load().values() if r.role == "trainer"} - {"TRN-WORKERS"}
