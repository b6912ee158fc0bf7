#include "syscalls.h"

#if defined(__linux__) && defined(__x86_64__)

#include <asm/unistd.h>

#include <cstdio>

namespace rtc::probe::syscalls {
namespace {

// nullptr for one that the kernel's headers didn't know when this was compiled.
const char* name_of(long number) noexcept {
    switch (number) {
#define RTC_SYSTEM_CALL(call) \
    case __NR_##call: return #call;
#include "system_calls.inc"  // made from <asm/unistd.h> by CMakeLists.txt
#undef RTC_SYSTEM_CALL
        default: return nullptr;
    }
}

}  // namespace

void name(long number, char* text, std::size_t room) noexcept {
    if (const char* const known = name_of(number)) std::snprintf(text, room, "system call %s", known);
    else std::snprintf(text, room, "system call number %ld", number);
}

}  // namespace rtc::probe::syscalls

#endif
