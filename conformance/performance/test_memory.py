"""Memory of all the models together, counted in a clean process."""

import pytest

from rtconform.harness.judging import check

LEAK_TOLERANCE_BYTES = 64
CYCLES = {"smoke": 3, "ci": 50, "nightly": 50}

_counted = {}


@pytest.fixture
def memory(loader, model_set, rtc_config):
    """The host's count over the set of models and further cycles of load and unload; one per loader serves all."""
    if loader.connection not in _counted:
        with loader.open() as session:
            paths = [case.path for case in model_set]
            session.plain_memory()  # filling it would count for the resident set
            _counted[loader.connection] = session.measure_memory(paths, cycles=CYCLES[rtc_config.profile])
    return _counted[loader.connection]


@pytest.mark.requirement("MEM-LIVE")
@pytest.mark.models("five")
def test_live_memory_stays_within_the_limit(memory, rtc_config, measure):
    """Allocations, mappings and writable static data, after processing."""
    live = max(memory.live_bytes, memory.after_processing_bytes)
    measure("memory", limit_bytes=rtc_config.memory_limit_bytes, **vars(memory))
    check(
        live <= rtc_config.memory_limit_bytes,
        f"{live:,} bytes are live, {rtc_config.memory_limit_bytes:,} are allowed",
        **vars(memory),
    )


@pytest.mark.requirement("MEM-LEAK")
@pytest.mark.models("five")
def test_loading_again_and_again_does_not_grow(memory):
    """The slope over load and unload cycles. The counting is exact; many cycles are for what leaks now and then."""
    slope = memory.leak_bytes_per_cycle
    check(slope <= LEAK_TOLERANCE_BYTES, f"each load and unload leaves {slope:,.0f} bytes behind")
