// A loaded model: a chain of layers, and what its fault needs to remember.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "delays.h"
#include "layers.h"
#include "side_effects.h"

struct rtc_model {
    rtc_model(rtc_faulty::ModelSpec spec, rtc_faulty::Fault fault);

    void prepare(std::uint32_t max_frames);
    void reset();
    void process(const float* in, float* out, std::uint32_t frames);

    const rtc_faulty::Fault fault;
    const std::size_t input_size, output_size;
    rtc_faulty::SideEffects effects;

private:
    void run_layers(const float* in, float* out);
    void run_frame(const float* in, float* out);

    rtc_faulty::Delays delays_;
    std::vector<std::unique_ptr<rtc_faulty::Layer>> layers_;
    std::size_t widest_ = 1;
    std::vector<float> even_, odd_;  // between which the layers' outputs alternate
    std::uint64_t frames_since_reset_ = 0;
    std::uint64_t silent_frames_ = 0;
    std::vector<float> previous_;  // the outputs that run-one-frame-late still owes
    std::unique_ptr<float[]> unwritten_;
};
