// Interposers for the dynamic linker.
//
// dlopen and its kin look at who calls them: where a library says that its own are to be searched for, and what comes
// next behind it, hangs on that. So they are reached by a jump, with the caller's return address in place, and there is
// no way back here in which the detectors could be armed again: they stay armed, and see what the linker does as well.
#include <initializer_list>

#include "interpose.h"

using rtc::probe::Kind;
using rtc::probe::newest;
using rtc::probe::Next;

namespace {

// dlsym is what all others are found by, and found by dlvsym, which wants to know the version: that of glibc 2.34,
// where it moved into libc, or the first one of x86-64 or of aarch64.
void* find_dlsym(const char* name) noexcept {
    for (const char* version : {"GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17"})
        if (void* found = dlvsym(RTLD_NEXT, name, version)) return found;
    return nullptr;
}

}  // namespace

#if __has_cpp_attribute(clang::musttail)
#define RTC_MUST_JUMP [[clang::musttail]]
#else
#define RTC_MUST_JUMP  // GCC jumps at -O2, which CMakeLists.txt asks for
#endif

#define RTC_JUMP_ON(find, result, name, parameters, arguments) \
    RTC_INTERPOSE result name parameters {                     \
        static Next<result parameters> next(#name, find);      \
        auto* const onward = next.noted(Kind::library, #name); \
        RTC_MUST_JUMP return onward arguments;                 \
    }

RTC_JUMP_ON(newest, void*, dlopen, (const char* path, int mode), (path, mode))
RTC_JUMP_ON(newest, void*, dlmopen, (Lmid_t space, const char* path, int mode), (space, path, mode))
RTC_JUMP_ON(find_dlsym, void*, dlsym, (void* library, const char* symbol), (library, symbol))
RTC_PASS_ON(library, int, dlclose, (void* library), (library))
