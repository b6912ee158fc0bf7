"""The strict C++ reader accepts just what the judge's validator accepts, and reads the same numbers from it."""

from __future__ import annotations

import json
import random

import pytest

from rtconform.harness.rtneural_json import malformed, validate_bytes
from rtconform.harness.selection import stored_cases
from rtconform.reference_models.errors import NotAvailable

from .strict_reader import StrictReader, build, compare, compare_mutated, held

FILES = 3000

pytestmark = pytest.mark.xdist_group("strict-reader")  # one build serves all


@pytest.fixture(scope="module")
def reader():
    """The reader with AddressSanitizer and UBSan; skipped where there is no compiler."""
    try:
        program = build()
    except NotAvailable as error:
        pytest.skip(str(error))
    with StrictReader(program) as running:
        yield running


@pytest.mark.parametrize("case", stored_cases("stored"), ids=lambda case: case.name)
def test_stored_models_are_read_to_the_same_bits(reader, case):
    """Every layer type, and the five models."""
    assert reader.read(case.path.read_bytes()) == held(case.model)


@pytest.mark.parametrize("case", malformed.all_cases(), ids=lambda case: case.id)
def test_malformed_files_are_refused_where_they_are_wrong(reader, case):
    """The first fault is at the JSON path, and in the phase, that the validator names."""
    faults = validate_bytes(case.content()).faults
    phase, path, _ = reader.read(case.content())[0]
    assert phase in case.phases
    assert phase == "parse" or path in {fault.json_path for fault in faults}


def test_mutated_files_are_judged_as_the_validator_judges_them(reader):
    """Accepted by both or by none, with the same numbers, in the same phase; some of each."""
    outcomes = compare_mutated(reader, FILES, seed=7)
    assert set(outcomes) == {"accepted", "parse", "validate"} and min(outcomes.values()) > FILES // 20


def test_every_fault_is_reported(reader):
    """One wrong thing in each of three layers gives three faults, in their order."""
    layer = {"type": "dense", "shape": [None, 1], "weights": [[[0.5]], [0.5]]}
    wrong = [{**layer, "type": "Dense"}, {**layer, "weights": [[[0.5]], [0.5, 1]]}, {**layer, "activation": "gelu"}]
    said = reader.read(json.dumps({"in_shape": [None, 1], "layers": wrong}).encode())
    assert [path for _, path, _ in said] == [
        "$.layers[0].type",
        "$.layers[1].weights[1]",
        "$.layers[2].activation",
    ]
    assert said[1][2] == "expected an array of 1 number (out), found an array of 2 numbers"


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"0" + b"}" * 100_000,
        b'{"in_shape":[1],"layers":[{"type":"dense","shape":[1048576],"weights":[[[1]],[1]]}]}',
        (
            b'{"in_shape":[1],"layers":[{"type":"conv2d","shape":[1],"weights":[[],[]],"kernel_size_time":1048576,'
            b'"kernel_size_feature":1048576,"dilation":1,"strides":1,"num_filters_in":1048576,"num_features_in":1048576,'
            b'"num_filters_out":1048576,"padding":"same"}]}'
        ),
        b'{"in_shape":[1],"layers":[' + b"{}," * 5000 + b"{}]}",
        b'{"in_shape":[1],"layers":' + b"9" * 100_000 + b"}",
    ],
    ids=["deep-arrays", "deep-objects", "huge-dense", "huge-conv2d", "many-layers", "long-number"],
)
def test_hostile_files_are_refused_in_little_memory(reader, content):
    """Sizes that nobody has, and nesting that would overflow a stack."""
    assert compare(reader, content) in ("parse", "validate")


def test_numbers_become_the_nearest_float32(reader):
    """Decimals beside the middle between two float32, subnormals, and more digits than a double has."""
    generator = random.Random(3)
    for _ in range(300):
        bits = generator.randrange(0x7F7FFFFF)
        near = generator.choice((0, 1, -1)) * 10.0 ** generator.randrange(-30, -5)
        text = _middle(bits, near)
        model = b'{"in_shape":[1],"layers":[{"type":"dense","shape":[1],"weights":[[[%s]],[-%s]]}]}' % (text, text)
        assert compare(reader, model) == "accepted"


def test_numbers_behind_others_become_the_nearest_float32_as_well(reader):
    """What is not the first of a row is read apart: any length and exponent, and the middle between two float32."""
    generator = random.Random(4)
    row = [_decimal(generator) for _ in range(20_000)]
    row += [
        f"{generator.randrange(2**23, 10**7)}{tail}"
        for tail in (".5", ".5000000001", ".4999999999")
        for _ in range(300)
    ]
    row += [
        "-0",
        "-0.0",
        "0e7",
        "1E+5",
        "-2e-05",
        "0.1e1",
        "12345678",
        "123456789.5",
        "1e38",
        "3.4028235e38",
        "1e-45",
        "1e-60",
    ]
    for separator in (",", ", ", " ,\n  "):
        numbers = separator.join(row).encode()
        model = b'{"in_shape":[1],"layers":[{"type":"dense","shape":[%d],"weights":[[[%s]],[%s]]}]}'
        assert compare(reader, model % (len(row), numbers, numbers)) == "accepted"


def _decimal(generator: random.Random) -> str:
    """A number below 1e38 as anyone might write it."""
    digits, sign = str(generator.randrange(10 ** generator.randrange(1, 22))), generator.choice(("", "-"))
    exponent = generator.choice(("", "", f"e{generator.randrange(-40, 16)}", f"E+{generator.randrange(10):02}"))
    whole = generator.choice(("0", digits[:1], digits[:5])) or "0"
    return f"{sign}{int(whole)}.{generator.randrange(5) * '0'}{digits}{exponent}"


def _middle(bits: int, relative: float) -> bytes:
    """The decimal halfway between a float32 and the next, moved by a relative amount."""
    from fractions import Fraction
    from struct import pack, unpack

    low, high = (Fraction(unpack("<f", pack("<I", code))[0]) for code in (bits, bits + 1))
    middle = (low + high) / 2 * (1 + Fraction(relative))
    exponent = len(str(middle.numerator)) - len(str(middle.denominator))
    return f"{round(middle * Fraction(10) ** (40 - exponent))}e{exponent - 40}".encode()
