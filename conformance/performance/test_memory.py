"""Memory of all the models together, counted in clean processes."""

import shutil

import pytest

from rtconform.harness.judging import check
from rtconform.harness.rtneural_json.spoilt import spoilt
from rtconform.harness.selection import LARGE_BYTES

LEAK_TOLERANCE_BYTES = 8
"""Per cycle: less than malloc's smallest block. A worker that allocates meanwhile moves a slope by less."""

LEFT_TOLERANCE = 1
"""File descriptors or threads after all cycles: one that is opened late and kept is no leak."""

CYCLES = {"smoke": 6, "ci": 50, "nightly": 50}

_cycled = {}


@pytest.fixture
def cycled(loader, declared_set, tmp_path, rtc_config):
    """The host's count over cycles of load and unload of all models; one per loader serves all.

    In each cycle the smallest model is loaded twice at once, as in two plugins, and by itself under a name of its own,
    and files that are to be refused besides.
    """
    if loader.connection not in _cycled:
        cycles = CYCLES[rtc_config.profile]
        paths = [case.path for case in declared_set]
        smallest = min(paths, key=lambda path: path.stat().st_size)
        small = [path for path in paths if path.stat().st_size <= LARGE_BYTES] or [smallest]
        wrong = [file for path in small for file in spoilt(path, tmp_path)]
        fresh = [tmp_path / f"preset-{number}.json" for number in range(cycles + 1)]
        for path in fresh:
            shutil.copy(smallest, path)
        with loader.open() as session:
            others = [[path, *wrong] for path in fresh]
            _cycled[loader.connection] = session.measure_memory([*paths, smallest], cycles=cycles, others=others)
    return _cycled[loader.connection]


@pytest.mark.requirement("MEM-LIVE")
@pytest.mark.models("five")
def test_live_memory_stays_within_the_limit(loader, model_set, rtc_config, measure):
    """Allocations, mappings and writable static data, after processing."""
    with loader.open() as session:
        session.plain_memory()  # filling it would count for the resident set
        memory = session.measure_memory([case.path for case in model_set], cycles=0)
    live = max(memory.live_bytes, memory.after_processing_bytes)
    measure("memory", limit_bytes=rtc_config.memory_limit_bytes, **vars(memory))
    check(
        live <= rtc_config.memory_limit_bytes,
        f"{live:,} bytes are live, {rtc_config.memory_limit_bytes:,} are allowed",
        **vars(memory),
    )


@pytest.mark.requirement("MEM-LEAK")
@pytest.mark.models("stored")
def test_loading_again_and_again_does_not_grow(cycled):
    """The slope over load and unload cycles. The counting is exact; many cycles are for what leaks now and then."""
    slope = cycled.leak_bytes_per_cycle
    check(slope <= LEAK_TOLERANCE_BYTES, f"each cycle of loads and unloads leaves {slope:,.0f} bytes behind")


@pytest.mark.requirement("MEM-LEAK-HANDLES")
@pytest.mark.models("stored")
@pytest.mark.parametrize("what", ["descriptors", "threads"])
def test_loading_again_and_again_opens_nothing_for_good(cycled, what, rtc_config):
    """Of what a library opens at its first load and keeps, there is no more after the last one."""
    left, cycles = vars(cycled)[f"{what}_left"], CYCLES[rtc_config.profile]
    check(left <= LEFT_TOLERANCE, f"at most {cycles} cycles of loads and unloads leave {left} {what} behind")
