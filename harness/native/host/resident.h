// The resident set of this process.
#pragma once

#include <cstdint>

namespace rtc::host {

// In bytes; 0 where the system doesn't say.
std::int64_t resident_bytes();

}  // namespace rtc::host
