// A thread that talks to a pipeline as the audio thread of a plugin host does, and writes down what it meets.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "../abi/pipeline.h"
#include "fields.h"
#include "guarded_buffer.h"

namespace rtc::host {

struct AudioPlan {
    Array frames;  // the frame with the id i is row i modulo their number
    std::uint64_t first_id;
    std::uint64_t count, least_count;  // at most, and at least, until stop_soon
    std::int64_t period_ns;      // between two frames; 0 for as soon as most_pending allows
    std::uint64_t most_pending;  // accepted and not yet polled, by this thread's own count; 0 for no limit
    std::int64_t poll_every_ns;
    bool watch;         // with the detectors armed around each submit and poll
    bool keep_outputs;  // else a digest of each model's
};

// Times are in ns, those of `at` since the start. Waits are how often the thread gave up its processor inside a call.
struct AudioRecord {
    std::vector<std::uint64_t> submit_at, submit_wall, submit_cpu, submit_waits, accepted;  // one per frame submitted
    std::vector<std::uint64_t> ids, result_at, poll_cpu;                                    // one per result, in order
    std::vector<std::uint64_t> fallback, version, digests;                                  // one per result and model
    std::vector<float> outputs;
    std::uint64_t polls = 0, poll_waits = 0, poll_wall_max = 0;
    bool real_time = false;
    Json unseen = Json::object();
    std::string system_call_trap = "none";
};

// Everything that it writes to is there before it starts: its own allocations would be somebody's page faults.
class AudioThread {
public:
    AudioThread(Pipeline& pipeline, AudioPlan plan);
    ~AudioThread();
    AudioThread(const AudioThread&) = delete;
    AudioThread& operator=(const AudioThread&) = delete;

    void start();
    std::int64_t started_at() const { return start_; }  // by CLOCK_MONOTONIC, once start has returned
    bool has_ended() const { return ended_; }

    // From now on the least number of frames is enough.
    void stop_soon() { is_enough_ = true; }

    // Waits for the end. Throws what brought it about, if that is a breach of pipeline.h.
    AudioRecord& take();

private:
    void run();
    void run_frames();
    void submit();
    void poll_all();
    void keep_result(std::uint64_t poll_cpu);
    std::int64_t now() const;

    Pipeline& pipeline_;
    const AudioPlan plan_;
    GuardedBuffer features_;
    Result result_;
    AudioRecord record_;
    std::size_t room_, results_ = 0;
    std::uint64_t calls_ = 0, submitted_ = 0, pending_ = 0;
    std::int64_t start_ = 0, waiting_since_ = 0;  // for a result
    std::exception_ptr failure_;
    std::atomic<bool> ready_{false}, go_{false}, is_enough_{false}, ended_{false};
    std::thread thread_;
};

}  // namespace rtc::host
