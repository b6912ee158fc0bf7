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

/** Runs the trainer to its end and returns nothing if that was good, the reason if not, and "" if it was cancelled,
    which `is_cancelled` may become at any time. Lines of its standard output that are progress go to `progress`, all
    others to the log. */
std::optional<std::string> run_trainer(const BridgeOptions& options,
    const std::function<void(const TrainingProgress&)>& progress, SharedLog& log,
    const std::atomic<bool>& is_cancelled);

} // namespace rtconform::plugin
