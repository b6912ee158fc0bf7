// The worker thread of a pipeline.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "pipeline.h"

using rtc_faulty::five_models;
using rtc_faulty::model_count;
using rtc_faulty::PipelineFault;
using rtc_faulty::Swap;

namespace {

constexpr auto nap = std::chrono::microseconds(100);
using Clock = std::chrono::steady_clock;

// How long after the swap was offered it is a model's turn.
std::chrono::milliseconds delay(PipelineFault fault, std::size_t model) {
    if (fault == PipelineFault::swaps_late) return std::chrono::milliseconds(30);
    if (fault == PipelineFault::swaps_one_by_one) return std::chrono::milliseconds(10 * model);
    return std::chrono::milliseconds(0);
}

bool is_finite(const float* values, std::size_t count) {
    return std::all_of(values, values + count, [](float value) { return std::isfinite(value); });
}

}  // namespace

// A swap is looked for after the frame was seen: what was offered before the frame was submitted is there by then.
void rtc_pipeline::work() {
    while (!stop_) {
        const bool has_frame = frames_.front() != nullptr;
        take_swap();
        const Frame* const frame = has_frame ? frames_.front() : nullptr;
        if (frame == nullptr) {
            std::this_thread::sleep_for(nap);
            continue;
        }
        if (fault_ == PipelineFault::forgets_unread && !results_.is_empty()) {
            ++forgotten_;
        } else {
            run_step(*frame, *results_.room());
            if (fault_ != PipelineFault::publishes_early) results_.push();
        }
        frames_.pop();
        ++done_;
    }
}

void rtc_pipeline::take_swap() {
    Swap* const swap = offered_.load();
    if (swap == nullptr) return;
    if (fault_ == PipelineFault::swap_drops_pending)
        for (; frames_.front() != nullptr; frames_.pop()) ++forgotten_;
    for (std::size_t model = 0; model < model_count; ++model) {
        if (!swap->is_new[model]) continue;
        if (Clock::now() < swap->offered_at + delay(fault_, model)) return;
        install(*swap, model);
    }
    offered_ = nullptr;
    returned_ = swap;
}

void rtc_pipeline::install(Swap& swap, std::size_t model) {
    std::swap(playing_[model], swap.models[model]);
    version_[model] = swap.version[model];
    has_failed_[model] = false;
    swap.is_new[model] = false;
}

// A frame that is not finite reaches no model.
void rtc_pipeline::run_step(const Frame& frame, Result& result) {
    const bool is_usable =
        is_finite(frame.features.data(), frame.features.size()) || fault_ == PipelineFault::nan_poisons;
    if (fault_ == PipelineFault::slow) std::this_thread::sleep_for(std::chrono::milliseconds(12));
    result.id = frame.id;
    result.version = version_;
    for (std::size_t model = 0; model < model_count; ++model) {
        if (fault_ == PipelineFault::swaps_in_mid_step) take_swap();
        const auto& spec = five_models()[model];
        float* const out = result.outputs.data() + spec.begin;
        const bool has_run = is_usable && run_model(model, frame, result);
        if (!has_run) {
            std::fill_n(out, spec.output_size, fault_ == PipelineFault::no_fallback ? 0.0f : spec.fallback);
            if (spec.one_hot_fallback >= 0 && fault_ != PipelineFault::no_fallback) out[spec.one_hot_fallback] = 1.0f;
        }
        result.fallback[model] = !has_run && fault_ != PipelineFault::no_fallback;
        if (fault_ == PipelineFault::publishes_early && model == 0) results_.push();
    }
}

// False if there is no model, or if it gave what is not finite; then it plays no more.
bool rtc_pipeline::run_model(std::size_t model, const Frame& frame, Result& result) {
    if (playing_[model] == nullptr || has_failed_[model]) return false;
    const auto& spec = five_models()[model];
    float* in = inputs_.data();
    for (rtc_faulty::Source source : spec.inputs) {
        constexpr std::size_t dynamics = 3;
        if (fault_ == PipelineFault::wrong_slice && model == dynamics && source.begin == 32) source = {0, 16, 32};
        const float* const from = source.from == rtc_faulty::audio
                                      ? frame.features.data()
                                      : result.outputs.data() + five_models()[source.from].begin;
        in = std::copy(from + source.begin, from + source.end, in);
    }
    float* const out = result.outputs.data() + spec.begin;
    playing_[model]->process(inputs_.data(), out, 1);
    if (is_finite(out, spec.output_size) || fault_ == PipelineFault::nan_poisons) return true;
    has_failed_[model] = true;
    return false;
}
