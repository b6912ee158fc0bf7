#include <rtconform_plugin/model_reloader.h>

#include <filesystem>
#include <utility>

namespace rtconform::plugin
{
namespace
{

/** Which file a model would be loaded from now, and what tells its content from that of a moment ago; empty if there is
    none. A file that is renamed into place shows by its time. */
std::string look_at(const std::string& path)
{
    std::error_code error;
    const auto file = std::filesystem::u8path(path);
    const auto size = std::filesystem::file_size(file, error);
    if(error)
        return {};
    const auto time = std::filesystem::last_write_time(file, error).time_since_epoch().count();
    return error ? std::string {} : path + '\n' + std::to_string(size) + '\n' + std::to_string(time);
}

} // namespace

ModelReloader::ModelReloader(MultiModelProcessor& processor, Options options)
    : processor_ { processor }
    , options_ { std::move(options) }
{
    for(size_t m = 0; m < model_count; ++m)
        loaded_[m] = seen_[m] = look_at(processor_.path(m));
    worker_ = std::thread { [this] { work(); } };
}

ModelReloader::~ModelReloader()
{
    {
        const std::lock_guard lock { mutex_ };
        is_to_stop_ = true;
    }
    stop_.notify_one();
    worker_.join();
}

void ModelReloader::request(ModelSet models) noexcept
{
    requested_.fetch_or(models.to_ulong(), std::memory_order_relaxed);
}

void ModelReloader::work()
{
    std::unique_lock lock { mutex_ };
    while(!stop_.wait_for(lock, options_.interval, [this] { return is_to_stop_; }))
    {
        lock.unlock();
        processor_.collect();
        const ModelSet asked { requested_.exchange(0, std::memory_order_relaxed) };
        const ModelSet models = asked | (options_.watch_files ? changed() : ModelSet {});
        if(models.any())
        {
            for(size_t m = 0; m < model_count; ++m)
                if(models[m])
                    loaded_[m] = look_at(processor_.path(m));
            const auto errors = processor_.reload(models);
            if(options_.reloaded)
                options_.reloaded(models, errors);
        }
        lock.lock();
    }
}

// The models whose files differ from what was loaded, and are as they were at the last look. Of a file that has gone the
// reload says so, and what plays goes on.
ModelSet ModelReloader::changed()
{
    ModelSet models;
    for(size_t m = 0; m < model_count; ++m)
    {
        const auto now = look_at(processor_.path(m));
        const bool has_settled = now == std::exchange(seen_[m], now);
        if(has_settled && now != loaded_[m])
            models.set(m);
    }
    return models;
}

} // namespace rtconform::plugin
