"""What process and reset may not do on the audio thread, watched from inside the host."""

import pytest

from rtconform.harness import signals
from rtconform.harness.judging import check

FRAMES = 256
BLOCK = 32
KINDS = {
    "RT-NO-ALLOCATION": ("malloc", "free", "mmap"),
    "RT-NO-LOCK": ("lock",),
    "RT-NO-BLOCKING-CALL": ("sleep", "io", "thread", "syscall", "throw"),
}


def watch(loader, model_case, requirement, seed):
    """Runs blocks under the host's watch and raises on the first offence of the requirement's kinds."""
    __tracebackhide__ = True
    frames = signals.noise(FRAMES, model_case.model.input_size, seed=seed)
    with loader.open() as session, session.load(model_case.path, max_frames=BLOCK) as model:
        watched = session.watch(model, frames, block=BLOCK)
    mine = [offence for offence in watched.offences if offence.kind in KINDS[requirement]]
    check(not mine, "process or reset did what the audio thread may not do", offences=mine)


@pytest.mark.requirement("RT-NO-ALLOCATION")
@pytest.mark.models("small")
def test_process_allocates_nothing(loader, model_case, rtc_config):
    """The malloc family, aligned and mapped memory, free."""
    watch(loader, model_case, "RT-NO-ALLOCATION", rtc_config.seed)


@pytest.mark.requirement("RT-NO-LOCK")
@pytest.mark.models("small")
def test_process_takes_no_lock(loader, model_case, rtc_config):
    """Mutexes and condition variables."""
    watch(loader, model_case, "RT-NO-LOCK", rtc_config.seed)


@pytest.mark.requirement("RT-NO-BLOCKING-CALL")
@pytest.mark.models("small")
def test_process_neither_sleeps_nor_does_io(loader, model_case, rtc_config):
    """Sleeps, files and streams, threads, exceptions, other system calls."""
    watch(loader, model_case, "RT-NO-BLOCKING-CALL", rtc_config.seed)
