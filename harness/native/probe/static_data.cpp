#include "static_data.h"

#include <link.h>

namespace rtc::probe {
namespace {

template <typename Function>
void for_each_object(Function&& function) {
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* context) {
            (*static_cast<Function*>(context))(*info);
            return 0;
        },
        &function);
}

}  // namespace

StaticData::StaticData() {
    for_each_object([this](const dl_phdr_info& info) { known_.insert(info.dlpi_addr); });
}

std::uint64_t StaticData::bytes() const {
    std::uint64_t bytes = 0;
    for_each_object([&](const dl_phdr_info& info) {
        if (known_.count(info.dlpi_addr) != 0) return;
        for (int i = 0; i < info.dlpi_phnum; ++i)
            if (info.dlpi_phdr[i].p_type == PT_LOAD && (info.dlpi_phdr[i].p_flags & PF_W) != 0)
                bytes += info.dlpi_phdr[i].p_memsz;
    });
    return bytes;
}

}  // namespace rtc::probe
