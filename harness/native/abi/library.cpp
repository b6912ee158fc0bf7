#include "library.h"

#include <dlfcn.h>

#include <utility>

#include "cross.h"

namespace rtc {
namespace {

// More than any library can mean; one that never answers NULL would be listed for ever.
constexpr std::uint32_t max_loaders = 1024;

using Entry = const void* (*)(const char*, std::uint32_t);

// The first thing that a loader leaves out, or nullptr.
const char* missing_member(const rtc_loader& loader) {
    const std::pair<const char*, bool> members[] = {
        {"name", loader.name != nullptr},
        {"version", loader.version != nullptr},
        {"numeric_class", loader.numeric_class != nullptr},
        {"layer_types", loader.layer_types != nullptr},
        {"load", loader.load != nullptr},
        {"prepare", loader.prepare != nullptr},
        {"unload", loader.unload != nullptr},
        {"input_size", loader.input_size != nullptr},
        {"output_size", loader.output_size != nullptr},
        {"reset", loader.reset != nullptr},
        {"process", loader.process != nullptr},
    };
    for (const auto& [name, present] : members)
        if (!present) return name;
    return nullptr;
}

void check(const rtc_loader& loader, const std::string& path, std::uint32_t index) {
    const std::string which = "Loader number " + std::to_string(index) + " of " + path;
    if (loader.abi_version != RTC_ABI_VERSION)
        throw ContractBreach(which + " has ABI version " + std::to_string(loader.abi_version) + "; version " +
                           std::to_string(RTC_ABI_VERSION) + " is expected. Rebuild it with this loader.h.");
    if (const char* member = missing_member(loader))
        throw ContractBreach(which + " leaves " + member + " NULL, which loader.h forbids.");
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
    const auto entry = reinterpret_cast<Entry>(dlsym(handle, "rtc_entry"));
    if (entry == nullptr)
        throw LibraryError(path + " doesn't export rtc_entry; declare it with RTC_EXPORT as loader.h shows.");
    for (std::uint32_t index = 0; index < max_loaders; ++index) {
        const auto* loader =
            static_cast<const rtc_loader*>(cross("rtc_entry", [&] { return entry(RTC_LOADER_INTERFACE, index); }));
        if (loader == nullptr) break;
        check(*loader, path, index);
        loaders_.push_back(loader);
    }
    if (loaders_.empty())
        throw LibraryError("rtc_entry of " + path + " knows no loader for \"" RTC_LOADER_INTERFACE "\".");
    if (loaders_.size() == max_loaders)
        throw ContractBreach("rtc_entry of " + path + " doesn't return NULL past its last loader.");
}

const rtc_loader& Library::loader(const std::string& name) const {
    if (name.empty()) {
        if (loaders_.size() > 1)
            throw LibraryError(path_ + " holds several loaders; choose one of: " + names() + ".");
        return *loaders_.front();
    }
    for (const rtc_loader* loader : loaders_)
        if (loader->name == name) return *loader;
    throw LibraryError(path_ + " holds no loader named \"" + name + "\"; it has: " + names() + ".");
}

const rtc_loader& Library::loader(std::size_t index) const {
    if (index >= loaders_.size())
        throw LibraryError(path_ + " holds " + std::to_string(loaders_.size()) + " loader(s); there is no number " +
                           std::to_string(index) + ".");
    return *loaders_[index];
}

std::string Library::names() const {
    std::string all;
    for (const rtc_loader* loader : loaders_) all += (all.empty() ? "" : ", ") + std::string(loader->name);
    return all;
}

const rtc_build_info* build_info(const rtc_loader& loader) {
    if (loader.extension == nullptr) return nullptr;
    const void* info = cross("extension", [&] { return loader.extension(RTC_EXT_BUILD_INFO); });
    return static_cast<const rtc_build_info*>(info);
}

std::vector<std::string> layer_types(const rtc_loader& loader) {
    std::vector<std::string> types;
    for (const char* const* type = loader.layer_types; *type != nullptr; ++type) types.emplace_back(*type);
    return types;
}

}  // namespace rtc
