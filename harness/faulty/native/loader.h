// The loader interface of loader.h over rtc_model, for one fault.
#pragma once

#include "faults.h"
#include "rtconform/loader.h"

namespace rtc_faulty {

rtc_status load(Fault fault, const char* path, rtc_model** model, rtc_error* error) noexcept;

// The rest of a loader is the same for all of them.
rtc_loader make_loader(Fault fault, const char* name, decltype(rtc_loader::load) load);

}  // namespace rtc_faulty
