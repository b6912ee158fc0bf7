"""A step of the plugin core is watched by the judge's detectors, alone and while models are exchanged."""

from pathlib import Path

import numpy as np
import pytest

from rtconform.harness import expected
from rtconform.reference_models import loaders
from rtconform.reference_models.specs import FIXTURES

from ..harness import raw_host
from . import plugin_builds

pytestmark = raw_host.needs_host


@pytest.fixture(scope="module")
def library():
    """The step in a loader library of its own."""
    flags = ("-O2", "-shared", "-fPIC", "-fvisibility=hidden")
    return plugin_builds.compiled("step_loader.cpp", *flags, more=plugin_builds.CORE_SOURCES)


@pytest.fixture
def watch(library, tmp_path, monkeypatch):
    """A function from a loader's name and a number of frames to the offences, and how many models were exchanged."""
    monkeypatch.setenv("RTC_TEST_LIBRARY", str(loaders.library("checked")))
    monkeypatch.setenv("RTC_TEST_MODELS", str(FIXTURES / "models"))

    def offences(loader, frames):
        unread = raw_host.written(tmp_path / "unread.json", "{}")
        with raw_host.running(Path(library), loader) as host:
            model = host.loaded(unread, max_frames=32)
            audio = np.resize(expected.recording(), (frames, 128))
            reply = host.do("watch", sections=[raw_host.section(model, audio, [1, 7, 32])])
        return reply["offences"], int(raw_host.unpacked(reply["outputs"][0])[-1, -1]) - 5

    return offences


def test_a_step_allocates_nothing_locks_nothing_and_makes_no_system_call(watch):
    """Nor does it touch a page for the first time or throw, from the first step on."""
    offences, exchanged = watch("quiet", 500)
    assert exchanged == 0
    assert offences == []


def test_nor_does_it_while_models_are_exchanged(watch):
    """What is swapped in was built elsewhere, and what is swapped out is freed elsewhere."""
    offences, exchanged = watch("reloads", 12_000)
    assert exchanged >= 3
    assert offences == []


def test_a_step_that_frees_would_be_seen(watch):
    """So the detectors do reach what a step calls."""
    offences, exchanged = watch("frees", 12_000)
    assert exchanged >= 3
    assert "free" in {offence["kind"] for offence in offences}
