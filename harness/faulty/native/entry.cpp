// librtc_faulty.so: the honest loader and the known-bad ones, in the order of faults.h.
#include <cstring>

#include "loader.h"

namespace {

using rtc_faulty::Fault;

template <Fault fault>
rtc_status load(const char* path, rtc_model** model, rtc_error* error) {
    return rtc_faulty::load(fault, path, model, error);
}

}  // namespace

RTC_EXPORT const void* rtc_entry(const char* interface_id, uint32_t index) {
#define RTC_FAULT_LOADER(identifier, name) rtc_faulty::make_loader(Fault::identifier, name, load<Fault::identifier>),
    static const rtc_loader loaders[] = {RTC_FAULTS(RTC_FAULT_LOADER)};
#undef RTC_FAULT_LOADER
    if (std::strcmp(interface_id, RTC_LOADER_INTERFACE) != 0) return nullptr;
    return index < sizeof loaders / sizeof *loaders ? &loaders[index] : nullptr;
}
