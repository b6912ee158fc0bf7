"""The reference page says what the catalogue says."""

from pathlib import Path

import pytest

from rtconform.harness import catalogue
from rtconform.harness.reference_docs import COMMAND, requirements_markdown

STORED = Path(__file__).resolve().parents[2] / "docs" / "REQUIREMENTS.md"


def test_the_page_has_each_requirement_whole():
    """Id, level, role, sentence, reason and version of every requirement; a link from its class's table."""
    page = requirements_markdown()
    for requirement in catalogue.load().values():
        section = page.partition(f"\n### {requirement.id}\n")[2].partition("\n#")[0]
        for said in (requirement.text, requirement.why, requirement.level, requirement.role, requirement.since):
            assert said in section, requirement.id
        assert f"[{requirement.id}](#{requirement.id.lower()})" in page


def test_a_capability_limits_who_is_concerned():
    """A requirement with a capability says so."""
    limited = [requirement for requirement in catalogue.load().values() if requirement.capability]
    assert limited
    assert requirements_markdown().count("that declares `") == len(limited)


def test_the_stored_page_is_up_to_date():
    """docs/REQUIREMENTS.md is made from the catalogue, and nobody edits it."""
    stored = STORED.read_text(encoding="utf-8") if STORED.exists() else ""
    if stored != requirements_markdown():
        pytest.fail(f"{STORED} does not say what conformance/requirements says. Run: {COMMAND} > docs/REQUIREMENTS.md")
