#include <rtconform_plugin/ml_bridge.h>

#include "install_models.h"
#include "training_run.h"

#include <sys/stat.h>

#include <condition_variable>
#include <system_error>
#include <thread>

namespace rtconform::plugin
{

namespace
{

/** Which models are required; or the name that is no model's. */
std::variant<std::array<bool, model_count>, std::string> required_of(const std::vector<std::string>& names)
{
    std::array<bool, model_count> required {};
    if(names.empty())
        required.fill(true);
    for(const auto& name : names)
    {
        size_t m = 0;
        while(m < model_count && name != model_specs[m].name)
            ++m;
        if(m == model_count)
            return name;
        required[m] = true;
    }
    return required;
}

/** What is wrong with options, as far as can be said before a training. */
std::optional<std::string> fault_of(const BridgeOptions& options)
{
    if(options.command.empty() || options.command[0].empty())
        return "command: expected a program and its arguments, found none";
    if(options.export_folder.empty())
        return "export_folder: expected the folder into which the trainer exports, found none";
    struct stat exports, models;
    if(::stat(options.models_folder.c_str(), &models) != 0 || !S_ISDIR(models.st_mode))
        return "models_folder: expected the folder that the plugin plays from, found none at \"" + options.models_folder
            + "\"";
    if(::access(options.models_folder.c_str(), W_OK | X_OK) != 0)
        return "models_folder: expected a folder that can be written to, found that " + options.models_folder
            + " can't be";
    if(::stat(options.export_folder.c_str(), &exports) == 0 && exports.st_dev == models.st_dev
        && exports.st_ino == models.st_ino)
        return "export_folder: expected another folder than models_folder, which a trainer must not write to, found "
               "the same";
    const auto required = required_of(options.required_models);
    if(const auto* unknown = std::get_if<std::string>(&required))
    {
        std::string known;
        for(const auto& spec : model_specs)
            known += (known.empty() ? "" : ", ") + std::string { spec.name };
        return "required_models: expected some of " + known + ", found \"" + *unknown + "\"";
    }
    return {};
}

} // namespace

/** Everything that the bridge's thread shares with its callers. */
struct MLBridge::Run
{
    Run(BridgeOptions given, BridgeCallbacks called)
        : options { std::move(given) }, callbacks { std::move(called) }, log { options.log_lines }
    {
    }

    /** The life of the thread: one run after the other. */
    void serve();

    /** One run; what became of it, and the models that were installed. */
    std::pair<BridgeStatus, std::vector<InstalledModel>> train();

    void enter(BridgeState state);

    const BridgeOptions options;
    const BridgeCallbacks callbacks;
    SharedLog log;
    std::atomic<bool> is_cancelled { false };

    mutable std::mutex mutex; // of all that follows
    std::condition_variable changed;
    BridgeStatus status { BridgeState::idle, "" };
    bool is_asked = false; // for a run that hasn't begun
    bool is_busy = false; // from start() until `ended` has returned
    bool is_leaving = false;
    std::thread thread;
};

void MLBridge::Run::enter(BridgeState state)
{
    const std::lock_guard lock { mutex };
    status = { state, "" };
}

std::pair<BridgeStatus, std::vector<InstalledModel>> MLBridge::Run::train()
{
    const auto failed = [](std::string reason)
    { return std::pair { BridgeStatus { BridgeState::failed, std::move(reason) }, std::vector<InstalledModel> {} }; };
    const auto cancelled = std::pair { BridgeStatus { BridgeState::cancelled, "" }, std::vector<InstalledModel> {} };
    try
    {
        const auto before = stamps_of(options.export_folder);
        if(auto reason = run_trainer(options, callbacks.progress, log, is_cancelled))
            return reason->empty() ? cancelled : failed(std::move(*reason));
        enter(BridgeState::installing);
        const auto turn = turn_in(options.models_folder, is_cancelled);
        auto staged = StagedModels::stage(options.export_folder, before, options.models_folder,
            std::get<0>(required_of(options.required_models)));
        if(const auto* why = std::get_if<std::string>(&staged))
            return failed("nothing was installed: " + *why);
        if(is_cancelled)
            return cancelled;
        auto& models = std::get<StagedModels>(staged);
        if(const auto why = models.commit())
            return failed("nothing was installed: " + *why);
        return { { BridgeState::succeeded, "" }, models.models() };
    }
    catch(const std::exception& error)
    {
        return failed(std::string { "expected the training to run undisturbed, found: " } + error.what());
    }
}

void MLBridge::Run::serve()
{
    std::unique_lock lock { mutex };
    for(;;)
    {
        changed.wait(lock, [this] { return is_asked || is_leaving; });
        if(!is_asked)
            return;
        is_asked = false;
        lock.unlock();
        const auto [outcome, models] = train();
        if(outcome.state == BridgeState::succeeded && callbacks.installed)
            callbacks.installed(models);
        lock.lock();
        status = outcome;
        lock.unlock();
        if(callbacks.ended)
            callbacks.ended(outcome);
        lock.lock();
        is_busy = is_asked;
        changed.notify_all();
    }
}

MLBridge::MLBridge(BridgeOptions options, BridgeCallbacks callbacks)
    : run_ { std::make_unique<Run>(std::move(options), std::move(callbacks)) }
{
}

MLBridge::~MLBridge()
{
    {
        const std::lock_guard lock { run_->mutex };
        run_->is_leaving = true;
        run_->is_cancelled = true;
        run_->changed.notify_all();
    }
    if(run_->thread.joinable())
        run_->thread.join();
}

std::optional<std::string> MLBridge::start()
{
    const std::lock_guard lock { run_->mutex };
    if(run_->status.state == BridgeState::running || run_->status.state == BridgeState::installing)
        return "expected no training to be going on, found one; cancel it, or wait for its end";
    if(run_->is_leaving)
        return "expected a bridge that stays, found one that is being destroyed";
    if(auto fault = fault_of(run_->options))
        return fault;
    if(!run_->thread.joinable())
    {
        try
        {
            run_->thread = std::thread { &Run::serve, run_.get() };
        }
        catch(const std::system_error& error)
        {
            return std::string { "expected a thread for the bridge, found: " } + error.what();
        }
    }
    run_->is_cancelled = false;
    run_->log.clear();
    run_->status = { BridgeState::running, "" };
    run_->is_asked = run_->is_busy = true;
    run_->changed.notify_all();
    return {};
}

void MLBridge::cancel()
{
    const std::lock_guard lock { run_->mutex };
    if(run_->is_busy)
        run_->is_cancelled = true;
}

BridgeStatus MLBridge::status() const
{
    const std::lock_guard lock { run_->mutex };
    return run_->status;
}

bool MLBridge::wait(std::chrono::milliseconds timeout)
{
    std::unique_lock lock { run_->mutex };
    if(run_->thread.get_id() == std::this_thread::get_id())
        return false;
    return run_->changed.wait_for(lock, timeout, [this] { return !run_->is_busy; });
}

std::vector<std::string> MLBridge::log() const
{
    return run_->log.lines();
}

} // namespace rtconform::plugin
