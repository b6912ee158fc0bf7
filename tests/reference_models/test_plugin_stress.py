"""No result of the plugin core is lost, doubled or torn by reloads, and no sanitizer has anything to say."""

import pytest

from . import plugin_stress

WRONG = ("lost", "duplicated", "reordered", "differing", "wrongly_accepted", "wrongly_refused")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """The files that are exchanged for one another."""
    return plugin_stress.variants(tmp_path_factory.mktemp("variants"))


@pytest.mark.parametrize("kind", ["thread", "address"])
def test_reloads_at_full_speed(kind, sets, tmp_path):
    """Good files and broken ones, and then the same in quiet: bit for bit the same results."""
    program = plugin_stress.build(kind)
    counts = plugin_stress.run(program, sets, tmp_path / "work", frames=4000, reload_ms=10, seed=3)
    assert {name: counts[name] for name in WRONG} == dict.fromkeys(WRONG, 0)
    assert counts["frames"] == 4000
    assert counts["swaps"] >= 2
    assert counts["refused_files"] >= 1
