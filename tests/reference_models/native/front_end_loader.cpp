// The audio front end as loaders, so that rtc-host watches it: a frame is one sample of stereo, and the output is how many
// analysis frames have come. One loader for each sample rate, and one whose sink keeps what it gets.
#include <rtconform/loader.h>
#include <rtconform_plugin/audio_front_end.h>

#include <algorithm>
#include <iterator>
#include <vector>

using rtconform::plugin::AnalysisFrame;
using rtconform::plugin::AudioFrontEnd;

static constexpr uint32_t kChannels = 2;

struct rtc_model
{
    AudioFrontEnd front_end;
    std::vector<float> left, right;
    std::vector<float> kept;
    float frames = 0.0f;
};

template <uint32_t rate>
static rtc_status load(const char*, rtc_model** model, rtc_error*)
{
    *model = new rtc_model { AudioFrontEnd { rate, kChannels }, {}, {}, {} };
    return RTC_OK;
}

static rtc_status prepare(rtc_model* model, uint32_t max_frames, rtc_error*)
{
    model->left.resize(max_frames);
    model->right.resize(max_frames);
    return RTC_OK;
}

static void unload(rtc_model* model)
{
    delete model;
}

static uint32_t input_size(const rtc_model*)
{
    return kChannels;
}

static uint32_t output_size(const rtc_model*)
{
    return 1;
}

static void reset(rtc_model* model)
{
    model->front_end.reset();
    model->frames = 0.0f;
}

template <bool keeps>
static void process(rtc_model* model, const float* in, float* out, uint32_t frames)
{
    for(uint32_t i = 0; i < frames; ++i)
    {
        model->left[i] = in[kChannels * i];
        model->right[i] = in[kChannels * i + 1];
    }
    const float* const channels[] { model->left.data(), model->right.data() };
    model->front_end.push(channels, frames,
        [&](const AnalysisFrame& frame)
        {
            model->frames += frame.features[0] >= -1.0f ? 1.0f : 0.0f;
            if(keeps)
                model->kept.assign(frame.features, frame.features + 128);
        });
    std::fill_n(out, frames, model->frames);
}

static const char* const layer_types[] { nullptr };

template <uint32_t rate, bool keeps = false>
static constexpr rtc_loader loader(const char* name)
{
    return { RTC_ABI_VERSION, name, "1", "f32", layer_types, load<rate>, prepare, unload, input_size, output_size, reset,
        process<keeps>, nullptr };
}

extern "C" RTC_EXPORT const void* rtc_entry(const char*, uint32_t index)
{
    static const rtc_loader loaders[] { loader<22'050>("22050"), loader<44'100>("44100"), loader<48'000>("48000"),
        loader<88'200>("88200"), loader<96'000>("96000"), loader<48'000, true>("keeps") };
    return index < std::size(loaders) ? &loaders[index] : nullptr;
}
