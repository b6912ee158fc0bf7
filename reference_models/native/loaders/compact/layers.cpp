// All layers but the convolutions.
#include "layers.h"

#include <algorithm>
#include <cmath>

namespace rtconform::compact
{

Dense::Dense(Setting setting, const format::Dense& layer)
    : Layer { layer.input_size, layer.output_size }
    , kernels_ { setting.kernels }
    , activation_ { layer.activation }
    , product_ { setting, layer.input_size, layer.output_size }
    , bias_ { setting.arena.take<float>(product_.padded_outputs()) }
{
}

void Dense::fill(const format::Dense& layer)
{
    product_.pack(layer.kernel.data(), layer.output_size);
    product_.pack_bias(layer.bias.data(), bias_);
}

void Dense::process(const float* x, float* y) noexcept
{
    product_(x, bias_, y);
    kernels_.apply(activation_, y, output_size);
}

Lstm::Lstm(Setting setting, const format::Lstm& layer)
    : Layer { layer.input_size, layer.output_size }
    , kernels_ { setting.kernels }
    , kernel_ { setting, layer.input_size, layer.output_size, 4 }
    , recurrent_ { setting, layer.output_size, layer.output_size, 4 }
    , bias_ { setting.arena.take<float>(kernel_.padded_outputs()) }
    , gates_ { setting.arena.take<float>(kernel_.padded_outputs()) }
    , c_ { setting.arena.take<float>(rounded_up(layer.output_size, widest)) }
    , h_ { setting.arena.take<float>(rounded_up(layer.output_size, widest)) }
{
}

void Lstm::fill(const format::Lstm& layer)
{
    kernel_.pack(layer.kernel.data(), size_t { 4 } * output_size);
    recurrent_.pack(layer.recurrent.data(), size_t { 4 } * output_size);
    kernel_.pack_bias(layer.bias.data(), bias_);
}

void Lstm::reset() noexcept
{
    std::fill_n(c_, kernel_.stride(), 0.0f);
    std::fill_n(h_, kernel_.stride(), 0.0f);
}

void Lstm::process(const float* x, float* y) noexcept
{
    kernel_(x, bias_, gates_);
    recurrent_(h_, gates_, gates_);
    kernels_.lstm(gates_, kernel_.stride(), c_, h_);
    std::copy_n(h_, rounded_up(output_size, widest), y);
}

Gru::Gru(Setting setting, const format::Gru& layer)
    : Layer { layer.input_size, layer.output_size }
    , kernels_ { setting.kernels }
    , kernel_ { setting, layer.input_size, layer.output_size, 3 }
    , recurrent_ { setting, layer.output_size, layer.output_size, 3 }
    , input_bias_ { setting.arena.take<float>(kernel_.padded_outputs()) }
    , state_bias_ { setting.arena.take<float>(kernel_.padded_outputs()) }
    , from_input_ { setting.arena.take<float>(kernel_.padded_outputs()) }
    , from_state_ { setting.arena.take<float>(kernel_.padded_outputs()) }
    , h_ { setting.arena.take<float>(rounded_up(layer.output_size, widest)) }
{
}

void Gru::fill(const format::Gru& layer)
{
    kernel_.pack(layer.kernel.data(), size_t { 3 } * output_size);
    recurrent_.pack(layer.recurrent.data(), size_t { 3 } * output_size);
    kernel_.pack_bias(layer.bias.data(), input_bias_);
    recurrent_.pack_bias(layer.bias.data() + size_t { 3 } * output_size, state_bias_);
}

void Gru::reset() noexcept
{
    std::fill_n(h_, kernel_.stride(), 0.0f);
}

void Gru::process(const float* x, float* y) noexcept
{
    kernel_(x, input_bias_, from_input_);
    recurrent_(h_, state_bias_, from_state_);
    kernels_.gru(from_input_, from_state_, kernel_.stride(), h_);
    std::copy_n(h_, rounded_up(output_size, widest), y);
}

Prelu::Prelu(Setting setting, const format::Prelu& layer)
    : Layer { layer.input_size, layer.output_size }
    , kernels_ { setting.kernels }
    , slopes_ { setting.arena.take<float>(rounded_up(layer.input_size, widest)) }
{
}

void Prelu::fill(const format::Prelu& layer)
{
    for(uint32_t i = 0; i < input_size; ++i)
        slopes_[i] = layer.alpha[layer.alpha.size() == 1 ? 0 : i];
}

void Prelu::process(const float* x, float* y) noexcept
{
    kernels_.prelu(x, slopes_, rounded_up(input_size, widest), y);
}

BatchNorm::BatchNorm(Setting setting, const format::BatchNorm& layer)
    : Layer { layer.input_size, layer.output_size }
    , kernels_ { setting.kernels }
    , factors_ { setting.arena.take<float>(rounded_up(layer.input_size, widest)) }
    , means_ { setting.arena.take<float>(rounded_up(layer.input_size, widest)) }
    , shifts_ { setting.arena.take<float>(rounded_up(layer.input_size, widest)) }
{
}

void BatchNorm::fill(const format::BatchNorm& layer)
{
    for(uint32_t i = 0; i < input_size; ++i)
    {
        const auto filter = i % layer.filters; // a frame is [features][filters]
        const auto root = std::sqrt(double { layer.variance[filter] } + double { layer.epsilon });
        const double gamma = layer.gamma.empty() ? 1.0 : layer.gamma[filter];
        factors_[i] = static_cast<float>(gamma / root);
        means_[i] = layer.mean[filter];
        shifts_[i] = layer.beta.empty() ? 0.0f : layer.beta[filter];
    }
}

void BatchNorm::process(const float* x, float* y) noexcept
{
    kernels_.normalise(x, means_, factors_, shifts_, rounded_up(input_size, widest), y);
}

Activation::Activation(Setting setting, const format::ActivationLayer& layer)
    : Layer { layer.input_size, layer.output_size }
    , kernels_ { setting.kernels }
    , activation_ { layer.activation }
{
}

void Activation::process(const float* x, float* y) noexcept
{
    std::copy_n(x, rounded_up(output_size, widest), y);
    kernels_.apply(activation_, y, output_size);
}

} // namespace rtconform::compact
