// float32 to binary16 (IEEE 754), to the nearest and ties to even, on any processor.
#pragma once

#include <cstdint>
#include <cstring>

namespace rtconform::compact
{

/** What is as large as this rounds to infinity. */
constexpr float first_beyond_half = 65520.0f;

/** For magnitudes below first_beyond_half. */
inline uint16_t nearest_half(float value)
{
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if(bits < 0x38800000) // below 2^-14, where binary16 counts in steps of 2^-24
    {
        float size;
        std::memcpy(&size, &bits, sizeof size);
        size += 0.5f; // whose last place is 2^-24, so that the addition rounds
        std::memcpy(&bits, &size, sizeof bits);
        return static_cast<uint16_t>(sign | (bits - 0x3f000000));
    }
    bits += 0xfff + (bits >> 13 & 1); // half a step, a little less where the digit before is even
    return static_cast<uint16_t>(sign | ((bits - 0x38000000) >> 13));
}

/** The float32 of a binary16 that is no infinity. */
inline float from_half(uint16_t half)
{
    // Exponent and fraction move up to where float32 has them; the factor makes up for the other bias.
    uint32_t bits = (half & 0x7fffu) << 13;
    float size;
    std::memcpy(&size, &bits, sizeof size);
    return (half & 0x8000) != 0 ? size * -0x1p112f : size * 0x1p112f;
}

} // namespace rtconform::compact
