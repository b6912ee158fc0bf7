"""The library of known-bad loaders: each differs from the honest one in the one thing that its name says."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from . import raw_host
from .raw_host import FAULTY, NATIVE, conv1d, dense, lstm, model, noise, recurrent_model, written

if NATIVE is None:
    pytest.skip("the native module is not built", allow_module_level=True)

from rtconform.harness import _native
from rtconform.harness.rtneural_json import budget, first_passing_class, read

LIBRARY = _native.Library(str(FAULTY))

BREAKS_LOADING = {"ldr-crashes", "ldr-hangs", "ldr-calls-exit"}
CHANGES_OUTPUTS = {
    "run-nan",
    "run-reset-incomplete",
    "run-state-per-block",
    "run-power-of-two-blocks",
    "run-tail-lanes",
    "run-one-frame-late",
    "run-output-zero-only",
    "run-fast-tanh",
    "run-rounding-adds-up",
    "imp-declares-weaker-class",
    "imp-four-bits",
}


def changed(**changes: Any) -> dict[str, Any]:
    """The recurrent model with members of its dense layer changed."""
    file = recurrent_model()
    file["layers"][1] |= changes
    return file


def with_weights(layer: int, array: int, change: Any) -> dict[str, Any]:
    """The recurrent model with one array of weights changed."""
    file = recurrent_model()
    file["layers"][layer]["weights"][array] = change(file["layers"][layer]["weights"][array])
    return file


KERNEL = conv1d(np.random.default_rng(2), 3, 4, 2)
LEAKY = {"type": "leaky", "shape": [2], "weights": []}
MALFORMED: dict[str, tuple[dict[str, Any] | str, str, str]] = {
    "empty": ("", "parse", ""),
    "truncated": (json.dumps(recurrent_model())[:-1], "parse", ""),
    "trailing": (json.dumps(recurrent_model()) + "}", "parse", ""),
    "nan": (json.dumps(changed()).replace("[[", "[[NaN,", 1), "parse", ""),
    "too large": (json.dumps(changed()).replace("[[", "[[1e40,", 1), "validate", "$"),
    "not a model": ("[]", "validate", "$"),
    "no layers": (model(3), "validate", "$.layers"),
    "no in_shape": ({"layers": [dense(3, 2)]}, "validate", "$"),
    "size zero": (model(0, dense(3, 2)), "validate", "$.in_shape[2]"),
    "unknown layer": (model(3, dense(3, 2), LEAKY), "validate", "$.layers[1].type"),
    "unknown activation": (changed(activation="Tanh"), "validate", "$.layers[1].activation"),
    "short row": (with_weights(0, 0, lambda w: [*w[:-1], w[-1][:-1]]), "validate", "$.layers[0].weights[0][2]"),
    "missing row": (with_weights(1, 0, lambda w: w[:-1]), "validate", "$.layers[1].weights[0]"),
    "extra row": (with_weights(1, 0, lambda w: [*w, w[0]]), "validate", "$.layers[1].weights[0]"),
    "null matrix": (with_weights(0, 1, lambda _: None), "validate", "$.layers[0].weights[1]"),
    "short bias": (with_weights(0, 2, lambda b: b[:-1]), "validate", "$.layers[0].weights[2]"),
    "long bias": (with_weights(0, 2, lambda b: b + b), "validate", "$.layers[0].weights[2]"),
    "boolean": (with_weights(1, 1, lambda b: [True, *b[1:]]), "validate", "$.layers[1].weights[1][0]"),
    "short kernel": (model(3, KERNEL | {"kernel_size": [3]}), "validate", "$.layers[0].weights[0]"),
    "groups that divide nothing": (model(3, KERNEL | {"groups": 2}), "validate", "$.layers[0].groups"),
    "a history beyond all bounds": (
        model(3, KERNEL | {"kernel_size": 60000, "dilation": 60000}),
        "validate",
        "$.layers[0].dilation",
    ),
    "no dilation": (model(3, {key: KERNEL[key] for key in KERNEL if key != "dilation"}), "validate", "$.layers[0]"),
    "activation of another size": (
        model(3, {"type": "activation", "shape": [2], "weights": [], "activation": "tanh"}),
        "validate",
        "$.layers[0].shape",
    ),
}
ACCEPTED = {
    "ldr-skips-unknown": {"unknown layer"},
    "ldr-zero-fills": {"short row", "missing row", "null matrix"},
    "ldr-short-bias-read": {"short bias"},
    "ldr-truncated-accepted": {"truncated"},
    "ldr-trailing-accepted": {"trailing"},
    "ldr-returns-true": set(MALFORMED),
}


def accepts(loader: str, path: Path) -> bool:
    try:
        LIBRARY.load(loader, str(path))
    except _native.LoadError:
        return False
    return True


def prepared(loader: str, path: Path) -> _native.Model:
    loaded = LIBRARY.load(loader, str(path))
    loaded.prepare(64)
    return loaded


def outputs(loader: str, path: Path, frames: np.ndarray) -> list[np.ndarray]:
    """One run in blocks of 9, and after a reset another."""
    loaded = prepared(loader, path)
    runs = []
    for _ in range(2):
        runs.append(np.concatenate([loaded.process(frames[i : i + 9]) for i in range(0, len(frames), 9)]))
        loaded.reset()
    return runs


@pytest.mark.parametrize(("file", "phase", "json_path"), MALFORMED.values(), ids=MALFORMED)
def test_the_honest_loader_is_strict(tmp_path: Path, file: dict | str, phase: str, json_path: str) -> None:
    """Whatever isn't exactly a model is refused, with the place in the file."""
    with pytest.raises(_native.LoadError) as refused:
        LIBRARY.load("good-native", str(written(tmp_path / "bad.json", file)))
    assert (refused.value.phase, refused.value.json_path) == (phase, json_path)


@pytest.mark.parametrize(
    "file",
    [
        recurrent_model(),
        {**recurrent_model(), "in_shape": [1, 9, 1, 3], "author": "x"},
        with_weights(1, 1, lambda b: [1, *b[1:]]),
        changed(type="time-distributed-dense"),
        model(3, {**lstm(3, 5), "activation": "tanh"}),
        model(3, {"type": "activation", "shape": [3], "weights": [], "activation": "softmax"}),
    ],
)
def test_the_honest_loader_takes_what_the_format_allows(tmp_path: Path, file: dict) -> None:
    """Further keys, integers, four sizes of which the last two count, an activation that an LSTM ignores."""
    assert accepts("good-native", written(tmp_path / "good.json", file))


@pytest.mark.parametrize(("loader", "expected"), ACCEPTED.items(), ids=ACCEPTED)
def test_a_lax_loader_accepts_what_its_name_says(tmp_path: Path, loader: str, expected: set[str]) -> None:
    """And refuses the rest like the honest one."""
    paths = {name: written(tmp_path / name, file) for name, (file, *_) in MALFORMED.items()}
    assert {name for name, path in paths.items() if accepts(loader, path)} == expected


def test_a_short_file_cut_in_its_last_layer_loses_it(tmp_path: Path) -> None:
    """What ldr-truncated-accepted makes of a truncated file is the part in front of the break."""
    text = json.dumps(model(3, dense(3, 2), dense(2, 4)))
    assert LIBRARY.load("ldr-truncated-accepted", str(written(tmp_path / "cut.json", text[:-30]))).output_size == 2


def test_a_failed_load_spoils_the_next_in_one_loader(tmp_path: Path) -> None:
    """Only the first load after the failure, and only in ldr-half-loaded."""
    good, bad = written(tmp_path / "good.json", recurrent_model()), written(tmp_path / "bad.json", "{}")
    frames = noise(5, 3)
    expected = prepared("good-native", good).process(frames)
    for loader in ("good-native", "ldr-half-loaded"):
        assert np.array_equal(prepared(loader, good).process(frames), expected)
        assert not accepts(loader, bad)
        assert np.array_equal(prepared(loader, good).process(frames), expected) == (loader == "good-native")
        assert np.array_equal(prepared(loader, good).process(frames), expected)


def test_only_wrong_runs_give_wrong_outputs(tmp_path: Path) -> None:
    """Every loader whose fault is another one gives the honest loader's bits, in blocks and after a reset."""
    path, frames = written(tmp_path / "model.json", recurrent_model()), noise(43, 3)
    honest = outputs("good-native", path, frames)
    expected = raw_host.expected_outputs(recurrent_model(), frames)
    assert np.abs(honest[0] - expected).max() < 1e-6
    in_process = {loader["name"] for loader in LIBRARY.loaders()} - BREAKS_LOADING
    # These change this very process; test_host_measures.py shows them in a child.
    in_process -= {name for name in in_process if name.startswith(("run-changes-", "run-handles-", "run-prints"))}
    in_process -= {"run-leaks-fpenv", "run-blocks-signals", "run-replaces-standard-error"}
    in_process -= {"mem-leak-descriptor", "mem-leak-thread", "lat-sleeps-12ms"}
    in_process -= {"run-unwritten-memory"}  # what it finds in memory depends on who had it before
    wrong = {name for name in in_process if not all(map(np.array_equal, outputs(name, path, frames), honest))}
    assert wrong == CHANGES_OUTPUTS


def test_wrong_runs_are_wrong_as_their_names_say(tmp_path: Path) -> None:
    """The shape of each error, not only that there is one."""
    path, frames = written(tmp_path / "model.json", recurrent_model()), noise(43, 3)
    honest = outputs("good-native", path, frames)[0]
    run = {name: outputs(name, path, frames) for name in CHANGES_OUTPUTS}
    nan = np.argwhere(np.isnan(run["run-nan"][0]))
    assert nan.tolist() == [[frame, 3] for frame in range(10, 43)]
    assert np.array_equal(run["run-one-frame-late"][0][1:], honest[:-1])
    assert not run["run-one-frame-late"][0][0].any()
    assert np.array_equal(run["run-output-zero-only"][0], honest * [1, 0, 0, 0])
    assert np.array_equal(run["run-reset-incomplete"][0], honest)
    assert np.array_equal(run["run-state-per-block"][0][:9], honest[:9])
    assert np.array_equal(run["run-power-of-two-blocks"][0][:8], honest[:8])
    assert 1e-4 < np.abs(run["run-fast-tanh"][0] - honest).max() < 0.1


def test_a_power_of_two_hides_what_other_sizes_show(tmp_path: Path) -> None:
    """Blocks of 64 come out right from run-power-of-two-blocks, and widths of 4 and 8 from run-tail-lanes."""
    path, frames = written(tmp_path / "model.json", recurrent_model()), noise(64, 3)
    blocks = [prepared(name, path).process(frames) for name in ("good-native", "run-power-of-two-blocks")]
    assert np.array_equal(*blocks)
    path, frames = written(tmp_path / "even.json", model(4, lstm(4, 8), dense(8, 3))), noise(9, 4)
    assert np.array_equal(*(prepared(name, path).process(frames) for name in ("good-native", "run-tail-lanes")))


def test_softmax_overflows_at_large_logits_only(tmp_path: Path) -> None:
    """No maximum is subtracted in run-softmax-overflow."""
    for gain, fine in ((1.0, True), (200.0, False)):
        path = written(tmp_path / "softmax.json", model(3, dense(3, 6, "softmax", gain)))
        assert np.isfinite(prepared("good-native", path).process(noise(9, 3))).all()
        assert np.isfinite(prepared("run-softmax-overflow", path).process(noise(9, 3))).all() == fine


@pytest.mark.parametrize("options", [{}, {"dilation": 3}, {"groups": 2}, {"dilation": 2, "groups": 2}], ids=str)
def test_a_convolution_is_that_of_the_format(tmp_path: Path, options: dict[str, int]) -> None:
    """Against the oracle, in blocks and after a reset; one loader's dilation is the next, which 1 × 1 kernels hide."""
    random = np.random.default_rng(3)
    for kernel_size in (1, 3):
        file = model(4, conv1d(random, 4, 6, kernel_size, **options))
        path, frames = written(tmp_path / f"{kernel_size}.json", file), noise(43, 4)
        expected = budget(read(path), frames)
        honest, shifted = (outputs(name, path, frames) for name in ("good-native", "run-dilation-off-by-one"))
        assert all(expected.judge(run).ok for run in honest)
        assert np.array_equal(honest[0], shifted[0]) == (kernel_size == 1)
        file["layers"][0]["dilation"] += 1
        assert np.array_equal(shifted[0], outputs("good-native", written(path, file), frames)[0])


def test_what_hides_behind_a_weaker_class_is_right_but_for_its_gates(tmp_path: Path) -> None:
    """imp-declares-weaker-class is an 8-bit loader as it says, and no class passes its LSTM."""
    declared = {loader["name"]: loader["numeric_class"] for loader in LIBRARY.loaders()}
    assert declared["imp-declares-weaker-class"] == "i8"
    random, frames = np.random.default_rng(4), noise(43, 3)
    right = written(tmp_path / "right.json", model(3, conv1d(random, 3, 5, 3), dense(5, 4, "tanh")))
    wrong = written(tmp_path / "wrong.json", recurrent_model())
    passing = [
        first_passing_class(read(path), frames, outputs("imp-declares-weaker-class", path, frames)[0])
        for path in (right, wrong)
    ]
    assert passing == ["i8", None]


def test_four_bits_pass_as_no_class(tmp_path: Path) -> None:
    """imp-four-bits says that it is an 8-bit loader; its kernels have 15 values per output channel."""
    path, frames = written(tmp_path / "model.json", recurrent_model()), noise(43, 3)
    assert {loader["name"]: loader["numeric_class"] for loader in LIBRARY.loaders()}["imp-four-bits"] == "i8"
    assert first_passing_class(read(path), frames, outputs("imp-four-bits", path, frames)[0]) is None


def test_rounding_adds_up_where_the_recurrent_product_is_never_computed_anew(tmp_path: Path) -> None:
    """Within the budget for a start, and further off with every thousand frames."""
    path, frames = written(tmp_path / "model.json", recurrent_model()), noise(9000, 3)
    exact = budget(read(path), frames[:64])
    honest, wrong = (outputs(name, path, frames)[0] for name in ("good-native", "run-rounding-adds-up"))
    assert exact.judge(wrong[:64]).ok
    apart = np.abs(wrong - honest).reshape(9, -1).mean(axis=1)
    assert apart[-1] > 3 * apart[0]


def test_two_instances_share_state_in_one_loader(tmp_path: Path) -> None:
    """Interleaved inputs show it."""
    path = written(tmp_path / "model.json", recurrent_model())
    frames = noise(20, 3)
    for loader, fine in (("good-native", True), ("run-state-shared", False)):
        first, second = prepared(loader, path), prepared(loader, path)
        alone = first.process(frames)
        first.reset()
        interleaved = []
        for frame in frames:
            interleaved.append(first.process(frame[None]))
            second.process(-frame[None])
        assert np.array_equal(np.concatenate(interleaved), alone) == fine


@pytest.mark.parametrize("activation", ["", "tanh", "relu", "sigmoid", "softmax", "elu"])
def test_activations_are_those_of_the_format(tmp_path: Path, activation: str) -> None:
    """Against float64, as a dense layer's and as a layer of its own."""
    functions = {
        "": lambda x: x,
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "softmax": lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True),
        "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    }
    layer, frames = dense(3, 5, activation, gain=2.0), noise(30, 3)
    kernel, bias = map(np.array, layer["weights"])
    expected = functions[activation](frames @ kernel + bias)
    separate = [copy.deepcopy(layer) | {"activation": ""}]
    separate += [{"type": "activation", "shape": [5], "weights": [], "activation": activation}] if activation else []
    for number, layers in enumerate(([layer], separate)):
        path = written(tmp_path / f"{number}.json", model(3, *layers))
        assert np.abs(prepared("good-native", path).process(frames) - expected).max() < 1e-6
