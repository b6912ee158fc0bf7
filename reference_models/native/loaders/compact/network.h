// A model: its layers one behind the other, over one block of memory.
#pragma once

#include "layer.h"

#include <memory>
#include <vector>

namespace rtconform::compact
{

class Network
{
public:
    /** Takes a model apart as it packs it, so that no more than one layer is held twice. Throws Unfit and std::bad_alloc. */
    Network(format::Model model, const Kernels& kernels, Precision precision);

    uint32_t input_size() const noexcept { return layers_.front()->input_size; }
    uint32_t output_size() const noexcept { return layers_.back()->output_size; }

    void reset() noexcept;

    /** One frame from and to memory of the caller's. */
    void process(const float* in, float* out) noexcept;

private:
    struct Free
    {
        void operator()(std::byte* block) const noexcept;
    };

    std::unique_ptr<std::byte, Free> block_;
    std::vector<std::unique_ptr<Layer>> layers_;
    float* frames_[2]; // what goes into a layer and what comes out of it, in turns
};

} // namespace rtconform::compact
