"""Nested JSON arrays to float32, with every wrong length and every wrong value named by its JSON path."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import chain

import numpy as np

from .faults import Findings, describe
from .parse import DecimalFloat, NonFiniteLiteral

Shape = tuple[int | None, ...]  # None: a length that an earlier fault keeps us from knowing

_NUMBERS = {float, int, DecimalFloat}
_MOST_PER_ARRAY = 20


class DecimalsNeeded(Exception):
    """Some number lies, as a double, halfway between two float32: only its decimal text says which is nearest."""


def float32_array(
    value: object,
    shape: Shape,
    path: str,
    findings: Findings,
    *,
    axes: str,
    explain: Callable[[Shape], str] = lambda shape: "",
) -> np.ndarray | None:
    """The array at `path` as float32 of exactly this shape, each number the float32 nearest to its decimal.

    axes names the axes for messages ("in × out"); explain gets the shape found instead, and returns a hint. Returns
    None if there were faults. Raises DecimalsNeeded if the tree has to be parsed again with its decimals kept.
    """
    flat = _flatten(value, shape)
    if flat is None:
        _report_structure(value, shape, path, findings, axes, explain)
        return None
    doubles = np.array(flat, dtype=np.float64)
    numbers = _nearest(doubles, flat)
    if not np.isfinite(numbers).all():
        _report_overflow(numbers, doubles, _lengths(value, len(shape)), path, findings)
        return None
    numbers = numbers.reshape(_lengths(value, len(shape)))
    numbers.flags.writeable = False
    return numbers


def _flatten(value: object, shape: Shape) -> list | None:
    """The leaves in order, or None if lengths or types are not as they should be."""
    level: list = [value]
    for axis, length in enumerate(shape):
        if set(map(type, level)) != {list}:
            return None
        lengths = set(map(len, level))
        if len(lengths) != 1 or (length is not None and lengths != {length}) or lengths == {0}:
            return None
        level = level[0] if axis == 0 else list(chain.from_iterable(level))
    return level if set(map(type, level)) <= _NUMBERS else None


def _lengths(value: object, depth: int) -> tuple[int, ...]:
    lengths = []
    for _ in range(depth):
        lengths.append(len(value))
        value = value[0]
    return tuple(lengths)


def _nearest(doubles: np.ndarray, leaves: Sequence[float]) -> np.ndarray:
    """Round to the nearest float32, from the decimal and not from the double where that makes a difference."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        numbers = doubles.astype(np.float32)
        # Rounding twice errs only where the double lies exactly halfway between two float32; its distance to the
        # nearest is then half a gap. Multiplying by 2 is exact, and so is the sum of two neighbours.
        off = np.nonzero((numbers != doubles) & np.isfinite(doubles))[0]
        near, exact = numbers[off], doubles[off]
        toward = np.where(exact > near, np.float32(np.inf), np.float32(-np.inf)).astype(np.float32)
        other = np.nextafter(near, toward)
        halfway = _double(near) + _double(other) == 2 * exact
    for index in off[halfway]:
        leaf = leaves[index]
        if type(leaf) is float:
            raise DecimalsNeeded
        numbers[index] = _nearest_to(Fraction(leaf.text if isinstance(leaf, DecimalFloat) else leaf))
    return numbers


def _double(numbers: np.ndarray) -> np.ndarray:
    """float32 as float64, with infinity where IEEE 754's rounding sees it: at 2^128, one step behind the largest."""
    return np.clip(numbers.astype(np.float64), -(2.0**128), 2.0**128)


def _nearest_to(number: Fraction) -> np.float32:
    with np.errstate(over="ignore"):
        near = np.float32(float(number))
    candidates = np.array([near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))])
    distances = [abs(Fraction(float(place)) - number) for place in _double(candidates)]
    # At equal distances the even mantissa wins.
    odd = candidates.view(np.uint32) & 1
    return min(zip(distances, odd, candidates, strict=True), key=lambda candidate: candidate[:2])[2]


def _report_overflow(
    numbers: np.ndarray, doubles: np.ndarray, shape: tuple[int, ...], path: str, findings: Findings
) -> None:
    bad = np.nonzero(~np.isfinite(numbers))[0]
    for index in bad[:_MOST_PER_ARRAY]:
        place = "".join(f"[{i}]" for i in np.unravel_index(index, shape))
        found = f"{doubles[index]:.6g}" if np.isfinite(doubles[index]) else "a number beyond even a double"
        findings.fault(path + place, "a number that float32 can hold (up to 3.4028235e38)", found)
    if len(bad) > _MOST_PER_ARRAY:
        findings.fault(
            path, "numbers that float32 can hold", f"{len(bad) - _MOST_PER_ARRAY} more beyond it in this array"
        )


def uniform_shape(value: object) -> tuple[int, ...] | None:
    """The shape of a nested array with equal lengths on each level, or None if it is ragged or no array."""
    level, shape = [value], []
    while level and set(map(type, level)) == {list}:
        lengths = set(map(len, level))
        if len(lengths) != 1:
            return None
        shape.append(lengths.pop())
        level = list(chain.from_iterable(level))
    return tuple(shape) if shape and not any(type(leaf) is list for leaf in level) else None


def shape_text(shape: Shape, axes: str = "") -> str:
    """A shape as messages show it: "3 numbers", "[3][20] (in × 4H)"."""
    named = f" ({axes})" if axes else ""
    if len(shape) == 1:
        count = "?" if shape[0] is None else f"{shape[0]}"
        return f"{count} number{'' if shape[0] == 1 else 's'}{named}"
    return "".join("[?]" if n is None else f"[{n}]" for n in shape) + named


def _report_structure(
    value: object, shape: Shape, path: str, findings: Findings, axes: str, explain: Callable[[Shape], str]
) -> None:
    found = uniform_shape(value)
    matches = (
        found is not None
        and len(found) == len(shape)
        and all(want in (None, have) for want, have in zip(shape, found, strict=True))
    )
    if found is not None and (not matches or 0 in found):
        findings.fault(path, shape_text(shape, axes), shape_text(found), explain(found))
        matches = len(found) == len(shape) and 0 not in found
    elif type(value) is not list:
        findings.fault(path, shape_text(shape, axes), describe(value))
        return
    elif found is None:
        matches = True
    if matches:
        before = len(findings.faults)
        hidden = _descend(
            value, shape if found is None else (None,) * len(shape), path, findings, before + _MOST_PER_ARRAY
        )
        if hidden:
            findings.fault(path, shape_text(shape, axes), f"{hidden} more places in this array that don't fit")


def _descend(value: object, shape: Shape, path: str, findings: Findings, most: int) -> int:
    """Report every part that doesn't fit until there are `most` faults; return how many went unreported."""
    if not shape:
        if type(value) in _NUMBERS or isinstance(value, NonFiniteLiteral):  # the latter is a fault of the parse already
            return 0
        return _report(findings, most, path, "a number", describe(value))
    if type(value) is not list:
        return _report(findings, most, path, shape_text(shape), describe(value))
    hidden = 0
    if len(value) != shape[0] and (shape[0] is not None or not value):
        unit = "numbers" if len(shape) == 1 else "rows"
        hidden += _report(findings, most, path, f"{'some' if shape[0] is None else shape[0]} {unit}", f"{len(value)}")
    return hidden + sum(_descend(part, shape[1:], f"{path}[{i}]", findings, most) for i, part in enumerate(value))


def _report(findings: Findings, most: int, path: str, expected: str, found: str) -> int:
    if len(findings.faults) >= most:
        return 1
    findings.fault(path, expected, found)
    return 0
