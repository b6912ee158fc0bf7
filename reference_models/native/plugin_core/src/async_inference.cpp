#include <rtconform_plugin/async_inference.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#endif

namespace rtconform::plugin
{
namespace
{

/** Asks for real-time priority, low among such threads: above all ordinary ones, below any host's audio thread. Says
    what came of it. */
std::string raise_priority(std::thread& thread)
{
#if defined(__unix__) || defined(__APPLE__)
    sched_param priority {};
    priority.sched_priority = sched_get_priority_min(SCHED_FIFO);
    const int error = pthread_setschedparam(thread.native_handle(), SCHED_FIFO, &priority);
    if(error == 0)
        return "real-time";
    return std::string { "ordinary: the system refuses real-time priority (" } + std::strerror(error) + ")";
#else
    static_cast<void>(thread);
    return "ordinary: real-time priority is not asked for on this system";
#endif
}

// Only one thread writes to each counter.
void count(std::atomic<uint64_t>& counter) noexcept
{
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

} // namespace

AsyncInference::AsyncInference(MultiModelProcessor& processor, const AsyncOptions& options)
    : processor_ { processor }
    , options_ { options }
    , frames_ { options.capacity }
    , results_ { options.capacity }
{
    if(options.capacity == 0)
        throw std::invalid_argument { "AsyncOptions::capacity: expected at least 1 frame, found 0" };
}

AsyncInference::~AsyncInference()
{
    stop();
}

void AsyncInference::start()
{
    if(is_running())
        return;
    is_to_stop_.store(false, std::memory_order_relaxed);
    worker_ = std::thread { [this] { work(); } };
    worker_priority_ = options_.real_time_priority ? raise_priority(worker_) : "ordinary: as asked for";
}

void AsyncInference::stop()
{
    if(!is_running())
        return;
    is_to_stop_.store(true, std::memory_order_relaxed);
    worker_.join();
}

Submitted AsyncInference::submit(
    uint64_t frame_id, int64_t sample, const float* features, size_t count, bool reset) noexcept
{
    if(count != frame_size)
        return Submitted::wrong_size;
    const auto pending = accepted_.load(std::memory_order_relaxed) - polled_.load(std::memory_order_relaxed);
    Frame* const frame = pending < options_.capacity ? frames_.back() : nullptr;
    if(frame == nullptr)
    {
        plugin::count(refused_);
        return Submitted::full;
    }
    frame->id = frame_id;
    frame->sample = sample;
    frame->submitted = Clock::now();
    frame->reset = reset;
    std::copy_n(features, frame_size, frame->features.begin());
    frames_.push();
    plugin::count(accepted_);
    return Submitted::accepted;
}

bool AsyncInference::poll(AsyncResult& result) noexcept
{
    const AsyncResult* const ready = results_.front();
    if(ready == nullptr)
        return false;
    result = *ready;
    results_.pop();
    count(polled_);
    return true;
}

AsyncCounters AsyncInference::counters() const noexcept
{
    AsyncCounters counters;
    counters.polled = polled_.load(std::memory_order_acquire);
    counters.accepted = accepted_.load(std::memory_order_acquire);
    counters.refused = refused_.load(std::memory_order_acquire);
    counters.pending = counters.accepted - counters.polled;
    counters.late = late_.load(std::memory_order_acquire);
    return counters;
}

void AsyncInference::work()
{
    while(!is_to_stop_.load(std::memory_order_relaxed))
    {
        const Frame* const frame = frames_.front();
        if(frame == nullptr)
        {
            std::this_thread::sleep_for(options_.poll_interval);
            continue;
        }
        // There is room: results_ holds as many as can be pending. The frame goes first, so that whoever has polled the
        // result finds room for another.
        run(*frame, *results_.back());
        frames_.pop();
        results_.push();
    }
}

void AsyncInference::run(const Frame& frame, AsyncResult& result) noexcept
{
    const auto begin = Clock::now();
    if(frame.reset)
        processor_.reset();
    processor_.process(frame.id, frame.features.data(), frame.features.size(), result);
    result.sample = frame.sample;
    result.waited = begin - frame.submitted;
    result.took = Clock::now() - frame.submitted;
    result.late = result.took > options_.deadline;
    if(result.late)
        count(late_);
}

} // namespace rtconform::plugin
