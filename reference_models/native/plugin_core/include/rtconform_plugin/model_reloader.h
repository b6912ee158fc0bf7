// Reloads models on a thread of its own: when their files change, or when any thread asks for it.
#pragma once

#include <rtconform_plugin/multi_model_processor.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace rtconform::plugin
{

/** Looks at the files every `interval` and, where one has changed and then stayed as it is for an interval, loads it.
    Files that change together are exchanged before the same frame. It also frees what was exchanged. */
class ModelReloader
{
public:
    /** Called on the reloader's thread after each reload: which models, and what was wrong with whose file. */
    using Reloaded = std::function<void(ModelSet, const std::array<std::optional<LoadError>, model_count>&)>;

    struct Options
    {
        std::chrono::milliseconds interval { 250 };
        bool watch_files = true;
        Reloaded reloaded; // may be empty
    };

    /** Starts. The processor must outlive this object. Throws std::system_error if there can be no thread. */
    explicit ModelReloader(MultiModelProcessor& processor, Options options);

    /** Ends after the reload that is going on, if one is. */
    ~ModelReloader();

    /** Loads these models within an interval. Wait-free, from any thread, the audio thread too. */
    void request(ModelSet models = ModelSet {}.set()) noexcept;

private:
    void work();
    ModelSet changed();

    MultiModelProcessor& processor_;
    const Options options_;
    std::atomic<unsigned long> requested_ { 0 };
    std::array<std::string, model_count> loaded_, seen_; // what the files looked like when they were loaded, and last

    std::mutex mutex_;
    std::condition_variable stop_;
    bool is_to_stop_ = false;
    std::thread worker_;
};

} // namespace rtconform::plugin
