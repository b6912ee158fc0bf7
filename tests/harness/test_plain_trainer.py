"""A trainer of a stranger's, in a process of its own, through all that is asked of trainers."""

import ast
import sys
from pathlib import Path

import pytest

from .test_run import results

SHOWN = (
    "TRN-PARAMETERS",
    "TRN-BEATS-CONSTANT",
    "TRN-NEEDS-LABELS",
    "TRN-USES-STATE",
    "TRN-USES-RECURRENT-WEIGHTS",
    "TRN-REPORTS-LOSS",
    "TRN-SPLIT[",
    "TRN-KILLED",
    "TRN-REFUSE-CONFIG[plain_trainer-unknown-key",
    "TRN-REFUSE-DATA[plain_trainer-corrupt-files",
)
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


def test_it_passes_what_a_trainer_is_asked(rtconform, tmp_path):
    """Skill, state, the split, refusals, and SIGKILL, after which another process comes to the same, over the protocol.

    The rest of the class takes minutes of starting Python: `rtconform run --class training` tries it.
    """
    pytest.importorskip("torch")
    pytest.importorskip("mido")
    (tmp_path / "rtconform.toml").write_text("timeout_s = 60.0\n")  # for saying goodbye too, with torch on board
    trainer = f"cmd:{sys.executable} {SCRIPT}"
    arguments = ["run", "--trainer", trainer, "--class", "training", "--profile", "smoke"]
    done = rtconform(*arguments, "--", "-k", " or ".join(SHOWN))
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = results(tmp_path)
    passed = {item.partition("[")[0] for item, verdict in verdicts.items() if verdict == "PASS"}
    assert set(verdicts.values()) == {"PASS", "SKIP"}
    assert passed == {item.partition("[")[0] for item in SHOWN}
