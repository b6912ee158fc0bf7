// librtc_faulty_fast_math.so: the loader run-fast-math, whose library turns flush-to-zero on when it is opened. That is
// what -ffast-math at the link of a shared library comes to, up to GCC 12.
#include <cstring>

#include "loader.h"
#include "side_effects.h"

namespace {

const bool is_fast = (rtc_faulty::flush_denormals(), true);

rtc_status load(const char* path, rtc_model** model, rtc_error* error) {
    return rtc_faulty::load(rtc_faulty::Fault::none, path, model, error);
}

}  // namespace

RTC_EXPORT const void* rtc_entry(const char* interface_id, uint32_t index) {
    static const rtc_loader loader = rtc_faulty::make_loader(rtc_faulty::Fault::none, "run-fast-math", load);
    return std::strcmp(interface_id, RTC_LOADER_INTERFACE) == 0 && index == 0 ? &loader : nullptr;
}
