#include "convolutions.h"

#include <algorithm>

namespace rtconform::compact
{

void History::reset() noexcept
{
    std::fill_n(values_, size_t { size_ } * frames_, 0.0f);
}

static std::vector<Product> products(Setting setting, const format::Conv1d& layer)
{
    const auto inputs = layer.kernel_size * (layer.input_size / layer.groups);
    std::vector<Product> result;
    for(uint32_t g = 0; g < layer.groups; ++g)
        result.emplace_back(setting, inputs, layer.output_size / layer.groups);
    return result;
}

Conv1d::Conv1d(Setting setting, const format::Conv1d& layer)
    : Layer { layer.input_size, layer.output_size }
    , kernels_ { setting.kernels }
    , activation_ { layer.activation }
    , taps_ { layer.kernel_size }
    , dilation_ { layer.dilation }
    , group_inputs_ { layer.input_size / layer.groups }
    , group_outputs_ { layer.output_size / layer.groups }
    , products_ { products(setting, layer) }
    , history_ { setting.arena, layer.input_size, (layer.kernel_size - 1) * layer.dilation + 1 }
    , biases_ { setting.arena.take<float>(size_t { products_[0].padded_outputs() } * layer.groups) }
    , row_ { setting.arena.take<float>(rounded_up(products_[0].inputs(), widest)) }
    , outputs_ { setting.arena.take<float>(products_[0].padded_outputs()) }
{
}

void Conv1d::fill(const format::Conv1d& layer)
{
    for(size_t g = 0; g < products_.size(); ++g)
    {
        products_[g].pack(layer.kernel.data() + g * group_outputs_, output_size);
        products_[g].pack_bias(layer.bias.data() + g * group_outputs_, biases_ + g * products_[g].padded_outputs());
    }
}

void Conv1d::process(const float* x, float* y) noexcept
{
    std::copy_n(x, input_size, history_.next());
    for(size_t g = 0; g < products_.size(); ++g)
    {
        for(uint32_t k = 0; k < taps_; ++k)
            std::copy_n(history_.before((taps_ - 1 - k) * dilation_) + g * group_inputs_, group_inputs_,
                row_ + size_t { k } * group_inputs_);
        products_[g](row_, biases_ + g * products_[g].padded_outputs(), outputs_);
        std::copy_n(outputs_, group_outputs_, y + g * group_outputs_);
    }
    kernels_.apply(activation_, y, output_size);
}

/** Zeros in front of a frame's features and in all, by TensorFlow's rule: as evenly as can be, the odd one behind. */
struct Padding
{
    uint32_t before, all;
};

static Padding padding(const format::Conv2d& layer)
{
    const auto features_out = layer.output_size / layer.filters_out;
    const auto covered = (features_out - 1) * layer.stride + layer.kernel_feature;
    const auto lacking = layer.same_padding && covered > layer.features_in ? covered - layer.features_in : 0;
    return { lacking / 2, lacking };
}

Conv2d::Conv2d(Setting setting, const format::Conv2d& layer)
    : Layer { layer.input_size, layer.output_size }
    , kernels_ { setting.kernels }
    , activation_ { layer.activation }
    , taps_ { layer.kernel_time }
    , dilation_ { layer.dilation }
    , filters_out_ { layer.filters_out }
    , before_ { padding(layer).before * layer.filters_in }
    , frame_ { (layer.features_in + padding(layer).all) * layer.filters_in }
    , width_ { layer.kernel_feature * layer.filters_in }
    , step_ { layer.stride * layer.filters_in }
    , product_ { setting, layer.kernel_time * width_, layer.filters_out }
    , history_ { setting.arena, frame_, (layer.kernel_time - 1) * layer.dilation + 1 }
    , bias_ { setting.arena.take<float>(product_.padded_outputs()) }
    , row_ { setting.arena.take<float>(rounded_up(product_.inputs(), widest)) }
    , outputs_ { setting.arena.take<float>(product_.padded_outputs()) }
{
}

void Conv2d::fill(const format::Conv2d& layer)
{
    product_.pack(layer.kernel.data(), layer.filters_out);
    product_.pack_bias(layer.bias.data(), bias_);
}

void Conv2d::process(const float* x, float* y) noexcept
{
    std::copy_n(x, input_size, history_.next() + before_);
    for(uint32_t place = 0; place < output_size / filters_out_; ++place)
    {
        for(uint32_t k = 0; k < taps_; ++k)
            std::copy_n(history_.before((taps_ - 1 - k) * dilation_) + size_t { place } * step_, width_,
                row_ + size_t { k } * width_);
        product_(row_, bias_, outputs_);
        std::copy_n(outputs_, filters_out_, y + size_t { place } * filters_out_);
    }
    kernels_.apply(activation_, y, output_size);
}

} // namespace rtconform::compact
