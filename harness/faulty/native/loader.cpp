#include "loader.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <utility>

#include "model.h"

namespace rtc_faulty {
namespace {

const char* const layer_types[] = {"dense", "time-distributed-dense", "lstm", "conv1d", "activation", nullptr};
const char* const no_layer_types[] = {nullptr};
// For ldr-half-loaded: what a failed load leaves behind.
bool last_load_failed = false;

const rtc_build_info build = {"g++ " __VERSION__, RTC_FAULTY_FLAGS, nullptr};

rtc_status fail(rtc_error* error, rtc_phase phase, const std::string& path, const char* message) {
    error->phase = phase;
    std::snprintf(error->json_path, sizeof error->json_path, "%s", path.c_str());
    std::snprintf(error->message, sizeof error->message, "%s", message);
    return RTC_ERROR;
}

rtc_status load_strictly(Fault fault, const char* path, rtc_model** model, rtc_error* error) {
    try {
        before_load(fault, path);
        // For ldr-caches-by-path: every file that was ever read.
        static std::map<std::string, Json> read;
        if (fault == Fault::caches_by_path && read.count(path) == 0) read[path] = read_json(path, fault);
        Json file = fault == Fault::caches_by_path ? read[path] : read_json(path, fault);
        ModelSpec spec = read_model(file, fault);
        if (fault == Fault::half_loaded && std::exchange(last_load_failed, false)) {
            // It takes its first matrix for filled already.
            auto& kernel = spec.layers.front().kernel;
            std::fill(kernel.begin(), kernel.end(), 0.0f);
        }
        auto loaded = std::make_unique<rtc_model>(std::move(spec), fault);
        loaded->effects.after_load(std::move(file));
        *model = loaded.release();
        return RTC_OK;
    } catch (const ReadError& refusal) {
        const rtc_phase phase = fault == Fault::wrong_phase ? RTC_PHASE_BUILD : refusal.phase;
        return fail(error, phase, refusal.json_path, refusal.what());
    } catch (const std::exception& failure) {
        return fail(error, RTC_PHASE_BUILD, "", failure.what());
    }
}

rtc_status prepare(rtc_model* model, uint32_t max_frames, rtc_error* error) {
    try {
        model->prepare(max_frames);
        return RTC_OK;
    } catch (const std::exception& failure) {
        return fail(error, RTC_PHASE_BUILD, "", failure.what());
    }
}

void unload(rtc_model* model) { delete model; }
uint32_t input_size(const rtc_model* model) { return static_cast<uint32_t>(model->input_size); }
uint32_t output_size(const rtc_model* model) { return static_cast<uint32_t>(model->output_size); }
void reset(rtc_model* model) { model->reset(); }

void process(rtc_model* model, const float* in, float* out, uint32_t frames) { model->process(in, out, frames); }

const void* extension(const char* id) { return std::strcmp(id, RTC_EXT_BUILD_INFO) == 0 ? &build : nullptr; }

}  // namespace

rtc_status load(Fault fault, const char* path, rtc_model** model, rtc_error* error) noexcept {
    const rtc_status status = load_strictly(fault, path, model, error);
    if (status != RTC_OK && fault == Fault::returns_true) {
        *model = new rtc_model({}, fault);
        return RTC_OK;
    }
    last_load_failed = status != RTC_OK;
    if (last_load_failed) after_refusal(fault);
    return status;
}

rtc_loader make_loader(Fault fault, const char* name, decltype(rtc_loader::load) load) {
    const bool rounds = fault == Fault::hides_in_i8 || fault == Fault::four_bits;
    const char* const numeric_class = fault == Fault::declares_unknown ? "f31" : rounds ? "i8" : "f32";
    const char* const* const declared = fault == Fault::declares_nothing ? no_layer_types : layer_types;
    return {RTC_ABI_VERSION, name,       "1.0",       numeric_class, declared, load,     prepare,
            unload,          input_size, output_size, reset,         process,  extension};
}

}  // namespace rtc_faulty
