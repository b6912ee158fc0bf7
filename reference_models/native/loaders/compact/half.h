// float32 to binary16 (IEEE 754), to the nearest and ties to even, and back, on any processor in any mode: nothing here
// depends on what it does with denormal numbers.
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
    const auto sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    // Half a step, a little less where the digit before is even; then the exponent's other bias.
    const auto normal = (bits + 0xfff + (bits >> 13 & 1) - 0x38000000) >> 13;
    // Below 2^-14, binary16 counts in steps of 2^-24, the last place of a half, so that an addition rounds.
    float size;
    std::memcpy(&size, &bits, sizeof size);
    size += 0.5f;
    uint32_t denormal;
    std::memcpy(&denormal, &size, sizeof denormal);
    denormal -= 0x3f000000;
    return static_cast<uint16_t>(sign | (bits < 0x38800000 ? denormal : normal));
}

/** The float32 of a binary16 that is no infinity. */
inline float from_half(uint16_t half)
{
    const uint32_t size = half & 0x7fffu;
    const auto normal = (size << 13) + 0x38000000;
    const auto steps = size + 0x3f000000;
    float denormal, value;
    std::memcpy(&denormal, &steps, sizeof denormal);
    denormal -= 0.5f;
    std::memcpy(&value, &normal, sizeof value);
    value = size < 0x400 ? denormal : value;
    return (half & 0x8000) != 0 ? -value : value;
}

} // namespace rtconform::compact
