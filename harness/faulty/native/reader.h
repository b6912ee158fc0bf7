// Reads an RTNeural JSON file strictly: whatever isn't exactly a model that we can compute is refused.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "faults.h"
#include "rtconform/loader.h"

namespace rtc_faulty {

// Numbers are read as float32 directly: no decimal is rounded twice.
using Json = nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t, std::uint64_t, float>;

class ReadError : public std::runtime_error {
public:
    ReadError(rtc_phase phase, std::string json_path, const std::string& message)
        : std::runtime_error(message), phase(phase), json_path(std::move(json_path)) {}

    const rtc_phase phase;
    const std::string json_path;
};

enum class Activation { none, tanh, relu, sigmoid, softmax, elu };

enum class LayerKind { dense, lstm, conv1d, activation };

// Row-major as in the file: kernel [in][out] (an LSTM's [in][4H], a convolution's [K][in / groups][out]) and
// recurrent [H][4H].
struct LayerSpec {
    LayerKind kind;
    std::size_t in, out;
    std::vector<float> kernel, recurrent, bias;
    Activation activation = Activation::none;
    std::size_t kernel_size = 1, dilation = 1, groups = 1;
};

struct ModelSpec {
    std::size_t input_size = 1;
    std::vector<LayerSpec> layers;
};

// Throws ReadError.
Json read_json(const char* path, Fault fault);
ModelSpec read_model(const Json& file, Fault fault);

}  // namespace rtc_faulty
