// librtc_faulty_static.so: the loader mem-in-static, which keeps 6 MB in the library's writable data.
#include <cstring>

#include "loader.h"

namespace {

volatile char kept[std::size_t{6} << 20];

rtc_status load(const char* path, rtc_model** model, rtc_error* error) {
    for (auto& byte : kept) byte = 1;
    return rtc_faulty::load(rtc_faulty::Fault::none, path, model, error);
}

}  // namespace

RTC_EXPORT const void* rtc_entry(const char* interface_id, uint32_t index) {
    static const rtc_loader loader = rtc_faulty::make_loader(rtc_faulty::Fault::none, "mem-in-static", load);
    return std::strcmp(interface_id, RTC_LOADER_INTERFACE) == 0 && index == 0 ? &loader : nullptr;
}
