"""Model files with small random changes that know the format's structure: what no list of wrong files thinks of.

A change is of the tree (a key dropped, an array shortened, a type exchanged, …) or of the text (cut, a byte flipped, a
number written in another way, …). Most results are wrong in one place; some are still valid, and what they hold is for
the validator to say.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from .grammar import ACTIVATIONS, LAYER_TYPES

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 4, 5, 8, 16, 2**20, 2**20 + 1, 2**31, 2**32, 2**64, -(2**63)),
    *(0.0, -0.0, 1.0, 0.5, 3.5, 1e-5, 1e-46, 1e38, 3.5e38, 1e39, 1e308),
    *("", "tanh", "Tanh", "linear", "softmax", "dense", "lstm", "valid", "same", "causal", "1", "\u00e9", "\U0001f3b9"),
    *([], {}, [[]], [1], [1.0], [True], [None], [None, None, 3], [1, 2, 3, 4], {"0": 1}),
)
_KEYS = (
    *("alpha", "activation", "bidirectional", "dilation", "epsilon", "groups", "in_shape", "kernel_size", "layers"),
    *("num_features_in", "padding", "shape", "stride", "strides", "type", "use_bias", "weights", "name", "\u00e9"),
)
_TOKENS = (
    *("NaN", "-Infinity", "01", "+1", "1.", ".5", "1e", "0x1", "1e400", "-1e400", "1e-400", "1E+2", "-0", "-", "1_0"),
    *("1.17549421069244107548702944485e-38", "7.0064923216240853e-46", "7.0064923216240861e-46", "nul", "True"),
    *("3.4e38", "3.5e38", "16777217", "0.30000001192092896", "1.00000017881393432617187"),
)
_BYTES = (b"\x00", b"\x1f", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xef\xbb\xbf", b"\x0c", b"\xc2\xa0")
_PUNCTUATION = (b",", b":", b'"', b"[", b"]", b"{", b"}", b"\\", b" ", b"\n", b"/*x*/", b'\\u0061"')


LARGEST_BASE = 3000
"""Bytes of the largest file to start from: a small one shows the same mistakes sooner."""


def mutated_files(bases: Iterable[Path], random: Random, count: int) -> Iterator[bytes]:
    """The contents of so many files, each made from one of the valid ones that are small enough."""
    texts = [path.read_bytes() for path in bases if path.stat().st_size <= LARGEST_BASE]
    documents = [json.loads(text) for text in texts]
    for _ in range(count):
        yield mutated(random.choice(documents), random)


def mutated(document: dict[str, Any], random: Random) -> bytes:
    """The content of a file: the document of a valid model with one to three changes; document stays as it is."""
    tree = copy.deepcopy(document)
    on_tree = [random.choice(_TREE_CHANGES) for _ in range(random.choice((0, 1, 1, 1, 2, 2)))]
    for change in on_tree:
        change(tree, random)
    content = json.dumps(tree, ensure_ascii=random.random() < 0.9, separators=random.choice(((",", ":"), (", ", ": "))))
    content = content.encode()
    for _ in range(random.choice((0, 0, 1)) if on_tree else random.choice((1, 1, 2))):
        content = random.choice(_TEXT_CHANGES)(content, random)
    return content


def _containers(tree: Any) -> Iterator[Any]:
    """All arrays and objects that hold something."""
    pending = [tree]
    while pending:
        value = pending.pop()
        if isinstance(value, (dict, list)) and value:
            yield value
            pending += value.values() if isinstance(value, dict) else value


def _slot(tree: Any, random: Random) -> tuple[Any, Any]:
    """(container, key) of some value, the outer ones more often than the many numbers."""
    containers = list(_containers(tree))
    wide = [container for container in containers if any(isinstance(v, (dict, list, str)) for v in _values(container))]
    container = random.choice(wide if wide and random.random() < 0.7 else containers)
    return container, random.choice(list(container) if isinstance(container, dict) else range(len(container)))


def _values(container: Any) -> list[Any]:
    return list(container.values()) if isinstance(container, dict) else container


def _replace(tree: Any, random: Random) -> None:
    container, key = _slot(tree, random)
    container[key] = copy.deepcopy(random.choice(_VALUES))


def _nudge(tree: Any, random: Random) -> None:
    """A whole number, of which sizes are made, one more or one less or another; else a number scaled."""
    container, key = _slot(tree, random)
    value = container[key]
    if type(value) is int:
        container[key] = random.choice((value + 1, value - 1, 2 * value, 0, float(value), [value], -value))
    elif type(value) is float:
        container[key] = value * random.choice((-1, 2, 1e20, 1e40, 1e-45))


def _drop(tree: Any, random: Random) -> None:
    container, key = _slot(tree, random)
    del container[key]


def _repeat(tree: Any, random: Random) -> None:
    container, key = _slot(tree, random)
    if isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    else:
        container[random.choice(_KEYS)] = copy.deepcopy(container[key])


def _add_key(tree: Any, random: Random) -> None:
    objects = [container for container in _containers(tree) if isinstance(container, dict)]
    if objects:
        random.choice(objects)[random.choice(_KEYS)] = copy.deepcopy(random.choice(_VALUES))


def _exchange(tree: Any, random: Random) -> None:
    (one, a), (other, b) = _slot(tree, random), _slot(tree, random)
    first, second = copy.deepcopy(one[a]), copy.deepcopy(other[b])
    one[a] = second
    other[b] = first


def _rename(tree: Any, random: Random) -> None:
    """Another layer type or activation, or other letters of it."""
    objects = [c for c in _containers(tree) if isinstance(c, dict) and "type" in c]
    if objects:
        layer = random.choice(objects)
        key = random.choice(("type", "activation"))
        names = (*(LAYER_TYPES if key == "type" else ACTIVATIONS), str(layer[key]).upper() if key in layer else "gelu")
        layer[key] = random.choice(names)


def _restructure(tree: Any, random: Random) -> None:
    """An array transposed, flattened, wrapped, reversed, or in place of its first element."""
    slots = [(c, k) for c in _containers(tree) for k in (c if isinstance(c, dict) else range(len(c)))]
    slots = [(c, k) for c, k in slots if isinstance(c[k], list) and c[k]]
    if not slots:
        return
    container, key = random.choice(slots)
    array = container[key]
    rows = [row for row in array if isinstance(row, list)]
    container[key] = random.choice(
        (
            [list(column) for column in zip(*rows, strict=False)],
            [number for row in rows for number in row],
            [array],
            array[::-1],
            array[0],
            array + array,
            array[: len(array) // 2],
        )
    )


_TREE_CHANGES: tuple[Callable[[Any, Random], None], ...] = (
    *(_replace, _replace, _nudge, _nudge, _drop, _drop, _repeat, _add_key, _exchange, _rename, _restructure),
)


def _cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _flip(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    if changed:
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _insert(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content) + 1)
    return content[:place] + random.choice(_BYTES + _PUNCTUATION) + content[place:]


def _remove(content: bytes, random: Random) -> bytes:
    place = random.randrange(len(content) + 1)
    return content[:place] + content[place + random.choice((1, 1, 1, 2, 7)) :]


def _number(content: bytes, random: Random) -> bytes:
    """Some number of the text written as another token."""
    places = [i for i in range(1, len(content)) if content[i - 1] in b"[,:" and content[i] in b"-0123456789"]
    if not places:
        return content
    begin = random.choice(places)
    end = begin
    while end < len(content) and content[end] in b"+-.0123456789eE":
        end += 1
    return content[:begin] + random.choice(_TOKENS).encode() + content[end:]


def _again(content: bytes, random: Random) -> bytes:
    """A member or element of the text a second time, or something behind the end."""
    comma = content.find(b",", random.randrange(len(content) + 1))
    following = content.find(b",", comma + 1)
    if comma < 0 or following < 0 or random.random() < 0.2:
        return content + random.choice((content, *_BYTES, *_PUNCTUATION))
    return content[:following] + content[comma:following] + content[following:]


_TEXT_CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (_cut, _flip, _insert, _remove, _number, _number, _again)
