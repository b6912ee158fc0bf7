"""The mistakes that mutation.py makes: each operator gives the edits of one kind that a node of the syntax tree allows.

Where a change could only ever end in a TypeError, such as exchanged arguments of isinstance, none is made: it would be
caught by anything, and raise the score for nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol


class SourceText(Protocol):
    """What the operators need of a parsed file."""

    text: str
    parents: Mapping[ast.AST, ast.AST]

    def span(self, node: ast.AST) -> tuple[int, int]: ...
    def of(self, node: ast.AST) -> str: ...


@dataclass(frozen=True)
class Edit:
    """`text` in the place of what stands from `begin` to `end`."""

    begin: int
    end: int
    text: str


Operator = Callable[[SourceText, ast.AST], Iterator[Edit]]

_ARITHMETIC = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}
_COMPARISONS = {
    ast.Lt: ("<", "<=", ">="),
    ast.LtE: ("<=", "<", ">"),
    ast.Gt: (">", ">=", "<="),
    ast.GtE: (">=", ">", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}
_ORDER_MATTERS = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)
_TWINS = {
    "any": "all",
    "max": "min",
    "maximum": "minimum",
    "zeros": "ones",
    "zeros_like": "ones_like",
    "exp": "expm1",
    "argwhere": "nonzero",
}
_TWIN_OF = _TWINS | {twin: name for name, twin in _TWINS.items()}
_UNORDERED = ("isinstance", "getattr", "hasattr", "max", "min", "any", "equal")
"""Calls whose arguments are not exchanged: nothing would change, or nothing would work."""


def _replaced(source: SourceText, node: ast.AST, text: str) -> Edit:
    return Edit(*source.span(node), text)


def _between(source: SourceText, left: ast.AST, right: ast.AST, found: str, text: str) -> Iterator[Edit]:
    """Another operator between two operands."""
    begin, end = source.span(left)[1], source.span(right)[0]
    pattern = found if found[0].isalpha() else re.escape(found)
    if match := re.search(pattern, source.text[begin:end]):
        yield Edit(begin + match.start(), begin + match.end(), text)


def _name(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


def _arithmetic(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """a + b → a - b"""
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        found, text = _ARITHMETIC[type(node.op)]
        yield from _between(source, node.left, node.right, found, text)
    elif isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        found, text = _ARITHMETIC[type(node.op)]
        yield from _between(source, node.target, node.value, found + "=", text + "=")


def _operands(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """a - b → b - a"""
    if isinstance(node, ast.BinOp) and isinstance(node.op, _ORDER_MATTERS):
        middle = source.text[source.span(node.left)[1] : source.span(node.right)[0]]
        if middle.strip(" ") in {"-", "/", "//", "%", "**", "@"}:
            yield _replaced(source, node, f"({source.of(node.right)}){middle}({source.of(node.left)})")


def _comparison(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """a < b → a <= b, a >= b"""
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for (left, right), operator in zip(pairwise(operands), node.ops, strict=True):
            found, *others = _COMPARISONS[type(operator)]
            for text in others:
                yield from _between(source, left, right, found, text)


def _boolean(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """a and b → a or b, a, b"""
    if isinstance(node, ast.BoolOp):
        found, text = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        parts = node.values
        for left, right in pairwise(parts):
            yield from _between(source, left, right, found, text)
        for dropped in parts:
            kept = [f"({source.of(part)})" for part in parts if part is not dropped]
            yield _replaced(source, node, f" {found} ".join(kept))


def _condition(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """if a: → if not a:"""
    tests = [node.test] if isinstance(node, (ast.If, ast.IfExp, ast.While)) else getattr(node, "ifs", [])
    for test in tests:
        said_already = isinstance(test, ast.Compare) and len(test.ops) == 1
        if not said_already and not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
            yield _replaced(source, test, f"(not ({source.of(test)}))")


def _comprehension(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """[x for x in a if b] → [x for x in a if not b]"""
    for generator in getattr(node, "generators", ()):
        yield from _condition(source, generator)


def _sign(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """not a → a, -a → a"""
    if isinstance(node, ast.UnaryOp):
        yield _replaced(source, node, f"({source.of(node.operand)})")


def _number(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """1 → 2; 0.5 → 1.0; True → False"""
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield _replaced(source, node, str(not value))
    elif isinstance(value, int):
        yield _replaced(source, node, str(value + 1))
    elif isinstance(value, float):
        yield _replaced(source, node, repr(value * 2 or 1.0))


def _string(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """A text becomes another: a → a_"""
    inside = isinstance(source.parents.get(node), (ast.JoinedStr, ast.FormattedValue))
    is_text = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    if is_text and not inside:
        yield _replaced(source, node, f'({source.of(node)} "_")')


def _slice(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """a[b:c] → a[:c], a[b:]"""
    if isinstance(node, ast.Slice):
        for bound in (node.lower, node.upper, node.step):
            if bound is not None:
                yield _replaced(source, bound, "")


def _arguments(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """f(a, b) → f(b, a)"""
    if isinstance(node, ast.Call) and _name(node.func) not in _UNORDERED:
        yield from _exchanged(source, node.args)


def _elements(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """(a, b) → (b, a), for what is made and for what is unpacked"""
    if isinstance(node, (ast.Tuple, ast.List)) and not _is_set(source, node):
        yield from _exchanged(source, node.elts)


def _is_set(source: SourceText, node: ast.AST) -> bool:
    """Whether only membership in it is asked for, or it is a row of a longer list."""
    outer = source.parents[node]
    asked = (
        isinstance(outer, ast.Compare) and node in outer.comparators and isinstance(outer.ops[0], (ast.In, ast.NotIn))
    )
    return (
        asked or isinstance(outer, ast.Starred) or (isinstance(outer, ast.Call) and _name(outer.func) == "isinstance")
    )


def _exchanged(source: SourceText, nodes: list[ast.expr]) -> Iterator[Edit]:
    for left, right in pairwise(nodes):
        if not isinstance(left, ast.Starred) and not isinstance(right, ast.Starred):
            (begin, left_end), (right_begin, end) = source.span(left), source.span(right)
            middle = source.text[left_end:right_begin]
            yield Edit(begin, end, f"{source.of(right)}{middle}{source.of(left)}")


def _left_out(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """f(a, b=c) → f(a); {a: b, c: d} → {c: d}; x in (a, b) → x in (b,)"""
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            first = node.args + node.keywords
            yield from _without(source, first, keyword)
    elif isinstance(node, ast.Dict):
        pairs = list(zip(node.keys, node.values, strict=True))
        for key, value in pairs:
            if key is not None and len(pairs) > 1:
                begin, end = source.span(key)[0], source.span(value)[1]
                comma = re.match(r"\s*,\s*", source.text[end:])
                yield Edit(begin, end + (comma.end() if comma else 0), "")
    elif isinstance(node, (ast.Tuple, ast.List)) and isinstance(node.ctx, ast.Load):
        least = 2 if _is_set(source, node) else 3
        for element in node.elts if len(node.elts) >= least else ():
            yield from _without(source, node.elts, element)


def _without(source: SourceText, nodes: list, node: ast.AST) -> Iterator[Edit]:
    index = nodes.index(node)
    begin, end = source.span(node)
    if index + 1 < len(nodes):
        gap = source.text[end : source.span(nodes[index + 1])[0]]
        if gap.strip() == ",":
            yield Edit(begin, end + len(gap), "")
    elif index and source.text[source.span(nodes[index - 1])[1] : begin].strip() == ",":
        yield Edit(source.span(nodes[index - 1])[1], end, "," if isinstance(source.parents[node], ast.Tuple) else "")
    elif not index:
        yield Edit(begin, end, "")


def _call(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """a.f() → a; f(a) → a; a.T → a; max(a) → min(a)"""
    if isinstance(node, ast.Attribute) and node.attr in {"T", "mT"}:
        yield _replaced(source, node, source.of(node.value))
    if not isinstance(node, ast.Call):
        return
    name = _name(node.func)
    if name in _TWIN_OF:
        end = source.span(node.func)[1]
        yield Edit(end - len(name), end, _TWIN_OF[name])
    if isinstance(source.parents[node], ast.Expr):
        return
    if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value):
        yield _replaced(source, node, f"({source.of(node.func.value)})")
    elif len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
        yield _replaced(source, node, f"({source.of(node.args[0])})")


def _is_module(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    known = {"np", "torch", "nn", "functional", "orjson", "os", "copy", "placing", "secrets", "super"}
    return _name(getattr(node, "func", node)) in known


def _statement(source: SourceText, node: ast.AST) -> Iterator[Edit]:
    """A statement left out: a call, a raise, an early return, a change in place; `with a:` → `if True:`."""
    early = isinstance(node, ast.Return) and not isinstance(source.parents[node], ast.FunctionDef)
    in_place = isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Attribute, ast.Subscript))
    if isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise)) or early or in_place:
        yield _replaced(source, node, "pass")
    elif isinstance(node, ast.Continue):
        yield _replaced(source, node, "break")
    elif isinstance(node, ast.Break):
        yield _replaced(source, node, "continue")
    elif isinstance(node, ast.With) and all(item.optional_vars is None for item in node.items):
        begin, end = source.span(node)[0], source.span(node.items[-1].context_expr)[1]
        yield Edit(begin, end, "if True")


OPERATORS: dict[str, Operator] = {
    "arithmetic": _arithmetic,
    "operands exchanged": _operands,
    "comparison": _comparison,
    "boolean": _boolean,
    "condition negated": _condition,
    "filter negated": _comprehension,
    "sign dropped": _sign,
    "number": _number,
    "string": _string,
    "slice": _slice,
    "arguments exchanged": _arguments,
    "elements exchanged": _elements,
    "element left out": _left_out,
    "call": _call,
    "statement left out": _statement,
}
