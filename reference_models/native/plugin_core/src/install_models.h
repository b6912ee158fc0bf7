// Exported files put in the place of those that play: all of them, or none.
#pragma once

#include "descriptor.h"

#include <rtconform_plugin/ml_bridge.h>

#include <array>
#include <atomic>

#include <sys/types.h>

namespace rtconform::plugin
{

/** Which writing of a file this is: another one has another stamp, even of the same bytes. */
struct Stamp
{
    dev_t device;
    ino_t number;
    int64_t changed_seconds, changed_nanoseconds; // of the inode, which no program can set back
};

/** One per model; nothing where there is no file. */
using Stamps = std::array<std::optional<Stamp>, model_count>;

Stamps stamps_of(const std::string& folder);

/** Waits until no other bridge, in this process or another, installs into a folder, or until it is cancelled. Nobody
    else does while the descriptor is held: what plays is then all of one training. Where a folder can't be locked
    nothing is waited for. */
Descriptor turn_in(const std::string& folder, const std::atomic<bool>& is_cancelled);

/** Copies of exported files, checked, in the folder where they are to play but under names that nobody reads. */
class StagedModels
{
public:
    /** Copies and checks every file that was written since `before` was taken. Otherwise why not: one that is required
        is missing or wasn't written, one is no model of its kind, or copying failed. Nothing but temporary files has
        been touched then, and they are gone. */
    static std::variant<StagedModels, std::string> stage(const std::string& export_folder, const Stamps& before,
        const std::string& models_folder, const std::array<bool, model_count>& required);

    StagedModels(StagedModels&&) = default;
    StagedModels& operator=(StagedModels&&) = delete;
    ~StagedModels();

    /** Renames the copies, each in one step, so that whoever opens a file finds the old or the new one whole. If that
        fails half-way, those that were replaced are put back, and this says what failed. */
    std::optional<std::string> commit();

    std::vector<InstalledModel> models() const;

private:
    struct Staged
    {
        InstalledModel model;
        std::string target, copy, old; // paths; `old` keeps what played, "" while there is no such file
        bool is_replaced;
    };

    StagedModels() = default;
    std::optional<std::string> replace(Staged& file);
    std::string put_back();

    std::string folder_;
    std::vector<Staged> files_;
};

} // namespace rtconform::plugin
