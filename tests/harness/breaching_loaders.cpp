// Loaders that break loader.h itself, one rule each, in ways that the host can see.
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "rtconform/loader.h"

struct rtc_model {
    std::uint32_t inputs = 1;
};

namespace {

rtc_status load(const char*, rtc_model** model, rtc_error*) {
    *model = new rtc_model;
    return RTC_OK;
}

rtc_status load_throws(const char*, rtc_model**, rtc_error*) { throw std::runtime_error("out"); }
rtc_status load_without_model(const char*, rtc_model**, rtc_error*) { return RTC_OK; }
rtc_status load_without_phase(const char*, rtc_model**, rtc_error*) { return RTC_ERROR; }

rtc_status load_refuses_with_model(const char* path, rtc_model** model, rtc_error* error) {
    error->phase = RTC_PHASE_VALIDATE;
    load(path, model, error);
    return RTC_ERROR;
}

rtc_status load_without_inputs(const char* path, rtc_model** model, rtc_error* error) {
    load(path, model, error);
    (*model)->inputs = 0;
    return RTC_OK;
}

rtc_status load_with_endless_text(const char*, rtc_model**, rtc_error* error) {
    error->phase = RTC_PHASE_PARSE;
    std::memset(error->json_path, '\xff', sizeof error->json_path);
    std::memset(error->message, 'x', sizeof error->message);
    return RTC_ERROR;
}

rtc_status prepare(rtc_model*, std::uint32_t, rtc_error*) { return RTC_OK; }
void unload(rtc_model* model) { delete model; }
std::uint32_t input_size(const rtc_model* model) { return model->inputs; }
std::uint32_t output_size(const rtc_model*) { return 1; }
void reset(rtc_model*) {}
void process(rtc_model*, const float*, float* out, std::uint32_t frames) { std::memset(out, 0, frames * sizeof *out); }
void process_throws(rtc_model*, const float*, float*, std::uint32_t) { throw 1; }
void process_writes_in_front(rtc_model*, const float*, float* out, std::uint32_t) { out[-1] = 0.0f; }
void process_writes_nothing(rtc_model*, const float*, float*, std::uint32_t) {}
void process_closes_input(rtc_model*, const float*, float*, std::uint32_t) { close(STDIN_FILENO); }
void process_closes_files(rtc_model*, const float*, float*, std::uint32_t) {
    for (int file = 0; file < 64; ++file) close(file);
}
void process_writes_to_inputs(rtc_model*, const float* in, float*, std::uint32_t) { const_cast<float*>(in)[0] = 0.0f; }

const char* const layer_types[] = {nullptr};

const void* extension_throws(const char*) { throw 1; }

rtc_loader make(const char* name, decltype(&load) load, decltype(&process) process = ::process,
                const void* (*extension)(const char*) = nullptr) {
    return {RTC_ABI_VERSION, name,       "1",         "f32", layer_types, load,   prepare,
            unload,          input_size, output_size, reset, process,     extension};
}

}  // namespace

RTC_EXPORT const void* rtc_entry(const char*, std::uint32_t index) {
    static const rtc_loader loaders[] = {
        make("load-throws", load_throws),
        make("load-without-model", load_without_model),
        make("load-without-phase", load_without_phase),
        make("load-refuses-with-model", load_refuses_with_model),
        make("load-without-inputs", load_without_inputs),
        make("load-with-endless-text", load_with_endless_text),
        make("extension-throws", load, process, extension_throws),
        make("process-throws", load, process_throws),
        make("process-writes-in-front", load, process_writes_in_front),
        make("process-writes-nothing", load, process_writes_nothing),
        make("process-writes-to-inputs", load, process_writes_to_inputs),
        make("process-closes-input", load, process_closes_input),
        make("process-closes-files", load, process_closes_files),
    };
    return index < sizeof loaders / sizeof *loaders ? &loaders[index] : nullptr;
}
