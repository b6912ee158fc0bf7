// A loader on unmodified RTNeural: its dynamic Model<float>, one backend per compilation.
//
// It adds what the interface asks for and RTNeural has no word for: phases of an error, blocks of frames, input of any
// alignment. How a file becomes a network is one of two headers: parsed_network.h leaves it to RTNeural, checked_network.h
// doesn't.

// The alignment has to fit the vector registers that the flags allow. Eigen knows 16 and 32 only.
#if defined(__AVX512F__) && RTNEURAL_USE_XSIMD
#define RTNEURAL_DEFAULT_ALIGNMENT 64
#elif defined(__AVX__)
#define RTNEURAL_DEFAULT_ALIGNMENT 32
#else
#define RTNEURAL_DEFAULT_ALIGNMENT 16
#endif

#include <RTNeural/RTNeural.h>

#include "../refuse.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#if RTCONFORM_CHECKED
#include "checked_network.h"
#else
#include "parsed_network.h"
#endif

// A cache line, and at least the alignment of any backend's vectors.
static constexpr std::align_val_t kScratchAlignment { 64 };

struct AlignedDelete
{
    void operator()(float* values) const noexcept { ::operator delete(values, kScratchAlignment); }
};

struct rtc_model
{
    std::unique_ptr<Network> network;
    std::unique_ptr<float, AlignedDelete> frame; // one input frame, aligned as the backend wants it
};

namespace
{

using rtconform::refuse;

rtc_status load(const char* path_utf8, rtc_model** model, rtc_error* error)
{
    *model = nullptr;
    try
    {
        auto network = read_network(path_utf8);
        *model = new rtc_model { std::move(network), nullptr };
        return RTC_OK;
    }
    catch(const Refusal& refusal)
    {
        return refuse(error, refusal.phase, refusal.message, refusal.json_path);
    }
    catch(const std::exception& e)
    {
        return refuse(error, RTC_PHASE_BUILD, e.what());
    }
    catch(...)
    {
        return refuse(error, RTC_PHASE_BUILD, "RTNeural threw something that is no std::exception");
    }
}

uint32_t input_size(const rtc_model* model)
{
    return static_cast<uint32_t>(model->network->getInSize());
}

uint32_t output_size(const rtc_model* model)
{
    return static_cast<uint32_t>(model->network->getOutSize());
}

rtc_status prepare(rtc_model* model, uint32_t /*max_frames*/, rtc_error* error)
{
    try
    {
        const auto bytes = input_size(model) * sizeof(float);
        model->frame.reset(static_cast<float*>(::operator new(bytes, kScratchAlignment)));
    }
    catch(const std::bad_alloc& e)
    {
        return refuse(error, RTC_PHASE_BUILD, e.what());
    }
    // RTNeural's plain C++ layers leave their state uninitialised until the first reset.
    model->network->reset();
    return RTC_OK;
}

void unload(rtc_model* model)
{
    delete model;
}

void reset(rtc_model* model)
{
    model->network->reset();
}

void process(rtc_model* model, const float* in, float* out, uint32_t frames)
{
    auto& network = *model->network;
    const size_t in_size = input_size(model);
    const size_t out_size = output_size(model);
    for(uint32_t f = 0; f < frames; ++f)
    {
        std::copy_n(in + f * in_size, in_size, model->frame.get());
        network.forward(model->frame.get());
        std::copy_n(network.getOutputs(), out_size, out + f * out_size);
    }
}

const void* extension(const char* id)
{
    static const char* const source_hash = RTCONFORM_SOURCE_HASH;
    static const rtc_build_info build_info { RTCONFORM_COMPILER, RTCONFORM_FLAGS, *source_hash ? source_hash : nullptr };
    return std::strcmp(id, RTC_EXT_BUILD_INFO) == 0 ? &build_info : nullptr;
}

// Every type that json_parser::parseJson builds a layer for.
const char* const layer_types[] = { "dense", "time-distributed-dense", "conv1d", "conv2d", "gru", "lstm", "prelu",
    "batchnorm", "batchnorm2d", "activation", nullptr };

const rtc_loader loader { RTC_ABI_VERSION, RTCONFORM_LOADER_NAME, RTCONFORM_RTNEURAL_VERSION, "f32", layer_types, load,
    prepare, unload, input_size, output_size, reset, process, extension };

} // namespace

RTC_EXPORT const void* rtc_entry(const char* interface_id, uint32_t index)
{
    return std::strcmp(interface_id, RTC_LOADER_INTERFACE) == 0 && index == 0 ? &loader : nullptr;
}
