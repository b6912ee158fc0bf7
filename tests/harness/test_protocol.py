"""Protocol 1, met by partners that keep it and by partners that go wrong in one way each."""

from __future__ import annotations

import gc
import json
import os
import re
import shlex
import sys
import time
from pathlib import Path

import jsonschema_rs
import numpy as np
import pytest

from rtconform.harness.implementations import (
    BadConnection,
    Crashed,
    Exited,
    ImplementationError,
    LoaderSession,
    ProtocolViolation,
    Raised,
    Refused,
    TimedOut,
    connect,
    remote,
    wire,
)
from rtconform.harness.implementations.client import Client, signal_name
from rtconform.harness.implementations.errors import GivenUp
from rtconform.harness.implementations.host import SAMPLES
from rtconform.harness.implementations.remote import RemoteSession

STRANGERS = Path(__file__).with_name("strangers")
SHORT = 0.5
PLENTY = 60.0
ONE_FRAME = np.ones((1, 1), np.float32)

linux_only = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads /proc")


def command(fault: str, op: str) -> list[str]:
    return [sys.executable, str(STRANGERS / "misbehaving.py"), fault, op]


def greeted(fault: str, op: str, *, timeout: float = PLENTY) -> Client:
    """A partner that goes wrong at `op`, past hello; `timeout` holds from then on."""
    client = Client(command(fault, op), who="misbehaving", timeout=PLENTY)
    try:
        client.hello("loader")
    except ImplementationError:
        client.abandon()
        raise
    client.timeout = timeout
    return client


def talk(fault: str, op: str, *, timeout: float = PLENTY) -> LoaderSession:
    """A whole conversation with a partner that goes wrong at `op`; returns the session when nothing was noticed."""
    with RemoteSession(greeted(fault, op, timeout=timeout)) as session, session.load("model.json") as model:
        model.process(ONE_FRAME)
        model.reset()
    return session


def failure(fault: str, op: str, *, timeout: float = PLENTY) -> ImplementationError:
    """What such a conversation raises."""
    with pytest.raises(ImplementationError) as caught:
        talk(fault, op, timeout=timeout)
    return caught.value


def children() -> set[int]:
    lists = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(pid) for listed in lists for pid in listed.read_text().split()}


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.fixture(autouse=True)
def _nothing_is_left_over():
    """Every test here ends with the child processes and the open files that it began with."""
    if not Path("/proc/self/fd").is_dir():
        yield
        return
    gc.collect()  # or a file that another module's test forgot is closed in the middle of this one
    processes, files = children(), len(os.listdir("/proc/self/fd"))
    yield
    assert children() == processes
    assert len(os.listdir("/proc/self/fd")) == files


def test_who_is_given_up_is_told_how_long_it_was_waited_for():
    """Each time, since not all that is asked may take the same."""
    error = GivenUp(who="mine", seconds=300.0, waited=(20.0, 300.0))
    assert str(error) == "mine was not tried: it gave no reply 2 times before, within 20 s and 300 s"


class TestProcessesThatEnd:
    def test_an_abort_is_a_crash_with_its_signal(self):
        """A partner that aborts is reported with the signal, its last words, and its command."""
        error = failure("abort", "load")
        assert isinstance(error, Crashed)
        assert (error.signal, error.op, error.who) == ("SIGABRT", "load", "misbehaving")
        assert "assertion failed: weights != NULL" in str(error)
        assert error.command.startswith(sys.executable)

    def test_a_crash_keeps_the_requests_that_led_to_it(self):
        """The requests of a crashed conversation are kept, so that the same can be sent again."""
        error = failure("abort", "process")
        assert [json.loads(line)["op"] for line in error.requests] == ["hello", "load", "prepare", "process"]
        assert json.loads(json.dumps(error.evidence))["requests"] == list(error.requests)

    def test_a_crash_at_the_goodbye_is_a_crash(self):
        """A partner that dies while it cleans up does not pass for one that ended well."""
        assert failure("abort", "quit").op == "quit"

    def test_an_exit_code_after_the_goodbye_counts(self):
        """A partner that says goodbye and then ends with another code than 0 did not end well."""
        error = failure("exit-after-reply", "quit")
        assert isinstance(error, Exited) and error.returncode == 3

    def test_what_is_said_after_the_goodbye_is_noise(self):
        """No reply is left that it could be mistaken for."""
        assert talk("farewell", "quit").noise == [("quit", "good\nbye")]

    def test_a_shell_that_reports_a_signal_is_a_crash(self):
        """Exit code 128 + n is how a shell passes on signal n."""
        error = failure("shell-crash", "load")
        assert isinstance(error, Crashed) and error.signal == "SIGSEGV"

    def test_an_exit_is_told_apart_from_a_crash(self):
        """A partner that calls exit in the middle is reported as such, with the code."""
        error = failure("exit", "process")
        assert isinstance(error, Exited) and error.returncode == 3
        assert "ended the process in process: exit code 3" in str(error)

    def test_an_exit_with_code_0_in_the_middle_is_no_success(self):
        """An exit code of 0 does not excuse a missing reply."""
        assert isinstance(failure("quiet-exit", "load"), Exited)

    @pytest.mark.parametrize(
        ("code", "name"),
        [(-6, "SIGABRT"), (139, "SIGSEGV"), (1, ""), (128, ""), (255, ""), (0xC0000005, "exception 0xc0000005")],
    )
    def test_signals_are_read_from_exit_statuses(self, code: int, name: str):
        """Negative statuses, a shell's 128 + n and Windows' exceptions are signals; the others are exit codes."""
        assert signal_name(code) == name


class TestProcessesThatHang:
    @pytest.mark.parametrize("op", ["load", "process", "quit"])
    def test_a_hang_is_a_timeout_at_any_operation(self, op: str):
        """A partner that says nothing is stopped after the time that was given."""
        error = failure("hang", op, timeout=SHORT)
        assert isinstance(error, TimedOut)
        assert (error.op, error.seconds) == (op, SHORT)

    def test_a_hang_at_the_greeting_is_a_timeout_of_connect(self, monkeypatch: pytest.MonkeyPatch):
        """A program that never answers is stopped while it is being connected."""
        monkeypatch.setattr(remote, "START_SECONDS", SHORT)
        with pytest.raises(TimedOut, match=r"no reply to hello within 0\.5 s"):
            connect("cmd:" + shlex.join(command("hang", "hello")), "loader", timeout=SHORT)

    def test_a_partner_that_stops_reading_is_a_timeout(self):
        """A request larger than a pipe does not block us when nobody reads it."""
        client = greeted("deaf", "load", timeout=SHORT)
        client.request("load", {"path": "model.json"})
        with pytest.raises(TimedOut):
            client.request("train", {"config": {"note": "x" * 1_000_000}, "out_dir": "out"})

    @linux_only
    def test_what_a_partner_started_goes_with_it(self):
        """A partner's own children don't outlive it, nor do they hide its end by holding its output open."""
        error = failure("abort-with-children", "load")
        assert isinstance(error, Crashed)
        (pid,) = re.findall(r"child (\d+)", error.stderr)
        deadline = time.monotonic() + 5
        while is_running(int(pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not is_running(int(pid))

    def test_an_exception_in_the_middle_ends_the_process_without_waiting(self):
        """Leaving a session by an exception never waits for a partner that hangs, and the exception stays as it was."""
        client = greeted("hang", "quit", timeout=600)
        with pytest.raises(ZeroDivisionError), RemoteSession(client):
            raise ZeroDivisionError


class TestAnswersThatAreNotTheProtocol:
    @pytest.mark.parametrize(
        ("fault", "op", "found"),
        [
            ("noise", "load", "a line that is not JSON"),
            ("flood", "load", "a line that is not JSON"),
            ("not-utf8", "load", "bytes that are not UTF-8"),
            ("nan", "process", "NaN, which is not JSON"),
            ("array-not-object", "load", "JSON that is no object but list"),
            ("half-a-line", "load", "half a line, then the end"),
            ("wrong-seq", "load", "seq 3"),
            ("other-version", "hello", "protocol 2"),
            ("other-role", "hello", "the role trainer"),
            ("missing-field", "load", '"model" is a required property'),
            ("too-few-outputs", "process", "float32 of shape [0, 1]"),
            ("short-data", "process", "3 bytes of data for shape [1, 1], which takes 4"),
            ("not-base64", "process", "data that is not base64"),
        ],
    )
    def test_each_departure_is_named(self, fault: str, op: str, found: str):
        """Each way of breaking the protocol is a violation that says what was found and during which operation."""
        error = failure(fault, op)
        assert isinstance(error, ProtocolViolation)
        assert error.op == op
        assert found in error.found
        assert f"found:    {error.found}" in str(error) and "expected: " in str(error)

    @pytest.mark.parametrize(
        ("fault", "found"), [("no-newline", "half a line, and no more"), ("closed-output", "closed")]
    )
    def test_a_reply_that_never_ends_is_a_violation_too(self, fault: str, found: str):
        """A partner that stays alive but never finishes its line is told so, and not that it is slow."""
        error = failure(fault, "load", timeout=SHORT)
        assert isinstance(error, ProtocolViolation) and found in error.found

    def test_the_line_at_fault_is_shown(self):
        """What came instead of a reply is in the message."""
        assert "the line: loading weights…" in str(failure("noise", "load"))

    def test_a_conversation_that_broke_stays_broken(self):
        """After a failure every further request raises the same failure instead of a new riddle."""
        session = RemoteSession(greeted("noise", "load"))
        with pytest.raises(ProtocolViolation) as first:
            session.load("model.json")
        with pytest.raises(ProtocolViolation) as second:
            session.load("model.json")
        session.close()
        assert first.value is second.value


class TestAnswersThatGoOn:
    def test_an_internal_error_is_no_refusal(self):
        """The phase "internal" says that the implementation failed."""
        error = failure("internal", "load")
        assert isinstance(error, Raised)
        assert str(error) == "misbehaving raised OSError in load: disk on fire"

    def test_noise_that_a_host_caught_is_collected_and_stops_nothing(self):
        """What a library prints inside rtc-host is noted with its operation."""
        assert talk("host-noise", "process").noise == [("process", "printed by the library")]

    def test_a_refusal_leaves_the_conversation_usable(self, tmp_path: Path):
        """After a refused file the same process can load a good one."""
        missing, good = tmp_path / "missing.json", tmp_path / "good.json"
        layer = {"type": "dense", "shape": [None, 1], "weights": [[[2.0]], [1.0]]}
        good.write_text(json.dumps({"in_shape": [None, 1], "layers": [layer]}))
        with connect(f"cmd:{sys.executable} {STRANGERS / 'stdio_loader.py'}", "loader").open() as session:
            with pytest.raises(Refused) as refused:
                session.load(missing)
            assert refused.value.phase == "read"
            assert session.load(good).process(ONE_FRAME) == [[3.0]]

    def test_a_request_that_the_protocol_lacks_is_not_sent(self):
        """Requests are checked on this side as well."""
        client = greeted("none", "none")
        with pytest.raises(ValueError, match="is a required property"):
            client.request("load", {})
        with pytest.raises(ValueError, match="no request sing"):
            client.request("sing")
        client.close()


class TestStarting:
    def test_a_program_that_is_missing_is_a_bad_connection(self):
        """A program that doesn't exist is the caller's mistake."""
        with pytest.raises(BadConnection, match="none called no-such-program"):
            connect("cmd:no-such-program --flag", "loader")

    def test_a_file_that_is_no_program_is_a_bad_connection(self, tmp_path: Path):
        """A file that the system can't execute is told with the system's reason."""
        script = tmp_path / "script"
        script.write_bytes(b"\x7fELF and nothing more")
        script.chmod(0o755)
        with pytest.raises(BadConnection, match="a program that can be started"):
            connect(f"cmd:{script}", "loader")


class TestMessages:
    @pytest.mark.parametrize("shape", [(0, 3), (1, 1), (7, 5)])
    def test_arrays_survive_the_wire_bit_by_bit(self, shape: tuple[int, int]):
        """What is encoded comes back with the same bits, NaN and negative zero included."""
        values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        values[:1, :1] = np.nan
        values[:1, -1:] = -0.0
        message = wire.decode(wire.encode({"array": wire.array_to_wire(values)}))
        assert wire.array_from_wire(message["array"]).tobytes() == values.tobytes()

    def test_a_message_with_nan_cannot_be_sent(self):
        """JSON has no word for NaN, so none goes out."""
        with pytest.raises(ValueError, match="JSON compliant"):
            wire.encode({"value": float("nan")})

    def test_every_definition_of_the_schema_is_a_schema(self):
        """The published schema is valid under its own dialect, and has a reply for every request."""
        schema = json.loads(wire.SCHEMA.read_text())
        jsonschema_rs.meta.validate(schema)
        names = set(schema["$defs"])
        requests = {name.removeprefix("request-") for name in names if name.startswith("request-")}
        assert requests == {name.removeprefix("reply-") for name in names if name.startswith("reply-")}

    def test_the_published_schema_and_the_checks_agree(self):
        """A message that the client accepts is valid under the whole schema, and a spoilt one under neither."""
        whole = jsonschema_rs.Draft202012Validator(json.loads(wire.SCHEMA.read_text()))
        good = {"seq": 4, "op": "process", "model": 1, "frames": wire.array_to_wire(ONE_FRAME)}
        spoilt = good | {"frames": {"shape": [1], "data": ""}}
        assert wire.fault(good, "request-process") is None and whole.is_valid(good)
        assert "less than 2 items" in (wire.fault(spoilt, "request-process") or "") and not whole.is_valid(spoilt)

    def test_long_lists_are_checked_to_their_end(self):
        """One of many measurements is of the wrong kind."""
        times = {name: [1] * 100_000 for name in SAMPLES}
        reply = {"seq": 1, "ok": True, "priority": "ordinary", "outputs": {}, **times}
        assert wire.fault(reply, "reply-measure_latency") is None
        assert wire.fault(reply | {"wall_ns": [*[1] * 99_999, "fast"]}, "reply-measure_latency")
