#include "reading.h"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace rtc {
namespace {

constexpr std::size_t line_words = 64 / sizeof(std::uint64_t);
// Read from several places at the same time memory gives more on some machines, and less on others.
template <std::size_t streams>
std::uint64_t sum_of_lines(const std::vector<std::uint64_t>& memory) {
    const std::size_t part = memory.size() / streams;
    std::uint64_t sums[streams] = {};
    for (std::size_t at = 0; at < part; at += line_words)
        for (std::size_t stream = 0; stream < streams; ++stream) sums[stream] += memory[stream * part + at];
    return std::accumulate(sums, sums + streams, std::uint64_t{0});
}

template <std::size_t streams>
std::int64_t time_of_reading(const std::vector<std::uint64_t>& memory) {
    using clock = std::chrono::steady_clock;
    const auto begin = clock::now();
    [[maybe_unused]] volatile std::uint64_t sum = sum_of_lines<streams>(memory);  // or nobody would want what is read
    return std::chrono::duration_cast<std::chrono::nanoseconds>(clock::now() - begin).count();
}

}  // namespace

std::vector<std::int64_t> reading_ns(std::size_t bytes, std::size_t times) {
    const std::vector<std::uint64_t> memory(bytes / sizeof(std::uint64_t), 1);
    std::vector<std::int64_t> taken(times);
    for (auto& time : taken) time = std::min(time_of_reading<1>(memory), time_of_reading<4>(memory));
    return taken;
}

}  // namespace rtc
