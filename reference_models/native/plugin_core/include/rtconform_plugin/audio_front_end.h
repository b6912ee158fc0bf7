// What a plugin hears, as the five models want it: audio of any rate and channel count, in blocks of any size, to the 128
// log-mel features of one analysis frame per 23.2 ms.
//
// The features are those of reference_models/data/features.py for the same samples. Both compute in double precision and
// round once, to float32, so they are equal to the bit but where a value lies next to the middle between two floats:
// then they are neighbours. The bound is one ULP of a float32 in [-1, 1], at most 2^-24.
//
// Time is counted in host samples since construction or reset; the first one is 0.
#pragma once

#include "log_mel.h"
#include "resampler.h"

#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace rtconform::plugin
{

/** A sample rate or a channel count that no audio has. The message says what was expected and what was found. */
class InvalidAudioFormat : public std::invalid_argument
{
public:
    using std::invalid_argument::invalid_argument;
};

struct AnalysisFrame
{
    /** [LogMel::bands] in [-1, 1], valid until the sink returns. */
    const float* features;

    /** 0 for the first since construction or reset, and none is left out. */
    uint64_t number;

    /** The host sample with which the frame's last analysis sample, 512 number + 2047 of them at 22,050 Hz, had been
        heard: the first one at or after its instant. */
    uint64_t heard_at;
};

/** One stream. Not thread-safe; different ones may run on different threads at once. Its results don't depend on how the
    stream was cut into blocks. */
class AudioFrontEnd
{
public:
    static constexpr uint32_t min_rate = 1'000, max_rate = 768'000; // Hz

    /** Samples beyond this, 60 dB above full scale, are damage and no audio. */
    static constexpr float loudest = 1'000.0f;

    /** Makes all tables and takes all memory that will ever be needed: 0.11 MB at 22,050 Hz, 0.22 MB at 96,000; near
        max_rate, at a rate that has no divisor in common with 22,050, 123 MB (twice that for a moment) and 1.5 s. Throws
        InvalidAudioFormat for a rate that is no whole number from min_rate to max_rate, or for no channel;
        std::bad_alloc. [main-thread] */
    AudioFrontEnd(double rate, uint32_t channels);

    /** Takes a block of any size, 0 included: channels[c][i] with full scale 1. Calls sink(const AnalysisFrame&) for each
        frame that it completes, in order. A sample that is NaN, infinite or beyond loudest counts as 0 and in
        bad_samples(), and leaves no other trace. Allocates nothing, locks nothing, makes no system call, if the sink
        doesn't. [audio-thread] */
    template <typename Sink>
    void push(const float* const* channels, size_t samples, Sink&& sink)
    {
        for(size_t i = 0; i < samples; ++i)
        {
            resampler_.push(mono(channels, i));
            while(const auto sample = resampler_.next())
            {
                if(const auto* features = log_mel_.push(*sample))
                {
                    const AnalysisFrame frame { features, frames_,
                        resampler_.input_at(frames_ * LogMel::hop + LogMel::window - 1) };
                    ++frames_;
                    sink(frame);
                }
            }
        }
    }

    /** Back to what it was after construction, bad_samples() too. [audio-thread] */
    void reset() noexcept;

    /** The algorithmic latency in host samples: a frame comes in the push that brings host sample
        heard_at + latency_samples(), or at some rates the one before it. This is what the resampler looks ahead:
        0 at 22,050 Hz, 20 at 44,100, 21 at 48,000, 40 at 88,200, 43 at 96,000. It doesn't hold what lies in the nature of
        frames: one ends every hop (23.2 ms), and its middle is half a window (46.4 ms) old when it ends. [any thread] */
    uint32_t latency_samples() const { return resampler_.latency(); }

    /** How many samples, of all channels, were not finite or beyond loudest. [audio-thread] */
    uint64_t bad_samples() const { return bad_samples_; }

    /** [any thread] */
    uint32_t channel_count() const { return channel_count_; }

private:
    /** The mean of the channels, bad samples taken as 0. Not inline: code with -ffast-math would not see NaN. */
    double mono(const float* const* channels, size_t i) noexcept;

    uint32_t channel_count_;
    Resampler resampler_;
    LogMel log_mel_;
    uint64_t frames_ = 0;
    uint64_t bad_samples_ = 0;
};

} // namespace rtconform::plugin
