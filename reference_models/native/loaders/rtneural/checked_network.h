// A file to a network by the strict reader, which hands RTNeural's layers only what fits them.
//
// Where RTNeural's layers are wrong they are helped: its softmax takes exp of the logits as they are, and overflows from
// 89 on; its conv2d with "same" padding reads behind a frame that has fewer features than the kernel.
#pragma once

#include "refusal.h"

#include <RTNeural/RTNeural.h>
#include <read_model.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

using Network = RTNEURAL_NAMESPACE::Model<float>;

namespace checked
{

namespace nn = RTNEURAL_NAMESPACE;
namespace format = rtconform::format;

class Softmax : public nn::Layer<float>
{
public:
    explicit Softmax(int size) : Layer { size, size } { }

    void forward(const float* input, float* out) noexcept override
    {
        const auto largest = *std::max_element(input, input + in_size);
        float sum = 0.0f;
        for(int i = 0; i < in_size; ++i)
            sum += out[i] = std::exp(input[i] - largest);
        for(int i = 0; i < in_size; ++i)
            out[i] /= sum;
    }
};

/** A frame [features][filters] with zeros in front and behind. */
class Padding : public nn::Layer<float>
{
public:
    Padding(int size, int before, int behind) : Layer { size, before + size + behind }, before_ { before } { }

    void forward(const float* input, float* out) noexcept override
    {
        std::fill_n(std::copy_n(input, in_size, std::fill_n(out, before_, 0.0f)), out_size - before_ - in_size, 0.0f);
    }

private:
    const int before_;
};

using Rows = std::vector<std::vector<float>>;

/** Values [count][width] as RTNeural takes them. */
inline Rows rows(const std::vector<float>& values, size_t count)
{
    const auto width = static_cast<std::ptrdiff_t>(values.size() / count);
    Rows result;
    for(auto row = values.begin(); row != values.end(); row += width)
        result.emplace_back(row, row + width);
    return result;
}

/** Adds one layer of a file, and what follows it, to a network. */
struct Builder
{
    Network& network;

    /** The layer, which belongs to the network from here on. */
    template <typename LayerType, typename... Sizes>
    LayerType& add(Sizes... sizes)
    {
        auto layer = std::make_unique<LayerType>(sizes...);
        network.layers.reserve(network.layers.size() + 1); // so that addLayer doesn't throw with the layer in mid-air
        auto& added = *layer;
        network.addLayer(layer.release());
        return added;
    }

    void add_activation(format::Activation activation, uint32_t size)
    {
        const auto width = static_cast<int>(size);
        switch(activation)
        {
        case format::Activation::none:
            return;
        case format::Activation::tanh:
            add<nn::TanhActivation<float>>(width);
            return;
        case format::Activation::relu:
            add<nn::ReLuActivation<float>>(width);
            return;
        case format::Activation::sigmoid:
            add<nn::SigmoidActivation<float>>(width);
            return;
        case format::Activation::softmax:
            add<Softmax>(width);
            return;
        case format::Activation::elu:
            add<nn::ELuActivation<float>>(width);
        }
    }

    void operator()(const format::Dense& layer)
    {
        Rows weights(layer.output_size, std::vector<float>(layer.input_size));
        for(size_t i = 0; i < layer.input_size; ++i)
            for(size_t o = 0; o < layer.output_size; ++o)
                weights[o][i] = layer.kernel[i * layer.output_size + o];
        auto& dense = add<nn::Dense<float>>(layer.input_size, layer.output_size);
        dense.setWeights(weights);
        dense.setBias(layer.bias.data());
        add_activation(layer.activation, layer.output_size);
    }

    void operator()(const format::Conv1d& layer)
    {
        const size_t taps = layer.kernel_size, inputs = layer.input_size / layer.groups, outputs = layer.output_size;
        std::vector<Rows> weights(outputs, Rows(inputs, std::vector<float>(taps)));
        auto value = layer.kernel.begin();
        for(size_t k = taps; k-- > 0;) // RTNeural has the newest frame first
            for(size_t i = 0; i < inputs; ++i)
                for(size_t o = 0; o < outputs; ++o)
                    weights[o][i][k] = *value++;
        auto& conv = add<nn::Conv1D<float>>(
            layer.input_size, layer.output_size, layer.kernel_size, layer.dilation, layer.groups);
        conv.setWeights(weights);
        conv.setBias(layer.bias);
        add_activation(layer.activation, layer.output_size);
    }

    void operator()(const format::Conv2d& layer)
    {
        const auto taps = Rows(layer.filters_in, std::vector<float>(layer.kernel_feature));
        std::vector<std::vector<Rows>> weights(layer.kernel_time, std::vector<Rows>(layer.filters_out, taps));
        auto value = layer.kernel.begin();
        for(auto& at_time : weights)
            for(size_t f = 0; f < layer.kernel_feature; ++f)
                for(size_t i = 0; i < layer.filters_in; ++i)
                    for(size_t o = 0; o < layer.filters_out; ++o)
                        at_time[o][i][f] = *value++;
        auto features = layer.features_in;
        const bool padded = layer.same_padding && layer.kernel_feature > features;
        if(padded)
        {
            // TensorFlow's "same": as many outputs as strides fit, and what that lacks is shared out, less in front.
            const auto strides = (features + layer.stride - 1) / layer.stride;
            const auto lacking = (strides - 1) * layer.stride + layer.kernel_feature - features;
            const auto before = lacking / 2;
            add<Padding>(layer.input_size, before * layer.filters_in, (lacking - before) * layer.filters_in);
            features += lacking;
        }
        auto& conv = add<nn::Conv2D<float>>(layer.filters_in, layer.filters_out, features, layer.kernel_time,
            layer.kernel_feature, layer.dilation, layer.stride, padded || !layer.same_padding);
        conv.setWeights(weights);
        conv.setBias(layer.bias);
        add_activation(layer.activation, layer.output_size);
    }

    void operator()(const format::Gru& layer)
    {
        auto& gru = add<nn::GRULayer<float>>(layer.input_size, layer.output_size);
        gru.setWVals(rows(layer.kernel, layer.input_size));
        gru.setUVals(rows(layer.recurrent, layer.output_size));
        gru.setBVals(rows(layer.bias, 2));
    }

    void operator()(const format::Lstm& layer)
    {
        auto& lstm = add<nn::LSTMLayer<float>>(layer.input_size, layer.output_size);
        lstm.setWVals(rows(layer.kernel, layer.input_size));
        lstm.setUVals(rows(layer.recurrent, layer.output_size));
        lstm.setBVals(layer.bias);
    }

    void operator()(const format::Prelu& layer)
    {
        add<nn::PReLUActivation<float>>(layer.input_size).setAlphaVals(layer.alpha);
    }

    void operator()(const format::BatchNorm& layer)
    {
        if(layer.two_dimensional)
            fill(add<nn::BatchNorm2DLayer<float>>(layer.filters, layer.features), layer);
        else
            fill(add<nn::BatchNorm1DLayer<float>>(layer.input_size), layer);
    }

    template <typename Norm>
    static void fill(Norm& norm, const format::BatchNorm& layer)
    {
        if(!layer.gamma.empty())
        {
            norm.setGamma(layer.gamma);
            norm.setBeta(layer.beta);
        }
        norm.setRunningMean(layer.mean);
        norm.setRunningVariance(layer.variance);
        norm.setEpsilon(layer.epsilon);
    }

    void operator()(const format::ActivationLayer& layer) { add_activation(layer.activation, layer.output_size); }
};

} // namespace checked

/** Throws Refusal, and std::bad_alloc. */
inline std::unique_ptr<Network> read_network(const char* path_utf8)
{
    using namespace rtconform::format;
    const auto read = read_file(path_utf8);
    if(const auto* faults = std::get_if<Faults>(&read))
    {
        static constexpr rtc_phase phases[] = { RTC_PHASE_READ, RTC_PHASE_PARSE, RTC_PHASE_VALIDATE };
        const auto& first = faults->front();
        const auto more = faults->size() - 1;
        throw Refusal { phases[static_cast<int>(first.phase)],
            first.message + (more == 0 ? "" : " (and " + std::to_string(more) + " more)"), first.json_path };
    }
    const auto& model = std::get<rtconform::format::Model>(read);
    auto network = std::make_unique<Network>(static_cast<int>(model.input_size));
    checked::Builder builder { *network };
    for(const auto& layer : model.layers)
        std::visit(builder, layer);
    return network;
}
