// Decimals to the nearest binary number, whatever the locale is.
#pragma once

#include <optional>
#include <string_view>

namespace rtconform::format
{

/** The float32 nearest to a JSON number; nothing if that is infinity. */
std::optional<float> nearest_float(std::string_view number);

/** The same in double. */
std::optional<double> nearest_double(std::string_view number);

} // namespace rtconform::format
