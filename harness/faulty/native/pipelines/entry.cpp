// librtc_faulty_pipelines.so: the honest pipeline and the known-bad ones, in the order of faults.h.
#include <cstring>
#include <exception>
#include <new>

#include "pipeline.h"

namespace {

using rtc_faulty::five_models;
using rtc_faulty::PipelineFault;

const rtc_build_info build = {"g++ " __VERSION__, RTC_FAULTY_FLAGS, nullptr};

template <PipelineFault fault>
rtc_status open(const char* folder, rtc_pipeline** pipeline, rtc_error* error) {
    try {
        *pipeline = new rtc_pipeline(folder, fault);
        return RTC_OK;
    } catch (const std::exception& failure) {
        error->phase = RTC_PHASE_BUILD;
        std::strncpy(error->message, failure.what(), sizeof error->message - 1);
        return RTC_ERROR;
    }
}

void close(rtc_pipeline* pipeline) { delete pipeline; }
std::uint32_t frame_size(const rtc_pipeline*) { return rtc_faulty::frame_size; }
std::uint32_t model_count(const rtc_pipeline*) { return rtc_faulty::model_count; }
const char* model_name(const rtc_pipeline*, std::uint32_t model) { return five_models()[model].name; }
std::uint32_t output_size(const rtc_pipeline*, std::uint32_t model) {
    return static_cast<std::uint32_t>(five_models()[model].output_size);
}
std::uint32_t capacity(const rtc_pipeline*) { return rtc_pipeline::capacity; }
rtc_status submit(rtc_pipeline* pipeline, std::uint64_t id, const float* features) {
    return pipeline->submit(id, features);
}
std::uint32_t poll(rtc_pipeline* pipeline, rtc_pipeline_result* result) { return pipeline->poll(result); }
rtc_status reload(rtc_pipeline* pipeline, std::uint32_t model, rtc_error* error) {
    return pipeline->reload(model, error);
}
void status(const rtc_pipeline* pipeline, std::uint32_t model, rtc_model_status* status) {
    pipeline->status(model, status);
}
void counters(const rtc_pipeline* pipeline, rtc_pipeline_counters* counters) { pipeline->counters(counters); }
const void* extension(const char* id) { return std::strcmp(id, RTC_EXT_BUILD_INFO) == 0 ? &build : nullptr; }

}  // namespace

RTC_EXPORT const void* rtc_entry(const char* interface_id, uint32_t index) {
#define RTC_FAULT_PIPELINE(identifier, name)                                                                         \
    rtc_pipeline_api{RTC_PIPELINE_ABI_VERSION, name,     "1.0",  "f32",  open<PipelineFault::identifier>, close,     \
                     frame_size,               model_count, model_name, output_size, capacity, submit, poll, reload, \
                     status,                   counters, extension},
    static const rtc_pipeline_api pipelines[] = {RTC_PIPELINE_FAULTS(RTC_FAULT_PIPELINE)};
#undef RTC_FAULT_PIPELINE
    if (std::strcmp(interface_id, RTC_PIPELINE_INTERFACE) != 0) return nullptr;
    return index < sizeof pipelines / sizeof *pipelines ? &pipelines[index] : nullptr;
}
