"""One run under pytest: its settings, the implementations it has connected to, and the records it writes."""

from __future__ import annotations

import dataclasses
import getpass
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar
from zlib import crc32

import pytest

from . import catalogue, config as settings, crash_files, judging, known_failures, messages, records, selection
from .implementations import Implementation, chained, connect
from .implementations.errors import GivenUp
from .paths import why_unwritable
from .verdicts import ExitCode, Verdict, exit_code, standings

STATE: pytest.StashKey[RunState] = pytest.StashKey()
MOST_TIMEOUTS = 2
"""After so many, an implementation is not waited for again in this run."""

CHAINED = "+"
"""What stands between the names of a chain's implementations."""

MODEL_FIXTURES = frozenset({"model_case", "model_set", "declared_set"})
"""What gives a test the user's models, if there are any."""

DEFAULT_OUT = "rtconform-report"
SPEC_VERSION = "1.0"


class UnwritableOut(ValueError):
    """The folder for records and reports can't be written to."""


def params_of(item: pytest.Item) -> Mapping[str, Any]:
    """The values that a test is parametrised with."""
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec else {}


def case_of(item: pytest.Item) -> dict[str, str]:
    """{"implementation", "case"} of an item: what stands between its brackets, taken apart."""
    implementation = CHAINED.join(roles_of(item).values())
    inside = item.name.partition("[")[2].removesuffix("]")
    case = inside.removeprefix(implementation).removeprefix("-")
    return {"implementation": implementation, "case": case}


def roles_of(item: pytest.Item) -> dict[str, str]:
    """{role: name} of the implementations that an item judges: one, or those of a chain in their order."""
    params = params_of(item)
    return {role: params[role] for role in catalogue.ROLES if role in params}


class RunState:
    """What the plugin's hooks share. One per process; under pytest-xdist only the controller writes."""

    current: ClassVar[RunState | None] = None

    def __init__(
        self,
        config: settings.Config,
        *,
        only: Iterable[str],
        classes: Iterable[str],
        timed: bool,
        fail_once: bool,
        out: Path,
        is_worker: bool,
        from_settings: bool,
        command: list[str],
    ) -> None:
        self.config = config
        self.only = frozenset(only)
        self.classes = frozenset(classes)
        self.timed = timed
        self.fail_once = fail_once
        self.out = out
        self.is_worker = is_worker
        self.from_settings = from_settings
        self.command = command
        self.finished = False
        self.unreported = ""
        """What kept the reports from being written."""
        self.lost_process = False
        self.failed_items = 0
        self.named = dict(selection.short_names(config.implementations()))
        self.user_cases = selection.user_cases(config.models_path) if config.models_path else None
        self.known = known_failures.load(config.known_failures_path)
        self._stored: dict[str, list[selection.ModelCase]] = {}
        self._connected: dict[str, Implementation | Exception] = {}
        self._waited: dict[str, list[float]] = defaultdict(list)
        self._failed: set[tuple[str, str]] = set()
        self._writer: records.Writer | None = None
        self._results: list[Mapping[str, Any]] = []
        self._identified: set[str] = set()
        RunState.current = self

    @classmethod
    def from_options(cls, pytest_config: pytest.Config) -> RunState:
        """The state for pytest's command line and the settings file; raises the errors of those two."""

        def option(name: str) -> Any:
            return pytest_config.getoption(f"--rtc-{name}")

        path = option("config")
        config = settings.load(Path(path) if path else None, pytest_config.invocation_params.dir)
        here = pytest_config.invocation_params.dir
        given = {f"{role}s": tuple(option(role) or ()) for role in catalogue.ROLES}
        if any(given.values()):
            config = dataclasses.replace(config, **given)
        config = config.overridden(
            models=str((here / option("models")).resolve()) if option("models") else None,
            known_failures=str((here / option("known-failures")).resolve()) if option("known-failures") else None,
            profile=option("profile"),
            seed=int(option("seed")) if option("seed") else None,
            shard=option("shard"),
        )
        marks = pytest_config.option.markexpr or ""
        out = (here / (option("out") or DEFAULT_OUT)).resolve()
        if why := why_unwritable(out):  # said at the start of a run and not at its end
            raise UnwritableOut(f"--out {out}: {why}.")
        return cls(
            config,
            only=option("only") or (),
            classes=settings.checked_classes(option("class") or (), "--class"),
            timed=option("timed") or bool(option("only")) or any(name in marks for name in catalogue.TIMED_CLASSES),
            fail_once=option("fail-once"),
            out=out,
            is_worker=hasattr(pytest_config, "workerinput"),
            from_settings=not any(given.values()),
            command=list(pytest_config.invocation_params.args),
        )

    # Selecting

    def concerns(self, item: pytest.Item) -> bool:
        """Whether implementations stand behind the item, and a user's models can be put through it."""
        if any(role in item.fixturenames and not names for role, names in self.named.items()):
            return False
        return self.user_cases is None or not MODEL_FIXTURES.isdisjoint(item.fixturenames)

    def asks_for_timed_classes(self, marks: str) -> bool:
        """Whether timed items may be selected, given pytest's -m."""
        excluded = {name for name in catalogue.TIMED_CLASSES if f"not {name}" in marks}
        wanted = set(catalogue.TIMED_CLASSES) - excluded
        return self.timed and bool(wanted & self.classes if self.classes else wanted)

    def selects(self, item: pytest.Item) -> bool:
        marker = item.get_closest_marker("requirement")
        if marker is None:
            timed = any(item.get_closest_marker(name) for name in catalogue.TIMED_CLASSES)
            return not self.only and (self.timed or not timed)
        if self.only:
            return item.name in self.only
        requirement = catalogue.load()[marker.args[0]]
        if (
            not item.get_closest_marker("drawn")
            and crc32(item.name.encode()) % self.config.shards != self.config.shard_index
        ):
            return False
        if requirement.is_timed and not self.timed:
            return False
        if self.config.profile == "smoke" and any(
            getattr(value, "beyond_smoke", False) for value in params_of(item).values()
        ):
            return False
        return not self.classes or requirement.conformance_class in self.classes

    def model_cases(self, group: str) -> list[selection.ModelCase]:
        """The models that are judged: the user's, else a group of the suite's own; the same ones whoever asks."""
        if self.user_cases is not None:
            return self.user_cases
        if group not in self._stored:
            self._stored[group] = selection.stored_cases(group)
        return self._stored[group]

    # Judging

    def implementation(self, request: pytest.FixtureRequest, role: str) -> Implementation:
        """The implementation of an item, connected once per run; skips what it does not declare."""
        found = self.connected(role, request.param)
        if isinstance(found, Exception):
            raise found
        waited = tuple(self._waited[request.param][:MOST_TIMEOUTS])
        if len(waited) == MOST_TIMEOUTS:
            raise GivenUp(who=request.param, op="", seconds=max(waited), waited=waited)
        identifier = request.node.get_closest_marker("requirement").args[0]
        if self.fail_once and (identifier, case_of(request.node)["implementation"]) in self._failed:
            pytest.skip(f"failed before: {identifier}")
        capability = catalogue.load()[identifier].capability
        declared = (*found.declaration.layer_types, *found.declaration.features)
        if capability is not None and capability not in declared:
            pytest.skip(f"not declared: {capability}")
        return found

    def connected(self, role: str, name: str) -> Implementation | Exception:
        """The implementation of that name, or what came in the way; tried once per run."""
        if name not in self._connected:
            try:
                self._connected[name] = connect(self.named[role][name], role, timeout=self.config.timeout_s)
            except Exception as error:
                self._connected[name] = error
        return self._connected[name]

    def reconnect(self, role: str, name: str, connection: str) -> None:
        """From now on, another implementation stands behind a name."""
        self.named[role] = {**self.named[role], name: connection}
        self._connected.pop(name, None)

    def result(self, item: pytest.Item, call: pytest.CallInfo) -> dict[str, Any]:
        """The result record of an item whose test has ended."""
        requirement = catalogue.load()[item.get_closest_marker("requirement").args[0]]
        where = case_of(item)
        verdict, found, evidence = Verdict.PASS, "", {}
        if call.excinfo is not None:
            if call.excinfo.errisinstance(pytest.skip.Exception):
                verdict, found = Verdict.SKIP, str(call.excinfo.value)
            else:
                verdict, found, evidence = judging.verdict_of(call.excinfo.value)
                evidence = crash_files.keep(self.out, item.name, evidence)
        if verdict is Verdict.TIMEOUT:
            self._waited[where["implementation"]].append(evidence["seconds"])
        if verdict.is_failure:
            self._failed.add((requirement.id, where["implementation"]))
        identity = self._identity(roles_of(item).values())
        verdict, known = self._with_known_failures(requirement.id, where, identity, verdict)
        return {
            "item": item.name,
            "requirement": requirement.id,
            "level": requirement.level,
            "class": requirement.conformance_class,
            "role": requirement.role,
            "text": requirement.text,
            "why": requirement.why,
            **where,
            "verdict": verdict.value,
            "found": found,
            "evidence": evidence,
            "known_failure": known,
            "duration_s": round(call.duration, 6),
            "seed": self.config.seed,
            "command": self._command(item.name, roles_of(item)),
            "identity": identity,
        }

    def _with_known_failures(
        self, requirement: str, where: Mapping[str, str], identity: Mapping[str, Any], verdict: Verdict
    ) -> tuple[Verdict, str | None]:
        """(verdict, note) after a look at the known failures that cover the case."""
        entry = next((e for e in self.known if e.covers(requirement, where["implementation"], where["case"])), None)
        if entry is None or not (verdict.is_failure or verdict is Verdict.PASS):
            return verdict, None
        if lapsed := entry.lapsed(identity):
            return verdict, f"the known failure has ended: {lapsed}"
        if verdict is Verdict.PASS:
            return Verdict.XPASS, "it is listed as a known failure and passes: run `rtconform known-failures update`"
        return Verdict.XFAIL, entry.reason

    def _command(self, item: str, names: Mapping[str, str]) -> str:
        connections = {role: self.named[role][name] for role, name in names.items()}
        # The numbers that tell apart implementations of one name are others where fewer take part.
        alone = selection.short_names({role: [connection] for role, connection in connections.items()})
        item = item.replace(CHAINED.join(names.values()), CHAINED.join(name for of in alone.values() for name in of), 1)
        options = {
            "models": self.config.models_path,
            "known-failures": self.config.known_failures_path,
            "config": self.config.path,
            "seed": self.config.seed,
            "shard": self.config.shard if self.config.shards > 1 else None,
            "profile": self.config.profile,
            "out": Path(tempfile.gettempdir()) / f"rtconform-again-{getpass.getuser()}",
        }
        return messages.reproduce_command(item, connections, options)

    def _identity(self, names: Iterable[str]) -> dict[str, Any]:
        """What an implementation declares, or a chain's together; nothing if one could not be reached."""
        found = [self._connected.get(name) for name in names]
        if not found or not all(isinstance(each, Implementation) for each in found):
            return {}
        return judging.jsonable(chained([each.declaration for each in found]))

    # Recording

    @property
    def writer_open(self) -> bool:
        """Whether something has been judged that is not summed up yet."""
        return self._writer is not None and not self.finished

    def write(self, properties: Iterable[tuple[str, Any]]) -> None:
        """Writes the records that an item carries, once its result is among them."""
        by_name = [(name, dict(fields)) for name, fields in properties if name.startswith("rtc-")]
        for fields in [fields for name, fields in by_name if name == "rtc-result"]:
            for measured in [measured for name, measured in by_name if name == "rtc-measurement"]:
                self._open().measurement(**measured)
            self._write_result(fields)

    def _write_result(self, fields: dict[str, Any]) -> None:
        identity = fields.pop("identity")
        name = fields["implementation"]
        if name and identity and name not in self._identified:
            self._identified.add(name)
            self._open().implementation(name=name, role=fields["role"], identity=identity)
        verdict = Verdict(fields["verdict"])
        self.failed_items += verdict not in (Verdict.PASS, Verdict.SKIP, Verdict.XFAIL, Verdict.NOT_AVAILABLE)
        self._results.append(fields)
        self._open().result(**fields)

    def _open(self) -> records.Writer:
        if self._writer is None:
            from .. import __version__

            self._writer = records.Writer(self.out / records.STREAM_NAME)
            self._writer.header(
                rtconform=__version__,
                spec=SPEC_VERSION,
                seed=self.config.seed,
                profile=self.config.profile,
                deadline_ms=self.config.deadline_ms,
                memory_limit_bytes=self.config.memory_limit_bytes,
                command=self.command,
            )
        return self._writer

    def continue_from(self, folder: Path) -> None:
        """Takes over the records of an earlier part of the run, and sums up both. Raises records.InvalidStream."""
        earlier = records.read(folder)
        for record in (*earlier.implementations, *earlier.measurements, *earlier.results):
            fields = {key: value for key, value in record.items() if key != "record"}
            getattr(self._open(), record["record"])(**fields)
        self._identified |= {record["name"] for record in earlier.implementations}
        self._results += earlier.results

    def finish(self, *, reports: bool, others_failed: bool) -> ExitCode:
        """Closes the stream, writes the reports, and says what the run comes to. Raises OSError at a report.

        `others_failed`: an item that is no requirement's has failed, which no verdict can make good.
        """
        outcomes = [records.outcome_of(result) for result in self._results]
        code = exit_code(outcomes, self.config.classes or None, from_settings=self.from_settings)
        code = ExitCode.UNEXPECTED if others_failed else code
        counts = {verdict.value: sum(o.verdict is verdict for o in outcomes) for verdict in Verdict}
        self._open().footer(counts=counts, standings=standings(outcomes), exit_code=int(code))
        self.finished = True
        if reports:
            from . import report

            report.write_all(self.out)
        return code
