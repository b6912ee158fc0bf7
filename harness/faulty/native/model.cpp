#include "model.h"

#include <algorithm>
#include <limits>

using rtc_faulty::Fault;

namespace {

constexpr std::size_t unwritten_size = 1 << 16;
constexpr std::size_t narrow = 64;

std::size_t largest_power_of_two(std::size_t limit) {
    std::size_t power = 1;
    while (power * 2 <= limit) power *= 2;
    return power;
}

}  // namespace

rtc_model::rtc_model(rtc_faulty::ModelSpec spec, Fault fault)
    : fault(fault),
      input_size(spec.input_size),
      output_size(spec.layers.empty() ? spec.input_size : spec.layers.back().out),
      effects(fault),
      delays_(fault) {
    for (auto& layer : spec.layers) {
        widest_ = std::max(widest_, layer.out);
        layers_.push_back(rtc_faulty::make_layer(std::move(layer), layers_.size(), fault));
    }
}

void rtc_model::prepare(std::uint32_t max_frames) {
    even_.resize(widest_);
    odd_.resize(widest_);
    if (fault == Fault::one_frame_late) previous_.resize(output_size);
    // run-unwritten-memory: so large that the pages come from the system, which zeroes them, unless the heap is filled.
    if (fault == Fault::unwritten_memory) unwritten_.reset(new float[unwritten_size]);
    effects.prepare(max_frames, input_size);
    delays_.prepare();
    reset();
}

void rtc_model::reset() {
    for (auto& layer : layers_) layer->reset();
    std::fill(previous_.begin(), previous_.end(), 0.0f);
    frames_since_reset_ = 0;
    silent_frames_ = 0;
    effects.in_reset();
    delays_.in_reset();
}

void rtc_model::process(const float* in, float* out, std::uint32_t frames) {
    if (frames == 0) return effects.in_empty_block();
    delays_.before_block(in, frames, input_size);
    in = effects.before_block(in, frames, input_size);
    if (fault == Fault::state_per_block) reset();
    const std::size_t computed = fault == Fault::power_of_two_blocks ? largest_power_of_two(frames) : frames;
    for (std::size_t f = 0; f < computed; ++f) run_frame(in + f * input_size, out + f * output_size);
    // run-power-of-two-blocks: what is left of the block repeats its last frame.
    for (std::size_t f = computed; f < frames; ++f)
        std::copy_n(out + (computed - 1) * output_size, output_size, out + f * output_size);
    delays_.after_block(out, frames * output_size);
}

void rtc_model::run_frame(const float* in, float* out) {
    run_layers(in, out);
    ++frames_since_reset_;
    if (fault == Fault::output_zero_only) std::fill(out + 1, out + output_size, 0.0f);
    if (fault == Fault::unwritten_memory) out[0] += unwritten_[frames_since_reset_ % unwritten_size];
    if (fault == Fault::one_frame_late) std::swap_ranges(previous_.begin(), previous_.end(), out);
    if (fault == Fault::nan_output && frames_since_reset_ > 10)
        out[output_size - 1] = std::numeric_limits<float>::quiet_NaN();
    if (fault == Fault::nan_after_silence) {
        const bool silent = std::all_of(in, in + input_size, [](float value) { return value == 0.0f; });
        silent_frames_ = silent ? silent_frames_ + 1 : 0;
        if (silent_frames_ > 200) out[0] = std::numeric_limits<float>::quiet_NaN();
    }
}

void rtc_model::run_layers(const float* in, float* out) {
    // rt-alloc-wide: scratch that is too large for the stack.
    if (fault == Fault::alloc_when_wide && widest_ > narrow) even_ = std::vector<float>(widest_);
    float *next = even_.data(), *other = odd_.data();
    for (auto& layer : layers_) {
        layer->run(in, next);
        in = next;
        std::swap(next, other);
    }
    std::copy_n(in, output_size, out);
}
