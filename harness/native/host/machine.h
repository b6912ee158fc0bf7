// What the machine does to a thread that wants to run.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>
#include <thread>
#include <vector>

namespace rtc::host {

std::int64_t nanoseconds(clockid_t clock) noexcept;

constexpr int audio_priority = 1;

// On the stack: this thread at real-time priority, as hosts run their audio thread, where the system allows it. Threads
// that it starts meanwhile are ordinary ones.
class RealTime {
public:
    explicit RealTime(int priority) noexcept;
    ~RealTime();
    RealTime(const RealTime&) = delete;
    RealTime& operator=(const RealTime&) = delete;

    bool granted() const { return granted_; }

private:
    bool granted_;
};

// How often this thread has left its processor: because it was taken away, and because it waited for something.
struct Switches {
    std::int64_t involuntary, voluntary;
    static Switches now() noexcept;
};

// Time that the hypervisor gave to others while a processor wanted to run, in clock ticks (10 ms as a rule).
class StolenTime {
public:
    StolenTime();
    ~StolenTime();
    StolenTime(const StolenTime&) = delete;
    StolenTime& operator=(const StolenTime&) = delete;

    // In ns, on the processor that this thread is on, since the last call; 0 where the system doesn't say.
    std::int64_t since_last();

private:
    std::vector<std::int64_t> per_processor() const;

    int file_;
    std::vector<std::int64_t> before_;
};

// A thread that does nothing but sleep until each next millisecond, and notes how late it was woken: what any thread
// has to expect here, whatever it runs.
class WakeUps {
public:
    // At least one is noted, and at most so many; with 0 there is no thread.
    explicit WakeUps(std::size_t most);

    // Ends the thread; the delays in ns.
    std::vector<std::int64_t> take();
    ~WakeUps();

private:
    void run(std::size_t most);

    std::vector<std::int64_t> late_;
    std::atomic<bool> started_{false}, ended_{false};
    std::thread thread_;
};

}  // namespace rtc::host
