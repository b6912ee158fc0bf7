#include "json_string.h"

#include <cstdint>

namespace rtconform::format
{

static uint32_t hex_digits(std::string_view four)
{
    uint32_t value = 0;
    for(const char c : four)
        value = value * 16 + static_cast<uint32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    return value;
}

static void append_utf8(std::string& text, uint32_t code_point)
{
    const auto continued = [](uint32_t bits)
    { return static_cast<char>(0x80 | (bits & 0x3f)); };
    if(code_point < 0x80)
        text += static_cast<char>(code_point);
    else if(code_point < 0x800)
        text += { static_cast<char>(0xc0 | code_point >> 6), continued(code_point) };
    else if(code_point < 0x10000)
        text += { static_cast<char>(0xe0 | code_point >> 12), continued(code_point >> 6), continued(code_point) };
    else
        text += { static_cast<char>(0xf0 | code_point >> 18), continued(code_point >> 12), continued(code_point >> 6),
            continued(code_point) };
}

std::string unescaped(std::string_view raw)
{
    std::string text;
    for(size_t i = 0; i < raw.size(); ++i)
    {
        if(raw[i] != '\\')
        {
            text += raw[i];
            continue;
        }
        static constexpr std::string_view letters = "bfnrt", meanings = "\b\f\n\r\t";
        const char c = raw[++i];
        if(c == 'u')
        {
            auto code_point = hex_digits(raw.substr(i + 1, 4));
            i += 4;
            const bool is_high = code_point >= 0xd800 && code_point < 0xdc00;
            if(is_high && raw.substr(i + 1, 2) == "\\u")
            {
                const auto low = hex_digits(raw.substr(i + 3, 4));
                if(low >= 0xdc00 && low < 0xe000)
                {
                    code_point = 0x10000 + ((code_point - 0xd800) << 10) + (low - 0xdc00);
                    i += 6;
                }
            }
            append_utf8(text, code_point);
        }
        else if(const auto letter = letters.find(c); letter != std::string_view::npos)
            text += meanings[letter];
        else
            text += c;
    }
    return text;
}

size_t utf8_length(std::string_view text)
{
    const auto byte = [text](size_t i)
    { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0u; };
    const auto lead = byte(0);
    const size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    for(size_t i = 1; i < length; ++i)
        if((byte(i) & 0xc0) != 0x80)
            return 0;
    // Longer than need be, a surrogate, or beyond U+10FFFF.
    if((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf0 && byte(1) < 0x90)
        || (lead == 0xf4 && byte(1) >= 0x90))
        return 0;
    return length;
}

} // namespace rtconform::format
