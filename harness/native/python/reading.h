#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rtc {

// How long each of so many readings of the same memory takes, in ns, the quicker of two ways, one behind the other. One
// word of each cache line is read, so that only the way from memory or cache counts: who computes with all of it takes
// no less.
std::vector<std::int64_t> reading_ns(std::size_t bytes, std::size_t times);

}  // namespace rtc
