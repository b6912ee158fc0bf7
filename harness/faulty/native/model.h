// A loaded model: a chain of layers, and what its fault needs to remember.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "layers.h"
#include "side_effects.h"

struct rtc_model {
    rtc_model(rtc_faulty::ModelSpec spec, rtc_faulty::Fault fault);

    void prepare();
    void reset();
    void process(const float* in, float* out, std::uint32_t frames);

    const rtc_faulty::Fault fault;
    const std::size_t input_size, output_size;
    rtc_faulty::SideEffects effects;

private:
    // Two buffers between which the layers' outputs alternate, each as wide as the widest layer.
    struct Scratch {
        explicit Scratch(std::size_t width) : even(width), odd(width) {}
        std::vector<float> even, odd;
    };
    static std::shared_ptr<Scratch> make_scratch(std::size_t width, rtc_faulty::Fault fault);

    void run_layers(const float* in, float* out);
    void run_frame(const float* in, float* out);

    std::vector<std::unique_ptr<rtc_faulty::Layer>> layers_;
    std::shared_ptr<Scratch> scratch_;
    std::size_t widest_ = 1;
    std::uint64_t frames_since_reset_ = 0;
    std::vector<float> previous_;  // the outputs that run-one-frame-late still owes
};
