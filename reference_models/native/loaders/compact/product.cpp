#include "product.h"

#include "half.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rtconform::compact
{

/** int32 holds the sum of so many products of an input of 8 bits, signed or not, and a weight. */
static constexpr uint32_t most_inputs_i8 = 1u << 16;

/** Added and taken away again, it rounds what is smaller than 2^51 to the nearest whole number, ties to even. */
static constexpr double rounder = 6755399441055744.0; // 1.5 * 2^52

static constexpr uint32_t depth(Precision precision)
{
    return precision == Precision::i8 ? 4 : 1;
}

Product::Product(Setting setting, uint32_t inputs, uint32_t outputs, uint32_t gates)
    : kernels_ { setting.kernels }
    , precision_ { setting.precision }
    , outputs_ { outputs }
    , stride_ { rounded_up(outputs, setting.kernels.lanes) }
    , kernel_ { inputs, gates * stride_, nullptr, nullptr, nullptr }
    , quantised_ { nullptr }
{
    auto& arena = setting.arena;
    const auto count = size_t { rounded_up(inputs, depth(precision_)) } * kernel_.outputs;
    switch(precision_)
    {
    case Precision::f32:
        kernel_.weights = arena.take<float>(count);
        break;
    case Precision::f16:
        kernel_.weights = arena.take<uint16_t>(count);
        break;
    case Precision::i8:
        kernel_.weights = arena.take<int8_t>(count);
        kernel_.scales = arena.take<float>(kernel_.outputs);
        kernel_.sums = arena.take<int32_t>(kernel_.outputs);
        quantised_ = arena.take<int8_t>(rounded_up(inputs, widest));
    }
}

template <typename Weight, typename Convert>
void Product::pack(const float* kernel, size_t row, Convert converted)
{
    struct Vector
    {
        uint32_t output, column, count; // where it begins, here and in a row of the file, and how many outputs it has
    };
    auto* to = static_cast<Weight*>(kernel_.weights);
    const auto lanes = kernels_.lanes, together = depth(precision_);
    for(uint32_t first = 0; first < kernel_.outputs; first += lanes * vectors_per_block)
    {
        Vector vectors[vectors_per_block];
        uint32_t count = 0;
        for(auto output = first; output < kernel_.outputs && count < vectors_per_block; output += lanes)
        {
            const auto within = output % stride_;
            vectors[count++] = { output, output / stride_ * outputs_ + within, std::min(lanes, outputs_ - within) };
        }
        for(uint32_t i = 0; i < kernel_.inputs; i += together)
            for(uint32_t v = 0; v < count; ++v, to += size_t { lanes } * together)
                for(uint32_t k = 0; k < together && i + k < kernel_.inputs; ++k)
                {
                    const auto* from = kernel + (i + k) * row + vectors[v].column;
                    for(uint32_t o = 0; o < vectors[v].count; ++o)
                        to[o * together + k] = converted(from[o], vectors[v].output + o);
                }
    }
}

void Product::pack(const float* kernel, size_t row)
{
    switch(precision_)
    {
    case Precision::f32:
        return pack<float>(kernel, row, [](float value, uint32_t) { return value; });
    case Precision::f16:
        return pack<uint16_t>(kernel, row, [](float value, uint32_t) { return nearest_half(value); });
    case Precision::i8:
        break;
    }
    if(kernel_.inputs > most_inputs_i8)
        throw Unfit { "expected kernels of at most 65536 inputs, which is as many as the sums have room for" };
    for(uint32_t o = 0; o < kernel_.outputs; ++o)
        kernel_.scales[o] = 0.0f;
    for(uint32_t i = 0; i < kernel_.inputs; ++i)
        for(uint32_t gate = 0; gate < kernel_.outputs / stride_; ++gate)
        {
            const auto* from = kernel + i * row + size_t { gate } * outputs_;
            auto* largest = kernel_.scales + gate * stride_;
            for(uint32_t o = 0; o < outputs_; ++o)
                largest[o] = std::max(largest[o], std::abs(from[o]));
        }
    for(uint32_t o = 0; o < kernel_.outputs; ++o)
    {
        const auto scale = kernel_.scales[o] / 127.0f;
        kernel_.scales[o] = scale >= std::numeric_limits<float>::min() ? scale : 1.0f; // a denormal one has few digits
    }
    pack<int8_t>(kernel, row,
        [this](float value, uint32_t output)
        {
            const auto steps = (double { value } / kernel_.scales[output] + rounder) - rounder;
            const auto stored = static_cast<int8_t>(std::clamp(steps, -127.0, 127.0));
            kernel_.sums[output] += stored;
            return stored;
        });
}

void Product::pack_bias(const float* bias, float* start) const
{
    for(uint32_t o = 0; o < kernel_.outputs; ++o)
        start[o] = o % stride_ < outputs_ ? bias[o / stride_ * outputs_ + o % stride_] : 0.0f;
}

} // namespace rtconform::compact
