"""Small mistakes made by machine: every way to change one source text by one operator, one number, one statement.

A mutant is a function of the text alone. Left alone is what no requirement speaks of: docstrings, annotations,
decorators, `__all__`, and the texts of errors (all that a `raise` says, and what is given to the functions that the
caller names as makers of messages).
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from .mutation_operators import OPERATORS, Edit

_SHOWN = 88
"""Characters of the source that stand in a mutant's name, where an expression around it is as short as that."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file. `key` stays when lines move.

    `first_line` to `last_line` is the statement that it is in; a change `in_lambda` acts only where that is called.
    """

    file: str
    line: int
    first_line: int
    last_line: int
    in_lambda: bool
    function: str
    operator: str
    original: str
    mutated: str
    nth: int
    source: str

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        return self.file, self.function, self.original, self.mutated, self.nth

    @property
    def title(self) -> str:
        again = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.file}:{self.line} {self.function}: {self.original} → {self.mutated}{again}"

    @cached_property
    def slug(self) -> str:
        """A name that can stand in a connection string, such as numpy-layers-1f0c2b7a."""
        stem = self.file.removesuffix("/__init__.py").removesuffix(".py").rpartition("/")[2]
        digest = hashlib.sha256("\0".join(map(str, self.key)).encode()).hexdigest()[:8]
        return f"{stem.replace('_', '-')}-{digest}"


class Source:
    """A parsed file: who stands around each node, and the text of each."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._lines = text.splitlines(keepends=True)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where the text of a node begins and ends."""
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _offset(self, line: int, column: int) -> int:  # ast counts bytes
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def of(self, node: ast.AST) -> str:
        begin, end = self.span(node)
        return self.text[begin:end]

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node stands in, from the nearest on."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def definition(self, node: ast.AST) -> ast.AST:
        """The top-level statement that a node is in."""
        return next(n for n in (node, *self.around(node)) if isinstance(self.parents[n], ast.Module))

    def function(self, node: ast.AST) -> str:
        kinds = (ast.FunctionDef, ast.ClassDef)
        names = [outer.name for outer in (node, *self.around(node)) if isinstance(outer, kinds)]
        return ".".join(reversed(names)) or "(module)"

    def in_lambda(self, node: ast.AST) -> bool:
        kinds = (ast.Lambda, ast.FunctionDef, ast.ClassDef)
        return isinstance(next((outer for outer in self.around(node) if isinstance(outer, kinds)), None), ast.Lambda)

    def statement_lines(self, node: ast.AST) -> tuple[int, int]:
        """The lines of the statement that a node is in; of a statement with a body, those in front of the body."""
        found = next(n for n in (node, *self.around(node)) if isinstance(n, (ast.stmt, ast.ExceptHandler)))
        body = getattr(found, "body", None)
        return found.lineno, (max(found.lineno, body[0].lineno - 1) if body else found.end_lineno)


def mutants(file: str, text: str, *, messages: Collection[str] = (), left_out: Collection[str] = ()) -> list[Mutant]:
    """All mutants of a file in the order of its lines; `file` is what it is called in their names.

    `messages` names the functions whose arguments are texts for people, `left_out` top-level definitions that aren't
    mutated.
    """
    source = Source(text)
    seen = {_dumped(source.of(definition)) for definition in source.tree.body}
    counts: Counter[tuple[str, str, str]] = Counter()
    found = []
    for node in _behaviour(source, frozenset(messages), frozenset(left_out)):
        for operator, make in OPERATORS.items():
            for edit in make(source, node):
                begin, end = source.span(source.definition(node))
                tree = _dumped(text[begin : edit.begin] + edit.text + text[edit.end : end])
                if tree is None or tree in seen:  # no Python, or the same as another
                    continue
                seen.add(tree)
                changed = text[: edit.begin] + edit.text + text[edit.end :]
                original, mutated = _shown(source, node, edit)
                function = source.function(node)
                counts[function, original, mutated] += 1
                nth = counts[function, original, mutated]
                lines = source.statement_lines(node)
                in_lambda = source.in_lambda(node)
                found.append(
                    Mutant(file, node.lineno, *lines, in_lambda, function, operator, original, mutated, nth, changed)
                )
    return sorted(found, key=lambda mutant: mutant.line)


def _dumped(text: str) -> str | None:
    """What a text means to Python, None if nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            tree = ast.parse(text)
            compile(tree, "", "exec")
        except SyntaxError:
            return None
    return ast.dump(tree)


def _behaviour(source: Source, messages: frozenset[str], left_out: frozenset[str]) -> Iterator[ast.AST]:
    """The nodes that may be changed, outermost first."""

    def is_message(node: ast.AST) -> bool:
        called = node.func if isinstance(node, ast.Call) else None
        return getattr(called, "attr", getattr(called, "id", "")) in messages

    def visit(node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, (ast.Import, ast.ImportFrom)) or is_message(node) or _is_docstring(node):
            return
        if getattr(node, "name", None) in left_out and isinstance(source.parents.get(node), ast.Module):
            return
        if isinstance(node, ast.Assign) and source.of(node.targets[0]) == "__all__":
            return
        if hasattr(node, "lineno"):
            yield node
        if isinstance(node, ast.Raise):
            return
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "bases"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from visit(child)

    yield from visit(source.tree)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _shown(source: Source, node: ast.AST, edit: Edit) -> tuple[str, str]:
    """(original, mutated) text of the longest expression or simple statement around the change that is short."""
    shown = node
    for outer in source.around(node):
        if not _is_simple(outer) or len(_in_one_line(source.of(outer))) > _SHOWN:
            break
        shown = outer
    begin, end = source.span(shown)
    begin, end = min(begin, edit.begin), max(end, edit.end)
    text = source.text
    return _in_one_line(text[begin:end]), _in_one_line(text[begin : edit.begin] + edit.text + text[edit.end : end])


def _is_simple(node: ast.AST) -> bool:
    return isinstance(node, (ast.expr, ast.keyword, ast.stmt)) and not isinstance(getattr(node, "body", None), list)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
