"""rtc-host, driven by raw lines of JSON."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from queue import Empty

import numpy as np
import pytest

from . import raw_host
from .raw_host import FAULTY, Ended, Host, needs_host, noise, packed, running, section

pytestmark = needs_host


class TestConversation:
    def test_hello_says_what_the_loader_declares(self, host: Host) -> None:
        """The implementation's identity comes from rtc_loader, the build info from its extension."""
        reply = host.do("hello", protocol=1)
        implementation = reply["implementation"]
        assert reply["protocol"] == 1
        assert implementation.pop("build")["compiler"].startswith("g++ ")
        assert implementation == {
            "name": "good-native",
            "version": "1.0",
            "role": "loader",
            "numeric_class": "f32",
            "layer_types": ["dense", "time-distributed-dense", "lstm", "conv1d", "activation"],
            "features": ["measure"],
        }

    def test_another_protocol_is_refused(self, host: Host) -> None:
        """A suite that speaks another protocol learns which one this is."""
        assert "speaks protocol 1" in host.ask("hello", protocol=2)["error"]["message"]

    def test_quit_ends_with_zero(self, host: Host) -> None:
        """The reply to quit is the last; the process ends well."""
        host.do("quit")
        assert host.process.wait(60) == 0

    def test_end_of_input_ends_with_zero(self, host: Host) -> None:
        """A parent that goes away takes its host with it."""
        host.process.stdin.close()
        assert host.process.wait(60) == 0

    def test_wrong_arguments_are_a_usage_error(self) -> None:
        """Without a library there is one line of help and exit status 2."""
        ended = subprocess.run([raw_host.FOLDER / "rtc-host"], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (
            2,
            "usage: rtc-host --library PATH [--loader NAME | --pipeline NAME] [--padding BYTES]\n",
        )

    @pytest.mark.parametrize(
        ("library", "loader", "message"),
        [
            (Path("nowhere.so"), None, "can't be opened"),
            (FAULTY, "nobody", 'no loader named "nobody"; it has: good-native, ldr-crashes'),
            (FAULTY, None, "several loaders; choose one of: good-native"),
        ],
    )
    def test_a_library_that_cannot_be_used(self, library: Path, loader: str | None, message: str) -> None:
        """Every request but quit is answered with the reason, under the phase config."""
        with running(library, loader) as host:
            for error in (host.ask("hello", protocol=1)["error"], host.ask("load", path="x")["error"]):
                assert (error["phase"], error["class"]) == ("config", "LibraryError")
                assert message in error["message"]
            host.do("quit")


class TestBadRequests:
    FRAMES = packed(np.zeros((2, 3), np.float32))

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("", "isn't a line of JSON"),
            ("{", "isn't a line of JSON"),
            ("[]", "must be a JSON object"),
            ('{"op":"hello","protocol":1}', '"seq" of the request is missing'),
            ('{"seq":"1","op":"hello","protocol":1}', '"seq" of the request: expected an integer'),
            ('{"seq":1}', '"op" of the request is missing'),
            ('{"seq":1,"op":7}', '"op" of the request: expected a string, found 7'),
            ('{"seq":1,"op":"fly"}', 'Unknown operation "fly"'),
            ('{"seq":1,"op":"load"}', '"path" of the request "load" is missing'),
            ('{"seq":1,"op":"load","path":null}', "expected a string, found null"),
            ('{"seq":1,"op":"load","path":"a\\u0000b"}', "without NUL characters"),
            ('{"seq":1,"op":"load","pth":"x"}', 'Unknown field "pth" of the request "load"; known are "path"'),
            ('{"seq":1,"op":"reset","model":99}', "There is no model 99; loaded are: 1."),
            ('{"seq":1,"op":"reset","model":-1}', "expected an integer from 0 to"),
            ('{"seq":1,"op":"prepare","model":1,"max_frames":4097}', "from 1 to 4096, found 4097"),
            ('{"seq":1,"op":"watch","sections":[]}', "a list that isn't empty, found []"),
            ('{"seq":1,"op":"watch","sections":[{}]}', '"model" of sections[0] of the request "watch" is missing'),
            ('{"seq":1,"op":"watch","sections":[{"model":1,"blocks":7}]}', "a list that isn't empty, found 7"),
            ('{"seq":1,"op":"watch","sections":[{"model":1,"blocks":[]}]}', "a list that isn't empty, found []"),
            ('{"seq":1,"op":"watch","sections":[{"model":1,"blocks":[0,4097]}]}', "from 0 to 4096, found 4097"),
            ('{"seq":1,"op":"measure_memory","paths":[1]}', "a list of strings"),
            ('{"seq":1,"op":"measure_memory","paths":["x"]}', "unload all models first"),
            # pytest puts the id of a test into the environment, which holds no 400,000 characters.
            pytest.param(
                '{"seq":1,"op":' + "[" * 200_000 + "]" * 200_000 + "}",
                "expected a string, found a value of type array",
                id="deeply-nested",
            ),
        ],
    )
    def test_a_bad_line_is_answered_and_forgotten(self, host: Host, path: Path, line: str, message: str) -> None:
        """The reply says what was expected and found, under the phase internal, and the next request is served."""
        host.loaded(path)
        error = host.line(line)["error"]
        assert message in error["message"]
        assert (error["phase"], error["class"]) == ("internal", "BadRequest")
        host.do("environment", at_start=False)

    def test_blocks_to_watch_add_up_to_their_frames(self, host: Host, path: Path) -> None:
        """Neither is a frame left out, nor one read that isn't there."""
        given = section(host.loaded(path), noise(9, 3), [4])
        for blocks, total in (([4, 4], 8), ([4, 0, 6], 10)):
            error = host.ask("watch", sections=[given, {**given, "blocks": blocks}])["error"]
            assert 'sections[1] of the request "watch": expected sizes that add up to the 9 frames' in error["message"]
            assert f"found a sum of {total}." in error["message"]

    @pytest.mark.parametrize(
        ("frames", "message"),
        [
            (7, "expected an object, found 7"),
            ({"shape": [2, 3]}, '"data" of "frames" of the request "process" is missing'),
            ({**FRAMES, "shape": [2]}, "expected [frames, channels], found [2]"),
            ({**FRAMES, "shape": [2, -3]}, "expected [frames, channels], found [2,-3]"),
            ({**FRAMES, "shape": [1 << 40, 1 << 40]}, "expected [frames, channels]"),
            ({**FRAMES, "shape": [3, 3]}, "expected 36 bytes for the shape [3,3], found 24 bytes"),
            ({**FRAMES, "data": "AAA"}, "multiple of 4"),
            ({**FRAMES, "data": "AA*A"}, "character 2 isn't a base64 digit"),
            ({"shape": [0, 3], "data": "===="}, "isn't a base64 digit"),
            (packed(np.zeros((2, 4), np.float32)), "expected the shape [frames, 3], found [2, 4]"),
            (packed(np.zeros((65, 3), np.float32)), "blocks of up to 64 frames, found 65"),
        ],
    )
    def test_bad_frames_are_refused(self, host: Host, path: Path, frames: object, message: str) -> None:
        """No array that doesn't fit reaches the library."""
        model = host.loaded(path)
        error = host.ask("process", model=model, frames=frames)["error"]
        assert message in error["message"]
        assert error["class"] == "BadRequest"

    def test_calls_out_of_order_are_refused(self, host: Host, path: Path) -> None:
        """loader.h promises a loader that prepare comes first, and once."""
        model = host.do("load", path=str(path))["model"]
        assert "call prepare before reset" in host.ask("reset", model=model)["error"]["message"]
        assert "call prepare before process" in host.ask("process", model=model, frames=self.FRAMES)["error"]["message"]
        host.do("prepare", model=model, max_frames=2)
        assert "prepare is called once" in host.ask("prepare", model=model, max_frames=2)["error"]["message"]


class TestModels:
    def test_outputs_are_those_of_the_model(self, host: Host, path: Path) -> None:
        """Frames in, frames out, state carried from call to call and cleared by reset."""
        frames = noise(43, 3)
        expected = raw_host.expected_outputs(raw_host.recurrent_model(), frames)
        model = host.loaded(path)
        outputs = np.concatenate([host.run(model, block) for block in np.split(frames, [1, 1, 8])])
        assert np.abs(outputs - expected).max() < 1e-6
        host.do("reset", model=model)
        assert np.array_equal(host.run(model, frames), outputs)

    def test_a_refused_file_has_phase_and_path(self, host: Host, tmp_path: Path) -> None:
        """What the loader says about a file comes through whole."""
        file = raw_host.recurrent_model()
        file["layers"][1]["weights"][1].pop()
        error = host.ask("load", path=str(raw_host.written(tmp_path / "short.json", file)))["error"]
        assert error == {
            "phase": "validate",
            "path": "$.layers[1].weights[1]",
            "message": "expected 4 entries, found 3",
            "class": "Refusal",
        }
        assert host.ask("load", path=str(tmp_path / "missing.json"))["error"]["phase"] == "read"
        assert host.ask("load", path=str(raw_host.written(tmp_path / "no", "{")))["error"]["phase"] == "parse"

    def test_an_unloaded_model_is_gone(self, host: Host, path: Path) -> None:
        """Its id names nothing any more and isn't given again."""
        model = host.loaded(path)
        host.do("unload", model=model)
        assert "There is no model 1; loaded are: none." in host.ask("reset", model=model)["error"]["message"]
        assert host.loaded(path) == model + 1


class TestBadLibraries:
    @pytest.mark.parametrize(
        ("loader", "status"),
        [("ldr-crashes", -signal.SIGSEGV), ("ldr-calls-exit", 0), ("ldr-null-activation", -signal.SIGSEGV)],
    )
    def test_a_library_that_ends_the_process(self, tmp_path: Path, loader: str, status: int) -> None:
        """A crash or an exit() in load is the end of the child, and of nothing else."""
        file = raw_host.written(tmp_path / "model.json", raw_host.model(3, raw_host.dense(3, 2, "linear")))
        with running(FAULTY, loader) as host, pytest.raises(Ended) as ended:
            host.ask("load", path=str(file))
        assert ended.value.status == status

    def test_a_library_that_hangs(self, path: Path) -> None:
        """No reply comes; the process can be killed."""
        with running(FAULTY, "ldr-hangs") as host, pytest.raises(Empty):
            host.ask("load", path=str(path), timeout=1.0)

    def test_reading_one_float_too_far_is_a_crash(self, path: Path) -> None:
        """The inputs end where unreadable memory begins, whatever the number of frames."""
        for frames in (0, 1, 7, 64):
            with running(FAULTY, "run-over-read") as host:
                model = host.loaded(path)
                if frames == 0:
                    assert host.run(model, noise(0, 3)).shape == (0, 4)
                    continue
                with pytest.raises(Ended) as ended:
                    host.run(model, noise(frames, 3))
                assert ended.value.status == -signal.SIGSEGV

    def test_what_is_printed_is_kept_out_of_the_protocol(self, path: Path) -> None:
        """It comes with the reply to the operation that made it, and with no other, cut at 200 characters."""
        with running(FAULTY, "run-prints") as host:
            model = host.loaded(path)
            reply = host.do("process", model=model, frames=packed(noise(2, 3)))
            assert reply["noise"] == "processing 2 frames\n"
            assert "noise" not in host.do("reset", model=model)
            many = host.do("watch", sections=[section(model, noise(64, 3), [1])])
            assert many["noise"] == ("processing 1 frames\n" * 64)[:200]

    def test_what_a_destructor_prints_comes_after_the_last_reply(self, path: Path) -> None:
        """Behind the reply to quit, where nothing of the protocol is left to be disturbed."""
        requests = [{"op": "load", "path": str(path)}, {"op": "quit"}]
        lines = "".join(json.dumps({"seq": 1, **request}) + "\n" for request in requests)
        command = [raw_host.FOLDER / "rtc-host", "--library", FAULTY, "--loader", "run-prints-at-exit"]
        ended = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
        assert ended.stdout.splitlines()[2:] == ["goodbye"]

    @pytest.mark.parametrize(
        ("loader", "status", "said"),
        [("process-closes-input", 3, "standard input: Bad file descriptor"), ("process-closes-files", 4, "")],
    )
    def test_a_stream_that_the_library_closed_is_no_good_end(
        self, breaching: Path, loader: str, status: int, said: str
    ) -> None:
        """The exit code says which one; what is closed as well, standard error, says nothing."""
        model = {"seq": 1, "model": 1}
        requests = [
            {"seq": 1, "op": "load", "path": "any"},
            {**model, "op": "prepare", "max_frames": 4},
            {**model, "op": "process", "frames": packed(noise(2, 1))},
        ]
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        command = [raw_host.FOLDER / "rtc-host", "--library", breaching, "--loader", loader]
        ended = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
        assert ended.returncode == status
        assert said in ended.stderr

    @pytest.mark.parametrize(
        ("loader", "message"),
        [
            ("load-throws", "An exception left load()"),
            ("load-without-model", "RTC_OK without a model"),
            ("load-without-phase", "an error with the phase 0"),
            ("load-refuses-with-model", "left *model set"),
            ("load-without-inputs", "input_size 0"),
            ("process-throws", "An exception left process()"),
            ("process-writes-in-front", "in front of its output frames"),
        ],
    )
    def test_a_breach_of_the_header_is_named(self, breaching: Path, loader: str, message: str) -> None:
        """It is told apart from the refusal of a file, and the host lives on."""
        with running(breaching, loader) as host:
            reply = host.ask("load", path="any")
            if loader.startswith("process"):
                host.do("prepare", model=reply["model"], max_frames=4)
                reply = host.ask("process", model=reply["model"], frames=packed(noise(2, 1)))
            assert message in reply["error"]["message"]
            assert (reply["error"]["phase"], reply["error"]["class"]) == ("internal", "ContractBreach")
            host.do("environment", at_start=False)

    def test_an_exception_out_of_the_extension_is_a_breach(self, breaching: Path) -> None:
        """It is met at hello, and says whose fault it is."""
        with running(breaching, "extension-throws") as host:
            error = host.ask("hello", protocol=1)["error"]
        assert error["class"] == "ContractBreach"
        assert "extension()" in error["message"]

    @pytest.mark.parametrize(
        ("text", "instead", "message"),
        [
            ("{RTC_ABI_VERSION,", "{7,", "has ABI version 7; version 1 is expected"),
            ('"identity"', "NULL", "leaves name NULL"),
            ("index == 0", "index < 5000", "doesn't return NULL past its last loader"),
        ],
    )
    def test_a_loader_that_is_declared_wrong_is_a_breach(
        self, tmp_path: Path, text: str, instead: str, message: str
    ) -> None:
        """It is met at hello, by the same class as other breaches of loader.h, and not taken for a wrong path."""
        source = Path(__file__).with_name("identity_loader.c").read_text(encoding="utf-8")
        (tmp_path / "wrong.c").write_text(source.replace(text, instead), encoding="utf-8")
        with running(raw_host.compiled(tmp_path / "wrong.c", tmp_path), None) as host:
            error = host.ask("hello", protocol=1)["error"]
        assert (error["phase"], error["class"]) == ("internal", "ContractBreach")
        assert message in error["message"]

    def test_texts_without_an_end_are_cut(self, breaching: Path) -> None:
        """Neither missing NULs nor bytes that aren't UTF-8 in an error do any harm."""
        with running(breaching, "load-with-endless-text") as host:
            error = host.ask("load", path="any")["error"]
        assert error["message"] == "x" * 764
        assert error["path"] == "\ufffd" * 256

    def test_outputs_that_are_never_written_are_nan(self, breaching: Path) -> None:
        """They can't pass for zeros that were computed."""
        with running(breaching, "process-writes-nothing") as host:
            assert np.isnan(host.run(host.loaded(Path("any")), noise(3, 1))).all()

    def test_writing_to_the_inputs_is_a_crash(self, breaching: Path) -> None:
        """The frames handed in belong to the caller."""
        with running(breaching, "process-writes-to-inputs") as host, pytest.raises(Ended) as ended:
            host.run(host.loaded(Path("any")), noise(3, 1))
        assert ended.value.status == -signal.SIGSEGV


def test_a_loader_in_plain_c_plugs_in(tmp_path: Path) -> None:
    """Built from loader.h alone, as C99 without a warning; loads, refuses and processes."""
    library = raw_host.compiled("identity_loader.c", tmp_path)
    frames = noise(10, 5)
    with running(library, None) as host:
        assert host.do("hello", protocol=1)["implementation"]["name"] == "identity"
        model = host.loaded(raw_host.written(tmp_path / "five", "5"))
        assert np.array_equal(host.run(model, frames), frames)
        error = host.ask("load", path=str(raw_host.written(tmp_path / "none", "x")))["error"]
        assert (error["phase"], error["message"]) == ("validate", "expected a width of at least 1")
        assert host.do("watch", sections=[section(model, frames, [3])])["offences"] == []
