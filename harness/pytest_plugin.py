"""The pytest side of the suite: which items there are, what they are called, and what their outcome means.

A test names its requirement with `@pytest.mark.requirement("ID")` and takes the implementation under test as the
fixture `loader`, `exporter`, `trainer` or `pipeline`. Its items are called by the requirement:
`LDR-REJECT-UNKNOWN-LAYER[rtneural-eigen-lstm]`.
"""

from __future__ import annotations

import difflib
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from . import catalogue, config as settings, crash_files, judging, known_failures, records, selection
from .implementations.errors import BadConnection
from .run_state import CHAINED, STATE, RunState, UnwritableOut, case_of, params_of, roles_of
from .verdicts import ExitCode, Verdict

OPTIONS = (
    ("loader", "append", "a loader under test: a connection string or a registered name"),
    ("exporter", "append", "an exporter under test"),
    ("trainer", "append", "a trainer under test"),
    ("pipeline", "append", "a pipeline under test"),
    ("class", "append", "judge only this conformance class"),
    ("models", "store", "the user's own RTNeural JSON file or folder"),
    ("known-failures", "store", "the known-failures file"),
    ("profile", "store", "smoke, ci or nightly"),
    ("seed", "store", "the seed of all randomness"),
    ("shard", "store", "i/n: the i-th of n parts of the run"),
    ("only", "append", "just this item, by its whole name"),
    ("config", "store", "the settings file"),
    ("out", "store", "the folder for the record stream and the reports"),
)
WORDS = {
    Verdict.PASS: (".", "PASSED"),
    Verdict.SKIP: ("s", "SKIPPED"),
    Verdict.XFAIL: ("x", "XFAIL"),
    Verdict.NOT_AVAILABLE: ("n", "NOT AVAILABLE"),
    Verdict.INCONCLUSIVE: ("?", "INCONCLUSIVE"),
    Verdict.FAIL: ("F", "FAILED"),
    Verdict.CRASH: ("C", "CRASHED"),
    Verdict.TIMEOUT: ("T", "TIMED OUT"),
    Verdict.XPASS: ("X", "UNEXPECTED PASS"),
    Verdict.SUITE_ERROR: ("E", "SUITE ERROR"),
}

SECONDS_TO_BE_HEARD = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rtconform")
    for name, action, text in OPTIONS:
        group.addoption(f"--rtc-{name}", action=action, default=None, help=text)
    group.addoption("--rtc-continue", default=None, help="the folder of an earlier part of this run")
    group.addoption("--rtc-records-only", action="store_true", help="write no reports and print no summary")
    text = "leave out the further cases of a requirement that an implementation has failed"
    group.addoption("--rtc-fail-once", action="store_true", help=text)
    group.addoption("--rtc-timed", action="store_true", help="include the timed classes: latency and memory")


def pytest_configure(config: pytest.Config) -> None:
    _end_on_sigterm(config)
    config.addinivalue_line("markers", "requirement(id): the requirement that a test checks")
    config.addinivalue_line("markers", "xdist_group(name): items that pytest-xdist keeps together")
    config.addinivalue_line("markers", "shares(parameter): items with the same value of it share what they compute")
    config.addinivalue_line("markers", "drawn: every part of a divided run has it, with examples of its own")
    config.addinivalue_line("markers", "models(group): the stored models of a test: five, small or stored")
    for name in catalogue.TIMED_CLASSES:
        config.addinivalue_line("markers", f"{name}: the timed class {name}")
    try:
        config.stash[STATE] = RunState.from_options(config)
        if earlier := config.getoption("--rtc-continue"):
            config.stash[STATE].continue_from(Path(earlier))
    except (
        settings.InvalidConfig,
        known_failures.InvalidKnownFailures,
        selection.UnusableModels,
        records.InvalidStream,
        UnwritableOut,
    ) as error:
        raise pytest.UsageError(str(error)) from None
    if config.stash[STATE].asks_for_timed_classes(config.option.markexpr) and getattr(config.option, "numprocesses", 0):
        raise pytest.UsageError(
            "The latency and memory classes run one at a time: leave out -n, "
            "or deselect them with -m 'not latency and not memory'."
        )


def _end_on_sigterm(config: pytest.Config) -> None:
    """As on Ctrl-C: the processes of implementations have sessions of their own, and would live on.

    It is said again until it is heard, since an interrupt is lost in a callback of the garbage collector, as hypothesis
    has one.
    """

    def interrupt(*_: object) -> None:
        signal.alarm(SECONDS_TO_BE_HEARD)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, interrupt)
            config.add_cleanup(partial(signal.signal, number, signal.SIG_DFL))


def pytest_keyboard_interrupt() -> None:
    signal.alarm(0)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("requirement") is None:
        return
    state = metafunc.config.stash[STATE]
    for role in catalogue.ROLES:
        if role in metafunc.fixturenames:
            metafunc.parametrize(role, list(state.named[role]), indirect=True, scope="function")
    if "model_case" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("models")
        cases = state.model_cases(marker.args[0] if marker else "stored")
        metafunc.parametrize("model_case", cases, ids=[case.name for case in cases], indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> Iterator[None]:
    """Calls the items of a requirement by its id, and leaves out those that no implementation stands behind."""
    made = yield
    if not isinstance(made, list):
        return made
    kept = []
    for item in made:
        marker = item.get_closest_marker("requirement")
        if marker is not None:
            identifier = marker.args[0]
            if identifier not in catalogue.load():
                raise pytest.UsageError(f"{item.nodeid} names the requirement {identifier!r}, which no file defines")
            if not collector.config.stash[STATE].concerns(item):
                continue
            _rename(item, name, identifier)
        kept.append(item)
    return kept


def _rename(item: pytest.Item, function: str, identifier: str) -> None:
    roles = roles_of(item).values()
    inside = item.name.removeprefix(function).replace("-".join(roles), CHAINED.join(roles), 1)
    item.name = identifier + inside
    item._nodeid = f"{item.parent.nodeid}::{item.name}"  # noqa: SLF001 - pytest has no public way to rename an item
    item.extra_keyword_matches.add(function)
    requirement = catalogue.load()[identifier]
    if requirement.is_timed:
        item.add_marker(requirement.conformance_class)
    # Handing items to pytest-xdist's processes one by one takes longer than many of them do.
    group = f"{identifier}-{case_of(item)['implementation']}"
    if shared := item.get_closest_marker("shares"):
        value = params_of(item)[shared.args[0]]
        group = str(getattr(value, "name", value))
    item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    state = config.stash[STATE]
    kept, dropped = [], []
    for item in items:
        (kept if state.selects(item) else dropped).append(item)
    if state.only and not kept:
        wanted = sorted(state.only)
        near = difflib.get_close_matches(wanted[0], [item.name for item in items], 1)
        hint = f"did you mean {near[0]}?" if near else "`rtconform requirements` lists the requirements"
        raise pytest.UsageError(f"Nothing of this run is called {', '.join(wanted)}; {hint}")
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def pytest_sessionstart(session: pytest.Session) -> None:
    state = session.config.stash[STATE]
    if not state.is_worker:
        crash_files.clear(state.out)


def pytest_collection_finish(session: pytest.Session) -> None:
    state = session.config.stash[STATE]
    judged = [item for item in session.items if item.get_closest_marker("requirement")]
    for item in judged:
        for role in set(catalogue.ROLES) & params_of(item).keys():
            found = state.connected(role, params_of(item)[role])
            if isinstance(found, BadConnection):
                raise pytest.UsageError(str(found))


@pytest.fixture
def loader(request: pytest.FixtureRequest) -> Any:
    """The loader under test."""
    return request.config.stash[STATE].implementation(request, "loader")


@pytest.fixture
def exporter(request: pytest.FixtureRequest) -> Any:
    """The exporter under test."""
    return request.config.stash[STATE].implementation(request, "exporter")


@pytest.fixture
def trainer(request: pytest.FixtureRequest) -> Any:
    """The trainer under test."""
    return request.config.stash[STATE].implementation(request, "trainer")


@pytest.fixture
def pipeline(request: pytest.FixtureRequest) -> Any:
    """The pipeline under test."""
    return request.config.stash[STATE].implementation(request, "pipeline")


@pytest.fixture
def model_case(request: pytest.FixtureRequest) -> selection.ModelCase:
    """One model file whose layer types the loader under test declares; skipped otherwise."""
    judging.skip_undeclared(request.getfixturevalue("loader"), request.param.model.layer_types)
    return request.param


@pytest.fixture
def model_set(request: pytest.FixtureRequest) -> list[selection.ModelCase]:
    """All the models that are judged together: the user's, else the group that the test names.

    Skipped when the loader under test doesn't declare all of their layer types.
    """
    cases = request.config.stash[STATE].model_cases(request.node.get_closest_marker("models").args[0])
    for case in cases:
        judging.skip_undeclared(request.getfixturevalue("loader"), case.model.layer_types)
    return cases


@pytest.fixture
def declared_set(request: pytest.FixtureRequest) -> list[selection.ModelCase]:
    """Those of all the models whose layer types the loader under test declares; skipped when there are none."""
    declared = set(request.getfixturevalue("loader").declaration.layer_types)
    cases = request.config.stash[STATE].model_cases(request.node.get_closest_marker("models").args[0])
    cases = [case for case in cases if declared.issuperset(case.model.layer_types)]
    if not cases:
        pytest.skip("the loader declares the layer types of no model")
    return cases


@pytest.fixture
def rtc_config(request: pytest.FixtureRequest) -> settings.Config:
    """The settings of the run: deadline, memory limit, seed, profile."""
    return request.config.stash[STATE].config


@pytest.fixture
def measure(request: pytest.FixtureRequest) -> Any:
    """`measure(kind, **values)` writes raw samples or figures into the record stream, tied to this item."""

    def write(kind: str, **values: Any) -> None:
        fields = {"kind": kind, "item": request.node.name, **case_of(request.node), **judging.jsonable(values)}
        request.node.user_properties.append(("rtc-measurement", fields))

    return write


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    if item.get_closest_marker("requirement") and (call.when == "call" or call.excinfo is not None):
        result = item.config.stash[STATE].result(item, call)
        report.user_properties.append(("rtc-result", result))
        _show(report, result)
    return report


def _show(report: pytest.TestReport, result: dict[str, Any]) -> None:
    """Makes pytest count and print the outcome as the verdict says."""
    from .messages import failure_text

    verdict = Verdict(result["verdict"])
    if verdict is Verdict.PASS:
        return
    if verdict in (Verdict.SKIP, Verdict.XFAIL, Verdict.NOT_AVAILABLE):
        report.outcome = "skipped"
        report.longrepr = (str(report.location[0]), report.location[1] or 0, f"{verdict.value}: {result['found']}")
        if verdict is Verdict.XFAIL:
            report.wasxfail = result["known_failure"]
    else:
        report.outcome = "failed"
        traceback = f"\n\n{report.longreprtext}" if verdict is Verdict.SUITE_ERROR else ""
        report.longrepr = failure_text(result) + traceback


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    for name, result in getattr(report, "user_properties", ()):
        if name == "rtc-result":
            verdict = Verdict(result["verdict"])
            letter, word = WORDS[verdict]
            category = {"passed": "passed", "skipped": "skipped"}.get(report.outcome, "failed")
            return ("xfailed" if verdict is Verdict.XFAIL else category), letter, word
    return None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    state = RunState.current
    if state is not None and not state.is_worker:
        state.write(report.user_properties)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A process of pytest-xdist has ended: with an error if it crashed, and its item has no verdict then."""
    if error:
        node.config.stash[STATE].lost_process = True


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    state = session.config.stash[STATE]
    # pytest's own 3, for an internal error, would say NOT AVAILABLE, and its 2, where xdist gives up, a usage error.
    if exitstatus == pytest.ExitCode.INTERNAL_ERROR or state.lost_process:
        session.exitstatus = ExitCode.UNEXPECTED
    # A run that ended early gets neither footer nor reports: what it didn't judge would look as if it held.
    ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    if state.is_worker or not state.writer_open or not ended or state.lost_process:
        return
    others_failed = session.testsfailed > state.failed_items
    try:
        reports = not session.config.getoption("--rtc-records-only")
        session.exitstatus = state.finish(reports=reports, others_failed=others_failed)
    except OSError as error:
        session.exitstatus = ExitCode.UNEXPECTED
        state.unreported = f"NO REPORT: expected to write {error.filename or state.out}, found: {error.strerror}"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    state = config.stash[STATE]
    if state.writer_open:
        terminalreporter.section("rtconform")
        terminalreporter.write_line(f"INCOMPLETE: the run ended early; {state.out} holds what was judged, no verdict")
    elif state.finished and not config.getoption("--rtc-records-only"):
        from .report import summarise

        terminalreporter.section("rtconform")
        terminalreporter.write_line(summarise(Path(state.out)))
        if state.unreported:
            terminalreporter.write_line(f"{state.unreported}. `rtconform report {state.out}` writes the reports again.")
