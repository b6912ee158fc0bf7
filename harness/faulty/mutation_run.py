"""A pytest plugin that puts mutants through the suite: each until a MUST fails, each in a process of its own.

First the unchanged copy goes through every item, which warms the oracle's cache and shows which lines each item
reaches. An item that never reaches the changed statement can't tell a mutant from the original, so that a mutant meets
only the others, the quick ones first. Its process is a fork of this one: nothing is imported or collected again, and
whatever it does to itself (a changed global, a crash, a hang, all memory) ends with it.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from ..run_state import STATE
from ..verdicts import Verdict
from .mutants import MODULE, Target, targets
from .mutation import Mutant

ITEM_SECONDS = 20.0
"""Wall time for one item, or twenty times what it takes with the original if that is more."""

MEMORY_BYTES = 2**31
"""What a mutant may take beyond what there is already, on Linux."""

Place = tuple[str, int, bool]
"""A file, a line, and whether it was reached inside a lambda."""


@dataclass
class Item:
    """One item of the suite, how long it took with the original, and the lines that it reached."""

    item: pytest.Item
    seconds: float = 0.0
    lines: set[Place] = field(default_factory=set)

    def run(self) -> dict[str, Any]:
        """Its result record."""
        self.item._initrequest()  # noqa: SLF001 - as it is done where tests are run again
        reports = runtestprotocol(self.item, log=False, nextitem=None)
        results = [fields for report in reports for name, fields in report.user_properties if name == "rtc-result"]
        self.item.user_properties.clear()
        return results[-1]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rtconform")
    group.addoption("--rtc-mutants-of", help="the implementation whose mutants are tried")
    group.addoption("--rtc-mutants", help="a JSON file: the slugs of the mutants")
    group.addoption("--rtc-mutants-out", help="the JSON lines that are written, an outcome in each")
    group.addoption("--rtc-mutants-jobs", type=int, default=1, help="processes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    target = _target(config)
    items[:] = [item for item in items if not any(fnmatchcase(item.name, pattern) for pattern in target.without)]


def _target(config: pytest.Config) -> Target:
    name = config.getoption("--rtc-mutants-of")
    return next(target for target in targets() if target.implementation == name)


def pytest_runtestloop(session: pytest.Session) -> bool:
    config = session.config
    target = _target(config)
    slugs = json.loads(Path(config.getoption("--rtc-mutants")).read_text(encoding="utf-8"))
    chosen = [target.mutants[slug] for slug in slugs]
    items, on_import = _original(session, target)
    out, jobs = Path(config.getoption("--rtc-mutants-out")), config.getoption("--rtc-mutants-jobs")
    out.write_text("", encoding="utf-8")
    gc.freeze()  # so that a collection in a fork doesn't copy what it only looks at
    children = []
    for job in range(jobs):
        with _forked() as pid:
            if pid == 0:
                with out.open("a", encoding="utf-8") as stream:
                    for mutant in chosen[job::jobs]:
                        mine = _reaching(mutant, target, items, on_import)
                        stream.write(json.dumps(_tried(mutant, mine, config.stash[STATE], target)) + "\n")
                        stream.flush()
        children.append(pid)
    if any(os.waitpid(pid, 0)[1] for pid in children):
        raise RuntimeError("a process that tried mutants has ended early")
    return True


def _original(session: pytest.Session, target: Target) -> tuple[list[Item], set[Place]]:
    """The items, tried on the unchanged copy, and the lines that connecting it reaches."""
    files = {str(path) for path in target.files.values()}
    state = session.config.stash[STATE]
    with _reached(files) as on_import:
        state.reconnect(target.role, target.implementation, f"{MODULE}:{target.attribute}")
        state.connected(target.role, target.implementation)
    items = []
    for item in session.items:
        tried = Item(item)
        begin = time.perf_counter()
        with _reached(files) as tried.lines:
            result = tried.run()
        tried.seconds = time.perf_counter() - begin
        if result["verdict"] not in (Verdict.PASS.value, Verdict.SKIP.value):
            raise pytest.UsageError(f"{result['item']} is {result['verdict']} with the original: {result['found']}")
        if result["verdict"] == Verdict.PASS.value and result["level"] == "MUST":
            items.append(tried)
    return sorted(items, key=lambda tried: tried.seconds), on_import


@contextmanager
def _reached(files: set[str]) -> Iterator[set[Place]]:
    """The (file, line) of these files that are executed while the block runs."""
    lines: set[Place] = set()

    def local(frame: Any, event: str, _: Any) -> Any:
        code = frame.f_code
        lines.add((code.co_filename, frame.f_lineno, code.co_name == "<lambda>"))
        return local

    sys.settrace(lambda frame, event, _: local(frame, event, _) if frame.f_code.co_filename in files else None)
    try:
        yield lines
    finally:
        sys.settrace(None)


def _reaching(mutant: Mutant, target: Target, items: Iterable[Item], on_import: set[Place]) -> list[Item]:
    path = str(target.files[mutant.file])
    lines = range(mutant.first_line, mutant.last_line + 1)
    places = {(path, line, where) for line in lines for where in {True, mutant.in_lambda}}
    return [item for item in items if places & on_import or places & item.lines]


def _tried(mutant: Mutant, items: list[Item], state: Any, target: Target) -> dict[str, Any]:
    """The outcome of one mutant: what killed it, or that nothing did."""
    begin = time.monotonic()
    reading, writing = os.pipe()
    with _forked() as pid:
        if pid == 0:
            os.close(reading)
            with os.fdopen(writing, "w") as stream:
                _in_child(mutant, items, state, target, stream)
    os.close(writing)
    seconds = {item.item.name: max(ITEM_SECONDS, 20 * item.seconds) for item in items}
    said: dict[str, Any] = {"item": "connect"}
    with os.fdopen(reading, "rb", buffering=0) as stream:  # a buffer would hide lines from select
        while "verdict" not in said:
            ready, _, _ = select.select([stream], [], [], seconds.get(said["item"], ITEM_SECONDS))
            line = stream.readline() if ready else b""
            if not line:
                verdict, found = (Verdict.CRASH, "the process died") if ready else (Verdict.TIMEOUT, "no end")
                said |= {"verdict": verdict.value, "found": found}
                os.kill(pid, signal.SIGKILL)
            else:
                said = json.loads(line)
    os.waitpid(pid, 0)
    return {
        "slug": mutant.slug,
        "implementation": target.implementation,
        "file": mutant.file,
        "line": mutant.line,
        "function": mutant.function,
        "operator": mutant.operator,
        "original": mutant.original,
        "mutated": mutant.mutated,
        "nth": mutant.nth,
        "items": len(items),
        "seconds": round(time.monotonic() - begin, 3),
        **said,
        "command": _command(mutant, said["item"], target),
    }


@contextmanager
def _forked() -> Iterator[int]:
    """A process id, and 0 in the new process, which ends with the block, whatever happens in it."""
    pid = os.fork()
    try:
        yield pid
    except BaseException:
        if pid == 0:
            traceback.print_exc()
            os._exit(1)
        raise
    if pid == 0:
        os._exit(0)


def _in_child(mutant: Mutant, items: list[Item], state: Any, target: Target, stream: Any) -> None:
    """Writes a line before each item, and the verdict of the last one; PASS if none failed."""
    faulthandler.disable()  # a crash is told by its verdict
    _limit_memory()

    def say(**fields: Any) -> None:
        stream.write(json.dumps(fields) + "\n")
        stream.flush()

    state.reconnect(target.role, target.implementation, f"{MODULE}:{mutant.slug.replace('-', '_')}")
    found = state.connected(target.role, target.implementation)
    if isinstance(found, Exception):
        say(item="connect", verdict=Verdict.FAIL.value, found=str(found).splitlines()[0])
        return
    for item in items:
        say(item=item.item.name)
        result = item.run()
        verdict = Verdict(result["verdict"])
        if verdict not in (Verdict.PASS, Verdict.SKIP, Verdict.INCONCLUSIVE):
            say(item=item.item.name, verdict=verdict.value, found=result["found"].partition("\n")[0])
            return
    say(item="", verdict=Verdict.PASS.value, found="")


def _limit_memory() -> None:
    import resource

    statm = Path("/proc/self/statm")
    if not statm.is_file():  # nothing else tells how much there is already
        return
    pages = int(statm.read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _command(mutant: Mutant, item: str, target: Target) -> str:
    connection = f"{MODULE}:{mutant.slug.replace('-', '_')}"
    only = item.replace(f"[{target.implementation}", f"[{mutant.slug}")
    chosen = f" --only '{only}'" if "[" in only else ""
    return f"rtconform run --{target.role} {connection}{chosen} --profile ci"
