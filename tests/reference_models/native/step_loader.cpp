// The five-model step as loaders, so that rtc-host watches it: a frame is 128 features, the output all that a step gives,
// and behind it how many models were exchanged so far. Meanwhile a thread reloads one model after the other, except in
// "quiet". In "frees", a step gives back itself what it has exchanged, which it must not.
//
//     RTC_TEST_LIBRARY, RTC_TEST_MODELS   the loader's library, and the folder of models
#include <rtconform/loader.h>
#include <rtconform_plugin/loader_library.h>
#include <rtconform_plugin/multi_model_processor.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <thread>

using namespace rtconform::plugin;

struct rtc_model
{
    rtc_model(const rtc_loader& loader, bool reloads_)
        : processor { loader, { std::getenv("RTC_TEST_MODELS") } }
        , reloads { reloads_ }
    {
    }

    ~rtc_model()
    {
        is_over = true;
        if(thread.joinable())
            thread.join();
    }

    MultiModelProcessor processor;
    const bool reloads;
    StepResult result;
    uint64_t frame = 0;
    std::atomic<bool> is_over { false };
    std::thread thread;
};

template <bool reloads>
static rtc_status load(const char*, rtc_model** model, rtc_error* error)
{
    const auto loader = open_loader(std::getenv("RTC_TEST_LIBRARY"));
    if(const auto* wrong = std::get_if<std::string>(&loader))
    {
        error->phase = RTC_PHASE_BUILD;
        std::strncpy(error->message, wrong->c_str(), sizeof error->message - 1);
        return RTC_ERROR;
    }
    *model = new rtc_model { *std::get<const rtc_loader*>(loader), reloads };
    return RTC_OK;
}

static rtc_status prepare(rtc_model* model, uint32_t, rtc_error*)
{
    if(model->reloads)
        model->thread = std::thread { [model]
            {
                for(size_t m = 0; !model->is_over; m = (m + 1) % model_count)
                    model->processor.reload(ModelSet {}.set(m));
            } };
    return RTC_OK;
}

static void unload(rtc_model* model)
{
    delete model;
}

static uint32_t input_size(const rtc_model*)
{
    return frame_size;
}

static uint32_t output_size(const rtc_model*)
{
    return output_count + 1;
}

static void reset(rtc_model* model)
{
    model->processor.reset();
}

template <bool frees>
static void process(rtc_model* model, const float* in, float* out, uint32_t frames)
{
    for(uint32_t f = 0; f < frames; ++f)
    {
        model->processor.process(model->frame++, in + f * frame_size, frame_size, model->result);
        if(frees)
            model->processor.collect();
        out = std::copy(model->result.outputs.begin(), model->result.outputs.end(), out);
        uint32_t versions = 0;
        for(const auto version : model->result.version)
            versions += version;
        *out++ = static_cast<float>(versions);
    }
}

RTC_EXPORT const void* rtc_entry(const char* interface_id, uint32_t index)
{
    static const char* const layer_types[] = { "dense", "lstm", nullptr };
    static const rtc_loader loaders[] = {
        { RTC_ABI_VERSION, "quiet", "1.0", "f32", layer_types, load<false>, prepare, unload, input_size, output_size,
            reset, process<false>, nullptr },
        { RTC_ABI_VERSION, "reloads", "1.0", "f32", layer_types, load<true>, prepare, unload, input_size, output_size,
            reset, process<false>, nullptr },
        { RTC_ABI_VERSION, "frees", "1.0", "f32", layer_types, load<true>, prepare, unload, input_size, output_size,
            reset, process<true>, nullptr },
    };
    return std::strcmp(interface_id, RTC_LOADER_INTERFACE) == 0 && index < std::size(loaders) ? &loaders[index] : nullptr;
}
