// What stands between the quotes of a JSON string: escapes and UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace rtconform::format
{

/** What a string stands for whose escapes have been checked; an unpaired surrogate comes in three bytes. */
std::string unescaped(std::string_view raw);

/** How many bytes the UTF-8 sequence at the beginning of `text` has; 0 if it is none. */
size_t utf8_length(std::string_view text);

} // namespace rtconform::format
