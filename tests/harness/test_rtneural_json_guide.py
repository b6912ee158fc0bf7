"""What docs/RTNEURAL_JSON.md says is so: its file is valid, its tables are the grammar's, its numbers the code's."""

import re
from pathlib import Path

from rtconform.harness.rtneural_json import format_report, numeric_classes, validate_bytes
from rtconform.harness.rtneural_json.budget import ELEMENTWISE, ROOT_MEAN_SQUARE, RUNS
from rtconform.harness.rtneural_json.grammar import ACTIVATIONS, LAYER_TYPES

from .models import stored_tree, validate

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "RTNEURAL_JSON.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The contents of the fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_its_file_is_valid():
    """The example can be saved and loaded."""
    report = validate_bytes(blocks("json")[0].encode())
    assert report.ok, report.faults
    assert (report.model.input_size, report.model.output_size) == (2, 1)


def test_its_grammar_lists_every_type_and_activation():
    """A row per layer type, and every activation by name."""
    grammar = GUIDE.split("## Grammar")[1].split("**Meaning**")[0]
    table = grammar.split("|---|---|---|---|")[1]
    rows = re.findall(r"^\| ((?:`[\w-]+`(?:, )?)+) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} == set(LAYER_TYPES)
    assert all(f"`{name}`" in grammar for name in ACTIVATIONS)


def test_its_message_is_the_validators():
    """The message that is shown is the one that these two faults give."""
    model = stored_tree("lstm-stacked")
    model["layers"][0] |= {"type": "dense", "weights": [[[0.5] * 5] * 3, [0.5] * 5]}
    model["layers"][1] |= {"shape": [8], "weights": [[[0.5] * 32] * 5, [[0.5] * 32] * 8, [0.5] * 64]}
    model["layers"][2] = {"type": "dense", "activation": "Tanh", "shape": [1], "weights": [[[0.5]] * 8, [0.5]]}
    assert format_report(validate(model), "model.json") == blocks("text")[0].rstrip()


def test_its_budget_is_the_budget():
    """The constants of both bounds, the number of runs, and the classes."""
    assert f"|e| ≤ {ELEMENTWISE:g} (s + u|y|) + 2⁻¹²⁶" in GUIDE
    assert f"rms(e) ≤ {ROOT_MEAN_SQUARE:g} rms(s)" in GUIDE
    assert f"runs {RUNS} times more" in GUIDE
    assert all(f"`{name}`" in GUIDE for name in numeric_classes())
