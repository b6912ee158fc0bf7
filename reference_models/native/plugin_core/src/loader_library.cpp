#include <rtconform_plugin/loader_library.h>

#include <dlfcn.h>

namespace rtconform::plugin
{
namespace
{

using Entry = const void* (*)(const char*, uint32_t);

// A library that never answers NULL would be listed for ever.
constexpr uint32_t most_loaders = 256;

bool is_complete(const rtc_loader& loader)
{
    return loader.name && loader.version && loader.numeric_class && loader.layer_types && loader.load && loader.prepare
        && loader.unload && loader.input_size && loader.output_size && loader.reset && loader.process;
}

} // namespace

std::variant<std::vector<const rtc_loader*>, std::string> open_loaders(const std::string& library)
{
    // A name without a slash would be looked up in the system's folders instead of here.
    const auto path = library.find('/') == std::string::npos ? "./" + library : library;
    void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if(handle == nullptr)
        return "expected a shared library with a loader, found: " + std::string { dlerror() };
    const auto entry = reinterpret_cast<Entry>(dlsym(handle, "rtc_entry"));
    if(entry == nullptr)
        return library + ": expected a library that exports rtc_entry (rtconform/loader.h), found none";

    std::vector<const rtc_loader*> loaders;
    while(loaders.size() < most_loaders)
    {
        const auto* loader = static_cast<const rtc_loader*>(entry(RTC_LOADER_INTERFACE, static_cast<uint32_t>(loaders.size())));
        if(loader == nullptr)
            break;
        if(loader->abi_version != RTC_ABI_VERSION)
            return library + ": expected a loader of ABI version " + std::to_string(RTC_ABI_VERSION) + ", found version "
                + std::to_string(loader->abi_version) + "; rebuild it with this loader.h";
        if(!is_complete(*loader))
            return library + ": expected a loader with all its functions, found one that leaves some NULL";
        loaders.push_back(loader);
    }
    return loaders;
}

std::variant<const rtc_loader*, std::string> open_loader(const std::string& library, const std::string& name)
{
    const auto opened = open_loaders(library);
    if(const auto* reason = std::get_if<std::string>(&opened))
        return *reason;
    const auto& loaders = std::get<std::vector<const rtc_loader*>>(opened);
    std::string names;
    const rtc_loader* found = nullptr;
    for(const auto* loader : loaders)
    {
        names += (names.empty() ? "" : ", ") + std::string { loader->name };
        if(name.empty() || name == loader->name)
            found = loader;
    }
    if(name.empty() && loaders.size() > 1)
        return library + ": expected the name of one of its loaders (" + names + "), found none";
    if(found == nullptr)
        return library + ": expected a loader" + (name.empty() ? "" : " called " + name) + ", found "
            + (names.empty() ? "none" : names);
    return found;
}

} // namespace rtconform::plugin
