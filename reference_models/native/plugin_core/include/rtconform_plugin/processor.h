// One model: an RTNeural JSON file, loaded by any loader of the C interface and run on the audio thread.
#pragma once

#include <rtconform_plugin/model_file.h>

#include <rtconform/loader.h>

#include <memory>
#include <string>
#include <variant>

namespace rtconform::plugin
{

/** A loaded model, or nothing. What load() gives is loaded; a default-constructed or moved-from one isn't.

    Calls on one processor must not overlap. Different processors may run on different threads. */
class RTNeuralProcessor
{
public:
    struct Options
    {
        const ModelSpec* spec = nullptr; // the file must have exactly these layers
        uint32_t max_frames = 1; // the longest block, 1 to 4096
    };

    /** A model from a file with cleared state, or why there is none. A file that changes while it is being loaded is
        refused. The loader must live as long as the processor. [main-thread] */
    static std::variant<RTNeuralProcessor, LoadError> load(
        const rtc_loader& loader, const std::string& path_utf8, const Options& options);

    static std::variant<RTNeuralProcessor, LoadError> load(const rtc_loader& loader, const std::string& path_utf8)
    {
        return load(loader, path_utf8, {});
    }

    bool is_loaded() const noexcept { return model_ != nullptr; }

    /** Floats per frame of the loaded model. */
    uint32_t input_size() const noexcept { return input_size_; }
    uint32_t output_size() const noexcept { return output_size_; }

    /** Size and digest of the file that was loaded. */
    const ModelFile& file() const noexcept { return file_; }

    /** Maps frames [frames, input_size] to [frames, output_size], carrying state. Returns false and touches nothing if
        no model is loaded or there are more frames than were asked for. Real-time safe if the loader is. [audio-thread] */
    bool process(const float* in, float* out, uint32_t frames = 1) noexcept;

    /** Clears all state. [audio-thread] */
    void reset() noexcept;

private:
    struct Unload
    {
        const rtc_loader* loader;
        void operator()(rtc_model* model) const noexcept { loader->unload(model); }
    };

    std::unique_ptr<rtc_model, Unload> model_;
    uint32_t input_size_ = 0, output_size_ = 0, max_frames_ = 0;
    ModelFile file_ {};
};

} // namespace rtconform::plugin
