"""The loaders on the real RTNeural compute what the format says, report how a load failed, and are built just once."""

from __future__ import annotations

import ctypes
import itertools
import json
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtconform.reference_models import loaders
from rtconform.reference_models.errors import NotAvailable

from .c_loader import PARSE, READ, VALIDATE, BuildInfo, Table, open_table


@pytest.fixture(
    scope="module",
    params=[loaders.rtneural_stl, loaders.rtneural_eigen, loaders.rtneural_xsimd, loaders.rtneural_checked],
)
def table(request: pytest.FixtureRequest) -> Table:
    """Each loader on the real RTNeural in turn, all in this process; skipped where RTNeural can't be had."""
    try:
        return open_table(request.param())
    except NotAvailable as error:
        pytest.skip(str(error))


def model_document() -> dict[str, Any]:
    """dense(3, 4, tanh), lstm(4, 5), elu, dense(5, 2): odd widths, strong weights, distinct biases."""
    random = np.random.default_rng(20240607)

    def weights(*shape: int) -> list[Any]:
        return random.uniform(-1.3, 1.3, shape).astype(np.float32).astype(float).tolist()

    return {
        "in_shape": [None, 3],
        "layers": [
            {"type": "dense", "shape": [None, 4], "weights": [weights(3, 4), weights(4)], "activation": "tanh"},
            {"type": "lstm", "shape": [None, 5], "weights": [weights(4, 20), weights(5, 20), weights(20)]},
            {"type": "activation", "shape": [None, 5], "weights": [], "activation": "elu"},
            {"type": "dense", "shape": [None, 2], "weights": [weights(5, 2), weights(2)], "activation": ""},
        ],
    }


def float64_outputs(document: dict[str, Any], frames: np.ndarray) -> np.ndarray:
    """What the format says that `model_document` computes, in float64, [T, 3] to [T, 2]."""
    first, lstm, _, last = ([np.array(array) for array in layer["weights"]] for layer in document["layers"])
    hidden, cell, outputs = np.zeros(5), np.zeros(5), []
    for frame in frames.astype(np.float64):
        x = np.tanh(frame @ first[0] + first[1])
        i, f, g, o = np.split(x @ lstm[0] + hidden @ lstm[1] + lstm[2], 4)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        cell = f * cell + i * np.tanh(g)
        hidden = o * np.tanh(cell)
        outputs.append(np.where(hidden > 0, hidden, np.expm1(hidden)) @ last[0] + last[1])
    return np.array(outputs)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """`model_document` as a file."""
    path = tmp_path / "model.json"
    path.write_text(json.dumps(model_document()))
    return path


FRAMES = np.random.default_rng(7).normal(size=(64, 3)).astype(np.float32)


def test_each_backend_agrees_with_float64(table: Table, model_file: Path) -> None:
    """Over 64 frames with carried state the outputs are those of the format, to float32 rounding."""
    model = table.open(model_file)
    assert (table.input_size(model), table.output_size(model)) == (3, 2)
    np.testing.assert_allclose(table.run(model, FRAMES), float64_outputs(model_document(), FRAMES), rtol=0, atol=2e-6)
    table.unload(model)


def test_frames_need_no_more_than_a_floats_alignment(table: Table, tmp_path: Path) -> None:
    """A first layer that reads its input with aligned vector loads gets frames that lie anywhere."""
    layer = {"type": "activation", "shape": [None, 17], "weights": [], "activation": "tanh"}
    (tmp_path / "tanh.json").write_text(json.dumps({"in_shape": [None, 17], "layers": [layer]}))
    frames = np.linspace(-3, 3, 10 * 17, dtype=np.float32).reshape(10, 17)
    model = table.open(tmp_path / "tanh.json")
    np.testing.assert_allclose(table.run(model, frames), np.tanh(frames), rtol=0, atol=1e-6)
    table.unload(model)


def test_blocks_and_reset_change_no_bit(table: Table, model_file: Path) -> None:
    """The same frames in blocks of other sizes, and once more after a reset, give the same bits."""
    model = table.open(model_file)
    whole = table.run(model, FRAMES)
    table.reset(model)
    parts = [table.run(model, block) for block in np.split(FRAMES, [0, 1, 8, 9, 40])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    table.unload(model)


def test_two_models_share_nothing(table: Table, model_file: Path) -> None:
    """Two models of one file, frames interleaved, give what each gives alone."""
    one, other = table.open(model_file), table.open(model_file)
    alone = table.run(one, FRAMES)
    table.reset(one)
    for f in range(len(FRAMES)):
        table.run(other, -FRAMES[f : f + 1])
        np.testing.assert_array_equal(table.run(one, FRAMES[f : f + 1])[0], alone[f])
    table.unload(one)
    table.unload(other)
    table.unload(None)


def test_a_refusal_says_how_far_it_got(table: Table, tmp_path: Path) -> None:
    """Unreadable is read, no JSON is parse, another document is validate; the message is ASCII in any case."""
    text = json.dumps(model_document()).encode()
    files = {
        "empty": (b"", PARSE),
        "truncated": (text[: len(text) // 2], PARSE),
        "nan": (text.replace(b"[[[", b"[[[NaN,", 1), PARSE),
        "bytes": (b'{"in_shape": \xff\xfe', PARSE),
        "state_dict": (b'{"0.weight": [[1.0]]}', VALIDATE),
        "extra_row": (text.replace(b"[[[", b"[[[1, 2, 3, 4], [", 1), VALIDATE),
        "string": (text.replace(b"[[[", b'[[["\xc3\xa9", ', 1), VALIDATE),
        "no_list": (b'{"in_shape": [1], "layers": null}', VALIDATE),
    }
    for name, (content, phase) in files.items():
        (tmp_path / name).write_bytes(content)
        found, message = table.refusal(tmp_path / name)
        assert (name, found) == (name, phase) and message
    phase, message = table.refusal(tmp_path / "missing")
    assert phase == READ and "no such file" in message.lower()
    assert table.refusal(tmp_path)[0] == READ


def test_the_identity_says_what_was_built_and_how(table: Table) -> None:
    """Version, layer types and the build-info extension are filled in."""
    assert table.abi_version == 1 and table.numeric_class == b"f32"
    assert re.fullmatch(rb"0\.46\.0\+dfsg|RTNEURAL_DIR-[0-9a-f]{8}", table.version)
    types = set(itertools.takewhile(bool, table.layer_types))
    assert {b"dense", b"lstm", b"gru", b"conv1d", b"activation"} <= types
    info = ctypes.cast(table.extension(b"rtconform.build-info/1"), ctypes.POINTER(BuildInfo)).contents
    assert info.compiler and b"-O3" in info.flags and b"-fvisibility=hidden" in info.flags
    assert re.fullmatch(rb"[0-9a-f]{64}", info.source_hash)
    assert table.extension(b"something.else/1") is None


# From here on the building is tested, on a tiny stand-in for RTNeural that compiles in a moment.

STAND_IN = """
#pragma once
#include <exception>
#include <fstream>
#include <memory>
namespace nlohmann { struct json { struct parse_error : std::exception { }; }; }
namespace RTNEURAL_NAMESPACE {
template <typename T> struct Model {
    int getInSize() const { return 1; }
    int getOutSize() const { return 1; }
    void reset() { }
    void forward(const T*) { }
    const T* getOutputs() const { return nullptr; }
};
namespace json_parser { template <typename T> std::unique_ptr<Model<T>> parseJson(std::ifstream&) { return {}; } }
}
"""
PRINT_LOADER = "from rtconform.reference_models import loaders; print(loaders.rtneural_stl())"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in's header, as RTNEURAL_DIR, with an empty cache and no settings of the user's."""
    header = tmp_path / "rtneural" / "RTNeural" / "RTNeural.h"
    header.parent.mkdir(parents=True)
    header.write_text(STAND_IN)
    monkeypatch.setenv("RTNEURAL_DIR", str(tmp_path / "rtneural"))
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path / "cache"))
    for name in ("CXX", "CXXFLAGS", "LDFLAGS", "RTCONFORM_MARCH"):
        monkeypatch.delenv(name, raising=False)
    return header


def needs_compiler() -> None:
    """Skips the test where nothing can be built."""
    try:
        loaders.Toolchain.of_this_machine()
    except NotAvailable as error:
        pytest.skip(str(error))


def test_two_processes_build_once(stand_in: Path) -> None:
    """Both get the same library, and only one of them has built it."""
    needs_compiler()
    command = [sys.executable, "-c", PRINT_LOADER]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate() for process in both]
    assert answers[0][0] == answers[1][0] and answers[0][0].startswith("abi:")
    assert "".join(progress for _, progress in answers).count("is built") == 1


def test_a_library_is_reused_until_something_changes(
    stand_in: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warm call builds nothing; another source file, CPU or flag gives another library."""
    needs_compiler()
    first = loaders.rtneural_stl()
    assert "is built" in capfd.readouterr().err
    assert loaders.rtneural_stl() == first
    assert capfd.readouterr().err == ""
    stand_in.write_text(STAND_IN + "// changed\n")
    second = loaders.rtneural_stl()
    monkeypatch.setenv("CXXFLAGS", "-DOTHER")
    third = loaders.rtneural_stl()
    assert len({first, second, third}) == 3
    info = open_table(third).extension(b"rtconform.build-info/1")
    assert b"-DOTHER" in ctypes.cast(info, ctypes.POINTER(BuildInfo)).contents.flags


def test_a_model_that_rtneural_does_not_make_is_a_refusal(stand_in: Path) -> None:
    """RTNeural can return no model and no exception."""
    needs_compiler()
    phase, message = open_table(loaders.rtneural_stl()).refusal(stand_in)
    assert phase == VALIDATE and "no model" in message


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="names a CPU of the x86-64 family")
def test_the_cpu_can_be_chosen(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RTCONFORM_MARCH reaches the compiler and the identity; a value that it doesn't know gives its own words."""
    needs_compiler()
    monkeypatch.setenv("RTCONFORM_MARCH", "x86-64")
    info = open_table(loaders.rtneural_stl()).extension(b"rtconform.build-info/1")
    assert b"-march=x86-64 " in ctypes.cast(info, ctypes.POINTER(BuildInfo)).contents.flags
    monkeypatch.setenv("RTCONFORM_MARCH", "pdp11")
    with pytest.raises(NotAvailable, match="pdp11"):
        loaders.rtneural_stl()


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="names a CPU of the x86-64 family")
def test_a_cpu_that_cannot_run_the_default_is_told_how(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old CPU would end in an illegal instruction; the sentence says what it lacks and what to set."""
    needs_compiler()
    monkeypatch.setattr(loaders, "_cpu_features", lambda: frozenset({"sse2", "avx"}))
    with pytest.raises(NotAvailable, match=r"avx2.*RTCONFORM_MARCH=x86-64"):
        loaders.rtneural_stl()


def test_a_source_that_does_not_compile_is_told(stand_in: Path) -> None:
    """The sentence has the compiler's first error and the place of the log; the next call tries again."""
    needs_compiler()
    stand_in.write_text("#error this is no RTNeural\n")
    with pytest.raises(NotAvailable, match="this is no RTNeural") as error:
        loaders.rtneural_stl()
    (log,) = re.findall(r"all of it in (\S+)\)", str(error.value))
    assert "this is no RTNeural" in Path(log).read_text()
    assert [path.suffix for path in sorted(Path(log).parent.iterdir())] == [".lock", ".log"]


def test_a_missing_compiler_is_told(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on PATH: one sentence with the package to install."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotAvailable, match=r"C\+\+17 compiler.*apt-get install g\+\+"):
        loaders.rtneural_stl()
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(NotAvailable, match="/no/such/compiler"):
        loaders.rtneural_stl()


def test_a_missing_cmake_is_told(stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler alone is not enough: one sentence with the package to install."""
    needs_compiler()
    monkeypatch.setenv("CXX", " ".join(loaders.Toolchain.of_this_machine().compiler))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(NotAvailable, match="apt-get install cmake"):
        loaders.rtneural_stl()
