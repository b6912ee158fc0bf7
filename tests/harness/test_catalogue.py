"""The requirements, the tests that check them, and the known-bads that they catch belong together."""

import re

from rtconform.harness import catalogue
from rtconform.harness.faulty import matrix
from rtconform.harness.paths import CONFORMANCE

NAMED = re.compile(r'"((?:CHN|NUM|RUN|LDR|RT|LAT|MEM|EXP|TRN|PIP)-[A-Z-]+)"')


def named_by_tests():
    """The requirement ids that stand in the suite's tests."""
    return {name for path in CONFORMANCE.rglob("test_*.py") for name in NAMED.findall(path.read_text(encoding="utf-8"))}


def test_every_requirement_has_a_test_and_every_test_a_requirement():
    """An id without a test would never fail; a test of an unknown id would judge nothing."""
    assert named_by_tests() == set(catalogue.load())


def test_every_must_is_declared_by_a_known_bad():
    """A requirement that no wrong implementation breaks may be one that nothing can break."""
    declared = {name for entry in matrix.load() for name in entry.killed_by}
    assert {r.id for r in catalogue.load().values() if r.level == "MUST"} <= declared


def test_known_bads_name_requirements_of_their_own_role():
    """A misspelt id in `killed_by` or `may_fire` would declare nothing."""
    for entry in matrix.load():
        for name in (*entry.killed_by, *entry.may_fire):
            assert catalogue.load()[name].role == entry.role, (entry.id, name)
