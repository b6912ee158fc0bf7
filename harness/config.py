"""The user's settings: `[tool.rtconform]` in pyproject.toml, or rtconform.toml. The command line wins over both."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from . import catalogue, toml

PROFILES = ("smoke", "ci", "nightly")


class InvalidConfig(ValueError):
    """A setting that can't be used: says which file, which key, what was expected and what was found."""


@dataclass(frozen=True)
class Config:
    """Everything that a run can be told.

    Implementations are connection strings; `classes` are the conformance classes that gate (empty: all); `timeout_s`
    is the time for one answer of an implementation, `deadline_ms` for one step of all models, `memory_limit_bytes` the
    live memory for all models together. `shard` i/n is the i-th part of n of a run that several machines share.
    """

    loaders: tuple[str, ...] = ()
    exporters: tuple[str, ...] = ()
    trainers: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    models: str | None = None
    known_failures: str | None = None
    timeout_s: float = 20.0
    deadline_ms: float = 10.0
    memory_limit_bytes: int = 4 * 1024 * 1024
    profile: str = "ci"
    seed: int = 20_250_401
    shard: str = "1/1"
    path: Path | None = None

    @property
    def folder(self) -> Path:
        """What relative paths in the settings are relative to."""
        return self.path.parent if self.path else Path.cwd()

    @property
    def models_path(self) -> Path | None:
        return None if self.models is None else (self.folder / self.models).resolve()

    @property
    def known_failures_path(self) -> Path | None:
        return None if self.known_failures is None else (self.folder / self.known_failures).resolve()

    @property
    def shard_index(self) -> int:
        """Which of the parts this is, from 0."""
        return int(self.shard.partition("/")[0]) - 1

    @property
    def shards(self) -> int:
        return int(self.shard.partition("/")[2])

    def share_of(self, count: int) -> int:
        """How many of so many examples are this part's."""
        return -(-count // self.shards)

    def implementations(self) -> Mapping[str, tuple[str, ...]]:
        """{role: connection strings}, roles without one included."""
        return {
            "loader": self.loaders,
            "exporter": self.exporters,
            "trainer": self.trainers,
            "pipeline": self.pipelines,
        }

    def overridden(self, **values: Any) -> Config:
        """A copy with the values that are not None and not empty; the command line's way in."""
        chosen = {key: value for key, value in values.items() if value is not None and value != ()}
        return checked(replace(self, **chosen), "the command line")


KEYS = tuple(field.name for field in fields(Config) if field.name != "path")
LISTS = ("loaders", "exporters", "trainers", "pipelines", "classes")


def load(path: Path | None = None, start: Path | None = None) -> Config:
    """The settings in `path`, or in the nearest file at or above `start`; the defaults when there is none.

    Raises InvalidConfig.
    """
    if path is None:
        path = find(start or Path.cwd())
        if path is None:
            return Config()
    elif not path.is_file():
        raise InvalidConfig(f"Expected a settings file at {path}, found none. Name an existing rtconform.toml.")
    return parse(_table(path) or {}, path.resolve())


def find(start: Path) -> Path | None:
    """The nearest rtconform.toml, or pyproject.toml with a [tool.rtconform] table, at or above `start`."""
    for folder in (start.resolve(), *start.resolve().parents):
        for name in ("rtconform.toml", "pyproject.toml"):
            candidate = folder / name
            if candidate.is_file() and _table(candidate) is not None:
                return candidate
    return None


def parse(table: Mapping[str, Any], path: Path) -> Config:
    """Turns a settings table into a Config; unknown keys are errors that name the nearest valid one."""
    for key in table:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"valid keys are {', '.join(KEYS)}."
            raise InvalidConfig(f"{path}: unknown key {key!r}; {hint}")
    values = dict(table)
    for key in LISTS:
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise InvalidConfig(f"{path}: {key}: expected a list of strings, found {value!r}")
        values[key] = tuple(value)
    return checked(Config(**values, path=path), str(path))


def checked(config: Config, where: str) -> Config:
    """The config itself when each value can be used; raises InvalidConfig otherwise."""
    for key in ("models", "known_failures"):
        value = getattr(config, key)
        if value is not None and not isinstance(value, str):
            raise InvalidConfig(f"{where}: {key}: expected a path as a string, found {value!r}")
    for key in ("timeout_s", "deadline_ms", "memory_limit_bytes"):
        value = getattr(config, key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise InvalidConfig(f"{where}: {key}: expected a number above zero, found {value!r}")
    if isinstance(config.seed, bool) or not isinstance(config.seed, int) or config.seed < 0:
        raise InvalidConfig(f"{where}: seed: expected a whole number from zero on, found {config.seed!r}")
    if not isinstance(config.shard, str) or not re.fullmatch(r"[1-9]\d{0,3}/[1-9]\d{0,3}", config.shard):
        raise InvalidConfig(f"{where}: shard: expected i/n, such as 2/4, found {config.shard!r}")
    if config.shard_index >= config.shards:
        raise InvalidConfig(f"{where}: shard: expected one from 1/{config.shards} on, found {config.shard!r}")
    if config.profile not in PROFILES:
        raise InvalidConfig(f"{where}: profile: expected one of {', '.join(PROFILES)}, found {config.profile!r}")
    checked_classes(config.classes, f"{where}: classes")
    return config


def checked_classes(names: Iterable[str], where: str) -> tuple[str, ...]:
    """The names themselves when each is a conformance class; raises InvalidConfig with the nearest one otherwise."""
    known = catalogue.classes(catalogue.load())
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"the classes are {', '.join(known)}."
            raise InvalidConfig(f"{where}: unknown class {name!r}; {hint}")
    return tuple(names)


def _table(path: Path) -> Mapping[str, Any] | None:
    try:
        document = toml.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, toml.TOMLDecodeError) as error:
        raise InvalidConfig(f"{path}: expected TOML, found: {error}") from None
    if path.name == "pyproject.toml":
        return document.get("tool", {}).get("rtconform")
    return document
