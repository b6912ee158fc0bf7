#include <rtconform_plugin/processor.h>

#include <algorithm>
#include <utility>

namespace rtconform::plugin
{
namespace
{

LoadError::Phase phase_of(rtc_phase phase)
{
    switch(phase)
    {
        case RTC_PHASE_READ:
            return LoadError::Phase::read;
        case RTC_PHASE_PARSE:
            return LoadError::Phase::parse;
        case RTC_PHASE_VALIDATE:
            return LoadError::Phase::validate;
        default:
            return LoadError::Phase::build;
    }
}

template <size_t size>
std::string text(const char (&chars)[size])
{
    return { chars, std::find(chars, chars + size, '\0') };
}

LoadError refusal(const rtc_error& error)
{
    return { phase_of(error.phase), text(error.json_path), text(error.message) };
}

std::string sizes(uint32_t input_size, uint32_t output_size)
{
    return std::to_string(input_size) + " inputs and " + std::to_string(output_size) + " outputs";
}

} // namespace

std::variant<RTNeuralProcessor, LoadError> RTNeuralProcessor::load(
    const rtc_loader& loader, const std::string& path_utf8, const Options& options)
{
    auto checked = options.spec ? check_model_file(path_utf8, *options.spec) : digest_of_file(path_utf8);
    if(auto* error = std::get_if<LoadError>(&checked))
        return std::move(*error);

    RTNeuralProcessor processor;
    rtc_model* model = nullptr;
    rtc_error error {};
    if(loader.load(path_utf8.c_str(), &model, &error) != RTC_OK)
        return refusal(error);
    processor.model_ = { model, Unload { &loader } };
    if(loader.prepare(model, options.max_frames, &error) != RTC_OK)
        return refusal(error);
    processor.input_size_ = loader.input_size(model);
    processor.output_size_ = loader.output_size(model);
    processor.max_frames_ = options.max_frames;
    processor.file_ = std::get<ModelFile>(std::move(checked));

    if(options.spec != nullptr
        && (processor.input_size_ != options.spec->input_size || processor.output_size_ != options.spec->output_size))
        return LoadError { LoadError::Phase::build, "",
            "expected " + sizes(options.spec->input_size, options.spec->output_size) + ", found that the loader "
                + loader.name + " makes " + sizes(processor.input_size_, processor.output_size_) + " of the file" };

    // What was checked and what was loaded were read one after the other.
    auto again = digest_of_file(path_utf8);
    if(auto* gone = std::get_if<LoadError>(&again))
        return std::move(*gone);
    if(std::get<ModelFile>(again).sha256 != processor.file_.sha256)
        return LoadError { LoadError::Phase::read, "",
            "expected a file that stays as it is, found one that changed while it was loaded; load it again" };
    return processor;
}

bool RTNeuralProcessor::process(const float* in, float* out, uint32_t frames) noexcept
{
    if(!is_loaded() || frames > max_frames_)
        return false;
    model_.get_deleter().loader->process(model_.get(), in, out, frames);
    return true;
}

void RTNeuralProcessor::reset() noexcept
{
    if(is_loaded())
        model_.get_deleter().loader->reset(model_.get());
}

} // namespace rtconform::plugin
