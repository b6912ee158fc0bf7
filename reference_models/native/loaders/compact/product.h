// A kernel packed for one instruction set in one precision, and what its product with a frame needs.
#pragma once

#include "arena.h"
#include "kernels.h"

namespace rtconform::compact
{

/** What all layers of a model are built with. */
struct Setting
{
    Arena& arena;
    const Kernels& kernels;
    Precision precision;
};

/** Why a model that is valid can't be held in a precision. */
struct Unfit
{
    const char* message;
};

/** y = start + kernel x for a kernel [inputs][gates * outputs] as the file has it.

    Each gate begins at a multiple of stride() in start and y, so that each begins with a vector; a dense layer has one. */
class Product
{
public:
    Product(Setting setting, uint32_t inputs, uint32_t outputs, uint32_t gates = 1);

    uint32_t inputs() const { return kernel_.inputs; }
    uint32_t stride() const { return stride_; }
    uint32_t padded_outputs() const { return rounded_up(kernel_.outputs, widest); }

    /** Weights of one input of the file lie side by side, `row` after those of the one before. Throws Unfit. */
    void pack(const float* kernel, size_t row);

    /** A bias [gates * outputs] in the places of start. */
    void pack_bias(const float* bias, float* start) const;

    /** x and start are padded and aligned, as everything from an Arena; start may be y. */
    void operator()(const float* x, const float* start, float* y) const
    {
        switch(precision_)
        {
        case Precision::f32:
            return kernels_.multiply_f32(kernel_, x, start, y);
        case Precision::f16:
            return kernels_.multiply_f16(kernel_, x, start, y);
        case Precision::i8:
            return kernels_.multiply_i8(kernel_, quantised_, kernels_.quantise(x, kernel_.inputs, quantised_), start, y);
        }
    }

private:
    template <typename Weight, typename Convert>
    void pack(const float* kernel, size_t row, Convert converted);

    const Kernels& kernels_;
    const Precision precision_;
    const uint32_t outputs_, stride_; // of a gate
    Matrix kernel_;
    int8_t* quantised_;
};

} // namespace rtconform::compact
