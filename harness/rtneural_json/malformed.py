"""The malformed corpus: fixtures/malformed/cases.json made into files that every loader must refuse.

A case is a base file and a list of changes, or a text. Changes: `set`, `insert`, `remove`, `copy` with JSON pointers
(`-` is the end of an array), `set_text` (a token that JSON lacks, such as NaN), `transpose`, `flatten`, `wrap` and
`repeat` an array, and on the text `cut` (at a fraction, before or behind the last occurrence of something), `append`,
`append_base`, and `repeat_key`: a member in front of the one that has this key.
"""

import dataclasses
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import paths

SMOKE = 13
"""The most files of one requirement in the smoke profile."""

_PLACEHOLDER = "rtconform-token"


@dataclass(frozen=True)
class Case:
    """One malformed file. phases: where a loader's refusal may come from (read, parse, validate).

    base is the file under fixtures/models that was changed, "" for a text; layer_types are those of the base.
    beyond_smoke says whether the smoke profile leaves it out.
    """

    id: str
    requirement: str
    description: str
    phases: frozenset[str]
    base: str
    text: str
    changes: tuple[dict, ...]
    layer_types: tuple[str, ...]
    beyond_smoke: bool = False

    def content(self) -> bytes:
        """The bytes of the file."""
        if not self.base:
            return self.text.encode("utf-8")
        text = (paths.FIXTURES / "models" / self.base).read_text(encoding="utf-8")
        return _changed(text, self.changes).encode("utf-8")

    def write(self, folder: Path) -> Path:
        """Write the file into a folder; returns its path."""
        path = Path(folder) / f"{self.id}.json"
        path.write_bytes(self.content())
        return path


@functools.cache
def all_cases() -> tuple[Case, ...]:
    """The whole corpus, in the order of the file."""
    records = json.loads((paths.FIXTURES / "malformed" / "cases.json").read_text(encoding="utf-8"))["cases"]
    return tuple(_case(record) for record in records)


def cases(requirement: str) -> list[Case]:
    """The cases of one requirement, every n-th of them for the smoke profile. Raises ValueError if there are none."""
    found = [case for case in all_cases() if case.requirement == requirement]
    if not found:
        raise ValueError(f"no malformed files for {requirement!r}: see fixtures/malformed/cases.json")
    step = -(-len(found) // SMOKE)
    return [dataclasses.replace(case, beyond_smoke=place % step != 0) for place, case in enumerate(found)]


def _case(record: dict) -> Case:
    base = record.get("base", "")
    layers = json.loads((paths.FIXTURES / "models" / base).read_text(encoding="utf-8"))["layers"] if base else []
    types = tuple(dict.fromkeys(layer["type"] for layer in layers))
    phases = frozenset(record["phase"])
    changes = tuple(record.get("change", ()))
    return Case(
        record["id"], record["requirement"], record["says"], phases, base, record.get("text", ""), changes, types
    )


def _changed(text: str, changes: tuple[dict, ...]) -> str:
    """The text with all changes made, those on the JSON tree before those on the text."""
    on_tree = [change for change in changes if change["op"] in _ON_TREE]
    result = text
    if on_tree:
        # Python prints a parsed decimal of up to 15 digits as it was, so no weight but the changed ones moves.
        tree = json.loads(text)
        for change in on_tree:
            _ON_TREE[change["op"]](tree, change)
        result = json.dumps(tree)
        for change in on_tree:
            if change["op"] == "set_text":
                result = result.replace(f'"{_PLACEHOLDER}"', change["text"], 1)
    for change in changes:
        if change["op"] not in _ON_TREE:
            result = _ON_TEXT[change["op"]](result, change, text)
    return result


def _place(tree: object, pointer: str) -> tuple[object, int | str]:
    """The container and the key that a JSON pointer (RFC 6901) names; the key need not exist yet."""
    *parents, last = pointer.lstrip("/").split("/")
    for part in parents:
        tree = tree[int(part)] if isinstance(tree, list) else tree[part]
    if isinstance(tree, list):
        return tree, len(tree) if last == "-" else int(last)
    return tree, last


def _set(tree: object, change: dict) -> None:
    container, key = _place(tree, change["at"])
    container[key] = change["value"]


def _set_text(tree: object, change: dict) -> None:
    container, key = _place(tree, change["at"])
    container[key] = _PLACEHOLDER


def _insert(tree: object, change: dict) -> None:
    container, key = _place(tree, change["at"])
    container.insert(key, change["value"])


def _remove(tree: object, change: dict) -> None:
    container, key = _place(tree, change["at"])
    del container[key]


def _copy(tree: object, change: dict) -> None:
    container, key = _place(tree, change["from"])
    _insert(tree, {"at": change["at"], "value": container[key]})


def _transpose(tree: object, change: dict) -> None:
    container, key = _place(tree, change["at"])
    container[key] = [list(column) for column in zip(*container[key], strict=True)]


def _repeat(tree: object, change: dict) -> None:
    container, key = _place(tree, change["at"])
    container[key] = container[key] * 2


def _flatten(tree: object, change: dict) -> None:
    container, key = _place(tree, change["at"])
    container[key] = [number for row in container[key] for number in row]


def _wrap(tree: object, change: dict) -> None:
    container, key = _place(tree, change["at"])
    container[key] = [container[key]]


def _repeat_key(text: str, change: dict, base: str) -> str:
    member = f'"{change.get("as", change["key"])}": {change["text"]}'
    place = text.index(f'"{change["key"]}"')
    return f"{text[:place]}{member}, {text[place:]}"


def _cut(text: str, change: dict, base: str) -> str:
    if "before_last" in change:
        return text[: text.rindex(change["before_last"])]
    if "after_last" in change:
        return text[: text.rindex(change["after_last"]) + len(change["after_last"])]
    return text[: int(len(text) * change["at"])]


_ON_TREE: dict[str, Callable[[object, dict], None]] = {
    "set": _set,
    "set_text": _set_text,
    "insert": _insert,
    "remove": _remove,
    "copy": _copy,
    "transpose": _transpose,
    "flatten": _flatten,
    "wrap": _wrap,
    "repeat": _repeat,
}
_ON_TEXT: dict[str, Callable[[str, dict, str], str]] = {
    "cut": _cut,
    "append": lambda text, change, base: text + change["text"],
    "repeat_key": _repeat_key,
    "append_base": lambda text, change, base: text + base,
}
