"""The plugin core's front end against data/features.py, which is the definition of the features."""

from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from rtconform.reference_models._plugin_core import AudioFrontEnd
from rtconform.reference_models.cache import cache_folder
from rtconform.reference_models.data.features import HOP, N_FFT, RATE, log_mel, mix_to_mono, read_audio
from rtconform.reference_models.loaders import NATIVE
from rtconform.reference_models.specs import FIXTURES

from ..harness import raw_host

RATES = (22_050, 44_100, 48_000, 88_200, 96_000)
RECORDINGS = sorted(path for suffix in ("flac", "ogg") for path in (FIXTURES / "audio").rglob(f"*.{suffix}"))
BLOCKS = (1, 7, 64, 333, 512, 4096)
BOUND = 2.0**-24
"""What the header states: neighbours among float32 in [-1, 1], at most."""

each_rate = pytest.mark.parametrize("rate", RATES)


def stereo(mono):
    """Two channels that differ: the second one is late and softer."""
    return np.stack([mono, 0.7 * np.roll(mono, 300)], axis=1)


def heard(path, rate, channels):
    """A recording's first four seconds as a host at `rate` plays them, float32 `[n, channels]`."""
    samples, own_rate = read_audio(path)
    mono = resample_poly(mix_to_mono(samples[: 4 * own_rate]), rate, own_rate)
    return (mono[:, None] if channels == 1 else stereo(mono)).astype(np.float32)


def noise(seconds, rate, channels=1, amplitude=1.0):
    shape = round(seconds * rate), channels
    return np.random.default_rng(2).uniform(-amplitude, amplitude, shape).astype(np.float32)


def pushed(front_end, samples, sizes):
    """Features, numbers and heard_at of all frames, from blocks of these sizes in turn."""
    results, start, turn = [], 0, 0
    while start < len(samples):
        size = sizes[turn % len(sizes)]
        results.append(front_end.push(samples[start : start + size]))
        start, turn = start + size, turn + 1
    return tuple(np.concatenate(parts) for parts in zip(*results, strict=True))


def check_equal(samples, rate):
    """All frames of the definition come, once the resampler has what it looks ahead for, and are equal to it."""
    __tracebackhide__ = True
    channels = samples.shape[1]
    front_end = AudioFrontEnd(rate, channels)
    silence = np.zeros((front_end.latency_samples + 1, channels), np.float32)
    found = pushed(front_end, np.concatenate([samples, silence]), [512])[0]
    wanted = log_mel(samples, rate)
    assert len(found) >= len(wanted) > 0
    errors = np.abs(found[: len(wanted)].astype(np.float64) - wanted)
    assert errors.max() <= BOUND
    assert (errors > 0).sum() <= 1 + 1e-5 * errors.size


@each_rate
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_features_of_recordings_are_those_of_the_definition(path, rate, channels):
    """Music and speech, at the rates of hosts."""
    check_equal(heard(path, rate, channels), rate)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_features_of_recordings_as_they_are_stored(path):
    """At the file's own rate and channel count."""
    samples, rate = read_audio(path)
    check_equal(samples.astype(np.float32), rate)


@each_rate
@pytest.mark.parametrize(
    "signal",
    [
        lambda t: np.sin(2 * np.pi * 440 * t),
        lambda t: 0.5 * np.sin(2 * np.pi * 30 * t) + 1e-3 * np.sin(2 * np.pi * 9000 * t),
        lambda t: np.sign(np.sin(2 * np.pi * 997 * t)),
        lambda t: np.sin(2 * np.pi * 5000 * t * t),
        lambda t: (np.arange(len(t)) % 5000 == 0).astype(float),
        lambda t: np.full(len(t), -1.0),
        lambda t: 1000.0 * np.sin(2 * np.pi * 2000 * t),
        lambda t: 1e-5 * np.sin(2 * np.pi * 300 * t),
    ],
    ids=["sine", "two-sines", "square", "sweep", "clicks", "constant", "60-dB-too-loud", "hardly-audible"],
)
def test_features_of_made_signals_are_those_of_the_definition(signal, rate):
    """Full scale, far beyond, and near the floor."""
    check_equal(signal(np.arange(rate) / rate)[:, None].astype(np.float32), rate)


@each_rate
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("amplitude", [1.0, 1e-4])
def test_features_of_noise_are_those_of_the_definition(rate, channels, amplitude):
    check_equal(noise(2, rate, channels, amplitude), rate)


@pytest.mark.parametrize("rate", [1_000, 8_000, 11_025, 22_051, 44_056, 192_000])
def test_any_whole_rate_will_do(rate):
    """Those of old files and of pulled-up video, and one that shares no divisor with 22,050."""
    check_equal(noise(3, rate), rate)


@each_rate
def test_silence_is_minus_one(rate):
    """Exactly, at once, and again after noise."""
    front_end = AudioFrontEnd(rate)
    silence = np.zeros(rate, np.float32)
    assert (front_end.push(silence)[0] == -1.0).all()
    front_end.push(noise(0.2, rate))
    assert (front_end.push(silence)[0][5:] == -1.0).all()


@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (44_100, 1), (48_000, 2), (96_000, 2)])
def test_frames_do_not_depend_on_blocks(rate, channels):
    """To the bit, blocks of no sample among them."""
    samples = noise(0.6, rate, channels)
    whole = AudioFrontEnd(rate, channels).push(samples)
    assert len(whole[0]) == 1 + (rate * 6 // 10 * RATE // rate - N_FFT) // HOP > 20
    drawn = np.random.default_rng(5).integers(0, 2000, 50)
    for sizes in (*([size] for size in BLOCKS), drawn, [0, 1, 0, 480]):
        cut = pushed(AudioFrontEnd(rate, channels), samples, sizes)
        assert all(np.array_equal(one, other) for one, other in zip(whole, cut, strict=True)), sizes


@each_rate
def test_a_frame_comes_when_its_end_was_heard_plus_the_latency(rate):
    """heard_at is the first host sample at or after the instant of the frame's last analysis sample; the frame comes in
    the push of heard_at + latency_samples or, where that instant lies between two host samples, maybe one earlier.
    """
    front_end = AudioFrontEnd(rate)
    came_with, heard_at = [], []
    for index, sample in enumerate(noise(3.6, rate)[:, 0]):
        features, numbers, ends = front_end.push(np.full(1, sample))
        for number, end in zip(numbers, ends, strict=True):
            assert number == len(came_with)
            came_with.append(index)
            heard_at.append(int(end))
        assert len(features) == len(numbers)
    instants = [Fraction((number * HOP + N_FFT - 1) * rate, RATE) for number in range(len(came_with))]
    assert heard_at == [ceil(instant) for instant in instants]
    waits = np.array(came_with) - heard_at
    assert waits.max() == front_end.latency_samples
    assert all(
        wait == front_end.latency_samples if instant == floor(instant) else wait >= front_end.latency_samples - 1
        for wait, instant in zip(waits, instants, strict=True)
    )
    assert any(instant == floor(instant) for instant in instants)


def test_reset_makes_it_new():
    """The same frames with the same numbers come again, and the counter starts from 0."""
    front_end = AudioFrontEnd(48_000, 2)
    samples = noise(0.5, 48_000, 2)
    first = front_end.push(samples)
    front_end.push(np.full((7, 2), np.nan, np.float32))
    front_end.push(noise(0.3, 48_000, 2))
    front_end.reset()
    assert front_end.bad_samples == 0
    assert all(np.array_equal(one, other) for one, other in zip(first, front_end.push(samples), strict=True))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1000.1, -3e38])
def test_a_bad_sample_counts_as_zero_and_poisons_nothing(value):
    """It is counted, its other channel is heard, and what comes later is as if it had been 0."""
    samples = noise(0.5, 44_100, 2)
    repaired = samples.copy()
    samples[[0, 5000, 5001, 9000], [0, 0, 1, 1]] = value
    repaired[[0, 5000, 5001, 9000], [0, 0, 1, 1]] = 0.0
    front_end = AudioFrontEnd(44_100, 2)
    features, _, _ = front_end.push(samples)
    assert front_end.bad_samples == 4
    assert np.array_equal(features, AudioFrontEnd(44_100, 2).push(repaired)[0])


def test_the_loudest_sample_is_a_good_one():
    """The limit of the definition, on both sides."""
    front_end = AudioFrontEnd(22_050)
    front_end.push(np.array([1000.0, -1000.0], np.float32))
    assert front_end.bad_samples == 0


def test_streams_know_nothing_of_each_other():
    """Two that are pushed by turns give what each gives alone."""
    one, other = AudioFrontEnd(48_000), AudioFrontEnd(44_100)
    samples = noise(0.5, 48_000)
    alone = AudioFrontEnd(48_000).push(samples)[0]
    found = []
    for start in range(0, len(samples), 333):
        found.append(one.push(samples[start : start + 333])[0])
        other.push(samples[start : start + 100])
    assert np.array_equal(np.concatenate(found), alone)


@pytest.mark.parametrize("rate", [0, 999, 768_001, 44_100.5, -44_100, np.nan, np.inf])
def test_a_rate_that_no_audio_has_is_refused(rate):
    """By name, with the value as it was given."""
    with pytest.raises(ValueError, match=r"^rate: expected a whole number from 1000 to 768000 Hz, found ") as error:
        AudioFrontEnd(rate)
    assert f"found {rate:.17g};" in str(error.value)


def test_no_channel_is_refused():
    with pytest.raises(ValueError, match=r"^channels: expected at least 1, found 0"):
        AudioFrontEnd(48_000, 0)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros((5, 2)), "found float64 of shape (5, 2)"),
        (np.zeros((2, 5), np.float32), "found float32 of shape (2, 5)"),
        (np.zeros(5, np.float32), "found float32 of shape (5,)"),
    ],
)
def test_an_array_that_is_no_block_is_refused(samples, words):
    """Nothing is converted in silence."""
    with pytest.raises(ValueError, match=r"expected float32 \[n, 2\]") as error:
        AudioFrontEnd(48_000, 2).push(samples)
    assert words in str(error.value)


@pytest.fixture(scope="module")
def watched_library(tmp_path_factory):
    """The front end in a loader library of its own."""
    core = NATIVE / "plugin_core"
    return raw_host.compiled(
        Path(__file__).with_name("native") / "front_end_loader.cpp",
        tmp_path_factory.mktemp("front_end"),
        *(str(core / "src" / f"{name}.cpp") for name in ("audio_front_end", "log_mel", "mel_filters", "resampler")),
        f"-I{core / 'include'}",
        f"-isystem{cache_folder() / 'debian/usr/include'}",  # where the set-up unpacks KissFFT if it may not install it
        "-O2",
    )


@pytest.fixture
def watch(watched_library, tmp_path):
    """A function from a loader to what rtc-host saw of reset and of one second's blocks, and the frames that came."""

    def offences(loader):
        model_file = raw_host.written(tmp_path / "unread.json", "{}")
        with raw_host.running(watched_library, loader) as host:
            model = host.loaded(model_file, max_frames=1024)
            sizes = [1, 7, 64, 333, 512, 1024]
            reply = host.do("watch", sections=[raw_host.section(model, noise(1, 48_000, 2), sizes)])
        return reply["offences"], raw_host.unpacked(reply["outputs"][0])[-1]

    return offences


@raw_host.needs_host
@each_rate
def test_push_and_reset_allocate_nothing_lock_nothing_and_make_no_system_call(watch, rate):
    """From the first block on, as the judge's detectors see it."""
    offences, frames = watch(str(rate))
    assert frames > 10
    assert offences == []


@raw_host.needs_host
def test_a_sink_that_allocates_would_be_seen(watch):
    """So the detectors do reach what push calls."""
    offences, _ = watch("keeps")
    assert "malloc" in {offence["kind"] for offence in offences}
