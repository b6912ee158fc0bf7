"""Connection strings: from a text that names an implementation to the implementation.

| text | reached how |
|---|---|
| `py:package.module:factory` | in process; the factory is called without arguments, or is the object itself |
| `abi:path/lib.so`, `abi:path/lib.so#name` | a shared library by the C ABI of loader.h or pipeline.h, in a process |
| `cmd:program --args` | a program that speaks protocol 1 on standard input and output |
| `name` | an entry point of the group `rtconform.implementations`: a callable that returns an object or such a text |

The text says how to get there, and never becomes part of an identity.
"""

from __future__ import annotations

import difflib
import importlib
import operator
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, overload

from .errors import BadConnection, NotAvailable
from .host import CommandLoader, host_command
from .protocols import ROLES, with_article
from .python import METHODS, adopt
from .remote import RemoteExporter, RemoteTrainer
from .remote_pipeline import RemotePipeline
from .roles import (
    ExporterImplementation,
    Implementation,
    LoaderImplementation,
    PipelineImplementation,
    TrainerImplementation,
)
from .user_code import as_values, is_named, member

GROUP = "rtconform.implementations"
PREFIXES = ("py:", "abi:", "cmd:")
TIMEOUT = 30.0
"""Seconds of wall time for a reply, where the caller doesn't say."""

FORMS = "py:package.module:factory, abi:path/lib.so, cmd:program --args, or a registered name"
COMMANDS: Mapping[str, Callable[..., Implementation]] = {
    "loader": CommandLoader,
    "exporter": RemoteExporter,
    "trainer": RemoteTrainer,
    "pipeline": RemotePipeline,
}
LIBRARIES = ("loader", "pipeline")
"""The roles that a shared library can have."""


@overload
def connect(text: str, role: Literal["loader"], *, timeout: float = ...) -> LoaderImplementation: ...
@overload
def connect(text: str, role: Literal["exporter"], *, timeout: float = ...) -> ExporterImplementation: ...
@overload
def connect(text: str, role: Literal["trainer"], *, timeout: float = ...) -> TrainerImplementation: ...
@overload
def connect(text: str, role: Literal["pipeline"], *, timeout: float = ...) -> PipelineImplementation: ...
@overload
def connect(text: str, role: str, *, timeout: float = ...) -> Implementation: ...
def connect(text: str, role: str, *, timeout: float = TIMEOUT) -> Implementation:
    """Connect an implementation of a role ("loader", "exporter", "trainer" or "pipeline").

    `timeout` is the wall time in seconds for each reply of a child process; its start, a training, an export and a
    measurement are given more.
    Raises BadConnection, NotAvailable, and whatever goes wrong in the first conversation.
    """
    if role not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}, not {role!r}")
    if text.startswith(PREFIXES):
        return _reach(text, role, text, timeout)
    points = {point.name: point for point in entry_points(group=GROUP)}
    if text not in points:
        raise _unknown(text, sorted(points))
    found = _called(_imported(points[text].module, points[text].attr, text), role, text)
    if not isinstance(found, str):
        return adopt(found, role, text)
    if not found.startswith(PREFIXES):
        expected = f"an object, or a text that starts with {', '.join(PREFIXES)}"
        raise BadConnection(who=text, expected=expected, found=f"{found!r}, from the entry point {text}")
    return _reach(found, role, text, timeout)


def _reach(text: str, role: str, connection: str, timeout: float) -> Implementation:
    kind, _, rest = text.partition(":")
    if kind == "abi":
        return _abi(rest, role, connection, timeout)
    if kind == "cmd":
        return _cmd(rest, role, connection, timeout)
    return adopt(_python_object(text, role), role, connection)


def _unknown(text: str, names: list[str]) -> BadConnection:
    near = difflib.get_close_matches(text, names, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"registered here: {', '.join(names) or 'none'}"
    if Path(text).suffix in (".so", ".dylib", ".dll"):
        hint = f"did you mean abi:{text}?"
    elif text.count(":") == 1 and text.replace(":", "").replace(".", "").isidentifier():
        hint = f"did you mean py:{text}?"
    elif " " in text or shutil.which(text):
        hint = f"did you mean cmd:{text}?"
    return BadConnection(who=text, expected=FORMS, found="no such name", hint=hint)


def _called(found: Any, role: str, who: str) -> Any:
    """The implementation that a factory makes, or that is there already."""
    ready = not isinstance(found, type) and callable(member(found, METHODS[role]))
    if ready or not callable(found):
        return found
    try:
        with as_values(who, "connect"):
            return found()
    except Exception as error:
        cause = error.__cause__
        if cause is not None and is_named(cause, "NotAvailable"):
            raise NotAvailable(who=who, reason=getattr(cause, "reason", str(cause))) from cause
        raise


def _python_object(text: str, role: str) -> Any:
    module, colon, name = text.removeprefix("py:").partition(":")
    if not (module and colon and name):
        raise BadConnection(
            who=text,
            expected="py:package.module:factory",
            found="no module" if not module else "no factory behind a second colon",
            hint="name the callable that makes the implementation",
        )
    return _called(_imported(module, name, text), role, text)


def _imported(module: str, name: str, who: str) -> Any:
    # A console script's sys.path lacks the folder that the user stands in. It goes last, to shadow nothing.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    importlib.invalidate_caches()
    try:
        with as_values(who, "import"):
            found = importlib.import_module(module)
    except Exception as error:
        missing = error.__cause__
        if not isinstance(missing, ModuleNotFoundError):
            raise
        if missing.name and f"{module}.".startswith(f"{missing.name}."):
            raise BadConnection(
                who=who,
                expected=f"a module {module} that can be imported",
                found=f"no module named {missing.name}",
                hint="run from the folder that holds it, set PYTHONPATH, or install it",
            ) from None
        raise NotAvailable(
            who=who, reason=f"{module} needs the module {missing.name}, which is not installed"
        ) from None
    try:
        return operator.attrgetter(name)(found)
    except AttributeError:
        near = difflib.get_close_matches(name, dir(found), 1)
        hint = f"did you mean {near[0]}?" if near else ""
        raise BadConnection(
            who=who, expected=f"{name} in the module {module}", found="no such name", hint=hint
        ) from None


def _abi(rest: str, role: str, connection: str, timeout: float) -> Implementation:
    if role not in LIBRARIES:
        raise BadConnection(
            who=connection,
            expected=with_article(role),
            found="abi:, which is for loaders and pipelines",
            hint=f"connect {with_article(role)} by py: or cmd:",
        )
    path, hash_sign, name = rest.rpartition("#")
    if not hash_sign or Path(rest).is_file():
        path, name = rest, ""
    library = Path(path).expanduser().absolute()
    if not library.is_file():
        found = "a folder" if library.is_dir() else "no file"
        raise BadConnection(
            who=connection,
            expected="a shared library",
            found=f"{found} at {library}",
            hint="build it, or check the path",
        )
    return COMMANDS[role](host_command(library, role, name), connection, timeout=timeout)


def _cmd(rest: str, role: str, connection: str, timeout: float) -> Implementation:
    try:
        command = shlex.split(rest)
    except ValueError as error:
        raise BadConnection(
            who=connection, expected="a command line", found=str(error), hint="check the quotes"
        ) from None
    if not command:
        raise BadConnection(who=connection, expected="a program after cmd:", found="nothing")
    if shutil.which(command[0]) is None:
        hint = "check the path, that it is executable, and PATH"
        raise BadConnection(who=connection, expected="a program", found=f"none called {command[0]}", hint=hint)
    return COMMANDS[role](command, connection, timeout=timeout)
