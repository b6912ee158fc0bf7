"""The user's file of known failures."""

import dataclasses
from datetime import date, timedelta

import pytest

from rtconform.harness import known_failures as known

ENTRY = known.KnownFailure(
    id="LDR-REJECT-TRAILING",
    implementation="mine",
    cases=("trailing-text",),
    valid_for="version:1.0",
    reason="the parser stops at the brace",
)


def stored(tmp_path, *entries):
    path = tmp_path / "known-failures.toml"
    known.save(path, entries)
    return path


def test_entries_are_read_back_as_they_were_written(tmp_path):
    """Sorted by implementation and id."""
    other = dataclasses.replace(ENTRY, implementation="a", link="https://example.org/1")
    assert known.load(stored(tmp_path, ENTRY, other)) == (other, ENTRY)


def test_a_file_that_is_named_must_be_there(tmp_path):
    """Nobody has to name one, but a misspelt name is no empty file, and a misspelt table no empty list."""
    assert known.load(None) == ()
    with pytest.raises(known.InvalidKnownFailures, match=r"none\.toml: expected a known-failures file"):
        known.load(tmp_path / "none.toml")
    (tmp_path / "plural.toml").write_text("[[known_failures]]\n")
    with pytest.raises(known.InvalidKnownFailures, match=r"\[\[known_failure\]\].*found known_failures"):
        known.load(tmp_path / "plural.toml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reason": " "}, "the reason is empty"),
        ({"id": "LDR-REJECT-TRAILIN"}, "no requirement has this id"),
        ({"valid_for": "1.0"}, "valid_for: expected version:"),
        ({"valid_for": "until:soon"}, "valid_for: expected version:"),
    ],
)
def test_entries_that_cannot_hold_are_refused(tmp_path, change, message):
    """With the entry's number and names."""
    path = stored(tmp_path, dataclasses.replace(ENTRY, **change))
    with pytest.raises(known.InvalidKnownFailures, match="entry 1") as error:
        known.load(path)
    assert message in str(error.value)


def test_an_entry_covers_its_cases_and_no_others():
    """Another case of the same requirement still fails."""
    assert ENTRY.covers("LDR-REJECT-TRAILING", "mine", "trailing-text")
    assert not ENTRY.covers("LDR-REJECT-TRAILING", "mine", "trailing-nul")
    assert not ENTRY.covers("LDR-REJECT-TRAILING", "yours", "trailing-text")


def test_an_entry_ends_with_the_version_or_source_or_date_that_it_is_for():
    """And says so."""
    assert ENTRY.lapsed({"version": "1.0"}) is None
    assert "this is version 1.1" in ENTRY.lapsed({"version": "1.1"})
    by_source = dataclasses.replace(ENTRY, valid_for="source:abc")
    assert by_source.lapsed({"build": {"source_hash": "abc"}}) is None
    assert by_source.lapsed({"build": {"source_hash": "abd"}}) is not None
    yesterday = date.today() - timedelta(days=1)
    assert dataclasses.replace(ENTRY, valid_for=f"until:{yesterday}").lapsed({}) is not None
    assert dataclasses.replace(ENTRY, valid_for=f"until:{date.today()}").lapsed({}) is None


def test_failures_of_a_run_become_entries_tied_to_the_source(tmp_path):
    """One per requirement and implementation, with all its cases; a reason that stood is kept."""
    results = [
        {"requirement": "LDR-REJECT-TRAILING", "implementation": "mine", "case": case, "verdict": verdict}
        for case, verdict in (("b", "FAIL"), ("a", "XFAIL"), ("c", "PASS"))
    ]
    identities = {"mine": {"version": "1.0", "build": {"source_hash": "abc"}}}
    (entry,) = known.from_results(results, identities, {("LDR-REJECT-TRAILING", "mine"): ("because", "")})
    assert (entry.cases, entry.valid_for, entry.reason) == (("a", "b"), "source:abc", "because")
