"""The reports: one record stream, read for a browser, a terminal, a CI system and a pull request."""

import re
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from rtconform.harness import report
from rtconform.harness.records import InvalidStream, read
from rtconform.harness.report import junit, markdown, terminal
from rtconform.harness.report.text import visible
from rtconform.harness.verdicts import Verdict

from .sample_run import CRASH, LOADERS, MODELS, NASTY, SMALL, build, result, varied_results

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
VOID = {"meta", "input", "br", "col", "link", "img"}


class Page(HTMLParser):
    """The elements of a page, each with its attributes and the text of all that is within."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {[element['tag'] for element in self.open]}"

    def handle_starttag(self, tag, attrs):
        table = next((outer for outer in reversed(self.open) if outer["tag"] == "table"), None)
        within = [outer["tag"] for outer in self.open]
        element = {"tag": tag, "text": "", "within": within, "table": table, **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag
        self.handle_data(" " if tag in ("td", "th", "dt", "dd") else "")

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag, css_class=None):
        return [
            e
            for e in self.elements
            if e["tag"] == tag and (not css_class or css_class in (e.get("class") or "").split())
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run with every verdict and every kind of measurement, and its reports."""
    folder = build(tmp_path_factory.mktemp("run"))
    report.write_all(folder)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    return read(folder)


@pytest.fixture(scope="module")
def source(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def junit_of(folder):
    return ET.parse(folder / "junit.xml").getroot()  # noqa: S314 (written here a moment ago)


def words(text):
    return " ".join(text.split())


class TestThePage:
    """report.html."""

    def test_needs_nothing_from_elsewhere(self, page, source):
        """No address, no import, no file: links lead into the page itself, which a policy enforces."""
        assert all(element["href"].startswith("#") for element in page.elements if "href" in element)
        assert not [
            element for element in page.elements if "src" in element or element["tag"] in ("link", "iframe", "object")
        ]
        assert "url(" not in source
        assert "@import" not in source
        assert "default-src 'none'" in source

    def test_shows_what_implementations_say_and_runs_none_of_it(self, page, source):
        """HTML is text, and controls are escapes."""
        assert len(page.all("script")) == 1
        assert words(visible(NASTY)) in words(page.all("main")[0]["text"])
        assert not CONTROL.search(source)

    def test_links_lead_somewhere(self, page):
        """Every id is there once, and every link has one."""
        ids = [element["id"] for element in page.elements if "id" in element]
        assert len(ids) == len(set(ids))
        assert {element["href"][1:] for element in page.elements if "href" in element} <= set(ids)

    def test_names_its_tables_columns_and_rows(self, page):
        """Each header cell says what it is the header of."""
        assert all(element.get("scope") for element in page.all("th"))
        tables = page.all("table")
        assert tables
        assert all(any(cell["table"] is table for cell in page.all("th")) for table in tables)

    def test_says_where_the_run_comes_from(self, page):
        """Machine, seed, versions; compiler, flags and source hash of each implementation."""
        said = words(page.all("header")[0]["text"] + page.all("main")[0]["text"])
        for fact in (
            "20250401",
            "rtconform 0.1.0",
            "requirements 1.0",
            "g++ 12.2.0",
            "-march=x86-64-v3",
            "5f0c3a77e1b2d9a4",
        ):
            assert fact in said

    def test_has_the_matrix_with_the_worst_of_the_cases(self, page):
        """A cell has a word, how many cases it stands for, and a link to the evidence unless all passed."""
        row = next(row for row in page.all("tr") if row["text"].strip().startswith("NUM-ORACLE"))
        assert words(row["text"]).endswith("✓ PASS 10 cases ✓ PASS 10 cases ✗ FAIL 2 of 10 cases")
        cells = [e for e in page.elements if "cell" in (e.get("class") or "").split()]
        said = {words(cell["text"]).replace("\xad", "").partition(" ")[2]: cell["tag"] for cell in cells}
        assert {verdict for verdict in Verdict if any(text.startswith(verdict.value) for text in said)} == set(Verdict)
        assert all((tag == "span") == text.startswith("PASS") for text, tag in said.items())

    def test_tells_all_about_a_failure(self, page):
        """The sentence, why, the bad place with its neighbours, the seed, and commands to copy."""
        article = next(e for e in page.all("article") if "NUM-ORACLE" in e["text"])
        said = words(article["text"])
        for part in (
            "Every output of every frame MUST equal",
            "Why: Gates in another order",
            "0.418273616 0.439003766 8123 695611",
            "1 18 1.8",
            "20250401",
            "nan inf inf",
        ):
            assert part in said
        commands = [element["text"] for element in page.all("pre", "command")]
        assert any("--only 'NUM-ORACLE[mine-lstm]'" in command for command in commands)
        assert CRASH["gdb"] in commands

    def test_gives_the_reason_of_a_known_failure(self, page):
        """Without anything to open first."""
        reasons = [words(element["text"]) for element in page.all("p", "reason")]
        assert "Known failure: RTNeural skips layers that it does not know; reported upstream <#42>" in reasons

    def test_draws_each_model_on_each_loader(self, page):
        """A row with a picture per model and loader, and a word where the budget is broken."""
        pictures = [svg["aria-label"] for svg in page.all("svg") if "of the budget" in svg.get("aria-label", "")]
        assert len(pictures) == len(LOADERS) * (2 * len(MODELS) + len(SMALL))
        assert "inf of the budget" in pictures
        assert [words(e["text"]) for e in page.all("span", "over-word")] == [*["over"] * 5, "late", "over", "over"]

    def test_can_be_made_of_a_run_without_results(self, tmp_path):
        """A run that was given nothing to judge."""
        report.write_all(build(tmp_path, []))
        assert "NOT JUDGED" in (tmp_path / "report.html").read_text(encoding="utf-8")


class TestTheTerminal:
    """The text at the end of a run."""

    @pytest.fixture(autouse=True)
    def plain_terminal(self, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.delenv("NO_COLOR", raising=False)

    def test_ends_with_the_verdict_and_the_place_of_the_report(self, folder):
        """The last two things that stand on the screen."""
        said = report.summarise(folder)
        verdict, _, place = said.rpartition("\nReport: ")
        assert place == str(folder / "report.html")
        assert "\nFAILED: 1 fault of the suite, 1 crash, 1 timeout, 4 failures" in verdict

    def test_fits_eighty_columns_without_colour_and_controls(self, folder, monkeypatch):
        """Also where an implementation sends escape sequences."""
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        said = report.summarise(folder, colour=False)
        assert max(map(len, said.splitlines()[:-1])) <= 80
        assert not CONTROL.search(said.replace("\n", ""))

    def test_says_the_same_with_colour(self, folder):
        """Colour adds nothing that is not in the words."""
        coloured = report.summarise(folder, colour=True)
        assert "\x1b[" in coloured
        plain = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).splitlines()]
        assert plain == report.summarise(folder, colour=False).splitlines()

    @pytest.mark.parametrize(
        ("terminal_there", "variables", "wanted"),
        [(True, {}, True), (False, {}, False), (True, {"NO_COLOR": "1"}, False), (True, {"TERM": "dumb"}, False)],
    )
    def test_is_coloured_only_where_colour_is_wanted(self, monkeypatch, terminal_there, variables, wanted):
        """A terminal, no NO_COLOR, and not a dumb one."""
        monkeypatch.setenv("TERM", "xterm")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdout.isatty", lambda: terminal_there, raising=False)
        assert terminal.wants_colour() is wanted

    def test_has_counts_failures_and_figures(self, folder):
        """Standing per class, each failure in a line, errors in both units, rounding, percentiles, memory."""
        said = words(report.summarise(folder))
        for part in (
            "numerics NOT CONFORMANT 2 failures, 44 passes, 1 skip",
            "AS EXPECTED (1 known failure)",
            "CRASH RUN-BUFFERS[mine]: mine crashed in process: SIGSEGV …",
            "p50 p99.9 max late of fits buffer",
            "inf inf OVER",
            "chords (0.02) notes (0.05) emotion (0.02)",
            "mine 0.05 OVER 0.12 OVER 0.05 OVER",
            "5.06 MiB 9.60 MiB 4.00 MiB OVER",
            "and 3 other models, at most 0.",
        ):
            assert part in said

    def test_shows_the_first_twenty_failures(self, tmp_path):
        """A line each, however many cases one has; and says how many more there are."""
        failed = [
            result("RUN-RESET", f"loader{n}", case, "FAIL", found="differs")
            for n in range(23)
            for case in ("a", "b", "c")
        ]
        said = report.summarise(build(tmp_path, failed))
        assert "Unexpected (69 results; +n: so many other cases)" in said
        assert said.count("-a] +2: differs") == 20
        assert "and 3 more, in the report" in said


class TestJUnit:
    """junit.xml."""

    def test_gives_each_verdict_its_element(self, folder):
        """What could not be judged is an error; what is wrong is a failure; what is expected is skipped."""
        expected = {
            "FAIL": "failure",
            "XPASS": "failure",
            "CRASH": "error",
            "TIMEOUT": "error",
            "INCONCLUSIVE": "error",
            "NOT AVAILABLE": "error",
            "SUITE ERROR": "error",
            "SKIP": "skipped",
            "XFAIL": "skipped",
        }
        root = junit_of(folder)
        found = {child.get("type"): child.tag for case in root.iter("testcase") for child in case}
        assert found == expected
        assert {verdict.value for verdict in junit.ELEMENTS} == set(expected)

    def test_counts_what_it_holds(self, folder, run):
        """In each suite and in all."""
        root = junit_of(folder)
        assert len(list(root.iter("testcase"))) == int(root.get("tests")) == len(run.results)
        for element in (root, *root.iter("testsuite")):
            for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                assert int(element.get(attribute)) == len(list(element.iter(tag)))

    def test_holds_any_message(self, folder):
        """Characters that XML can't hold are escapes, and the command is there."""
        root = junit_of(folder)
        text = next(e.text for e in root.iter("failure") if "LDR-REJECT-FOREIGN" in e.text)
        assert visible(NASTY) in text
        assert "--only 'LDR-REJECT-FOREIGN[mine]'" in text


class TestMarkdown:
    """summary.md."""

    def test_says_the_verdict_first(self, folder):
        """As its heading."""
        assert (
            (folder / "summary.md")
            .read_text(encoding="utf-8")
            .startswith("## rtconform: FAILED\n\n1 fault of the suite")
        )

    def test_lets_no_message_out_of_its_place(self):
        """No HTML, no mention, no border of a table, no end of a block of code."""
        said = markdown.plain("<b> @someone #1 a|b `x` https://x.y\nz")
        assert said == r"&lt;b&gt; \@someone \#1 a\|b \`x\` https:\/\/x.y z"
        assert markdown.code("a|`b``c") == "```a\\|`b``c```"
        assert markdown.code("`a") == "`` `a ``"
        assert markdown.fenced("```\nx").startswith("````text\n") and markdown.fenced("```\nx").endswith("\n````")

    def test_fits_into_a_comment(self, tmp_path):
        """GitHub takes 65,536 characters; the rest is in the report."""
        failed = [
            result(one["requirement"], f"loader{n}", "", "FAIL", found="x" * 5000)
            for n in range(6)
            for one in varied_results()
            if one["role"] == "loader" and one["case"] in ("", "dense")
        ]
        report.write_all(build(tmp_path, failed))
        said = (tmp_path / "summary.md").read_text(encoding="utf-8")
        assert len(said) < 65_536
        assert "more are in the report" in said


def test_reports_of_a_run_that_did_not_end_are_refused(tmp_path):
    """There is nothing to say about half a run."""
    stream = build(tmp_path) / "records.jsonl"
    stream.write_text("".join(stream.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    with pytest.raises(InvalidStream):
        report.write_all(tmp_path)
    assert not (tmp_path / "report.html").exists()
