#include "reading.h"

#include <chrono>

namespace rtc {
namespace {

constexpr std::size_t line_words = 64 / sizeof(std::uint64_t);

std::uint64_t sum_of_lines(const std::vector<std::uint64_t>& memory) {
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < memory.size(); at += line_words) sum += memory[at];
    return sum;
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
