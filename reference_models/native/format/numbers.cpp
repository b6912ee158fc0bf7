#include "numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>

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
static std::pair<std::optional<Number>, size_t> nearest(std::string_view text)
{
    Number value {};
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    const auto length = static_cast<size_t>(result.ptr - text.data());
    const auto number = text.substr(0, length);
    if(number == "-0")
        return { Number { 0 }, length }; // an integer, as most readers of JSON take it, and integers have one zero
    if(result.ec == std::errc::result_out_of_range)
        return { is_below_one(number) ? std::optional { number.front() == '-' ? -Number { 0 } : Number { 0 } } : std::nullopt,
            length };
    return { std::isfinite(value) ? std::optional { value } : std::nullopt, length };
}

/** Nearly every weight: up to 15 digits without an exponent. Then both the digits and the
    power of ten are doubles, their quotient is the double nearest to the number (W. D. Clinger, "How to read floating
    point numbers accurately", 1990), and rounding that to float32 errs only if it lies halfway between two. A length of 0
    says that it is something else. */
static ReadFloat read_plain(std::string_view text)
{
    static constexpr double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    static constexpr ptrdiff_t most_digits = 15;
    const auto* const end = text.data() + text.size();
    const bool is_negative = text.front() == '-';
    const auto* at = text.data() + is_negative;
    const auto* const first = at;
    uint64_t digits = 0;
    for(; at != end && *at >= '0' && *at <= '9'; ++at)
        digits = 10 * digits + static_cast<uint64_t>(*at - '0');
    auto count = at - first;
    ptrdiff_t places = 0;
    if(at != end && *at == '.')
    {
        const auto* const behind = ++at;
        for(; at != end && *at >= '0' && *at <= '9'; ++at)
            digits = 10 * digits + static_cast<uint64_t>(*at - '0');
        places = at - behind;
        count = (digits != 0 && *first == '0' ? 0 : count) + places;
    }
    if(count > most_digits || digits == 0 || (at != end && (*at | 0x20) == 'e'))
        return {};
    const auto nearest = static_cast<double>(digits) / powers[places];
    uint64_t bits;
    std::memcpy(&bits, &nearest, sizeof bits);
    static constexpr uint64_t below_float = (uint64_t { 1 } << 29) - 1, halfway = uint64_t { 1 } << 28;
    if((bits & below_float) == halfway)
        return {};
    const auto value = static_cast<float>(nearest);
    return { is_negative ? -value : value, static_cast<uint32_t>(at - text.data()) };
}

ReadFloat read_float(std::string_view text)
{
    if(const auto plain = read_plain(text); plain.length != 0)
        return plain;
    const auto [value, length] = nearest<float>(text);
    return value ? ReadFloat { *value, static_cast<uint32_t>(length) } : ReadFloat {};
}

std::optional<double> nearest_double(std::string_view number)
{
    return nearest<double>(number).first;
}

} // namespace rtconform::format
