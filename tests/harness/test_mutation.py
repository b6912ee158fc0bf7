"""Mutants: what each operator changes, what is left alone, and that a mutant is loaded beside the original."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from typing import Any

import pytest

from rtconform.harness.faulty import mutation_run, mutation_score
from rtconform.harness.faulty.mutants import MODULE, targets
from rtconform.harness.faulty.mutation import Mutant, mutants
from rtconform.harness.implementations import connect


def changes(text: str, operator: str = "", **options: Any) -> list[str]:
    """The second lines that an operator, or any, makes of a text of two lines."""
    found = [m for m in mutants("sample.py", text, **options) if operator in ("", m.operator)]
    return [mutant.source.splitlines()[1].strip() for mutant in found]


@pytest.mark.parametrize(
    ("operator", "line", "expected"),
    [
        ("arithmetic", "return a + b", ["return a - b"]),
        ("arithmetic", "a *= b", ["a /= b"]),
        ("operands exchanged", "return a @ b", ["return (b) @ (a)"]),
        ("comparison", "return a < b", ["return a <= b", "return a >= b"]),
        ("comparison", "return a is not b", ["return a is b"]),
        ("boolean", "return a and b", ["return a or b", "return (b)", "return (a)"]),
        ("condition negated", "return b if a else c", ["return b if (not (a)) else c"]),
        ("filter negated", "return [x for x in a if b]", ["return [x for x in a if (not (b))]"]),
        ("sign dropped", "return -a", ["return (a)"]),
        ("number", "return 2", ["return 3"]),
        ("number", "return 0.5", ["return 1.0"]),
        ("number", "return True", ["return False"]),
        ("string", 'return a["b"]', ['return a[("b" "_")]']),
        ("slice", "return a[1:b]", ["return a[:b]", "return a[1:]"]),
        ("arguments exchanged", "return f(a, b)", ["return f(b, a)"]),
        ("elements exchanged", "a, b = c", ["b, a = c"]),
        ("element left out", "return f(a, b=c)", ["return f(a)"]),
        ("element left out", "return {a: b, c: d}", ["return {c: d}", "return {a: b, }"]),
        ("element left out", "return a in (b, c)", ["return a in (c)", "return a in (b,)"]),
        ("call", "return a.T", ["return a"]),
        ("call", "return max(a, b)", ["return min(a, b)"]),
        ("call", "return a.copy()", ["return (a)"]),
        ("statement left out", "a.b = c", ["pass"]),
        ("statement left out", "raise a", ["pass"]),
    ],
)
def test_operator_changes_one_thing(operator, line, expected):
    """Each operator on one line, all of its mutants in order."""
    assert changes(f"def f(a, b, c, d):\n    {line}\n", operator) == expected


@pytest.mark.parametrize(
    "text",
    [
        '"""A docstring."""\nimport a\n',
        "def f(a: int = b) -> list[int]:\n    '''A docstring, 1.'''\n",
        "@dataclass(frozen=True)\nclass A(B): ...\n",
        '__all__ = ["a",\n "b"]\n',
        'def f(a):\n    return refuse("x", a + 1)\n',
        "def out(a):\n    return a + 1\n",
        "def f(a, b):\n    return isinstance(b, a)\n",
    ],
    ids=["docstring", "annotation", "decorator", "names", "message", "left out", "always a TypeError"],
)
def test_what_no_requirement_speaks_of_is_left_alone(text):
    """No mutant of it, but for those of the call as a whole."""
    options = {"messages": ("refuse",), "left_out": ("out",)}
    assert [line for line in changes(text, **options) if line not in {"pass", "return (b)"}] == []


def test_text_of_an_error_is_left_alone_and_its_raising_is_not():
    """Of a raise, all that can change is whether it happens."""
    assert changes('def f(a):\n    raise ValueError(f"{a + 1}: expected", 3)\n') == ["pass"]


def test_mutants_have_names_that_stay_when_lines_move():
    """Lines in front change where a mutant is, not what it is called; the same change twice has two names."""
    text = "def f(a):\n    g(a + 1)\n    g(a + 1)\n"
    before, after = mutants("sample.py", text), mutants("sample.py", "# moved\n\n" + text)
    assert [m.slug for m in before] == [m.slug for m in after]
    assert {m.line for m in before}.isdisjoint({1}) and {m.line for m in after} == {4, 5}
    assert len({m.slug for m in before}) == len({m.source for m in before}) == len(before)
    assert [m.nth for m in before if m.mutated == "g(a - 1)"] == [1, 2]


def one(file: str, original: str, mutated: str) -> Mutant:
    found = [
        m for t in targets() for m in t.mutants.values() if (m.file, m.original, m.mutated) == (file, original, mutated)
    ]
    assert len(found) == 1
    return found[0]


def test_a_mutant_is_another_module_and_the_original_stays(tmp_path):
    """Relu becomes a minimum in the mutant; in the copy beside it and in the original it doesn't."""
    import numpy as np

    mutant = one("numpy_layers.py", "lambda x: np.maximum(x, 0)", "lambda x: np.minimum(x, 0)")
    layer = {"type": "activation", "activation": "relu", "shape": [None, None, 2], "weights": []}
    path = tmp_path / "relu.json"
    path.write_text(json.dumps({"in_shape": [None, None, 2], "layers": [layer]}), encoding="utf-8")
    made = {}
    for name in (f"{MODULE}:{mutant.slug.replace('-', '_')}", f"{MODULE}:numpy_runtime", "numpy-runtime"):
        with connect(name, "loader").open() as session, session.load(path) as model:
            made[name] = model.process(np.float32([[-2, 3]])).tolist()
    assert list(made.values()) == [[[-2, 0]], [[0, 3]], [[0, 3]]]
    alias = f"rtconform_{mutant.slug.replace('-', '_')}.reference_models"
    assert sys.modules[f"{alias}.numpy_runtime"].Layer is sys.modules[f"{alias}.numpy_layers"].Layer
    assert sys.modules[f"{alias}.numpy_layers"] is not sys.modules["rtconform.reference_models.numpy_layers"]


def test_targets_are_their_own_modules_and_no_others():
    """An exporter is its package, the NumPy loader three modules of the package that it shares with others."""
    assert {target.implementation: [*target.files] for target in targets()} == {
        "reference-exporter": [
            *("export/__init__.py", "export/mapping.py", "export/movement.py", "export/placing.py"),
            *("export/probes.py", "export/trace.py"),
        ],
        "numpy-runtime": ["errors.py", "numpy_layers.py", "numpy_runtime.py", "python_loaders.py"],
    }
    assert sum(len(target.mutants) for target in targets()) >= 1000


def test_every_explanation_is_of_a_mutant():
    """The list can't rot: what it names is there, under one reason."""
    keys = {mutant.key for target in targets() for mutant in target.mutants.values()}
    assert [key for key in mutation_score.explained() if key not in keys] == []


MUTANT = Mutant("a.py", 2, 2, 2, False, "f", "number", "1", "2", 1, "")
OUTCOME = dataclasses.asdict(MUTANT) | {
    "verdict": "FAIL",
    "item": "NUM-ORACLE[a]",
    "items": 3,
    "found": "",
    "command": "",
}


@pytest.mark.parametrize(
    ("outcome", "known", "faults"),
    [
        ({}, {}, []),
        ({}, {MUTANT.key: ("equivalent", "why")}, ["listed as equivalent, and killed by NUM-ORACLE[a]"]),
        ({"verdict": "TIMEOUT"}, {}, []),
        ({"verdict": "SUITE ERROR"}, {MUTANT.key: ("equivalent", "why")}, ["NUM-ORACLE[a] is SUITE ERROR"]),
        ({"verdict": "PASS"}, {MUTANT.key: ("equivalent", "why")}, []),
        (
            {"verdict": "PASS"},
            {},
            ["survived 3 items, unexplained"],
        ),
        ({}, {("b.py", "f", "1", "2", 1): ("survivor", "why")}, ["no mutant b.py / f / 1 / 2 / 1"]),
    ],
)
def test_what_is_not_as_written_down_is_a_fault(outcome, known, faults):
    """Beside 99 others that were killed, so that the rate holds."""
    others = [OUTCOME | {"line": line, "function": "others"} for line in range(99)]
    score = mutation_score.evaluate([OUTCOME | outcome, *others], known, [MUTANT])
    assert len(score.faults) == len(faults)
    assert all(part in fault for part, fault in zip(faults, score.faults, strict=True))


def test_equivalent_mutants_alone_are_left_out_of_the_rate():
    """Of four mutants one is equivalent, one survives with a reason, two are killed: 2 of 3, too few."""
    outcomes = [OUTCOME | {"function": name, "verdict": "PASS"} for name in "ab"] + [OUTCOME] * 2
    known = {
        (*MUTANT.key[:1], name, *MUTANT.key[2:]): (kind, "why")
        for name, kind in zip("ab", mutation_score.KINDS, strict=True)
    }
    existing = [dataclasses.replace(MUTANT, function=name) for name in "ab"]
    score = mutation_score.evaluate(outcomes, known, existing)
    assert (score.total.killed, score.total.equivalent, score.total.survived) == (2, 1, 1)
    assert score.faults == ["66.7% of the mutants that are not equivalent were killed, less than 98%"]
    assert json.loads(json.dumps(score.to_dict()))["mutants"][1]["reason"] == "why"


class State:
    """Stands for a run that can connect to anything."""

    def reconnect(self, role: str, name: str, connection: str) -> None: ...

    def connected(self, role: str, name: str) -> None: ...


class Item:
    """An item that does what it is told in the mutant's process."""

    seconds = 0.0

    def __init__(self, name: str, act: Any) -> None:
        self.item = self
        self.name, self._act = name, act

    def run(self) -> dict[str, Any]:
        return {"verdict": self._act() or "PASS", "found": ""}


@pytest.mark.parametrize(
    ("act", "verdict"),
    [
        (lambda: None, "PASS"),
        (lambda: "FAIL", "FAIL"),
        (os.abort, "CRASH"),
        (lambda: os._exit(0), "CRASH"),
        (lambda: time.sleep(60), "TIMEOUT"),
        (lambda: bytearray(2**40) and None, "CRASH"),
    ],
    ids=["passes", "fails", "aborts", "exits", "hangs", "takes all memory"],
)
def test_whatever_a_mutant_does_to_its_process_is_a_verdict(act, verdict, monkeypatch):
    """The process that tries mutants goes on, and knows the item at which it happened."""
    monkeypatch.setattr(mutation_run, "ITEM_SECONDS", 3.0)
    items = [Item("first", lambda: "PASS"), Item("second", act)]
    outcome = mutation_run._tried(MUTANT, items, State(), targets()[1])
    assert (outcome["verdict"], outcome["item"]) == (verdict, "" if verdict == "PASS" else "second")
