// The five-model step on a worker thread: the audio thread hands over frames and picks up results, and never waits.
//
// Overload. Up to `capacity` frames can be pending: handed over, their results not yet picked up. Beyond that a frame is
// refused, at once and counted, so memory is bounded and no result is older than `capacity` steps take. A refused frame
// never reaches the models: their state goes on as if it hadn't been there. Nothing that was accepted is ever lost.
//
// The worker looks for frames every `poll_interval` instead of being woken, because waking a thread is a system call,
// which the audio thread has no time for.
#pragma once

#include <rtconform_plugin/multi_model_processor.h>
#include <rtconform_plugin/spsc_queue.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

namespace rtconform::plugin
{

/** A step's result, and how its frame came by. */
struct AsyncResult : StepResult
{
    int64_t sample = 0; // as given to submit()
    std::chrono::nanoseconds waited {}; // from submit() until the worker took the frame
    std::chrono::nanoseconds took {}; // from submit() until the result was ready
    bool late = false; // it took longer than the deadline
};

enum class Submitted
{
    accepted,
    full, // as many frames are pending as may be
    wrong_size // expected frame_size features
};

/** submitted = accepted + refused; accepted = polled + pending. Exact while no other thread is in a call. */
struct AsyncCounters
{
    uint64_t accepted = 0, refused = 0, polled = 0, pending = 0;
    uint64_t late = 0; // results that took longer than the deadline
};

struct AsyncOptions
{
    uint32_t capacity = 16; // frames
    std::chrono::nanoseconds poll_interval = std::chrono::microseconds { 500 };
    std::chrono::nanoseconds deadline = std::chrono::milliseconds { 10 };
    bool real_time_priority = true; // for the worker, where the system allows it
};

/** Runs a MultiModelProcessor on a thread of its own. */
class AsyncInference
{
public:
    using Clock = std::chrono::steady_clock;

    /** Takes all memory; start() is still to be called. The processor must outlive this object, and nobody else calls
        its process() and reset() while the worker runs. Throws std::invalid_argument for a capacity of 0. */
    explicit AsyncInference(MultiModelProcessor& processor, const AsyncOptions& options = {});

    /** Stops. */
    ~AsyncInference();

    /** Starts the worker, unless it runs. Throws std::system_error if there can be no thread. [main-thread] */
    void start();

    /** Ends the worker after the step that it is in; it takes no longer than that and one poll_interval. Frames that are
        pending stay so, and the state of the models stays as it is, until the next start(). [main-thread] */
    void stop();

    bool is_running() const noexcept { return worker_.joinable(); }

    /** Hands over a copy of a frame. `sample` is the caller's own time, which the result brings back; with `reset` the
        state of all models is cleared before this frame. Wait-free, also while the worker is started or stopped.
        [audio-thread] */
    Submitted submit(uint64_t frame_id, int64_t sample, const float* features, size_t count, bool reset = false) noexcept;

    /** True, and the oldest result that is ready; or false. Wait-free. [the same audio-thread] */
    bool poll(AsyncResult& result) noexcept;

    AsyncCounters counters() const noexcept;

    uint32_t capacity() const noexcept { return options_.capacity; }

    /** "real-time", or "ordinary" and why, as it was at the last start(). [main-thread] */
    const std::string& worker_priority() const noexcept { return worker_priority_; }

private:
    struct Frame
    {
        uint64_t id;
        int64_t sample;
        Clock::time_point submitted;
        bool reset;
        std::array<float, frame_size> features;
    };

    void work();
    void run(const Frame& frame, AsyncResult& result) noexcept;

    MultiModelProcessor& processor_;
    const AsyncOptions options_;
    SpscQueue<Frame> frames_;
    SpscQueue<AsyncResult> results_; // as long as frames_, so the worker always finds room

    std::atomic<uint64_t> accepted_ { 0 }, refused_ { 0 }, polled_ { 0 }; // written by the audio thread
    std::atomic<uint64_t> late_ { 0 }; // written by the worker

    std::thread worker_;
    std::atomic<bool> is_to_stop_ { false };
    std::string worker_priority_ = "not started";
};

} // namespace rtconform::plugin
