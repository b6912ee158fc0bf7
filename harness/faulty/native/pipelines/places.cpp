#include "places.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <vector>

namespace rtc_faulty {
namespace {

bool is_same(const LayerSpec& found, const LayerShape& wanted) {
    return found.kind == wanted.kind && found.out == wanted.out && found.activation == wanted.activation;
}

// Throws ReadError. Two of the five have the same outer sizes, so that sizes alone would let one pass for the other.
void check(const ModelSpec& found, const FiveModel& wanted, PipelineFault fault) {
    const bool has_its_sizes = found.input_size == wanted.input_size && !found.layers.empty() &&
                               found.layers.back().out == wanted.output_size;
    const bool has_its_layers = std::equal(found.layers.begin(), found.layers.end(), wanted.layers.begin(),
                                           wanted.layers.end(), is_same);
    if (has_its_sizes && (has_its_layers || fault == PipelineFault::takes_any_model)) return;
    throw ReadError(RTC_PHASE_VALIDATE, "$.layers", "these are not the layers of a " + std::string(wanted.name));
}

}  // namespace

std::shared_ptr<rtc_model> Places::read(const FiveModel& wanted, bool is_first) const {
    if (is_first && fault_ == PipelineFault::shares_models) return shared(wanted);
    const std::string path = folder_ + "/" + wanted.file;
    ModelSpec spec = read_model(read_json(path.c_str(), Fault::none), Fault::none);
    check(spec, wanted, fault_);
    auto model = std::make_shared<rtc_model>(std::move(spec), Fault::none);
    model->prepare(1);
    if (!is_first && fault_ == PipelineFault::keeps_state) {
        // Tried before it plays, and not reset.
        const std::vector<float> in(wanted.input_size, 0.5f);
        std::vector<float> out(wanted.output_size);
        model->process(in.data(), out.data(), 1);
    }
    return model;
}

// The model that another pipeline has of the same file, if there is one.
std::shared_ptr<rtc_model> Places::shared(const FiveModel& wanted) const {
    static std::map<std::string, std::weak_ptr<rtc_model>> all;
    std::weak_ptr<rtc_model>& known = all[folder_ + "/" + wanted.file];
    auto model = known.lock();
    if (model == nullptr) known = model = read(wanted, false);
    return model;
}

rtc_status Places::load(std::uint32_t model, Swap& swap, rtc_error* error) {
    const auto before = version_;
    rtc_status status = RTC_OK;
    for (std::uint32_t m = 0; m < model_count; ++m) {
        if (model != RTC_ALL_MODELS && model != m) continue;
        try {
            swap.models[m] = read(five_models()[m], version_[m] == 0);
            swap.is_new[m] = true;
            swap.version[m] = ++version_[m];
            reason_[m].clear();
        } catch (const std::exception& failure) {
            const auto* const refusal = dynamic_cast<const ReadError*>(&failure);
            const std::string path = refusal != nullptr ? refusal->json_path : "";
            const rtc_phase phase = refusal != nullptr ? refusal->phase : RTC_PHASE_BUILD;
            if (status == RTC_OK) {
                error->phase = phase;
                std::snprintf(error->json_path, sizeof error->json_path, "%s", path.c_str());
                std::snprintf(error->message, sizeof error->message, "%s: %s", five_models()[m].file, failure.what());
            }
            status = RTC_ERROR;
            reason_[m] = std::string(five_models()[m].file) + ": " + path + " " + failure.what();
            if (fault_ == PipelineFault::bad_file_replaces) swap.is_new[m] = true;
            if (fault_ == PipelineFault::counts_bad_loads && version_[m] != 0) ++version_[m];
            if (fault_ == PipelineFault::reload_says_ok) reason_[m].clear();
        }
    }
    const bool is_first = before == decltype(before){};
    if (fault_ == PipelineFault::all_or_nothing && status != RTC_OK && !is_first) {
        swap = Swap{};
        version_ = before;
    }
    return fault_ == PipelineFault::reload_says_ok ? RTC_OK : status;
}

void Places::status(std::uint32_t model, bool has_failed, rtc_model_status* status) const {
    const bool is_loaded = version_[model] != 0 && !has_failed;
    status->state = is_loaded ? RTC_MODEL_LOADED : RTC_MODEL_FALLBACK;
    status->version = version_[model];
    const char* const reason = has_failed ? "it gave outputs that are not finite" : reason_[model].c_str();
    std::snprintf(status->reason, sizeof status->reason, "%s", reason);
}

}  // namespace rtc_faulty
