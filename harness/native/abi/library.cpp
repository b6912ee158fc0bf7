#include "library.h"

#include <dlfcn.h>

#include <utility>

#include "cross.h"

namespace rtc {
namespace {

// More than any library can mean; one that never answers NULL would be listed for ever.
constexpr std::uint32_t max_listed = 1024;

using Members = std::vector<std::pair<const char*, bool>>;

// What differs between the interfaces: the name of each, its version, what a message calls it and its header.
template <typename Api>
struct Interface;

template <>
struct Interface<rtc_loader> {
    static constexpr const char *id = RTC_LOADER_INTERFACE, *word = "loader", *title = "Loader", *header = "loader.h";
    static constexpr std::uint32_t version = RTC_ABI_VERSION;

    static Members members(const rtc_loader& loader) {
        return {{"name", loader.name != nullptr},
                {"version", loader.version != nullptr},
                {"numeric_class", loader.numeric_class != nullptr},
                {"layer_types", loader.layer_types != nullptr},
                {"load", loader.load != nullptr},
                {"prepare", loader.prepare != nullptr},
                {"unload", loader.unload != nullptr},
                {"input_size", loader.input_size != nullptr},
                {"output_size", loader.output_size != nullptr},
                {"reset", loader.reset != nullptr},
                {"process", loader.process != nullptr}};
    }
};

template <>
struct Interface<rtc_pipeline_api> {
    static constexpr const char *id = RTC_PIPELINE_INTERFACE, *word = "pipeline", *title = "Pipeline",
                                *header = "pipeline.h";
    static constexpr std::uint32_t version = RTC_PIPELINE_ABI_VERSION;

    static Members members(const rtc_pipeline_api& pipeline) {
        return {{"name", pipeline.name != nullptr},
                {"version", pipeline.version != nullptr},
                {"numeric_class", pipeline.numeric_class != nullptr},
                {"open", pipeline.open != nullptr},
                {"close", pipeline.close != nullptr},
                {"frame_size", pipeline.frame_size != nullptr},
                {"model_count", pipeline.model_count != nullptr},
                {"model_name", pipeline.model_name != nullptr},
                {"output_size", pipeline.output_size != nullptr},
                {"capacity", pipeline.capacity != nullptr},
                {"submit", pipeline.submit != nullptr},
                {"poll", pipeline.poll != nullptr},
                {"reload", pipeline.reload != nullptr},
                {"status", pipeline.status != nullptr},
                {"counters", pipeline.counters != nullptr}};
    }
};

template <typename Api>
void check(const Api& api, const std::string& path, std::uint32_t index) {
    using Of = Interface<Api>;
    const std::string which = std::string(Of::title) + " number " + std::to_string(index) + " of " + path;
    if (api.abi_version != Of::version)
        throw ContractBreach(which + " has ABI version " + std::to_string(api.abi_version) + "; version " +
                             std::to_string(Of::version) + " is expected. Rebuild it with this " + Of::header + ".");
    for (const auto& [name, present] : Interface<Api>::members(api))
        if (!present) throw ContractBreach(which + " leaves " + name + " NULL, which " + Of::header + " forbids.");
}

// All that rtc_entry has of one interface; may be none.
template <typename Api, typename Entry>
std::vector<const Api*> list(Entry entry, const std::string& path) {
    using Of = Interface<Api>;
    std::vector<const Api*> all;
    for (std::uint32_t index = 0; index < max_listed; ++index) {
        const auto* api =
            static_cast<const Api*>(cross("rtc_entry", [&] { return entry(Of::id, index); }, Of::header));
        if (api == nullptr) return all;
        check(*api, path, index);
        all.push_back(api);
    }
    throw ContractBreach("rtc_entry of " + path + " doesn't return NULL past its last " + Of::word + ".");
}

template <typename Api>
void demand_some(const std::vector<const Api*>& all, const std::string& path) {
    using Of = Interface<Api>;
    if (all.empty())
        throw LibraryError("rtc_entry of " + path + " knows no " + Of::word + " for \"" + Of::id + "\".");
}

template <typename Api>
std::string names(const std::vector<const Api*>& all) {
    std::string text;
    for (const Api* api : all) text += (text.empty() ? "" : ", ") + std::string(api->name);
    return text;
}

template <typename Api>
const Api& choose(const std::vector<const Api*>& all, const std::string& name, const std::string& path) {
    const std::string word = Interface<Api>::word;
    demand_some(all, path);
    if (name.empty() && all.size() > 1)
        throw LibraryError(path + " holds several " + word + "s; choose one of: " + names(all) + ".");
    if (name.empty()) return *all.front();
    for (const Api* api : all)
        if (api->name == name) return *api;
    throw LibraryError(path + " holds no " + word + " named \"" + name + "\"; it has: " + names(all) + ".");
}

template <typename Api>
const rtc_build_info* build_info_of(const Api& api) {
    if (api.extension == nullptr) return nullptr;
    const void* info =
        cross("extension", [&] { return api.extension(RTC_EXT_BUILD_INFO); }, Interface<Api>::header);
    return static_cast<const rtc_build_info*>(info);
}

}  // namespace

Library::Library(const std::string& path) : path_(path) {
    // A name without a slash would be looked up in the system's library folders instead of here.
    const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
    void* handle = nullptr;
    {
        const Boundary boundary(Boundary::Crossing::open);
        handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    }
    if (handle == nullptr) throw LibraryError("The library can't be opened: " + std::string(dlerror()));
    entry_ = reinterpret_cast<Entry>(dlsym(handle, "rtc_entry"));
    if (entry_ == nullptr)
        throw LibraryError(path + " doesn't export rtc_entry; declare it with RTC_EXPORT as loader.h shows.");
    loaders_ = list<rtc_loader>(entry_, path);
}

const std::vector<const rtc_loader*>& Library::loaders() const {
    demand_some(loaders_, path_);
    return loaders_;
}

const rtc_loader& Library::loader(const std::string& name) const { return choose(loaders_, name, path_); }

const rtc_loader& Library::loader(std::size_t index) const {
    if (index >= loaders_.size())
        throw LibraryError(path_ + " holds " + std::to_string(loaders_.size()) + " loader(s); there is no number " +
                           std::to_string(index) + ".");
    return *loaders_[index];
}

const rtc_pipeline_api& Library::pipeline(const std::string& name) const {
    return choose(list<rtc_pipeline_api>(entry_, path_), name, path_);
}

const rtc_build_info* build_info(const rtc_loader& loader) { return build_info_of(loader); }
const rtc_build_info* build_info(const rtc_pipeline_api& pipeline) { return build_info_of(pipeline); }

std::vector<std::string> layer_types(const rtc_loader& loader) {
    std::vector<std::string> types;
    for (const char* const* type = loader.layer_types; *type != nullptr; ++type) types.emplace_back(*type);
    return types;
}

}  // namespace rtc
