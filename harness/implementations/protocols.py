"""The four roles as Python sees them, and what an implementation declares about itself.

The Protocol classes are documentation that a type checker can read. Nobody has to import them: an object, or a mapping
from these names to functions, is an implementation when it has the members of its role and `declares`.
Arrays are NumPy float32, frames first: `[T, channels]`. Paths are given as text.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

ROLES = ("loader", "exporter", "trainer", "pipeline")
"""The names of the roles, as `Declaration.role` holds them."""


def with_article(role: str) -> str:
    """As in: an exporter."""
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


class Model(Protocol):
    """A loaded model, with state that carries from frame to frame and from call to call until `reset`."""

    input_size: int
    output_size: int

    def reset(self) -> None:
        """Set all state to what it was after loading."""

    def process(self, frames: np.ndarray) -> np.ndarray:
        """Map `[T, input_size]` to `[T, output_size]`, both float32; T may be 0, which changes nothing."""


class Loader(Protocol):
    """RTNeural JSON file → model."""

    declares: Mapping[str, Any]

    def load(self, path: str) -> Model:
        """Load a file. Any exception is a refusal; its attributes `phase` and `json_path` are reported if present."""


class Exporter(Protocol):
    """Torch module → RTNeural JSON file."""

    declares: Mapping[str, Any]

    def export(self, module: Any, path: str) -> None:
        """Write the module to `path`.

        A refusal is an exception whose class is named UnsupportedModule and whose message holds the qualified name of
        the module at fault.
        """


class Trainer(Protocol):
    """Config and data → weights and metrics."""

    declares: Mapping[str, Any]

    def train(self, config: Mapping[str, Any], out_dir: str) -> Mapping[str, Any]:
        """Train, write into `out_dir`, return the metrics.

        A config that makes no sense is refused by an exception whose class is named ConfigError. A parameter named
        `progress`, if there is one, is given a function that takes a mapping such as
        `{"model": …, "epoch": …, "loss": …}`.
        """


class LivePipeline(Protocol):
    """A folder of models that runs, and may be talked to by one audio thread.

    A pipeline that can hold only so many frames has an attribute `capacity`, and says False in submit beyond.
    """

    def submit(self, frame_id: int, audio: np.ndarray) -> bool | None:
        """Hand over one frame of 128 float32 features. Never waits for a result. False: no room, none will come."""

    def poll(self) -> Sequence[Mapping[str, Any]]:
        """The results since the last poll, the oldest first.

        Each is `{"id": int, "outputs": {name: array}, "fallback": {name: bool}, "version": {name: int}}`; the version
        is the number of good loads of a model's file since open, the one that gave these outputs included.
        """

    def reload(self, name: str | None = None) -> bool | None:
        """Read one model's file again, or all; may say False if one was refused, which changes nothing."""

    def status(self) -> Mapping[str, Mapping[str, Any]]:
        """Per model `{"state": "loaded" | "fallback" | "disabled", "reason": text, "version": int}`."""

    def close(self) -> None:
        """Stop, in any state, without hanging."""


class Pipeline(Protocol):
    """A folder of models → live results."""

    declares: Mapping[str, Any]

    def open(self, models_dir: str) -> LivePipeline:
        """Start on the models in a folder."""


@dataclass(frozen=True)
class Declaration:
    """What an implementation says about itself: its identity, and the capabilities that it will be judged by.

    An empty `layer_types` is allowed, and never earns anything: see `declares_nothing`.
    """

    name: str
    version: str
    role: str
    numeric_class: str = "f32"
    layer_types: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    build: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, declared: Any, *, role: str | None = None) -> Declaration:
        """Read a declaration; `role` is taken where the declaration names none.

        Raises ValueError with the key, what was expected and what was found.
        """
        if not isinstance(declared, Mapping):
            raise ValueError(f"a declaration is a mapping with at least name and version, not {_short(declared)}")
        known = tuple(cls.__dataclass_fields__)
        for key in declared:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1)
                raise ValueError(
                    f"unknown key {key!r}; " + (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}")
                )
        values = {"role": role} | dict(declared)
        for key in ("name", "version", "role", "numeric_class"):
            value = values.get(key, "f32" if key == "numeric_class" else None)
            if not (isinstance(value, str) and value.strip()):
                raise ValueError(f"{key} must be a text that is not empty, not {_short(value)}")
        if values["role"] not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, not {values['role']!r}")
        for key in ("layer_types", "features"):
            value = values.get(key, ())
            if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
                raise ValueError(f"{key} must be a list of texts, not {_short(value)}")
            values[key] = tuple(value)
        build = values.get("build") or {}
        if not isinstance(build, Mapping) or not all(isinstance(v, str) for pair in build.items() for v in pair):
            raise ValueError(f"build must map texts to texts, not {_short(build)}")
        return cls(**(values | {"build": dict(build)}))

    @property
    def declares_nothing(self) -> bool:
        """True for a loader or exporter that names no layer type, so that everything about layers would be skipped."""
        return self.role in ("loader", "exporter") and not self.layer_types

    @property
    def identity(self) -> str:
        """One line that tells two implementations, or two builds of one, apart; never how it was connected."""
        build = [self.build[key] for key in ("compiler", "flags") if self.build.get(key)]
        build += [f"source {self.build['source_hash'][:12]}"] if self.build.get("source_hash") else []
        nothing = ["declares no layer types"] if self.declares_nothing else []
        return f"{self.name} {self.version} ({'; '.join([self.role, self.numeric_class, *build, *nothing])})"

    def to_dict(self) -> dict[str, Any]:
        """The declaration as JSON values; `from_dict` reads it back."""
        record = {
            "name": self.name,
            "version": self.version,
            "role": self.role,
            "numeric_class": self.numeric_class,
            "layer_types": list(self.layer_types),
            "features": list(self.features),
        }
        return record | ({"build": dict(self.build)} if self.build else {})


def chained(declarations: Sequence[Declaration]) -> Declaration:
    """What implementations that work one after the other are together: another whenever one of them is."""
    if len(declarations) == 1:
        return declarations[0]
    builds = [declared.build for declared in declarations]
    keys = dict.fromkeys(key for build in builds for key in build)
    return Declaration(
        name="+".join(declared.name for declared in declarations),
        version="+".join(declared.version for declared in declarations),
        role="chain",
        numeric_class=declarations[-1].numeric_class,
        build={key: "+".join(build[key] for build in builds if key in build) for key in keys},
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
