"""JUnit XML: one suite per conformance class, one case per item, for CI systems that read nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from ..messages import failure_text
from ..records import Run
from ..verdicts import Verdict
from .reading import owner
from .text import one_line, visible

ELEMENTS = {
    Verdict.FAIL: "failure",
    Verdict.XPASS: "failure",
    Verdict.CRASH: "error",
    Verdict.TIMEOUT: "error",
    Verdict.INCONCLUSIVE: "error",
    Verdict.NOT_AVAILABLE: "error",
    Verdict.SUITE_ERROR: "error",
    Verdict.SKIP: "skipped",
    Verdict.XFAIL: "skipped",
}
"""What each verdict but PASS is in JUnit's words."""


def render(run: Run) -> str:
    """The whole file as text."""
    by_class: dict[str, list[Mapping[str, Any]]] = {}
    for result in run.results:
        by_class.setdefault(result["class"], []).append(result)
    root = ET.Element("testsuites", name="rtconform", **_totals(run.results))
    for name, results in by_class.items():
        suite = ET.SubElement(root, "testsuite", name=name, timestamp=_seconds(run), **_totals(results))
        _properties(suite, run)
        for result in results:
            _case(suite, result)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, result: Mapping[str, Any]) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"rtconform.{result['class']}.{owner(result)}",
        name=visible(result["item"]),
        time=f"{result['duration_s']:.6f}",
    )
    verdict = Verdict(result["verdict"])
    if verdict is Verdict.PASS:
        return
    said = result["known_failure"] if verdict in (Verdict.XFAIL, Verdict.XPASS) else result["found"]
    message = f"{verdict.value}: {one_line(said)}"
    element = ET.SubElement(case, ELEMENTS[verdict], message=message, type=verdict.value)
    if verdict is not Verdict.SKIP:
        element.text = visible(failure_text(result))


def _properties(suite: ET.Element, run: Run) -> None:
    properties = ET.SubElement(suite, "properties")
    for name in ("rtconform", "spec", "seed", "profile"):
        ET.SubElement(properties, "property", name=name, value=visible(run.header[name]))


def _totals(results: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    results = list(results)
    elements = [ELEMENTS.get(Verdict(result["verdict"])) for result in results]
    return {
        "tests": str(len(results)),
        "failures": str(elements.count("failure")),
        "errors": str(elements.count("error")),
        "skipped": str(elements.count("skipped")),
        "time": f"{sum(result['duration_s'] for result in results):.6f}",
    }


def _seconds(run: Run) -> str:
    """The start of the run in the form that JUnit's schema wants: UTC, without zone and fractions."""
    return run.header["started"][:19]
