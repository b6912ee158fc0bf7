// A 64-bit digest of a model's outputs, for results that are too many to be kept, or of a text that is not to be shown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace rtc::host {

// A bijection of 64-bit words in which every bit of the input moves every bit of the output with a probability near
// one half: the finaliser of MurmurHash3 (Austin Appleby).
constexpr std::uint64_t mixed(std::uint64_t word) {
    word ^= word >> 33;
    word *= 0xFF51AFD7ED558CCDu;
    word ^= word >> 33;
    word *= 0xC4CEB9FE1A85EC53u;
    return word ^ word >> 33;
}

// Over the bits of float32 values, their number first. As each step is a bijection, values that differ in one place
// never have the same digest; others do with a probability near 2^-64.
inline std::uint64_t digest(const float* values, std::size_t count) {
    std::uint64_t state = mixed(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::uint32_t bits;
        std::memcpy(&bits, values + i, sizeof bits);
        state = mixed(state ^ bits);
    }
    return state;
}

// The same over the bytes of a text.
inline std::uint64_t digest(std::string_view text) {
    std::uint64_t state = mixed(text.size());
    for (const char character : text) state = mixed(state ^ static_cast<unsigned char>(character));
    return state;
}

}  // namespace rtc::host
