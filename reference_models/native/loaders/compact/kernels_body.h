// The kernels in terms of one vector type. Each instruction set includes this in a source file of its own, which is
// compiled for it, after having defined, in its unnamed namespace:
//
//     lanes              floats in a vector
//     half_vector(p)     lanes binary16 as floats
//     dot(sum, x, w)     sum + the products of four int8 inputs, which x holds as one int32, and of lanes x 4 int8 weights
//     input_offset       what is added to int8 inputs because dot() wants them unsigned; 0 or 128
//
// Nothing of the standard library may be called here: the linker keeps one copy of an inline function, and it would be the
// one with AVX-512 on a machine that has none.
#pragma once

namespace rtconform::compact
{
namespace
{

typedef float Floats __attribute__((vector_size(lanes * 4), may_alias));
typedef int32_t Ints __attribute__((vector_size(lanes * 4), may_alias));
typedef int8_t Bytes __attribute__((vector_size(lanes), may_alias));

inline Floats load(const float* p)
{
    return *reinterpret_cast<const Floats*>(p);
}

inline Floats load(const uint16_t* p)
{
    return half_vector(p);
}

inline void store(float* p, Floats values)
{
    *reinterpret_cast<Floats*>(p) = values;
}

inline Floats all(float value)
{
    return value - Floats {};
}

inline Ints bits(Floats values)
{
    return reinterpret_cast<Ints>(values);
}

inline Floats from_bits(Ints values)
{
    return reinterpret_cast<Floats>(values);
}

inline Floats choose(Ints mask, Floats yes, Floats no)
{
    return from_bits((mask & bits(yes)) | (~mask & bits(no)));
}

inline Floats magnitude(Floats x)
{
    return from_bits(bits(x) & 0x7fffffff);
}

/** Zero in place of denormals, on which processors lose a hundred cycles each. */
inline Floats flushed(Floats x)
{
    return from_bits(bits(x) & (magnitude(x) >= 1.17549435e-38f));
}

// Products

template <uint32_t number>
struct Count
{
    static constexpr uint32_t value = number;
};

/** Calls a function with a count that is known at run time, as a constant; for none, and for a whole block, not at all. */
template <uint32_t largest = vectors_per_block - 1, typename Function>
inline void with_count(uint32_t count, Function function)
{
    if(count == largest)
        function(Count<largest> {});
    else if constexpr(largest > 1)
        with_count<largest - 1>(count, function);
}

/** How many sums there are of each vector: an addition waits for the one before, and others can go on meanwhile. */
constexpr uint32_t ways_for(uint32_t sums)
{
    return sums > 4 ? 1 : sums > 2 ? 2 : 4;
}

/** Blocks side by side, so that weights come from as many places: processors fetch ahead from each, though not beyond the
    end of a page. */
template <uint32_t blocks, uint32_t vectors, typename Weight>
inline const Weight* multiply_blocks(const Weight* w, const float* x, uint32_t inputs, const float* start, float* y)
{
    constexpr uint32_t ways = ways_for(blocks * vectors);
    const auto block = size_t { inputs } * vectors * lanes;
    Floats sums[ways][blocks][vectors];
    for(uint32_t b = 0; b < blocks; ++b)
        for(uint32_t v = 0; v < vectors; ++v)
            sums[0][b][v] = load(start + (b * vectors + v) * lanes);
    for(uint32_t k = 1; k < ways; ++k)
        for(uint32_t b = 0; b < blocks; ++b)
            for(uint32_t v = 0; v < vectors; ++v)
                sums[k][b][v] = Floats {};
    const auto add_input = [&](uint32_t k, float input)
    {
        for(uint32_t b = 0; b < blocks; ++b)
            for(uint32_t v = 0; v < vectors; ++v)
                sums[k][b][v] += input * load(w + b * block + v * lanes);
        w += vectors * lanes;
    };
    uint32_t i = 0;
    for(; i + ways <= inputs; i += ways)
        for(uint32_t k = 0; k < ways; ++k)
            add_input(k, x[i + k]);
    for(; i < inputs; ++i)
        add_input(0, x[i]);
    for(uint32_t b = 0; b < blocks; ++b)
        for(uint32_t v = 0; v < vectors; ++v)
        {
            for(uint32_t k = 1; k < ways; ++k)
                sums[0][b][v] += sums[k][b][v];
            store(y + (b * vectors + v) * lanes, sums[0][b][v]);
        }
    return w + (blocks - 1) * block;
}

template <typename Weight>
inline void multiply(const Matrix& kernel, const float* x, const float* start, float* y)
{
    constexpr uint32_t step = vectors_per_block * lanes;
    auto w = static_cast<const Weight*>(kernel.weights);
    const auto inputs = kernel.inputs;
    auto left = kernel.outputs / lanes;
    for(; left >= 2 * vectors_per_block; left -= 2 * vectors_per_block, start += 2 * step, y += 2 * step)
        w = multiply_blocks<2, vectors_per_block>(w, x, inputs, start, y);
    if(left >= vectors_per_block)
    {
        w = multiply_blocks<1, vectors_per_block>(w, x, inputs, start, y);
        left -= vectors_per_block;
        start += step;
        y += step;
    }
    with_count(left, [&](auto vectors) { multiply_blocks<1, vectors.value>(w, x, inputs, start, y); });
}

void multiply_f32(const Matrix& kernel, const float* x, const float* start, float* y)
{
    multiply<float>(kernel, x, start, y);
}

void multiply_f16(const Matrix& kernel, const float* x, const float* start, float* y)
{
    multiply<uint16_t>(kernel, x, start, y);
}

struct Quantised
{
    const int8_t* values;
    float scale;
};

template <uint32_t vectors>
inline const int8_t* multiply_block(
    const int8_t* w, Quantised x, uint32_t fours, const float* scales, const int32_t* weights, const float* start, float* y)
{
    constexpr uint32_t ways = ways_for(vectors);
    const auto* inputs = reinterpret_cast<const int32_t __attribute__((may_alias))*>(x.values);
    Ints sums[ways][vectors];
    for(uint32_t k = 0; k < ways; ++k)
        for(uint32_t v = 0; v < vectors; ++v)
            sums[k][v] = Ints {};
    uint32_t i = 0;
    for(; i + ways <= fours; i += ways)
        for(uint32_t k = 0; k < ways; ++k)
            for(uint32_t v = 0; v < vectors; ++v, w += lanes * 4)
                sums[k][v] = dot(sums[k][v], inputs[i + k], w);
    for(; i < fours; ++i)
        for(uint32_t v = 0; v < vectors; ++v, w += lanes * 4)
            sums[0][v] = dot(sums[0][v], inputs[i], w);
    for(uint32_t k = 1; k < ways; ++k)
        for(uint32_t v = 0; v < vectors; ++v)
            sums[0][v] += sums[k][v];
    for(uint32_t v = 0; v < vectors; ++v)
    {
        if(input_offset != 0)
            sums[0][v] -= input_offset * *reinterpret_cast<const Ints*>(weights + v * lanes);
        const auto total = __builtin_convertvector(sums[0][v], Floats);
        store(y + v * lanes, load(start + v * lanes) + total * (x.scale * load(scales + v * lanes)));
    }
    return w;
}

void multiply_i8(const Matrix& kernel, const int8_t* values, float scale, const float* start, float* y)
{
    constexpr uint32_t step = vectors_per_block * lanes;
    auto w = static_cast<const int8_t*>(kernel.weights);
    const Quantised x { values, scale };
    const auto fours = (kernel.inputs + 3) / 4;
    const float* scales = kernel.scales;
    const int32_t* sums = kernel.sums;
    auto left = kernel.outputs / lanes;
    for(; left >= vectors_per_block; left -= vectors_per_block, start += step, y += step, scales += step, sums += step)
        w = multiply_block<vectors_per_block>(w, x, fours, scales, sums, start, y);
    with_count(left, [&](auto vectors) { multiply_block<vectors.value>(w, x, fours, scales, sums, start, y); });
}

/** x to the nearest whole number, ties to even, for magnitudes below 2^22. */
constexpr float rounder = 12582912.0f; // 1.5 * 2^23, where floats are whole numbers

float quantise(const float* x, uint32_t count, int8_t* quantised)
{
    Floats most = {};
    for(uint32_t i = 0; i < count; i += lanes)
    {
        const auto size = magnitude(load(x + i));
        most = choose(size > most, size, most);
    }
    float largest = 0.0f;
    for(uint32_t l = 0; l < lanes; ++l)
        largest = most[l] > largest ? most[l] : largest;
    // Frames whose reciprocal would be too large for a float are counted in a smaller unit.
    const float unit = largest > 1e-30f ? 1.0f : 0x1p100f;
    const float per_step = largest > 0.0f ? 127.0f / (largest * unit) : 0.0f;
    for(uint32_t i = 0; i < count; i += lanes)
    {
        const auto steps = bits(load(x + i) * unit * per_step + rounder) - bits(all(rounder)) + input_offset;
        *reinterpret_cast<Bytes*>(quantised + i) = __builtin_convertvector(steps, Bytes);
    }
    return largest / 127.0f;
}

// Functions. exp by Cody and Waite's reduction and the polynomial of Cephes' expf (S. L. Moshier); the others by it.

struct Power
{
    Floats scale, rest; // e^x = scale * (1 + rest), scale a power of two
};

/** For x from -87.3 to 0. */
inline Power power(Floats x)
{
    const Floats n = (x * 1.44269504088896341f + rounder) - rounder;
    const Floats r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    Floats p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const Ints exponent = (__builtin_convertvector(n, Ints) + 127) << 23;
    return { from_bits(exponent), p * r * r + r };
}

constexpr float least_exponent = -87.3f; // below it e^x is denormal

/** e^x for x of at most 0; 0 where it would be denormal. */
inline Floats exponential(Floats x)
{
    const auto large = x >= least_exponent;
    const auto e = power(choose(large, x, all(least_exponent)));
    return from_bits(bits(e.scale + e.scale * e.rest) & large);
}

/** e^x - 1 for x of at most 0. */
inline Floats exponential_minus_one(Floats x)
{
    const auto e = power(choose(x >= -30.0f, x, all(-30.0f)));
    return (e.scale - 1.0f) + e.scale * e.rest;
}

inline Floats sigmoid(Floats x)
{
    const auto e = exponential(-magnitude(x));
    return choose(x >= 0.0f, all(1.0f), e) / (1.0f + e);
}

inline Floats hyperbolic_tangent(Floats x)
{
    const auto t = exponential_minus_one(-2.0f * magnitude(x)); // in (-1, 0]
    const auto sign = bits(x) & static_cast<int32_t>(0x80000000);
    return from_bits(bits(t / (t + 2.0f)) ^ (sign ^ static_cast<int32_t>(0x80000000)));
}

template <typename Map>
inline void map(float* y, uint32_t count, Map of)
{
    for(uint32_t i = 0; i < count; i += lanes)
        store(y + i, flushed(of(load(y + i))));
    for(uint32_t i = count; i % widest != 0; ++i)
        y[i] = 0.0f;
}

inline void softmax(float* y, uint32_t count)
{
    float largest = y[0], total = 0.0f;
    for(uint32_t i = 1; i < count; ++i)
        largest = y[i] > largest ? y[i] : largest;
    map(y, count, [largest](Floats x) { return exponential(x - largest); });
    for(uint32_t i = 0; i < count; ++i)
        total += y[i];
    map(y, count, [total](Floats x) { return x / total; });
}

void apply(format::Activation function, float* y, uint32_t count)
{
    switch(function)
    {
    case format::Activation::none:
        return map(y, count, [](Floats x) { return x; });
    case format::Activation::tanh:
        return map(y, count, hyperbolic_tangent);
    case format::Activation::relu:
        return map(y, count, [](Floats x) { return from_bits(bits(x) & (x > 0.0f)); });
    case format::Activation::sigmoid:
        return map(y, count, sigmoid);
    case format::Activation::softmax:
        return softmax(y, count);
    case format::Activation::elu:
        return map(y, count,
            [](Floats x)
            {
                const auto below = x < 0.0f;
                return choose(below, exponential_minus_one(from_bits(bits(x) & below)), x);
            });
    }
}

// Recurrent layers

void lstm(const float* gates, uint32_t stride, float* c, float* h)
{
    for(uint32_t u = 0; u < stride; u += lanes)
    {
        const auto input = sigmoid(load(gates + u));
        const auto forget = sigmoid(load(gates + stride + u));
        const auto candidate = hyperbolic_tangent(load(gates + 2 * stride + u));
        const auto output = sigmoid(load(gates + 3 * stride + u));
        const auto cell = flushed(forget * load(c + u) + input * candidate);
        store(c + u, cell);
        store(h + u, flushed(output * hyperbolic_tangent(cell)));
    }
}

void gru(const float* from_input, const float* from_state, uint32_t stride, float* h)
{
    for(uint32_t u = 0; u < stride; u += lanes)
    {
        const auto keep = sigmoid(load(from_input + u) + load(from_state + u));
        const auto reset = sigmoid(load(from_input + stride + u) + load(from_state + stride + u));
        const auto recalled = reset * load(from_state + 2 * stride + u);
        const auto candidate = hyperbolic_tangent(load(from_input + 2 * stride + u) + recalled);
        store(h + u, flushed((1.0f - keep) * candidate + keep * load(h + u)));
    }
}

// Layers without products

void normalise(const float* x, const float* means, const float* factors, const float* shifts, uint32_t count, float* y)
{
    for(uint32_t i = 0; i < count; i += lanes)
        store(y + i, flushed(load(factors + i) * (load(x + i) - load(means + i)) + load(shifts + i)));
}

void prelu(const float* x, const float* slopes, uint32_t count, float* y)
{
    for(uint32_t i = 0; i < count; i += lanes)
    {
        const auto value = load(x + i);
        store(y + i, flushed(choose(value > 0.0f, value, value * load(slopes + i))));
    }
}

constexpr Kernels kernels_named(const char* name, bool (*runs_here)())
{
    return { name, lanes, runs_here, multiply_f32, multiply_f16, multiply_i8, quantise, apply, lstm, gru, normalise, prelu };
}

} // namespace
} // namespace rtconform::compact
