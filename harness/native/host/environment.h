// What no call of a library may change in the process, for comparison before and after.
#pragma once

#include "fields.h"

namespace rtc::host {

// The reply to the operation environment, of this moment and this thread.
Json environment_now();

}  // namespace rtc::host
