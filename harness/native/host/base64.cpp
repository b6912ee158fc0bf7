#include "base64.h"

#include <array>
#include <stdexcept>

namespace rtc::base64 {
namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_digit = 64;

std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values;
    values.fill(no_digit);
    for (std::size_t i = 0; i < digits.size(); ++i) values[static_cast<std::uint8_t>(digits[i])] = i;
    return values;
}

}  // namespace

std::string encode(const void* bytes, std::size_t count) {
    const auto* in = static_cast<const std::uint8_t*>(bytes);
    std::string text;
    text.reserve((count + 2) / 3 * 4);
    for (std::size_t i = 0; i < count; i += 3) {
        const std::size_t left = count - i;
        const std::uint32_t group = in[i] << 16 | (left > 1 ? in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);
        text += digits[group >> 18];
        text += digits[group >> 12 & 63];
        text += left > 1 ? digits[group >> 6 & 63] : '=';
        text += left > 2 ? digits[group & 63] : '=';
    }
    return text;
}

std::vector<std::uint8_t> decode(std::string_view text) {
    static const auto values = make_values();
    if (text.size() % 4 != 0) throw std::invalid_argument("the length of base64 text must be a multiple of 4");
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    std::vector<std::uint8_t> bytes;
    bytes.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const bool last = i + 4 == text.size();
        const std::size_t count = last ? 4 - padding : 4;
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const std::uint8_t value = k < count ? values[static_cast<std::uint8_t>(text[i + k])] : 0;
            if (value == no_digit)
                throw std::invalid_argument("character " + std::to_string(i + k) + " isn't a base64 digit");
            group = group << 6 | value;
        }
        const std::size_t whole = count - 1;
        if ((group & ((1u << (24 - 8 * whole)) - 1)) != 0)
            throw std::invalid_argument("the bits behind the last byte of base64 text must be zero");
        for (std::size_t k = 0; k < whole; ++k) bytes.push_back(group >> (16 - 8 * k) & 255);
    }
    return bytes;
}

}  // namespace rtc::base64
