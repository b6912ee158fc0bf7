// The five models and the data flow between them: one frame of audio features in, one result out.
#pragma once

#include <rtconform_plugin/processor.h>
#include <rtconform_plugin/specs.h>

#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace rtconform::plugin
{

/** A set of models, by their number in model_specs. */
using ModelSet = std::bitset<model_count>;

/** What the models gave for one frame, or their fallbacks. */
struct StepResult
{
    uint64_t frame_id = 0;
    std::array<float, output_count> outputs {}; // model m from model_specs[m].first_output on
    std::array<bool, model_count> fallback {}; // these outputs are the model's fallback
    std::array<uint32_t, model_count> version {}; // of the model that gave them: see ModelStatus

    const float* outputs_of(size_t model) const noexcept { return &outputs[model_specs[model].first_output]; }
};

enum class ModelState
{
    loaded, // its file plays
    fallback, // its fallback plays, and `reason` says why
    disabled // its fallback plays because it is switched off
};

struct ModelStatus
{
    ModelState state = ModelState::fallback;
    uint32_t version = 0; // 0 while there was no model in this place, one more with each file that was loaded
    std::optional<uint64_t> first_frame; // with which this version began to play, once it has
    std::string path; // where its file was looked for last
    std::string reason; // why no model plays, or why a newer file was refused; empty when all is well
    ModelFile file; // of the version that plays
};

/** Sums over the models that are loaded and not switched off. */
struct Totals
{
    size_t models = 0;
    uint64_t parameters_torch = 0, parameters_rtneural = 0;
    uint64_t file_bytes = 0;
};

/** Runs one step of the five models per frame, with a fallback for each that is missing, broken or switched off, and
    exchanges models between two steps without stopping.

    One thread calls process() and reset(), which are real-time safe if the loader is. All other threads may call
    everything else meanwhile: what is built and freed for a reload is built and freed by its caller. */
class MultiModelProcessor
{
public:
    /** Loads the five files, named as model_specs says, each from the first of the folders that has it. Files that are
        missing or broken are no error: status() says which. The loader must outlive the processor. */
    MultiModelProcessor(const rtc_loader& loader, std::vector<std::string> folders);
    ~MultiModelProcessor();
    MultiModelProcessor(const MultiModelProcessor&) = delete;
    MultiModelProcessor& operator=(const MultiModelProcessor&) = delete;

    /** One step: `count` features in, which must be frame_size, all outputs and flags out. Returns false and does nothing
        for another count. Features that hold NaN or infinity reach no model: everything falls back, and the state stays
        as it was. A model whose outputs aren't finite is left out until it is loaded again. [audio-thread] */
    bool process(uint64_t frame_id, const float* features, size_t count, StepResult& result) noexcept;

    /** Clears the state of all models. [audio-thread] */
    void reset() noexcept;

    /** Reads the files of these models again. Those that are good play, from cleared state and all from the same frame,
        from the next step on; those that aren't leave what plays as it is. Returns what was wrong, per model. */
    std::array<std::optional<LoadError>, model_count> reload(ModelSet models = ModelSet {}.set());

    /** Switches a model on or off from the next step on; when it comes back, its state is cleared. Wait-free. */
    void set_enabled(size_t model, bool enabled) noexcept;

    /** What plays in a model's place once the reloads so far have taken effect. */
    ModelStatus status(size_t model) const;

    Totals totals() const;

    /** Frees models that were exchanged. reload() does it too; who reloads seldom calls this a little later. */
    void collect();

    /** The file that a reload would read for a model now: of the first folder that has it, or else of the first. */
    std::string path(size_t model) const;

private:
    // Models on their way into the slots, and, once exchanged, those that were there before on their way out.
    struct Exchange
    {
        std::array<std::unique_ptr<RTNeuralProcessor>, model_count> models;
        std::array<uint32_t, model_count> versions {};
        Exchange* next = nullptr;
    };

    // What the step alone uses of a model.
    struct Slot
    {
        std::unique_ptr<RTNeuralProcessor> model;
        uint32_t version = 0;
        bool has_failed = false, was_enabled = true;
    };

    // What the step tells the others of a model. Written in this order: started_version = 0, first_frame, started_version.
    struct Played
    {
        std::atomic<uint32_t> started_version { 0 }, failed_version { 0 };
        std::atomic<uint64_t> first_frame { 0 };
    };

    void take_exchange(uint64_t frame_id) noexcept;
    bool run(size_t model, const float* features, StepResult& result) noexcept;
    void publish(std::unique_ptr<Exchange> exchange);

    const rtc_loader& loader_;
    const std::vector<std::string> folders_;

    // Neither is ever taken by process() and reset().
    std::mutex reload_mutex_; // while files are read
    mutable std::mutex status_mutex_; // for moments
    std::array<ModelStatus, model_count> status_; // state and first_frame are worked out when they are asked for

    std::array<Slot, model_count> slots_;
    std::array<Played, model_count> played_;
    std::array<std::atomic<bool>, model_count> enabled_;
    std::atomic<Exchange*> pending_ { nullptr }; // for the step to take
    std::atomic<Exchange*> retired_ { nullptr }; // a list, for the others to free
};

/** The folders in which model files are looked for: those of `given`, separated by colons, or if it is empty those of
    the environment variable RTCONFORM_MODELS; none if that isn't set either. */
std::vector<std::string> model_folders(const std::string& given = {});

} // namespace rtconform::plugin
