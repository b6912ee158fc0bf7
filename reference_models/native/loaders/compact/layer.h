// One layer of a model at work.
#pragma once

#include "product.h"

namespace rtconform::compact
{

/** Frames come and go in buffers of an Arena: padded, with zeros behind their values. */
class Layer
{
public:
    Layer(uint32_t input_size, uint32_t output_size) : input_size { input_size }, output_size { output_size } { }
    virtual ~Layer() = default;

    /** Forgets all frames. */
    virtual void reset() noexcept { }

    /** One frame; x and y are not the same. */
    virtual void process(const float* x, float* y) noexcept = 0;

    const uint32_t input_size, output_size;
};

} // namespace rtconform::compact
