// Decimals to the nearest binary number, whatever the locale is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rtconform::format
{

/** A JSON number at the beginning of a text: the float32 nearest to it, and its length in bytes; 0 if that is infinity. */
struct ReadFloat
{
    float value;
    uint32_t length;
};

ReadFloat read_float(std::string_view text);

/** The double nearest to a JSON number; nothing if that is infinity. */
std::optional<double> nearest_double(std::string_view number);

} // namespace rtconform::format
