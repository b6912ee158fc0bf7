// One run of a trainer, watched from its start to its end.
#pragma once

#include "child_process.h"
#include "trainer_output.h"

#include <atomic>
#include <mutex>

namespace rtconform::plugin
{

/** A log that one thread writes and others read. */
class SharedLog
{
public:
    explicit SharedLog(size_t max_lines) : log_ { max_lines } { }

    void add(std::string_view line)
    {
        const std::lock_guard lock { mutex_ };
        log_.add(line);
    }

    void clear()
    {
        const std::lock_guard lock { mutex_ };
        log_.clear();
    }

    std::vector<std::string> lines() const
    {
        const std::lock_guard lock { mutex_ };
        return log_.lines();
    }

private:
    mutable std::mutex mutex_;
    Log log_;
};

/** How somebody asks a run to stop from another thread: a flag, and a pipe that wakes who waits for the trainer. */
class StopSignal
{
public:
    bool is_usable() const { return bool { pipe_.reading } && bool { pipe_.writing }; }
    bool is_set() const { return is_set_; }
    int descriptor() const { return pipe_.reading.number(); }

    void set();
    void clear();

    /** Empties the pipe; the flag stays. */
    void heard() const;

private:
    std::atomic<bool> is_set_ { false };
    Pipe pipe_ = Pipe::make();
};

/** Runs the trainer to its end and returns nothing if that was good, the reason if not, and "" if it was cancelled.
    Lines of its standard output that are progress go to `progress`, all others to the log. */
std::optional<std::string> run_trainer(const BridgeOptions& options,
    const std::function<void(const TrainingProgress&)>& progress, SharedLog& log, StopSignal& stop);

} // namespace rtconform::plugin
