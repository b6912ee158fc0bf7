// A loader for tests of the plugin core: models of the right sizes that do what the environment says when they are loaded.
//
//     RTC_TEST_SLEEP_MS   each step of the first model takes so long
#include <rtconform/loader.h>
#include <rtconform_plugin/specs.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

using rtconform::plugin::model_specs;
using rtconform::plugin::ModelSpec;

struct rtc_model
{
    const ModelSpec& spec;
    std::chrono::milliseconds pause;
};

namespace
{

int number(const char* variable)
{
    const char* const value = std::getenv(variable);
    return value == nullptr ? 0 : std::atoi(value);
}

rtc_status load(const char* path, rtc_model** model, rtc_error* error)
{
    const std::string file = path;
    for(const auto& spec : model_specs)
    {
        const std::string name = spec.file;
        if(file.size() < name.size() || file.compare(file.size() - name.size(), name.size(), name) != 0)
            continue;
        const bool is_first = &spec == &model_specs.front();
        *model = new rtc_model { spec, std::chrono::milliseconds { is_first ? number("RTC_TEST_SLEEP_MS") : 0 } };
        return RTC_OK;
    }
    error->phase = RTC_PHASE_READ;
    std::strcpy(error->message, "expected one of the five files");
    return RTC_ERROR;
}

rtc_status prepare(rtc_model*, uint32_t, rtc_error*)
{
    return RTC_OK;
}

void unload(rtc_model* model)
{
    delete model;
}

uint32_t input_size(const rtc_model* model)
{
    return model->spec.input_size;
}

uint32_t output_size(const rtc_model* model)
{
    return model->spec.output_size;
}

void reset(rtc_model*) { }

void process(rtc_model* model, const float*, float* out, uint32_t frames)
{
    std::this_thread::sleep_for(model->pause);
    for(uint32_t i = 0; i < frames * model->spec.output_size; ++i)
        out[i] = 0.25f;
}

const char* const layer_types[] = { "dense", "lstm", nullptr };
const rtc_loader loader { RTC_ABI_VERSION, "scripted", "1.0", "f32", layer_types, load, prepare, unload, input_size,
    output_size, reset, process, nullptr };

} // namespace

RTC_EXPORT const void* rtc_entry(const char* interface_id, uint32_t index)
{
    return std::strcmp(interface_id, RTC_LOADER_INTERFACE) == 0 && index == 0 ? &loader : nullptr;
}
