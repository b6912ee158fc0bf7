// Training from a plugin: a trainer's command line as a child process, and what it exports put in place of what plays.
//
//     MLBridge bridge { options, callbacks };
//     if(const auto why = bridge.start()) ...        // e.g. rtconform train --progress json --out EXPORT_FOLDER
//     ...                                            // callbacks.progress; callbacks.installed, which reloads
//     bridge.cancel();
//
// A trainer that fails, hangs, is cancelled or writes garbage changes nothing that plays. Linux and macOS; elsewhere
// start() says that it isn't available.
#pragma once

#include <rtconform_plugin/model_file.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rtconform::plugin
{

struct BridgeOptions
{
    /** The program and its arguments, each as it is: no shell reads them. PATH is searched for a program without a
        slash; a relative one starts at the working folder. */
    std::vector<std::string> command;

    /** Where the trainer runs; empty: where this process does. */
    std::string working_folder;

    /** NAME and value, in addition to this process's environment and in place of what has the same name there. */
    std::vector<std::pair<std::string, std::string>> environment;

    /** Where the trainer leaves the files of ModelSpec::file, and where they are installed. A relative one starts at
        this process's working folder, not at the trainer's. */
    std::string export_folder, models_folder;

    /** Names of the models without which nothing is installed; empty: all five. Of the others, those are installed
        too that the trainer left. */
    std::vector<std::string> required_models;

    /** A trainer that writes nothing for so long hangs, and is stopped. Zero: it may be silent for ever. */
    std::chrono::milliseconds silence_limit { std::chrono::minutes { 10 } };

    /** From SIGTERM to SIGKILL, for a trainer that is cancelled or hangs. */
    std::chrono::milliseconds grace_period { std::chrono::seconds { 5 } };

    /** How many of the last lines of the trainer's output are kept, each at most 1,000 bytes long. */
    size_t log_lines = 200;
};

/** What one line of a trainer's standard output said: {"model": "GroovePredictor", "epoch": 1, "loss": 0.05, ...}. */
struct TrainingProgress
{
    std::string model; // "" where the trainer doesn't say
    uint64_t epoch;
    double loss;
    std::optional<double> validation_loss;
};

/** A file that plays from now on, by the name of its model. */
struct InstalledModel
{
    std::string name;
    ModelFile file;
};

enum class BridgeState
{
    idle,       // nothing was started yet
    running,    // the trainer is at work
    installing, // it has ended well, and its models are being checked and put in place
    succeeded,
    failed,    // nothing was installed
    cancelled  // nothing was installed
};

struct BridgeStatus
{
    BridgeState state;
    std::string reason; // of a failure, in words for the user; else empty
};

/** Called on the bridge's own thread, never on the audio thread, one at a time, in this order: progress for each
    epoch, installed after a success, ended once per run. The bridge waits for them, and so does its destructor. They
    may call start, cancel, status and log, but must not destroy the bridge; what progress or installed throw ends the
    run as a failure, and ended must not throw. */
struct BridgeCallbacks
{
    std::function<void(const TrainingProgress&)> progress;

    /** The place to call reload in. All files stand in models_folder. */
    std::function<void(const std::vector<InstalledModel>&)> installed;

    std::function<void(const BridgeStatus&)> ended;
};

/** Methods may be called from any thread but the audio thread: they lock and allocate. */
class MLBridge
{
public:
    MLBridge(BridgeOptions options, BridgeCallbacks callbacks);

    /** Cancels, and waits for the end of it: at most the grace period and two seconds, and the callbacks. */
    ~MLBridge();

    MLBridge(const MLBridge&) = delete;
    MLBridge& operator=(const MLBridge&) = delete;

    /** Begins a training and returns at once. Otherwise why not: one is going on, or the options are wrong. Whether
        the program can be started at all is known only later, as everything else that can fail. */
    std::optional<std::string> start();

    /** Asks the training to stop and returns at once: SIGTERM to the trainer and all that it started, and SIGKILL after
        the grace period. Without effect once models are being put in place, and where nothing runs. */
    void cancel();

    BridgeStatus status() const;

    /** Whether nothing runs any more, and `ended` has returned, within a time. Not for callbacks: false at once. */
    bool wait(std::chrono::milliseconds timeout);

    /** The last lines of the trainer's two outputs that were no progress. What is no UTF-8 in them is shown as '?'. */
    std::vector<std::string> log() const;

private:
    struct Run;
    std::unique_ptr<Run> run_;
};

} // namespace rtconform::plugin
