// The plugin core as a library by the C interface of rtconform/pipeline.h: one pipeline for each loader that lies in
// the folder loaders/ beside it.
#include <rtconform_plugin/async_inference.h>
#include <rtconform_plugin/loader_library.h>
#include <rtconform_plugin/model_reloader.h>

#include <rtconform/pipeline.h>

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <filesystem>
#include <new>
#include <string>
#include <utility>

#include "../../loaders/refuse.h"
#include "sha256.h"

namespace plugin = rtconform::plugin;
using rtconform::copy_text;
using rtconform::refuse;

struct rtc_pipeline
{
    rtc_pipeline(const rtc_loader& loader, const char* models_dir)
        : processor { loader, { models_dir } }
        , inference { processor, options() }
        , collector { processor, { std::chrono::milliseconds { 50 }, false, {} } }
    {
        inference.start();
    }

    static plugin::AsyncOptions options()
    {
        plugin::AsyncOptions options;
        options.capacity = 64;
        return options;
    }

    plugin::MultiModelProcessor processor;
    plugin::AsyncInference inference;
    plugin::ModelReloader collector; // reloads nothing by itself, and frees what reload() has exchanged
};

namespace
{

// As many loaders as can lie in the folder: open() takes no argument that could say which of them is meant.
constexpr size_t most_pipelines = 8;

struct Pipeline
{
    std::string name;
    const rtc_loader* loader;
    std::string source_hash; // of the plugin core's sources and the loader's
    rtc_build_info build_info;
    rtc_pipeline_api api;
};

rtc_phase phase_of(plugin::LoadError::Phase phase)
{
    switch(phase)
    {
        case plugin::LoadError::Phase::read:
            return RTC_PHASE_READ;
        case plugin::LoadError::Phase::parse:
            return RTC_PHASE_PARSE;
        case plugin::LoadError::Phase::validate:
            return RTC_PHASE_VALIDATE;
        case plugin::LoadError::Phase::build:
            return RTC_PHASE_BUILD;
    }
    return RTC_PHASE_NONE;
}

std::deque<Pipeline>& pipelines();

template <size_t number>
rtc_status open_pipeline(const char* models_dir, rtc_pipeline** pipeline, rtc_error* error)
{
    *pipeline = nullptr;
    try
    {
        *pipeline = new rtc_pipeline { *pipelines()[number].loader, models_dir };
        return RTC_OK;
    }
    catch(const std::exception& e)
    {
        return refuse(error, RTC_PHASE_BUILD, e.what());
    }
}

void close_pipeline(rtc_pipeline* pipeline)
{
    delete pipeline;
}

uint32_t frame_size(const rtc_pipeline*)
{
    return plugin::frame_size;
}

uint32_t model_count(const rtc_pipeline*)
{
    return plugin::model_count;
}

const char* model_name(const rtc_pipeline*, uint32_t model)
{
    return plugin::model_specs[model].name;
}

uint32_t output_size(const rtc_pipeline*, uint32_t model)
{
    return plugin::model_specs[model].output_size;
}

uint32_t capacity(const rtc_pipeline* pipeline)
{
    return pipeline->inference.capacity();
}

rtc_status submit(rtc_pipeline* pipeline, uint64_t frame_id, const float* features)
{
    const auto submitted = pipeline->inference.submit(frame_id, 0, features, plugin::frame_size);
    return submitted == plugin::Submitted::accepted ? RTC_OK : RTC_FULL;
}

uint32_t poll(rtc_pipeline* pipeline, rtc_pipeline_result* result)
{
    plugin::AsyncResult got;
    if(!pipeline->inference.poll(got))
        return 0;
    result->frame_id = got.frame_id;
    std::copy(got.outputs.begin(), got.outputs.end(), result->outputs);
    std::copy(got.fallback.begin(), got.fallback.end(), result->fallback);
    std::copy(got.version.begin(), got.version.end(), result->version);
    return 1;
}

rtc_status reload(rtc_pipeline* pipeline, uint32_t model, rtc_error* error)
{
    try
    {
        plugin::ModelSet models;
        const auto errors = pipeline->processor.reload(model == RTC_ALL_MODELS ? models.set() : models.set(model));
        for(size_t m = 0; m < errors.size(); ++m)
            if(errors[m])
                return refuse(error, phase_of(errors[m]->phase),
                    std::string { plugin::model_specs[m].file } + ": " + errors[m]->message, errors[m]->json_path);
        return RTC_OK;
    }
    catch(const std::exception& e)
    {
        return refuse(error, RTC_PHASE_BUILD, e.what());
    }
}

void status(const rtc_pipeline* pipeline, uint32_t model, rtc_model_status* status)
{
    const auto got = pipeline->processor.status(model);
    status->state = got.state == plugin::ModelState::loaded ? RTC_MODEL_LOADED
        : got.state == plugin::ModelState::disabled         ? RTC_MODEL_DISABLED
                                                            : RTC_MODEL_FALLBACK;
    status->version = got.version;
    copy_text(got.reason, status->reason);
}

void counters(const rtc_pipeline* pipeline, rtc_pipeline_counters* counters)
{
    const auto got = pipeline->inference.counters();
    *counters = { got.accepted + got.refused, got.refused, got.polled, got.pending };
}

template <size_t number>
const void* extension(const char* id)
{
    return std::strcmp(id, RTC_EXT_BUILD_INFO) == 0 ? &pipelines()[number].build_info : nullptr;
}

/** The functions that depend on the pipeline's number, because their arguments don't say which loader is meant. */
struct Numbered
{
    rtc_status (*open)(const char*, rtc_pipeline**, rtc_error*);
    const void* (*extension)(const char*);
};

template <size_t... number>
constexpr std::array<Numbered, sizeof...(number)> numbered(std::index_sequence<number...>)
{
    return { Numbered { open_pipeline<number>, extension<number> }... };
}

std::string source_hash(const rtc_loader& loader)
{
    const auto* const info = loader.extension == nullptr
        ? nullptr
        : static_cast<const rtc_build_info*>(loader.extension(RTC_EXT_BUILD_INFO));
    const std::string of_the_loader = info != nullptr && info->source_hash != nullptr ? info->source_hash : "";
    const auto both = RTCONFORM_SOURCE_HASH + of_the_loader;
    plugin::Sha256 digest;
    digest.update(both.data(), both.size());
    return digest.hex_digest();
}

/** The loaders of the shared libraries in loaders/ beside this one, in the order of the files' names. */
std::vector<const rtc_loader*> loaders_beside()
{
    Dl_info self {};
    if(dladdr(reinterpret_cast<const void*>(&loaders_beside), &self) == 0)
        return {};
    std::vector<std::string> files;
    std::error_code ignored;
    const auto folder = std::filesystem::path { self.dli_fname }.parent_path() / "loaders";
    for(const auto& entry : std::filesystem::directory_iterator { folder, ignored })
        files.push_back(entry.path().string());
    std::sort(files.begin(), files.end());
    std::vector<const rtc_loader*> loaders;
    for(const auto& file : files)
    {
        const auto opened = plugin::open_loaders(file);
        if(const auto* found = std::get_if<std::vector<const rtc_loader*>>(&opened))
            loaders.insert(loaders.end(), found->begin(), found->end());
    }
    return loaders;
}

// A deque, whose elements stay where they are: the interface hands out pointers to them.
std::deque<Pipeline>& pipelines()
{
    static std::deque<Pipeline> all = []
    {
        constexpr auto functions = numbered(std::make_index_sequence<most_pipelines> {});
        std::deque<Pipeline> found;
        for(const auto* loader : loaders_beside())
        {
            if(found.size() == most_pipelines)
                break;
            auto& pipeline = found.emplace_back();
            pipeline.loader = loader;
            pipeline.name = "plugin-core-" + std::string { pipeline.loader->name };
            pipeline.source_hash = source_hash(*pipeline.loader);
            pipeline.build_info = { RTCONFORM_COMPILER, RTCONFORM_FLAGS, pipeline.source_hash.c_str() };
            const auto& numbered = functions[found.size() - 1];
            pipeline.api = { RTC_PIPELINE_ABI_VERSION, pipeline.name.c_str(), RTCONFORM_VERSION,
                pipeline.loader->numeric_class, numbered.open, close_pipeline, frame_size, model_count, model_name,
                output_size, capacity, submit, poll, reload, status, counters, numbered.extension };
        }
        return found;
    }();
    return all;
}

} // namespace

RTC_EXPORT const void* rtc_entry(const char* interface_id, uint32_t index)
{
    if(std::strcmp(interface_id, RTC_PIPELINE_INTERFACE) != 0 || index >= pipelines().size())
        return nullptr;
    return &pipelines()[index].api;
}
