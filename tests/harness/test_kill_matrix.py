"""The kill matrix: what is a fault of the suite, the data that it leaves, and the picture of them."""

import json
from pathlib import Path

import jsonschema_rs
import pytest

from rtconform.harness import catalogue
from rtconform.harness.faulty import matrix
from rtconform.harness.faulty.matrix import Entry
from rtconform.harness.report import kill_matrix

from .sample_run import NASTY, result
from .test_report import CONTROL, Page

SCHEMA = json.loads(Path(matrix.__file__).parents[1].joinpath("kill-matrix-1.schema.json").read_text(encoding="utf-8"))
CONNECTIONS = {"loader": "native:any"}
ENTRIES = [
    Entry("good-native", "loader", CONNECTIONS),
    Entry("run-nan", "loader", CONNECTIONS, NASTY, ("NUM-ORACLE",), ("NUM-GOLDEN", "NUM-SIGNALS"), "got nan"),
    Entry("run-late", "loader", CONNECTIONS, "late", ("NUM-ORACLE", "RUN-RESET")),
    Entry("exp-no-bias", "exporter", {"exporter": "py:any:any"}, "no bias", ("EXP-VALID",)),
]
OUTCOMES = {
    ("good-native", "NUM-ORACLE"): "PASS",
    ("good-native", "NUM-GOLDEN"): "TIMEOUT",
    ("run-nan", "NUM-ORACLE"): "FAIL",
    ("run-nan", "NUM-GOLDEN"): "CRASH",
    ("run-nan", "NUM-SIGNALS"): "PASS",
    ("run-late", "NUM-ORACLE"): "FAIL",
    ("run-late", "RUN-RESET"): "PASS",
    ("run-late", "RUN-BLOCKS"): "INCONCLUSIVE",
    ("exp-no-bias", "EXP-VALID"): "FAIL",
}


@pytest.fixture
def judged():
    """A self-test in which a good one is accused, one requirement misses what it must catch, and one is undecided."""
    results = [
        result(requirement, name, "lstm", verdict, found="got nan" if verdict == "FAIL" else "")
        for (name, requirement), verdict in OUTCOMES.items()
    ]
    return matrix.evaluate(ENTRIES, results)


@pytest.fixture
def document(judged):
    return matrix.document(judged, catalogue.load().values())


@pytest.fixture
def page(document):
    return Page(kill_matrix.render(document))


def marks(page, kind):
    """What is said of each mark of a kind."""
    return [element["text"].splitlines()[0] for element in page.all("g", f"cell-{kind}")]


def test_what_does_not_go_as_declared_is_a_fault(judged):
    """An accusation of a good one, and a requirement that should have caught a wrong one."""
    assert judged.faults == [
        "good-native: NUM-GOLDEN accused (TIMEOUT): NUM-GOLDEN[good-native-lstm]: ",
        "run-late: RUN-RESET did not catch it",
    ]
    assert judged.undecided == ["RUN-BLOCKS[run-late-lstm]: "]


@pytest.mark.parametrize(
    ("verdicts", "faults", "untried", "killed"),
    [
        ({"NUM-ORACLE": "NOT AVAILABLE", "RUN-RESET": "FAIL"}, [], [], 1),
        ({"NUM-ORACLE": "NOT AVAILABLE", "RUN-RESET": "NOT AVAILABLE", "RUN-BLOCKS": "FAIL"}, [], ["late"], 0),
        ({"NUM-ORACLE": "NOT AVAILABLE", "RUN-RESET": "PASS"}, ["late: RUN-RESET did not catch it"], [], 0),
        ({"NUM-ORACLE": "NOT AVAILABLE"}, ["late: RUN-RESET did not catch it"], [], 0),
    ],
)
def test_what_cannot_be_judged_here_is_no_fault_and_no_catch(verdicts, faults, untried, killed):
    """A requirement that is NOT AVAILABLE can't catch what it has to; one that is judged has to, all the same."""
    late = Entry("late", "loader", CONNECTIONS, "late", ("NUM-ORACLE", "RUN-RESET"), ("RUN-BLOCKS",), "one frame")
    results = [
        result(requirement, "late", case, verdict, found="one frame" if verdict == "FAIL" else "no detector")
        for requirement, verdict in verdicts.items()
        for case in ("lstm", "gru")
    ]
    judged = matrix.evaluate([late], results)
    assert (judged.faults, sorted(judged.untried), judged.killed) == (faults, untried, killed)
    lacking = [requirement for requirement, verdict in verdicts.items() if verdict == "NOT AVAILABLE"]
    assert judged.not_available == [f"late: {requirement}: no detector" for requirement in lacking]
    assert ("NOT TRIED" in matrix.table(judged)) == bool(untried)
    known = catalogue.load()
    not_judged = {known[name] for name in lacking}
    assert not set(matrix.uncovered(judged, not_judged))
    data = matrix.document(judged, known.values())
    jsonschema_rs.Draft202012Validator(SCHEMA).validate(data)
    assert set(data["implementations"][0]["unavailable"]) == set(lacking)
    assert "missed" not in {kill_matrix.cell(name, data["implementations"][0])[0] for name in lacking}


def test_one_case_that_can_be_judged_is_enough_to_have_to_catch():
    """A requirement that is NOT AVAILABLE in some cases only has no excuse."""
    late = Entry("late", "loader", CONNECTIONS, "late", ("NUM-ORACLE",))
    results = [result("NUM-ORACLE", "late", *of) for of in (("lstm", "NOT AVAILABLE"), ("gru", "PASS"))]
    judged = matrix.evaluate([late], results)
    assert judged.faults == ["late: NUM-ORACLE did not catch it"]
    assert matrix.uncovered(judged, [catalogue.load()["NUM-ORACLE"]]) == ["NUM-ORACLE: no known-bad is caught by it"]


def listed(folder, may_fire):
    """The only known-bad of a list."""
    path = folder / "list.toml"
    entry = f'id = "late"\nrole = "loader"\nconnection = "mine"\nmistake = "late"\nmay_fire = {may_fire}\n'
    path.write_text(f'good = []\n[[known_bad]]\nkilled_by = ["RT-NO-LOCK"]\n{entry}', encoding="utf-8")
    (late,) = matrix.load(path)
    return late


def test_a_pattern_stands_for_what_begins_so_and_is_not_timed(tmp_path):
    """But for what has to catch it; requirements of the latency class are tried only where they are named."""
    assert listed(tmp_path, ["RT-NO-*", "NUM-ORACLE"]).may_fire == (
        *("RT-NO-ALLOCATION", "RT-NO-BLOCKING-CALL", "RT-NO-EXCEPTION", "RT-NO-SYSTEM-CALL", "RT-NO-PAGE-FAULT"),
        "NUM-ORACLE",
    )
    everything = listed(tmp_path, ["*"]).may_fire
    assert "LDR-DECLARES" in everything and not {"LAT-STEP", "MEM-LIVE", "PIP-FLOW"} & set(everything)
    for nothing in ("PIP-*", "LAT-*"):
        with pytest.raises(ValueError, match=f"loader in may_fire, found {nothing[:4]}"):
            listed(tmp_path, [nothing])


def test_the_data_keep_their_published_form(document):
    """The schema is one, and the data are of it; what was tried and fired is all there."""
    jsonschema_rs.meta.validate(SCHEMA)
    jsonschema_rs.Draft202012Validator(SCHEMA).validate(document)
    said = {entry["id"]: (entry["tried"], entry["fired"]) for entry in document["implementations"]}
    assert said["run-nan"] == (
        ["NUM-ORACLE", "NUM-GOLDEN", "NUM-SIGNALS"],
        {"NUM-ORACLE": "FAIL", "NUM-GOLDEN": "CRASH"},
    )


def test_the_list_of_the_suite_keeps_the_form_too():
    """Every known-bad and every good one, though nothing was run."""
    everything = matrix.document(matrix.evaluate(matrix.load(), []), catalogue.load().values())
    jsonschema_rs.Draft202012Validator(SCHEMA).validate(everything)
    assert len(everything["implementations"]) == len(matrix.load())


def test_each_cell_is_drawn_as_what_became_of_it(page):
    """By a shape of its own, with words for who points at it or listens."""
    assert marks(page, "kill") == [
        "run-nan, NUM-ORACLE: FAIL, caught, as declared",
        "run-late, NUM-ORACLE: FAIL, caught, as declared",
        "exp-no-bias, EXP-VALID: FAIL, caught, as declared",
    ]
    assert marks(page, "consequence") == ["run-nan, NUM-GOLDEN: CRASH, also fired, a consequence that was declared"]
    assert marks(page, "undeclared") == ["good-native, NUM-GOLDEN: TIMEOUT, fired undeclared: a fault of the suite"]
    assert marks(page, "missed") == ["run-late, RUN-RESET: should have caught it: a fault of the suite"]
    assert len(marks(page, "quiet")) == 3
    drawn = {(element["tag"], element["class"]) for tag in ("circle", "rect") for element in page.all(tag)}
    assert {("circle", "kill"), ("circle", "consequence"), ("circle", "nothing"), ("rect", "fault")} <= drawn


def test_rows_stand_by_class_and_columns_by_role_with_the_good_first(document):
    """A panel for each role; in it a row for each class, and below it its requirements that were tried."""
    exporters, loaders = sorted(kill_matrix.panels(document), key=lambda panel: panel.role)
    assert [row.label for row in exporters.rows] == ["export", "EXP-VALID"]
    assert [row.label for row in loaders.rows] == [
        *("numerics", "NUM-ORACLE", "NUM-GOLDEN", "NUM-SIGNALS", "RUN-BLOCKS", "RUN-RESET")
    ]
    assert [column.label for column in loaders.columns] == ["good-native", "run-nan", "run-late"]
    assert loaders.good == 1
    assert [row.label for row in loaders.rows if not row.is_covered] == [
        *("NUM-GOLDEN", "NUM-SIGNALS", "RUN-BLOCKS", "RUN-RESET")
    ]


def test_nothing_is_drawn_over_a_label_or_outside(document):
    """Marks lie right of the longest requirement and below the longest name, a cell apart."""
    for panel in kill_matrix.panels(document):
        placed = [(mark.x, mark.y) for row in panel.rows for mark in row.marks]
        assert len(set(placed)) == len(placed)
        assert all(panel.left < x < panel.width and panel.top < y < panel.height for x, y in placed)
        assert panel.left >= 6.7 * max(len(row.label) for row in panel.rows)
        assert panel.top >= 6.7 * max(len(column.label) for column in panel.columns)


def test_the_page_loads_nothing_and_runs_nothing(page, document):
    """A mistake's words are text, whatever they are."""
    source = kill_matrix.render(document)
    assert not page.all("script") and "url(" not in source and not CONTROL.search(source)
    assert "alert('x')" in page.all("main")[0]["text"]


def test_the_table_says_what_the_picture_shows(page):
    """For those who can't see it: each implementation with what caught it."""
    rows = {row["text"].split()[0]: " ".join(row["text"].split()) for row in page.all("tr") if "tbody" in row["within"]}
    assert rows["run-late"] == "run-late late NUM-ORACLE FAIL RUN-RESET missed it"
    assert rows["good-native"] == "good-native none: a good one NUM-GOLDEN TIMEOUT, undeclared"
    assert set(rows) == {entry.id for entry in ENTRIES}
