"""The plugin core's resampler against scipy.signal.resample_poly, of which it is the interior."""

from math import gcd

import numpy as np
import pytest
from scipy.signal import firwin, resample_poly

from rtconform.reference_models._plugin_core import Resampler

RATIOS = [(1, 1), (1, 2), (147, 320), (1, 4), (147, 640), (441, 320), (2, 1), (3, 7)]
"""To 22,050 Hz from 22.05, 44.1, 48, 88.2, 96, 16 and 11.025 kHz; and any other."""

each_ratio = pytest.mark.parametrize(("up", "down"), RATIOS, ids=str)


def reach(up, down):
    """Taps to either side of the middle one; equal rates need none."""
    return 0 if up == down else 10 * max(up, down) // gcd(up, down)


def noise(samples):
    return np.random.default_rng(1).uniform(-1, 1, samples)


def in_single_steps(resampler, samples):
    """All outputs, and the input with which each of them came."""
    outputs, came_with = [], []
    for index, sample in enumerate(samples):
        new = resampler.push([sample])
        outputs += list(new)
        came_with += [index] * len(new)
    return np.array(outputs), np.array(came_with)


def rounding_bound(up, down):
    """The most by which two sums over the same taps and inputs up to 1 differ, by the standard error of a dot product
    (Higham, Accuracy and Stability, 3.1), and with taps that are themselves off by a few roundings.
    """
    taps = up * firwin(2 * reach(up, down) + 1, 1 / max(up, down), window=("kaiser", 5.0)) if up != down else np.ones(1)
    heaviest = max(np.abs(taps[phase::up]).sum() for phase in range(up))
    return (2 * -(-len(taps) // up) + 16) * 2.0**-53 * heaviest


@each_ratio
def test_the_stream_is_scipys_result_as_far_as_its_filter_is_full(up, down):
    """Output m is there once input floor((m down + reach) / up) is, not earlier and not later."""
    samples = noise(3000)
    found = Resampler(up, down).push(samples)
    full = (len(samples) * up - 1 - reach(up, down)) // down + 1
    assert len(found) == full > 0
    np.testing.assert_allclose(found, resample_poly(samples, up, down)[:full], rtol=0, atol=rounding_bound(up, down))


@each_ratio
def test_an_impulse_comes_out_at_its_own_instant_after_the_latency(up, down):
    """No delay is left in the outputs; what remains is the wait for the inputs behind the impulse."""
    resampler = Resampler(up, down)
    impulse = np.zeros(3 * down + 200)
    impulse[3 * down] = 1.0  # the instant of output 3 up
    outputs, came_with = in_single_steps(resampler, impulse)
    assert np.abs(outputs).argmax() == 3 * up
    assert came_with[3 * up] == 3 * down + resampler.latency


@each_ratio
def test_the_latency_is_the_longest_wait(up, down):
    """Behind the first input at or after an output's instant, so many inputs have to come, or one less."""
    resampler = Resampler(up, down)
    _, came_with = in_single_steps(resampler, np.zeros(2 * down + 200))
    instants = -(-np.arange(len(came_with)) * down // up)
    waits = came_with - instants
    assert waits.max() == resampler.latency
    assert waits.min() >= resampler.latency - 1


@pytest.mark.parametrize(
    ("rate", "latency"), [(22_050, 0), (44_100, 20), (48_000, 21), (88_200, 40), (96_000, 43), (16_000, 10)]
)
def test_the_latency_is_ten_samples_of_the_lower_rate(rate, latency):
    """In inputs, rounded down. Factors with a common divisor are the same ratio."""
    assert Resampler(22_050, rate).latency == latency


@each_ratio
def test_outputs_do_not_depend_on_how_the_inputs_are_cut(up, down):
    """To the bit."""
    samples = noise(2000)
    whole, (single, _) = Resampler(up, down).push(samples), in_single_steps(Resampler(up, down), samples)
    assert np.array_equal(whole, single)


def test_reset_forgets_every_input():
    """And the place in the ratio."""
    resampler = Resampler(147, 320)
    first = resampler.push(noise(1001))
    resampler.reset()
    assert np.array_equal(resampler.push(noise(1001)), first)


@pytest.mark.parametrize(("up", "down"), [(0, 1), (1, 0), (768_001, 1), (1, 768_001)])
def test_a_factor_that_no_rate_has_is_refused(up, down):
    with pytest.raises(ValueError, match=f"from 1 to 768000, found {up} and {down}"):
        Resampler(up, down)
