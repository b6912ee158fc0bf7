"""What benchmarks say of themselves in the store, and the picture of all that is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import history


@pytest.fixture(autouse=True)
def described(request: pytest.FixtureRequest) -> None:
    """The benchmark's own first line goes into the store with its times."""
    request.getfixturevalue("benchmark").extra_info["what"] = request.function.__doc__.partition("\n")[0]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """After a run that was stored, draws the history."""
    if config.getoption("benchmark_autosave") or config.getoption("benchmark_save"):
        store = Path(config._benchmarksession.storage.path)  # it has no public name
        if page := history.draw(store):
            terminalreporter.write_line(f"History of the benchmarks: {page}")
