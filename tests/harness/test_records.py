"""The record stream: what is written can be read, keeps its published form, and a broken one says so."""

import json

import jsonschema_rs
import pytest

from rtconform.harness import records
from rtconform.harness.verdicts import Verdict

from .sample_run import build, result

SCHEMA = json.loads(records.SCHEMA_FILE.read_text(encoding="utf-8"))
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)


@pytest.fixture
def stream(tmp_path):
    """A run with every verdict and every kind of measurement."""
    return build(tmp_path) / records.STREAM_NAME


@pytest.fixture
def lines(stream):
    """Its records, by their first occurrence: {"header": …, "result": …, …}, measurements by kind."""
    first = {}
    for line in stream.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        first.setdefault(record.get("kind", record["record"]), record)
    return first


def test_the_schema_is_a_schema():
    """It is valid JSON Schema 2020-12, and its verdicts are ours."""
    jsonschema_rs.meta.validate(SCHEMA)
    assert SCHEMA["$defs"]["verdict"]["enum"] == [verdict.value for verdict in Verdict]


def test_every_line_of_a_run_keeps_the_schema(stream):
    """Header, identities, measurements of all kinds, results with all verdicts, footer."""
    written = stream.read_text(encoding="utf-8").splitlines()
    assert {json.loads(line).get("verdict") for line in written} >= {verdict.value for verdict in Verdict}
    for line in written:
        VALIDATOR.validate(json.loads(line))


def test_the_schema_misses_no_key(lines):
    """A record without any one of its keys is refused, and so is one with a key too many."""
    for record in lines.values():
        for key in record:
            assert not VALIDATOR.is_valid({name: value for name, value in record.items() if name != key}), key
        if record["record"] != "measurement":
            assert not VALIDATOR.is_valid({**record, "surplus": 1})


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("result", {"verdict": "MAYBE"}),
        ("result", {"level": "MAY"}),
        ("result", {"duration_s": -1}),
        ("result", {"found": None}),
        ("header", {"schema": 2}),
        ("header", {"seed": 1.5}),
        ("footer", {"exit_code": 4}),
        ("footer", {"standings": {"mine": {"numerics": "FINE"}}}),
        ("footer", {"counts": {"MAYBE": 1}}),
        ("error", {"error_in_budgets": "large"}),
        ("latency", {"wall_ns": []}),
        ("memory", {"live_bytes": "4 MB"}),
        ("training", {"constant_loss": None}),
    ],
)
def test_the_schema_refuses_wrong_values(lines, kind, change):
    """One wrong value in an otherwise good record."""
    assert VALIDATOR.is_valid(lines[kind])
    assert not VALIDATOR.is_valid({**lines[kind], **change})


def test_a_run_reads_back_as_it_was_written(tmp_path):
    """From the folder or the file, results in their order."""
    results = [result("RUN-RESET", "mine", verdict="FAIL", found="ä \u2028 \x1b"), result("RUN-BLOCKS", "mine")]
    folder = build(tmp_path, results)
    run = records.read(folder)
    assert [{"record": "result", **fields} for fields in results] == list(run.results)
    assert run == records.read(folder / records.STREAM_NAME)
    assert run.footer["exit_code"] == 1
    assert [outcome.verdict for outcome in run.outcomes] == [Verdict.FAIL, Verdict.PASS]


def test_a_name_that_is_no_unicode_can_be_recorded(tmp_path):
    """File names and output of other programs hold lone surrogates where their bytes are not UTF-8."""
    folder = build(tmp_path, [result("RUN-RESET", "mine", found="caf\udce9.json")])
    assert records.read(folder).results[0]["found"] == "caf\udce9.json"


def test_numbers_that_json_cannot_hold_are_refused(tmp_path):
    """A NaN in a record would make the line no JSON."""
    with pytest.raises(ValueError, match="JSON"):
        build(tmp_path, [result("RUN-RESET", "mine", evidence={"got": float("nan")})])


def test_a_missing_stream_says_what_to_do(tmp_path):
    """The message names the place and the command that makes one."""
    with pytest.raises(records.InvalidStream, match="rtconform run") as caught:
        records.read(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("lost", [0, -1], ids=["header", "footer"])
def test_a_stream_without_header_or_footer_is_no_run(stream, lost):
    """A run that was killed leaves no footer, and its results stand for nothing."""
    kept = stream.read_text(encoding="utf-8").splitlines(keepends=True)
    del kept[lost]
    stream.write_text("".join(kept), encoding="utf-8")
    with pytest.raises(records.InvalidStream, match="did not end"):
        records.read(stream)


@pytest.mark.parametrize("line", ["{", "[]", "{}", "NaN", ""])
def test_a_line_that_is_no_record_is_named(stream, line):
    """By its number."""
    kept = stream.read_text(encoding="utf-8").splitlines()
    kept[2] = line
    stream.write_text("\n".join(kept), encoding="utf-8")
    with pytest.raises(records.InvalidStream, match="line 3"):
        records.read(stream)


def test_a_stream_of_another_version_is_refused(stream):
    """With the version that was found."""
    stream.write_text(stream.read_text(encoding="utf-8").replace('"schema": 1', '"schema": 7'), encoding="utf-8")
    with pytest.raises(records.InvalidStream, match="found 7"):
        records.read(stream)
