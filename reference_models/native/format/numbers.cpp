#include "numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#if !defined(__cpp_lib_to_chars)
#error "reading decimals needs std::from_chars for floating point: libstdc++ 11, libc++ 20, or MSVC 2019 and later"
#endif

namespace rtconform::format
{

/** Whether a number that no double can hold is too small rather than too large. */
static bool is_below_one(std::string_view number)
{
    const auto exponent_at = number.find_first_of("eE");
    const auto mantissa = number.substr(0, exponent_at);
    const auto point = std::min(mantissa.find('.'), mantissa.size());
    const auto leading = mantissa.find_first_of("123456789");
    if(leading == std::string_view::npos)
        return true; // zero times any power
    int64_t exponent = 0;
    if(exponent_at != std::string_view::npos)
    {
        const auto digits = number.substr(exponent_at + (number[exponent_at + 1] == '+' ? 2 : 1));
        if(std::from_chars(digits.data(), digits.data() + digits.size(), exponent).ec != std::errc {})
            return digits.front() == '-';
    }
    return exponent + static_cast<int64_t>(point) - static_cast<int64_t>(leading) < 0;
}

template <typename Number>
static std::optional<Number> nearest(std::string_view number)
{
    if(number == "-0")
        return Number { 0 }; // an integer, as most readers of JSON take it, and integers have one zero
    Number value {};
    const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
    if(result.ec != std::errc::result_out_of_range)
        return std::isfinite(value) ? std::optional { value } : std::nullopt;
    return is_below_one(number) ? std::optional { number.front() == '-' ? -Number { 0 } : Number { 0 } } : std::nullopt;
}

std::optional<float> nearest_float(std::string_view number)
{
    return nearest<float>(number);
}

std::optional<double> nearest_double(std::string_view number)
{
    return nearest<double>(number);
}

} // namespace rtconform::format
