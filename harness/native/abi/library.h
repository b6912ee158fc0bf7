// A shared library that exports rtc_entry, opened and checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rtconform/loader.h"
#include "rtconform/pipeline.h"

namespace rtc {

// Never closed again: a library may have left threads, thread-local destructors or exit handlers behind that point
// into its code.
class Library {
public:
    // Opens the file with RTLD_NOW | RTLD_LOCAL and lists its loaders. Throws LibraryError, and ContractBreach if an
    // exception leaves rtc_entry.
    explicit Library(const std::string& path);

    // Throws LibraryError if there are none.
    const std::vector<const rtc_loader*>& loaders() const;

    // By name, or the only one if the name is empty. Throws LibraryError naming those that there are.
    const rtc_loader& loader(const std::string& name) const;

    // By index. Throws LibraryError.
    const rtc_loader& loader(std::size_t index) const;

    // As for loaders. A library of loaders isn't asked for pipelines before somebody wants one.
    const rtc_pipeline_api& pipeline(const std::string& name) const;

private:
    using Entry = const void* (*)(const char*, std::uint32_t);

    std::string path_;
    Entry entry_ = nullptr;
    std::vector<const rtc_loader*> loaders_;
};

// The build info extension, or nullptr if it isn't offered. Throws ContractBreach.
const rtc_build_info* build_info(const rtc_loader& loader);
const rtc_build_info* build_info(const rtc_pipeline_api& pipeline);

// layer_types as a list.
std::vector<std::string> layer_types(const rtc_loader& loader);

}  // namespace rtc
