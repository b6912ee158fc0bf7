#include "machine.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace rtc::host {
namespace {

constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;
constexpr std::int64_t period_ns = 1'000'000;
constexpr std::size_t usual_wake_ups = 1 << 14;
constexpr rlim_t patience_us = 330'000'000;  // more than a measurement is given

}  // namespace

std::int64_t nanoseconds(clockid_t clock) noexcept {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::int64_t>(time.tv_sec) * nanoseconds_per_second + time.tv_nsec;
}

RealTime::RealTime(int priority) noexcept {
    const sched_param parameters{priority};
    // An implementation that never comes back must not keep its core from all others when nobody waits for it any more.
    const rlimit at_most{patience_us, patience_us};
    setrlimit(RLIMIT_RTTIME, &at_most);  // who may not set it has a shorter one already
    granted_ = pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) == 0;
}

RealTime::~RealTime() {
    // With the flag, which nobody but root may take back: without it the whole call would be refused.
    const sched_param parameters{0};
    if (granted_) pthread_setschedparam(pthread_self(), SCHED_OTHER | SCHED_RESET_ON_FORK, &parameters);
}

Switches Switches::now() noexcept {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return {usage.ru_nivcsw, usage.ru_nvcsw};
}

StolenTime::StolenTime() : file_(open("/proc/stat", O_RDONLY | O_CLOEXEC)), before_(per_processor()) {}

StolenTime::~StolenTime() {
    if (file_ >= 0) close(file_);
}

std::int64_t StolenTime::since_last() {
    auto now = per_processor();
    const auto here = static_cast<std::size_t>(sched_getcpu());
    const bool is_known = here < std::min(now.size(), before_.size());
    const std::int64_t stolen = is_known ? now[here] - before_[here] : 0;
    before_ = std::move(now);
    return std::max<std::int64_t>(stolen, 0);
}

// Lines as proc(5) has them: "cpu1 user nice system idle iowait irq softirq steal …".
std::vector<std::int64_t> StolenTime::per_processor() const {
    std::vector<char> text(1 << 16);
    const ssize_t count = file_ < 0 ? -1 : pread(file_, text.data(), text.size() - 1, 0);
    std::vector<std::int64_t> stolen;
    if (count <= 0) return stolen;
    const std::int64_t tick_ns = nanoseconds_per_second / sysconf(_SC_CLK_TCK);
    for (const char* line = text.data(); line != nullptr; line = std::strchr(line, '\n')) {
        if (*line == '\n') ++line;
        if (std::strncmp(line, "cpu", 3) != 0 || !std::isdigit(line[3])) continue;  // "cpu " is the sum of all
        std::size_t processor = 0;
        std::int64_t ticks = 0;
        if (std::sscanf(line, "cpu%zu %*d %*d %*d %*d %*d %*d %*d %" SCNd64, &processor, &ticks) != 2) continue;
        stolen.resize(std::max(stolen.size(), processor + 1));
        stolen[processor] = ticks * tick_ns;
    }
    return stolen;
}

// Begins once the thread has its priority: without it, it would never run beside a real-time thread on its processor.
WakeUps::WakeUps(std::size_t most) {
    if (most == 0) return;
    thread_ = std::thread([this, most] { run(most); });
    while (!started_) std::this_thread::yield();
}

WakeUps::~WakeUps() { take(); }

std::vector<std::int64_t> WakeUps::take() {
    ended_ = true;
    if (thread_.joinable()) thread_.join();
    return std::move(late_);
}

void WakeUps::run(std::size_t most) {
    late_.reserve(std::min(most, usual_wake_ups));
    const RealTime real_time(audio_priority + 1);  // above what is measured, or that would be what it waits for
    started_ = true;
    std::int64_t due = nanoseconds(CLOCK_MONOTONIC);
    do {
        due += period_ns;
        const timespec time{due / nanoseconds_per_second, due % nanoseconds_per_second};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) != 0) {
        }
        const std::int64_t now = nanoseconds(CLOCK_MONOTONIC);
        late_.push_back(now - due);
        if (now > due + period_ns) due = now;  // what was slept through is one delay, not several
    } while (!ended_ && late_.size() < most);
}

}  // namespace rtc::host
