// The quick way to read weights: digits eight at a time, and no jump that depends on what they are.
#include "numbers.h"

#include <cstring>

namespace rtconform::format
{

static constexpr uint64_t in_each_byte = 0x0101010101010101;

/** Eight bytes, the first of them lowest. */
static uint64_t eight_bytes(const char* text)
{
    uint64_t bytes;
    std::memcpy(&bytes, text, sizeof bytes);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    return bytes;
}

/** The digits that a text begins with, of its first eight bytes. */
struct Digits
{
    uint32_t count;
    uint64_t value;
};

static Digits leading_digits(const char* text)
{
    const auto bytes = eight_bytes(text) ^ 0x30 * in_each_byte; // a digit is 0 to 9 now
    const auto others = (((bytes & 0x7f * in_each_byte) + 0x76 * in_each_byte) | bytes) & 0x80 * in_each_byte;
    const auto first_other = others & (~others + 1);
    const auto before = ((first_other >> 7) - 1) & in_each_byte; // a 1 for each digit in front of it
    const auto count = static_cast<uint32_t>(before * in_each_byte >> 56);
    // As the last of eight digits; in two shifts, since one by 64 is none. Then pairs, fours, and eight are added up.
    auto digits = bytes << 4 * (8 - count) << 4 * (8 - count);
    digits = digits * 10 + (digits >> 8);
    constexpr uint64_t pairs = 0x000000ff000000ff;
    return { count, ((digits & pairs) * 0x000f424000000064 + (digits >> 16 & pairs) * 0x0000271000000001) >> 32 };
}

/** What they make, an int64 holds. */
static constexpr uint32_t most_digits = 18;

static constexpr uint64_t whole_powers[] = { 1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000,
    1'000'000'000, 10'000'000'000, 100'000'000'000, 1'000'000'000'000, 10'000'000'000'000, 100'000'000'000'000,
    1'000'000'000'000'000, 10'000'000'000'000'000, 100'000'000'000'000'000, 1'000'000'000'000'000'000 };

/** Those that a double can hold. */
static constexpr double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
static constexpr int largest_power = 22;

/** Digits times a power of ten, in doubles. Rounded once or twice, that is off by less than two of its last places; rounded
    to float32 then, it is wrong only if it lies as close to halfway between two of them (after W. D. Clinger, "How to read
    floating point numbers accurately", 1990). False if it does, or if float32 may not hold it. */
static bool to_float(uint64_t digits, int power, float& value)
{
    if(power < -largest_power || power > largest_power)
        return false;
    const auto whole = static_cast<double>(static_cast<int64_t>(digits));
    const auto nearest = power < 0 ? whole / powers[-power] : whole * powers[power];
    uint64_t bits;
    std::memcpy(&bits, &nearest, sizeof bits);
    constexpr uint64_t below_float = (uint64_t { 1 } << 29) - 1, halfway = uint64_t { 1 } << 28, off = 2;
    if(((bits - halfway + off) & below_float) <= 2 * off || nearest > 1e38)
        return false;
    value = static_cast<float>(nearest);
    return true;
}

ReadFloat read_plain(const char* const text)
{
    const bool is_negative = *text == '-';
    const auto* at = text + is_negative;
    uint64_t digits = 0;
    if(*at == '0')
        ++at;
    else
    {
        const auto whole = leading_digits(at);
        if(whole.count == 0 || whole.count == 8)
            return {};
        digits = whole.value;
        at += whole.count;
    }
    int power = 0;
    bool is_integer = true;
    if(*at == '.')
    {
        is_integer = false;
        ++at;
        for(;;)
        {
            const auto further = leading_digits(at);
            if(digits >= whole_powers[most_digits - further.count] || power < -largest_power)
                return {};
            digits = digits * whole_powers[further.count] + further.value;
            power -= static_cast<int>(further.count);
            if(further.count < 8)
            {
                at += further.count;
                break;
            }
            at += 8; // and not further.count, which the processor would wait for
        }
        if(power == 0)
            return {};
    }
    if((*at | 0x20) == 'e')
    {
        is_integer = false;
        ++at;
        const bool is_below = *at == '-';
        at += is_below || *at == '+';
        const auto exponent = leading_digits(at);
        if(exponent.count == 0 || exponent.count > 2)
            return {};
        at += exponent.count;
        power += is_below ? -static_cast<int>(exponent.value) : static_cast<int>(exponent.value);
    }
    static constexpr float signs[] = { 1.0f, -1.0f };
    float size = 0.0f;
    if(digits != 0 && !to_float(digits, power, size))
        return {};
    const auto sign = signs[is_negative && !(is_integer && digits == 0)]; // -0 is an integer, and integers have one zero
    return { sign * size, static_cast<uint32_t>(at - text) };
}

} // namespace rtconform::format
