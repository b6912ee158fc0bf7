"""A torch module by name, so that it can travel to another process: an importable factory and stored weights."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class UnusableModule(ValueError):
    """A factory that makes no torch module, or weights that aren't its module's."""


@dataclass(frozen=True)
class ModuleRef:
    """How to make a module: `factory` is "package.module:callable", called with `kwargs`, which must be JSON values.

    `state_dict` is a safetensors file, or None for the weights that the factory gives; `sys_path` lists the folders
    that the factory's imports need.
    """

    factory: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    state_dict: str | Path | None = None
    sys_path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        module, colon, name = self.factory.partition(":")
        if not (module and colon and name):
            raise ValueError(f"factory must read package.module:callable, not {self.factory!r}")
        object.__setattr__(self, "sys_path", tuple(str(folder) for folder in self.sys_path))

    def build(self) -> Any:
        """Import the factory, call it, load the weights strictly, and return the module in eval mode. Needs torch.

        Raises UnusableModule, whatever goes wrong in the user's code.
        """
        module_name, _, name = self.factory.partition(":")
        try:
            with importable(self.sys_path):
                module = getattr(importlib.import_module(module_name), name)(**self.kwargs)
        except Exception as error:
            raise UnusableModule(f"{self.factory} made no module: {type(error).__name__}: {error}") from error
        if not callable(getattr(module, "state_dict", None)):
            found = type(module).__name__
            raise UnusableModule(f"{self.factory}: expected a factory of torch.nn.Module, which made {found}")
        if self.state_dict is not None:
            from safetensors.torch import load_file

            try:
                module.load_state_dict(load_file(str(self.state_dict)), strict=True)
            except Exception as error:
                what = f"{self.state_dict}: expected a safetensors file with the state of {self.factory}'s module"
                raise UnusableModule(f"{what}, found: {error}") from error
        return module.eval()

    def to_request(self) -> dict[str, Any]:
        """The fields of an export request, with absolute paths."""
        fields: dict[str, Any] = {
            "factory": self.factory,
            "kwargs": dict(self.kwargs),
            "sys_path": [str(Path(folder).resolve()) for folder in self.sys_path],
        }
        return fields if self.state_dict is None else fields | {"state_dict": str(Path(self.state_dict).resolve())}


@contextmanager
def stored_weights(module: Any) -> Iterator[Path]:
    """A safetensors file of a torch module's state, for as long as the block runs."""
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.safetensors"
        save_file({name: value.detach().clone().contiguous() for name, value in module.state_dict().items()}, path)
        yield path


@contextmanager
def importable(folders: tuple[str, ...]) -> Iterator[None]:
    """Put folders at the front of sys.path for as long as the block runs."""
    before = list(sys.path)
    sys.path[:0] = folders
    try:
        yield
    finally:
        sys.path[:] = before
