#include "reading.h"

#include <chrono>

namespace rtc {
namespace {

constexpr std::size_t line_words = 64 / sizeof(std::uint64_t);
constexpr std::size_t streams = 4;  // read from several places at the same time, memory gives more

std::uint64_t sum_of_lines(const std::vector<std::uint64_t>& memory) {
    const std::size_t part = memory.size() / streams;
    std::uint64_t sums[streams] = {};
    for (std::size_t at = 0; at < part; at += line_words)
        for (std::size_t stream = 0; stream < streams; ++stream) sums[stream] += memory[stream * part + at];
    return sums[0] + sums[1] + sums[2] + sums[3];
}

}  // namespace

std::vector<std::int64_t> reading_ns(std::size_t bytes, std::size_t times) {
    using clock = std::chrono::steady_clock;
    const std::vector<std::uint64_t> memory(bytes / sizeof(std::uint64_t), 1);
    [[maybe_unused]] volatile std::uint64_t sum = sum_of_lines(memory);  // or the compiler sees that nobody wants what is read
    std::vector<std::int64_t> taken;
    taken.reserve(times);
    for (std::size_t i = 0; i < times; ++i) {
        const auto begin = clock::now();
        sum = sum_of_lines(memory);
        taken.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(clock::now() - begin).count());
    }
    return taken;
}

}  // namespace rtc
