"""Decimals to float32: the nearest one, and what is beyond all of them."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from rtconform.harness.paths import FIXTURES
from rtconform.harness.rtneural_json import dumps, grammar as g, validate_bytes

from .models import uniform

SMALL = FIXTURES / "models" / "small"


def nearest_exactly(text: str) -> np.float32:
    """The nearest float32 by exact arithmetic, ties to even."""
    with np.errstate(over="ignore"):
        near = np.float32(float(text))
    candidates = [near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))]
    return min(
        (c for c in candidates if np.isfinite(c)),
        key=lambda c: (abs(Fraction(float(c)) - Fraction(text)), int(c.view(np.uint32)) & 1),
    )


def weight(text: str):
    """The first weight of a dense model with this text for it, or its report if that is refused."""
    source = (SMALL / "dense.json").read_text(encoding="utf-8")
    first = source[source.index("[[[") + 3 :].split(",")[0]
    report = validate_bytes(source.replace(first, text, 1).encode())
    return report.model.layers[0].kernel[0, 0] if report.ok else report


HALFWAY = "1.000000059604644775390625"  # exactly between 1 and the next float32


@pytest.mark.parametrize(
    "text",
    [
        HALFWAY,
        HALFWAY[:-1] + "4999999999999999999",
        HALFWAY + "0000000000000000001",
        "-" + HALFWAY + "0000000000000000001",
        "1.00000017881393432617187500000001",
        "16777217",
        "16777219",
        "7.006492321624085354618e-46",
        "7.0064923216240853546186479164495806564013097093825788587853e-46",
        "340282356779733661637539395458142568447",
        "0.1",
        "-0.0",
        "1e-300",
        "9" * 30,
    ],
)
def test_a_number_is_the_float32_nearest_to_its_decimal(text):
    """Rounding to double first and then to float32 would miss some of these by one bit."""
    assert weight(text).tobytes() == nearest_exactly(text).tobytes()


def test_rounding_twice_is_what_this_guards_against():
    """The guard is needed: through a double, this decimal becomes another float32."""
    text = HALFWAY + "0000000000000000001"
    assert np.float32(float(text)) != nearest_exactly(text)


@pytest.mark.parametrize(
    "text", ["1e40", "-1e39", "340282356779733661637539395458142568448", "1e999", "9" * 350, "9" * 5000]
)
def test_numbers_beyond_float32_are_refused(text):
    """From halfway between the largest float32 and 2^128 on, however the number is written."""
    assert [fault.json_path for fault in weight(text).faults] == ["$.layers[0].weights[0][0][0]"]


def test_memory_stays_below_eight_times_the_file():
    """Text, tree and arrays together."""
    random = np.random.default_rng(0)
    shapes = ((128, 512), (128, 512), (512,))
    lstm = g.Lstm(*(uniform(random, shape, 128) for shape in shapes))
    text = dumps(g.Model(128, (lstm,))).encode()
    tracemalloc.start()
    validate_bytes(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak + len(text) < 8 * len(text)
