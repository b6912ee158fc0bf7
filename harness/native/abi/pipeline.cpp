#include "pipeline.h"

#include <algorithm>
#include <numeric>

#include "cross.h"
#include "refusal.h"

namespace rtc {
namespace {

constexpr std::uint32_t max_models = 64;
constexpr std::uint32_t max_floats = 1u << 20;  // of a frame, or of a model's outputs

template <typename Function>
auto call(const char* name, Function&& function) {
    return cross(name, std::forward<Function>(function), "pipeline.h");
}

std::uint32_t demand(const std::string& what, std::uint32_t found, std::uint32_t least, std::uint32_t most) {
    if (found < least || found > most)
        throw ContractBreach(what + " says " + std::to_string(found) + "; pipeline.h demands " +
                             std::to_string(least) + " at least, and more than " + std::to_string(most) +
                             " can't be meant.");
    return found;
}

const char* state_name(rtc_model_state state) {
    switch (state) {
        case RTC_MODEL_LOADED: return "loaded";
        case RTC_MODEL_FALLBACK: return "fallback";
        case RTC_MODEL_DISABLED: return "disabled";
        default:
            throw ContractBreach("status() filled in the state " + std::to_string(state) +
                                 "; pipeline.h has 1, 2 and 3.");
    }
}

}  // namespace

Result::Result(const std::vector<Place>& places) : fallback(places.size()), version(places.size()) {
    for (const Place& place : places) outputs.resize(outputs.size() + place.output_size);
}

Pipeline::Pipeline(const rtc_pipeline_api& api, const std::string& models_dir) : api_(api) {
    rtc_error error{};
    const rtc_status status = call("open", [&] { return api_.open(models_dir.c_str(), &pipeline_, &error); });
    if (status != RTC_OK) {
        if (pipeline_ != nullptr) throw ContractBreach("open() said no but left *pipeline set.");
        throw refusal("open", error);
    }
    if (pipeline_ == nullptr) throw ContractBreach("open() returned RTC_OK without a pipeline.");
    try {
        frame_size_ = demand("frame_size()", call("frame_size", [&] { return api_.frame_size(pipeline_); }), 1,
                             max_floats);
        capacity_ = demand("capacity()", call("capacity", [&] { return api_.capacity(pipeline_); }),
                           1, max_floats);
        const std::uint32_t count = demand(
            "model_count()", call("model_count", [&] { return api_.model_count(pipeline_); }), 1, max_models);
        for (std::uint32_t model = 0; model < count; ++model) {
            const char* const name = call("model_name", [&] { return api_.model_name(pipeline_, model); });
            if (name == nullptr || *name == '\0')
                throw ContractBreach("model_name() has no name for model " + std::to_string(model) + ".");
            const std::uint32_t size = call("output_size", [&] { return api_.output_size(pipeline_, model); });
            places_.push_back({name, demand("output_size() of " + std::string(name), size, 1, max_floats)});
            outputs_ += size;
        }
    } catch (...) {
        api_.close(pipeline_);
        throw;
    }
}

Pipeline::~Pipeline() {
    // An exception out of close ends the program, which the parent process reports as a crash.
    const Boundary boundary;
    api_.close(pipeline_);
}

bool Pipeline::submit(std::uint64_t frame_id, const float* features) {
    const rtc_status status = call("submit", [&] { return api_.submit(pipeline_, frame_id, features); });
    if (status != RTC_OK && status != RTC_FULL)
        throw ContractBreach("submit() returned " + std::to_string(status) +
                             "; pipeline.h has RTC_OK (0) and RTC_FULL (2).");
    return status == RTC_OK;
}

bool Pipeline::poll(Result& result) {
    rtc_pipeline_result filled{0, result.outputs.data(), result.fallback.data(), result.version.data()};
    const std::uint32_t got = call("poll", [&] { return api_.poll(pipeline_, &filled); });
    if (got > 1) throw ContractBreach("poll() returned " + std::to_string(got) + "; pipeline.h has 1 and 0.");
    result.frame_id = filled.frame_id;
    return got == 1;
}

std::unique_ptr<Refusal> Pipeline::reload(std::uint32_t model) {
    rtc_error error{};
    const rtc_status status = call("reload", [&] { return api_.reload(pipeline_, model, &error); });
    if (status == RTC_OK) return nullptr;
    return std::make_unique<Refusal>(refusal("reload", error));
}

ModelStatus Pipeline::status(std::uint32_t model) const {
    rtc_model_status status{};
    call("status", [&] { api_.status(pipeline_, model, &status); });
    return {state_name(status.state), status.version, text(status.reason)};
}

rtc_pipeline_counters Pipeline::counters() const {
    rtc_pipeline_counters counters{};
    call("counters", [&] { api_.counters(pipeline_, &counters); });
    return counters;
}

}  // namespace rtc
