// The arithmetic of the models, once per instruction set; which one is used is decided at run time.
//
// A kernel (the matrix) is stored as its product with a frame reads it: from front to back, each byte once.
// A *vector* holds `lanes` outputs: 16 with AVX-512, 8 with AVX2, 4 with NEON and without any. Outputs are taken in blocks
// of up to four vectors, v0 to v3, which sums in registers belong to, floats in two blocks at the same time. Within a block
// the inputs follow each other, `depth` at a time: one for floats, and four for int8, which is as many products as the dot
// instructions add up.
//
//      block 0                                                              block 1
//      inputs 0 .. depth-1              inputs depth .. 2 depth-1
//     +----+----+----+----+            +----+----+----+----+               +----+--
//     | v0 | v1 | v2 | v3 |            | v0 | v1 | v2 | v3 |          ...  | v0 | ...
//     +----+----+----+----+            +----+----+----+----+               +----+--
//       |
//       +--> output 0: its depth inputs | output 1: its depth inputs | ... | output lanes-1
//
// Outputs and inputs that fill up the last vector and the last `depth` have weights of zero. The last block has as many
// vectors as are left.
#pragma once

#include <model.h>

#include <cstddef>
#include <cstdint>

namespace rtconform::compact
{

/** Buffers of floats are padded to whole multiples of this, the widest vector, with zeros behind their values. */
constexpr uint32_t widest = 16;

constexpr uint32_t vectors_per_block = 4;

constexpr uint32_t rounded_up(uint32_t size, uint32_t step)
{
    return (size + step - 1) / step * step;
}

enum class Precision
{
    f32,
    f16,
    i8
};

/** A kernel in its place. `outputs` is a multiple of lanes. */
struct Matrix
{
    uint32_t inputs, outputs;
    void* weights;
    float* scales; // i8: what one step of each output's weights is
    int32_t* sums; // i8: the sum of each output's weights
};

/** One instruction set. All pointers are aligned to 64 bytes, and all buffers of floats padded. */
struct Kernels
{
    const char* name;
    uint32_t lanes;
    bool (*runs_here)();

    /** y = start + kernel x, for weights in float32 and in binary16. start may be y. */
    void (*multiply_f32)(const Matrix& kernel, const float* x, const float* start, float* y);
    void (*multiply_f16)(const Matrix& kernel, const float* x, const float* start, float* y);

    /** The same for weights in int8 and inputs that quantise() made, which were multiples of scale. */
    void (*multiply_i8)(const Matrix& kernel, const int8_t* x, float scale, const float* start, float* y);

    /** x in whole multiples of the returned scale, of which the largest is 127 of them; as many as rounded_up(count, widest). */
    float (*quantise)(const float* x, uint32_t count, int8_t* quantised);

    /** y = function(y), in place; leaves zeros behind `count`, and no denormals. */
    void (*apply)(format::Activation function, float* y, uint32_t count);

    /** c and h of the next frame from the gates i, f, c, o, each of which begins at a multiple of `stride`. */
    void (*lstm)(const float* gates, uint32_t stride, float* c, float* h);

    /** h of the next frame from the gates z, r, h: the input's part and the state's. */
    void (*gru)(const float* from_input, const float* from_state, uint32_t stride, float* h);

    /** y = factor (x - mean) + shift, each with values of its own per output. */
    void (*normalise)(
        const float* x, const float* means, const float* factors, const float* shifts, uint32_t count, float* y);

    /** y = x, or slope x where x is below zero. */
    void (*prelu)(const float* x, const float* slopes, uint32_t count, float* y);
};

extern const Kernels kernels_avx512_vnni, kernels_avx_vnni, kernels_avx2, kernels_neon, kernels_plain;

} // namespace rtconform::compact
