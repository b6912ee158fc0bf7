#include "network.h"

#include "convolutions.h"
#include "half.h"
#include "layers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

namespace rtconform::compact
{

namespace
{

// In binary16 everything that was trained is rounded: kernels as they are packed, the rest here, which is then held in
// float32.

using Arrays = std::vector<std::vector<float>*>;

struct Trained
{
    Arrays kernels, rest;
};

Trained trained(format::Dense& layer) { return { { &layer.kernel }, { &layer.bias } }; }
Trained trained(format::Conv1d& layer) { return { { &layer.kernel }, { &layer.bias } }; }
Trained trained(format::Conv2d& layer) { return { { &layer.kernel }, { &layer.bias } }; }
Trained trained(format::Gru& layer) { return { { &layer.kernel, &layer.recurrent }, { &layer.bias } }; }
Trained trained(format::Lstm& layer) { return { { &layer.kernel, &layer.recurrent }, { &layer.bias } }; }
Trained trained(format::Prelu& layer) { return { {}, { &layer.alpha } }; }
Trained trained(format::BatchNorm& layer)
{
    return { {}, { &layer.gamma, &layer.beta, &layer.mean, &layer.variance } };
}
Trained trained(format::ActivationLayer&) { return {}; }

void check_halves(const Arrays& arrays)
{
    float largest = 0.0f;
    for(const auto* values : arrays)
        for(const auto value : *values)
            largest = std::max(largest, std::abs(value));
    if(largest >= first_beyond_half)
        throw Unfit { "expected weights below 65520, which is as far as binary16 goes, found a larger one" };
}

void round_to_halves(const Trained& arrays)
{
    check_halves(arrays.kernels);
    check_halves(arrays.rest);
    for(auto* values : arrays.rest)
        for(auto& value : *values)
            value = from_half(nearest_half(value));
}

template <typename Given>
void check_rounded(const Given&)
{
}

void check_rounded(const format::BatchNorm& layer)
{
    for(const auto variance : layer.variance)
        if(!(double { variance } + double { layer.epsilon } > 0.0))
            throw Unfit { "expected variances that are above 0 in binary16 where epsilon is 0, found a smaller one" };
}

/** A layer of a file to one that computes; its weights are packed if `fills`, and are the file's no more. */
struct Maker
{
    Setting setting;
    bool fills;

    template <typename Made, typename Given>
    std::unique_ptr<Layer> made(Given& given) const
    {
        auto layer = std::make_unique<Made>(setting, given);
        if(fills)
        {
            if(setting.precision == Precision::f16)
            {
                round_to_halves(trained(given));
                check_rounded(given);
            }
            layer->fill(given);
            given = {};
        }
        return layer;
    }

    std::unique_ptr<Layer> operator()(format::Dense& layer) const { return made<Dense>(layer); }
    std::unique_ptr<Layer> operator()(format::Conv1d& layer) const { return made<Conv1d>(layer); }
    std::unique_ptr<Layer> operator()(format::Conv2d& layer) const { return made<Conv2d>(layer); }
    std::unique_ptr<Layer> operator()(format::Gru& layer) const { return made<Gru>(layer); }
    std::unique_ptr<Layer> operator()(format::Lstm& layer) const { return made<Lstm>(layer); }
    std::unique_ptr<Layer> operator()(format::Prelu& layer) const { return made<Prelu>(layer); }
    std::unique_ptr<Layer> operator()(format::BatchNorm& layer) const { return made<BatchNorm>(layer); }
    std::unique_ptr<Layer> operator()(format::ActivationLayer& layer) const { return made<Activation>(layer); }
};

/** Floats of the largest frame anywhere in a model. */
uint32_t largest_frame(const format::Model& model)
{
    auto largest = model.input_size;
    for(const auto& layer : model.layers)
        std::visit([&](const auto& each) { largest = std::max(largest, each.output_size); }, layer);
    return rounded_up(largest, widest);
}

constexpr std::align_val_t alignment { Arena::alignment };

} // namespace

void Network::Free::operator()(std::byte* block) const noexcept
{
    ::operator delete(block, alignment);
}

Network::Network(format::Model model, const Kernels& kernels, Precision precision)
{
    const auto frame = largest_frame(model);
    const auto build = [&](Arena& arena, bool fills)
    {
        layers_.clear();
        for(auto& each : frames_)
            each = arena.take<float>(frame);
        for(auto& layer : model.layers)
            layers_.push_back(std::visit(Maker { { arena, kernels, precision }, fills }, layer));
    };
    Arena measured;
    build(measured, false);
    block_.reset(static_cast<std::byte*>(::operator new(measured.used(), alignment)));
    std::memset(block_.get(), 0, measured.used());
    Arena arena { block_.get() };
    build(arena, true);
}

void Network::reset() noexcept
{
    for(auto& layer : layers_)
        layer->reset();
}

void Network::process(const float* in, float* out) noexcept
{
    auto *x = frames_[0], *y = frames_[1];
    const auto size = input_size();
    for(uint32_t i = 0; i < size; ++i)
        x[i] = in[i] > -std::numeric_limits<float>::min() && in[i] < std::numeric_limits<float>::min() ? 0.0f : in[i];
    std::fill_n(x + size, rounded_up(size, widest) - size, 0.0f);
    for(auto& layer : layers_)
    {
        layer->process(x, y);
        std::swap(x, y);
    }
    std::copy_n(x, output_size(), out);
}

} // namespace rtconform::compact
