// The compact loaders by the C interface of rtconform/loader.h: one per precision of the weights.
#include "dispatch.h"
#include "network.h"

#include "../refuse.h"
#include <read_model.h>

#include <cstring>
#include <new>
#include <string>

using namespace rtconform;

struct rtc_model
{
    compact::Network network;
};

namespace
{

using rtconform::refuse;

rtc_status refuse(rtc_error* error, const format::Faults& faults)
{
    static constexpr rtc_phase phases[] = { RTC_PHASE_READ, RTC_PHASE_PARSE, RTC_PHASE_VALIDATE };
    const auto& first = faults.front();
    const auto more = faults.size() - 1;
    return refuse(error, phases[static_cast<int>(first.phase)],
        first.message + (more == 0 ? "" : " (and " + std::to_string(more) + " more)"), first.json_path);
}

template <compact::Precision precision>
rtc_status load(const char* path_utf8, rtc_model** model, rtc_error* error)
{
    *model = nullptr;
    try
    {
        const auto chosen = compact::chosen_kernels();
        if(const auto* reason = std::get_if<std::string>(&chosen))
            return refuse(error, RTC_PHASE_BUILD, *reason);
        auto read = format::read_file(path_utf8);
        if(const auto* faults = std::get_if<format::Faults>(&read))
            return refuse(error, *faults);
        *model = new rtc_model { compact::Network {
            std::move(std::get<format::Model>(read)), *std::get<const compact::Kernels*>(chosen), precision } };
        return RTC_OK;
    }
    catch(const compact::Unfit& unfit)
    {
        return refuse(error, RTC_PHASE_BUILD, unfit.message);
    }
    catch(const std::bad_alloc&)
    {
        return refuse(error, RTC_PHASE_BUILD, "expected enough memory for the model, found less");
    }
}

rtc_status prepare(rtc_model* model, uint32_t /*max_frames*/, rtc_error* /*error*/)
{
    model->network.reset();
    return RTC_OK;
}

void unload(rtc_model* model)
{
    delete model;
}

uint32_t input_size(const rtc_model* model)
{
    return model->network.input_size();
}

uint32_t output_size(const rtc_model* model)
{
    return model->network.output_size();
}

void reset(rtc_model* model)
{
    model->network.reset();
}

void process(rtc_model* model, const float* in, float* out, uint32_t frames)
{
    auto& network = model->network;
    const size_t in_size = network.input_size(), out_size = network.output_size();
    for(uint32_t f = 0; f < frames; ++f)
        network.process(in + f * in_size, out + f * out_size);
}

const void* extension(const char* id)
{
    static const rtc_build_info build_info { RTCONFORM_COMPILER, RTCONFORM_FLAGS, RTCONFORM_SOURCE_HASH };
    return std::strcmp(id, RTC_EXT_BUILD_INFO) == 0 ? &build_info : nullptr;
}

const char* const all_types[] = { "dense", "time-distributed-dense", "conv1d", "conv2d", "gru", "lstm", "prelu", "batchnorm",
    "batchnorm2d", "activation", nullptr };

constexpr rtc_loader loader_of(const char* name, const char* numeric_class, decltype(rtc_loader::load) load)
{
    return { RTC_ABI_VERSION, name, RTCONFORM_VERSION, numeric_class, all_types, load, prepare, unload, input_size,
        output_size, reset, process, extension };
}

const rtc_loader loaders[] = {
    loader_of("compact-f32", "f32", load<compact::Precision::f32>),
    loader_of("compact-f16", "f16", load<compact::Precision::f16>),
    loader_of("compact-i8", "i8-dynamic", load<compact::Precision::i8>),
};

} // namespace

RTC_EXPORT const void* rtc_entry(const char* interface_id, uint32_t index)
{
    const bool is_known = std::strcmp(interface_id, RTC_LOADER_INTERFACE) == 0 && index < std::size(loaders);
    return is_known ? &loaders[index] : nullptr;
}
