// Decimals to the nearest binary number, whatever the locale is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rtconform::format
{

/** A JSON number at the beginning of a text: the float32 nearest to it, and its length in bytes. */
struct ReadFloat
{
    float value;
    uint32_t length; // 0 for whatever has to be looked at more closely
};

/** read_plain() looks at no more bytes than this, whatever they are. */
constexpr size_t plain_lookahead = 64;

/** Nearly every weight: as many digits as anyone writes, and an exponent of few digits if any. */
ReadFloat read_plain(const char* text);

/** The float32 nearest to a JSON number; nothing if that is infinity. */
std::optional<float> nearest_float(std::string_view number);

/** The same as a double. */
std::optional<double> nearest_double(std::string_view number);

} // namespace rtconform::format
