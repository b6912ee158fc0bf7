#include <rtconform_plugin/audio_front_end.h>

#include <cmath>
#include <locale>
#include <sstream>

namespace rtconform::plugin
{

static uint32_t checked_rate(double rate)
{
    // NaN fails every comparison.
    if(rate >= AudioFrontEnd::min_rate && rate <= AudioFrontEnd::max_rate && rate == std::floor(rate))
        return static_cast<uint32_t>(rate);
    std::ostringstream message;
    message.imbue(std::locale::classic());
    message.precision(17);
    message << "rate: expected a whole number from " << AudioFrontEnd::min_rate << " to " << AudioFrontEnd::max_rate
            << " Hz, found " << rate << "; pass the rate at which the host runs";
    throw InvalidAudioFormat { message.str() };
}

static uint32_t checked_channels(uint32_t channels)
{
    if(channels == 0)
        throw InvalidAudioFormat { "channels: expected at least 1, found 0; pass the channel count of the input bus" };
    return channels;
}

AudioFrontEnd::AudioFrontEnd(double rate, uint32_t channels)
    : channel_count_ { checked_channels(channels) }, resampler_ { LogMel::rate, checked_rate(rate) }
{
}

void AudioFrontEnd::reset() noexcept
{
    resampler_.reset();
    log_mel_.reset();
    frames_ = 0;
    bad_samples_ = 0;
}

double AudioFrontEnd::mono(const float* const* channels, size_t i) noexcept
{
    double sum = 0.0;
    for(uint32_t channel = 0; channel < channel_count_; ++channel)
    {
        const float sample = channels[channel][i];
        if(std::abs(sample) <= loudest) // NaN fails every comparison
            sum += sample;
        else
            ++bad_samples_;
    }
    return sum / channel_count_;
}

} // namespace rtconform::plugin
