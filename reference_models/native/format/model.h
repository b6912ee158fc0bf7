// What an RTNeural JSON file holds, once every size in it has been checked.
//
// Arrays are row-major in the file's own axis order ([in][out]), each number the float32 nearest to its decimal.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

namespace rtconform::format
{

enum class Activation
{
    none,
    tanh,
    relu,
    sigmoid,
    softmax,
    elu
};

/** y = kernelT x + bias, then the activation. kernel [in][out], bias [out]. */
struct Dense
{
    uint32_t input_size, output_size;
    std::vector<float> kernel, bias;
    Activation activation;
};

/** Causal, stride 1. kernel [kernel_size][input_size / groups][output_size], of which the last row meets the newest
    frame; bias [output_size]. */
struct Conv1d
{
    uint32_t input_size, output_size, kernel_size, dilation, groups;
    std::vector<float> kernel, bias;
    Activation activation;
};

/** Causal and dilated over frames, strided over the features in a frame, which is laid out [features][filters].
    kernel [kernel_time][kernel_feature][filters_in][filters_out], bias [filters_out]. */
struct Conv2d
{
    uint32_t input_size, output_size;
    uint32_t kernel_time, kernel_feature, filters_in, filters_out, features_in, dilation, stride;
    bool same_padding; // over the features, by TensorFlow's rule; else none
    std::vector<float> kernel, bias;
    Activation activation;
};

/** Gates z, r, h. kernel [in][3H], recurrent [H][3H], bias [2][3H]: the input's, then the state's. */
struct Gru
{
    uint32_t input_size, output_size;
    std::vector<float> kernel, recurrent, bias;
};

/** Gates i, f, c, o. kernel [in][4H], recurrent [H][4H], bias [4H]. */
struct Lstm
{
    uint32_t input_size, output_size;
    std::vector<float> kernel, recurrent, bias;
};

/** y = x where x > 0, else alpha x. alpha [size], or [1] for all. */
struct Prelu
{
    uint32_t input_size, output_size;
    std::vector<float> alpha;
};

/** y = gamma / sqrt(variance + epsilon) (x - mean) + beta, per filter; a batchnorm has one feature and `size` filters.
    Arrays [filters]; gamma and beta are both empty where the file has none (1 and 0). */
struct BatchNorm
{
    uint32_t input_size, output_size, filters, features;
    bool two_dimensional;
    std::vector<float> gamma, beta, mean, variance;
    float epsilon;
};

/** An activation as a layer of its own; softmax runs over one frame, elu has alpha 1. */
struct ActivationLayer
{
    uint32_t input_size, output_size;
    Activation activation;
};

using Layer = std::variant<Dense, Conv1d, Conv2d, Gru, Lstm, Prelu, BatchNorm, ActivationLayer>;

/** At least one layer; each takes what the one before it gives. */
struct Model
{
    uint32_t input_size;
    std::vector<Layer> layers;
};

} // namespace rtconform::format
