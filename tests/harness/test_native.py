"""The module _native: loader libraries in this process."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from . import raw_host
from .raw_host import FAULTY, NATIVE, needs_host, noise, running

if NATIVE is None:
    pytest.skip("the native module is not built", allow_module_level=True)

from rtconform.harness import _native


@pytest.fixture(scope="module")
def library() -> _native.Library:
    return _native.Library(str(FAULTY))


@pytest.fixture
def model(library: _native.Library, path: Path) -> _native.Model:
    model = library.load("good-native", str(path))
    model.prepare(64)
    return model


class TestLibrary:
    def test_loaders_are_listed_with_what_they_declare(self, library: _native.Library) -> None:
        """One dictionary per loader, in the library's order."""
        loaders = library.loaders()
        first = loaders[0]
        assert first.pop("build")["flags"].startswith("-O2")
        assert first == {
            "index": 0,
            "name": "good-native",
            "version": "1.0",
            "role": "loader",
            "numeric_class": "f32",
            "layer_types": ["dense", "time-distributed-dense", "lstm", "conv1d", "activation"],
            "features": [],
        }
        assert [loader["index"] for loader in loaders] == list(range(len(loaders)))
        assert len({loader["name"] for loader in loaders}) == len(loaders)

    def test_a_loader_is_named_by_index_or_name(self, library: _native.Library, path: Path) -> None:
        """Both give the same loader."""
        assert library.load(0, str(path)).output_size == library.load("good-native", str(path)).output_size == 4

    @pytest.mark.parametrize(("loader", "message"), [("nobody", 'no loader named "nobody"'), (1000, "no number 1000")])
    def test_an_unknown_loader_is_refused(self, library: _native.Library, loader: str | int, message: str) -> None:
        """The message says what there is."""
        with pytest.raises(_native.LibraryError, match=message):
            library.load(loader, "any")

    @pytest.mark.parametrize(("content", "message"), [(None, "can't be opened"), ("text", "can't be opened")])
    def test_a_file_that_is_no_library_is_refused(self, tmp_path: Path, content: str | None, message: str) -> None:
        """Missing, or something else."""
        file = tmp_path / "lib.so"
        if content is not None:
            file.write_text(content, encoding="utf-8")
        with pytest.raises(_native.LibraryError, match=message):
            _native.Library(str(file))

    def test_a_library_without_the_entry_is_refused(self) -> None:
        """Such as this module itself."""
        with pytest.raises(_native.LibraryError, match="doesn't export rtc_entry"):
            _native.Library(_native.__file__)


class TestLoad:
    def test_a_refusal_has_phase_path_and_message(self, library: _native.Library, tmp_path: Path) -> None:
        """As attributes, and all three in its text."""
        file = raw_host.recurrent_model()
        file["layers"][0]["type"] = "LSTM"
        with pytest.raises(_native.LoadError) as refused:
            library.load("good-native", str(raw_host.written(tmp_path / "bad.json", file)))
        error = refused.value
        assert (error.phase, error.json_path) == ("validate", "$.layers[0].type")
        assert str(error) == f"$.layers[0].type: {error.message} (phase validate)"

    def test_a_breach_of_the_header_is_no_refusal(self, tmp_path: Path) -> None:
        """A library that lets an exception out has failed, whatever the file is."""
        library = _native.Library(str(raw_host.compiled("breaching_loaders.cpp", tmp_path)))
        with pytest.raises(_native.ContractBreach, match=r"left load\(\)"):
            library.load("load-throws", "any")


class TestProcess:
    @needs_host
    def test_outputs_are_those_of_the_host_bit_by_bit(self, model: _native.Model, path: Path) -> None:
        """The same library gives the same numbers in process and in the child."""
        frames = noise(43, 3)
        with running(FAULTY) as host:
            assert np.array_equal(model.process(frames), host.run(host.loaded(path), frames))

    def test_state_is_carried_and_reset(self, model: _native.Model) -> None:
        """Blocks of any size, none included, make one run."""
        frames = noise(43, 3)
        whole = model.process(frames)
        model.reset()
        parts = [model.process(block) for block in np.split(frames, [5, 5, 6, 40])]
        assert np.array_equal(np.concatenate(parts), whole)
        assert whole.dtype == np.float32

    def test_any_layout_in_memory_will_do(self, model: _native.Model) -> None:
        """Columns first, or every second frame."""
        frames = noise(20, 3)
        expected = model.process(np.ascontiguousarray(frames[::2]))
        for layout in (frames[::2], np.asfortranarray(frames[::2])):
            model.reset()
            assert np.array_equal(model.process(layout), expected)

    @pytest.mark.parametrize(
        ("frames", "message"),
        [
            (np.zeros((2, 3)), "expected an array of float32, found float64"),
            (np.zeros((2, 4), np.float32), r"expected the shape \(T, 3\), found \(2, 4\)"),
            (np.zeros(3, np.float32), r"expected the shape \(T, 3\), found \(3,\)"),
            (np.zeros((65, 3), np.float32), "blocks of up to 64 frames, found 65"),
        ],
    )
    def test_frames_that_do_not_fit_are_refused(self, model: _native.Model, frames: np.ndarray, message: str) -> None:
        """The message says what was expected and what was found."""
        with pytest.raises(ValueError, match=message):
            model.process(frames)

    def test_calls_out_of_order_are_refused(self, library: _native.Library, path: Path) -> None:
        """prepare comes first, and once."""
        model = library.load("good-native", str(path))
        with pytest.raises(ValueError, match="call prepare before process"):
            model.process(noise(1, 3))
        with pytest.raises(ValueError, match="1 to 4096, found 5000"):
            model.prepare(5000)
        model.prepare(1)
        with pytest.raises(ValueError, match="prepare is called once"):
            model.prepare(1)


def spoiled_on_two_threads(library: _native.Library, loader: str, path: Path, tries: int) -> bool:
    """Whether two models that run at the same time ever give other outputs than one after the other."""
    frames = [noise(4096, 3, seed) for seed in (0, 1)]
    models = [library.load(loader, str(path)) for _ in frames]
    for model in models:
        model.prepare(4096)
    alone = [model.process(block) for model, block in zip(models, frames, strict=True)]
    barrier = threading.Barrier(2)
    together: list[np.ndarray] = [np.empty(0)] * 2

    def run(index: int) -> None:
        models[index].reset()
        barrier.wait()
        together[index] = models[index].process(frames[index])

    for _ in range(tries):
        threads = [threading.Thread(target=run, args=(index,)) for index in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not all(map(np.array_equal, alone, together)):
            return True
    return False


def test_two_models_run_at_the_same_time(library: _native.Library, path: Path) -> None:
    """The GIL is released during process: a scratch that two models share is spoiled, and two of their own aren't."""
    assert spoiled_on_two_threads(library, "run-static-scratch", path, tries=500)
    assert not spoiled_on_two_threads(library, "good-native", path, tries=10)


def test_a_loader_in_plain_c_plugs_in(tmp_path: Path) -> None:
    """Built from loader.h alone."""
    library = _native.Library(str(raw_host.compiled("identity_loader.c", tmp_path)))
    model = library.load(0, str(raw_host.written(tmp_path / "two", "2")))
    model.prepare(8)
    assert np.array_equal(model.process(noise(8, 2)), noise(8, 2))


def test_reading_is_timed_as_often_as_asked_for() -> None:
    """Once per reading, and more memory takes longer than hardly any."""
    little, much = _native.reading_ns(1, 5), _native.reading_ns(2**24, 5)
    assert (len(little), len(much)) == (5, 5)
    assert min(much) > max(1, min(little))
