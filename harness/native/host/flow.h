// A flow of models: which parts of the audio frame and of earlier outputs make up each model's input.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "../abi/model.h"
#include "fields.h"

namespace rtc::host {

// Floats [begin, begin + count) of the audio frame, or of an earlier model's outputs.
struct Slice {
    const float* outputs;  // nullptr: the audio frame
    std::size_t begin, count;
};

struct Stage {
    std::string name;
    Model* model;
    std::vector<Slice> slices;
    std::vector<float> in, out;  // one frame each; nothing is allocated in a step
    Array outputs;               // [N, out] over all N frames of audio
};

// Copies the slices together into stage.in.
void gather(Stage& stage, const float* audio);

// A deque, which leaves the stages where they are: slices point to their outputs.
using Flow = std::deque<Stage>;

// Reads the fields "models" and "flow" of a request as fixtures/models/specs.json has them. Throws BadRequest.
Flow read_flow(const Json& request, const std::string& where, const Array& audio,
               const std::function<Model&(std::uint64_t id)>& model_by_id);

}  // namespace rtc::host
