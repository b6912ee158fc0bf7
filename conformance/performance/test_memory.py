"""Memory of all the models together, counted in a clean process."""

import pytest

from rtconform.harness.judging import check

LEAK_TOLERANCE_BYTES = 64
CYCLES = 5


@pytest.fixture
def count(loader, model_set):
    """`count(cycles)`: the host's count over the set of models, with so many further cycles of load and unload."""

    def run(cycles):
        with loader.open() as session:
            return session.measure_memory([case.path for case in model_set], cycles=cycles)

    return run


@pytest.mark.requirement("MEM-LIVE")
@pytest.mark.models("five")
def test_live_memory_stays_within_the_limit(count, rtc_config, measure):
    """Allocations, mappings and writable static data, after processing."""
    memory = count(CYCLES)
    live = max(memory.live_bytes, memory.after_processing_bytes)
    measure("memory", limit_bytes=rtc_config.memory_limit_bytes, **vars(memory))
    check(
        live <= rtc_config.memory_limit_bytes,
        f"{live:,} bytes are live, {rtc_config.memory_limit_bytes:,} are allowed",
        **vars(memory),
    )


@pytest.mark.requirement("MEM-LEAK")
@pytest.mark.models("five")
def test_loading_again_and_again_does_not_grow(count):
    """The slope over load and unload cycles; the counting is exact, so that few of them do."""
    slope = count(CYCLES).leak_bytes_per_cycle
    check(slope <= LEAK_TOLERANCE_BYTES, f"each load and unload leaves {slope:,.0f} bytes behind")
