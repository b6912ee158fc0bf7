#include <rtconform_plugin/multi_model_processor.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace rtconform::plugin
{
namespace
{

constexpr size_t most_inputs()
{
    size_t most = 0;
    for(const auto& spec : model_specs)
        most = spec.input_size > most ? spec.input_size : most;
    return most;
}

void write_fallback(const ModelSpec& spec, float* outputs) noexcept
{
    std::fill_n(outputs, spec.output_size, spec.fill);
    if(spec.one_hot >= 0)
        outputs[spec.one_hot] = 1.0f;
}

bool are_finite(const float* values, size_t count) noexcept
{
    return std::all_of(values, values + count, [](float value) { return std::isfinite(value); });
}

const char* said_of_a_file(LoadError::Phase phase)
{
    switch(phase)
    {
        case LoadError::Phase::read:
            return "can't be read";
        case LoadError::Phase::parse:
            return "is not JSON";
        case LoadError::Phase::validate:
            return "is not this model";
        case LoadError::Phase::build:
            return "can't be built";
    }
    return "";
}

/** As in: "/models/x.json is not this model: $.layers[0]: expected …, found …". */
std::string in_words(const std::string& path, const LoadError& error)
{
    return path + " " + said_of_a_file(error.phase) + ": " + (error.json_path.empty() ? "" : error.json_path + ": ")
        + error.message;
}

} // namespace

MultiModelProcessor::MultiModelProcessor(const rtc_loader& loader, std::vector<std::string> folders)
    : loader_ { loader }
    , folders_ { std::move(folders) }
{
    for(auto& enabled : enabled_)
        enabled = true;
    reload();
}

MultiModelProcessor::~MultiModelProcessor()
{
    collect();
    delete pending_.load();
}

bool MultiModelProcessor::process(
    uint64_t frame_id, const float* features, size_t count, StepResult& result) noexcept
{
    if(count != frame_size)
        return false;
    take_exchange(frame_id);
    result.frame_id = frame_id;
    const bool usable = are_finite(features, frame_size);
    for(size_t m = 0; m < model_count; ++m)
    {
        result.version[m] = slots_[m].version;
        result.fallback[m] = !(usable && run(m, features, result));
        if(result.fallback[m])
            write_fallback(model_specs[m], &result.outputs[model_specs[m].first_output]);
    }
    return true;
}

// False if the fallback has to stand in.
bool MultiModelProcessor::run(size_t m, const float* features, StepResult& result) noexcept
{
    Slot& slot = slots_[m];
    const bool enabled = enabled_[m].load(std::memory_order_relaxed);
    if(!enabled || slot.model == nullptr || slot.has_failed)
    {
        slot.was_enabled = enabled;
        return false;
    }
    if(!std::exchange(slot.was_enabled, true))
        slot.model->reset();

    const auto& spec = model_specs[m];
    float inputs[most_inputs()];
    float* to = inputs;
    for(const Part* part = parts + spec.first_part; part != parts + spec.first_part + spec.part_count; ++part)
    {
        const float* from = part->origin < 0 ? features : result.outputs_of(static_cast<size_t>(part->origin));
        to = std::copy(from + part->begin, from + part->end, to);
    }
    float* const outputs = &result.outputs[spec.first_output];
    slot.model->process(inputs, outputs);
    if(are_finite(outputs, spec.output_size))
        return true;
    slot.has_failed = true;
    played_[m].failed_version.store(slot.version, std::memory_order_relaxed);
    return false;
}

void MultiModelProcessor::reset() noexcept
{
    for(auto& slot : slots_)
        if(slot.model != nullptr)
            slot.model->reset();
}

// Wait-free: nobody else ever puts anything into retired_.
void MultiModelProcessor::take_exchange(uint64_t frame_id) noexcept
{
    if(pending_.load(std::memory_order_relaxed) == nullptr)
        return;
    Exchange* const exchange = pending_.exchange(nullptr, std::memory_order_acq_rel);
    if(exchange == nullptr) // its owner has taken it back
        return;
    for(size_t m = 0; m < model_count; ++m)
    {
        if(exchange->models[m] == nullptr)
            continue;
        played_[m].started_version.store(0, std::memory_order_release);
        std::swap(slots_[m].model, exchange->models[m]);
        slots_[m].version = exchange->versions[m];
        slots_[m].has_failed = false;
        played_[m].first_frame.store(frame_id, std::memory_order_release);
        played_[m].started_version.store(slots_[m].version, std::memory_order_release);
    }
    exchange->next = retired_.exchange(nullptr, std::memory_order_acquire);
    retired_.store(exchange, std::memory_order_release);
}

std::array<std::optional<LoadError>, model_count> MultiModelProcessor::reload(ModelSet models)
{
    const std::lock_guard alone { reload_mutex_ };
    collect();
    std::array<std::optional<LoadError>, model_count> errors;
    std::array<std::string, model_count> paths;
    auto exchange = std::make_unique<Exchange>();
    for(size_t m = 0; m < model_count; ++m)
    {
        if(!models[m])
            continue;
        paths[m] = path(m);
        auto loaded = RTNeuralProcessor::load(loader_, paths[m], { &model_specs[m], 1 });
        if(auto* error = std::get_if<LoadError>(&loaded))
            errors[m] = std::move(*error);
        else
            exchange->models[m] = std::make_unique<RTNeuralProcessor>(std::get<RTNeuralProcessor>(std::move(loaded)));
    }

    const std::lock_guard lock { status_mutex_ };
    for(size_t m = 0; m < model_count; ++m)
    {
        if(!models[m])
            continue;
        ModelStatus& status = status_[m];
        status.path = paths[m];
        status.reason = errors[m] ? in_words(paths[m], *errors[m]) : "";
        if(errors[m])
            continue;
        status.file = exchange->models[m]->file();
        exchange->versions[m] = ++status.version;
    }
    publish(std::move(exchange));
    return errors;
}

// An exchange that no step has taken yet goes on with this one, where this one has nothing newer.
void MultiModelProcessor::publish(std::unique_ptr<Exchange> exchange)
{
    const std::unique_ptr<Exchange> earlier { pending_.exchange(nullptr, std::memory_order_acq_rel) };
    for(size_t m = 0; earlier != nullptr && m < model_count; ++m)
    {
        if(exchange->models[m] != nullptr)
            continue;
        exchange->models[m] = std::move(earlier->models[m]);
        exchange->versions[m] = earlier->versions[m];
    }
    pending_.store(exchange.release(), std::memory_order_release);
}

void MultiModelProcessor::set_enabled(size_t model, bool enabled) noexcept
{
    enabled_[model].store(enabled, std::memory_order_relaxed);
}

ModelStatus MultiModelProcessor::status(size_t m) const
{
    const std::lock_guard lock { status_mutex_ };
    ModelStatus status = status_[m];
    const Played& played = played_[m];
    const auto started = played.started_version.load(std::memory_order_acquire);
    const auto first_frame = played.first_frame.load(std::memory_order_acquire);
    if(started == status.version && started == played.started_version.load(std::memory_order_acquire))
        status.first_frame = first_frame;

    const bool failed = status.version != 0 && played.failed_version.load(std::memory_order_relaxed) == status.version;
    if(failed)
        status.reason = status.path + ": expected finite outputs, found NaN or infinity; its fallback plays until it is "
                                      "loaded again";
    else if(status.version != 0 && !status.reason.empty())
        status.reason += "; the model loaded before still plays";
    status.state = !enabled_[m].load(std::memory_order_relaxed) ? ModelState::disabled
        : status.version == 0 || failed                         ? ModelState::fallback
                                                                : ModelState::loaded;
    return status;
}

Totals MultiModelProcessor::totals() const
{
    Totals totals;
    for(size_t m = 0; m < model_count; ++m)
    {
        const auto status = this->status(m);
        if(status.state != ModelState::loaded)
            continue;
        ++totals.models;
        totals.parameters_torch += model_specs[m].parameters_torch;
        totals.parameters_rtneural += model_specs[m].parameters_rtneural;
        totals.file_bytes += status.file.bytes;
    }
    return totals;
}

void MultiModelProcessor::collect()
{
    for(Exchange* exchange = retired_.exchange(nullptr, std::memory_order_acquire); exchange != nullptr;)
        delete std::exchange(exchange, exchange->next);
}

std::string MultiModelProcessor::path(size_t model) const
{
    const char* const name = model_specs[model].file;
    for(const auto& folder : folders_)
    {
        const auto file = std::filesystem::u8path(folder) / name;
        std::error_code ignored;
        if(std::filesystem::exists(file, ignored))
            return file.u8string();
    }
    return folders_.empty() ? name : (std::filesystem::u8path(folders_.front()) / name).u8string();
}

std::vector<std::string> model_folders(const std::string& given)
{
    const char* const variable = std::getenv("RTCONFORM_MODELS");
    const std::string all = !given.empty() ? given : variable != nullptr ? variable : "";
    std::vector<std::string> folders;
    for(size_t begin = 0; begin <= all.size();)
    {
        const auto end = std::min(all.find(':', begin), all.size());
        if(end > begin)
            folders.push_back(all.substr(begin, end - begin));
        begin = end + 1;
    }
    return folders;
}

} // namespace rtconform::plugin
