"""The log-mel front end against its definition, computed here from the formulas alone."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings, strategies as st

from rtconform.reference_models.data.features import BANDS, HOP, N_FFT, RATE, frame_ends, log_mel, read_audio
from rtconform.reference_models.errors import DataError
from rtconform.reference_models.specs import FIXTURES

SPOKEN = FIXTURES / "audio" / "spoken" / "sense-and-sensibility-0930.flac"
RECORDINGS = sorted(path for suffix in ("flac", "ogg") for path in (FIXTURES / "audio").rglob(f"*.{suffix}"))


def hertz(mel):
    """Slaney's scale: linear to 1 kHz (15 mel), then 27 steps per factor of 6.4."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def band_edges():
    top = 15 + 27 * np.log(RATE / 2 / 1000) / np.log(6.4)
    return hertz(np.linspace(0, top, BANDS + 2))


def by_definition(mono):
    """The features as the formulas say, one frame and one band at a time, in float64."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    bins = np.arange(N_FFT // 2 + 1) * RATE / N_FFT
    low, middle, high = (band_edges()[i : i + BANDS, None] for i in range(3))
    triangles = np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
    filters = triangles * 2 / (high - low)
    rows = []
    for start in range(0, len(mono) - N_FFT + 1, HOP):
        power = np.abs(np.fft.rfft(mono[start : start + N_FFT] * window) / window.sum()) ** 2
        rows.append(np.clip(10 * np.log10(np.maximum(filters @ power, 1e-10)) / 40 + 1, -1, 1))
    return np.array(rows)


def sine(frequency, seconds=0.5, rate=RATE, amplitude=1.0):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("amplitude", [1.0, 1e-3])
def test_features_equal_the_definition_computed_directly(amplitude):
    """librosa's STFT and filters give what the formulas give, for noise loud and soft."""
    noise = amplitude * np.random.default_rng(3).uniform(-1, 1, 9000)
    np.testing.assert_allclose(log_mel(noise, RATE), by_definition(noise), rtol=0, atol=1e-6)


def test_features_of_real_music_equal_the_definition():
    """A recording at 22,050 Hz is analysed without resampling, as the definition says."""
    samples, rate = read_audio(FIXTURES / "audio" / "music" / "greensleeves.ogg")
    assert rate == RATE
    np.testing.assert_allclose(log_mel(samples, rate), by_definition(samples[:, 0]), rtol=0, atol=1e-6)


def test_digital_silence_is_minus_one():
    """The floor of 1e-10 lies below -80 dB, so silence is exactly the lowest feature."""
    assert np.all(log_mel(np.zeros(4096), RATE) == -1.0)


@pytest.mark.parametrize("frequency", [60.0, 440.0, 1000.0, 3000.0, 9000.0])
def test_a_sine_is_loudest_in_the_band_that_holds_it(frequency):
    """The peak's band has the sine's frequency between its edges."""
    band = log_mel(sine(frequency), RATE)[5].argmax()
    edges = band_edges()
    assert edges[band] <= frequency <= edges[band + 2]


def test_a_full_scale_sine_at_1_khz_reads_about_one_half():
    """The line's height of 1/4, times the filter's height of about 2/53 per Hz, is some -20 dB."""
    assert log_mel(sine(1000.0), RATE).max() == pytest.approx(0.5, abs=0.03)


def test_20_db_are_one_half():
    """40 dB span one unit, so a tenth of the amplitude lowers every unclipped band by 0.5."""
    loud, soft = log_mel(sine(1000.0), RATE), log_mel(sine(1000.0, amplitude=0.1), RATE)
    audible = soft > -1.0
    assert audible.any()
    np.testing.assert_allclose((loud - soft)[audible], 0.5, atol=1e-6)


@pytest.mark.parametrize(("samples", "frames"), [(2048, 1), (2559, 1), (2560, 2), (22_050, 40)])
def test_there_is_one_frame_for_each_whole_hop(samples, frames):
    """Frames are whole windows, with nothing padded at either end."""
    features = log_mel(np.zeros(samples), RATE)
    assert features.shape == (frames, BANDS)
    assert features.dtype == np.float32
    assert frame_ends(frames)[-1] <= samples / RATE


def test_a_frame_knows_nothing_of_what_comes_after_it():
    """Changing the samples behind a frame's end leaves that frame and all before it alone."""
    samples = np.random.default_rng(4).uniform(-1, 1, 8192)
    changed = samples.copy()
    changed[N_FFT + 3 * HOP :] = 0.0
    before, after = log_mel(samples, RATE), log_mel(changed, RATE)
    assert np.array_equal(before[:4], after[:4])
    assert not np.array_equal(before[4], after[4])


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000])
def test_other_rates_give_the_same_features(rate):
    """A chord below every Nyquist frequency reads alike at every rate, in the bands where it sounds."""
    chord = sum(sine(f, 1.0, rate, 0.2) for f in (220.0, 554.4, 1318.5))
    wanted = log_mel(sum(sine(f, 1.0, RATE, 0.2) for f in (220.0, 554.4, 1318.5)), RATE)
    found = log_mel(chord, rate)
    inner = slice(3, min(len(found), len(wanted)) - 4)  # the ends ring: the chord starts and stops there
    sounding = wanted[inner] > -0.5
    np.testing.assert_allclose(found[inner][sounding], wanted[inner][sounding], atol=0.01)


def test_channels_are_averaged():
    """Stereo in opposite phase is silence, and six equal channels are one."""
    tone = sine(440.0)
    assert np.all(log_mel(np.stack([tone, -tone], axis=1), RATE) == -1.0)
    np.testing.assert_allclose(log_mel(np.stack([tone] * 6, axis=1), RATE), log_mel(tone, RATE), atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (np.zeros(0), RATE, "not empty"),
        (np.zeros((4096, 2, 2)), RATE, "[4096, 2, 2]"),
        (np.zeros(1), RATE, "2048 samples"),
        (np.zeros(2047), RATE, "found 2047"),
        (np.r_[np.zeros(4000), np.nan], RATE, "nan at sample 4000"),
        (np.r_[np.zeros(4000), -np.inf], RATE, "inf at sample 4000"),
        (np.full(4000, 20_000, np.int16), RATE, "divide integers"),
        (np.zeros(4096), 0, "found 0"),
        (np.zeros(4096), 22_050.5, "whole number"),
    ],
)
def test_what_is_no_audio_is_refused_with_its_reason(samples, rate, words):
    """Nothing that isn't finite audio of a known rate becomes features."""
    with pytest.raises(DataError) as error:
        log_mel(samples, rate)
    assert words in str(error.value)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.0, 1000.0), st.integers(1, 3), st.sampled_from([8_000, RATE, 44_100]), st.integers(0, 2**32 - 1))
def test_features_are_always_finite_and_in_range(amplitude, channels, rate, seed):
    """Whatever finite audio comes in, the features lie in [-1, 1]."""
    samples = np.random.default_rng(seed).uniform(-amplitude, amplitude, (2 * rate // 10, channels))
    features = log_mel(samples, rate)
    assert np.isfinite(features).all()
    assert -1.0 <= features.min() <= features.max() <= 1.0


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_every_sample_format_reads_as_full_scale_one(tmp_path, subtype):
    """8-bit, 16-bit, 24-bit and float files of one tone differ by their rounding alone."""
    tone = sine(440.0, amplitude=0.5)
    soundfile.write(tmp_path / "tone.wav", tone, RATE, subtype=subtype)
    samples, rate = read_audio(tmp_path / "tone.wav")
    assert (samples.shape, rate) == ((len(tone), 1), RATE)
    np.testing.assert_allclose(samples[:, 0], tone, atol=1 / 100)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "found none"), (b"", "audio that libsndfile can read"), (b"RIFFxxxx", "libsndfile")]
)
def test_a_file_that_is_no_sound_is_refused_by_name(tmp_path, content, words):
    """The message holds the path and what was expected, and never a traceback of the library."""
    path = tmp_path / "broken.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_audio(path)
    assert str(path) in str(error.value)
    assert words in str(error.value)


def test_a_sound_file_without_samples_is_refused(tmp_path):
    """A valid header with nothing behind it is no audio."""
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    with pytest.raises(DataError, match="no samples"):
        read_audio(tmp_path / "empty.wav")


def test_the_bundled_recordings_are_half_a_minute_and_more_and_can_all_be_heard():
    """fixtures/audio holds at least 30 s; every file has features that vary."""
    seconds = 0.0
    for path in RECORDINGS:
        samples, rate = read_audio(path)
        seconds += len(samples) / rate
        assert log_mel(samples, rate).std() > 0.05, path
    assert seconds >= 30.0


def test_the_bundled_recordings_are_those_of_the_provenance():
    """PROVENANCE.md gives the sha256 of every recording as it is stored."""
    import hashlib

    provenance = (FIXTURES / "audio" / "PROVENANCE.md").read_text(encoding="utf-8")
    for path in RECORDINGS:
        row = f"| `{path.relative_to(FIXTURES / 'audio').as_posix()}` |"
        line = next(line for line in provenance.splitlines() if line.startswith(row))
        assert hashlib.sha256(path.read_bytes()).hexdigest() in line
