// The five models and the flow between them, as fixtures/models/specs.json has them.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "../reader.h"

namespace rtc_faulty {

constexpr std::size_t model_count = 5, frame_size = 128, output_total = 304;

struct LayerShape {
    LayerKind kind;
    std::size_t out;
    Activation activation;
};

constexpr int audio = -1;

// Values [begin, end) of the frame, or of an earlier model's outputs.
struct Source {
    int from;
    std::size_t begin, end;
};

struct FiveModel {
    const char *name, *file;
    std::size_t input_size, output_size;
    std::vector<LayerShape> layers;
    std::vector<Source> inputs;
    float fallback;         // of each output
    int one_hot_fallback;   // but 1 for this one; -1 for none
    std::size_t begin = 0;  // of its outputs among all
};

const std::array<FiveModel, model_count>& five_models();

}  // namespace rtc_faulty
