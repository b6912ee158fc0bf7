// What a loader or a pipeline says over the C interface: texts of limited length, and why it refuses.
#pragma once

#include <rtconform/loader.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace rtconform
{

/** As much of a text as fits. Bytes outside ASCII become '?', so that a cut never splits a character. */
template <std::size_t size>
void copy_text(std::string_view text, char (&target)[size]) noexcept
{
    const auto length = std::min(text.size(), size - 1);
    std::transform(text.data(), text.data() + length, target,
        [](char c)
        { return static_cast<unsigned char>(c) < 0x80 ? c : '?'; });
    target[length] = '\0';
}

/** Fills *error and returns RTC_ERROR. */
inline rtc_status refuse(
    rtc_error* error, rtc_phase phase, std::string_view message, std::string_view json_path = {}) noexcept
{
    error->phase = phase;
    copy_text(message, error->message);
    copy_text(json_path, error->json_path);
    return RTC_ERROR;
}

} // namespace rtconform
