// Base64 as in RFC 4648, section 4, with padding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rtc::base64 {

std::string encode(const void* bytes, std::size_t count);

// Throws std::invalid_argument for any text that encode can't have made.
std::vector<std::uint8_t> decode(std::string_view text);

}  // namespace rtc::base64
