"""The automatic mutants of the good implementations, each an implementation that can be plugged in.

`py:rtconform.harness.faulty.mutants:numpy_layers_1f0c2b7a` is one of them, `…:numpy_runtime` the unchanged copy. The
sources are found through the entry point: its module, and what that imports from its own package. They are never
imported here; a mutant is loaded as a package of its own, in which relative imports lead to its own copies.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from .. import toml
from ..implementations.connection import GROUP
from .mutation import Mutant, mutants

LIST = Path(__file__).with_name("mutants.toml")
MODULE = f"py:{__name__}"
"""What stands in front of the name of a mutant in its connection string."""


@dataclass(frozen=True)
class Target:
    """An implementation that is mutated, and the part of the suite that tries its mutants.

    `without` are patterns of items that take long and see nothing that others don't. Of the mutants a `share` is tried,
    always the same ones whatever else there is.
    """

    implementation: str
    role: str
    classes: tuple[str, ...]
    without: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    share: float = 1.0

    @property
    def attribute(self) -> str:
        return self.implementation.replace("-", "_")

    @cached_property
    def entry(self) -> tuple[str, str]:
        """(module, factory) of the registered name."""
        point = next(point for point in entry_points(group=GROUP) if point.name == self.implementation)
        return point.module, point.attr

    @cached_property
    def files(self) -> Mapping[str, Path]:
        """{name in the mutants' titles: file} of the entry point's module and what it imports from its package."""
        spec = _spec(self.entry[0])
        package = spec.name if spec.submodule_search_locations else spec.name.rpartition(".")[0]
        folder = Path(spec.origin).parent
        found, open_ = {}, [Path(spec.origin)]
        while open_:
            path = open_.pop()
            if path in found.values():
                continue
            inner = path.relative_to(folder).as_posix()
            found[f"{package.rpartition('.')[2]}/{inner}" if spec.submodule_search_locations else inner] = path
            open_ += [folder / f"{name}.py" for name in _siblings(path) if (folder / f"{name}.py").is_file()]
        return dict(sorted(found.items()))

    @cached_property
    def mutants(self) -> Mapping[str, Mutant]:
        """The share of all mutants, by their slug."""
        return {
            mutant.slug: mutant
            for name, path in self.files.items()
            for mutant in mutants(
                name, path.read_text(encoding="utf-8"), messages=self.messages, left_out=self.left_out
            )
            if int(mutant.slug.rpartition("-")[2], 16) < self.share * 2**32
        }

    def load(self, mutant: Mutant | None = None) -> Any:
        """The implementation with a change, or an unchanged copy of it: what its factory gives."""
        module, factory = self.entry
        root, _, rest = module.partition(".")
        alias = f"{root}_{(mutant.slug if mutant else self.implementation).replace('-', '_')}"
        changed = {str(self.files[mutant.file]): mutant.source} if mutant else {}
        if not any(isinstance(finder, _Copies) and finder.alias == alias for finder in sys.meta_path):
            sys.meta_path.insert(0, _Copies(alias, root, changed))
        return getattr(importlib.import_module(f"{alias}.{rest}"), factory)()


def _siblings(path: Path) -> list[str]:
    """The modules of its own package that a file imports when it is imported."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    imports = [node for node in body if isinstance(node, ast.ImportFrom) and node.level == 1]
    return [name for node in imports for name in ([node.module] if node.module else [a.name for a in node.names])]


def _spec(name: str) -> ModuleSpec:
    """Where a module lies; neither it nor what it lies in is imported, but for the outermost package."""
    root, *rest = name.split(".")
    spec = importlib.util.find_spec(root)
    for part in rest:
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return spec


class _Copies(MetaPathFinder):
    """Finds the modules of a package under another name, with some texts changed."""

    def __init__(self, alias: str, root: str, changed: Mapping[str, str]) -> None:
        self.alias, self._root, self._changed = alias, root, changed

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] != self.alias:
            return None
        spec = _spec(self._root) if fullname == self.alias else PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None:
            return None
        return importlib.util.spec_from_file_location(
            fullname,
            spec.origin,
            loader=_Changed(fullname, spec.origin, self._changed),
            submodule_search_locations=spec.submodule_search_locations,
        )


@cache
def _unchanged_code(path: str) -> Any:
    return compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)


class _Changed(SourceFileLoader):
    def __init__(self, name: str, path: str, changed: Mapping[str, str]) -> None:
        super().__init__(name, path)
        self._changed = changed

    def get_code(self, fullname: str) -> Any:
        if self.path in self._changed:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                return compile(self._changed[self.path], self.path, "exec", dont_inherit=True)
        return _unchanged_code(self.path)


@cache
def targets(path: Path = LIST) -> tuple[Target, ...]:
    """The implementations that are mutated, in the order of the file."""
    records = toml.loads(path.read_text(encoding="utf-8"))["target"]
    return tuple(
        Target(**{key: tuple(value) if isinstance(value, list) else value for key, value in record.items()})
        for record in records
    )


def __getattr__(attribute: str) -> Callable[[], Any]:
    for target in targets():
        if attribute == target.attribute:
            return target.load
        mutant = target.mutants.get(attribute.replace("_", "-")) if not attribute.startswith("_") else None
        if mutant is not None:
            return lambda: target.load(mutant)
    raise AttributeError(f"no mutant {attribute!r} here; `rtconform selftest --mutants all` lists them")
