"""Stamps: one small file per finished piece of work, holding a hash of all that it was made from."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


class Stamps:
    """The stamps of one environment folder, in one JSON file there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def holds(self, name: str, digest: str) -> bool:
        """Whether the work `name` was last finished from just this digest."""
        return self._read().get(name) == digest

    def write(self, name: str, digest: str) -> None:
        """Says that the work `name` is finished; called only after it is."""
        self._replace({**self._read(), name: digest})

    def drop(self, *names: str) -> None:
        """Forgets the work `names`: called before it is begun, so that an interrupted one is done again."""
        self._replace({name: digest for name, digest in self._read().items() if name not in names})

    def _read(self) -> dict:
        try:
            return json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}

    def _replace(self, stamps: dict) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(stamps, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        fresh.replace(self._path)


def digest_of(root: Path, patterns: Iterable[str], *also: str) -> str:
    """SHA-256 over names and contents of the files below `root` that match `patterns`, and over the texts `also`."""
    total = hashlib.sha256()
    for text in also:
        total.update(f"{len(text)}:{text}".encode())
    files = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    for path in sorted(files):
        content = path.read_bytes()
        total.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return total.hexdigest()
