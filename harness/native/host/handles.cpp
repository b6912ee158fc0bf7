#include "handles.h"

#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>

namespace rtc::host {
namespace {

constexpr auto look_every = std::chrono::milliseconds(1);
constexpr auto longest_settling = std::chrono::seconds(1);

std::int64_t entries(const char* folder) {
    return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

}  // namespace

Handles Handles::now() { return {entries("/proc/self/fd"), entries("/proc/self/task")}; }

Handles Handles::more() const {
    const Handles later = now();
    return {later.descriptors - descriptors, later.threads - threads};
}

Handles Handles::left() const {
    const auto give_up = std::chrono::steady_clock::now() + longest_settling;
    while (more().threads > 0 && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(look_every);
    return more();
}

}  // namespace rtc::host
