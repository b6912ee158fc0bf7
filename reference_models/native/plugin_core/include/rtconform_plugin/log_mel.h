// The log-mel spectrum of a mono stream at 22,050 Hz: 128 features for every hop of 512 samples.
//
// The frames are those of reference_models/data/features.py, which is the definition: 2048 samples under a periodic Hann
// window, no centring; the spectrum divided by the window's sum; power p in 128 bands (Slaney's mel scale and area
// normalisation, 0 to 11,025 Hz); x = clip(10 log10(max(p, 1e-10)) / 40 + 1, -1, 1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace rtconform::plugin
{

/** Double precision up to the features. Different ones may run on different threads at once. */
class LogMel
{
public:
    static constexpr uint32_t rate = 22'050; // Hz
    static constexpr uint32_t window = 2048, hop = 512; // samples
    static constexpr uint32_t bands = 128;

    /** Makes all tables. Throws std::bad_alloc. [main-thread] */
    LogMel();
    ~LogMel();
    LogMel(LogMel&&) noexcept;
    LogMel& operator=(LogMel&&) noexcept;

    /** Takes one finite sample. If it is the last one of a frame, returns the frame's features [bands], valid until the
        next push; else null. Frame n has the samples 512 n to 512 n + 2047. [audio-thread] */
    const float* push(double sample) noexcept
    {
        samples_[filled_++] = sample;
        return filled_ == window ? features() : nullptr;
    }

    /** Back to no sample. [audio-thread] */
    void reset() noexcept { filled_ = 0; }

private:
    const float* features() noexcept;

    struct Analysis; // keeps the FFT's header out of a plugin's code
    std::unique_ptr<Analysis> analysis_;
    std::vector<double> samples_; // [window]
    size_t filled_ = 0;
};

} // namespace rtconform::plugin
